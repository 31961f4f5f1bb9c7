#include "inspection/detect/detection_profile.h"

#include <algorithm>
#include <set>

#include "inspection/rules/unbound.h"

namespace weir::inspection {

namespace {

using Seen = std::set<std::string, std::less<>>;

/// A negated member anywhere, through variables too. A variable that names itself ends the search: binding
/// reports it.
bool has_negation(const ast::SetTerm& term, const ast::RuleVariables& variables, Seen& seen) {
  if (term.negated) return true;
  if (term.kind == ast::SetTerm::Kind::variable) {
    const auto value = variables.addresses.find(term.variable);
    if (value == variables.addresses.end() || !seen.insert(term.variable).second) return false;
    const auto expression = ast::parse_address_expression(value->second);
    return expression && has_negation(expression->root, variables, seen);
  }
  return std::any_of(term.members.begin(), term.members.end(),
                     [&](const ast::SetTerm& member) { return has_negation(member, variables, seen); });
}

}  // namespace

Result<std::shared_ptr<const DetectionProfile>> DetectionProfile::bind(
    std::shared_ptr<const DetectionRuleset> ruleset, const ast::RuleVariables& variables, InspectMode mode,
    DropScope drop_scope, std::vector<std::string>* unbound, uint32_t fuse_sessions) {
  if (!ruleset->covers(variables))
    return fail(ErrorCode::internal, "the rules were compiled for other variables");
  std::shared_ptr<DetectionProfile> profile(new DetectionProfile);
  const auto report = [&](const ast::SetExpression& expression, const std::string& why, bool of_ports,
                          size_t index) {
    if (unbound == nullptr) return;
    unbound->push_back(
        ast::unbound_sentence(expression, why, of_ports, static_cast<uint32_t>(index), ruleset->rules(),
                              [](const DetectionRule& rule) {
                                return ast::RulePlace{rule.info.file, rule.info.line, rule.info.sid};
                              }));
  };
  for (const ast::SetExpression& expression : ruleset->addresses().entries()) {
    Addresses& entry = profile->addresses_.emplace_back();
    auto set = ast::bind_addresses(expression, variables);
    if (!set) {
      report(expression, set.error(), false, profile->addresses_.size() - 1);
      continue;
    }
    entry.set = std::move(*set);
    Seen seen;
    entry.negated = has_negation(expression.root, variables, seen);
  }
  for (const ast::SetExpression& expression : ruleset->ports().entries()) {
    auto set = ast::bind_ports(expression, variables);
    if (!set) report(expression, set.error(), true, profile->ports_.size());
    profile->ports_.push_back(set ? std::move(*set) : PortSet{});
  }
  profile->ruleset_ = std::move(ruleset);
  if (fuse_sessions != 0) {
    profile->fuses_ = std::make_unique<RuleFuses>(profile->ruleset_->rules().size(),
                                                  std::min(fuse_sessions, RuleFuses::kMostSessions));
  }
  profile->mode_ = mode;
  profile->drop_scope_ = drop_scope;
  profile->index_address_rules();
  return profile;
}

void DetectionProfile::index_address_rules() {
  for (const Direction d : {Direction::to_server, Direction::to_client}) {
    auto& [of_first, of_each] = address_rules_[static_cast<size_t>(d)];
    for (const uint32_t number : ruleset_->ip_only(d)) {
      const DetectionRule& rule = ruleset_->rule(number);
      const Addresses &source = addresses_[rule.source], &destination = addresses_[rule.destination];
      of_first.add(number, source.set, destination.set, rule.both_ways);
      if (source.negated || destination.negated)
        of_each.add(number, source.set, destination.set, rule.both_ways);
    }
    of_first.build();
    of_each.build();
  }
}

}  // namespace weir::inspection
