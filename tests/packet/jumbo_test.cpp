// Packets of up to 9,216 bytes: exactly the MTU, one byte more, put together from fragments, tagged twice.
#include <gtest/gtest.h>

#include "tests/packet/fragments.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;

constexpr uint16_t kVxlan = 50;  // of IPv4, with the inner Ethernet header
constexpr uint16_t kInner = kMaxMtu - kVxlan;
constexpr uint16_t kJumboBytes = data_bytes_for(PortKind::memory, kMaxMtu);

/// As network(), with an MTU of 9,216 in the underlay.
SnapshotBuilder jumbo_network(uint16_t workers = 1) {
  SnapshotBuilder b;
  b.port("p0", kPortMac, kHubAddress, kMaxMtu).workers(workers).domain("red").domain("blue");
  for (const Spoke* s : {&kA, &kB}) {
    b.attachment(s->name, s->domain, s->vni, s->tunnel_end,
                 std::string(s->gateway4) + "/24," + s->gateway6 + "/64");
    know_host(b, *s);
  }
  b.connection("red", "blue");
  b.rule({.id = "all", .action = PolicyAction::allow});
  return b;
}

/// A UDP datagram whose IP packet has `length` bytes.
Transport filling(uint16_t length, Ip ip) {
  return udp(1, 2, std::string(length - (ip == Ip::v4 ? 28u : 48u), 'x'));
}

TEST(Jumbo, ExactlyTheMtuPassesAndOneByteMoreIsTold) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    TestHub hub(jumbo_network().build(), {.buffers = 1'023, .data_bytes = kJumboBytes});
    const Bytes largest = from_spoke(kA, kB, filling(kInner, ip), ip);
    EXPECT_EQ(largest.size(), 14u + kMaxMtu);
    expect_forwarded(hub.pass_through(largest), kA, kB, filling(kInner, ip), ip);
    EXPECT_EQ(hub.moved(), started());
    EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, filling(kInner + 1, ip), ip)).empty());
    EXPECT_EQ(hub.moved(), punted());
    const auto punts = hub.plane().take_punts(8);
    ASSERT_EQ(punts.size(), 1u);
    EXPECT_EQ(punts[0].reason, PuntReason::mtu_exceeded);
    EXPECT_EQ(punts[0].mtu, kInner);
    hub.plane().discard(punts[0], DropReason::mtu_exceeded);
  }
}

TEST(Jumbo, FromALargeMtuToASmallOne) {
  SnapshotBuilder b = jumbo_network();
  b.change("b", [](Attachment& a) { a.mtu = 1'450; });
  TestHub hub(b.build(), {.buffers = 1'023, .data_bytes = kJumboBytes});
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, filling(kInner, Ip::v4))).empty());
  const auto punts = hub.plane().take_punts(8);
  ASSERT_EQ(punts.size(), 1u);
  EXPECT_EQ(punts[0].mtu, 1'450);
  hub.plane().discard(punts[0], DropReason::mtu_exceeded);
  expect_forwarded(hub.pass_through(from_spoke(kA, kB, filling(1'450, Ip::v4))), kA, kB,
                   filling(1'450, Ip::v4));
}

/// The peer's underlay is narrower than the hub's: the tunnel's packets come in seven pieces.
TEST(Jumbo, OuterFragmentsArePutTogetherUpToTheBuffer) {
  for (const unsigned workers : {1u, 2u}) {
    TestHub hub(jumbo_network(static_cast<uint16_t>(workers)).build(),
                {.workers = workers, .buffers = 2'047, .data_bytes = kJumboBytes});
    const auto pieces = fragments_of(from_spoke(kA, kB, filling(kInner, Ip::v4)), 1'480);
    ASSERT_EQ(pieces.size(), 7u);
    for (const Bytes& piece : pieces) hub.inject(piece);
    hub.settle();
    expect_forwarded(hub.sent(), kA, kB, filling(kInner, Ip::v4));
  }
  // With buffers for the usual MTU there is no room for it, and none is lost.
  TestHub hub(jumbo_network().build());
  for (const Bytes& piece : fragments_of(from_spoke(kA, kB, filling(kInner, Ip::v4)), 1'480))
    hub.inject(piece);
  hub.settle();
  EXPECT_TRUE(hub.sent().empty());
  EXPECT_EQ(hub.moved(), Counts({{"rx", 7}, {"consumed", 6}, {"drop fragment_no_room", 1}}));
}

TEST(Jumbo, InnerFragmentsOfThatSizeFollowTheirSession) {
  TestHub hub(jumbo_network().build(), {.buffers = 1'023, .data_bytes = kJumboBytes});
  const Bytes whole = inner(kA, kB, filling(60'000, Ip::v4));
  const auto pieces = fragments_of(whole, (kInner - 20) / 8 * 8);
  ASSERT_EQ(pieces.size(), 7u);
  for (const Bytes& piece : pieces) hub.inject(tunnelled(kA, piece));
  hub.settle();
  std::vector<Bytes> got;
  for (const Bytes& frame : hub.sent()) got.push_back(inner_of(frame));
  ASSERT_EQ(got.size(), 7u);
  EXPECT_EQ(whole_of(got), inner_forwarded(kA, kB, filling(60'000, Ip::v4)));
}

TEST(Jumbo, TwoTagsFitBesideTheMtu) {
  SnapshotBuilder b;
  b.port("p0", kPortMac, kHubAddress, kMaxMtu).domain("red");
  for (const uint16_t vlan : {uint16_t{10}, uint16_t{20}}) {
    Tunnel t;
    t.kind = TunnelKind::native;
    t.vlan = vlan;
    t.outer_vlan = 200;
    const Spoke& s = vlan == 10 ? kA : kB;
    b.attachment(s.name, "red", t, std::string(s.gateway4) + "/24");
    b.change(s.name, [](Attachment& a) { a.mtu = kMaxMtu; });
    ASSERT_TRUE(b.adjacencies().set(b.attachment_id(s.name), *net::parse_ip(s.host4), s.host_mac));
  }
  b.rule({.id = "all", .action = PolicyAction::allow});
  TestHub hub(b.build(), {.buffers = 1'023, .data_bytes = kJumboBytes});
  const auto frame = [](uint16_t vlan, net::Mac to, net::Mac from, uint8_t ttl) {
    PacketBuilder p;
    p.ether(to, from).vlan(200, 0x88a8).vlan(vlan).ipv4(kA.host4, kB.host4).ttl(ttl).udp(1, 2);
    return p.payload(std::string(kMaxMtu - 28, 'x')).build();
  };
  const Bytes in = frame(10, kPortMac, kA.host_mac, 64);
  EXPECT_EQ(in.size(), size_t{kMaxMtu} + kLinkBytes);
  const auto got = hub.pass_through(in);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0], frame(20, kB.host_mac, kPortMac, 63));
}

}  // namespace
}  // namespace weir::test
