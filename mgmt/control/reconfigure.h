// From a configuration file to what control makes a transaction of: everything that takes long, on the
// builder thread.
//
// Pure but for reading the configuration and rule files. A failure is a list of problems and nothing else.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inspection/compile/flowbit_names.h"
#include "inspection/magic/file_magic.h"
#include "mgmt/config/config.h"
#include "mgmt/control/views.h"
#include "mgmt/model/file_changes.h"

namespace weir::control {

/// A configuration as it was read from its file.
struct FileConfig {
  std::shared_ptr<const config::Config> whole;
  /// The same without domains, attachments, routes, connections and policy, which the model has.
  std::shared_ptr<const config::Config> settings;
  std::vector<ProfileView> profiles = {};

  static FileConfig of(config::Config config);
};

/// Rules of all profiles, read and compiled.
struct RuleBuild {
  model::Rulesets rulesets;
  std::vector<ProfileView> profiles;
  std::vector<std::string> refused;  // lines: rules that were left out or cannot match, what
                                     // rule_cache.folder has that is not usable
  std::string cache;                 // how much came from there; empty: there is none
  size_t compiled = 0;               // lists of files; profiles share them
  std::vector<config::Problem> problems;
};
/// What all rulesets of the hub share.
struct RulesShare {
  std::shared_ptr<inspection::FlowBitNames> names;  // so that sessions keep their bits
  std::shared_ptr<inspection::FileMagic> magic;     // started by the first rules that ask what files are
};
RuleBuild build_rules(const config::Config& config, unsigned workers, const RulesShare& share);

/// What the model takes from a file beside its things.
model::Settings settings_of(const config::Config& config, model::Rulesets rulesets);

struct ReadJob {
  std::shared_ptr<const config::Config> before;  // the file as it was read the last time
  unsigned workers = 1;
  RulesShare share;
};
/// The same of rules alone: `file` stays as it is but for them.
struct RulesJob {
  FileConfig file;
  unsigned workers = 1;
  RulesShare share;
};

struct ReadOutcome {
  std::vector<std::string> problems;  // if there is any, nothing below is meant
  std::vector<std::string> notes;     // refused rules
  std::vector<std::string> changes;   // of settings, for people
  FileConfig next;
  model::Rulesets rulesets;
  std::optional<model::FileChanges> things;  // none: the rules alone
};

/// Reads the file again, compiles its rules, and compares. Problems too if a running hub cannot take it over.
ReadOutcome read_again(const ReadJob& job);

/// Compiles the rule files that the configuration names again.
ReadOutcome read_rules_again(const RulesJob& job);

/// The same, but if memory runs out that is a problem like any other. `read`: for tests.
ReadOutcome read_again_or_explain(const ReadJob& job, ReadOutcome (*read)(const ReadJob&) = read_again);
ReadOutcome read_again_or_explain(const RulesJob& job,
                                  ReadOutcome (*read)(const RulesJob&) = read_rules_again);

std::vector<std::string> in_words(const std::vector<config::Problem>& problems);

}  // namespace weir::control
