// `weir check`: is this configuration right, rules included? Needs no root, no EAL and no network.
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "inspection/inspector.h"
#include "mgmt/config/config.h"
#include "mgmt/config/memory_plan.h"
#include "mgmt/config/problem.h"

namespace weir::config {

struct CheckReport {
  std::vector<Problem> problems;  // none: the hub would start, as far as the file can tell
  std::vector<Problem> notes;     // right, but worth a thought

  struct Rules {
    std::string profile;
    size_t loaded = 0;
    std::vector<inspection::RuleIssue> refused;
    /// By the profile's lists: switched on, switched off, with another action, silent.
    size_t enabled = 0, disabled = 0, changed = 0, silenced = 0;
  };
  // Only where the configuration itself could be read:
  std::optional<Config> config;
  MemoryPlan memory;
  std::vector<Rules> rules;
};

/// Reads and parses a source of one rule file without compiling it; inspection::check_rules but in tests.
using CheckRules = std::function<Result<inspection::RulesetBuild>(
    const inspection::RuleSource& source, const inspection::ast::RuleVariables& variables)>;

CheckReport check_config(const std::string& path);
CheckReport check_config(const std::string& path, const CheckRules& check_rules);

/// All of `weir check -c FILE`: problems and refused rules to `err`, the summary to `out`. Returns the
/// process's exit code: 0, or 1 if there is a problem. A refused rule is none: the hub runs without it.
int run_check(const std::string& config_path, std::ostream& out, std::ostream& err);
/// The same of a report that is at hand.
int print_report(const CheckReport& report, std::ostream& out, std::ostream& err);

}  // namespace weir::config
