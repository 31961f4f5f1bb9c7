// NAT64: hosts of IPv6 and hosts of IPv4, on one worker and on several with each direction arriving at
// whichever.
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "tests/packet/fragments.h"
#include "tests/packet/nat_spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;
using enum DropReason;

constexpr const char* kB6 = "64:ff9b::a02:5";        // kB.host4, as a sees it
constexpr const char* kRouter6 = "64:ff9b::a02:fa";  // 10.2.0.250
constexpr const char* kPool = "10.2.0.100";
constexpr const char* kPool6 = "64:ff9b::a02:64";

/// Red reaches blue's hosts of IPv4.
NatRules nat64_rules(const SnapshotBuilder& b, uint16_t workers) {
  NatRules rules = pool_rules(b, workers, kPool, kPool);
  PoolRule& rule = rules.pools[0];
  rule.name = "six";
  rule.prefix64 = *net::parse_prefix("64:ff9b::/96");
  rule.destinations = {*net::parse_prefix("10.2.0.0/24")};
  return rules;
}

Bytes packet_of(const Bytes& inner_frame) { return {inner_frame.begin() + 14, inner_frame.end()}; }

/// IPv4 with this identification, which the hub makes up.
Transport with_id(const Bytes& sent, const Transport& transport) {
  const uint16_t id = port_at(inner_of(sent), 18);
  return [=](PacketBuilder& p) {
    p.ip_id(id);
    transport(p);
  };
}
Transport uncut(const Transport& transport) {
  return [=](PacketBuilder& p) {
    p.dont_fragment();
    transport(p);
  };
}
Transport filled_udp(uint16_t src, uint16_t dst, size_t size) {
  return [=](PacketBuilder& p) { p.udp(src, dst).filler(size); };
}

class Nat64 : public testing::TestWithParam<unsigned> {
 protected:
  uint16_t workers() const { return static_cast<uint16_t>(GetParam()); }
  std::vector<Bytes> pass(TestHub& hub, const Bytes& bytes, unsigned at) {
    return hub.pass_through(bytes, static_cast<uint16_t>(at % workers()));
  }
  /// What a's packet to b is at b, where it has one.
  Bytes to_b(TestHub& hub, const Transport& transport, unsigned at) {
    const auto got = pass(hub, sent_by(kA, {kA.host6, kB6}, transport), at);
    EXPECT_EQ(got.size(), 1u);
    return got.empty() ? Bytes(64) : got[0];
  }
};
INSTANTIATE_TEST_SUITE_P(Number, Nat64, testing::Values(1, 2, 3));

TEST_P(Nat64, ThereAndBack) {
  for (unsigned there = 0; there < workers(); ++there) {
    for (unsigned back = 0; back < workers(); ++back) {
      SnapshotBuilder b = open_network(workers());
      const NatRules rules = nat64_rules(b, workers());
      TestHub hub(b.nat(rules).build(), {.workers = workers()});

      Bytes got = to_b(hub, udp(5'000, 53), there);
      uint16_t port = source_port(got);
      expect_at({got}, kB, {kPool, kB.host4}, with_id(got, udp(port, 53)));
      expect_at(pass(hub, sent_by(kB, {kB.host4, kPool}, udp(53, port, "answer")), back), kA, {kB6, kA.host6},
                udp(53, 5'000, "answer"));
      // An odd number of bytes, and a checksum that is not there (RFC 7915 section 4.5).
      expect_at(pass(hub,
                     sent_by(kB, {kB.host4, kPool},
                             [&](PacketBuilder& p) { p.udp(53, port).no_checksum().payload("odd"); }),
                     back),
                kA, {kB6, kA.host6}, udp(53, 5'000, "odd"));

      got = to_b(hub, tcp(kSyn, 7, 0, "", 5'001, 80), there);
      port = source_port(got);
      expect_at({got}, kB, {kPool, kB.host4}, with_id(got, tcp(kSyn, 7, 0, "", port, 80)));
      expect_at(pass(hub, sent_by(kB, {kB.host4, kPool}, tcp(kSyn | kAck, 9, 8, "", 80, port)), back), kA,
                {kB6, kA.host6}, tcp(kSyn | kAck, 9, 8, "", 80, 5'001));
      got = to_b(hub, tcp(kAck, 8, 10, "GET", 5'001, 80), back);
      expect_at({got}, kB, {kPool, kB.host4}, with_id(got, tcp(kAck, 8, 10, "GET", port, 80)));
      expect_at(pass(hub, sent_by(kB, {kB.host4, kPool}, tcp(kAck, 10, 11, "here", 80, port)), there), kA,
                {kB6, kA.host6}, tcp(kAck, 10, 11, "here", 80, 5'001));

      got = to_b(hub, echo(77, 1), there);
      const uint16_t id = identifier(got);
      expect_at({got}, kB, {kPool, kB.host4}, with_id(got, echo(id, 1)));
      expect_at(pass(hub, sent_by(kB, {kB.host4, kPool}, echo(id, 1, true)), back), kA, {kB6, kA.host6},
                echo(77, 1, true));

      EXPECT_EQ(rules.pools[0].pool->use().taken, 3u);
      hub.pass_seconds(4'000);
      for (int i = 0; i < 100; ++i) hub.settle();
      EXPECT_EQ(rules.pools[0].pool->use().taken, 0u) << "given back";
    }
  }
}

TEST_P(Nat64, WhatTheHeadersSayGoesAlong) {
  SnapshotBuilder b = open_network(workers());
  TestHub hub(b.nat(nat64_rules(b, workers())).build(), {.workers = workers()});
  const auto marked = [](const Transport& transport) {
    return Transport([=](PacketBuilder& p) {
      p.traffic_class(0xb8);
      transport(p);
    });
  };
  // With an extension header, which does not.
  const Bytes got =
      to_b(hub, marked([](PacketBuilder& p) { p.flow_label(0x12345).extension(60).udp(5'000, 53); }), 0);
  const uint16_t port = source_port(got);
  expect_at({got}, kB, {kPool, kB.host4}, with_id(got, marked([&](PacketBuilder& p) { p.udp(port, 53); })));
  // With options, which do not either.
  expect_at(pass(hub, sent_by(kB, {kB.host4, kPool}, marked([&](PacketBuilder& p) {
                                p.options({7, 7, 4, 0, 0, 0, 0, 0}).udp(53, port).payload("x");
                              })),
                 1),
            kA, {kB6, kA.host6}, marked(udp(53, 5'000, "x")));
}

class Nat64Alone : public testing::Test {};

TEST_F(Nat64Alone, WhatIsTooLongForOneSideIsToldToTheOther) {
  SnapshotBuilder b = open_network(1);
  b.change("b", [](Attachment& a) { a.mtu = 1'400; }).change("a", [](Attachment& a) { a.mtu = 1'450; });
  TestHub hub(b.nat(nat64_rules(b, 1)).build());
  // 1,420 bytes of IPv6 are 1,400 of IPv4; larger than 1,280, so its sender is told if it does not fit.
  const auto got = hub.pass_through(sent_by(kA, {kA.host6, kB6}, filled_udp(5'000, 53, 1'372)));
  ASSERT_EQ(got.size(), 1u);
  const uint16_t port = source_port(got[0]);
  expect_at(got, kB, {kPool, kB.host4}, uncut(filled_udp(port, 53, 1'372)));
  const auto refused = [&](const Spoke& spoke, const Ends& ends, const Transport& transport, uint16_t mtu) {
    const Bytes sent = frame(spoke.hub_mac, spoke.host_mac, ends, transport, 64);
    EXPECT_TRUE(hub.pass_through(tunnelled(spoke, sent)).empty());
    const auto punts = hub.plane().take_punts(8);
    ASSERT_EQ(punts.size(), 1u);
    EXPECT_EQ(punts[0].reason, PuntReason::mtu_exceeded);
    EXPECT_EQ(punts[0].mtu, mtu);
    EXPECT_EQ(Bytes(punts[0].frame.begin(), punts[0].frame.end()), sent) << "as it was";
    hub.plane().discard(punts[0], mtu_exceeded);
  };
  refused(kA, {kA.host6, kB6}, filled_udp(5'000, 53, 1'373), 1'420);
  EXPECT_EQ(hub.pass_through(sent_by(kB, {kB.host4, kPool}, filled_udp(53, port, 1'402))).size(), 1u);
  refused(kB, {kB.host4, kPool}, filled_udp(53, port, 1'403), 1'430);
}

TEST_P(Nat64, ErrorsAreToldInTheOtherFamily) {
  for (unsigned at = 0; at < workers(); ++at) {
    SnapshotBuilder b = open_network(workers());
    TestHub hub(b.nat(nat64_rules(b, workers())).build(), {.workers = workers()});
    for (const bool ping : {false, true}) {
      const Transport there = ping ? echo(77) : udp(5'000, 53);
      const Bytes got = to_b(hub, there, at);
      const uint16_t port = ping ? identifier(got) : source_port(got);
      const Transport outside = ping ? echo(port) : udp(port, 53);
      const Transport answer = ping ? echo(port, 1, true) : udp(53, port);
      const Transport inside_answer = ping ? echo(77, 1, true) : udp(53, 5'000);
      struct Row {
        uint8_t type4, code4;
        uint32_t rest4;
        uint8_t type6, code6;
        uint32_t rest6;
      };
      // From a router of IPv4, about what it was sent: who it is can be seen.
      for (const Row& row :
           {Row{3, 1, 0, 1, 0, 0}, Row{3, 3, 0, 1, 4, 0}, Row{3, 13, 0, 1, 1, 0}, Row{3, 2, 0, 4, 1, 6},
            Row{3, 4, 1'400, 2, 0, 1'420}, Row{3, 4, 576, 2, 0, 1'280}, Row{11, 0, 0, 3, 0, 0},
            Row{12, 0, 8u << 24, 4, 0, 7}}) {
        const auto error = [&](bool v6) {
          const Ends ends = v6 ? Ends{kA.host6, kB6} : Ends{kPool, kB.host4};
          const Bytes quote =
              packet_of(frame(kB.host_mac, kB.hub_mac, ends, v6 ? there : with_id(got, outside), 62));
          return Transport([=](PacketBuilder& p) {
            v6 ? p.icmp_error(row.type6, row.code6, quote, row.rest6)
               : p.icmp_error(row.type4, row.code4, quote, row.rest4);
          });
        };
        expect_at(pass(hub, sent_by(kB, {"10.2.0.250", kPool}, error(false)), at + 1), kA,
                  {kRouter6, kA.host6}, error(true));
      }
      // From a router of IPv6, about an answer: it is seen as the pool. Each may be cut on its way, so that
      // its pieces have to be known from those of others.
      ASSERT_EQ(pass(hub, sent_by(kB, {kB.host4, kPool}, answer), at).size(), 1u);
      std::set<uint16_t> ids;
      for (const Row& row :
           {Row{3, 1, 0, 1, 0, 0}, Row{3, 3, 0, 1, 4, 0}, Row{3, 10, 0, 1, 1, 0}, Row{3, 2, 0, 4, 1, 6},
            Row{3, 4, 1'380, 2, 0, 1'400}, Row{11, 0, 0, 3, 0, 0}, Row{12, 0, 16u << 24, 4, 0, 24}}) {
        const Bytes quote6 = packet_of(frame(kA.host_mac, kA.hub_mac, {kB6, kA.host6}, inside_answer, 62));
        const Bytes quote4 = packet_of(frame(kA.host_mac, kA.hub_mac, {kB.host4, kPool}, answer, 62));
        const Bytes back =
            pass(hub,
                 sent_by(kA, {"2001:db8:1::250", kB6},
                         [&](PacketBuilder& p) { p.icmp_error(row.type6, row.code6, quote6, row.rest6); }),
                 at + 1)
                .at(0);
        expect_at({back}, kB, {kPool, kB.host4}, with_id(back, [&](PacketBuilder& p) {
                    p.icmp_error(row.type4, row.code4, quote4, row.rest4);
                  }));
        EXPECT_TRUE(ids.insert(port_at(inner_of(back), 18)).second);
      }
    }
  }
}

TEST_P(Nat64, FragmentsStayFragments) {
  for (unsigned at = 0; at < workers(); ++at) {
    SnapshotBuilder b = open_network(workers());
    TestHub hub(b.nat(nat64_rules(b, workers())).build(), {.workers = workers()});
    const std::string text(100, 'x');
    const auto pass_all = [&](const Spoke& spoke, const Ends& ends, const Transport& transport) {
      std::vector<Bytes> inside;
      unsigned i = at;
      for (const Bytes& piece : fragments_of(frame(spoke.hub_mac, spoke.host_mac, ends, transport, 64), 40)) {
        for (const Bytes& got : pass(hub, tunnelled(spoke, piece), i++)) inside.push_back(inner_of(got));
      }
      return inside;
    };
    const auto out = pass_all(kA, {kA.host6, kB6}, udp(5'000, 53, text));
    ASSERT_EQ(out.size(), 3u);
    const uint16_t port = port_at(out[0], 34);
    EXPECT_EQ(out,
              fragments_of(frame(kB.host_mac, kB.hub_mac, {kPool, kB.host4}, udp(port, 53, text), 63), 40));
    EXPECT_EQ(pass_all(kB, {kB.host4, kPool}, udp(53, port, text)),
              fragments_of(frame(kA.host_mac, kA.hub_mac, {kB6, kA.host6}, udp(53, 5'000, text), 63), 40));
  }
}

TEST_P(Nat64, OneHostBehindThePoolReachesAnother) {  // RFC 6146 section 3.8
  for (unsigned at = 0; at < workers(); ++at) {
    SnapshotBuilder b = open_network(workers());
    TestHub hub(b.nat(nat64_rules(b, workers())).build(), {.workers = workers()});
    for (const bool ping : {false, true}) {
      const Bytes got = to_b(hub, ping ? echo(77) : udp(5'000, 53), at);
      const uint16_t port = ping ? identifier(got) : source_port(got);
      if (ping) continue;  // an identifier is no address to be asked at
      const auto heard = pass(hub, sent_by(kD, {kD.host6, kPool6}, udp(6'000, port)), at + 1);
      ASSERT_EQ(heard.size(), 1u);
      const uint16_t d_port = port_at(inner_of(heard[0]), 54);
      expect_at(heard, kA, {kPool6, kA.host6}, udp(d_port, 5'000));
      expect_at(pass(hub, sent_by(kA, {kA.host6, kPool6}, udp(5'000, d_port)), at), kD, {kPool6, kD.host6},
                udp(port, 6'000));
    }
  }
}

TEST_F(Nat64Alone, WhatNobodyMapsGoesNowhere) {
  SnapshotBuilder b = open_network(1);
  TestHub hub(b.nat(nat64_rules(b, 1)).build());
  for (const char* to :
       {"64:ff9b::808:808", "64:ff9b::7f00:1"}) {  // no destination of the rule; no host at all
    EXPECT_TRUE(hub.pass_through(sent_by(kA, {kA.host6, to}, udp())).empty());
    EXPECT_EQ(hub.moved(), dropped(nat_unmapped)) << to;
  }
  // From outside nothing begins, not even at a port that is bound.
  const auto got = hub.pass_through(sent_by(kA, {kA.host6, kB6}, udp(5'000, 53)));
  ASSERT_EQ(got.size(), 1u);
  hub.moved();
  EXPECT_TRUE(hub.pass_through(sent_by(kB, {"10.2.0.9", kPool}, udp(9, source_port(got[0])))).empty());
  EXPECT_EQ(hub.moved(), dropped(nat_closed));
}

TEST_F(Nat64Alone, WhatTheOtherFamilyHasNoWordFor) {
  SnapshotBuilder b = open_network(1);
  TestHub hub(b.nat(nat64_rules(b, 1)).build());
  const auto got = hub.pass_through(sent_by(kA, {kA.host6, kB6}, udp(5'000, 53)));
  ASSERT_EQ(got.size(), 1u);
  const uint16_t port = source_port(got[0]);
  hub.moved();
  // The first piece of a datagram without a checksum: the rest of what a sum is of is elsewhere.
  const auto pieces =
      fragments_of(frame(
                       kB.hub_mac, kB.host_mac, {kB.host4, kPool},
                       [&](PacketBuilder& p) { p.udp(53, port).no_checksum().filler(80); }, 64),
                   40);
  EXPECT_TRUE(hub.pass_through(tunnelled(kB, pieces[0])).empty());
  EXPECT_EQ(hub.moved()["drop nat64_untranslatable"], 1);
  // An error that IPv6 does not know.
  const Bytes quote = packet_of(frame(kB.host_mac, kB.hub_mac, {kPool, kB.host4}, udp(port, 53), 62));
  EXPECT_TRUE(hub.pass_through(sent_by(kB, {"10.2.0.250", kPool},
                                       [&](PacketBuilder& p) { p.icmp_error(3, 14, quote); }))
                  .empty());
  EXPECT_EQ(hub.moved()["drop nat64_untranslatable"], 1);
  EXPECT_TRUE(
      hub.pass_through(sent_by(kA, {kA.host6, kB6}, [](PacketBuilder& p) { p.gre(0x0800, {}); })).empty());
  EXPECT_EQ(hub.moved(), dropped(nat_protocol));
}

TEST_F(Nat64Alone, PolicySeesWhoAsksAndWhoIsMeant) {
  SnapshotBuilder b = network_without_rules();
  b.rule({.id = "dns",
          .action = PolicyAction::allow,
          .from_prefixes = {"2001:db8:1::/64"},
          .to_prefixes = {"10.2.0.5/32"},
          .protocol = 17,
          .ports = {{53, 53}}});
  b.rule({.id = "ping", .action = PolicyAction::allow, .to_prefixes = {"10.2.0.5/32"}, .protocol = 58});
  TestHub hub(b.nat(nat64_rules(b, 1)).build());
  EXPECT_EQ(hub.pass_through(sent_by(kA, {kA.host6, kB6}, udp(5'000, 53))).size(), 1u);
  EXPECT_EQ(hub.pass_through(sent_by(kA, {kA.host6, kB6}, echo(7))).size(), 1u);
  hub.moved();
  EXPECT_TRUE(hub.pass_through(sent_by(kA, {kA.host6, kB6}, udp(5'000, 54))).empty());
  EXPECT_EQ(hub.moved(), dropped(policy_default_deny));
}

TEST_F(Nat64Alone, AnInspectedSessionIsToldOfItsEndInBothFamilies) {
  const std::string path = testing::TempDir() + "weir_nat64_test.rules";
  std::ofstream(path)
      << "drop tcp any any -> any any (msg:\"an attack\"; content:\"attack\"; sid:1; rev:1;)\n";
  auto built = inspection::build_ruleset({path}, 1);
  ASSERT_TRUE(built);
  SnapshotBuilder b = network_without_rules();
  b.profile({.name = "ips", .on_drop = OnDrop::reset, .fail = FailMode::closed, .ruleset = built->ruleset});
  b.rule({.id = "web", .action = PolicyAction::inspect, .to_prefixes = {"10.2.0.5/32"}, .protocol = 6});
  TestHub hub(b.nat(nat64_rules(b, 1)).build());
  const auto to_b = [&](uint8_t flags, uint32_t seq, uint32_t ack, const char* text) {
    return hub.pass_through(sent_by(kA, {kA.host6, kB6}, tcp(flags, seq, ack, text, 3'000, 80)));
  };
  const auto first = to_b(kSyn, 1, 0, "");
  ASSERT_EQ(first.size(), 1u);
  const uint16_t port = source_port(first[0]);
  expect_at(hub.pass_through(sent_by(kB, {kB.host4, kPool}, tcp(kSyn | kAck, 5, 2, "", 80, port))), kA,
            {kB6, kA.host6}, tcp(kSyn | kAck, 5, 2, "", 80, 3'000));
  ASSERT_EQ(to_b(kAck, 2, 6, "").size(), 1u);
  // Both are the session's before either is inspected.
  hub.inject(sent_by(kA, {kA.host6, kB6}, tcp(kPsh | kAck, 2, 6, "he", 3'000, 80)));
  hub.inject(sent_by(kA, {kA.host6, kB6}, tcp(kPsh | kAck, 4, 6, "llo", 3'000, 80)));
  hub.settle();
  const auto data = hub.sent();
  ASSERT_EQ(data.size(), 2u);
  EXPECT_NE(port_at(inner_of(data[0]), 18), port_at(inner_of(data[1]), 18))
      << "pieces of either would be mixed";
  const auto resets = to_b(kPsh | kAck, 7, 6, "attack");
  ASSERT_EQ(resets.size(), 2u);
  const auto reset = [](const Spoke& to, const Ends& ends, uint16_t sport, uint16_t dport, uint32_t seq,
                        uint32_t ack) {
    PacketBuilder p;
    p.ether(to.host_mac, to.hub_mac).ip(ends.src, ends.dst);
    if (ends.src.find(':') == std::string::npos) p.dont_fragment();
    return p.tcp(sport, dport, kRst | kAck, seq, ack).window(0).build();
  };
  for (const Bytes& got : resets) {
    if (vni_of(got) == kB.vni) {
      expect_sent({got}, kB, reset(kB, {kPool, kB.host4}, port, 80, 7, 6));
    } else {
      expect_sent({got}, kA, reset(kA, {kB6, kA.host6}, 80, 3'000, 6, 13));
    }
  }
  for (const auto& event : hub.events()) {
    EXPECT_EQ(event.flow.src, ip_of(kA.host6));
    EXPECT_EQ(event.flow.dst, ip_of(kB6)) << "as the initiator has it";
  }
}

TEST_F(Nat64Alone, ARuleThatGoesCutsItsSessionsAndOneThatStaysKeepsThem) {
  SnapshotBuilder b = open_network(1);
  const NatRules rules = nat64_rules(b, 1);
  TestHub hub(b.nat(rules).build());
  const Bytes bytes = sent_by(kA, {kA.host6, kB6}, udp(5'000, 53));
  const auto got = hub.pass_through(bytes);
  ASSERT_EQ(got.size(), 1u);
  NatRules more = rules;
  more.published = web_rules(b).published;
  hub.publish(b.nat(more).build());
  const auto again = hub.pass_through(bytes);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(source_port(again[0]), source_port(got[0]));
  const Bytes answer = sent_by(kB, {kB.host4, kPool}, udp(53, source_port(got[0])));
  hub.publish(b.nat(web_rules(b)).build());
  hub.moved();
  EXPECT_TRUE(hub.pass_through(answer).empty());
  EXPECT_EQ(hub.moved()["sessions_live"], -1);
}

}  // namespace
}  // namespace weir::test
