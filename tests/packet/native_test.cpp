// Ports and VLANs in the place of tunnels, VLANs of the underlay, and neighbour discovery there.
#include <gtest/gtest.h>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;
using enum DropReason;

constexpr net::Mac kLanMac{{2, 0, 0, 0, 0, 2}};
constexpr const char* kHubAddress6 = "2001:db8:f::1";

struct Vlans {
  const char* name;
  uint16_t vlan, outer;
};
constexpr Vlans kVlans[] = {{"untagged", 0, 0}, {"a VLAN", 20, 0}, {"QinQ", 20, 200}};

/// a behind VXLAN on port 0; b is port 1, or a VLAN on it.
SnapshotBuilder network_of(const Vlans& v) {
  SnapshotBuilder b;
  b.port("p0", kPortMac, kHubAddress).port("lan", kLanMac, "198.19.0.1");
  b.domain("red").domain("blue");
  b.attachment("a", "red", kA.vni, kA.tunnel_end, "10.1.0.1/24,2001:db8:1::1/64");
  Tunnel t;
  t.kind = TunnelKind::native;
  t.port = 1;
  t.vlan = v.vlan;
  t.outer_vlan = v.outer;
  b.attachment("b", "blue", t, "10.2.0.1/24,2001:db8:2::1/64");
  for (const Spoke* s : {&kA, &kB}) know_host(b, *s);
  b.connection("red", "blue");
  b.rule({.id = "all", .action = PolicyAction::allow});
  return b;
}

PacketBuilder lan(const Vlans& v, net::Mac dst, net::Mac src) {
  PacketBuilder b;
  b.ether(dst, src);
  if (v.outer != 0) b.vlan(v.outer, 0x88a8);
  if (v.vlan != 0) b.vlan(v.vlan);
  return b;
}

Bytes ip_frame(const Vlans& v, net::Mac dst, net::Mac src, const char* from, const char* to,
               const Transport& transport, uint8_t ttl) {
  PacketBuilder b = lan(v, dst, src);
  b.ip(from, to).ttl(ttl);
  transport(b);
  return b.build();
}

TEST(Native, BothWays) {
  for (const Vlans& v : kVlans) {
    for (const Ip ip : {Ip::v4, Ip::v6}) {
      SCOPED_TRACE(v.name);
      TestHub hub(network_of(v).build(), {.ports = 2});
      hub.inject(ip_frame(v, kLanMac, kB.host_mac, host_of(kB, ip), host_of(kA, ip), udp(), 64), 0, 1);
      hub.settle();
      expect_forwarded(hub.sent(), kB, kA, udp(), ip);
      EXPECT_EQ(hub.moved(), started());
      EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(2000, 1000), ip)).empty());
      const auto got = hub.sent(1);
      ASSERT_EQ(got.size(), 1u);
      EXPECT_EQ(got[0],
                ip_frame(v, kB.host_mac, kLanMac, host_of(kA, ip), host_of(kB, ip), udp(2000, 1000), 63));
      EXPECT_EQ(hub.moved(), forwarded());
    }
  }
}

TEST(Native, AnswersForItsGateway) {
  const net::Mac all{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, group{{0x33, 0x33, 0xff, 0, 0, 1}};
  for (const Vlans& v : kVlans) {
    SCOPED_TRACE(v.name);
    TestHub hub(network_of(v).build(), {.ports = 2});
    hub.inject(lan(v, all, kB.host_mac).arp_request(kB.host_mac, kB.host4, kB.gateway4).build(), 0, 1);
    hub.settle();
    auto got = hub.sent(1);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0],
              lan(v, kB.host_mac, kLanMac).arp_reply(kLanMac, kB.gateway4, kB.host_mac, kB.host4).build());
    hub.inject(lan(v, group, kB.host_mac)
                   .ipv6(kB.host6, "ff02::1:ff00:1")
                   .ttl(255)
                   .nd_solicit(kB.gateway6, kB.host_mac)
                   .build(),
               0, 1);
    hub.settle();
    got = hub.sent(1);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0], lan(v, kB.host_mac, kLanMac)
                          .ipv6(kB.gateway6, kB.host6)
                          .ttl(255)
                          .nd_advertise(kB.gateway6, kLanMac, 0xe000'0000)
                          .build());
    EXPECT_EQ(hub.moved(), answered(2));
  }
}

TEST(Native, OtherVlansAreNotTheAttachments) {
  for (const Vlans& v : kVlans) {
    SCOPED_TRACE(v.name);
    TestHub hub(network_of(v).build(), {.ports = 2});
    const Vlans others[] = {{"", 0, 0}, {"", 20, 0}, {"", 21, 0}, {"", 20, 200}, {"", 20, 201}, {"", 200, 0}};
    for (const Vlans& other : others) {
      if (other.vlan == v.vlan && other.outer == v.outer) continue;
      hub.inject(ip_frame(other, kLanMac, kB.host_mac, kB.host4, kA.host4, udp(), 64), 0, 1);
      hub.settle();
      EXPECT_TRUE(hub.sent().empty());
      EXPECT_EQ(hub.moved(), dropped(outer_not_for_hub));
    }
  }
}

TEST(Native, BesideTheUnderlayOnOnePort) {
  SnapshotBuilder b;
  b.port("p0", kPortMac, kHubAddress).domain("red");
  Tunnel t;
  t.kind = TunnelKind::native;
  t.vlan = 20;
  b.attachment("a", "red", kA.vni, kA.tunnel_end, "10.1.0.1/24,2001:db8:1::1/64");
  b.attachment("b", "red", t, "10.2.0.1/24,2001:db8:2::1/64");
  for (const Spoke* s : {&kA, &kB}) know_host(b, *s);
  b.rule({.id = "all", .action = PolicyAction::allow});
  TestHub hub(b.build());
  const Vlans v = {"", 20, 0};
  const auto got = hub.pass_through(from_spoke(kA, kB, udp()));
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0], ip_frame(v, kB.host_mac, kPortMac, kA.host4, kB.host4, udp(), 63));
  expect_forwarded(
      hub.pass_through(ip_frame(v, kPortMac, kB.host_mac, kB.host4, kA.host4, udp(2000, 1000), 64)), kB, kA,
      udp(2000, 1000));
  hub.moved();
}

TEST(Native, TruncatedAtEveryByte) {
  for (const Vlans& v : kVlans) {
    TestHub hub(network_of(v).build(), {.ports = 2});
    const Bytes whole = ip_frame(v, kLanMac, kB.host_mac, kB.host4, kA.host4, udp(), 64);
    for (size_t size = 1; size < whole.size(); ++size) {
      hub.inject(Bytes(whole.begin(), whole.begin() + static_cast<long>(size)), 0, 1);
      hub.settle();
      EXPECT_TRUE(hub.sent().empty()) << size;
    }
    EXPECT_EQ(hub.moved()["tx"], 0);
  }
}

TEST(UnderlayVlan, WhatTheHubSendsIsTagged) {
  SnapshotBuilder b;
  b.port("p0", kPortMac, kHubAddress).underlay_vlan(77).domain("red");
  b.attachment("a", "red", kA.vni, kA.tunnel_end, "10.1.0.1/24")
      .attachment("b", "red", kB.vni, kB.tunnel_end, "10.2.0.1/24");
  for (const Spoke* s : {&kA, &kB}) know_host(b, *s);
  b.rule({.id = "all", .action = PolicyAction::allow});
  TestHub hub(b.build());
  const auto tagged = [](Bytes frame) {
    frame.insert(frame.begin() + 12, {0x81, 0x00, 0, 77});
    return frame;
  };
  const auto got = hub.pass_through(tagged(from_spoke(kA, kB, udp())));
  ASSERT_EQ(got.size(), 1u);
  Bytes plain = got[0];
  plain.erase(plain.begin() + 12, plain.begin() + 16);
  EXPECT_EQ(got[0], tagged(hub_tunnelled(kB, inner_forwarded(kA, kB, udp()), plain)));
  // What control makes, and what answers a tagged request.
  const Bytes frame = PacketBuilder()
                          .ether(kA.tunnel_mac, kPortMac)
                          .arp_request(kPortMac, kHubAddress, kA.tunnel_end)
                          .build();
  ASSERT_TRUE(hub.plane().send_frame(0, frame));
  hub.settle();
  EXPECT_EQ(hub.sent(), std::vector<Bytes>{tagged(frame)});
  const Bytes request = PacketBuilder()
                            .ether(kPortMac, kA.tunnel_mac)
                            .arp_request(kA.tunnel_mac, kA.tunnel_end, kHubAddress)
                            .build();
  const Bytes reply = PacketBuilder()
                          .ether(kA.tunnel_mac, kPortMac)
                          .arp_reply(kPortMac, kHubAddress, kA.tunnel_mac, kA.tunnel_end)
                          .build();
  EXPECT_EQ(hub.pass_through(tagged(request)), std::vector<Bytes>{tagged(reply)});
  hub.moved();
}

TEST(UnderlayDiscovery, TheHubAnswersForItsAddress) {
  SnapshotBuilder b;
  b.port("p0", kPortMac, kHubAddress).address(kHubAddress6).domain("red");
  TestHub hub(b.build());
  const net::Mac group{{0x33, 0x33, 0xff, 0, 0, 1}};
  const auto solicit = [&](net::Mac dst, const char* from, const char* to, const char* target,
                           uint8_t ttl = 255) {
    return PacketBuilder()
        .ether(dst, kA.tunnel_mac)
        .ipv6(from, to)

        .nd_solicit(target, kA.tunnel_mac)
        .ttl(ttl)
        .build();
  };
  const auto advert = [&](const char* to) {
    return PacketBuilder()
        .ether(kA.tunnel_mac, kPortMac)
        .ipv6(kHubAddress6, to)
        .ttl(255)
        .nd_advertise(kHubAddress6, kPortMac, 0xe000'0000)
        .build();
  };
  // From a global address to the group, from a link-local one to the hub, padded or not.
  const auto one = hub.pass_through(solicit(group, "2001:db8:f::9", "ff02::1:ff00:1", kHubAddress6));
  EXPECT_EQ(one, std::vector<Bytes>{advert("2001:db8:f::9")});
  Bytes padded = solicit(kPortMac, "fe80::9", kHubAddress6, kHubAddress6);
  padded.resize(padded.size() + 6);
  EXPECT_EQ(hub.pass_through(padded), std::vector<Bytes>{advert("fe80::9")});
  EXPECT_EQ(hub.moved(), answered(2));
  EXPECT_TRUE(hub.pass_through(solicit(group, "2001:db8:f::9", "ff02::1:ff00:2", "2001:db8:f::2")).empty());
  EXPECT_EQ(hub.moved(), dropped(outer_not_for_hub));
  EXPECT_TRUE(hub.pass_through(solicit(group, "2001:db8:f::9", "ff02::1:ff00:1", kHubAddress6, 254)).empty());
  EXPECT_EQ(hub.moved(), dropped(outer_bad_header));
  // Duplicate address detection of somebody else's.
  EXPECT_TRUE(hub.pass_through(solicit(group, "::", "ff02::1:ff00:1", kHubAddress6)).empty());
  EXPECT_EQ(hub.moved(), Counts({{"rx", 1}, {"consumed", 1}}));
  // Advertisements are control's.
  hub.pass_through(PacketBuilder()
                       .ether(kPortMac, kA.tunnel_mac)
                       .ipv6("2001:db8:f::9", kHubAddress6)
                       .ttl(255)
                       .nd_advertise("2001:db8:f::9", kA.tunnel_mac)
                       .build());
  EXPECT_EQ(hub.moved(), punted());
  const auto punts = hub.plane().take_punts(4);
  ASSERT_EQ(punts.size(), 1u);
  EXPECT_EQ(punts[0].reason, PuntReason::underlay_arp);
  hub.plane().discard(punts[0], none);
  // And echo.
  const auto echo_between = [&](bool reply) {
    PacketBuilder p;
    p.ether(reply ? kA.tunnel_mac : kPortMac, reply ? kPortMac : kA.tunnel_mac);
    p.ipv6(reply ? kHubAddress6 : "2001:db8:f::9", reply ? "2001:db8:f::9" : kHubAddress6);
    return p.icmp_echo(1, 2, reply).payload("abcd").build();
  };
  EXPECT_EQ(hub.pass_through(echo_between(false)), std::vector<Bytes>{echo_between(true)});
  hub.moved();
}

}  // namespace
}  // namespace weir::test
