// What one spoke may cost the others: policers, limits of punts, the reverse-path check; and TCP's segment
// size.
#include <gtest/gtest.h>

#include "dataplane/worker/policer.h"
#include "tests/packet/fragments.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;

// --- policers ---

TEST(Policer, LetsARateThroughAndATenthOfASecondAtOnce) {
  Policer policer(1);
  const AttachmentId a = AttachmentId::make(3, 1), again = AttachmentId::make(3, 2);
  const PoliceRate rate{.packets_per_second = 1'000};
  NanoTime now = 5 * kNanosPerSecond;
  int passed = 0;
  for (int i = 0; i < 500; ++i) passed += policer.take(a, rate, 100, now);
  EXPECT_EQ(passed, 101);
  passed = 0;
  for (int ms = 0; ms < 10'000; ++ms) {
    now += kNanosPerMilli;
    for (int i = 0; i < 3; ++i) passed += policer.take(a, rate, 100, now);
  }
  EXPECT_EQ(passed, 10'000);
  EXPECT_TRUE(policer.take(again, rate, 100, now)) << "whoever gets the slot next starts anew";
}

TEST(Policer, CountsBytes) {
  Policer policer(2);  // each worker has its half
  const AttachmentId a = AttachmentId::make(1, 1);
  const PoliceRate rate{.bytes_per_second = 2'000'000};
  NanoTime now = kNanosPerSecond;
  uint64_t bytes = 0;
  for (int ms = 0; ms < 2'000; ++ms) {
    now += kNanosPerMilli;
    for (int i = 0; i < 4; ++i) bytes += policer.take(a, rate, 1'000, now) ? 1'000 : 0;
  }
  EXPECT_NEAR(static_cast<double>(bytes), 2'000'000 + 100'000, 2'000);
  EXPECT_TRUE(policer.take(AttachmentId::make(2, 1), {.packets_per_second = 1}, 9'000, now));
  EXPECT_FALSE(policer.take(AttachmentId::make(2, 1), {.packets_per_second = 1}, 9'000, now));
}

TEST(Limits, APolicedSpokeIsHeldToItsRate) {
  SnapshotBuilder b = network();
  b.change("a", [](Attachment& a) {
    a.policed = true;
    a.police = {.packets_per_second = 100};
  });
  TestHub hub(b.build());
  for (int i = 0; i < 50; ++i) hub.inject(from_spoke(kA, kB, udp()));
  hub.settle();
  EXPECT_EQ(hub.sent().size(), 11u);
  EXPECT_EQ(hub.moved(), started() + forwarded(10) + dropped(DropReason::policed, 39));
  for (int i = 0; i < 50; ++i) hub.inject(from_spoke(kB, kA, udp(1, 7)));
  hub.settle();
  EXPECT_EQ(hub.sent().size(), 50u) << "others are not held to it";
  hub.pass_seconds(0.05);
  hub.moved();
  for (int i = 0; i < 50; ++i) hub.inject(from_spoke(kA, kB, udp()));
  hub.settle();
  EXPECT_EQ(hub.sent().size(), 5u);
}

// --- floods ---

/// One spoke floods; established sessions of others lose nothing, and what needs control is still had.
TEST(Limits, AFloodOfOneSpokeCostsOthersNothing) {
  struct Flood {
    const char* name;
    std::function<Bytes(uint16_t)> frame;
  };
  const Flood floods[] = {
      {"ARP requests of ever new senders",
       [](uint16_t n) {
         const std::string sender = "10.1.0." + std::to_string(2 + n % 250);
         net::Mac mac = kA.host_mac;
         mac.bytes[4] = static_cast<uint8_t>(n >> 8), mac.bytes[5] = static_cast<uint8_t>(n);
         return tunnelled(kA, PacketBuilder()
                                  .ether(net::Mac{{255, 255, 255, 255, 255, 255}}, mac)
                                  .arp_request(mac, sender, kA.gateway4)
                                  .build());
       }},
      {"TTL 1", [](uint16_t n) { return from_spoke(kA, kB, udp(n, 2000), Ip::v4, 1); }},
      {"fragments",
       [](uint16_t n) {
         return tunnelled(kA, fragments_of(inner(kA, kB, udp(1, 2, std::string(100, 'x'))), 64, n)[1]);
       }},
      {"hosts that are not there",
       [](uint16_t n) {
         PacketBuilder p = PacketBuilder().ether(kA.hub_mac, kA.host_mac);
         p.ipv4(kA.host4, "10.2.0." + std::to_string(10 + n % 200)).udp(n, 9);
         return tunnelled(kA, p.build());
       }},
      {"tiny packets", [](uint16_t) { return tunnelled(kA, Bytes(20)); }},
      {"too big", [](uint16_t n) { return from_spoke(kA, kB, udp(n, 2000, std::string(1'480, 'x'))); }},
  };
  for (const Flood& flood : floods) {
    SCOPED_TRACE(flood.name);
    SnapshotBuilder b = network();
    for (const char* v6 : {kB.host6, kD.host6}) (void)v6;
    TestHub hub(b.build(), {.buffers = 16'383, .ring_size = 1'024, .punts_per_second = 1'000});
    EXPECT_EQ(hub.pass_through(from_spoke(kD, kB, udp(5, 6))).size(), 1u);
    size_t passed = 0, answered = 0, punts_of_d = 0;
    uint16_t n = 1;
    for (int ms = 0; ms < 200; ++ms) {
      hub.pass(kNanosPerMilli);
      for (int i = 0; i < 60; ++i) hub.inject(flood.frame(n++));
      for (int i = 0; i < 20; ++i) hub.inject(from_spoke(kD, kB, udp(5, 6)));
      if (ms % 10 == 0) {
        hub.inject(tunnelled(kD, PacketBuilder()
                                     .ether(net::Mac{{255, 255, 255, 255, 255, 255}}, kD.host_mac)
                                     .arp_request(kD.host_mac, kD.host4, kD.gateway4)
                                     .build()));
        hub.inject(from_spoke(kD, kB, udp(5, 6), Ip::v4, 1));
      }
      hub.settle();
      for (const Bytes& frame : hub.sent()) {
        passed += vni_of(frame) == kB.vni && frame.size() == from_spoke(kD, kB, udp(5, 6)).size();
        answered += vni_of(frame) == kD.vni;
      }
      for (const Punt& punt : hub.plane().take_punts(4'096)) {
        punts_of_d += punt.attachment == b.attachment_id("d");
        hub.plane().discard(punt, DropReason::punt_unwanted);
      }
      hub.plane().take_notes(4'096);
    }
    EXPECT_EQ(passed, 200u * 20) << "not one packet of an established session";
    EXPECT_EQ(answered, 20u) << "each ARP request";
    EXPECT_EQ(punts_of_d, 20u) << "and each packet that control has to see";
    hub.pass_seconds(3);
    hub.settle();
  }
}

TEST(Limits, NotesOfOneSpokeLeaveRoomForThoseOfOthers) {
  SnapshotBuilder b = network(false);
  TestHub hub(b.build(), {.ring_size = 4'096});
  const net::Mac all{{255, 255, 255, 255, 255, 255}};
  for (uint16_t n = 0; n < 3'000; ++n) {
    net::Mac mac = kA.host_mac;
    mac.bytes[4] = static_cast<uint8_t>(n >> 8), mac.bytes[5] = static_cast<uint8_t>(n);
    hub.inject(
        tunnelled(kA, PacketBuilder().ether(all, mac).arp_request(mac, "10.1.0.77", kA.gateway4).build()));
  }
  hub.inject(tunnelled(
      kB, PacketBuilder().ether(all, kB.host_mac).arp_request(kB.host_mac, kB.host4, kB.gateway4).build()));
  hub.settle();
  EXPECT_EQ(hub.sent().size(), 3'001u);
  size_t of_b = 0, of_a = 0;
  for (const NeighborNote& note : hub.plane().take_notes(4'096)) {
    (note.attachment == b.attachment_id("b") ? of_b : of_a) += 1;
  }
  EXPECT_EQ(of_b, 1u);
  EXPECT_EQ(of_a, 200u) << "limits.punts_per_attachment";
  hub.moved();
}

// --- reverse path ---

TEST(Limits, TheReversePathCheckCanBeSwitchedOffForASpoke) {
  const Bytes forged = tunnelled(
      kA, PacketBuilder().ether(kA.hub_mac, kA.host_mac).ipv4(kD.host4, kB.host4).udp(1, 2).build());
  {
    TestHub hub(network().build());
    EXPECT_TRUE(hub.pass_through(forged).empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::reverse_path));
  }
  SnapshotBuilder b = network();
  b.change("a", [](Attachment& a) { a.reverse_path = false; });
  TestHub hub(b.build());
  for (int i = 0; i < 2; ++i) EXPECT_EQ(hub.pass_through(forged).size(), 1u);
  EXPECT_EQ(hub.moved(), started() + forwarded());
  const auto back = hub.pass_through(from_spoke(kB, kD, udp(2, 1)));
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(vni_of(back[0]), kD.vni) << "replies go where the routes say";
  hub.moved();
  const Bytes nobody = tunnelled(
      kA, PacketBuilder().ether(kA.hub_mac, kA.host_mac).ipv4("172.16.0.1", kB.host4).udp(1, 2).build());
  EXPECT_TRUE(hub.pass_through(nobody).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::reverse_path)) << "a source without any route still";
  const Bytes hubs_own = tunnelled(
      kA, PacketBuilder().ether(kA.hub_mac, kA.host_mac).ipv4(kD.gateway4, kB.host4).udp(1, 2).build());
  EXPECT_TRUE(hub.pass_through(hubs_own).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::inner_martian)) << "nor the hub's own address in another spoke";
}

TEST(Limits, ASessionHitFromAnotherSpokeIsChecked) {
  TestHub hub(network().build());
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(1, 2))).size(), 1u);
  hub.moved();
  const Bytes forged = tunnelled(kD, PacketBuilder()
                                         .ether(kD.hub_mac, kD.host_mac)
                                         .ipv4(kA.host4, kB.host4)
                                         .udp(1, 2)
                                         .payload("hello")
                                         .build());
  EXPECT_TRUE(hub.pass_through(forged).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::reverse_path));
}

TEST(Limits, EachMartian) {
  const char* v4[] = {"0.0.0.0",   "0.1.2.3",         "127.0.0.1", "127.255.255.254", "169.254.1.1",
                      "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"};
  const char* v6[] = {"::", "::1", "::ffff:10.1.0.5", "fe80::1", "febf::1", "ff02::1", "ff0e::1"};
  TestHub hub(network().build());
  const auto expect_dropped = [&](const char* src, const char* dst) {
    SCOPED_TRACE(std::string(src) + " to " + dst);
    EXPECT_TRUE(
        hub.pass_through(
               tunnelled(kA, PacketBuilder().ether(kA.hub_mac, kA.host_mac).ip(src, dst).udp(1, 2).build()))
            .empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::inner_martian));
  };
  for (const char* address : v4) {
    expect_dropped(address, kB.host4);
    expect_dropped(kA.host4, address);
  }
  for (const char* address : v6) {
    expect_dropped(address, kB.host6);
    expect_dropped(kA.host6, address);
  }
}

// --- TCP's maximum segment size ---

Transport syn_with(const Bytes& options, uint8_t flags = kSyn) {
  return [=](PacketBuilder& b) {
    b.tcp(flags == kSyn ? 1000 : 80, flags == kSyn ? 80 : 1000, flags, 1, flags == kSyn ? 0 : 2)
        .tcp_options(options);
  };
}
Bytes mss(uint16_t value) { return {2, 4, static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)}; }
Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(Mss, IsLoweredToWhatBothAttachmentsCarry) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    const uint16_t fits = ip == Ip::v4 ? 1'300 - 40 : 1'300 - 60;
    SnapshotBuilder b = network();
    b.change("b", [](Attachment& a) { a.mtu = 1'300; });
    TestHub hub(b.build());
    const Bytes before = {1, 3, 3, 7}, odd = {1, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
    expect_sent(hub.pass_through(from_spoke(kA, kB, syn_with(mss(1'460)), ip)), kB,
                inner_forwarded(kA, kB, syn_with(mss(fits)), ip));
    expect_sent(hub.pass_through(from_spoke(kB, kA, syn_with(before + mss(9'000), kSyn | kAck), ip)), kA,
                inner_forwarded(kB, kA, syn_with(before + mss(fits), kSyn | kAck), ip));
    // Behind an odd offset; several words further on; already small enough; no such option; nonsense.
    expect_sent(hub.pass_through(from_spoke(kA, kB, syn_with(odd + mss(1'461)), ip)), kB,
                inner_forwarded(kA, kB, syn_with(odd + mss(fits)), ip));
    for (const Bytes& as_is : {mss(fits), mss(500), Bytes{}, Bytes{1, 1}, Bytes{3}, Bytes{2, 0, 5, 180},
                               Bytes{2, 40, 5, 180}, Bytes{0, 0, 0, 0}}) {
      expect_sent(hub.pass_through(from_spoke(kA, kB, syn_with(as_is), ip)), kB,
                  inner_forwarded(kA, kB, syn_with(as_is), ip));
    }
  }
}

TEST(Mss, IsLeftAloneIfSoConfigured) {
  SnapshotBuilder b = network();
  b.change("b", [](Attachment& a) {
    a.mtu = 1'300;
    a.mss_clamp = false;
  });
  TestHub hub(b.build());
  const uint16_t a_fits = 1'450 - 40;
  expect_sent(hub.pass_through(from_spoke(kA, kB, syn_with(mss(1'460)))), kB,
              inner_forwarded(kA, kB, syn_with(mss(a_fits))));
}

}  // namespace
}  // namespace weir::test
