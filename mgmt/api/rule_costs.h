// What the hub's rules and buffers cost, and how a rule is looked for: GET /v1/rules/top, /v1/rules/explain,
// /v1/rules/watch.
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

/// Begins to watch how far the rule gets in a session, by its flow_id, from now on; the watch before ends.
/// Fails if no profile has the rule.
Result<Json> begin_rule_watch(const control::RulesInForce& rules, const inspection::RuleName& name,
                              uint64_t session);
/// What it has seen so far: `packets` that were judged, how often the rule `fired`, and the sentence of how
/// far it got, `furthest` (null: it was held against nothing). Fails if another watch was begun since.
Result<Json> rule_watch(const control::RulesInForce& rules, const inspection::RuleName& name, uint64_t watch);

/// How the rule of that name is looked for, in each list of rules that has it, and what it cost. Fails if
/// none has.
Result<Json> rules_explain(const control::RulesInForce& rules, const inspection::RuleName& name);

}  // namespace weir::api
