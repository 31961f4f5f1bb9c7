#include "mgmt/config/rule_sets.h"

#include <algorithm>
#include <set>

namespace weir::config {

namespace {

template <typename T>
void sort_out(std::vector<T>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

template <typename T>
bool includes(const std::vector<T>& all, const std::vector<T>& some) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

template <typename T>
bool has(const std::vector<T>& all, const T& one) {
  return std::binary_search(all.begin(), all.end(), one);
}

template <typename T>
bool have_common(const std::vector<T>& a, const std::vector<T>& b) {
  auto x = a.begin();
  auto y = b.begin();
  while (x != a.end() && y != b.end()) {
    if (*x == *y) return true;
    *x < *y ? static_cast<void>(++x) : static_cast<void>(++y);
  }
  return false;
}

/// Does `end` hold the i-th prefix of `other`?
bool holds_prefix(const EndSet& end, const EndSet& other, size_t i) {
  return have_common(end.all_groups, other.holders[i]) ||
         net::any_around(other.prefixes[i],
                         [&](const net::Prefix& wider) { return has(end.prefixes, wider); });
}

bool holds_addresses(const EndSet& a, const EndSet& b) {
  if (a.any_address) return true;
  if (b.any_address || !includes(a.all_groups, b.groups)) return false;
  for (size_t i = 0; i < b.prefixes.size(); ++i) {
    if (!holds_prefix(a, b, i)) return false;
  }
  return true;
}

bool holds_domains(const EndSet& a, const EndSet& b) {
  return a.domains.empty() || (!b.domains.empty() && includes(a.domains, b.domains));
}

bool holds_service(const ServiceSet& a, const ServiceSet& b) {
  return a.protocol == Protocol::any || (a.protocol == b.protocol && a.first <= b.first && b.last <= a.last);
}

bool holds_services(const RuleSet& a, const RuleSet& b) {
  if (a.services.empty()) return true;
  return !b.services.empty() &&
         std::all_of(b.services.begin(), b.services.end(), [&](const ServiceSet& service) {
           return std::any_of(a.services.begin(), a.services.end(),
                              [&](const ServiceSet& s) { return holds_service(s, service); });
         });
}

bool meets_services(const RuleSet& a, const RuleSet& b) {
  return std::any_of(a.services.begin(), a.services.end(), [&](const ServiceSet& x) {
    return std::any_of(b.services.begin(), b.services.end(), [&](const ServiceSet& y) {
      return x.protocol == Protocol::any ||
             (x.protocol == y.protocol && x.first <= y.last && y.first <= x.last);
    });
  });
}

/// Those of `sorted` that lie within `prefix`.
template <typename Visit>
void inside(const std::vector<net::Prefix>& sorted, const net::Prefix& prefix, Visit&& visit) {
  for (auto at = std::lower_bound(sorted.begin(), sorted.end(), prefix);
       at != sorted.end() && at->address <= prefix.last(); ++at) {
    if (prefix.contains(*at)) visit(*at);
  }
}

bool meets_addresses(const EndSet& a, const EndSet& b) {
  if (b.any_address) return true;
  if (have_common(a.all_groups, b.groups)) return true;
  for (size_t i = 0; i < b.prefixes.size(); ++i) {
    if (holds_prefix(a, b, i)) return true;
    bool some = !a.all_groups.empty();  // a group may have what lies within
    inside(a.prefixes, b.prefixes[i], [&](const net::Prefix&) { some = true; });
    if (some) return true;
  }
  return false;
}

/// One of the two halves of a prefix.
net::Prefix half(const net::Prefix& prefix, bool upper) {
  net::Prefix half{prefix.address, static_cast<uint8_t>(prefix.length + 1)};
  if (!upper) return half;
  const unsigned bit = (prefix.address.is_v4() ? 31u : 127u) - prefix.length;
  (bit < 64 ? half.address.bits.lo : half.address.bits.hi) |= uint64_t{1} << bit % 64;
  return half;
}

/// `within`: all that there is inside of `prefix`, in order.
bool filled(const net::Prefix& prefix, std::span<const net::Prefix> within) {
  if (within.empty()) return false;
  if (within.front() == prefix) return true;
  const net::Prefix upper = half(prefix, true);
  const auto middle = std::partition_point(within.begin(), within.end(),
                                           [&](const net::Prefix& p) { return p.address < upper.address; });
  const auto left = static_cast<size_t>(middle - within.begin());
  return filled(half(prefix, false), within.first(left)) && filled(upper, within.subspan(left));
}

}  // namespace

RuleSets::RuleSets(const PolicyObjects& objects) : objects_(objects) {
  for (const Service& s : objects.services) services_.emplace(s.name, &s);
  for (const Group& g : objects.groups) {
    const auto index = static_cast<GroupIndex>(prefixes_.size());
    groups_.emplace(g.name, index);
    prefixes_.push_back(g.prefixes);
    sort_out(prefixes_.back());
    for (const net::Prefix& prefix : prefixes_.back()) holders_[prefix].push_back(index);
  }
}

std::vector<GroupIndex> RuleSets::closure(const std::vector<GroupIndex>& groups) const {
  std::set<GroupIndex> all;
  std::vector<GroupIndex> left = groups;
  while (!left.empty()) {
    const GroupIndex group = left.back();
    left.pop_back();
    if (!all.insert(group).second) continue;
    for (const std::string& name : objects_.groups[group].groups) left.push_back(groups_.at(name));
  }
  return {all.begin(), all.end()};
}

EndSet RuleSets::read(const Endpoint& from) const {
  EndSet end;
  end.domains.assign(from.domains.begin(), from.domains.end());
  sort_out(end.domains);
  end.any_address = from.prefixes.empty() && from.groups.empty();
  for (const std::string& name : from.groups) end.groups.push_back(groups_.at(name));
  sort_out(end.groups);
  end.all_groups = closure(end.groups);
  end.prefixes = from.prefixes;
  sort_out(end.prefixes);
  for (const net::Prefix& prefix : end.prefixes) {
    std::vector<GroupIndex>& holders = end.holders.emplace_back();
    net::any_around(prefix, [&](const net::Prefix& wider) {
      if (const auto at = holders_.find(wider); at != holders_.end())
        holders.insert(holders.end(), at->second.begin(), at->second.end());
      return false;
    });
    sort_out(holders);
  }
  return end;
}

RuleSet RuleSets::read(const PolicyRule& rule) const {
  RuleSet set{&rule, read(rule.from), read(rule.to), {}};
  const auto add = [&](Protocol protocol, const std::vector<PortRange>& ports) {
    for (const PortRange& r : ports) set.services.push_back({protocol, r.first, r.last});
    if (ports.empty()) set.services.push_back({protocol});
  };
  for (const std::string& name : rule.services) {
    const Service& service = *services_.at(name);
    for (const uint32_t type : service.icmp_types) set.services.push_back({service.protocol, type, type});
    if (service.icmp_types.empty()) add(service.protocol, service.ports);
  }
  if (rule.services.empty() && (rule.protocol != Protocol::any || !rule.ports.empty()))
    add(rule.protocol, rule.ports);
  return set;
}

bool RuleSets::holds(RulePart part, const RuleSet& a, const RuleSet& b) const {
  switch (part) {
    case RulePart::from_domains:
      return holds_domains(a.from, b.from);
    case RulePart::from_addresses:
      return holds_addresses(a.from, b.from);
    case RulePart::to_domains:
      return holds_domains(a.to, b.to);
    case RulePart::to_addresses:
      return holds_addresses(a.to, b.to);
    case RulePart::services:
      return holds_services(a, b);
    case RulePart::count_:
      break;
  }
  return false;
}

bool RuleSets::meets(RulePart part, const RuleSet& a, const RuleSet& b) const {
  switch (part) {
    case RulePart::from_domains:
      return have_common(a.from.domains, b.from.domains);
    case RulePart::from_addresses:
      return meets_addresses(a.from, b.from);
    case RulePart::to_domains:
      return have_common(a.to.domains, b.to.domains);
    case RulePart::to_addresses:
      return meets_addresses(a.to, b.to);
    case RulePart::services:
      return meets_services(a, b);
    case RulePart::count_:
      break;
  }
  return false;
}

bool RuleSets::hold_prefix(const std::vector<const EndSet*>& some, const net::Prefix& prefix,
                           uint64_t& work) const {
  std::vector<net::Prefix> within;
  const auto take = [&](const std::vector<net::Prefix>& sorted) {
    inside(sorted, prefix, [&](const net::Prefix& p) { within.push_back(p); });
    ++work;
    return net::any_around(prefix, [&](const net::Prefix& wider) { return has(sorted, wider); });
  };
  for (const EndSet* end : some) {
    if (take(end->prefixes)) return true;
    for (const GroupIndex group : end->all_groups) {
      if (take(prefixes_[group])) return true;
    }
  }
  work += within.size();
  sort_out(within);
  return filled(prefix, within);
}

bool RuleSets::hold_addresses(const std::vector<const EndSet*>& some, const EndSet& b, uint64_t& work) const {
  const auto held = [&](const net::Prefix& prefix) { return hold_prefix(some, prefix, work); };
  if (b.any_address) {
    const net::Prefix all4{net::IpAddress(net::Ipv4{}), 0}, all6{net::IpAddress(net::Ipv6{}), 0};
    return held(all4) && held(all6);
  }
  return std::all_of(b.groups.begin(), b.groups.end(),
                     [&](GroupIndex group) {
                       return std::any_of(some.begin(), some.end(),
                                          [&](const EndSet* end) { return has(end->all_groups, group); });
                     }) &&
         std::all_of(b.prefixes.begin(), b.prefixes.end(), held);
}

bool RuleSets::hold_services(std::span<const RuleSet* const> some, const RuleSet& b) {
  std::vector<ServiceSet> all;
  for (const RuleSet* rule : some) all.insert(all.end(), rule->services.begin(), rule->services.end());
  std::sort(all.begin(), all.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
  return !b.services.empty() &&
         std::all_of(b.services.begin(), b.services.end(), [&](const ServiceSet& service) {
           uint32_t next = service.first;  // all before is held
           for (const ServiceSet& s : all) {
             if (s.protocol == Protocol::any) return true;
             if (s.protocol == service.protocol && s.first <= next) next = std::max(next, s.last + 1);
           }
           return next > service.last;
         });
}

bool RuleSets::hold(RulePart part, std::span<const RuleSet* const> some, const RuleSet& b,
                    uint64_t& work) const {
  if (part == RulePart::services) return hold_services(some, b);
  const bool from = part == RulePart::from_domains || part == RulePart::from_addresses;
  std::vector<const EndSet*> ends;
  for (const RuleSet* rule : some) ends.push_back(from ? &rule->from : &rule->to);
  const EndSet& end = from ? b.from : b.to;
  if (part == RulePart::from_addresses || part == RulePart::to_addresses)
    return hold_addresses(ends, end, work);
  return !end.domains.empty() && std::all_of(end.domains.begin(), end.domains.end(), [&](const auto& domain) {
    return std::any_of(ends.begin(), ends.end(), [&](const EndSet* e) { return has(e->domains, domain); });
  });
}

}  // namespace weir::config
