// What the parts of a rule have to agree on, once all are known.
#pragma once

#include "inspection/rules/keyword.h"

namespace weir::inspection::ast {

/// `at` is the place of the options, for what has no narrower place.
Parsed<void> validate_rule(const RuleContext& context, size_t at);

}  // namespace weir::inspection::ast
