// What goes to control, and what control makes of it.
#include <gtest/gtest.h>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::DropReason;
using dataplane::Punt;
using dataplane::PuntReason;

Bytes frame_of(const Punt& punt) { return {punt.frame.begin(), punt.frame.end()}; }

void learn(SnapshotBuilder& b, const Spoke& spoke, Ip ip) {
  ASSERT_TRUE(
      b.adjacencies().set(b.attachment_id(spoke.name), *net::parse_ip(host_of(spoke, ip)), spoke.host_mac));
}

TEST(Punt, AnUnresolvedNextHopHoldsThePacket) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    SnapshotBuilder b = network(false);
    TestHub hub(b.build());
    // First the way back has to be known, then the way there.
    const Spoke* unknown[] = {&kA, &kB};
    EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(), ip)).empty());
    Counts moves = punted();
    for (const Spoke* spoke : unknown) {
      EXPECT_EQ(hub.moved(), moves);
      const auto punts = hub.plane().take_punts(8);
      ASSERT_EQ(punts.size(), 1u);
      EXPECT_EQ(punts[0].reason, PuntReason::resolve);
      EXPECT_EQ(punts[0].attachment, b.attachment_id(spoke->name));
      EXPECT_EQ(net::to_string(punts[0].target), host_of(*spoke, ip));
      EXPECT_EQ(frame_of(punts[0]), inner(kA, kB, udp(), ip));
      EXPECT_EQ(hub.plane().held(), 1u);
      learn(b, *spoke, ip);
      hub.plane().resume(punts[0]);
      hub.settle();
      moves = {{"resumed", 1}, {"punted", 1}};
    }
    expect_forwarded(hub.sent(), kA, kB, udp(), ip);
    EXPECT_EQ(
        hub.moved(),
        Counts({{"resumed", 1}, {"tx", 1}, {"forwarded", 1}, {"sessions_created", 1}, {"sessions_live", 1}}));
    EXPECT_EQ(hub.plane().held(), 0u);
  }
}

TEST(Punt, WaitsForTheRouterNotForTheDestination) {
  SnapshotBuilder b = network();
  b.route("blue", "172.16.0.0/12", "b", "10.2.0.99");
  TestHub hub(b.build());
  hub.pass_through(tunnelled(
      kA, PacketBuilder().ether(kA.hub_mac, kA.host_mac).ipv4(kA.host4, "172.16.0.1").udp(1, 2).build()));
  const auto punts = hub.plane().take_punts(8);
  ASSERT_EQ(punts.size(), 1u);
  EXPECT_EQ(net::to_string(punts[0].target), "10.2.0.99");
  hub.plane().discard(punts[0], DropReason::neighbor_unresolved);
}

TEST(Punt, DiscardCounts) {
  TestHub hub(network(false).build());
  hub.pass_through(from_spoke(kA, kB, udp()));
  const auto punts = hub.plane().take_punts(8);
  ASSERT_EQ(punts.size(), 1u);
  hub.plane().discard(punts[0], DropReason::neighbor_unresolved);
  EXPECT_EQ(hub.plane().control_dropped(DropReason::neighbor_unresolved), 1u);
  EXPECT_EQ(hub.plane().control_dropped(DropReason::punt_unwanted), 0u);
  EXPECT_EQ(hub.plane().held(), 0u);
}

TEST(Punt, TtlRunsOut) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    for (const uint8_t ttl : {uint8_t{1}, uint8_t{0}}) {
      SnapshotBuilder b = network();
      TestHub hub(b.build());
      EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(), ip, ttl)).empty());
      EXPECT_EQ(hub.moved(), punted() + Counts({{"sessions_created", 1}, {"sessions_live", 1}}));
      const auto punts = hub.plane().take_punts(8);
      ASSERT_EQ(punts.size(), 1u);
      EXPECT_EQ(punts[0].reason, PuntReason::ttl_exceeded);
      EXPECT_EQ(punts[0].attachment, b.attachment_id("a"));
      EXPECT_EQ(frame_of(punts[0]), inner(kA, kB, udp(), ip, ttl)) << "as it came, for the quote";
      hub.plane().discard(punts[0], DropReason::ttl_exceeded);
    }
    TestHub hub(network().build());
    const auto got = hub.pass_through(from_spoke(kA, kB, udp(), ip, 2));
    expect_sent(got, kB, inner_forwarded(kA, kB, udp(), ip, 1));
  }
}

TEST(Punt, LargerThanTheEgressMtu) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    SnapshotBuilder b = network();
    TestHub hub(b.build());
    const size_t headers = ip == Ip::v4 ? 28 : 48;
    const Transport large = udp(1, 2, std::string(1'451 - headers, 'x'));
    EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, large, ip)).empty());
    const auto punts = hub.plane().take_punts(8);
    ASSERT_EQ(punts.size(), 1u);
    EXPECT_EQ(punts[0].reason, PuntReason::mtu_exceeded);
    EXPECT_EQ(punts[0].mtu, 1'450);
    EXPECT_EQ(punts[0].attachment, b.attachment_id("a"));
    EXPECT_EQ(frame_of(punts[0]), inner(kA, kB, large, ip));
    hub.plane().discard(punts[0], DropReason::mtu_exceeded);
  }
}

/// Multicast and broadcast that a's host sends, of every kind that control does not need itself.
std::vector<Bytes> multicast_of_a() {
  const net::Mac everybody{{255, 255, 255, 255, 255, 255}};
  return {
      PacketBuilder().ether(everybody, kA.host_mac).ipv4(kA.host4, "255.255.255.255").udp(68, 67).build(),
      PacketBuilder().ether(everybody, kA.host_mac).ipv4(kA.host4, "10.1.0.255").udp(137, 137).build(),
      PacketBuilder().ether(net::Mac{{1, 0, 0x5e, 0, 0, 5}}, kA.host_mac).ipv4(kA.host4, "224.0.0.5").build(),
      PacketBuilder()
          .ether(net::Mac{{0x33, 0x33, 0, 0, 0, 0xfb}}, kA.host_mac)
          .ipv6(kA.host6, "ff02::fb")
          .udp(5353, 5353)
          .build(),
      PacketBuilder()
          .ether(net::Mac{{0x33, 0x33, 0, 0, 0, 2}}, kA.host_mac)
          .ipv6("fe80::5", "ff02::2")
          .ttl(255)
          .icmp(133, 0)
          .build(),
      PacketBuilder()
          .ether(net::Mac{{1, 0x80, 0xc2, 0, 0, 0x0e}}, kA.host_mac)
          .type(0x88cc)
          .payload("LLDP")
          .build(),
  };
}

TEST(Punt, MulticastGoesToControlWhereAPortWaitsForIt) {
  for (const bool wanted : {true, false}) {
    SnapshotBuilder b = network();
    if (wanted) b.change("a", [](dataplane::Attachment& a) { a.multicast_port = dataplane::PortIndex{3}; });
    TestHub hub(b.build());
    for (const Bytes& frame : multicast_of_a()) {
      EXPECT_TRUE(hub.pass_through(tunnelled(kA, frame)).empty());
      const auto punts = hub.plane().take_punts(8);
      if (!wanted) {
        EXPECT_TRUE(punts.empty());
        const bool lldp = frame[12] == 0x88;
        EXPECT_EQ(hub.moved(), dropped(lldp ? DropReason::inner_ethertype : DropReason::inner_multicast));
        continue;
      }
      EXPECT_EQ(hub.moved(), punted());
      ASSERT_EQ(punts.size(), 1u);
      EXPECT_EQ(punts[0].reason, PuntReason::multicast);
      EXPECT_EQ(punts[0].attachment, b.attachment_id("a"));
      EXPECT_EQ(frame_of(punts[0]), frame) << "as it was inside the tunnel";
      hub.plane().discard(punts[0], DropReason::none);
    }
    // Another spoke's is not; and what the hub answers itself it goes on answering.
    hub.pass_through(tunnelled(kB, PacketBuilder()
                                       .ether(net::Mac{{255, 255, 255, 255, 255, 255}}, kB.host_mac)
                                       .ipv4(kB.host4, "255.255.255.255")
                                       .udp(68, 67)
                                       .build()));
    EXPECT_EQ(hub.moved(), dropped(DropReason::inner_multicast));
    hub.inject(tunnelled(kA, PacketBuilder()
                                 .ether(net::Mac{{255, 255, 255, 255, 255, 255}}, kA.host_mac)
                                 .arp_request(kA.host_mac, kA.host4, kA.gateway4)
                                 .build()));
    hub.inject(tunnelled(kA, PacketBuilder()
                                 .ether(net::Mac{{0x33, 0x33, 0xff, 0, 0, 1}}, kA.host_mac)
                                 .ipv6(kA.host6, "ff02::1:ff00:1")
                                 .nd_solicit(kA.gateway6, kA.host_mac)
                                 .build()));
    hub.settle();
    EXPECT_EQ(hub.sent().size(), 2u);
    hub.pass_through(tunnelled(
        kA, PacketBuilder().ether(kB.hub_mac, kA.host_mac).ipv4(kA.host4, kB.host4).udp(1, 2).build()));
    hub.moved();
  }
}

TEST(Punt, AFloodOfMulticastIsHeldToTheAttachmentsShare) {
  SnapshotBuilder b = network();
  for (const char* name : {"a", "b"})
    b.change(name, [](dataplane::Attachment& a) { a.multicast_port = dataplane::PortIndex{3}; });
  TestHub hub(b.build(), {.buffers = 8'191, .punts_per_second = 1'000});
  for (int i = 0; i < 600; ++i) hub.inject(tunnelled(kA, multicast_of_a()[0]));
  hub.inject(tunnelled(kB, PacketBuilder()
                               .ether(net::Mac{{255, 255, 255, 255, 255, 255}}, kB.host_mac)
                               .ipv4(kB.host4, "255.255.255.255")
                               .udp(68, 67)
                               .build()));
  hub.settle();
  const auto punts = hub.plane().take_punts(1'000);
  size_t of_b = 0;
  for (const Punt& punt : punts) {
    of_b += punt.attachment == b.attachment_id("b");
    hub.plane().discard(punt, DropReason::none);
  }
  EXPECT_EQ(of_b, 1u);
  const size_t share = dataplane::DataplaneSettings{}.punts_per_attachment;
  EXPECT_EQ(punts.size(), share + 1);
  EXPECT_EQ(hub.moved(),
            Counts({{"rx", 601}, {"punted", share + 1}, {"drop punt_rate_limited", 600 - share}}));
}

TEST(Punt, RateLimit) {
  SnapshotBuilder b = network(false);
  TestHub hub(b.build(), {.punts_per_second = 10});
  const auto burst = [&](int packets) {
    for (int i = 0; i < packets; ++i) hub.inject(from_spoke(kA, kB, udp()));
    hub.settle();
  };
  const auto discard_all = [&] {
    const auto punts = hub.plane().take_punts(64);
    for (const Punt& punt : punts) hub.plane().discard(punt, DropReason::punt_unwanted);
    return punts.size();
  };
  burst(15);
  EXPECT_EQ(hub.moved(), Counts({{"rx", 15}, {"punted", 10}, {"drop punt_rate_limited", 5}}));
  EXPECT_EQ(discard_all(), 10u);
  hub.pass_seconds(0.5);
  burst(15);
  EXPECT_EQ(hub.moved(), Counts({{"rx", 15}, {"punted", 5}, {"drop punt_rate_limited", 10}}));
  EXPECT_EQ(discard_all(), 5u);
  hub.pass_seconds(3600);
  burst(15);
  EXPECT_EQ(hub.moved(), Counts({{"rx", 15}, {"punted", 10}, {"drop punt_rate_limited", 5}}))
      << "a second's worth";
  EXPECT_EQ(discard_all(), 10u);
}

TEST(Punt, AFullRing) {
  TestHub hub(network(false).build(), {.ring_size = 8});
  for (int i = 0; i < 10; ++i) hub.inject(from_spoke(kA, kB, udp()));
  hub.settle();
  EXPECT_EQ(hub.moved(), Counts({{"rx", 10}, {"punted", 8}, {"drop punt_full", 2}}));
  const auto punts = hub.plane().take_punts(64);
  EXPECT_EQ(punts.size(), 8u);
  for (const Punt& punt : punts) hub.plane().discard(punt, DropReason::punt_unwanted);
}

TEST(Punt, ResumeWithAFullRingIsADrop) {
  SnapshotBuilder b = network(false);
  TestHub hub(b.build(), {.ring_size = 4});
  std::vector<Punt> all;
  for (int i = 0; i < 6; ++i) {
    hub.pass_through(from_spoke(kA, kB, udp()));
    for (const Punt& punt : hub.plane().take_punts(8)) all.push_back(punt);
  }
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(hub.plane().held(), 6u);
  learn(b, kA, Ip::v4);
  learn(b, kB, Ip::v4);
  for (const Punt& punt : all) hub.plane().resume(punt);
  hub.settle();
  EXPECT_EQ(hub.sent().size(), 4u);
  EXPECT_EQ(hub.plane().control_dropped(DropReason::punt_full), 2u);
  EXPECT_EQ(hub.plane().held(), 0u);
}

/// A router of the underlay, on a port that DPDK owns, about a packet that the hub has sent through b's
/// tunnel.
TEST(Punt, TooBigOfTheUnderlay) {
  for (const Ip outer : {Ip::v4, Ip::v6}) {
    SCOPED_TRACE(outer == Ip::v4 ? "IPv4" : "IPv6");
    const bool v4 = outer == Ip::v4;
    constexpr const char* kHubAddress6 = "2001:db8:f::1";
    const char *hub_address = v4 ? kHubAddress : kHubAddress6, *peer = v4 ? kB.tunnel_end : "2001:db8:f::20";
    SnapshotBuilder b;
    b.port("p0", kPortMac, kHubAddress).address(kHubAddress6).domain("red").domain("blue");
    b.attachment("a", "red", kA.vni, kA.tunnel_end, "10.1.0.1/24,2001:db8:1::1/64");
    dataplane::Tunnel tunnel;
    tunnel.id = kB.vni;
    tunnel.udp_port = 4789;
    tunnel.local = *net::parse_ip(hub_address);
    tunnel.remote = *net::parse_ip(peer);
    tunnel.udp_checksum = !v4;
    b.attachment("b", "blue", tunnel, "10.2.0.1/24,2001:db8:2::1/64");
    for (const Spoke* s : {&kA, &kB}) know_host(b, *s);
    b.connection("red", "blue").rule({.id = "all", .action = dataplane::PolicyAction::allow});
    TestHub hub(b.build(), {.punts_per_second = 200});
    const auto sent = hub.pass_through(from_spoke(kA, kB, udp(1000, 2000, std::string(1'300, 'x'))));
    ASSERT_EQ(sent.size(), 1u);
    hub.moved();
    const Bytes packet(sent[0].begin() + 14, sent[0].end());
    const Bytes quoted(packet.begin(), packet.begin() + (v4 ? 548 : 1'232));

    const net::Mac router{{2, 0, 0, 0, 9, 9}};
    const auto message = [&](uint8_t type, uint8_t code, const char* to) {
      PacketBuilder p =
          PacketBuilder().ether(kPortMac, router).ip(v4 ? "198.18.0.254" : "2001:db8:f::fe", to);
      return p.icmp_error(type, code, quoted, 1'280).build();
    };
    const Bytes said = message(v4 ? 3 : 2, v4 ? 4 : 0, hub_address);
    hub.show_judge(said);
    EXPECT_TRUE(hub.pass_through(said).empty());
    EXPECT_EQ(hub.moved(), punted());
    const auto punts = hub.plane().take_punts(8);
    ASSERT_EQ(punts.size(), 1u);
    EXPECT_EQ(punts[0].reason, PuntReason::underlay_icmp);
    EXPECT_FALSE(punts[0].attachment.valid());
    EXPECT_EQ(frame_of(punts[0]), said);
    hub.plane().discard(punts[0], DropReason::none);

    // Other errors, and what is not for the hub, are nothing that control wants.
    for (const Bytes& other :
         {message(v4 ? 3 : 1, v4 ? 3 : 4, hub_address), message(v4 ? 11 : 3, 0, hub_address)}) {
      hub.show_judge(other);
      EXPECT_TRUE(hub.pass_through(other).empty());
      EXPECT_EQ(hub.moved(), dropped(DropReason::outer_protocol));
    }
    EXPECT_TRUE(
        hub.pass_through(message(v4 ? 3 : 2, v4 ? 4 : 0, v4 ? "198.18.0.77" : "2001:db8:f::77")).empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::outer_not_for_hub));
    Bytes cut = said;
    cut.resize(cut.size() - 1);
    EXPECT_TRUE(hub.pass_through(cut).empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::outer_truncated));

    // A flood of them uses up its own rate and nobody else's.
    for (int i = 0; i < 900; ++i) hub.inject(said);
    hub.inject(from_spoke(kA, kB, udp(1000, 2000), Ip::v4, 1));
    hub.settle();
    size_t of_the_underlay = 0, others = 0;
    for (const Punt& punt : hub.plane().take_punts(2'048)) {
      (punt.reason == PuntReason::underlay_icmp ? of_the_underlay : others) += 1;
      hub.plane().discard(punt, DropReason::none);
    }
    EXPECT_LT(of_the_underlay, 900u);
    EXPECT_EQ(others, 1u);
    const Counts flood = hub.moved();
    EXPECT_EQ(flood.at("drop punt_rate_limited"), static_cast<int64_t>(900 - of_the_underlay));
  }
}

TEST(Punt, WhatControlMakesIsSent) {
  SnapshotBuilder b = network();
  TestHub hub(b.build(), {.ports = 1});
  const Bytes whole = PacketBuilder()
                          .ether(kA.tunnel_mac, kPortMac)
                          .arp_request(kPortMac, kHubAddress, kA.tunnel_end)
                          .build();
  ASSERT_TRUE(hub.plane().send_frame(0, whole));
  const Bytes inside =
      PacketBuilder().ether(kB.host_mac, kB.hub_mac).arp_request(kB.hub_mac, kB.gateway4, kB.host4).build();
  ASSERT_TRUE(hub.plane().send_inner(b.attachment_id("b"), inside));
  hub.settle();
  const auto got = hub.sent();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0], whole);
  EXPECT_EQ(got[1], hub_tunnelled(kB, inside, got[1]));
  EXPECT_EQ(hub.moved(), Counts({{"generated", 2}, {"tx", 2}}));

  // An attachment that is gone, a frame that is too large.
  b.remove_attachment("b");
  hub.publish(b.build());
  EXPECT_TRUE(hub.plane().send_inner(b.attachment_id("b"), inside));
  EXPECT_FALSE(hub.plane().send_frame(0, Bytes(70'000)));
  EXPECT_FALSE(hub.plane().send_frame(0, Bytes(3'000)));
  hub.settle();
  EXPECT_TRUE(hub.sent().empty());
  EXPECT_EQ(hub.moved(), Counts({{"generated", 1}, {"drop stale_attachment", 1}}));
}

}  // namespace
}  // namespace weir::test
