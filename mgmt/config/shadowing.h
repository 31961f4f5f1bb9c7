// Rules of the policy that never decide anything.
#pragma once

#include <vector>

#include "mgmt/config/config.h"
#include "mgmt/config/problem.h"

namespace weir::config {

/// Notes on rules that no packet reaches, since one rule before them takes all that they match, or several do
/// together that differ in one thing only (services, or the domains or addresses of one end), and on groups
/// that choose nothing. Nothing is said that is not so; what rules that differ in more take together is not
/// found. Precondition: the configuration is valid. The work is bounded, and told when it was not enough.
void take_policy_notes(const Config& config, std::vector<Problem>& notes);

}  // namespace weir::config
