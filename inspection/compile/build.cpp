// Rule files -> ruleset: the builder's entry points of inspector.h.
#include <filesystem>
#include <fstream>

#include "inspection/compile/ruleset.h"
#include "inspection/rules/rule_parser.h"

namespace weir::inspection {

namespace {

constexpr uintmax_t kMaxFileBytes = uintmax_t{256} << 20;

Result<std::string> read_file(const std::string& path) {
  std::error_code error;
  const bool regular = std::filesystem::is_regular_file(path, error);
  if (error) return fail(ErrorCode::io, "the rule file " + path + " cannot be read: " + error.message());
  if (!regular) return fail(ErrorCode::io, "the rule file " + path + " is not a regular file");
  const uintmax_t size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) return fail(ErrorCode::io, "the rule file " + path + " cannot be opened");
  if (size > kMaxFileBytes) {
    return fail(ErrorCode::invalid, "the rule file " + path + " is larger than 256 MiB");
  }
  std::string text(size, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(size))) {
    return fail(ErrorCode::io, "the rule file " + path + " cannot be read to its end");
  }
  return text;
}

Result<ParsedRules> parse_files(const std::vector<std::string>& files) {
  ParsedRules parsed;
  RuleParser parser;
  for (const std::string& path : files) {
    auto text = read_file(path);
    if (!text) return tl::unexpected(text.error());
    parser.parse_file(path, *text, parsed);
  }
  return parsed;
}

}  // namespace

Result<RulesetBuild> build_ruleset(const std::vector<std::string>& files, unsigned workers) {
  auto parsed = parse_files(files);
  if (!parsed) return tl::unexpected(parsed.error());
  RulesetBuild build;
  build.loaded = parsed->rules.size();
  build.refused = std::move(parsed->issues);
  auto ruleset = Ruleset::compile(std::move(parsed->rules), workers);
  if (!ruleset) return tl::unexpected(ruleset.error());
  build.ruleset = std::move(*ruleset);
  return build;
}

Result<RulesetBuild> check_rules(const std::vector<std::string>& files) {
  auto parsed = parse_files(files);
  if (!parsed) return tl::unexpected(parsed.error());
  RulesetBuild build;
  build.loaded = parsed->rules.size();
  build.refused = std::move(parsed->issues);
  return build;
}

}  // namespace weir::inspection
