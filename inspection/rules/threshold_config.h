// threshold.config: limits, rate filters and suppressions beside the rules' own, by gid and sid.
//
// Builder thread. Source: Suricata 8's documentation, "Global-Thresholds".
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "inspection/rules/rule_ast.h"

namespace weir::inspection::ast {

/// 0 stands for all.
struct RuleNumber {
  uint32_t gid = 0, sid = 0;
  bool names(const Rule& rule) const {
    return (gid == 0 || gid == rule.gid) && (sid == 0 || sid == rule.sid);
  }
};

/// No alert for these addresses; the action is taken all the same.
struct Suppression {
  enum class Of : uint8_t { all, source, destination, either };
  RuleNumber rule;
  Of of = Of::all;
  SetExpression addresses;  // unless `all`
};

/// Once a rule matched more than `count` times in `seconds`, its action is another one for `timeout` seconds.
struct RateFilter {
  RuleNumber rule;
  Threshold::Track track = Threshold::Track::by_source;
  uint32_t count = 1, seconds = 1, timeout = 0;
  Action new_action = Action::alert;
};

struct ConfiguredThreshold {
  RuleNumber rule;
  Threshold threshold;
};

struct ThresholdConfig {
  std::vector<ConfiguredThreshold> thresholds;
  std::vector<RateFilter> rate_filters;
  std::vector<Suppression> suppressions;
  std::vector<Issue> issues;  // lines that were not understood; the others stand
};

ThresholdConfig parse_threshold_config(std::string_view text);

}  // namespace weir::inspection::ast
