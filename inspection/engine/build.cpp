// Rule files and what profiles say -> Rulesets.
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>

#include "inspection/compile/sha256.h"
#include "inspection/engine/ruleset_builder.h"
#include "inspection/events/eve_text.h"
#include "inspection/rules/language.h"
#include "inspection/rules/unbound.h"

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

void add_issues(std::span<const ast::Issue> issues, std::span<const std::string> files,
                std::vector<RuleIssue>& out) {
  for (const ast::Issue& issue : issues) {
    if (issue.kind == ast::Issue::Kind::skipped) continue;
    out.push_back({files[issue.file], issue.line, issue.column, issue.keyword, issue.message});
  }
}

Result<RulesetBuild> bind(std::shared_ptr<const DetectionRuleset> rules, RulesetBuild build,
                          const ProfileSpec& spec) {
  build.loaded = rules->rules().size();
  const DetectionRuleset::Sizes sizes = rules->sizes();
  build.bytes = sizes.database_bytes + sizes.scratch_bytes;
  auto profile = DetectionProfile::bind(std::move(rules), spec.variables, spec.settings.mode,
                                        DropScope::session, &build.unbound, spec.fuse_sessions);
  if (!profile) return tl::unexpected(std::move(profile.error()));
  std::shared_ptr<FileMagic> magic = magic_for((*profile)->ruleset(), spec.magic, build.notes);
  build.ruleset = std::make_shared<const Ruleset>(std::move(*profile), spec.settings, std::move(magic));
  return build;
}

}  // namespace

Ruleset::Ruleset(std::shared_ptr<const DetectionProfile> profile, const SessionSettings& settings,
                 std::shared_ptr<FileMagic> magic)
    : profile_(std::move(profile)), settings_(settings), magic_(std::move(magic)), serial_(++last_serial) {}

std::shared_ptr<FileMagic> magic_for(const DetectionRuleset& rules, const std::shared_ptr<FileMagic>& magic,
                                     std::vector<std::string>& notes) {
  if (!rules.asks_magic() || magic == nullptr) return nullptr;
  const Status started = magic->start();
  if (started) return magic;
  notes.push_back(started.error().message + ": rules that ask for file.magic do not match");
  return nullptr;
}

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

Result<ast::ParsedRuleset> read_rule_files(const std::vector<std::string>& files, ast::RuleReader&& reader,
                                           std::string* digest) {
  return read_rule_files(files, reader, digest);
}

Result<ast::ParsedRuleset> read_rule_files(const std::vector<std::string>& files, ast::RuleReader& reader,
                                           std::string* digest) {
  ast::ParsedRuleset rules;
  Sha256 hash;
  for (const std::string& file : files) {
    auto text = read_rule_file(file);
    if (!text) return tl::unexpected(std::move(text.error()));
    reader.read(file, *text, rules);
    hash.add(*text);
  }
  const auto made = hash.end();
  if (!made) return fail(ErrorCode::internal, "the rule files' digest cannot be made");
  if (digest != nullptr) *digest = to_hex(*made);
  return rules;
}

namespace {

/// What makes of the same files other rules is part of what they are known by.
void add_to(std::string& digest, const RuleSource& source, std::initializer_list<const std::string*> texts) {
  std::string text = digest;
  for (const ast::RuleListEntry& entry : source.lists)
    text += '\n' + std::string(name_of(entry.change)) + ' ' + entry.pattern;
  bool more = !source.lists.empty();
  for (const std::string* const other : texts) {
    text += '\n' + std::to_string(other->size()) + ' ' + *other;
    more |= !other->empty();
  }
  if (!more) return;
  Sha256 hash;
  hash.add(text);
  if (const auto made = hash.end()) digest = to_hex(*made);
}

/// The text of a file beside the rules'; empty: none is named.
Result<std::string> read_side_file(const std::string& path) {
  if (path.empty()) return std::string();
  return read_rule_file(path);
}

void note_wrong_lines(const std::string& path, size_t wrong, std::vector<std::string>& notes) {
  if (wrong != 0)
    notes.push_back(path + ": lines that were not understood: " + std::to_string(wrong) +
                    "; they are left out");
}

/// What the lists made of the rules.
void add_effects(const ast::ParsedRuleset& rules, RulesetBuild& build) {
  build.enabled = rules.enabled;
  build.disabled = rules.disabled;
  build.changed = rules.changed;
  build.silenced = rules.silenced;
}

}  // namespace

Result<RulesRead> read_rules(const RuleSource& source) {
  RulesRead out;
  ast::ClassTable classes = ast::ClassTable::defaults();
  ast::ReferenceTable references;
  auto class_text = read_side_file(source.classes), reference_text = read_side_file(source.references),
       thresholds = read_side_file(source.thresholds);
  for (const auto* text : {&class_text, &reference_text, &thresholds}) {
    if (!*text) return tl::unexpected(text->error());
  }
  note_wrong_lines(source.classes, classes.read(*class_text), out.notes);
  note_wrong_lines(source.references, references.read(*reference_text), out.notes);
  out.thresholds = ast::parse_threshold_config(*thresholds);
  for (const ast::Issue& issue : out.thresholds.issues) {
    out.notes.push_back(source.thresholds + ":" + std::to_string(issue.line) + ": " + issue.message +
                        " The line is left out.");
  }
  auto lists = ast::RuleLists::make(source.lists);
  if (!lists) return fail(ErrorCode::invalid, std::move(lists.error()));
  ast::RuleReader reader(std::move(classes), std::move(*lists), std::move(references));
  auto rules = read_rule_files(source.files, reader, &out.digest);
  if (!rules) return tl::unexpected(std::move(rules.error()));
  out.rules = std::move(*rules);
  out.unmet = reader.lists().unmet();
  add_to(out.digest, source, {&*class_text, &*reference_text, &*thresholds});
  return out;
}

Result<RulesetBuild> check_rules(const RuleSource& source, const ast::RuleVariables& variables) {
  auto read = read_rules(source);
  if (!read) return tl::unexpected(read.error());
  const ast::ParsedRuleset* const rules = &read->rules;
  RulesetBuild build;
  add_issues(rules->issues, rules->files, build.refused);
  build.loaded = rules->rules.size();
  build.unmet = std::move(read->unmet);
  build.notes = std::move(read->notes);
  add_effects(*rules, build);
  build.unbound = ast::unbound_sentences(*rules, variables);
  return build;
}

Result<RulesetBuild> compile_rules(ast::ParsedRuleset rules, unsigned workers, const ProfileSpec& spec,
                                   std::shared_ptr<FlowBitNames> names, DatabaseCache* cache,
                                   const ast::ThresholdConfig* thresholds) {
  DetectionCompileOptions options;
  options.workers = workers;
  options.threads = cores_of_this_thread();
  options.variables = &spec.variables;
  options.cache = cache;
  options.thresholds = thresholds;
  options.flowbit_names = std::move(names);
  RulesetBuild build;
  add_issues(rules.issues, rules.files, build.refused);
  add_effects(rules, build);
  const std::vector<std::string> files = rules.files;
  auto compiled = DetectionRuleset::compile(std::move(rules), options);
  if (!compiled) return tl::unexpected(std::move(compiled.error()));
  add_issues((*compiled)->issues(), files, build.refused);
  return bind(std::move(*compiled), std::move(build), spec);
}

Result<RulesetBuild> RulesetBuilder::build(const ProfileSpec& spec) {
  const auto known = compiled_.find(spec.source);
  if (known != compiled_.end() && known->second.rules->covers(spec.variables))
    return bind(known->second.rules, known->second.build, spec);
  auto read = read_rules(spec.source);
  if (!read) return tl::unexpected(read.error());
  auto build = compile_rules(std::move(read->rules), workers_, spec, names_, cache_, &read->thresholds);
  if (!build) return build;
  build->digest = std::move(read->digest);
  build->unmet = std::move(read->unmet);
  build->notes.insert(build->notes.begin(), std::make_move_iterator(read->notes.begin()),
                      std::make_move_iterator(read->notes.end()));
  Compiled compiled{build->ruleset->profile().shared_ruleset(), *build};
  compiled.build.ruleset = nullptr;
  compiled.build.unbound.clear();
  compiled_.insert_or_assign(spec.source, std::move(compiled));
  return build;
}

Result<RulesetBuild> build_ruleset(const std::vector<std::string>& files, unsigned workers,
                                   std::shared_ptr<FlowBitNames> names) {
  ProfileSpec spec;
  spec.source.files = files;
  return RulesetBuilder(workers, std::move(names)).build(spec);
}

}  // namespace weir::inspection
