// Which literal of each rule Hyperscan looks for.
#pragma once

#include <vector>

#include "inspection/compile/detection_rule.h"

namespace weir::inspection {

/// Sets `fast` of every rule that has a literal which every match contains: the author's choice
/// (fast_pattern), else the one that is long, of rare bytes and in few other rules. Of a pcre only where no
/// content serves.
void choose_fast_patterns(std::vector<DetectionRule>& rules);

}  // namespace weir::inspection
