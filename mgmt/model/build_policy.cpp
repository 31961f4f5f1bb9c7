#include "mgmt/model/build_policy.h"

#include <algorithm>
#include <map>
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
    case config::PolicyAction::reject:
      return dataplane::PolicyAction::reject;
    case config::PolicyAction::inspect:
      return dataplane::PolicyAction::inspect;
  }
  return dataplane::PolicyAction::deny;
}

dataplane::IfUnknown if_unknown_of(config::IfUnknown unknown) {
  switch (unknown) {
    case config::IfUnknown::deny:
      return dataplane::IfUnknown::deny;
    case config::IfUnknown::allow:
      return dataplane::IfUnknown::allow;
    case config::IfUnknown::next:
      return dataplane::IfUnknown::next;
  }
  return dataplane::IfUnknown::deny;
}

inspection::ExceptionPolicy when_full(const config::Profile& profile) {
  using Policy = inspection::ExceptionPolicy;
  switch (profile.exceptions.queue_full) {
    case Policy::automatic:
    case Policy::drop_flow:
      return Policy::drop_flow;
    case Policy::reject:
      return Policy::reject;
    case Policy::bypass:
    case Policy::pass_flow:
    case Policy::pass_packet:
      return Policy::bypass;
    case Policy::ignore:
    case Policy::drop_packet:
      break;
  }
  return Policy::drop_packet;
}

std::vector<Profile> build_profiles(const PolicyInput& input) {
  std::vector<Profile> profiles;
  for (const config::Profile& p : input.profiles) {
    Profile profile;
    profile.name = p.name;
    profile.on_drop = p.on_drop == config::OnDrop::reset ? OnDrop::reset : OnDrop::silent;
    profile.fail = p.fail == config::FailMode::open ? FailMode::open : FailMode::closed;
    profile.when_full = when_full(p);
    profile.verify_checksums = p.checksums == config::Checksums::verify;
    profile.watches = p.mode == config::InspectMode::ids;
    profile.enforces = p.mode == config::InspectMode::ips;
    profile.ruleset = input.rulesets.find(p.name)->second;
    profiles.push_back(std::move(profile));
  }
  return profiles;
}

/// A set keeps its place while some rule has it. A place that is free is taken again only when there are no
/// new ones, since sessions that were not decided again still name it.
TimeoutSets build_timeouts(const PolicyInput& input, const TimeoutSets& before) {
  std::set<config::RuleTimeouts> wanted;
  for (const config::PolicyRule* rule : input.rules) {
    if (rule->enabled && rule->timeouts.any()) wanted.insert(rule->timeouts);
  }
  TimeoutSets sets = before;
  for (auto& set : sets) {
    if (set && wanted.erase(*set) == 0) set.reset();
  }
  for (const config::RuleTimeouts& set : wanted) {
    if (sets.size() < kMaxRuleTimeouts) {
      sets.emplace_back(set);
    } else if (const auto gap = std::find(sets.begin(), sets.end(), std::nullopt); gap != sets.end()) {
      *gap = set;
    }
  }
  return sets;
}

/// Makes rules of what is configured.
class RuleMaker {
 public:
  RuleMaker(const PolicyInput& input, const PolicyState& next)
      : input_(input), profiles_(next.profiles), closures_(close_groups(input.groups.groups, next.groups)) {
    for (size_t i = 0; i < next.timeouts.size(); ++i) {
      if (next.timeouts[i]) timeouts_.emplace(*next.timeouts[i], static_cast<TimeoutsIndex>(i + 1));
    }
    for (const config::Service& s : input.services) services_.emplace(s.name, terms_of(s));
  }

  PolicyRule make(const config::PolicyRule& from) const;

 private:
  static std::vector<ServiceTerm> terms_of(config::Protocol protocol,
                                           const std::vector<config::PortRange>& ports) {
    const auto number = static_cast<uint8_t>(protocol);
    std::vector<ServiceTerm> terms;
    for (const auto& range : ports) terms.push_back({number, {range.first, range.last}});
    if (ports.empty()) terms.push_back({number, {}});
    return terms;
  }
  static std::vector<ServiceTerm> terms_of(const config::Service& s) {
    if (s.icmp_types.empty()) return terms_of(s.protocol, s.ports);
    std::vector<ServiceTerm> terms;
    for (const uint32_t type : s.icmp_types) {
      const auto number = static_cast<uint16_t>(type);
      terms.push_back({static_cast<uint8_t>(s.protocol), {number, number}});
    }
    return terms;
  }
  PolicyEnd end_of(const config::Endpoint& from) const {
    PolicyEnd end;
    for (const std::string& name : from.domains) end.domains.push_back(input_.groups.domain(name));
    std::sort(end.domains.begin(), end.domains.end());
    end.prefixes = from.prefixes;
    for (const std::string& name : from.groups) {
      const auto& closure = closures_.find(name)->second;
      end.groups.insert(end.groups.end(), closure.begin(), closure.end());
    }
    std::sort(end.groups.begin(), end.groups.end());
    end.groups.erase(std::unique(end.groups.begin(), end.groups.end()), end.groups.end());
    return end;
  }

  RuleEffects effects_of(const config::PolicyRule& from) const {
    RuleEffects effects;
    if (from.timeouts.any()) effects.timeouts = timeouts_.at(from.timeouts);
    if (from.dscp) effects.dscp = static_cast<uint8_t>(*from.dscp);
    if (from.log)
      effects.log = static_cast<uint8_t>((from.log->start ? RuleEffects::kAtStart : 0) |
                                         (from.log->end ? RuleEffects::kAtEnd : 0));
    return effects;
  }

  const PolicyInput& input_;
  const std::vector<Profile>& profiles_;
  GroupClosures closures_;
  std::unordered_map<std::string_view, std::vector<ServiceTerm>> services_;
  std::map<config::RuleTimeouts, TimeoutsIndex> timeouts_;
};

PolicyRule RuleMaker::make(const config::PolicyRule& from) const {
  PolicyRule rule;
  rule.id = from.id;
  rule.action = action_of(from.action);
  rule.watch = from.watch;
  rule.effects = effects_of(from);
  rule.from = end_of(from.from);
  rule.to = end_of(from.to);
  for (const std::string& name : from.services) {
    const auto& terms = services_.find(name)->second;
    rule.services.insert(rule.services.end(), terms.begin(), terms.end());
  }
  if (from.services.empty() && (from.protocol != config::Protocol::any || !from.ports.empty()))
    rule.services = terms_of(from.protocol, from.ports);
  for (size_t k = 0; k < inspection::kNameKinds; ++k) {
    const auto kind = static_cast<inspection::NameKind>(k);
    for (const std::string& text : from.names[k])
      rule.names.of(kind).push_back(*inspection::read_name_pattern(kind, text).pattern);
  }
  rule.if_unknown = if_unknown_of(from.unknown);
  if (rule.action != dataplane::PolicyAction::inspect) return rule;
  const auto at = std::find_if(profiles_.begin(), profiles_.end(),
                               [&](const Profile& p) { return p.name == from.profile; });
  rule.profile = static_cast<ProfileIndex>(at - profiles_.begin());
  return rule;
}

bool same_profile(const Profile& a, const Profile& b) {
  // Not the ruleset: a session moves to a new one by itself, its classification stays what it was.
  return a.name == b.name && a.on_drop == b.on_drop && a.fail == b.fail;
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

/// What a rule asks of names has the version of the policy that brought it.
void note_names(const PolicyState& before, std::vector<PolicyRule>& rules) {
  for (size_t i = 0; i < rules.size(); ++i) {
    PolicyRule& rule = rules[i];
    if (rule.names.empty()) continue;
    const auto* const old =
        before.policy != nullptr && i < before.policy->rules().size() ? &before.policy->rules()[i] : nullptr;
    const bool same = old != nullptr && old->id == rule.id && old->names == rule.names;
    rule.names_version = same ? old->names_version : before.last_version + 1;
  }
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
    changed[i] = !(old[i] == rules[i] && profile_kept);
  }
  return changed;
}

/// The rules that stand in both orders, but not in the same order among themselves: the fewest that have to
/// move to get from one to the other.
std::vector<RuleIndex> moved_rules(const std::vector<RuleIndex>& before, const std::vector<RuleIndex>& now) {
  std::unordered_map<RuleIndex, size_t> was;
  for (size_t i = 0; i < before.size(); ++i) was.emplace(before[i], i);
  // The longest run of rules that stay in order: for each length the run that ends the earliest.
  struct End {
    size_t was;
    size_t at;  // in `kept`
  };
  std::vector<RuleIndex> kept;
  std::vector<size_t> previous;
  std::vector<End> ends;
  for (const RuleIndex r : now) {
    const auto known = was.find(r);
    if (known == was.end()) continue;
    const auto end = std::lower_bound(ends.begin(), ends.end(), known->second,
                                      [](const End& e, size_t place) { return e.was < place; });
    previous.push_back(end == ends.begin() ? ~size_t{0} : std::prev(end)->at);
    const End here{known->second, kept.size()};
    kept.push_back(r);
    if (end == ends.end()) {
      ends.push_back(here);
    } else {
      *end = here;
    }
  }
  std::vector<bool> stays(kept.size());
  for (size_t at = ends.empty() ? ~size_t{0} : ends.back().at; at != ~size_t{0}; at = previous[at])
    stays[at] = true;
  std::vector<RuleIndex> moved;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (!stays[i]) moved.push_back(kept[i]);
  }
  return moved;
}

/// The pairs of domains for which any of some rules may match: by the domains that they name alone, so that
/// finding them costs what is found.
class TouchedPairs {
 public:
  void add(const PolicyRule& rule) {
    if (rule.from.domains.empty() && rule.to.domains.empty()) all_ = true;
    if (all_) return;
    if (rule.to.domains.empty()) from_.insert(rule.from.domains.begin(), rule.from.domains.end());
    if (rule.from.domains.empty()) to_.insert(rule.to.domains.begin(), rule.to.domains.end());
    for (const DomainId from : rule.from.domains) {
      for (const DomainId to : rule.to.domains) pairs_.emplace(from, to);
    }
  }
  bool has(const Pair& pair) const {
    return all_ || from_.contains(pair.first) || to_.contains(pair.second) || pairs_.contains(pair);
  }
  bool empty() const { return !all_ && from_.empty() && to_.empty() && pairs_.empty(); }

 private:
  bool all_ = false;
  std::set<DomainId> from_, to_;
  std::set<Pair> pairs_;
};

TouchedPairs touched_pairs(const PolicyState& before, const Placed& now, const std::vector<bool>& changed) {
  TouchedPairs touched;
  if (before.policy == nullptr) return touched;
  const auto& old = before.policy->rules();
  std::vector<bool> stands(std::max(old.size(), now.rules.size()));
  for (const RuleIndex r : now.order) stands[r] = true;
  std::vector<bool> stood(stands.size());
  for (const RuleIndex r : before.order) {
    stood[r] = true;
    const bool same = stands[r] && !changed[r];
    if (!same) touched.add(old[r]);
  }
  for (const RuleIndex r : now.order) {
    if (!stood[r] || changed[r]) touched.add(now.rules[r]);
  }
  for (const RuleIndex r : moved_rules(before.order, now.order)) touched.add(now.rules[r]);
  return touched;
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
  next.groups = build_groups(input.groups, before.groups);
  next.timeouts = build_timeouts(input, before.timeouts);
  const RuleMaker maker(input, next);
  std::vector<PolicyRule> in_order;
  for (const config::PolicyRule* rule : input.rules) {
    if (rule->enabled) in_order.push_back(maker.make(*rule));
  }
  Placed placed = place_rules(std::move(in_order), before);
  note_names(before, placed.rules);

  const std::vector<bool> changed = changed_rules(before, placed.rules, next.profiles);
  const TouchedPairs touched = touched_pairs(before, placed, changed);
  std::vector<Connection> connections = place(input.connected, before.policy.get());
  // Rules that came, went, moved or changed touch some pair.
  bool any_changed = before.policy == nullptr || !touched.empty() ||
                     before.policy->connections().size() != connections.size();
  for (Connection& c : connections) {
    if (c.policy_version != 0 && !input.decide_all_again && !touched.has({c.from, c.to})) continue;
    c.policy_version = ++next.last_version;
    any_changed = true;
  }
  next.policy = any_changed
                    ? std::make_shared<const PolicyTable>(PolicyTable::build(
                          std::move(placed.rules), std::move(connections), placed.order, before.policy.get()))
                    : before.policy;
  next.order = std::move(placed.order);
  return next;
}

}  // namespace weir::model
