// The order in which rules are judged, and their alerts told: Suricata's.
#pragma once

#include <vector>

#include "inspection/compile/detection_rule.h"

namespace weir::inspection {

/// Sorts by action (pass, drop, reject, alert), then writers of flow bits before those that write and read,
/// before readers, before the rest; then priority (1 first); then as in the files.
void sort_rules(std::vector<DetectionRule>& rules);

}  // namespace weir::inspection
