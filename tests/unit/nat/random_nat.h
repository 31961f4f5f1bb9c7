// Random rules of address translation, and what they mean by the book: a model that walks lists and shares no
// code with dataplane/nat.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/nat/nat_table.h"
#include "tests/unit/tables/random_input.h"

namespace weir::test {

using namespace dataplane;

inline DomainId domain_of(uint32_t slot) { return DomainId::make(slot, 1); }

struct NatWorld {
  static constexpr uint32_t kDomains = 6;  // the last one is the Internet
  NatRules rules;
  uint16_t workers;
};

inline net::Prefix v4_prefix(uint32_t address, uint8_t length) {
  return {net::masked(net::Ipv4{address}, length), length};
}

/// Domains 0 to 4 all have 10.0.0.0/16. What is translated: 100.(64 + slot).0.0/16 for some of them; a host
/// of some has a public address; some services are published; one or two pools.
inline NatWorld random_world(RandomInput& random, uint16_t workers) {
  NatWorld world{{}, workers};
  const uint32_t internet = NatWorld::kDomains - 1;
  const auto all_but = [](uint32_t slot) {
    std::vector<DomainId> list;
    for (uint32_t d = 0; d < NatWorld::kDomains; ++d) {
      if (d != slot) list.push_back(domain_of(d));
    }
    return list;
  };
  for (uint32_t slot = 0; slot < internet; ++slot) {
    if (random.one_in(2)) {
      StaticRule rule;
      rule.domain = domain_of(slot);
      rule.inside = v4_prefix(0x0a00'0000, 16);
      rule.outside = v4_prefix(0x6440'0000 + (slot << 16), 16);
      rule.seen_by = all_but(slot);
      if (random.one_in(2)) rule.seen_by.pop_back();              // not the Internet
      if (random.one_in(3)) rule.seen_by.push_back(rule.domain);  // hairpins
      world.rules.fixed.push_back(rule);
    } else if (random.one_in(2)) {
      StaticRule rule;
      rule.domain = domain_of(slot);
      rule.inside = v4_prefix(0x0a00'0005, 32);
      rule.outside = v4_prefix(0xc633'6400 + slot, 32);
      rule.seen_by = {domain_of(internet)};
      world.rules.fixed.push_back(rule);
    }
  }
  for (uint32_t i = 0, n = static_cast<uint32_t>(random.below(6)); i < n; ++i) {
    PublishedRule rule;
    rule.seen_by = random.one_in(2) ? std::vector{domain_of(internet)} : all_but(9);
    rule.protocol = random.one_in(2) ? 6 : 17;
    rule.address = net::Ipv4{0xcb00'7100 + static_cast<uint32_t>(random.below(3))};
    rule.port = static_cast<uint16_t>(443 + i);
    rule.domain = domain_of(static_cast<uint32_t>(random.below(internet)));
    rule.server = net::Ipv4{0x0a00'0001 + static_cast<uint32_t>(random.below(6))};
    rule.server_port = static_cast<uint16_t>(8'000 + i);
    rule.ftp = rule.protocol == 6 && i % 2 == 0;
    if (random.one_in(3)) {
      rule.ftp = false;
      rule.servers = {{rule.server, 1}};
      for (uint32_t k = 0; k < 3; ++k) {
        const net::IpAddress other = net::Ipv4{0x0a00'0001 + static_cast<uint32_t>(random.below(6))};
        const auto same = [&](const auto& server) { return server.address == other; };
        if (std::none_of(rule.servers.begin(), rule.servers.end(), same)) rule.servers.push_back({other, 1});
      }
    }
    world.rules.published.push_back(rule);
  }
  for (uint32_t i = 0, n = static_cast<uint32_t>(random.below(3)); i < n; ++i) {
    PoolRule rule;
    for (uint32_t slot = 0; slot < internet; ++slot) {
      if (random.one_in(2)) rule.from.push_back(domain_of(slot));
    }
    rule.to = domain_of(internet);
    // The first address is one that services are published on.
    const uint32_t first = 0xcb00'7100 + 8 * i;
    rule.pool = std::make_shared<PortPool>(
        std::vector<PortPool::Range>{{net::Ipv4{first}, net::Ipv4{first + 3}}}, 1'024, 65'535, workers);
    if (random.one_in(3)) rule.sources = {v4_prefix(0x0a00'0000, 17), v4_prefix(0xc000'0200, 24)};
    if (random.one_in(4)) rule.destinations = {v4_prefix(0, 0)};
    rule.ftp = world.rules.published.size() % 2 == 1;
    if (random.one_in(3)) {
      rule.from = {domain_of(static_cast<uint32_t>(random.below(internet)))};
      rule.sources = {v4_prefix(0x0a00'0000, 29), v4_prefix(0x0a00'0010, 29)};
      rule.ports_per_host = static_cast<uint16_t>(64 * workers);
    }
    world.rules.pools.push_back(rule);
  }
  return world;
}

/// The rules, read as they are written.
class SlowNat {
 public:
  explicit SlowNat(const NatWorld& world) : world_(world) {}

  struct Target {
    NatKind kind = NatKind::none;
    size_t rule = 0;
    net::IpAddress address;
    uint16_t port = 0;
    DomainId domain{};
  };
  Target target(DomainId here, const Tuple& t) const {
    const NatRules& rules = world_.rules;
    for (size_t i = 0; i < rules.published.size(); ++i) {
      const PublishedRule& r = rules.published[i];
      if (has(r.seen_by, here) && r.address == t.dst && r.port == t.dst_port && r.protocol == t.protocol)
        return {NatKind::published, i, r.server, r.server_port, r.domain};
    }
    for (size_t i = 0; i < rules.fixed.size(); ++i) {
      const StaticRule& r = rules.fixed[i];
      if (has(r.seen_by, here) && r.outside.contains(t.dst))
        return {NatKind::fixed, i, shifted(t.dst, r.outside, r.inside), t.dst_port, r.domain};
    }
    for (size_t i = 0; i < rules.pools.size(); ++i) {
      const PoolRule& r = rules.pools[i];
      if (!has(r.from, here) && r.to != here) continue;
      for (const auto& range : r.pool->ranges()) {
        if (range.first <= t.dst && t.dst <= range.last) return {NatKind::pool, i, t.dst, t.dst_port, {}};
      }
    }
    for (size_t i = 0; i < rules.published.size(); ++i) {
      const PublishedRule& r = rules.published[i];
      if (has(r.seen_by, here) && r.address == t.dst) return {NatKind::closed, i, t.dst, t.dst_port, {}};
    }
    return {NatKind::none, 0, t.dst, t.dst_port, {}};
  }

  struct Origin {
    NatKind kind = NatKind::none;
    size_t rule = 0;
    net::IpAddress address{};
  };
  Origin origin(DomainId from, DomainId to, const Tuple& t, const Target& target) const {
    const bool hairpin = from == to;
    if (hairpin && target.kind == NatKind::none) return {};
    const NatRules& rules = world_.rules;
    if (target.kind == NatKind::pool && rules.pools[target.rule].to != from) {
      const PoolRule& r = rules.pools[target.rule];
      if (!has(r.from, from) || !in(r.sources, t.src, true) || static_elsewhere(r, t.src)) return {};
      return {NatKind::pool, target.rule};
    }
    for (size_t i = 0; i < rules.fixed.size(); ++i) {
      const StaticRule& r = rules.fixed[i];
      if (r.domain == from && r.inside.contains(t.src) && has(r.seen_by, to))
        return {NatKind::fixed, i, shifted(t.src, r.inside, r.outside)};
    }
    for (size_t i = 0; i < rules.pools.size(); ++i) {
      const PoolRule& r = rules.pools[i];
      if (!has(r.from, from) || !in(r.sources, t.src, true)) continue;
      bool fits;
      if (!hairpin) {
        fits = r.to == to && (r.destinations.empty() ? !is_private(t.dst) : in(r.destinations, t.dst, false));
      } else if (target.kind == NatKind::pool) {
        return {};  // its own realm's; see above for others
      } else if (target.kind == NatKind::published) {
        fits = has(rules.published[target.rule].seen_by, r.to);
      } else {
        fits = has(rules.fixed[target.rule].seen_by, r.to);
      }
      if (fits && !static_elsewhere(r, t.src)) return {NatKind::pool, i, {}};
    }
    return {};
  }

 private:
  static bool has(const std::vector<DomainId>& list, DomainId id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  }
  static net::IpAddress shifted(const net::IpAddress& a, const net::Prefix& from, const net::Prefix& to) {
    return net::Ipv4{a.v4().value - from.address.v4().value + to.address.v4().value};
  }
  static bool is_private(const net::IpAddress& a) {
    const uint32_t v = a.v4().value;
    return v >> 24 == 10 || v >> 22 == 0x6440'0000 >> 22 || v >> 20 == 0xac1 || v >> 16 == 0xc0a8;
  }
  static bool in(const std::vector<net::Prefix>& list, const net::IpAddress& a, bool when_empty) {
    if (list.empty()) return when_empty == is_private(a);
    return std::any_of(list.begin(), list.end(), [&](const net::Prefix& p) { return p.contains(a); });
  }
  /// Addresses that are static for one of the pool's domains, where the pool is, use no pool.
  bool static_elsewhere(const PoolRule& pool, const net::IpAddress& a) const {
    for (const StaticRule& r : world_.rules.fixed) {
      if (has(pool.from, r.domain) && has(r.seen_by, pool.to) && r.inside.contains(a)) return true;
    }
    return false;
  }

  const NatWorld& world_;
};

/// Addresses and ports that the rules of random_world() are about, more often than others.
inline net::IpAddress interesting_address(RandomInput& random) {
  switch (random.below(8)) {
    case 0:
      return net::Ipv4{0xcb00'7100 + static_cast<uint32_t>(random.below(14))};  // pools, published
    case 1:
      return net::Ipv4{0xc633'6400 + static_cast<uint32_t>(random.below(6))};  // static hosts
    case 2:
    case 3:
      return net::Ipv4{0x6440'0000 + static_cast<uint32_t>(random.below(6) << 16 | random.below(9))};
    case 4:
      return net::Ipv4{0x0808'0000 + static_cast<uint32_t>(random.below(64))};
    default:
      return net::Ipv4{0x0a00'0000 + static_cast<uint32_t>(random.below(9))};
  }
}
inline uint16_t interesting_port(RandomInput& random) {
  switch (random.below(4)) {
    case 0:
      return static_cast<uint16_t>(443 + random.below(6));
    case 1:
      return static_cast<uint16_t>(8'000 + random.below(6));
    default:
      return static_cast<uint16_t>(random.word());
  }
}
inline Tuple interesting_tuple(RandomInput& random) {
  Tuple t{interesting_address(random), interesting_address(random), interesting_port(random),
          interesting_port(random), static_cast<uint8_t>(random.one_in(2) ? 6 : 17)};
  if (random.one_in(8)) {
    t.protocol = 1;
    t.dst_port = t.src_port;
  }
  return t;
}

}  // namespace weir::test
