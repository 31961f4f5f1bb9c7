// VXLAN in, VXLAN out: every byte of what comes out, and every counter that moves.
#include <gtest/gtest.h>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

struct Row {
  const char* name;
  Ip ip;
  Transport there;
  Transport back;
};

const Row kConversations[] = {
    {"UDP", Ip::v4, udp(1000, 2000, "question"), udp(2000, 1000, "answer")},
    {"UDP inside IPv6", Ip::v6, udp(1000, 2000, "question"), udp(2000, 1000, "answer")},
    {"UDP without payload", Ip::v4, udp(1, 65'535, ""), udp(65'535, 1, "")},
    {"UDP without checksum", Ip::v4, [](PacketBuilder& b) { b.udp(1, 2).no_checksum().payload("x"); },
     [](PacketBuilder& b) { b.udp(2, 1).no_checksum().payload("y"); }},
    {"TCP", Ip::v4, tcp(kSyn, 100), tcp(kSyn | kAck, 500, 101, "", 80, 1000)},
    {"TCP inside IPv6, with options", Ip::v6,
     [](PacketBuilder& b) {
       b.tcp(1000, 80, kSyn, 7).tcp_options({2, 4, 5, 0x64, 1, 3, 3, 7});
     },
     [](PacketBuilder& b) {
       b.tcp(80, 1000, kSyn | kAck, 9, 8).tcp_options({2, 4, 5, 0x64});
     }},
    {"echo", Ip::v4, echo(), echo(77, 1, true)},
    {"echo inside IPv6", Ip::v6, echo(), echo(77, 1, true)},
    {"a protocol without ports", Ip::v4, [](PacketBuilder& b) { b.type(50).filler(64); },
     [](PacketBuilder& b) { b.type(50).filler(32); }},
    {"IP options", Ip::v4,
     [](PacketBuilder& b) {
       b.options({0x94, 4, 0, 0}).udp(1, 2).payload("x");
     },
     [](PacketBuilder& b) {
       b.options({1, 1, 1, 0}).udp(2, 1).payload("x");
     }},
    {"extension headers", Ip::v6, [](PacketBuilder& b) { b.extension(60).udp(1, 2).payload("x"); },
     [](PacketBuilder& b) { b.extension(0).extension(43).udp(2, 1).payload("x"); }},
    {"an atomic fragment (RFC 6946)", Ip::v6,
     [](PacketBuilder& b) { b.fragment6(0, false, 9).udp(1, 2).payload("x"); },
     [](PacketBuilder& b) { b.udp(2, 1).payload("x"); }},
    {"IP id, don't fragment and all else is kept", Ip::v4,
     [](PacketBuilder& b) { b.ip_id(0xbeef).dont_fragment().udp(1, 2).payload("x"); },
     [](PacketBuilder& b) { b.ip_id(0xffff).udp(2, 1).payload("x"); }},
};

TEST(Forward, ThereAndBack) {
  for (const Row& row : kConversations) {
    SCOPED_TRACE(row.name);
    TestHub hub(network().build());
    expect_forwarded(hub.pass_through(from_spoke(kA, kB, row.there, row.ip)), kA, kB, row.there, row.ip);
    EXPECT_EQ(hub.moved(), started());
    expect_forwarded(hub.pass_through(from_spoke(kB, kA, row.back, row.ip)), kB, kA, row.back, row.ip);
    EXPECT_EQ(hub.moved(), forwarded());
    expect_forwarded(hub.pass_through(from_spoke(kA, kB, row.there, row.ip)), kA, kB, row.there, row.ip);
    EXPECT_EQ(hub.moved(), forwarded());
  }
}

TEST(Forward, WithinADomain) {
  SnapshotBuilder b = network();
  b.rule({.id = "inside", .action = dataplane::PolicyAction::allow, .from = {"red"}, .to = {"red"}});
  TestHub hub(b.build());
  expect_forwarded(hub.pass_through(from_spoke(kA, kD, udp())), kA, kD, udp());
  EXPECT_EQ(hub.moved(), started());
}

TEST(Forward, ThroughARouterInTheSpoke) {
  SnapshotBuilder b = network();
  b.route("blue", "172.16.0.0/12", "b", "10.2.0.5");
  TestHub hub(b.build());
  const auto frame = [](net::Mac dst, net::Mac src, uint8_t ttl) {
    return PacketBuilder()
        .ether(dst, src)
        .ipv4("10.1.0.5", "172.20.1.1")
        .ttl(ttl)
        .udp(1, 2)
        .payload("x")
        .build();
  };
  const auto got = hub.pass_through(tunnelled(kA, frame(kA.hub_mac, kA.host_mac, 64)));
  expect_sent(got, kB, frame(kB.host_mac, kB.hub_mac, 63));
  EXPECT_EQ(hub.moved(), started());
}

TEST(Forward, AWrongL4ChecksumIsTheEndsAffair) {
  TestHub hub(network().build());
  const Transport spoilt = [](PacketBuilder& b) { b.udp(1, 2).bad_checksum().payload("x"); };
  hub.inject(from_spoke(kA, kB, spoilt));
  hub.settle();
  // Not by sent(): the judge of what is sent would rightly call it wrong.
  expect_forwarded(hub.port().collect(), kA, kB, spoilt);
  EXPECT_EQ(hub.moved(), started());
}

/// How a tunnel endpoint may write the outer header.
TEST(Forward, OuterHeaderVariants) {
  const Bytes inside = inner(kA, kB, udp());
  const auto outer = [] { return PacketBuilder().ether(kPortMac, kA.tunnel_mac); };
  const auto rest = [&](PacketBuilder b) {
    return b.udp(50'000, 4789).no_checksum().vxlan(kA.vni).frame(inside).build();
  };
  const std::pair<const char*, Bytes> rows[] = {
      {"VLAN tag", rest(outer().vlan(5).ipv4(kA.tunnel_end, kHubAddress))},
      {"two VLAN tags", rest(outer().vlan(5, 0x88a8).vlan(6).ipv4(kA.tunnel_end, kHubAddress))},
      {"IP options", rest(outer().ipv4(kA.tunnel_end, kHubAddress).options({1, 1, 1, 0}))},
      {"DSCP, id, TTL 1", rest(outer().ipv4(kA.tunnel_end, kHubAddress).byte(1, 0xb8).ip_id(7).ttl(1))},
      {"UDP checksum",
       outer().ipv4(kA.tunnel_end, kHubAddress).udp(1, 4789).vxlan(kA.vni).frame(inside).build()},
      {"reserved VXLAN bits (RFC 7348: ignored)", outer()
                                                      .ipv4(kA.tunnel_end, kHubAddress)
                                                      .udp(1, 4789)
                                                      .vxlan(kA.vni)
                                                      .byte(0, 0xff)
                                                      .byte(2, 1)
                                                      .byte(7, 0xff)
                                                      .frame(inside)
                                                      .build()},
      {"padding behind the outer packet", rest(outer().ipv4(kA.tunnel_end, kHubAddress).pad_to(200))},
  };
  for (const auto& [name, frame] : rows) {
    SCOPED_TRACE(name);
    TestHub hub(network().build());
    expect_forwarded(hub.pass_through(frame), kA, kB, udp());
    EXPECT_EQ(hub.moved(), started());
  }
}

TEST(Forward, InnerPaddingIsNotCarriedOn) {
  TestHub hub(network().build());
  Bytes inside = inner(kA, kB, udp());
  inside.resize(inside.size() + 18);
  expect_forwarded(hub.pass_through(tunnelled(kA, inside)), kA, kB, udp());
  EXPECT_EQ(hub.moved(), started());
}

TEST(Forward, SourcePortKeepsAFlowTogetherAndSpreadsFlows) {
  TestHub hub(network().build());
  std::map<uint16_t, int> ports;
  for (uint16_t flow = 0; flow < 256; ++flow) {
    const Transport one = udp(static_cast<uint16_t>(1000 + flow), 2000);
    const auto first = hub.pass_through(from_spoke(kA, kB, one));
    const auto second = hub.pass_through(from_spoke(kA, kB, one));
    ASSERT_EQ(first.size(), 1u);
    EXPECT_EQ(first, second);
    ++ports[outer_source_port(first[0])];
  }
  EXPECT_GT(ports.size(), 200u);
  EXPECT_GE(ports.begin()->first, 49'152);
}

TEST(Forward, ABurstStaysInOrder) {
  TestHub hub(network().build());
  for (uint16_t i = 0; i < 1'000; ++i) {
    hub.inject(from_spoke(kA, kB, udp(static_cast<uint16_t>(1 + i % 7), 2000, std::to_string(i))));
  }
  hub.settle();
  const auto got = hub.sent();
  ASSERT_EQ(got.size(), 1'000u);
  for (uint16_t i = 0; i < 1'000; ++i) {
    expect_forwarded({got[i]}, kA, kB, udp(static_cast<uint16_t>(1 + i % 7), 2000, std::to_string(i)));
  }
  EXPECT_EQ(hub.moved(), forwarded(1'000) + Counts({{"sessions_created", 7}, {"sessions_live", 7}}));
}

TEST(Forward, LargestPacketThatFits) {
  TestHub hub(network().build());
  const size_t payload = 1'450 - 28;  // the attachment's MTU: 1500 less the outer headers
  const Transport large = udp(1, 2, std::string(payload, 'x'));
  expect_forwarded(hub.pass_through(from_spoke(kA, kB, large)), kA, kB, large);
  EXPECT_EQ(hub.moved(), started());
}

TEST(Forward, TwoSpokesWithTheSameAddresses) {
  // The domain is part of the session's key: equal tuples in two domains are two sessions.
  SnapshotBuilder b;
  b.domain("one").domain("two");
  b.attachment("a", "one", 10, kA.tunnel_end, "10.1.0.1/24")
      .attachment("b", "one", 20, kB.tunnel_end, "10.2.0.1/24");
  b.attachment("c", "two", 30, kC.tunnel_end, "10.1.0.1/24")
      .attachment("d", "two", 40, kD.tunnel_end, "10.2.0.1/24");
  b.rule({.id = "all", .action = dataplane::PolicyAction::allow});
  const auto learn = [&](const char* attachment, const char* address, net::Mac mac) {
    ASSERT_TRUE(b.adjacencies().set(b.attachment_id(attachment), *net::parse_ip(address), mac));
  };
  learn("a", "10.1.0.5", kA.host_mac);
  learn("b", "10.2.0.5", kB.host_mac);
  learn("c", "10.1.0.5", kC.host_mac);
  learn("d", "10.2.0.5", kD.host_mac);
  Spoke c = kC, d = kD;
  c.host4 = "10.1.0.5";
  d.host4 = "10.2.0.5";
  TestHub hub(b.build());
  expect_forwarded(hub.pass_through(from_spoke(kA, kB, udp())), kA, kB, udp());
  expect_forwarded(hub.pass_through(from_spoke(c, d, udp())), c, d, udp());
  EXPECT_EQ(hub.moved(), started(2));
  expect_forwarded(hub.pass_through(from_spoke(d, c, udp(2000, 1000))), d, c, udp(2000, 1000));
  expect_forwarded(hub.pass_through(from_spoke(kB, kA, udp(2000, 1000))), kB, kA, udp(2000, 1000));
  EXPECT_EQ(hub.moved(), forwarded(2));
}

}  // namespace
}  // namespace weir::test
