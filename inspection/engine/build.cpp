// Rule files and what profiles say -> Rulesets.
#include <openssl/evp.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>

#include "inspection/engine/ruleset_builder.h"
#include "inspection/events/eve_text.h"
#include "inspection/rules/language.h"

namespace weir::inspection {

namespace {

constexpr uintmax_t kMaxFileBytes = uintmax_t{256} << 20;

std::atomic<uint64_t> last_serial{0};

/// Those that it may run on: in the hub all but the workers'.
unsigned cores_of_this_thread() {
  constexpr int kMost = 16;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
  return static_cast<unsigned>(std::clamp(CPU_COUNT(&cores), 1, kMost));
}

void add_issues(std::span<const ast::Issue> issues, const ast::ParsedRuleset& rules,
                std::vector<RuleIssue>& out) {
  for (const ast::Issue& issue : issues) {
    if (issue.kind == ast::Issue::Kind::skipped) continue;
    out.push_back({rules.files[issue.file], issue.line, issue.column, issue.keyword, issue.message});
  }
}

Result<RulesetBuild> bind(std::shared_ptr<const DetectionRuleset> rules, std::vector<RuleIssue> refused,
                          const ProfileSpec& spec) {
  RulesetBuild build;
  build.refused = std::move(refused);
  build.loaded = rules->rules().size();
  const DetectionRuleset::Sizes sizes = rules->sizes();
  build.bytes = sizes.database_bytes + sizes.scratch_bytes;
  auto profile = DetectionProfile::bind(std::move(rules), spec.variables, spec.settings.mode,
                                        DropScope::session, &build.unbound);
  if (!profile) return tl::unexpected(std::move(profile.error()));
  build.ruleset = std::make_shared<const Ruleset>(std::move(*profile), spec.settings);
  return build;
}

}  // namespace

Ruleset::Ruleset(std::shared_ptr<const DetectionProfile> profile, const SessionSettings& settings)
    : profile_(std::move(profile)), settings_(settings), serial_(++last_serial) {}

Result<std::string> read_rule_file(const std::string& path) {
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

Result<ast::ParsedRuleset> read_rule_files(const std::vector<std::string>& files, ast::RuleReader reader,
                                           std::string* digest) {
  ast::ParsedRuleset rules;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  bool hashed = hash != nullptr && EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) == 1;
  for (const std::string& file : files) {
    auto text = read_rule_file(file);
    if (!text) return tl::unexpected(std::move(text.error()));
    reader.read(file, *text, rules);
    hashed = hashed && EVP_DigestUpdate(hash.get(), text->data(), text->size()) == 1;
  }
  std::array<uint8_t, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  if (!hashed || EVP_DigestFinal_ex(hash.get(), bytes.data(), &size) != 1)
    return fail(ErrorCode::internal, "the rule files' digest cannot be made");
  if (digest != nullptr) *digest = to_hex({bytes.data(), size});
  return rules;
}

Result<RulesetBuild> check_rules(const std::vector<std::string>& files, const ast::RuleVariables& variables) {
  const auto rules = read_rule_files(files, ast::RuleReader());
  if (!rules) return tl::unexpected(rules.error());
  RulesetBuild build;
  add_issues(rules->issues, *rules, build.refused);
  build.loaded = rules->rules.size();
  for (const ast::SetExpression& expression : rules->addresses.entries()) {
    if (const auto set = ast::bind_addresses(expression, variables); !set)
      build.unbound.push_back(expression.text + ": " + set.error());
  }
  for (const ast::SetExpression& expression : rules->ports.entries()) {
    if (const auto set = ast::bind_ports(expression, variables); !set)
      build.unbound.push_back(expression.text + ": " + set.error());
  }
  return build;
}

Result<RulesetBuild> compile_rules(const ast::ParsedRuleset& rules, unsigned workers, const ProfileSpec& spec,
                                   std::shared_ptr<FlowBitNames> names, DatabaseCache* cache) {
  DetectionCompileOptions options;
  options.workers = workers;
  options.threads = cores_of_this_thread();
  options.variables = &spec.variables;
  options.cache = cache;
  options.flowbit_names = std::move(names);
  auto compiled = DetectionRuleset::compile(rules, options);
  if (!compiled) return tl::unexpected(std::move(compiled.error()));
  std::vector<RuleIssue> refused;
  add_issues(rules.issues, rules, refused);
  add_issues((*compiled)->issues(), rules, refused);
  return bind(std::move(*compiled), std::move(refused), spec);
}

Result<RulesetBuild> RulesetBuilder::build(const ProfileSpec& spec) {
  const auto known = compiled_.find(spec.files);
  if (known != compiled_.end() && known->second.rules->covers(spec.variables)) {
    auto build = bind(known->second.rules, known->second.refused, spec);
    if (build) build->digest = known->second.digest;
    return build;
  }
  std::string digest;
  const auto rules = read_rule_files(spec.files, ast::RuleReader(), &digest);
  if (!rules) return tl::unexpected(rules.error());
  auto build = compile_rules(*rules, workers_, spec, names_, cache_);
  if (!build) return build;
  build->digest = digest;
  compiled_.insert_or_assign(spec.files,
                             Compiled{build->ruleset->profile().shared_ruleset(), build->refused, digest});
  return build;
}

Result<RulesetBuild> build_ruleset(const std::vector<std::string>& files, unsigned workers,
                                   std::shared_ptr<FlowBitNames> names) {
  ProfileSpec spec;
  spec.files = files;
  return RulesetBuilder(workers, std::move(names)).build(spec);
}

}  // namespace weir::inspection
