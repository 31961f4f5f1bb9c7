#include "mgmt/api/rule_costs.h"

#include <algorithm>

#include "inspection/compile/rule_summary.h"
#include "inspection/detect/rule_costs.h"
#include "inspection/detect/rule_memory.h"
#include "inspection/engine/ruleset.h"

namespace weir::api {

namespace {

using inspection::DetectionRuleset;

/// Profiles that share what is compiled of their files.
struct Compiled {
  const DetectionRuleset* ruleset = nullptr;
  std::vector<std::string> profiles;
  std::vector<const inspection::RuleFuses*> fuses;
};

std::vector<Compiled> compiled_of(const model::Rulesets& rulesets) {
  std::vector<Compiled> all;
  for (const auto& [name, ruleset] : rulesets) {
    const DetectionRuleset* const rules = &ruleset->profile().ruleset();
    auto known = std::find_if(all.begin(), all.end(), [&](const Compiled& c) { return c.ruleset == rules; });
    if (known == all.end()) known = all.insert(all.end(), Compiled{rules, {}, {}});
    known->profiles.push_back(name);
    known->fuses.push_back(ruleset->profile().fuses());
  }
  return all;
}

/// Profiles in which the rule's fuse is out.
Json blown(const Compiled& compiled, uint32_t number) {
  Json names = Json::array();
  for (size_t i = 0; i < compiled.profiles.size(); ++i) {
    if (compiled.fuses[i] != nullptr && compiled.fuses[i]->is_out(number))
      names.push_back(compiled.profiles[i]);
  }
  return names;
}

Json counts_of(const inspection::RuleCost& cost) {
  return {{"verified", cost.verified},
          {"matched", cost.matched},
          {"work", cost.work},
          {"given_up", cost.given_up}};
}

const inspection::DetectionRule* rule_of(const control::RulesInForce& in_force,
                                         const inspection::RuleName& name) {
  for (const Compiled& compiled : compiled_of(in_force.rulesets)) {
    if (const auto number = compiled.ruleset->find(name)) return &compiled.ruleset->rule(*number);
  }
  return nullptr;
}

tl::unexpected<Error> no_such_rule(const inspection::RuleName& name) {
  return fail(ErrorCode::not_found,
              "no profile has loaded a rule " + std::to_string(name.gid) + ":" + std::to_string(name.sid));
}

}  // namespace

Json rules_top(const control::RulesInForce& in_force, size_t max) {
  struct Row {
    const Compiled* of;
    inspection::RuleCost cost;
  };
  const std::vector<Compiled> all = compiled_of(in_force.rulesets);
  std::vector<Row> rows;
  Json buffers = Json::array();
  for (const Compiled& compiled : all) {
    for (const auto& cost : inspection::rule_costs(*compiled.ruleset)) rows.push_back({&compiled, cost});
    for (const auto& cost : inspection::buffer_costs(*compiled.ruleset)) {
      buffers.push_back(
          {{"buffer", cost.name},
           {"direction", cost.direction == inspection::Direction::to_server ? "to_server" : "to_client"},
           {"profiles", compiled.profiles},
           {"scans", cost.scans},
           {"bytes", cost.bytes},
           {"candidates", cost.candidates},
           {"literals", cost.literals}});
    }
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.cost.work > b.cost.work; });
  Json rules = Json::array();
  for (size_t i = 0; i < std::min(max, rows.size()); ++i) {
    const inspection::RuleInfo& info = rows[i].of->ruleset->rule(rows[i].cost.number).info;
    Json rule = {{"gid", info.gid}, {"sid", info.sid}, {"rev", info.rev}, {"msg", info.signature}};
    rule["profiles"] = rows[i].of->profiles;
    rule.update(counts_of(rows[i].cost));
    rule["fuse_out"] = blown(*rows[i].of, rows[i].cost.number);
    rules.push_back(std::move(rule));
  }
  return {{"now_ns", in_force.now_ns},
          {"rules_with_cost", rows.size()},
          {"rules", std::move(rules)},
          {"buffers", std::move(buffers)}};
}

Result<Json> rules_explain(const control::RulesInForce& in_force, const inspection::RuleName& name) {
  Json rules = Json::array();
  const std::vector<Compiled> all = compiled_of(in_force.rulesets);
  for (const Compiled& compiled : all) {
    const auto number = compiled.ruleset->find(name);
    if (!number) continue;
    const inspection::RuleSummary summary = inspection::summary_of(compiled.ruleset->rule(*number));
    Json rule = {
        {"rule", summary.name},           {"msg", summary.message},      {"place", summary.place},
        {"action", summary.action},       {"judged_by", summary.moment}, {"proposed_in", summary.buffer},
        {"proposed_by", summary.literal}, {"nocase", summary.nocase},    {"conditions", summary.conditions},
        {"profiles", compiled.profiles}};
    rule.update(counts_of(inspection::cost_of(*compiled.ruleset, *number)));
    rule["fuse_out"] = blown(compiled, *number);
    rules.push_back(std::move(rule));
  }
  if (rules.empty()) return no_such_rule(name);
  return Json{{"rules", std::move(rules)}};
}

Result<Json> begin_rule_watch(const control::RulesInForce& in_force, const inspection::RuleName& name,
                              uint64_t session) {
  if (rule_of(in_force, name) == nullptr) return no_such_rule(name);
  return Json{{"watch", in_force.memory->watch->ask(name, session)}};
}

Result<Json> rule_watch(const control::RulesInForce& in_force, const inspection::RuleName& name,
                        uint64_t watch) {
  const inspection::DetectionRule* const rule = rule_of(in_force, name);
  if (rule == nullptr) return no_such_rule(name);
  const auto answer = in_force.memory->watch->answer(watch);
  if (!answer)
    return fail(ErrorCode::not_found, "somebody else watches a rule now; one at a time is watched");
  Json furthest;
  if (answer->furthest) furthest = inspection::words_of(*rule, *answer->furthest);
  return Json{{"packets", answer->packets}, {"fired", answer->fired}, {"furthest", std::move(furthest)}};
}

}  // namespace weir::api
