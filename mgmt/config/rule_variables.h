// The variables of a profile's rules.
#pragma once

#include "inspection/rules/header_sets.h"
#include "mgmt/config/config.h"

namespace weir::config {

/// What the profile sets, and what has a value anyway.
inspection::ast::RuleVariables rule_variables(const Profile& profile);

}  // namespace weir::config
