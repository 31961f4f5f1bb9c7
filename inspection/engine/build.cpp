// Rule files -> a Ruleset.
#include <filesystem>
#include <fstream>

#include "inspection/engine/ruleset.h"
#include "inspection/inspector.h"
#include "inspection/rules/language.h"

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

Result<ast::ParsedRuleset> read_files(const std::vector<std::string>& files) {
  ast::RuleReader reader;
  ast::ParsedRuleset rules;
  for (const std::string& file : files) {
    auto text = read_file(file);
    if (!text) return tl::unexpected(std::move(text.error()));
    reader.read(file, *text, rules);
  }
  return rules;
}

void add_issues(std::span<const ast::Issue> issues, const ast::ParsedRuleset& rules, RulesetBuild& build) {
  for (const ast::Issue& issue : issues) {
    if (issue.kind == ast::Issue::Kind::skipped) continue;
    build.refused.push_back(
        {rules.files[issue.file], issue.line, issue.column, issue.keyword, issue.message});
  }
}

}  // namespace

Result<RulesetBuild> check_rules(const std::vector<std::string>& files) {
  auto rules = read_files(files);
  if (!rules) return tl::unexpected(std::move(rules.error()));
  RulesetBuild build;
  add_issues(rules->issues, *rules, build);
  build.loaded = rules->rules.size();
  return build;
}

Result<RulesetBuild> compile_rules(const ast::ParsedRuleset& rules, unsigned workers,
                                   std::shared_ptr<FlowBitNames> names) {
  DetectionCompileOptions options;
  options.workers = workers;
  options.flowbit_names = std::move(names);
  auto compiled = DetectionRuleset::compile(rules, options);
  if (!compiled) return tl::unexpected(std::move(compiled.error()));
  RulesetBuild build;
  add_issues(rules.issues, rules, build);
  add_issues((*compiled)->issues(), rules, build);
  build.loaded = (*compiled)->rules().size();
  auto profile =
      DetectionProfile::bind(std::move(*compiled), ast::RuleVariables::defaults(), InspectMode::ips);
  if (!profile) return tl::unexpected(std::move(profile.error()));
  build.ruleset = std::make_shared<const Ruleset>(std::move(*profile));
  return build;
}

Result<RulesetBuild> build_ruleset(const std::vector<std::string>& files, unsigned workers,
                                   std::shared_ptr<FlowBitNames> names) {
  auto rules = read_files(files);
  if (!rules) return tl::unexpected(std::move(rules.error()));
  return compile_rules(*rules, workers, std::move(names));
}

}  // namespace weir::inspection
