// Address translation, on one worker and on several with each direction arriving at whichever.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "tests/packet/fragments.h"
#include "tests/packet/nat_spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;
using enum DropReason;

Bytes packet_of(const Bytes& inner_frame) { return {inner_frame.begin() + 14, inner_frame.end()}; }

class Nat : public testing::Test {};
/// With one worker, and with two and three at any of which a packet may arrive.
class NatWorkers : public testing::TestWithParam<unsigned> {
 protected:
  uint16_t workers() const { return static_cast<uint16_t>(GetParam()); }
  /// A packet that comes to a worker, and what the hub made of it.
  std::vector<Bytes> pass(TestHub& hub, const Bytes& bytes, unsigned at) {
    return hub.pass_through(bytes, static_cast<uint16_t>(at % workers()));
  }
};
INSTANTIATE_TEST_SUITE_P(Number, NatWorkers, testing::Values(1, 2, 3));

TEST_P(NatWorkers, ThroughAPoolAndBack) {
  for (unsigned there = 0; there < workers(); ++there) {
    for (unsigned back = 0; back < workers(); ++back) {
      SnapshotBuilder b = open_network(workers());
      const NatRules rules = pool_rules(b, workers());
      TestHub hub(b.nat(rules).build(), {.workers = workers()});
      const Ends out{kA.host4, kB.host4};

      auto got = pass(hub, sent_by(kA, out, udp(5'000, 53)), there);
      ASSERT_EQ(got.size(), 1u);
      const std::string address = source_address(got[0]);
      const uint16_t port = source_port(got[0]);
      ASSERT_TRUE(rules.pools[0].pool->index_of(ip_of(address))) << address;
      expect_at(got, kB, {address, kB.host4}, udp(port, 53));
      if (workers() == 1) {
        EXPECT_EQ(port, 5'000) << "its own port is free";
      }
      expect_at(pass(hub, sent_by(kB, {kB.host4, address}, udp(53, port, "answer")), back), kA,
                {kB.host4, kA.host4}, udp(53, 5'000, "answer"));
      // To somebody else, from the same port: the same binding.
      got = pass(hub, sent_by(kA, {kA.host4, "10.2.0.6"}, udp(5'000, 99)), back);
      EXPECT_TRUE(got.empty()) << "its next hop is asked for first";

      got = pass(hub, sent_by(kA, out, tcp(kSyn, 7, 0, "", 5'001, 80)), there);
      ASSERT_EQ(got.size(), 1u);
      const uint16_t tcp_port = source_port(got[0]);
      expect_at(got, kB, {source_address(got[0]), kB.host4}, tcp(kSyn, 7, 0, "", tcp_port, 80));
      EXPECT_EQ(source_address(got[0]), address) << "paired";
      expect_at(pass(hub, sent_by(kB, {kB.host4, address}, tcp(kSyn | kAck, 9, 8, "", 80, tcp_port)), back),
                kA, {kB.host4, kA.host4}, tcp(kSyn | kAck, 9, 8, "", 80, 5'001));
      expect_at(pass(hub, sent_by(kA, out, tcp(kAck, 8, 10, "GET", 5'001, 80)), back), kB,
                {address, kB.host4}, tcp(kAck, 8, 10, "GET", tcp_port, 80));

      got = pass(hub, sent_by(kA, out, echo(77, 1)), there);
      ASSERT_EQ(got.size(), 1u);
      const uint16_t id = identifier(got[0]);
      expect_at(got, kB, {address, kB.host4}, echo(id, 1));
      expect_at(pass(hub, sent_by(kB, {kB.host4, address}, echo(id, 1, true)), back), kA,
                {kB.host4, kA.host4}, echo(77, 1, true));

      EXPECT_EQ(rules.pools[0].pool->use().taken, 3u);
      hub.pass_seconds(4'000);
      for (int i = 0; i < 100; ++i) hub.settle();
      EXPECT_EQ(rules.pools[0].pool->use().taken, 0u) << "given back";
    }
  }
}

TEST_P(NatWorkers, AHostsPortHasOneBindingToAnywhere) {
  SnapshotBuilder b = open_network(workers());
  const NatRules rules = pool_rules(b, workers());
  for (int host = 6; host < 26; ++host) {
    ASSERT_TRUE(
        b.adjacencies().set(b.attachment_id("b"), ip_of("10.2.0." + std::to_string(host)), kB.host_mac));
  }
  TestHub hub(b.nat(rules).build(), {.workers = workers()});
  std::set<std::pair<std::string, uint16_t>> seen;
  for (int host = 6; host < 26; ++host) {
    const auto got = pass(hub, sent_by(kA, {kA.host4, "10.2.0." + std::to_string(host)}, udp(5'000, 53)),
                          static_cast<unsigned>(host));
    ASSERT_EQ(got.size(), 1u);
    seen.insert({source_address(got[0]), source_port(got[0])});
  }
  EXPECT_EQ(seen.size(), 1u);
}

TEST_P(NatWorkers, ErrorsReachWhomTheyAreAboutWithTheirQuotesTranslated) {
  for (unsigned at = 0; at < workers(); ++at) {
    SnapshotBuilder b = open_network(workers());
    TestHub hub(b.nat(pool_rules(b, workers())).build(), {.workers = workers()});
    for (const bool ping : {false, true}) {
      const Transport there = ping ? echo(77) : udp(5'000, 53);
      auto got = pass(hub, sent_by(kA, {kA.host4, kB.host4}, there), at);
      ASSERT_EQ(got.size(), 1u);
      const std::string address = source_address(got[0]);
      const uint16_t port = ping ? identifier(got[0]) : source_port(got[0]);
      const Transport outside = ping ? echo(port) : udp(port, 53),
                      answer = ping ? echo(port, 1, true) : udp(53, port);
      const Transport inside_answer = ping ? echo(77, 1, true) : udp(53, 5'000);
      const auto error = [](const Bytes& quote) {
        return Transport([quote](PacketBuilder& p) { p.icmp_error(3, 1, quote); });
      };
      // From a router in the Internet, about what it was sent: 28 bytes and all of it.
      for (const size_t cut : {size_t{28}, size_t{0}}) {
        const auto quote = [&](const Ends& ends, const Transport& transport, net::Mac dst, net::Mac src) {
          Bytes packet = packet_of(frame(dst, src, ends, transport, 62));
          if (cut != 0) packet.resize(cut);
          return packet;
        };
        got = pass(hub,
                   sent_by(kB, {"10.2.0.250", address},
                           error(quote({address, kB.host4}, outside, kB.host_mac, kB.hub_mac))),
                   at + 1);
        expect_at(got, kA, {"10.2.0.250", kA.host4},
                  error(quote({kA.host4, kB.host4}, there, kB.host_mac, kB.hub_mac)));
        // From a router inside, about an answer: nobody outside learns its address.
        ASSERT_EQ(pass(hub, sent_by(kB, {kB.host4, address}, answer), at).size(), 1u);
        got = pass(hub,
                   sent_by(kA, {"10.1.0.250", kB.host4},
                           error(quote({kB.host4, kA.host4}, inside_answer, kA.host_mac, kA.hub_mac))),
                   at + 1);
        expect_at(got, kB, {address, kB.host4},
                  error(quote({kB.host4, address}, answer, kA.host_mac, kA.hub_mac)));
      }
      // One that quotes what was never sent belongs to nobody.
      hub.moved();
      EXPECT_TRUE(
          pass(hub,
               sent_by(kB, {"10.2.0.250", address},
                       error(packet_of(frame(kB.host_mac, kB.hub_mac, {address, kB.host4}, udp(9, 9), 62)))),
               at)
              .empty());
      EXPECT_EQ(hub.moved()["drop icmp_error_unmatched"], 1);
    }
  }
}

TEST_P(NatWorkers, FragmentsAreTranslatedWhole) {
  for (unsigned at = 0; at < workers(); ++at) {
    SnapshotBuilder b = open_network(workers());
    TestHub hub(b.nat(pool_rules(b, workers())).build(), {.workers = workers()});
    const std::string text(100, 'x');
    const auto pass_all = [&](const Spoke& spoke, const Ends& ends, const Transport& transport,
                              bool backwards) {
      auto pieces = fragments_of(frame(spoke.hub_mac, spoke.host_mac, ends, transport, 64), 40);
      if (backwards) std::reverse(pieces.begin(), pieces.end());
      std::vector<Bytes> inside;
      for (size_t i = 0; i < pieces.size(); ++i) {
        for (const Bytes& got : pass(hub, tunnelled(spoke, pieces[i]), at + static_cast<unsigned>(i)))
          inside.push_back(inner_of(got));
      }
      EXPECT_EQ(inside.size(), pieces.size());
      return whole_of(inside);
    };
    for (const bool backwards : {false, true}) {
      const Bytes out = pass_all(kA, {kA.host4, kB.host4}, udp(5'000, 53, text), backwards);
      ASSERT_GT(out.size(), 42u);
      const uint16_t port = port_at(out, 34);
      const std::string address = "10.2.0." + std::to_string(out[29]);
      EXPECT_EQ(out, whole_of(fragments_of(
                         frame(kB.host_mac, kB.hub_mac, {address, kB.host4}, udp(port, 53, text), 63), 40)));
      EXPECT_EQ(pass_all(kB, {kB.host4, address}, udp(53, port, text), backwards),
                whole_of(fragments_of(
                    frame(kA.host_mac, kA.hub_mac, {kB.host4, kA.host4}, udp(53, 5'000, text), 63), 40)));
    }
  }
}

TEST_P(NatWorkers, APublishedServiceAndItsAnswers) {
  for (unsigned there = 0; there < workers(); ++there) {
    for (unsigned back = 0; back < workers(); ++back) {
      SnapshotBuilder b = open_network(workers());
      TestHub hub(b.nat(web_rules(b)).build(), {.workers = workers()});
      for (uint16_t port = 3'000; port < 3'006; ++port) {
        expect_at(pass(hub, sent_by(kB, {kB.host4, "10.2.0.80"}, tcp(kSyn, 1, 0, "", port, 443)), there), kA,
                  {kB.host4, kA.host4}, tcp(kSyn, 1, 0, "", port, 8'443));
        expect_at(pass(hub, sent_by(kA, {kA.host4, kB.host4}, tcp(kSyn | kAck, 5, 2, "", 8'443, port)), back),
                  kB, {"10.2.0.80", kB.host4}, tcp(kSyn | kAck, 5, 2, "", 443, port));
      }
    }
  }
}

TEST_P(NatWorkers, OverlappingSpokesThroughMappedPrefixes) {
  for (unsigned there = 0; there < workers(); ++there) {
    for (unsigned back = 0; back < workers(); ++back) {
      SnapshotBuilder b;
      b.workers(workers()).domain("red").domain("green");
      // Both are 10.1.0.0/24, and both hosts 10.1.0.5.
      b.attachment("a", "red", kA.vni, kA.tunnel_end, "10.1.0.1/24,2001:db8:1::1/64");
      b.attachment("c", "green", kC.vni, kC.tunnel_end, "10.1.0.1/24,2001:db8:1::1/64");
      for (const char* name : {"a", "c"}) {
        for (const char* address : {kA.host4, kA.host6}) {
          ASSERT_TRUE(b.adjacencies().set(b.attachment_id(name), ip_of(address), kA.host_mac));
        }
      }
      b.connection("red", "green");
      // Policy sees the source as it is and the destination as translated.
      b.rule({.id = "seen",
              .action = PolicyAction::allow,
              .from_prefixes = {"10.1.0.5/32", "2001:db8:1::5/128"},
              .to_prefixes = {"10.1.0.5/32", "2001:db8:1::5/128"}});
      NatRules rules;
      for (const auto& [domain, other, v4, v6] :
           {std::tuple("red", "green", "100.64.1.0/24", "2001:db8:a::/64"),
            std::tuple("green", "red", "100.64.3.0/24", "2001:db8:c::/64")}) {
        for (const auto& [inside, outside] :
             {std::pair("10.1.0.0/24", v4), std::pair("2001:db8:1::/64", v6)}) {
          StaticRule rule;
          rule.domain = b.domain_id(domain);
          rule.inside = *net::parse_prefix(inside);
          rule.outside = *net::parse_prefix(outside);
          rule.seen_by = {b.domain_id(other)};
          rules.fixed.push_back(rule);
        }
      }
      TestHub hub(b.nat(rules).build(), {.workers = workers()});
      Spoke a = kA, c = kC;
      a.hub_mac = b.hub_mac("a"), c.hub_mac = b.hub_mac("c"), c.host_mac = a.host_mac;
      a.underlay_mac = {{2, 0xaa, 0, 0, 0, 0}}, c.underlay_mac = {{2, 0xaa, 0, 0, 0, 1}};
      struct Row {
        const char *host, *red, *green;
      };
      for (const Row& row :
           {Row{kA.host4, "100.64.1.5", "100.64.3.5"}, Row{kA.host6, "2001:db8:a::5", "2001:db8:c::5"}}) {
        expect_at(pass(hub, sent_by(a, {row.host, row.green}, udp(5'000, 53)), there), c, {row.red, row.host},
                  udp(5'000, 53));
        expect_at(pass(hub, sent_by(c, {row.host, row.red}, udp(53, 5'000)), back), a, {row.green, row.host},
                  udp(53, 5'000));
      }
    }
  }
}

TEST_P(NatWorkers, FromOneHostBehindThePoolToAnother) {
  for (unsigned at = 0; at < workers(); ++at) {
    SnapshotBuilder b = open_network(workers());
    TestHub hub(b.nat(pool_rules(b, workers())).build(), {.workers = workers()});
    const auto got = pass(hub, sent_by(kA, {kA.host4, kB.host4}, udp(5'000, 53)), at);
    ASSERT_EQ(got.size(), 1u);
    const std::string a = source_address(got[0]);
    const uint16_t a_port = source_port(got[0]);
    const auto heard = pass(hub, sent_by(kD, {kD.host4, a}, udp(6'000, a_port)), at + 1);
    ASSERT_EQ(heard.size(), 1u);
    const std::string d = source_address(heard[0]);
    const uint16_t d_port = source_port(heard[0]);
    EXPECT_NE(d, kD.host4) << "as from outside (RFC 4787 section 6)";
    expect_at(heard, kA, {d, kA.host4}, udp(d_port, 5'000));
    expect_at(pass(hub, sent_by(kA, {kA.host4, d}, udp(5'000, d_port)), at), kD, {a, kD.host4},
              udp(a_port, 6'000));
  }
}

TEST_F(Nat, AnInspectedSessionIsSeenAsItsInitiatorSeesItAndItsEndsAreToldAsTheyKnowEachOther) {
  const std::string path = testing::TempDir() + "weir_nat_test.rules";
  std::ofstream(path)
      << "drop tcp any any -> any any (msg:\"an attack\"; content:\"attack\"; sid:1; rev:1;)\n";
  auto built = inspection::build_ruleset({path}, 1);
  ASSERT_TRUE(built);
  SnapshotBuilder b = network_without_rules();
  b.profile({.name = "ips", .on_drop = OnDrop::reset, .fail = FailMode::closed, .ruleset = built->ruleset});
  b.rule({.id = "web",
          .action = PolicyAction::inspect,
          .to_prefixes = {"10.1.0.5/32"},
          .protocol = 6,
          .ports = {{8'443, 8'443}}});
  TestHub hub(b.nat(web_rules(b)).build());
  const Ends in{kB.host4, "10.2.0.80"}, inside{kB.host4, kA.host4}, out{kA.host4, kB.host4},
      outside{"10.2.0.80", kB.host4};
  const auto to_a = [](uint8_t flags, uint32_t seq, uint32_t ack, const char* text, bool translated) {
    return tcp(flags, seq, ack, text, 3'000, translated ? 8'443 : 443);
  };
  const auto to_b = [](uint8_t flags, uint32_t seq, uint32_t ack, const char* text, bool translated) {
    return tcp(flags, seq, ack, text, translated ? 443 : 8'443, 3'000);
  };
  expect_at(hub.pass_through(sent_by(kB, in, to_a(kSyn, 1, 0, "", false))), kA, inside,
            to_a(kSyn, 1, 0, "", true));
  expect_at(hub.pass_through(sent_by(kA, out, to_b(kSyn | kAck, 5, 2, "", false))), kB, outside,
            to_b(kSyn | kAck, 5, 2, "", true));
  expect_at(hub.pass_through(sent_by(kB, in, to_a(kAck, 2, 6, "", false))), kA, inside,
            to_a(kAck, 2, 6, "", true));
  expect_at(hub.pass_through(sent_by(kB, in, to_a(kPsh | kAck, 2, 6, "hello", false))), kA, inside,
            to_a(kPsh | kAck, 2, 6, "hello", true));
  const auto resets = hub.pass_through(sent_by(kB, in, to_a(kPsh | kAck, 7, 6, "attack", false)));
  ASSERT_EQ(resets.size(), 2u);
  const auto reset = [](const Spoke& to, const Ends& ends, uint16_t sport, uint16_t dport, uint32_t seq,
                        uint32_t ack) {
    return PacketBuilder()
        .ether(to.host_mac, to.hub_mac)
        .ip(ends.src, ends.dst)
        .dont_fragment()
        .tcp(sport, dport, kRst | kAck, seq, ack)
        .window(0)
        .build();
  };
  for (const Bytes& got : resets) {
    if (vni_of(got) == kA.vni) {
      expect_sent({got}, kA, reset(kA, inside, 3'000, 8'443, 7, 6));
    } else {
      expect_sent({got}, kB, reset(kB, outside, 443, 3'000, 6, 13));
    }
  }
  const auto events = hub.events();
  ASSERT_FALSE(events.empty());
  for (const auto& event : events) {
    EXPECT_EQ(event.flow.src, ip_of(kB.host4));
    EXPECT_EQ(event.flow.dst, ip_of("10.2.0.80")) << "as the initiator has it";
    EXPECT_EQ(event.flow.dst_port, 443);
  }
}

TEST_F(Nat, BothEndsOfAnIdleSessionAreToldAsTheyKnowEachOther) {
  SnapshotBuilder b = open_network(1);
  b.tcp({.reset_idle = true});
  TestHub hub(b.nat(pool_rules(b, 1)).build());
  const Ends out{kA.host4, kB.host4};
  const auto first = hub.pass_through(sent_by(kA, out, tcp(kSyn, 100, 0, "", 5'000, 80)));
  ASSERT_EQ(first.size(), 1u);
  const std::string address = source_address(first[0]);
  hub.pass_through(sent_by(kB, {kB.host4, address}, tcp(kSyn | kAck, 700, 101, "", 80, 5'000)));
  hub.pass_through(sent_by(kA, out, tcp(kAck, 101, 701, "", 5'000, 80)));
  hub.sent();
  hub.pass_seconds(3'602);
  hub.settle();
  const auto sent = hub.sent();
  ASSERT_EQ(sent.size(), 2u);
  for (const Bytes& frame : sent) {
    const Bytes inside = inner_of(frame);
    const bool to_server = vni_of(frame) == kB.vni;
    EXPECT_EQ(source_address(frame), to_server ? address : kB.host4);
    EXPECT_EQ(port_at(inside, 36), to_server ? 80 : 5'000);
    EXPECT_EQ(inside[31], to_server ? 2 : 1) << "the destination's second byte";
  }
}

TEST_F(Nat, ToNobodysPort) {
  SnapshotBuilder b = open_network(1);
  NatRules rules = pool_rules(b, 1);
  rules.published = web_rules(b).published;
  TestHub hub(b.nat(rules).build());
  EXPECT_TRUE(hub.pass_through(sent_by(kB, {kB.host4, "10.2.0.100"}, udp(53, 5'000))).empty());
  EXPECT_EQ(hub.moved(), dropped(nat_closed));
  EXPECT_TRUE(hub.pass_through(sent_by(kB, {kB.host4, "10.2.0.80"}, tcp(kSyn, 1, 0, "", 3'000, 80))).empty());
  EXPECT_EQ(hub.moved(), dropped(nat_closed));
}

TEST_F(Nat, APoolTakesWhatItCanTellApart) {
  SnapshotBuilder b = open_network(1);
  TestHub hub(b.nat(pool_rules(b, 1)).build());
  EXPECT_TRUE(hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, [](PacketBuilder& p) { p.gre(0x0800, {}); }))
                  .empty());
  EXPECT_EQ(hub.moved(), dropped(nat_protocol));
  // A message without an identifier.
  EXPECT_TRUE(
      hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, [](PacketBuilder& p) { p.icmp(42, 0).filler(12); }))
          .empty());
  EXPECT_EQ(hub.moved(), dropped(nat_protocol));
}

TEST_F(Nat, QueriesOfAnyKindKeepTheirAnswersApart) {
  SnapshotBuilder b = open_network(1);
  TestHub hub(b.nat(pool_rules(b, 1)).build());
  const auto message = [](uint8_t type, uint16_t id) {
    return Transport([type, id](PacketBuilder& p) { p.icmp(type, 0, uint32_t{id} << 16 | 1).filler(12); });
  };
  for (const auto& [query, reply] :
       {std::pair(uint8_t{13}, uint8_t{14}), std::pair(uint8_t{17}, uint8_t{18})}) {
    const auto got = hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, message(query, query)));
    ASSERT_EQ(got.size(), 1u);
    const std::string address = source_address(got[0]);
    const uint16_t id = identifier(got[0]);
    expect_at(got, kB, {address, kB.host4}, message(query, id));
    expect_at(hub.pass_through(sent_by(kB, {kB.host4, address}, message(reply, id))), kA,
              {kB.host4, kA.host4}, message(reply, query));
  }
}

TEST_F(Nat, PoolExhausted) {
  SnapshotBuilder b = open_network(1);
  const NatRules rules = pool_rules(b, 1, "10.2.0.100", "10.2.0.100", 2'000, 2'001);
  TestHub hub(b.nat(rules).build());
  for (const uint16_t port : {uint16_t{5'000}, uint16_t{5'001}})
    EXPECT_EQ(hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, udp(port, 53))).size(), 1u);
  hub.moved();
  EXPECT_TRUE(hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, udp(5'002, 53))).empty());
  EXPECT_EQ(hub.moved(), dropped(nat_exhausted));
  EXPECT_EQ(rules.pools[0].pool->use().exhausted, 1u);
  EXPECT_EQ(hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, udp(5'000, 54))).size(), 1u)
      << "the same binding";
}

TEST_F(Nat, TooManyBindings) {
  SnapshotBuilder b = open_network(1);
  TestHub hub(b.nat(pool_rules(b, 1)).build(), {.nat_bindings = 1});
  EXPECT_EQ(hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, udp(5'000, 53))).size(), 1u);
  hub.moved();
  EXPECT_TRUE(hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, udp(5'001, 53))).empty());
  EXPECT_EQ(hub.moved(), dropped(nat_bindings_full));
}

TEST_F(Nat, WhoseAddressStandsForAnother) {
  SnapshotBuilder b = open_network(1);
  NatRules rules;
  StaticRule rule;
  rule.domain = b.domain_id("green");
  rule.inside = *net::parse_prefix("10.3.0.5/32");
  rule.outside = *net::parse_prefix("10.1.0.5/32");  // which a's host has itself
  rule.seen_by = {b.domain_id("blue")};
  rules.fixed.push_back(rule);
  TestHub hub(b.nat(rules).build());
  EXPECT_TRUE(hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, udp())).empty());
  EXPECT_EQ(hub.moved(), dropped(nat_conflict));
}

TEST_F(Nat, APacketThatIsTooLargeOrTooOldIsToldAboutAsItWas) {
  SnapshotBuilder b = open_network(1);
  TestHub hub(b.nat(pool_rules(b, 1)).build());
  for (const uint8_t ttl : {uint8_t{64}, uint8_t{1}}) {
    const Bytes bytes =
        tunnelled(kA, frame(kA.hub_mac, kA.host_mac, {kA.host4, kB.host4}, udp(5'000, 53), ttl));
    EXPECT_EQ(hub.pass_through(bytes).size(), ttl == 64 ? 1u : 0u);
  }
  const auto punts = hub.plane().take_punts(8);
  ASSERT_EQ(punts.size(), 1u);
  const Bytes held(punts[0].frame.begin(), punts[0].frame.end());
  EXPECT_EQ(held, frame(kA.hub_mac, kA.host_mac, {kA.host4, kB.host4}, udp(5'000, 53), 1));
  hub.plane().discard(punts[0], ttl_exceeded);
}

TEST_F(Nat, ARuleThatGoesCutsItsSessions) {
  SnapshotBuilder b = open_network(1);
  const NatRules rules = pool_rules(b, 1);
  TestHub hub(b.nat(rules).build());
  const Bytes bytes = sent_by(kA, {kA.host4, kB.host4}, udp(5'000, 53));
  EXPECT_EQ(hub.pass_through(bytes).size(), 1u);
  hub.publish(b.nat({}).build());
  hub.moved();
  EXPECT_TRUE(hub.pass_through(bytes).empty());
  EXPECT_EQ(
      hub.moved(),
      dropped(nat_changed) +
          Counts({{"redecided_nat", 1}, {"cut_nat", 1}, {"sessions_expired", 1}, {"sessions_live", -1}}));
  expect_at(hub.pass_through(bytes), kB, {kA.host4, kB.host4}, udp(5'000, 53));
  hub.moved();
  // What stays as it is was looked at because of the change all the same; then policy is policy again.
  hub.publish(b.nat(web_rules(b)).build());
  EXPECT_EQ(hub.pass_through(bytes).size(), 1u);
  EXPECT_EQ(hub.moved(), forwarded() + Counts({{"redecided_nat", 1}}));
  hub.publish(b.build());
  EXPECT_EQ(hub.pass_through(bytes).size(), 1u);
  EXPECT_EQ(hub.moved(), forwarded() + Counts({{"redecided_policy", 1}}));
}

TEST_F(Nat, ABindingOutlivesAChangeOfItsPool) {
  SnapshotBuilder b = open_network(1);
  TestHub hub(b.nat(pool_rules(b, 1)).build());
  const Bytes bytes = sent_by(kA, {kA.host4, kB.host4}, udp(5'000, 53));
  const auto before = hub.pass_through(bytes);
  ASSERT_EQ(before.size(), 1u);
  const NatRules wider = pool_rules(b, 1, "10.2.0.90", "10.2.0.120", 4'000, 6'000);
  hub.publish(b.nat(wider).build());
  const auto after = hub.pass_through(bytes);
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(inner_of(after[0]), inner_of(before[0]));
  EXPECT_EQ(wider.pools[0].pool->use().taken, 1u);
  hub.publish(b.nat(pool_rules(b, 1, "10.2.0.90", "10.2.0.95")).build());
  hub.moved();
  EXPECT_TRUE(hub.pass_through(bytes).empty());
  EXPECT_EQ(hub.moved()["drop nat_changed"], 1);
  EXPECT_EQ(wider.pools[0].pool->use().taken, 1u) << "that pool is gone, and nobody reads it any more";
}

TEST_F(Nat, ABindingOfAHostThatTheRulesNoLongerHaveLetsNobodyIn) {
  SnapshotBuilder b = open_network(1);
  const NatRules rules = pool_rules(b, 1);
  const auto with = [&](auto change) {
    NatRules changed = rules;
    change(changed.pools[0]);
    return changed;
  };
  const struct {
    const char* name;
    NatRules rules;
    bool let_in;
  } rows[] = {
      {"the same", rules, true},
      {"another domain's", with([&](PoolRule& pool) { pool.from = {b.domain_id("green")}; }), false},
      {"other sources", with([](PoolRule& pool) { pool.sources = {*net::parse_prefix("10.77.0.0/16")}; }),
       false},
      {"other ports", pool_rules(b, 1, "10.2.0.100", "10.2.0.103", 20'000, 65'535), false},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    TestHub hub(b.nat(pool_rules(b, 1)).build());
    const auto out = hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, udp(5'000, 53)));
    ASSERT_EQ(out.size(), 1u);
    const std::string seen = source_address(out[0]);
    const uint16_t port = source_port(out[0]);
    ASSERT_EQ(port, 5'000);
    const auto from_outside = [&](uint16_t from) {
      return hub.pass_through(sent_by(kB, {kB.host4, seen}, udp(from, port)));
    };
    EXPECT_EQ(from_outside(54).size(), 1u) << "another peer, while it may";
    hub.publish(b.nat(row.rules).build());
    hub.moved();
    // A session that began before holds the binding still.
    const auto got = from_outside(55);
    if (row.let_in) {
      expect_at(got, kA, {kB.host4, kA.host4}, udp(55, 5'000));
    } else {
      EXPECT_TRUE(got.empty());
      EXPECT_EQ(hub.moved(), dropped(nat_closed));
      EXPECT_TRUE(from_outside(54).empty()) << "nor one that began so";
      EXPECT_EQ(hub.moved()["cut_nat"], 1);
    }
  }
}

TEST_F(Nat, TheHubAnswersForAddressesThatStandForOthers) {
  SnapshotBuilder b = open_network(1);
  NatRules rules = pool_rules(b, 1);
  rules.published = web_rules(b).published;
  TestHub hub(b.nat(rules).build());
  const net::Mac all{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  for (const char* address : {"10.2.0.100", "10.2.0.103", "10.2.0.80"}) {
    const Bytes question =
        PacketBuilder().ether(all, kB.host_mac).arp_request(kB.host_mac, kB.host4, address).build();
    expect_sent(hub.pass_through(tunnelled(kB, question)), kB,
                PacketBuilder()
                    .ether(kB.host_mac, kB.hub_mac)
                    .arp_reply(kB.hub_mac, address, kB.host_mac, kB.host4)
                    .build());
  }
  for (const auto& [spoke, address] : {std::pair(&kB, "10.2.0.104"), std::pair(&kA, "10.2.0.100")}) {
    const Bytes question = PacketBuilder()
                               .ether(all, spoke->host_mac)
                               .arp_request(spoke->host_mac, spoke->host4, address)
                               .build();
    EXPECT_TRUE(hub.pass_through(tunnelled(*spoke, question)).empty()) << address;
  }
  hub.plane().take_notes(64);
}

}  // namespace
}  // namespace weir::test
