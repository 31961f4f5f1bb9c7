#include <algorithm>
#include <map>
#include <set>

#include "mgmt/model/compile_parts.h"

namespace weir::model {

using namespace dataplane;

namespace {

using Pair = std::pair<DomainId, DomainId>;

dataplane::PolicyAction action_of(config::PolicyAction action) {
  switch (action) {
    case config::PolicyAction::allow:
      return dataplane::PolicyAction::allow;
    case config::PolicyAction::deny:
      return dataplane::PolicyAction::deny;
    case config::PolicyAction::inspect:
      return dataplane::PolicyAction::inspect;
  }
  return dataplane::PolicyAction::deny;
}

void compile_profiles(CompileState& state) {
  for (const config::Profile& p : state.input.config.profiles) {
    Profile profile;
    profile.name = p.name;
    profile.on_drop = p.on_drop == config::OnDrop::reset ? OnDrop::reset : OnDrop::silent;
    profile.fail = p.fail == config::FailMode::open ? FailMode::open : FailMode::closed;
    const auto ruleset = state.input.rulesets.find(p.name);
    if (ruleset == state.input.rulesets.end() || ruleset->second == nullptr) {
      state.problem(p.where, "profile " + config::in_quotes(p.name) + " has no compiled rules");
      continue;
    }
    profile.ruleset = ruleset->second;
    state.out.model.profiles.push_back(std::move(profile));
  }
}

std::vector<DomainId> resolve_domains(CompileState& state, const config::PolicyRule& rule,
                                      const std::vector<std::string>& names) {
  std::vector<DomainId> ids;
  for (const std::string& name : names) {
    if (const auto id = state.out.model.ids.domains.find(name)) {
      ids.push_back(*id);
    } else {
      state.problem(rule.where, "policy rule " + config::in_quotes(rule.id) + ": there is no domain " +
                                    config::in_quotes(name));
    }
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

PolicyRule compile_rule(CompileState& state, const config::PolicyRule& from) {
  PolicyRule rule;
  rule.id = from.id;
  rule.action = action_of(from.action);
  rule.from_domains = resolve_domains(state, from, from.from.domains);
  rule.to_domains = resolve_domains(state, from, from.to.domains);
  rule.from_prefixes = from.from.prefixes;
  rule.to_prefixes = from.to.prefixes;
  rule.protocol = static_cast<uint8_t>(from.protocol);
  for (const auto& range : from.ports) rule.ports.push_back({range.first, range.last});
  rule.log = from.log;
  if (rule.action != dataplane::PolicyAction::inspect) return rule;
  const auto& profiles = state.out.model.profiles;
  const auto at = std::find_if(profiles.begin(), profiles.end(),
                               [&](const Profile& p) { return p.name == from.profile; });
  if (at == profiles.end()) {
    state.problem(from.where, "policy rule " + config::in_quotes(from.id) + ": there is no profile " +
                                  config::in_quotes(from.profile));
  } else {
    rule.profile = static_cast<ProfileIndex>(at - profiles.begin());
  }
  return rule;
}

bool same_profile(const Profile& a, const Profile& b) {
  // Not the ruleset: a session moves to a new one by itself, its classification stays what it was.
  return a.name == b.name && a.on_drop == b.on_drop && a.fail == b.fail;
}

bool same_ports(const std::vector<PortRange>& a, const std::vector<PortRange>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const PortRange& x, const PortRange& y) {
    return x.first == y.first && x.last == y.last;
  });
}

bool same_rule(const PolicyRule& a, const PolicyRule& b) {
  return a.id == b.id && a.action == b.action && a.from_domains == b.from_domains &&
         a.from_prefixes == b.from_prefixes && a.to_domains == b.to_domains &&
         a.to_prefixes == b.to_prefixes && a.protocol == b.protocol && same_ports(a.ports, b.ports) &&
         a.profile == b.profile && a.log == b.log;
}

/// By position, as sessions name rules by position: is the rule there another one than before?
std::vector<bool> changed_rules(const Model& before, const std::vector<PolicyRule>& rules,
                                const std::vector<Profile>& profiles) {
  std::vector<bool> changed(rules.size(), true);
  if (before.policy == nullptr) return changed;
  const auto& old = before.policy->rules();
  for (size_t i = 0; i < std::min(old.size(), rules.size()); ++i) {
    const bool inspects = rules[i].action == dataplane::PolicyAction::inspect;
    const size_t p = rules[i].profile;
    const bool profile_kept = !inspects || (p < before.profiles.size() && p < profiles.size() &&
                                            same_profile(before.profiles[p], profiles[p]));
    changed[i] = !(same_rule(old[i], rules[i]) && profile_kept);
  }
  return changed;
}

bool may_match(const PolicyRule& rule, const Pair& pair) {
  const auto has = [](const std::vector<DomainId>& domains, DomainId d) {
    return domains.empty() || std::binary_search(domains.begin(), domains.end(), d);
  };
  return has(rule.from_domains, pair.first) && has(rule.to_domains, pair.second);
}

std::vector<RuleIndex> rules_of(const std::vector<PolicyRule>& rules, const Pair& pair) {
  std::vector<RuleIndex> indices;
  for (RuleIndex i = 0; i < rules.size(); ++i) {
    if (may_match(rules[i], pair)) indices.push_back(i);
  }
  return indices;
}

/// All connected pairs: both directions of each connection, and each domain with itself.
std::set<Pair> connected_pairs(CompileState& state) {
  const auto& domains = state.out.model.ids.domains;
  std::set<Pair> pairs;
  for (const auto& [name, id] : domains.names()) pairs.insert({id, id});
  for (const config::Connection& c : state.input.config.connections) {
    const auto a = domains.find(c.a), b = domains.find(c.b);
    if (!a || !b) continue;  // compile_routes() has said so
    pairs.insert({*a, *b});
    pairs.insert({*b, *a});
  }
  return pairs;
}

/// Pairs keep the place that they had, since sessions name them by it; a gap is filled from the end.
std::vector<Connection> place(std::set<Pair> pairs, const PolicyTable* before) {
  std::vector<std::optional<Connection>> places;
  if (before != nullptr) {
    for (const Connection& c : before->connections()) {
      const bool stays = pairs.erase({c.from, c.to}) != 0;
      places.push_back(stays ? std::optional<Connection>(c) : std::nullopt);
    }
  }
  auto gap = std::find(places.begin(), places.end(), std::nullopt);
  for (const Pair& pair : pairs) {
    const Connection added{pair.first, pair.second, 0};
    if (gap == places.end()) {
      places.push_back(added);
      gap = places.end();
    } else {
      *gap = added;
      gap = std::find(gap, places.end(), std::nullopt);
    }
  }
  std::vector<Connection> connections;
  for (size_t i = 0; i < places.size(); ++i) {
    while (!places.empty() && !places.back()) places.pop_back();
    if (i >= places.size()) break;
    if (!places[i]) {
      places[i] = places.back();
      places.pop_back();
    }
    connections.push_back(*places[i]);
  }
  return connections;
}

}  // namespace

void compile_policy(CompileState& state) {
  const Model& before = state.input.before;
  Model& model = state.out.model;
  compile_profiles(state);
  std::vector<PolicyRule> rules;
  for (const config::PolicyRule& rule : state.input.config.policy) rules.push_back(compile_rule(state, rule));
  if (!state.problems.empty()) return;

  const std::vector<bool> changed = changed_rules(before, rules, model.profiles);
  std::vector<Connection> connections = place(connected_pairs(state), before.policy.get());
  if (connections.size() >= PolicyTable::kNotConnected) {
    state.problem({state.input.config.file, 0, 0}, "more pairs of connected domains than a hub can have");
    return;
  }
  bool any_changed = before.policy == nullptr || before.policy->rules().size() != rules.size() ||
                     before.policy->connections().size() != connections.size() ||
                     std::find(changed.begin(), changed.end(), true) != changed.end();
  for (Connection& c : connections) {
    const Pair pair{c.from, c.to};
    const std::vector<RuleIndex> now = rules_of(rules, pair);
    const bool kept = c.policy_version != 0 && rules_of(before.policy->rules(), pair) == now &&
                      std::none_of(now.begin(), now.end(), [&](RuleIndex i) { return changed[i]; });
    if (kept) continue;
    c.policy_version = model.ids.next_version();
    any_changed = true;
  }
  model.policy =
      any_changed
          ? std::make_shared<const PolicyTable>(PolicyTable::build(std::move(rules), std::move(connections)))
          : before.policy;
}

}  // namespace weir::model
