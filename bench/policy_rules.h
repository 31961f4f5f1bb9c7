// Policies to be timed: 100,000 prefixes in 1,000 groups, and rules over them, as firewalls have them and as
// somebody would write them who wants the classifier to be slow. Deterministic.
#pragma once

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "dataplane/policy/policy.h"

namespace weir::bench {

using dataplane::PolicyAction;
using dataplane::PolicyGroup;
using dataplane::PolicyRule;

struct Policy {
  std::vector<std::shared_ptr<const PolicyGroup>> groups;
  std::vector<PolicyRule> rules;
  std::vector<dataplane::Connection> connections;
  std::vector<dataplane::PolicyQuery> packets;

  dataplane::PolicyTable build(const dataplane::PolicyTable* before = nullptr) const {
    std::vector<dataplane::RuleIndex> order(rules.size());
    for (uint32_t r = 0; r < order.size(); ++r) order[r] = r;
    return dataplane::PolicyTable::build(rules, connections, order, before);
  }
};

class PolicyMaker {
 public:
  static constexpr size_t kGroups = 1'000, kPrefixes = 100'000, kPackets = 4'096, kDomains = 50;

  /// Groups of very different sizes (a few networks of thousands of prefixes, many of a handful), one prefix
  /// in forty wider than those around it; most rules from group to group for one or two of a dozen services,
  /// some from or to anywhere, one in five for two domains only; what no rule allows ends at a deny for all.
  /// Few rules name several groups each, so that all groups count however many rules there are.
  static Policy real(size_t rules) { return overlapping(rules, 40); }
  /// The same with one prefix in eight from /16 to /23, so that each address is in about a dozen groups and
  /// many rules match both addresses.
  static Policy dense(size_t rules) { return overlapping(rules, 8); }
  /// Dense, and each rule has a range of ports of its own, in which half of the packets' are: so no service
  /// tells rules apart.
  static Policy ranges(size_t rules) {
    Policy policy = dense(rules);
    std::mt19937_64 random(3);
    for (PolicyRule& rule : policy.rules) {
      if (rule.services.empty()) continue;
      const auto middle = static_cast<uint16_t>(random() % 50'000);
      rule.services = {{6, {static_cast<uint16_t>(middle / 2), static_cast<uint16_t>(middle / 2 + 20'000)}}};
    }
    return policy;
  }

  /// Prefixes that nest eight deep, each level in another group; even rules for sources, odd ones for
  /// destinations that most packets have, and each with a port range of its own around the port that all
  /// packets go to. So the rows of every fact have bits in every word, and next to nothing matches.
  static Policy hostile(size_t rules) {
    PolicyMaker m(2);
    m.make_domains();
    std::vector<std::vector<net::Prefix>> members(kGroups);
    for (size_t p = 0; p < kPrefixes / 8; ++p) {
      const uint32_t address = 0x0a00'0000 | static_cast<uint32_t>(m.random_() & 0xff'ffff);
      for (uint8_t level = 0; level < 8; ++level) {
        const auto length = static_cast<uint8_t>(level == 0 ? 9 : 9 + level * 3);
        members[(p * 8 + level) * 7 % kGroups].push_back({net::masked(net::Ipv4{address}, length), length});
      }
    }
    m.make_groups(members);
    for (size_t r = 0; r < rules; ++r) {
      PolicyRule rule;
      rule.id = "r" + std::to_string(r);
      rule.action = PolicyAction::allow;
      // A group of the widest level, which all addresses share with others, and one that nobody is in.
      const auto wide = m.policy_.groups[r * 56 % kGroups];
      const std::vector<net::Prefix> nobody = {{net::Ipv4{0xc000'0200 + static_cast<uint32_t>(r)}, 32}};
      auto& groups = (r % 2 == 0 ? rule.from : rule.to).groups;
      groups = {wide};
      for (size_t n = kGroups / rules; n > 0; --n) groups.push_back(m.policy_.groups[m.below(kGroups)]);
      (r % 2 == 0 ? rule.to : rule.from).prefixes = nobody;
      const auto off = static_cast<uint16_t>(r % 20'000);
      rule.services = {{6, {static_cast<uint16_t>(30'000 - off), static_cast<uint16_t>(30'000 + off)}}};
      m.policy_.rules.push_back(std::move(rule));
    }
    m.make_packets();
    for (auto& packet : m.policy_.packets) {
      packet.tuple.protocol = 6;
      packet.tuple.dst_port = 30'000;
    }
    return std::move(m.policy_);
  }

 private:
  static Policy overlapping(size_t rules, size_t one_wide_in) {
    PolicyMaker m(1);
    m.make_domains();
    std::vector<std::vector<net::Prefix>> members(kGroups);
    for (size_t p = 0; p < kPrefixes; ++p) {
      const double u = m.uniform();
      members[static_cast<size_t>(u * u * u * kGroups)].push_back(m.some_prefix(one_wide_in));
    }
    m.make_groups(members);
    for (size_t r = 0; r + 1 < rules; ++r) m.policy_.rules.push_back(m.real_rule(r, kGroups / rules + 1));
    PolicyRule last;
    last.id = "last";
    m.policy_.rules.push_back(last);
    m.make_packets();
    return std::move(m.policy_);
  }

  explicit PolicyMaker(uint64_t seed) : random_(seed) {}

  size_t below(size_t n) { return random_() % n; }
  double uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

  void make_domains() {
    for (uint32_t a = 0; a < kDomains; ++a) {
      for (uint32_t b = 0; b < kDomains; ++b) {
        if (a == b || (a + b) % 3 == 0)
          policy_.connections.push_back({domain(a), domain(b), uint32_t(policy_.connections.size() + 1)});
      }
    }
  }
  static dataplane::DomainId domain(size_t d) {
    return dataplane::DomainId::make(static_cast<uint32_t>(d), 1);
  }
  net::Prefix some_prefix(size_t one_wide_in) {
    const bool wide = below(one_wide_in) == 0;
    const auto length = static_cast<uint8_t>(wide ? 16 + below(8) : 24 + below(9));
    const uint32_t address = 0x0a00'0000 | static_cast<uint32_t>(random_() & 0xff'ffff);
    return {net::masked(net::Ipv4{address}, length), length};
  }
  void make_groups(const std::vector<std::vector<net::Prefix>>& members) {
    for (const auto& prefixes : members) {
      PolicyGroup group;
      group.name = "g" + std::to_string(policy_.groups.size());
      group.prefixes = prefixes;
      policy_.groups.push_back(std::make_shared<const PolicyGroup>(std::move(group)));
    }
  }
  PolicyRule real_rule(size_t r, size_t groups) {
    static constexpr uint16_t kPorts[] = {443, 80, 22, 53, 3306, 5432, 6379, 8080, 8443, 9092, 9200, 2049};
    PolicyRule rule;
    rule.id = "r" + std::to_string(r);
    rule.action = below(10) == 0 ? PolicyAction::deny : PolicyAction::allow;
    const auto name_groups = [&](dataplane::PolicyEnd& end) {
      for (size_t n = 0; n < groups; ++n) end.groups.push_back(policy_.groups[below(kGroups)]);
    };
    if (below(10) != 0) name_groups(rule.from);
    if (below(10) != 0 || rule.from.groups.empty()) name_groups(rule.to);
    if (below(5) == 0) {
      const auto& c = policy_.connections[below(policy_.connections.size())];
      rule.from.domains = {c.from};
      rule.to.domains = {c.to};
    }
    for (size_t n = 1 + below(2); n > 0; --n) {
      const uint16_t port = kPorts[below(std::size(kPorts))];
      rule.services.push_back({static_cast<uint8_t>(port == 53 ? 17 : 6), {port, port}});
    }
    if (below(20) == 0) rule.services = {{6, {32'768, 65'535}}};
    return rule;
  }
  /// From and to addresses of the groups.
  void make_packets() {
    static constexpr uint16_t kPorts[] = {443, 80, 22, 8080, 40'000};
    for (size_t n = 0; n < kPackets; ++n) {
      const auto address = [&]() -> net::IpAddress {
        const PolicyGroup* g = policy_.groups[below(kGroups)].get();
        while (g->prefixes.empty()) g = policy_.groups[below(kGroups)].get();
        const net::Prefix& p = g->prefixes[below(g->prefixes.size())];
        return net::Ipv4{p.address.v4().value | static_cast<uint32_t>(below((1u << (32 - p.length)) | 1))};
      };
      dataplane::PolicyQuery query;
      query.tuple = {address(), address(), 40'000, kPorts[below(std::size(kPorts))], 6};
      policy_.packets.push_back(query);
    }
  }

  std::mt19937_64 random_;
  Policy policy_;
};

}  // namespace weir::bench
