// One owner for both directions of a session, its ICMP errors and its fragments, whatever is translated.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "dataplane/decide/owner.h"
#include "dataplane/nat/bindings.h"
#include "dataplane/nat/nat64_address.h"
#include "tests/unit/nat/random_nat.h"

namespace weir::dataplane {
namespace {

using test::domain_of;
using test::RandomInput;
using test::SlowNat;

constexpr uint16_t kWorkers[] = {1, 2, 3, 8, 64};

/// A session as the model has it: what its initiator sends, and what that leaves as.
struct Conversation {
  DomainId from, to;
  Tuple sent, received;
};

/// All workers' bindings, by the model's translation and the data path's ports.
class World {
 public:
  World(RandomInput& random, uint16_t workers) : config(test::random_world(random, workers)), slow(config) {
    snapshot.workers = workers;
    snapshot.nat = std::make_shared<NatTable>(config.rules, workers);
    for (uint16_t w = 0; w < workers; ++w)
      bindings.emplace_back(256, static_cast<WorkerIndex>(w), random.word());
  }

  WorkerIndex owner(const Tuple& tuple, DomainId domain) const {
    return owner_of({.tuple = tuple, .domain = static_cast<uint16_t>(domain.index())}, snapshot);
  }

  /// The session that a packet starts, at the worker that owns the packet; nothing if the packet goes
  /// nowhere.
  std::optional<Conversation> start(RandomInput& random, DomainId from, const Tuple& sent, NatKind* how) {
    const WorkerIndex w = owner(sent, from);
    SlowNat::Target target = slow.target(from, sent);
    if (target.kind == NatKind::closed) return {};
    if (target.kind == NatKind::published) {  // to any server of several: the owner is the same
      const auto& servers = config.rules.published[target.rule].servers;
      if (!servers.empty()) target.address = random.pick(servers).address;
    }
    Conversation c{from, {}, sent, sent};
    if (target.kind == NatKind::pool) {
      const PoolRule& rule = config.rules.pools[target.rule];
      const BindingIndex known =
          bindings[w].find(static_cast<uint16_t>(rule.to.index()), sent.dst, sent.dst_port, sent.protocol);
      if (known == kNoBinding) return {};
      const Binding& b = bindings[w].at(known);
      target.address = b.inside;
      target.port = b.inside_port;
      target.domain = b.host;
    }
    // Untranslated destinations may be anywhere.
    c.to = target.domain.valid() ? target.domain
                                 : domain_of(static_cast<uint32_t>(random.below(test::NatWorld::kDomains)));
    c.received.dst = target.address;
    c.received.dst_port = target.port;
    if (sent.protocol == 1) c.received.src_port = target.port;
    const SlowNat::Origin origin = slow.origin(from, c.to, sent, target);
    if (origin.kind == NatKind::fixed) c.received.src = origin.address;
    if (origin.kind == NatKind::pool) {
      const auto held = bindings[w].hold(*snapshot.nat, static_cast<uint16_t>(origin.rule), from, sent);
      if (held.refused != BindingRefused::no) return {};
      c.received.src = bindings[w].at(held.binding).outside;
      c.received.src_port = bindings[w].at(held.binding).outside_port;
      if (sent.protocol == 1) c.received.dst_port = c.received.src_port;
    }
    // Whose source is seen as one that answers for somebody else gets no session (nat_conflict).
    const SlowNat::Target back = slow.target(c.to, c.received.reversed());
    const bool own = origin.kind == NatKind::pool ? back.kind == NatKind::pool
                                                  : back.kind == origin.kind && back.address == sent.src;
    if (!own) return {};
    how[0] = target.kind;
    how[1] = origin.kind;
    return c;
  }

  test::NatWorld config;
  SlowNat slow;
  Snapshot snapshot;
  std::vector<Bindings> bindings;
};

TEST(NatOwner, OneForBothDirectionsAndTheErrorsAboutThem) {
  RandomInput random(31);
  std::map<std::pair<NatKind, NatKind>, int> seen;
  int inbound = 0, inbound_refused = 0;
  for (const uint16_t workers : kWorkers) {
    for (int n = 0; n < 60; ++n) {
      World world(random, workers);
      std::vector<Conversation> earlier;
      for (int i = 0; i < 300; ++i) {
        Tuple sent = test::interesting_tuple(random);
        DomainId from = domain_of(static_cast<uint32_t>(random.below(test::NatWorld::kDomains)));
        // To somebody behind a pool: from outside, and from inside (a hairpin).
        if (!earlier.empty() && random.one_in(3)) {
          const Conversation& c = random.pick(earlier);
          sent.dst = c.received.src;
          sent.dst_port = c.received.src_port;
          sent.protocol = c.sent.protocol;
          if (sent.protocol == 1) sent.src_port = sent.dst_port;
          from = random.one_in(2) ? c.to : c.from;
        }
        if (const auto& published = world.config.rules.published; !published.empty() && random.one_in(4)) {
          const PublishedRule& rule = random.pick(published);
          sent.dst = rule.address;
          sent.dst_port = rule.port;
          sent.protocol = rule.protocol;
          from = random.one_in(2) ? rule.domain : random.pick(rule.seen_by);
        }
        if (sent.src == sent.dst) continue;
        NatKind how[2];
        const auto c = world.start(random, from, sent, how);
        if (!c) continue;
        ++seen[{how[0], how[1]}];
        earlier.push_back(*c);
        const WorkerIndex home = world.owner(c->sent, c->from);
        // To a binding from where the pool is: only if that is where the host's own sessions are. Else the
        // data path starts none (nat_conflict).
        if (how[0] == NatKind::pool && how[1] == NatKind::none) {
          const bool comes_home = world.owner(c->received.reversed(), c->to) == home;
          ++(comes_home ? inbound : inbound_refused);
          if (!comes_home) continue;
        }
        // The reply.
        ASSERT_EQ(world.owner(c->received.reversed(), c->to), home)
            << workers << " workers: " << to_string(c->sent.src) << ":" << c->sent.src_port << " -> "
            << to_string(c->sent.dst) << ":" << c->sent.dst_port << " as " << to_string(c->received.src)
            << ":" << c->received.src_port << " -> " << to_string(c->received.dst) << ":"
            << c->received.dst_port;
        // An error from beyond the hub quotes what was received there, one from the initiator's side a reply
        // as it got there; the tuple that is asked for is the quoted one, reversed (stages/inner.cpp).
        const Tuple quoted_far = c->received, quoted_near = c->sent.reversed();
        ASSERT_EQ(world.owner(quoted_far.reversed(), c->to), home);
        ASSERT_EQ(world.owner(quoted_near.reversed(), c->from), home);
      }
    }
  }
  EXPECT_GT(inbound, 50);
  EXPECT_GT(inbound_refused, 0);
  using enum NatKind;
  for (const auto& kinds : {std::pair{none, none},
                            {none, fixed},
                            {none, pool},
                            {fixed, none},
                            {fixed, fixed},
                            {fixed, pool},
                            {published, none},
                            {published, pool},
                            {published, fixed},
                            {pool, none},
                            {pool, pool}}) {
    EXPECT_GT((seen[kinds]), 10) << static_cast<int>(kinds.first) << " " << static_cast<int>(kinds.second);
  }
}

TEST(NatOwner, FragmentsGatherAsWithoutTranslation) {
  RandomInput random(32);
  for (const uint16_t workers : kWorkers) {
    World world(random, workers);
    Snapshot plain;
    plain.workers = workers;
    for (int i = 0; i < 2'000; ++i) {
      Tuple first = test::interesting_tuple(random);
      const uint16_t domain = static_cast<uint16_t>(random.below(test::NatWorld::kDomains));
      const WorkerIndex gatherer =
          owner_of({.tuple = first, .domain = domain, .fragment = true}, world.snapshot);
      ASSERT_EQ(gatherer, owner_of({.tuple = first, .domain = domain, .fragment = true}, plain));
      first.src_port = first.dst_port = 0;
      ASSERT_EQ(gatherer, owner_of({.tuple = first, .domain = domain, .fragment = true}, world.snapshot));
    }
  }
}

/// What comes from the Internet to a binding of an ordinary pool comes to where the host's sessions are.
TEST(NatOwner, ABindingIsReachedFromOutsideOnTheWorkerThatGaveIt) {
  RandomInput random(33);
  for (const uint16_t workers : kWorkers) {
    Snapshot snapshot;
    snapshot.workers = workers;
    NatRules rules;
    PoolRule pool;
    pool.from = {domain_of(1)};
    pool.to = domain_of(0);
    pool.pool = std::make_shared<PortPool>(
        std::vector<PortPool::Range>{{net::Ipv4{0xcb007101}, net::Ipv4{0xcb007104}}}, 1'024, 65'535, workers);
    rules.pools.push_back(pool);
    snapshot.nat = std::make_shared<NatTable>(rules, workers);
    for (int i = 0; i < 500; ++i) {
      const Tuple out{net::Ipv4{0x0a000000 + static_cast<uint32_t>(random.below(999))}, net::Ipv4{0x08080808},
                      static_cast<uint16_t>(random.word()), 53, 17};
      const WorkerIndex home = owner_of({.tuple = out, .domain = 1}, snapshot);
      Bindings bindings(4, home, random.word());
      const Binding& b = bindings.at(bindings.hold(*snapshot.nat, 0, domain_of(1), out).binding);
      const Tuple in{net::Ipv4{0x09090909}, b.outside, static_cast<uint16_t>(random.word()), b.outside_port,
                     17};
      ASSERT_EQ(owner_of({.tuple = in, .domain = 0}, snapshot), home);
      ASSERT_EQ(
          owner_of({.tuple = {b.inside, in.src, b.inside_port, in.src_port, 17}, .domain = 1}, snapshot),
          home);
    }
  }
}

TEST(NatOwner, OneForBothFamiliesOfASessionOfNat64) {
  RandomInput random(64);
  const net::Prefix prefix = *net::parse_prefix("2001:db8:64::/48");
  for (const uint16_t workers : kWorkers) {
    NatRules rules;
    PoolRule pool;
    pool.from = {domain_of(1), domain_of(2)};
    pool.to = domain_of(0);
    pool.prefix64 = prefix;
    pool.pool = std::make_shared<PortPool>(
        std::vector<PortPool::Range>{{net::Ipv4{0xcb00'7101}, net::Ipv4{0xcb00'7104}}}, 1'024, 65'535,
        workers);
    rules.pools.push_back(pool);
    Snapshot snapshot;
    snapshot.workers = workers;
    snapshot.nat = std::make_shared<NatTable>(rules, workers);
    const auto owner = [&](const Tuple& tuple, uint16_t domain) {
      return owner_of({.tuple = tuple, .domain = domain}, snapshot);
    };
    std::set<WorkerIndex> homes;
    for (int i = 0; i < 500; ++i) {
      const net::Ipv4 far{0x0808'0000 + static_cast<uint32_t>(random.below(999))};
      const bool ping = random.one_in(4);
      Tuple sent{net::Ipv6{0x2001'0db8'0001'0000, random.word()}, embedded(prefix, far),
                 static_cast<uint16_t>(random.word()), 53, static_cast<uint8_t>(ping ? 58 : 17)};
      if (ping) sent.dst_port = sent.src_port;
      const NatTable::Destination meant = snapshot.nat->destination(1, sent);
      ASSERT_EQ(meant.kind, NatKind::nat64);
      ASSERT_EQ(meant.address, net::IpAddress(far));
      ASSERT_EQ(meant.domain, domain_of(0));
      const WorkerIndex home = owner(sent, 1);
      homes.insert(home);
      Bindings bindings(4, home, random.word());
      Tuple held = sent;
      held.protocol = ping ? 1 : 17;
      const Binding& b = bindings.at(bindings.hold(*snapshot.nat, 0, domain_of(1), held).binding);
      const Tuple answer{far, b.outside, ping ? b.outside_port : uint16_t{53}, b.outside_port, held.protocol};
      ASSERT_EQ(owner(answer, 0), home);
      // Another host behind the pool, to this one's binding.
      const Tuple near{net::Ipv6{0x2001'0db8'0002'0000, random.word()}, embedded(prefix, b.outside.v4()), 77,
                       b.outside_port, 17};
      ASSERT_EQ(snapshot.nat->destination(2, near).kind, NatKind::pool);
      ASSERT_EQ(snapshot.nat->destination(2, near).address, b.outside);
      ASSERT_EQ(owner(near, 2), home);
    }
    EXPECT_EQ(homes.size(), workers);
  }
}

/// Endpoint-independent mapping needs all sessions of a host's port on one worker; a server's sessions are to
/// spread, and a host's ports too.
TEST(NatOwner, AHostsPortHasOneOwnerAndItsPortsAndAServersPeersSpread) {
  Snapshot snapshot;
  snapshot.workers = 8;
  NatRules rules;
  PoolRule pool;
  pool.from = {domain_of(1)};
  pool.to = domain_of(0);
  pool.pool = std::make_shared<PortPool>(
      std::vector<PortPool::Range>{{net::Ipv4{0xcb007101}, net::Ipv4{0xcb007101}}}, 1'024, 65'535, 8);
  rules.pools.push_back(pool);
  PublishedRule web;
  web.seen_by = {domain_of(0)};
  web.protocol = 6;
  web.address = net::Ipv4{0xcb007109};
  web.port = 443;
  web.domain = domain_of(1);
  web.server = net::Ipv4{0x0a000009};
  web.server_port = 8'443;
  rules.published.push_back(web);
  snapshot.nat = std::make_shared<NatTable>(rules, uint16_t{8});
  const auto owner = [&](const Tuple& t, uint16_t domain) {
    return owner_of({.tuple = t, .domain = domain}, snapshot);
  };
  int ports[8] = {}, peers[8] = {};
  for (uint32_t i = 0; i < 8'000; ++i) {
    const auto port = static_cast<uint16_t>(2'000 + i);
    const WorkerIndex own = owner({net::Ipv4{0x0a000001}, net::Ipv4{0x08080808}, port, 53, 17}, 1);
    ++ports[own];
    ASSERT_EQ(owner({net::Ipv4{0x0a000001}, net::Ipv4{0x08080000 + i}, port, 443, 17}, 1), own);
    ++peers[owner({net::Ipv4{0x08080000 + i}, web.address, port, 443, 6}, 0)];
  }
  for (int w = 0; w < 8; ++w) {
    EXPECT_NEAR(ports[w], 1'000, 200);
    EXPECT_NEAR(peers[w], 1'000, 200);
  }
}

TEST(NatOwner, ADataConnectionOfFtpIsItsControlConnections) {
  const DomainId red = domain_of(0), internet = domain_of(5);
  const net::IpAddress host = net::Ipv4{0x0a00'0001}, far = net::Ipv4{0x0808'0808};
  const net::IpAddress server = net::Ipv4{0x0a00'0002}, published = net::Ipv4{0xcb00'7150};
  for (const uint16_t workers : kWorkers) {
    NatRules rules;
    PoolRule pool;
    pool.from = {red};
    pool.to = internet;
    pool.ftp = true;
    pool.pool = std::make_shared<PortPool>(
        std::vector<PortPool::Range>{{net::Ipv4{0xcb00'7100}, net::Ipv4{0xcb00'7103}}}, 1'024, 65'535,
        workers);
    rules.pools.push_back(pool);
    PublishedRule web;
    web.seen_by = {internet};
    web.protocol = 6;
    web.address = published;
    web.port = web.server_port = 21;
    web.domain = red;
    web.server = server;
    web.ftp = true;
    rules.published.push_back(web);
    Snapshot snapshot;
    snapshot.workers = workers;
    snapshot.nat = std::make_shared<NatTable>(rules, workers);
    const auto owner = [&](const Tuple& tuple, DomainId domain) {
      return owner_of({.tuple = tuple, .domain = static_cast<uint16_t>(domain.index())}, snapshot);
    };
    RandomInput random(workers);
    for (int i = 0; i < 200; ++i) {
      const auto port = static_cast<uint16_t>(random.word()), other = static_cast<uint16_t>(random.word());
      // Active, the client behind the pool: its answers to the server that connects.
      const WorkerIndex home = owner({host, far, port, 21, 6}, red);
      ASSERT_EQ(owner({host, far, other, 20, 6}, red), home);
      // Passive, the server published: the client's connection to a port of it, and the server's answers.
      const WorkerIndex at = owner({far, published, port, 21, 6}, internet);
      ASSERT_EQ(owner({server, far, 21, port, 6}, red), at);
      ASSERT_EQ(owner({far, published, other, port, 6}, internet), at);
      ASSERT_EQ(owner({server, far, static_cast<uint16_t>(port + 1), other, 6}, red), at);
    }
  }
}

}  // namespace
}  // namespace weir::dataplane
