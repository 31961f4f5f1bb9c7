#include "mgmt/model/build_policy.h"

#include <algorithm>
#include <optional>

namespace weir::model {

using namespace dataplane;

namespace {

using Pair = DomainPair;

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

std::vector<Profile> build_profiles(const PolicyInput& input) {
  std::vector<Profile> profiles;
  for (const config::Profile& p : input.profiles) {
    Profile profile;
    profile.name = p.name;
    profile.on_drop = p.on_drop == config::OnDrop::reset ? OnDrop::reset : OnDrop::silent;
    profile.fail = p.fail == config::FailMode::open ? FailMode::open : FailMode::closed;
    profile.ruleset = input.rulesets.find(p.name)->second;
    profiles.push_back(std::move(profile));
  }
  return profiles;
}

std::vector<DomainId> ids_of(const PolicyInput& input, const std::vector<std::string>& names) {
  std::vector<DomainId> ids;
  for (const std::string& name : names) ids.push_back(input.domain(name));
  std::sort(ids.begin(), ids.end());
  return ids;
}

PolicyRule build_rule(const PolicyInput& input, const config::PolicyRule& from,
                      const std::vector<Profile>& profiles) {
  PolicyRule rule;
  rule.id = from.id;
  rule.action = action_of(from.action);
  rule.from_domains = ids_of(input, from.from.domains);
  rule.to_domains = ids_of(input, from.to.domains);
  rule.from_prefixes = from.from.prefixes;
  rule.to_prefixes = from.to.prefixes;
  rule.protocol = static_cast<uint8_t>(from.protocol);
  for (const auto& range : from.ports) rule.ports.push_back({range.first, range.last});
  rule.log = from.log;
  if (rule.action != dataplane::PolicyAction::inspect) return rule;
  const auto at = std::find_if(profiles.begin(), profiles.end(),
                               [&](const Profile& p) { return p.name == from.profile; });
  rule.profile = static_cast<ProfileIndex>(at - profiles.begin());
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
std::vector<bool> changed_rules(const PolicyState& before, const std::vector<PolicyRule>& rules,
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

PolicyState build_policy(const PolicyInput& input, const PolicyState& before) {
  PolicyState next;
  next.last_version = before.last_version;
  next.profiles = build_profiles(input);
  std::vector<PolicyRule> rules;
  for (const config::PolicyRule* rule : input.rules) rules.push_back(build_rule(input, *rule, next.profiles));

  const std::vector<bool> changed = changed_rules(before, rules, next.profiles);
  std::vector<Connection> connections = place(input.connected, before.policy.get());
  bool any_changed = before.policy == nullptr || before.policy->rules().size() != rules.size() ||
                     before.policy->connections().size() != connections.size() ||
                     std::find(changed.begin(), changed.end(), true) != changed.end();
  for (Connection& c : connections) {
    const Pair pair{c.from, c.to};
    const std::vector<RuleIndex> now = rules_of(rules, pair);
    const bool kept = c.policy_version != 0 && rules_of(before.policy->rules(), pair) == now &&
                      std::none_of(now.begin(), now.end(), [&](RuleIndex i) { return changed[i]; });
    if (kept) continue;
    c.policy_version = ++next.last_version;
    any_changed = true;
  }
  next.policy =
      any_changed
          ? std::make_shared<const PolicyTable>(PolicyTable::build(std::move(rules), std::move(connections)))
          : before.policy;
  return next;
}

}  // namespace weir::model
