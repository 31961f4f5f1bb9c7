#include "dataplane/decide/first_packet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/support/snapshot_builder.h"
#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

using test::SnapshotBuilder;

Tuple tcp(std::string_view src, std::string_view dst, uint16_t dst_port = 80, uint16_t src_port = 40'000) {
  return {net::parse_ip(src).value(), net::parse_ip(dst).value(), src_port, dst_port, 6};
}

/// prod (a, a2) is connected to shared (b); dev (c) to nobody. Both prod and shared have networks behind a
/// router.
SnapshotBuilder hub() {
  SnapshotBuilder b;
  b.domain("prod").domain("shared").domain("dev");
  b.attachment("a", "prod", 10, "198.18.0.10", "10.1.0.1/24,2001:db8:1::1/64");
  b.attachment("a2", "prod", 11, "198.18.0.11", "10.1.1.1/24");
  b.attachment("b", "shared", 20, "198.18.0.20", "10.2.0.1/24,2001:db8:2::1/64");
  b.attachment("c", "dev", 30, "198.18.0.30", "10.3.0.1/24");
  b.route("prod", "10.1.64.0/18", "a", "10.1.0.2");
  b.route("shared", "10.2.64.0/18", "b", "10.2.0.2");
  b.blackhole("shared", "10.2.65.0/24").blackhole("prod", "10.1.65.0/24");
  b.connection("prod", "shared");
  b.rule(
      {.id = "no-ssh", .action = PolicyAction::deny, .to = {"shared"}, .protocol = 6, .ports = {{22, 22}}});
  b.rule({.id = "web",
          .action = PolicyAction::inspect,
          .from = {"prod"},
          .to = {"shared"},
          .protocol = 6,
          .ports = {{80, 90}},
          .profile = 3});
  b.rule({.id = "inside", .action = PolicyAction::allow, .from = {"prod"}, .to = {"prod"}});
  b.rule({.id = "dev", .action = PolicyAction::allow, .from = {"dev"}});
  b.rule({.id = "to-dev", .action = PolicyAction::allow, .to = {"dev"}});
  return b;
}

TEST(FirstPacket, EveryDropReasonAndItsGoodTwin) {
  SnapshotBuilder b = hub();
  b.attachment("gone", "shared", 21, "198.18.0.21", "10.4.0.1/24").remove_attachment("gone");
  const auto snapshot = b.build();
  const Tuple good = tcp("10.1.0.5", "10.2.0.5");
  struct Row {
    const char* name;
    const char* ingress;
    Tuple tuple;
    DropReason drop;
    Step step;
  };
  using enum DropReason;
  const Row rows[] = {
      {"good", "a", good, none, Step::done},
      {"good, IPv6", "a", tcp("2001:db8:1::5", "2001:db8:2::5"), none, Step::done},
      {"good, from behind a router", "a", tcp("10.1.70.1", "10.2.70.1"), none, Step::done},
      {"good, within a domain", "a", tcp("10.1.0.5", "10.1.1.5", 22), none, Step::done},
      {"good, out of the attachment it came in by", "a", tcp("10.1.0.5", "10.1.70.1"), none, Step::done},
      {"the ingress attachment is gone", "gone", good, stale_attachment, Step::reverse_path},
      {"source of another attachment", "a2", good, reverse_path, Step::reverse_path},
      {"source of a connected domain", "a", tcp("10.2.0.7", "10.2.0.5"), reverse_path, Step::reverse_path},
      {"source of nobody", "a", tcp("10.77.0.5", "10.2.0.5"), reverse_path, Step::reverse_path},
      {"source in a blackhole", "a", tcp("10.1.65.1", "10.2.0.5"), reverse_path, Step::reverse_path},
      {"source martian", "a", tcp("127.0.0.1", "10.2.0.5"), inner_martian, Step::reverse_path},
      {"destination martian", "a", tcp("10.1.0.5", "224.0.0.5"), inner_martian, Step::reverse_path},
      {"to itself", "a", tcp("10.1.0.5", "10.1.0.5"), inner_martian, Step::reverse_path},
      {"source is the hub's own address", "a", tcp("10.1.0.1", "10.2.0.5"), inner_martian,
       Step::reverse_path},
      {"source is the hub's own address, IPv6", "a", tcp("2001:db8:1::1", "2001:db8:2::5"), inner_martian,
       Step::reverse_path},
      {"to the hub's own address here", "a", tcp("10.1.0.5", "10.1.0.1"), inner_hub_address, Step::route},
      {"to the hub's own address there", "a", tcp("10.1.0.5", "10.2.0.1"), inner_hub_address, Step::route},
      {"to the hub's own address there, IPv6", "a", tcp("2001:db8:1::5", "2001:db8:2::1"), inner_hub_address,
       Step::route},
      {"beside the hub's own address", "a", tcp("10.1.0.5", "10.2.0.2"), none, Step::done},
      {"destination of nobody", "a", tcp("10.1.0.5", "10.77.0.5"), no_route, Step::route},
      {"destination of nobody, IPv6", "a", tcp("2001:db8:1::5", "2001:db8:77::5"), no_route, Step::route},
      {"destination of an unconnected domain", "a", tcp("10.1.0.5", "10.3.0.5"), no_connection, Step::route},
      {"destination in a blackhole", "a", tcp("10.1.0.5", "10.2.65.1"), blackhole, Step::route},
      {"beside the blackhole", "a", tcp("10.1.0.5", "10.2.66.1"), none, Step::done},
      {"the egress attachment is gone", "a", tcp("10.1.0.5", "10.4.0.5"), attachment_down, Step::route},
      {"denied by a rule", "a", tcp("10.1.0.5", "10.2.0.5", 22), policy_deny, Step::policy},
      {"no rule", "a", tcp("10.1.0.5", "10.2.0.5", 91), policy_default_deny, Step::policy},
      {"no rule for that direction", "b", tcp("10.2.0.5", "10.1.0.5"), policy_default_deny, Step::policy},
      {"a rule alone is no connection", "c", tcp("10.3.0.5", "10.1.0.5"), no_connection, Step::route},
      {"within its own domain it holds", "c", tcp("10.3.0.5", "10.3.0.6"), none, Step::done},
  };
  for (const Row& row : rows) {
    const FirstDecision d = decide_first_packet(*snapshot, {b.attachment_id(row.ingress), row.tuple});
    EXPECT_EQ(info(d.drop).name, info(row.drop).name) << row.name;
    EXPECT_EQ(d.last_step, row.step) << row.name;
  }
}

TEST(FirstPacket, AConnectionThatIsMissingStopsAnExposedRoute) {
  SnapshotBuilder b = hub();
  const auto snapshot = b.build();
  // The tables as they are between two steps of a change: the route is there still, the connection is not.
  snapshot->policy = std::make_shared<const PolicyTable>(
      PolicyTable::build(snapshot->policy->rules(), {{b.domain_id("prod"), b.domain_id("prod"), 1}}));
  const FirstDecision d = decide_first_packet(*snapshot, {b.attachment_id("a"), tcp("10.1.0.5", "10.2.0.5")});
  EXPECT_EQ(d.drop, DropReason::no_connection);
  EXPECT_EQ(d.last_step, Step::connection);
}

TEST(FirstPacket, ASourceThatOnlyAnotherDomainRoutesIsRefused) {
  SnapshotBuilder b = hub();
  b.route("shared", "10.99.0.0/16", "a");  // prod's attachment, but not prod's route
  const auto snapshot = b.build();
  const FirstPacket packet{b.attachment_id("a"), tcp("10.99.0.5", "10.2.0.5")};
  EXPECT_EQ(decide_first_packet(*snapshot, packet).drop, DropReason::reverse_path);
}

TEST(FirstPacket, TellsAllThatASessionNeeds) {
  SnapshotBuilder b = hub();
  b.build();
  const auto snapshot = b.build();
  const FirstDecision d =
      decide_first_packet(*snapshot, {b.attachment_id("a"), tcp("10.1.70.1", "10.2.70.1")});
  ASSERT_EQ(d.drop, DropReason::none);
  EXPECT_EQ(d.from_domain, b.domain_id("prod"));
  EXPECT_EQ(d.to_domain, b.domain_id("shared"));
  EXPECT_EQ(d.reverse.attachment, b.attachment_id("a"));
  EXPECT_EQ(d.reverse.via, net::parse_ip("10.1.0.2").value());
  EXPECT_EQ(d.forward.attachment, b.attachment_id("b"));
  EXPECT_EQ(d.forward.via, net::parse_ip("10.2.0.2").value());
  EXPECT_EQ(d.route_length, 18);
  EXPECT_TRUE(d.route_exposed);
  EXPECT_EQ(d.policy.rule, 1u);
  EXPECT_EQ(d.policy.profile, 3);
  EXPECT_EQ(d.route[0],
            snapshot->routes->lookup_exposed(d.from_domain, net::parse_ip("10.2.70.1").value()).cell);
  EXPECT_EQ(d.route[1], snapshot->routes->lookup_own(d.from_domain, net::parse_ip("10.1.70.1").value()).cell);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(d.route_version[i], snapshot->routes->version(d.route[i]));
  EXPECT_EQ(d.policy_version, snapshot->policy->version(d.connection));
  EXPECT_EQ(d.policy_version, 2u);
}

TEST(FirstPacket, OwnRoutesWinATieAndTheLongerWins) {
  SnapshotBuilder b = hub();
  b.route("prod", "10.50.0.0/16", "a")
      .route("shared", "10.50.0.0/16", "b")
      .route("shared", "10.50.1.0/24", "b");
  const auto snapshot = b.build();
  const auto route = [&](std::string_view to) {
    return find_route(*snapshot, b.domain_id("prod"), net::parse_ip(to).value(), 0);
  };
  EXPECT_EQ(route("10.50.0.1").next_hop.attachment, b.attachment_id("a"));
  EXPECT_FALSE(route("10.50.0.1").exposed);
  EXPECT_EQ(route("10.50.1.1").next_hop.attachment, b.attachment_id("b"));
  EXPECT_TRUE(route("10.50.1.1").exposed);
}

class Ecmp : public ::testing::Test {
 protected:
  Ecmp() : b_(hub()) {
    for (int i = 0; i < 4; ++i) {
      const std::string n = std::to_string(i);
      b_.attachment("m" + n, "shared", 40u + static_cast<uint32_t>(i), "198.18.1." + n, "");
      b_.route("shared", "10.60.0.0/16", "m" + n, "", i == 3 ? 3 : 1);
    }
    for (uint16_t port = 1; port < 30'000; ++port) flows_.push_back(tcp("10.1.0.5", "10.60.0.1", 80, port));
  }
  std::vector<AttachmentId> members(const Snapshot& snapshot) const {
    std::vector<AttachmentId> chosen;
    for (const Tuple& t : flows_) {
      chosen.push_back(decide_first_packet(snapshot, {b_.attachment_id("a"), t}).forward.attachment);
    }
    return chosen;
  }
  SnapshotBuilder b_;
  std::vector<Tuple> flows_;
};

TEST_F(Ecmp, SharesByWeight) {
  std::map<AttachmentId, int> count;
  for (const AttachmentId id : members(*b_.build())) ++count[id];
  const double unit = static_cast<double>(flows_.size()) / 6;
  for (const char* name : {"m0", "m1", "m2"}) EXPECT_NEAR(count[b_.attachment_id(name)], unit, unit * 0.05);
  EXPECT_NEAR(count[b_.attachment_id("m3")], 3 * unit, unit * 0.05);
}

TEST_F(Ecmp, LosingAMemberMovesOnlyItsFlows) {
  const auto before = members(*b_.build());
  b_.remove_attachment("m1");
  const auto after = members(*b_.build());
  const AttachmentId lost = b_.attachment_id("m1");
  std::set<AttachmentId> heirs;
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] == lost) {
      EXPECT_NE(after[i], lost);
      heirs.insert(after[i]);
    } else {
      ASSERT_EQ(after[i], before[i]);
    }
  }
  EXPECT_EQ(heirs.size(), 3u) << "its flows spread over all that are left";
}

TEST_F(Ecmp, ALiveSessionKeepsItsMember) {
  const auto before = b_.build();
  std::vector<FirstPacket> packets;
  for (const Tuple& t : flows_) {
    FirstPacket packet{b_.attachment_id("a"), t};
    const FirstDecision d = decide_first_packet(*before, packet);
    packet.keep[0] = name_of(d.forward);
    packet.keep[1] = name_of(d.reverse);
    packets.push_back(packet);
  }
  // Another member, and another weight: of equal hashes some would choose anew.
  const auto chosen = members(*before);
  b_.attachment("m4", "shared", 44, "198.18.1.4", "");
  b_.route("shared", "10.60.0.0/16", "m4", "", 5);
  const auto after = b_.build();
  const auto anew = members(*after);
  size_t moved = 0;
  for (size_t i = 0; i < packets.size(); ++i) {
    ASSERT_EQ(decide_first_packet(*after, packets[i]).forward.attachment, chosen[i]);
    moved += anew[i] != chosen[i];
  }
  EXPECT_GT(moved, packets.size() / 4) << "those that do not say what they have";
  b_.remove_attachment("m1");
  const auto without = b_.build();
  for (size_t i = 0; i < packets.size(); ++i) {
    const AttachmentId now = decide_first_packet(*without, packets[i]).forward.attachment;
    if (chosen[i] == b_.attachment_id("m1")) {
      EXPECT_NE(now, chosen[i]);
    } else {
      ASSERT_EQ(now, chosen[i]);
    }
  }
}

TEST_F(Ecmp, IsTheSameInBothDirections) {
  for (const Tuple& t : flows_) ASSERT_EQ(ecmp_hash(t), ecmp_hash(t.reversed()));
}

TEST_F(Ecmp, ASourceBehindSeveralAttachmentsMayComeInByEach) {
  const auto snapshot = b_.build();
  b_.rule({.id = "all", .action = PolicyAction::allow});
  const auto open = b_.build();
  for (const char* name : {"m0", "m1", "m2", "m3"}) {
    const FirstPacket packet{b_.attachment_id(name), tcp("10.60.0.1", "10.1.0.5")};
    const FirstDecision d = decide_first_packet(*open, packet);
    EXPECT_EQ(d.drop, DropReason::none);
    EXPECT_EQ(d.reverse.attachment, b_.attachment_id(name));
  }
  const FirstPacket other{b_.attachment_id("b"), tcp("10.60.0.1", "10.1.0.5")};
  EXPECT_EQ(decide_first_packet(*open, other).drop, DropReason::reverse_path);
}

// --- many domains around one ---

/// 1,000 domains, each with networks that all have, one of its own, and a way to what one domain shares.
TEST(ManyDomains, EachReachesItsOwnAndWhatIsShared) {
  constexpr uint32_t kDomains = 1'000;
  const auto routes = Routes::create({.routes = 100'000, .domains = kDomains + 1}).value();
  Snapshot snapshot;
  snapshot.routes = routes.get();
  const auto attachments = std::make_shared<AttachmentTable>(kDomains + 2);
  snapshot.attachments = attachments;
  const auto domain = [](uint32_t d) { return DomainId::make(d, 1); };
  const auto prefix = [](uint32_t address, uint8_t length) {
    return net::Prefix{net::Ipv4{address}, length};
  };
  const auto add = [&](uint32_t d, const net::Prefix& p) {
    NextHop hop;
    hop.attachment = AttachmentId::make(d + 1, 1);
    hop.domain = domain(d);
    EXPECT_FALSE(routes->conflict(domain(d), p, false)) << net::to_string(p);
    ASSERT_TRUE(routes->set(domain(d), p, std::span(&hop, 1)));
  };
  const auto own_network = [](uint32_t d) { return 0x0a80'0000 + (d << 8); };
  const size_t empty = routes->bytes();
  for (uint32_t d = 0; d <= kDomains; ++d) {
    Attachment a;
    a.id = AttachmentId::make(d + 1, 1);
    a.domain = domain(d);
    attachments->set(std::make_unique<Attachment>(a));
    ASSERT_TRUE(routes->add_domain(domain(d)));
  }
  // Only its own network is exposed to the shared domain, 0; the overlapping ones are its own business.
  for (uint32_t d = 1; d <= kDomains; ++d) {
    ASSERT_TRUE(routes->connect(domain(0), domain(d), {}, std::vector{prefix(own_network(d), 24)}));
    add(d, prefix(own_network(d), 24));
    for (uint32_t n = 0; n < 10; ++n) add(d, prefix(0xc0a8'0000 + (n << 8), 24));
  }
  for (uint32_t n = 0; n < 16; ++n) add(0, prefix(0x0a00'0000 + (n << 16), 16));
  routes->finish(routes->take_pending());
  // Two roots a domain, and what routes and connections take: no product of the two.
  const size_t routes_there = routes->size();
  EXPECT_LE(routes->bytes() - empty, kDomains * 4'096 + routes_there * 200 + kDomains * 3 * 64);

  const auto ask = [&](uint32_t from, uint32_t address) {
    return find_route(snapshot, domain(from), net::Ipv4{address}, 7);
  };
  for (uint32_t d = 1; d <= kDomains; ++d) {
    EXPECT_EQ(ask(d, 0xc0a8'0305).next_hop.domain, domain(d)) << "overlapping: its own";
    EXPECT_EQ(ask(d, 0x0a05'0001).next_hop.domain, domain(0));
    EXPECT_EQ(ask(0, own_network(d) + 5).next_hop.domain, domain(d));
    EXPECT_EQ(ask(d, own_network(d % kDomains + 1) + 5).drop, DropReason::no_connection);
    EXPECT_EQ(ask(d, 0x0aff'0001).drop, DropReason::no_route);
  }
  EXPECT_EQ(ask(0, 0xc0a8'0305).drop, DropReason::no_route) << "connected, but not exposed";
  // A spoke that comes moves no route that others use.
  std::vector<std::pair<RouteCell, uint32_t>> versions;
  for (uint32_t d = 1; d <= kDomains; ++d) {
    for (const RouteCell cell :
         {ask(d, 0x0a05'0001).cell, ask(d, 0xc0a8'0305).cell, ask(0, own_network(d)).cell}) {
      versions.emplace_back(cell, routes->version(cell));
    }
  }
  add(17, prefix(0xac10'0000, 24));
  routes->finish(routes->take_pending());
  for (const auto& [cell, version] : versions) ASSERT_EQ(routes->version(cell), version);
  const auto refused = routes->conflict(domain(18), prefix(own_network(18), 24), false);
  EXPECT_FALSE(refused) << "its own";
  ASSERT_TRUE(routes->connect(domain(0), domain(18)));
  ASSERT_TRUE(routes->connect(domain(0), domain(19)));
  const auto clash = routes->conflict(domain(18), prefix(0xc0a8'0300, 24), false);
  ASSERT_TRUE(clash);
  EXPECT_EQ(clash->seen_by, domain(0));
  EXPECT_EQ(clash->second, domain(19));
}

// --- isolation ---

/// A random hub, kept as plain lists beside the builder, for a model that shares no code with tables and
/// decision.
struct RandomHub {
  struct Route {
    size_t domain;
    net::Prefix prefix;
    std::vector<size_t> members;  // attachments; none: blackhole
  };
  struct Rule {
    bool allow;
    std::vector<size_t> from, to;
    std::vector<net::Prefix> to_prefixes;
    uint16_t last_port;
  };
  size_t domains = 0;
  std::vector<size_t> domain_of;  // by attachment
  std::vector<bool> present;
  std::vector<Route> routes;
  std::set<std::pair<size_t, size_t>> connected;
  std::vector<Rule> rules;
  SnapshotBuilder builder;

  explicit RandomHub(test::RandomInput& random) {
    domains = 2 + random.below(4);
    for (size_t d = 0; d < domains; ++d) {
      builder.domain("d" + std::to_string(d));
      connected.emplace(d, d);
    }
    for (size_t a = 0; a < domains * 2; ++a) add_attachment(random, a);
    for (uint64_t n = random.below(12); n > 0; --n) add_route(random);
    for (uint64_t n = random.below(5); n > 0; --n) {
      const size_t x = random.below(domains), y = random.below(domains);
      builder.connection("d" + std::to_string(x), "d" + std::to_string(y));
      connected.emplace(x, y);
      connected.emplace(y, x);
    }
    for (uint64_t n = random.below(6); n > 0; --n) add_rule(random);
    for (size_t a = 0; a < domain_of.size(); ++a) {
      if (!random.one_in(10)) continue;
      present[a] = false;
      builder.remove_attachment("a" + std::to_string(a));
    }
  }

  /// Few networks, so that domains overlap.
  static net::Prefix some_prefix(test::RandomInput& random) {
    const auto length = static_cast<uint8_t>(random.pick(std::vector<int>{8, 16, 24, 32}));
    return {net::masked(some_address(random), length), length};
  }
  static net::IpAddress some_address(test::RandomInput& random) {
    return net::Ipv4{0x0a00'0000 | static_cast<uint32_t>(random.below(3) << 16 | random.below(3) << 8 |
                                                         (1 + random.below(3)))};
  }

  void add_attachment(test::RandomInput& random, size_t a) {
    domain_of.push_back(random.below(domains));
    present.push_back(true);
    builder.attachment("a" + std::to_string(a), "d" + std::to_string(domain_of[a]),
                       static_cast<uint32_t>(a + 1), "198.18.0.10", "");
  }

  void add_route(test::RandomInput& random) {
    Route route{random.below(domains), some_prefix(random), {}};
    for (const Route& r : routes) {
      if (r.domain == route.domain && r.prefix == route.prefix) return;
    }
    const std::string domain = "d" + std::to_string(route.domain);
    for (size_t a = 0; a < domain_of.size(); ++a) {
      if (domain_of[a] != route.domain || random.one_in(3)) continue;
      route.members.push_back(a);
      builder.route(domain, net::to_string(route.prefix), "a" + std::to_string(a));
    }
    if (route.members.empty()) builder.blackhole(domain, net::to_string(route.prefix));
    routes.push_back(route);
  }

  void add_rule(test::RandomInput& random) {
    Rule rule{!random.one_in(3), {}, {}, {}, static_cast<uint16_t>(random.below(4))};
    test::RuleSpec spec{.id = "r", .action = rule.allow ? PolicyAction::allow : PolicyAction::deny};
    if (random.one_in(2)) rule.from.push_back(random.below(domains));
    if (random.one_in(2)) rule.to.push_back(random.below(domains));
    if (random.one_in(2)) rule.to_prefixes.push_back(some_prefix(random));
    for (const size_t d : rule.from) spec.from.push_back("d" + std::to_string(d));
    for (const size_t d : rule.to) spec.to.push_back("d" + std::to_string(d));
    for (const net::Prefix& p : rule.to_prefixes) spec.to_prefixes.push_back(net::to_string(p));
    spec.protocol = 6;
    spec.ports = {{0, rule.last_port}};
    rules.push_back(rule);
    builder.rule(spec);
  }

  // The model. Overlapping exposed routes of equal length: the later one counts, as in the tables.
  const Route* longest(const net::IpAddress& address, size_t domain, bool own_only) const {
    const Route* best = nullptr;
    for (const Route& r : routes) {
      const bool own = r.domain == domain;
      if (!r.prefix.contains(address) || !connected.contains({domain, r.domain}) || (own_only && !own))
        continue;
      const bool better = best == nullptr || r.prefix.length > best->prefix.length ||
                          (r.prefix.length == best->prefix.length && best->domain != domain);
      if (better) best = &r;
    }
    return best;
  }

  bool allowed(size_t from, size_t to, const Tuple& t) const {
    const auto has = [](const auto& list, size_t d) { return list.empty() || list[0] == d; };
    for (const Rule& r : rules) {
      if (!has(r.from, from) || !has(r.to, to) || t.dst_port > r.last_port) continue;
      if (!r.to_prefixes.empty() && !r.to_prefixes[0].contains(t.dst)) continue;
      return r.allow;
    }
    return false;
  }

  /// The attachments that the packet may leave by; none if it may not pass.
  std::set<size_t> may_leave_by(size_t ingress, const Tuple& t) const {
    if (!present[ingress] || t.src == t.dst) return {};
    const size_t from = domain_of[ingress];
    const Route* back = longest(t.src, from, true);
    if (back == nullptr ||
        std::find(back->members.begin(), back->members.end(), ingress) == back->members.end()) {
      return {};
    }
    const Route* route = longest(t.dst, from, false);
    if (route == nullptr || !allowed(from, route->domain, t)) return {};
    std::set<size_t> result;
    for (const size_t a : route->members) {
      if (present[a]) result.insert(a);
    }
    return result;
  }
};

TEST(FirstPacket, APacketPassesOnlyIfConnectedAndAllowed) {
  test::RandomInput random(10);
  int passed = 0, crossed = 0, stopped = 0;
  for (int round = 0; round < 400; ++round) {
    RandomHub hub(random);
    const auto snapshot = hub.builder.build();
    for (int i = 0; i < 200; ++i) {
      const size_t ingress = random.below(hub.domain_of.size());
      const Tuple tuple{RandomHub::some_address(random), RandomHub::some_address(random), 1,
                        static_cast<uint16_t>(random.below(4)), 6};
      const AttachmentId id = hub.builder.attachment_id("a" + std::to_string(ingress));
      const FirstDecision d = decide_first_packet(*snapshot, {id, tuple});
      const std::set<size_t> expected = hub.may_leave_by(ingress, tuple);
      ASSERT_EQ(d.drop == DropReason::none, !expected.empty())
          << "round " << round << ": " << net::to_string(tuple.src) << " to " << net::to_string(tuple.dst)
          << " " << info(d.drop).name;
      if (d.drop != DropReason::none) {
        ++stopped;
        continue;
      }
      const size_t egress = d.forward.attachment.index();
      ASSERT_TRUE(expected.contains(egress));
      ASSERT_TRUE(hub.connected.contains({hub.domain_of[ingress], hub.domain_of[egress]}));
      ASSERT_EQ(d.to_domain.index(), hub.domain_of[egress]);
      ASSERT_EQ(d.reverse.attachment, id);
      ++passed;
      crossed += d.to_domain != d.from_domain;
    }
  }
  EXPECT_GT(passed, 500) << "or the test shows nothing";
  EXPECT_GT(crossed, 100);
  EXPECT_GT(stopped, 500);
}

}  // namespace
}  // namespace weir::dataplane
