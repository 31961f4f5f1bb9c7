// The variables of a profile's rules, and where these come from.
#pragma once

#include "inspection/engine/rule_source.h"
#include "inspection/rules/header_sets.h"
#include "mgmt/config/config.h"

namespace weir::config {

/// What the profile sets, and what has a value anyway.
inspection::ast::RuleVariables rule_variables(const Profile& profile);

/// Its files and lists. Entries of the lists come in the order of `profile.lists`.
inspection::RuleSource rule_source(const Profile& profile);

}  // namespace weir::config
