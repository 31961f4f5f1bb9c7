// What the hub's rules and buffers cost, and how a rule is looked for: GET /v1/rules/top, /v1/rules/explain.
//
// Made of compiled rules and of what workers count, by the thread that answers: neither control nor a worker
// waits.
#pragma once

#include "inspection/detect/alert.h"
#include "mgmt/api/json.h"
#include "mgmt/control/views.h"

namespace weir::api {

/// The `max` costliest rules, and all buffers that were scanned, since the rules were read.
Json rules_top(const control::RulesInForce& rules, size_t max);

/// How the rule of that name is looked for, in each list of rules that has it, and what it cost.
Json rules_explain(const control::RulesInForce& rules, const inspection::RuleName& name);

}  // namespace weir::api
