// The order in which rules are judged, and their alerts told: Suricata's.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "inspection/compile/detection_rule.h"

namespace weir::inspection {

/// Sorts by action (as `actions` has them; usually pass, drop, reject, alert); then writers of flow bits
/// before those that write and read, before readers, before the rest; the same for counters of the session,
/// and for bits of hosts; then priority (1 first); then as in the files.
void sort_rules(std::vector<DetectionRule>& rules, std::span<const ast::Action> actions);

inline constexpr std::array<ast::Action, 4> kUsualActionOrder = {ast::Action::pass, ast::Action::drop,
                                                                 ast::Action::reject, ast::Action::alert};

}  // namespace weir::inspection
