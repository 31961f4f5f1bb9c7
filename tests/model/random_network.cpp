#include "tests/model/random_network.h"

#include <algorithm>

namespace weir::model {

namespace {

constexpr unsigned kHosts = 4;  // on each link, at .5 and on

unsigned u(int n) { return static_cast<unsigned>(n); }

Prefix link(Attachment a, bool six) {
  if (six) return {v6(0x2001'0db8'0000'0000ULL + (u(a) + 1) * 0x1'0000ULL, 0), 64};
  return {v4(10, u(a) + 1, 0, 0), 24};
}
Address on_link(Attachment a, bool six, unsigned host) {
  Address out = link(a, six).address;
  out.lo += host;
  return out;
}
Prefix routed(Domain d, bool six) {
  if (six) return {v6(0x2001'0db8'1000'0000ULL + u(d) * 0x1'0000ULL, 0), 48};
  return {v4(10, 100 + u(d), 0, 0), 16};
}
/// The Internet is behind the last domain.
const Prefix kInternet{{false, 0, 198u << 24 | 19u << 16}, 16};
Address public_host(unsigned host) { return v4(198, 19, 1, host); }
Address pool_address(unsigned n) { return v4(198, 19, 200, n); }
Address pool_address6(unsigned n) { return v6(0x2001'0db8'00ff'0000ULL, n); }
Address nat64_pool_address(unsigned n) { return v4(198, 19, 201, n); }
/// Prefixes of NAT64 lie in one of these.
const Prefix kWellKnown{{true, 0x0064'ff9b'0000'0000ULL, 0}, 96};
const Prefix kOwn64{{true, 0x2a00'6464'0000'0000ULL, 0}, 32};
Address published_address(unsigned n) { return v4(198, 19, 80, n); }
Prefix mapped(Attachment a, bool six) {
  if (six) return {v6(0x2001'0db8'a000'0000ULL + u(a) * 0x1'0000ULL, 0), 64};
  return {v4(100, 64, u(a) + 1, 0), 24};
}

/// Of a domain's routed prefix.
Prefix mapped(Domain d) { return {v6(0x2001'0db8'b000'0000ULL + u(d) * 0x1'0000ULL, 0), 48}; }

std::vector<Attachment> attachments_of(const Network& n, Domain d) {
  std::vector<Attachment> out;
  for (Attachment a = 0; a < static_cast<int>(n.attachments.size()); ++a)
    if (n.domain_of(a) == d) out.push_back(a);
  return out;
}

void make_routes(Network& n, Random& random) {
  n.routes.clear();
  for (Attachment a = 0; a < static_cast<int>(n.attachments.size()); ++a) {
    for (const bool six : {false, true}) n.routes.push_back({n.domain_of(a), link(a, six), {{a, {}}}});
  }
  for (Domain d = 0; d < static_cast<int>(n.domains); ++d) {
    const std::vector<Attachment> by = attachments_of(n, d);
    for (const bool six : {false, true}) {
      Route route{d, routed(d, six), {}};
      for (const Attachment a : by) {
        if (route.hops.empty() || random.percent(70)) route.hops.push_back({a, on_link(a, six, 2)});
      }
      n.routes.push_back(route);
    }
    Prefix part = routed(d, false);
    if (random.percent(40)) {  // a more specific one
      part.address.lo += 7u << 8;
      const Attachment a = random.of(by);
      n.routes.push_back({d, {part.address, 24}, {{a, on_link(a, false, 3)}}});
    }
    if (random.percent(30)) n.routes.push_back({d, {v4(10, 100 + u(d), 9, 0), 24}, {}});
    // The same addresses as another domain's: its own count for it. Of two a third one could not know which
    // is meant.
    if (n.domains == 2 && random.percent(20))
      n.routes.push_back({d, routed(1 - d, false), {{by[0], on_link(by[0], false, 2)}}});
    if (d == static_cast<int>(n.domains) - 1) {
      Route route{d, kInternet, {}};
      for (const Attachment a : by) route.hops.push_back({a, on_link(a, false, 2)});
      n.routes.push_back(route);
    }
  }
}

void make_connections(Network& n, Random& random) {
  n.connections.clear();
  for (Domain a = 0; a < static_cast<int>(n.domains); ++a) {
    for (Domain b = a + 1; b < static_cast<int>(n.domains); ++b) {
      if (!random.percent(70)) continue;
      n.connections.insert({a, b});
      n.connections.insert({b, a});
    }
  }
}

RuleEnd random_end(const Network& n, Random& random, bool six) {
  RuleEnd end;
  const auto domain = [&] { return static_cast<Domain>(random.below(n.domains)); };
  const auto attachment = [&] { return static_cast<Attachment>(random.below(n.attachments.size())); };
  const auto prefix = [&]() -> Prefix {
    const Attachment a = attachment();
    switch (random.below(4)) {
      case 0:
        return link(a, six);
      case 1:
        return {on_link(a, six, 5 + static_cast<unsigned>(random.below(kHosts))), six ? 128u : 32u};
      case 2:
        return routed(domain(), six);
      default:
        return six ? Prefix{v6(0x2001'0db8'0000'0000ULL, 0), 32} : Prefix{v4(10, 0, 0, 0), 8};
    }
  };
  if (random.percent(40)) end.domains.push_back(domain());
  if (random.percent(20)) end.domains.push_back(domain());
  if (random.percent(30)) end.prefixes.push_back(prefix());
  if (random.percent(30)) {
    Group group;
    if (random.percent(30)) group.domains.push_back(domain());
    if (random.percent(40)) group.attachments.push_back(attachment());
    if (random.percent(50)) group.prefixes.push_back(prefix());
    if (random.percent(30)) group.of_domains.emplace_back(domain(), prefix());
    end.groups.push_back(group);
  }
  return end;
}

Service random_service(Random& random) {
  switch (random.below(6)) {
    case 0:
      return {kTcp, 80, 80};
    case 1:
      return {kUdp, static_cast<uint16_t>(random.between(50, 54)),
              static_cast<uint16_t>(random.between(53, 2'000))};
    case 2:
      return {random.percent(50) ? kIcmp : kIcmpv6, 8, 128};
    case 3:
      return {kTcp, 0, 65'535};
    case 4:
      return {47, 0, 65'535};
    default:
      return {};
  }
}

/// Of datagrams, of streams, or of both.
void inspect(Rule& rule, Random& random) {
  rule.action = Action::inspect;
  rule.services.clear();
  const auto what = random.below(3);
  if (what != 1) rule.services.push_back({kUdp, 0, 65'535});
  if (what != 0) rule.services.push_back({kTcp, 0, 65'535});
}

void make_rules(Network& n, Random& random, const NetworkKind& kind) {
  n.rules.clear();
  const auto count = random.below(12);
  for (uint64_t i = 0; i < count; ++i) {
    Rule rule;
    rule.action = static_cast<Action>(random.below(3));
    const bool six = random.percent(30);
    rule.from = random_end(n, random, six);
    rule.to = random_end(n, random, six);
    while (random.percent(40)) rule.services.push_back(random_service(random));
    rule.watch = random.percent(15);
    if (kind.inspection && random.percent(40)) inspect(rule, random);
    n.rules.push_back(rule);
  }
  if (kind.inspection && random.percent(30)) {
    Rule rule;
    inspect(rule, random);
    n.rules.push_back(rule);
  }
  if (random.percent(75)) n.rules.push_back({});  // allow all
  // Where rules name attachments it would not be known of several ways which one's rule counts.
  const auto by_attachment = [](const RuleEnd& end) {
    return std::any_of(end.groups.begin(), end.groups.end(),
                       [](const Group& g) { return !g.attachments.empty(); });
  };
  for (const Rule& rule : n.rules)
    if (by_attachment(rule.from) || by_attachment(rule.to)) return;
  for (Rule& rule : n.rules) {
    if (random.percent(40))
      rule.timeouts = static_cast<size_t>(random.between(1, static_cast<int64_t>(n.rule_timeouts.size())));
    if (random.percent(30)) rule.dscp = static_cast<uint8_t>(random.below(64));
  }
}

/// Some longer, some shorter than the hub's own.
void make_rule_timeouts(Network& n, Random& random) {
  for (int i = 0; i < 2; ++i) {
    Timeouts t = n.timeouts;
    for (unsigned* one : {&t.tcp_handshake, &t.tcp_established, &t.tcp_closing, &t.tcp_half_closed,
                          &t.tcp_loose, &t.udp, &t.udp_unanswered, &t.icmp, &t.other})
      if (random.percent(60)) *one = static_cast<unsigned>(random.between(3, 60));
    n.rule_timeouts.push_back(t);
  }
}

/// Before or behind the other pools.
void make_nat64(Network& n, Random& random, const NetworkKind& kind) {
  Pool pool;
  pool.to = static_cast<Domain>(n.domains) - 1;
  for (Domain d = 0; d <= pool.to; ++d)
    if (random.percent(d == pool.to ? 20 : 80)) pool.from.insert(d);
  if (pool.from.empty()) return;
  pool.first = nat64_pool_address(1);
  pool.last = nat64_pool_address(static_cast<unsigned>(random.between(1, 3)));
  pool.prefix64 = kWellKnown;
  if (random.percent(70))
    pool.prefix64 = Prefix{kOwn64.address, 32 + 8 * static_cast<unsigned>(random.below(5))};
  if (random.percent(20)) pool.sources = {{v6(0x2001'0db8'0000'0000ULL, 0), 36}};
  if (random.percent(60)) pool.destinations = {{v4(10, 0, 0, 0), 8}, kInternet};
  if (kind.small_tables) {
    pool.low_port = 3'000;
    pool.high_port = static_cast<uint16_t>(3'000 + random.between(30, 40 + 64 * static_cast<int>(n.workers)));
  }
  n.pools.insert(random.percent(50) ? n.pools.begin() : n.pools.end(), pool);
}

void make_translation(Network& n, Random& random, const NetworkKind& kind) {
  n.fixed.clear();
  n.published.clear();
  n.pools.clear();
  if (!kind.translation || random.percent(10)) return;
  const Domain internet = static_cast<Domain>(n.domains) - 1;
  for (Attachment a = 0; a < static_cast<int>(n.attachments.size()); ++a) {
    if (!random.percent(30)) continue;
    StaticNat f{n.domain_of(a), link(a, random.percent(30)), {}, {}};
    f.outside = mapped(a, f.inside.address.v6);
    if (random.percent(30)) {  // one host only
      const bool six = f.inside.address.v6;
      const unsigned host = 5 + static_cast<unsigned>(random.below(kHosts));
      f.inside = {on_link(a, six, host), six ? 128u : 32u};
      f.outside.address.lo += 77;
      f.outside.length = f.inside.length;
    }
    if (f.inside.address.v6 && f.inside.length <= 64) f.neutral = random.percent(60);
    for (Domain d = 0; d < static_cast<int>(n.domains); ++d)
      if (d != f.domain ? random.percent(60) : random.percent(20)) f.seen_by.insert(d);
    if (!f.seen_by.empty()) n.fixed.push_back(f);
  }
  for (Domain d = 0; d < static_cast<int>(n.domains); ++d) {
    if (!random.percent(15)) continue;
    StaticNat f{d, routed(d, true), mapped(d), {}, true};
    for (Domain by = 0; by < static_cast<int>(n.domains); ++by)
      if (by != d && random.percent(70)) f.seen_by.insert(by);
    if (!f.seen_by.empty()) n.fixed.push_back(f);
  }
  for (unsigned i = 0; i < 3; ++i) {
    if (!random.percent(50)) continue;
    const auto a = static_cast<Attachment>(random.below(n.attachments.size()));
    Published p{{internet},
                random.percent(50) ? kTcp : kUdp,
                published_address(1 + i / 2),
                443,
                n.domain_of(a),
                on_link(a, false, 5 + static_cast<unsigned>(random.below(kHosts - 1))),
                static_cast<uint16_t>(random.percent(50) ? 80 : 8'443),
                {}};
    for (Domain d = 0; d < internet; ++d)
      if (random.percent(40)) p.seen_by.insert(d);
    if (random.percent(40)) {  // several, some of them with no weight, or where nobody is
      const auto weight = [&] {
        return random.percent(20) ? 0u : static_cast<unsigned>(random.between(1, 100));
      };
      p.servers[p.server] = weight();
      while (random.percent(70))
        p.servers[on_link(a, false, 5 + static_cast<unsigned>(random.below(kHosts - 1)))] = weight();
      if (random.percent(30)) p.servers[routed_host(p.domain, false, 9 * 256 + 5)] = weight();
      if (random.percent(30)) p.servers[v4(203, 0, 113, 7)] = weight();
    }
    const bool again = std::any_of(n.published.begin(), n.published.end(), [&](const Published& o) {
      return o.address == p.address && o.protocol == p.protocol;
    });
    if (!again) n.published.push_back(p);
  }
  for (unsigned i = 0; i < 2; ++i) {
    if (!random.percent(60)) continue;
    Pool pool;
    pool.to = internet;
    for (Domain d = 0; d < internet; ++d)
      if (random.percent(70)) pool.from.insert(d);
    if (pool.from.empty()) continue;
    const bool six = i == 1;
    const auto addresses = static_cast<unsigned>(random.between(1, 3));
    pool.first = six ? pool_address6(1) : pool_address(1);
    pool.last = six ? pool_address6(addresses) : pool_address(addresses);
    if (six) {
      pool.sources = {{v6(0x2001'0db8'0000'0000ULL, 0), 32}};
      pool.destinations = {{v6(0x2001'0db8'0000'0000ULL, 0), 32}};
    } else if (random.percent(40)) {
      pool.destinations = {{v4(10, 0, 0, 0), 8}, kInternet};
    }
    if (kind.small_tables) {
      pool.low_port = 2'000;
      pool.high_port =
          static_cast<uint16_t>(2'000 + random.between(30, 40 + 64 * static_cast<int>(n.workers)));
    }
    if (!six && random.percent(30)) {  // deterministic: of one domain, hosts in two rows
      const Domain d = random.of(std::vector<Domain>(pool.from.begin(), pool.from.end()));
      const Attachment a = random.of(attachments_of(n, d));
      pool.from = {d};
      pool.sources = {{on_link(a, false, 4), 31},
                      {on_link(a, false, 6), 31},
                      {on_link(a, false, 8), 32},
                      {routed_host(d, false, 4), 30}};
      pool.ports_per_host = 64 * n.workers;
      pool.low_port = 1'984;
      pool.high_port = static_cast<uint16_t>(1'984 + random.between(3, 6) * 64 * n.workers - 1);
    }
    n.pools.push_back(pool);
  }
  if (kind.nat64 && random.percent(85)) make_nat64(n, random, kind);
}

/// Rates by which a second is divided without a rest, so that no two ways of counting differ.
void make_budgets(Network& n, Random& random) {
  const auto one = [&](const std::vector<unsigned>& rates, const std::vector<unsigned>& half_open) -> Budget {
    return {random.percent(35) ? random.of(rates) : 0, random.percent(70) ? random.of(half_open) : 0};
  };
  n.of_host = one({1, 2, 4, 5}, {1, 2, 3});
  n.of_attachment = one({4, 5, 8, 10}, {2, 3, 5});
  n.of_domain = one({5, 8, 10, 16}, {3, 5, 8});
}

void make_neighbours(Network& n) {
  n.neighbours.clear();
  for (Attachment a = 0; a < static_cast<int>(n.attachments.size()); ++a) {
    for (const bool six : {false, true}) {
      for (const unsigned router : {2u, 3u}) n.neighbours.insert({a, on_link(a, six, router)});
      for (unsigned host = 0; host + 1 < kHosts; ++host) n.neighbours.insert({a, on_link(a, six, 5 + host)});
    }
  }
}

}  // namespace

Address routed_host(Domain d, bool six, unsigned host) {
  Address out = routed(d, six).address;
  out.lo += host;
  return out;
}

Network random_network(Random& random, const NetworkKind& kind) {
  Network n;
  n.workers = kind.workers;
  n.domains = static_cast<unsigned>(random.between(2, 4));
  for (Domain d = 0; d < static_cast<int>(n.domains); ++d) {
    for (auto count = random.between(1, 2); count > 0; --count) {
      const auto a = static_cast<Attachment>(n.attachments.size());
      AttachmentConfig config;
      config.domain = d;
      config.reverse_path = !random.percent(15);
      config.tunnel = {random.percent(40) ? TunnelKind::vxlan : static_cast<TunnelKind>(random.below(8)),
                       random.percent(25)};
      for (const bool six : {false, true}) {
        config.gateways.push_back(on_link(a, six, 1));
        config.subnets.push_back(link(a, six));
      }
      n.attachments.push_back(config);
    }
  }
  make_rule_timeouts(n, random);
  make_routes(n, random);
  make_connections(n, random);
  make_rules(n, random, kind);
  make_translation(n, random, kind);
  make_neighbours(n);
  n.tcp = {random.percent(25), random.percent(25), random.percent(25), random.percent(40)};
  n.gives_way = random.percent(60);
  if (kind.budgets) make_budgets(n, random);
  if (kind.small_tables) {
    n.sessions = static_cast<unsigned>(random.between(8, 60));
    n.half_open = static_cast<unsigned>(random.between(2, 30));
    n.bindings = static_cast<unsigned>(random.between(4, 60));
  }
  return n;
}

bool change_something(Network& n, Random& random, const NetworkKind& kind) {
  switch (random.below(10)) {
    case 0:
    case 1:
      make_rules(n, random, kind);
      return false;
    case 2:
      if (!n.rules.empty() && random.percent(50)) {
        std::swap(n.rules.front(), n.rules.back());
      } else if (!n.rules.empty()) {
        n.rules.erase(n.rules.begin() + static_cast<long>(random.below(n.rules.size())));
      }
      return false;
    case 3:
      make_connections(n, random);
      return false;
    case 4:
    case 5:
      make_routes(n, random);
      return false;
    case 6:
      if (!kind.translation) return false;
      if (random.percent(40)) {  // servers are taken out of service, and come back
        for (Published& p : n.published) {
          for (auto& [server, weight] : p.servers) weight = random.percent(50) ? 0 : 10;
        }
        return true;
      }
      make_translation(n, random, kind);
      return true;
    case 7: {
      std::vector<std::pair<Attachment, Address>> all(n.neighbours.begin(), n.neighbours.end());
      if (random.percent(50)) {
        make_neighbours(n);
      } else {
        for (int i = 0; i < 3; ++i) n.neighbours.erase(random.of(all));
      }
      return false;
    }
    default:
      if (random.percent(60)) {
        n.down.clear();
      } else {
        n.down.insert(static_cast<Attachment>(random.below(n.attachments.size())));
      }
      return false;
  }
}

std::vector<Address> hosts_of(const Network& n, Attachment a) {
  std::vector<Address> out;
  for (const bool six : {false, true}) {
    for (unsigned host = 0; host < kHosts; ++host) out.push_back(on_link(a, six, 5 + host));
    for (const unsigned host : {5u, 6u, 7u * 256 + 5, 9u * 256 + 5})
      out.push_back(routed_host(n.domain_of(a), six, host));
  }
  if (n.domain_of(a) == static_cast<int>(n.domains) - 1) {
    for (const unsigned host : {5u, 6u}) out.push_back(public_host(host));
  }
  return out;
}

Address some_destination(const Network& n, Random& random, bool six) {
  for (const Pool& pool : n.pools) {
    if (!pool.prefix64 || !random.percent(six ? 35 : 5)) continue;
    Address inside = random.percent(50) ? public_host(5 + static_cast<unsigned>(random.below(2)))
                                        : nat64_pool_address(static_cast<unsigned>(random.between(1, 3)));
    if (!six) return nat64_pool_address(static_cast<unsigned>(random.between(1, 3)));
    if (random.percent(40)) inside = some_destination(n, random, false);
    Address out = embedded(*pool.prefix64, inside);
    if (random.percent(3)) out.lo |= 1ULL << 60;                           // bits that have to be zero
    if (random.percent(10)) out.lo |= pool.prefix64->length < 96 ? 7 : 0;  // and such that say nothing
    return out;
  }
  const auto a = static_cast<Attachment>(random.below(n.attachments.size()));
  const unsigned host = 5 + static_cast<unsigned>(random.below(kHosts));
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return on_link(a, six, host);
    case 4:
    case 5:
      return routed_host(n.domain_of(a), six,
                         random.of(std::vector<unsigned>{5, 6, 7 * 256 + 5, 9 * 256 + 5}));
    case 6: {
      const StaticNat* neutral = nullptr;
      for (const StaticNat& f : n.fixed) {
        if (f.neutral && six && (neutral == nullptr || random.percent(50))) neutral = &f;
      }
      if (neutral != nullptr && random.percent(60)) {
        const Prefix& inside = neutral->inside;
        if (random.percent(5)) return neutral->outside.address;  // nobody's
        const Address meant{true, inside.address.hi, random.percent(5) ? ~0ULL : host};
        return neutral->outside_of(meant).value_or(meant);
      }
      const Prefix outside = mapped(a, six);
      return {six, outside.address.hi, outside.address.lo + (random.percent(30) ? 77 : host)};
    }
    case 7:
    case 8:
      return six ? pool_address6(static_cast<unsigned>(random.between(1, 3))) : public_host(host);
    case 9:
      return six ? on_link(a, true, host) : published_address(static_cast<unsigned>(random.between(1, 2)));
    case 10:
      return six ? routed_host(n.domain_of(a), true, 5)
                 : pool_address(static_cast<unsigned>(random.between(1, 3)));
    default:
      switch (random.below(3)) {
        case 0:
          return on_link(a, six, 1);  // the hub itself
        case 1:
          return six ? v6(0x3fff'0000'0000'0000ULL, 1) : v4(203, 0, 113, 5);  // nowhere
        default:
          return six ? v6(0xff02ULL << 48, 1) : v4(127, 0, 0, 1);
      }
  }
}

}  // namespace weir::model
