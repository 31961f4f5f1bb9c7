// What the parts of a rule have to agree on, once all are known.
#pragma once

#include "inspection/rules/parse_support.h"
#include "inspection/rules/rule.h"

namespace weir::inspection {

/// `at` is the place of the options, for what has no narrower place.
Parsed<void> check_rule(size_t at, const Rule& rule);

}  // namespace weir::inspection
