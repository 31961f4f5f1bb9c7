#include "mgmt/model/build_policy.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>

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

/// Rules where they stand in the table, and the order in which they are evaluated.
struct Placed {
  std::vector<PolicyRule> rules;
  std::vector<RuleIndex> order;
};

/// A rule keeps its place while it has its id; new ones fill the gaps.
Placed place_rules(std::vector<PolicyRule> rules, const PolicyState& before) {
  std::unordered_map<std::string_view, RuleIndex> known;
  std::vector<bool> taken;
  if (before.policy != nullptr) {
    for (const RuleIndex r : before.order) known.emplace(before.policy->rules()[r].id, r);
    taken.resize(before.policy->rules().size());
  }
  for (const PolicyRule& rule : rules) {
    if (const auto at = known.find(rule.id); at != known.end()) taken[at->second] = true;
  }
  Placed placed;
  RuleIndex gap = 0;
  for (const PolicyRule& rule : rules) {
    const auto at = known.find(rule.id);
    if (at == known.end()) {
      while (gap < taken.size() && taken[gap]) ++gap;
      placed.order.push_back(gap++);
    } else {
      placed.order.push_back(at->second);
    }
  }
  const auto last = std::max_element(placed.order.begin(), placed.order.end());
  placed.rules.resize(last != placed.order.end() ? *last + 1 : 0);
  for (size_t i = 0; i < rules.size(); ++i) placed.rules[placed.order[i]] = std::move(rules[i]);
  return placed;
}

/// By place: is the rule there another one than before?
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

std::vector<RuleIndex> rules_of(const std::vector<PolicyRule>& rules, const std::vector<RuleIndex>& order,
                                const Pair& pair) {
  std::vector<RuleIndex> indices;
  for (const RuleIndex r : order) {
    if (may_match(rules[r], pair)) indices.push_back(r);
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
  std::vector<PolicyRule> in_order;
  for (const config::PolicyRule* rule : input.rules)
    in_order.push_back(build_rule(input, *rule, next.profiles));
  auto [rules, order] = place_rules(std::move(in_order), before);

  const std::vector<bool> changed = changed_rules(before, rules, next.profiles);
  std::vector<Connection> connections = place(input.connected, before.policy.get());
  bool any_changed = before.policy == nullptr || before.order != order ||
                     before.policy->connections().size() != connections.size() ||
                     std::any_of(order.begin(), order.end(), [&](RuleIndex r) { return changed[r]; });
  for (Connection& c : connections) {
    const Pair pair{c.from, c.to};
    const std::vector<RuleIndex> now = rules_of(rules, order, pair);
    const bool kept = c.policy_version != 0 && rules_of(before.policy->rules(), before.order, pair) == now &&
                      std::none_of(now.begin(), now.end(), [&](RuleIndex r) { return changed[r]; });
    if (kept) continue;
    c.policy_version = ++next.last_version;
    any_changed = true;
  }
  next.policy = any_changed ? std::make_shared<const PolicyTable>(
                                  PolicyTable::build(std::move(rules), std::move(connections), order))
                            : before.policy;
  next.order = std::move(order);
  return next;
}

}  // namespace weir::model
