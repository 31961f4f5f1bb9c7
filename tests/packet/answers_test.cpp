// What the hub answers for its own addresses, and what it notes of its neighbours.
#include <gtest/gtest.h>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::DropReason;

constexpr net::Mac kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr net::Mac kSolicitedNode{{0x33, 0x33, 0xff, 0, 0, 1}};
constexpr const char* kSolicitedNodeAddress = "ff02::1:ff00:1";

struct Note {
  std::string attachment, address, mac;
  friend bool operator==(const Note&, const Note&) = default;
};

std::vector<Note> notes_of(TestHub& hub, const SnapshotBuilder& b) {
  std::vector<Note> notes;
  for (const auto& note : hub.plane().take_notes(16)) {
    for (const char* name : {"a", "b", "c", "d"}) {
      if (b.attachment_id(name) == note.attachment)
        notes.push_back({name, net::to_string(note.address), net::to_string(note.mac)});
    }
  }
  return notes;
}

TEST(Answers, ArpForTheGateway) {
  SnapshotBuilder b = network(false);
  TestHub hub(b.build());
  const Bytes request =
      PacketBuilder().ether(kBroadcast, kA.host_mac).arp_request(kA.host_mac, kA.host4, kA.gateway4).build();
  const Bytes reply = PacketBuilder()
                          .ether(kA.host_mac, kA.hub_mac)
                          .arp_reply(kA.hub_mac, kA.gateway4, kA.host_mac, kA.host4)
                          .build();
  expect_sent(hub.pass_through(tunnelled(kA, request)), kA, reply);
  EXPECT_EQ(hub.moved(), answered());
  EXPECT_EQ(notes_of(hub, b), (std::vector<Note>{{"a", kA.host4, net::to_string(kA.host_mac)}}));

  // Known by then, it is not noted again; with another MAC it is.
  know_host(b, kA);
  expect_sent(hub.pass_through(tunnelled(kA, request)), kA, reply);
  EXPECT_TRUE(notes_of(hub, b).empty());
  const net::Mac other{{2, 0x0a, 0, 0, 0, 6}};
  hub.pass_through(tunnelled(
      kA, PacketBuilder().ether(kBroadcast, other).arp_request(other, kA.host4, kA.gateway4).build()));
  EXPECT_EQ(notes_of(hub, b), (std::vector<Note>{{"a", kA.host4, net::to_string(other)}}));
}

TEST(Answers, PaddedArp) {
  TestHub hub(network().build());
  const Bytes request = PacketBuilder()
                            .ether(kBroadcast, kA.host_mac)
                            .arp_request(kA.host_mac, kA.host4, kA.gateway4)
                            .pad_to(60)
                            .build();
  const auto got = hub.pass_through(tunnelled(kA, request));
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(inner_of(got[0])[21], 2) << "a reply";
  EXPECT_EQ(hub.moved(), answered());
}

// What is not meant for the hub changes what is known, and adds nothing: else any host could fill the table
// with addresses that nobody asks for.
TEST(Answers, AnnouncementsAreNotedOnlyOfKnownNeighbours) {
  const net::Mac other{{2, 0, 0, 0, 9, 9}};
  const auto row = [&](const char* target, net::Mac mac) {
    return PacketBuilder().ether(kBroadcast, mac).arp_request(mac, kA.host4, target).build();
  };
  for (const bool known : {false, true}) {
    for (const char* target : {"10.1.0.9", kA.host4}) {  // a question to another host, gratuitous ARP
      SnapshotBuilder b = network(known);
      TestHub hub(b.build());
      EXPECT_TRUE(hub.pass_through(tunnelled(kA, row(target, other))).empty());
      EXPECT_EQ(hub.moved(), dropped(DropReason::inner_multicast));
      EXPECT_EQ(notes_of(hub, b).size(), known ? 1u : 0u);
      hub.pass_through(tunnelled(kA, row(target, kA.host_mac)));
      EXPECT_EQ(notes_of(hub, b).size(), 0u) << "nothing new";
      hub.moved();
    }
  }
}

TEST(Answers, ArpReplyIsNoted) {
  SnapshotBuilder b = network(false);
  TestHub hub(b.build());
  const Bytes reply = PacketBuilder()
                          .ether(kB.hub_mac, kB.host_mac)
                          .arp_reply(kB.host_mac, kB.host4, kB.hub_mac, kB.gateway4)
                          .build();
  EXPECT_TRUE(hub.pass_through(tunnelled(kB, reply)).empty());
  EXPECT_EQ(hub.moved(), Counts({{"rx", 1}, {"consumed", 1}}));
  EXPECT_EQ(notes_of(hub, b), (std::vector<Note>{{"b", kB.host4, net::to_string(kB.host_mac)}}));
}

// Control probes a neighbour that it knows: what answers must reach it though nothing is new, or each
// neighbour would be forgotten a minute after it was learnt. What nobody asked for, and says nothing new,
// does not.
TEST(Answers, AnswersToProbesAreNotedThoughNothingIsNew) {
  SnapshotBuilder b = network();
  TestHub hub(b.build());
  const auto arp_reply = [](net::Mac target_mac, const char* target) {
    return PacketBuilder()
        .ether(target_mac, kB.host_mac)
        .arp_reply(kB.host_mac, kB.host4, target_mac, target)
        .build();
  };
  const auto advertise = [](const char* to, uint32_t flags) {
    return PacketBuilder()
        .ether(kB.hub_mac, kB.host_mac)
        .ipv6(kB.host6, to)
        .nd_advertise(kB.host6, kB.host_mac, flags)
        .build();
  };
  const uint32_t solicited = 0x6000'0000, unsolicited = 0x2000'0000;
  struct Row {
    const char* what;
    Bytes frame;
    bool noted;
  };
  const Row rows[] = {
      {"ARP reply to the hub", arp_reply(kB.hub_mac, kB.gateway4), true},
      {"ARP reply to somebody else", arp_reply(kA.host_mac, kA.host4), false},
      {"solicited advertisement to the hub", advertise(kB.gateway6, solicited), true},
      {"unsolicited advertisement", advertise(kB.gateway6, unsolicited), false},
      {"advertisement to all nodes", advertise("ff02::1", solicited), false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    EXPECT_TRUE(hub.pass_through(tunnelled(kB, row.frame)).empty());
    hub.moved();
    EXPECT_EQ(notes_of(hub, b).size(), row.noted ? 1u : 0u);
  }
}

TEST(Answers, NothingIsNotedOfImpossibleNeighbours) {
  SnapshotBuilder b = network(false);
  TestHub hub(b.build());
  for (const auto& [mac, address] : {std::pair{kBroadcast, kB.host4},
                                     {net::Mac{}, kB.host4},
                                     {kB.host_mac, "0.0.0.0"},
                                     {kB.host_mac, "127.0.0.1"},
                                     {kB.host_mac, "224.0.0.1"}}) {
    hub.pass_through(tunnelled(kB, PacketBuilder()
                                       .ether(kB.hub_mac, kB.host_mac)
                                       .arp_reply(mac, address, kB.hub_mac, kB.gateway4)
                                       .build()));
  }
  EXPECT_TRUE(notes_of(hub, b).empty());
  EXPECT_EQ(hub.moved(), Counts({{"rx", 5}, {"consumed", 5}}));
}

Bytes advertisement() {
  return PacketBuilder()
      .ether(kA.host_mac, kA.hub_mac)
      .ipv6(kA.gateway6, kA.host6)
      .nd_advertise(kA.gateway6, kA.hub_mac, 0xe000'0000)
      .build();
}

TEST(Answers, SolicitationForTheGateway) {
  for (const bool with_option : {true, false}) {
    SnapshotBuilder b = network(false);
    TestHub hub(b.build());
    const Bytes solicitation = PacketBuilder()
                                   .ether(kSolicitedNode, kA.host_mac)
                                   .ipv6(kA.host6, kSolicitedNodeAddress)
                                   .nd_solicit(kA.gateway6, with_option ? kA.host_mac : net::Mac{})
                                   .build();
    expect_sent(hub.pass_through(tunnelled(kA, solicitation)), kA, advertisement());
    EXPECT_EQ(hub.moved(), answered());
    EXPECT_EQ(notes_of(hub, b), (std::vector<Note>{{"a", kA.host6, net::to_string(kA.host_mac)}}));
  }
}

TEST(Answers, SolicitationFromALinkLocalAddress) {
  // How hosts usually ask. It says nothing of a routable address, so nothing is noted.
  SnapshotBuilder b = network(false);
  TestHub hub(b.build());
  const Bytes solicitation = PacketBuilder()
                                 .ether(kSolicitedNode, kA.host_mac)
                                 .ipv6("fe80::5", kSolicitedNodeAddress)
                                 .nd_solicit(kA.gateway6, kA.host_mac)
                                 .build();
  const Bytes answer = PacketBuilder()
                           .ether(kA.host_mac, kA.hub_mac)
                           .ipv6(kA.gateway6, "fe80::5")
                           .nd_advertise(kA.gateway6, kA.hub_mac, 0xe000'0000)
                           .build();
  expect_sent(hub.pass_through(tunnelled(kA, solicitation)), kA, answer);
  EXPECT_TRUE(notes_of(hub, b).empty());
}

TEST(Answers, OtherNeighborDiscovery) {
  struct Row {
    const char* name;
    Bytes frame;
    Counts moves;
    size_t notes;
  };
  const Counts taken = {{"rx", 1}, {"consumed", 1}};
  const auto solicit = [](const char* src, const char* target) {
    return PacketBuilder()
        .ether(kSolicitedNode, kA.host_mac)
        .ipv6(src, kSolicitedNodeAddress)
        .nd_solicit(target, {})
        .build();
  };
  const auto advertise = [](const char* target, net::Mac mac) {
    return PacketBuilder()
        .ether(kA.hub_mac, kA.host_mac)
        .ipv6(kA.host6, kA.gateway6)
        .nd_advertise(target, mac)
        .build();
  };
  const Row rows[] = {
      {"somebody else's address", solicit(kA.host6, "2001:db8:1::9"), dropped(DropReason::inner_multicast),
       0},
      {"duplicate address detection of the gateway's", solicit("::", kA.gateway6), taken, 0},
      {"an advertisement", advertise(kA.host6, kA.host_mac), taken, 1},
      {"an advertisement without the option", advertise(kA.host6, {}), taken, 0},
      {"an advertisement of a multicast MAC", advertise(kA.host6, kSolicitedNode), taken, 0},
      {"an option of length 0",
       PacketBuilder()
           .ether(kA.hub_mac, kA.host_mac)
           .ipv6(kA.host6, kA.gateway6)
           .nd_advertise(kA.host6, kA.host_mac)
           .byte(25, 0)
           .build(),
       taken, 0},
      {"an option longer than the packet",
       PacketBuilder()
           .ether(kA.hub_mac, kA.host_mac)
           .ipv6(kA.host6, kA.gateway6)
           .nd_advertise(kA.host6, kA.host_mac)
           .byte(25, 2)
           .build(),
       taken, 0},
      {"cut before the target",
       PacketBuilder()
           .ether(kA.hub_mac, kA.host_mac)
           .ipv6(kA.host6, kA.gateway6)
           .ttl(255)
           .icmp(136, 0)
           .filler(15)
           .build(),
       dropped(DropReason::inner_bad_header), 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    SnapshotBuilder b = network(false);
    TestHub hub(b.build());
    EXPECT_TRUE(hub.pass_through(tunnelled(kA, row.frame)).empty());
    EXPECT_EQ(hub.moved(), row.moves);
    EXPECT_EQ(notes_of(hub, b).size(), row.notes);
  }
}

TEST(Answers, EchoToTheGateway) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    for (const char* payload : {"", "x", "abcdefgh"}) {
      TestHub hub(network().build());
      const Bytes request = PacketBuilder()
                                .ether(kA.hub_mac, kA.host_mac)
                                .ip(host_of(kA, ip), gateway_of(kA, ip))
                                .ttl(3)
                                .icmp_echo(9, 0xffff)
                                .payload(payload)
                                .build();
      const Bytes reply = PacketBuilder()
                              .ether(kA.host_mac, kA.hub_mac)
                              .ip(gateway_of(kA, ip), host_of(kA, ip))
                              .icmp_echo(9, 0xffff, true)
                              .payload(payload)
                              .build();
      expect_sent(hub.pass_through(tunnelled(kA, request)), kA, reply);
      EXPECT_EQ(hub.moved(), answered());
    }
  }
}

TEST(Answers, UnderlayArp) {
  TestHub hub(network().build());
  const auto got = hub.pass_through(PacketBuilder()
                                        .ether(kBroadcast, kA.tunnel_mac)
                                        .arp_request(kA.tunnel_mac, kA.tunnel_end, kHubAddress)
                                        .build());
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0], PacketBuilder()
                        .ether(kA.tunnel_mac, kPortMac)
                        .arp_reply(kPortMac, kHubAddress, kA.tunnel_mac, kA.tunnel_end)
                        .build());
  EXPECT_EQ(hub.moved(), answered());
}

TEST(Answers, UnderlayArpReplyGoesToControl) {
  TestHub hub(network().build());
  const Bytes reply = PacketBuilder()
                          .ether(kPortMac, kA.tunnel_mac)
                          .arp_reply(kA.tunnel_mac, kA.tunnel_end, kPortMac, kHubAddress)
                          .build();
  EXPECT_TRUE(hub.pass_through(reply).empty());
  EXPECT_EQ(hub.moved(), punted());
  const auto punts = hub.plane().take_punts(8);
  ASSERT_EQ(punts.size(), 1u);
  EXPECT_EQ(punts[0].reason, dataplane::PuntReason::underlay_arp);
  EXPECT_EQ(punts[0].port, 0);
  EXPECT_EQ(Bytes(punts[0].frame.begin(), punts[0].frame.end()), reply);
  hub.plane().discard(punts[0], DropReason::punt_unwanted);
  EXPECT_EQ(hub.plane().control_dropped(DropReason::punt_unwanted), 1u);
}

TEST(Answers, WhoAsksOnTheUnderlayIsNoted) {
  TestHub hub(network().build());
  hub.pass_through(PacketBuilder()
                       .ether(kBroadcast, kA.tunnel_mac)
                       .arp_request(kA.tunnel_mac, kA.tunnel_end, kHubAddress)
                       .build());
  const auto notes = hub.plane().take_notes(8);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_FALSE(notes[0].attachment.valid());
  EXPECT_EQ(notes[0].port, 0);
  EXPECT_EQ(notes[0].address, *net::parse_ip(kA.tunnel_end));
  EXPECT_EQ(notes[0].mac, kA.tunnel_mac);
}

TEST(Answers, AnUnderlayAnnouncementGoesToControl) {
  TestHub hub(network().build());
  const Bytes gratuitous = PacketBuilder()
                               .ether(kBroadcast, kA.tunnel_mac)
                               .arp_request(kA.tunnel_mac, kA.tunnel_end, kA.tunnel_end)
                               .build();
  EXPECT_TRUE(hub.pass_through(gratuitous).empty());
  EXPECT_EQ(hub.moved(), punted());
  const auto punts = hub.plane().take_punts(8);
  ASSERT_EQ(punts.size(), 1u);
  EXPECT_EQ(punts[0].reason, dataplane::PuntReason::underlay_arp);
  hub.plane().discard(punts[0], DropReason::none);
}

TEST(Answers, UnderlayEcho) {
  TestHub hub(network().build());
  const auto got = hub.pass_through(PacketBuilder()
                                        .ether(kPortMac, kA.tunnel_mac)
                                        .ipv4(kA.tunnel_end, kHubAddress)
                                        .ttl(200)
                                        .icmp_echo(1, 2)
                                        .payload("ping")
                                        .build());
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0], PacketBuilder()
                        .ether(kA.tunnel_mac, kPortMac)
                        .ipv4(kHubAddress, kA.tunnel_end)
                        .icmp_echo(1, 2, true)
                        .payload("ping")
                        .build());
  EXPECT_EQ(hub.moved(), answered());
}

TEST(Answers, ArpOnAPortThatTheKernelSharesIsTheKernels) {
  auto snapshot = network().build();
  snapshot->hub_addresses[0].kernel_shared = true;
  TestHub hub(std::move(snapshot));
  EXPECT_TRUE(hub.pass_through(PacketBuilder()
                                   .ether(kBroadcast, kA.tunnel_mac)
                                   .arp_request(kA.tunnel_mac, kA.tunnel_end, kHubAddress)
                                   .build())
                  .empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::outer_not_for_hub));
}

TEST(Answers, FullNoteRingCountsWhatIsLost) {
  SnapshotBuilder b = network(false);
  TestHub hub(b.build(), {.ring_size = 8});
  for (uint8_t i = 0; i < 10; ++i) {
    const std::string address = "10.1.0." + std::to_string(10 + i);
    hub.inject(tunnelled(kA, PacketBuilder()
                                 .ether(kA.hub_mac, kA.host_mac)
                                 .arp_reply(kA.host_mac, address, kA.hub_mac, kA.gateway4)
                                 .build()));
  }
  hub.settle();
  EXPECT_EQ(hub.moved(), Counts({{"rx", 10}, {"consumed", 10}, {"notes_lost", 2}}));
  EXPECT_EQ(notes_of(hub, b).size(), 8u);
}

}  // namespace
}  // namespace weir::test
