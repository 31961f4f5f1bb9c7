// Rule files and what profiles say -> Rulesets. Profiles with the same list of files share what is compiled:
// each binds its own variables to it.
//
// Builder thread; takes up to seconds.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "inspection/compile/database_cache.h"
#include "inspection/engine/rule_source.h"
#include "inspection/engine/ruleset.h"
#include "inspection/inspector.h"
#include "inspection/rules/language.h"

namespace weir::inspection {

struct ProfileSpec {
  RuleSource source;
  ast::RuleVariables variables = ast::RuleVariables::defaults();
  SessionSettings settings = hub_settings(InspectMode::ips);
  uint32_t fuse_sessions = 0;                  // that a rule may drop in a minute; 0: any number
  std::shared_ptr<FileMagic> magic = nullptr;  // started if the rules ask what files are; null: nobody says
};

class RulesetBuilder {
 public:
  /// `workers` sets of scratch memory are allocated with each compiled list of files.
  /// `names` as in build_ruleset(); `cache`, which has to outlive it, may be null.
  explicit RulesetBuilder(unsigned workers, std::shared_ptr<FlowBitNames> names = nullptr,
                          DatabaseCache* cache = nullptr)
      : workers_(workers), names_(std::move(names)), cache_(cache) {}

  /// Fails as a whole only if a file cannot be read or the matcher does not get what it needs.
  Result<RulesetBuild> build(const ProfileSpec& spec);
  /// Lists of files that were compiled so far.
  size_t compiled() const { return compiled_.size(); }

 private:
  /// What is the same for all profiles with this source.
  struct Compiled {
    std::shared_ptr<const DetectionRuleset> rules;
    RulesetBuild build;  // without a ruleset
  };
  unsigned workers_;
  std::shared_ptr<FlowBitNames> names_;
  DatabaseCache* cache_;
  std::map<RuleSource, Compiled> compiled_;
};

/// `magic`, started, if the rules ask what files are. Null if not, or if it cannot be; then a sentence in
/// `notes` says so.
std::shared_ptr<FileMagic> magic_for(const DetectionRuleset& rules, const std::shared_ptr<FileMagic>& magic,
                                     std::vector<std::string>& notes);

/// The text of a rule file; the error is a sentence that names it.
Result<std::string> read_rule_file(const std::string& path);
/// Files in their order, by `reader`. `digest`, unless null: SHA-256 of their texts, one after the other.
Result<ast::ParsedRuleset> read_rule_files(const std::vector<std::string>& files, ast::RuleReader& reader,
                                           std::string* digest = nullptr);
Result<ast::ParsedRuleset> read_rule_files(const std::vector<std::string>& files, ast::RuleReader&& reader,
                                           std::string* digest = nullptr);

/// A source as its files say, before it is compiled.
struct RulesRead {
  ast::ParsedRuleset rules;
  ast::ThresholdConfig thresholds;
  std::vector<ast::RuleLists::Unmet> unmet;
  std::vector<std::string> notes;  // sentences about lines of the other files that were not understood
  std::string digest;              // SHA-256 of the files, and of all else that the source has
};
/// Fails if a file cannot be read; the error names it.
Result<RulesRead> read_rules(const RuleSource& source);

/// What RulesetBuilder does once the files are read and parsed, on as many threads as the caller may use
/// cores.
Result<RulesetBuild> compile_rules(ast::ParsedRuleset rules, unsigned workers, const ProfileSpec& spec = {},
                                   std::shared_ptr<FlowBitNames> names = nullptr,
                                   DatabaseCache* cache = nullptr,
                                   const ast::ThresholdConfig* thresholds = nullptr);

}  // namespace weir::inspection
