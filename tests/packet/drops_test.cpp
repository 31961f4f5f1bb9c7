// Every reason for which a packet is dropped: a frame that is, its good twin that is not, and all that is
// counted.
#include <gtest/gtest.h>

#include <set>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::DropReason;
using enum dataplane::DropReason;

PacketBuilder outer() { return PacketBuilder().ether(kPortMac, kA.tunnel_mac); }
PacketBuilder outer_ip() { return outer().ipv4(kA.tunnel_end, kHubAddress); }
Bytes vxlan_of(PacketBuilder b, uint32_t vni = kA.vni) {
  return b.udp(50'000, 4789).no_checksum().vxlan(vni).frame(inner(kA, kB, udp())).build();
}

PacketBuilder inside() { return PacketBuilder().ether(kA.hub_mac, kA.host_mac); }
PacketBuilder inside4(const char* dst = "10.2.0.5", const char* src = "10.1.0.5") {
  return inside().ipv4(src, dst);
}
PacketBuilder inside6(const char* dst = "2001:db8:2::5", const char* src = "2001:db8:1::5") {
  return inside().ipv6(src, dst);
}
Bytes from_a(const PacketBuilder& b) { return tunnelled(kA, b.build()); }
Bytes cut(Bytes frame, size_t by) {
  frame.resize(frame.size() - by);
  return frame;
}

struct Row {
  const char* name;
  DropReason reason;
  Bytes bad;
  Bytes good;  // forwarded as a new session
};

std::vector<Row> outer_rows() {
  const Bytes good = vxlan_of(outer_ip());
  Bytes one_bit = good;
  one_bit[22] ^= 1;  // the TTL, under the header checksum
  return {
      {"Ethernet header cut", outer_truncated, Bytes(good.begin(), good.begin() + 13), good},
      {"VLAN tag cut", outer_truncated, cut(outer().vlan(1).build(), 2),
       vxlan_of(outer().vlan(1).ipv4(kA.tunnel_end, kHubAddress))},
      {"IP header cut", outer_truncated, Bytes(good.begin(), good.begin() + 33), good},
      {"one byte missing", outer_truncated, cut(good, 1), good},
      {"UDP length over the packet", outer_truncated,
       outer_ip().udp(1, 4789).no_checksum().length(2'000).vxlan(10).frame(inner(kA, kB, udp())).build(),
       good},
      {"ARP cut", outer_truncated,
       cut(outer().arp_request(kA.tunnel_mac, kA.tunnel_end, kHubAddress).build(), 1), good},
      {"IP version 6 in an IPv4 frame", outer_bad_header, vxlan_of(outer_ip().byte(0, 0x65)), good},
      {"IP header length 16", outer_bad_header, vxlan_of(outer_ip().byte(0, 0x44)), good},
      {"IP total length 19", outer_bad_header, vxlan_of(outer_ip().length(19)), good},
      {"IP header checksum", outer_bad_header, one_bit, good},
      {"UDP length 7", outer_bad_header,
       outer_ip().udp(1, 4789).no_checksum().length(7).vxlan(10).frame(inner(kA, kB, udp())).build(), good},
      {"ARP of another hardware", outer_bad_header,
       outer().arp_request(kA.tunnel_mac, kA.tunnel_end, kHubAddress).byte(1, 6).build(), good},
      {"another MAC", outer_not_for_hub,
       vxlan_of(PacketBuilder().ether(kB.tunnel_mac, kA.tunnel_mac).ipv4(kA.tunnel_end, kHubAddress)), good},
      {"another address", outer_not_for_hub, vxlan_of(outer().ipv4(kA.tunnel_end, "198.18.0.2")), good},
      {"ARP for another address", outer_not_for_hub,
       outer().arp_request(kA.tunnel_mac, kA.tunnel_end, "198.18.0.2").build(), good},
      {"first fragment of an odd length", fragment_bad,
       outer_ip().fragment(0, true).udp(1, 4789).filler(13).build(), vxlan_of(outer_ip().dont_fragment())},
      {"IPv6 for somebody else", outer_not_for_hub,
       outer().ipv6("2001:db8::1", "2001:db8::2").udp(1, 4789).build(), good},
      {"an unknown EtherType", outer_protocol, outer().type(0x88cc).filler(40).build(), good},
      {"TCP to the hub", outer_protocol, outer_ip().tcp(1, 22, kSyn).build(), good},
      {"an echo reply", outer_protocol, outer_ip().icmp_echo(1, 1, true).build(), good},
      {"a cut echo", outer_protocol, outer_ip().type(1).filler(7).build(), good},
      {"valid-VNI flag missing", vxlan_bad_header,
       outer_ip().udp(1, 4789).vxlan(10).byte(0, 0).frame(inner(kA, kB, udp())).build(), good},
      {"VXLAN header cut", vxlan_bad_header, outer_ip().udp(1, 4789).filler(7).build(), good},
      {"no such VNI", tunnel_unknown, vxlan_of(outer_ip(), 11), good},
      {"no such peer", tunnel_peer, vxlan_of(outer().ipv4("198.18.0.11", kHubAddress)), good},
      {"another spoke's VNI", tunnel_unknown, vxlan_of(outer_ip(), kB.vni), good},
      {"another UDP port", outer_protocol,
       outer_ip().udp(1, 4790).vxlan(10).frame(inner(kA, kB, udp())).build(), good},
  };
}

std::vector<Row> inner_rows() {
  const Bytes good = from_spoke(kA, kB, udp()), good6 = from_spoke(kA, kB, udp(), Ip::v6);
  PacketBuilder eight = inside6();
  for (int i = 0; i < 8; ++i) eight.extension(60);
  PacketBuilder seven = inside6();
  for (int i = 0; i < 7; ++i) seven.extension(60);
  const net::Mac all{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, some{{1, 0, 0x5e, 0, 0, 1}};
  return {
      {"Ethernet header cut", inner_truncated, tunnelled(kA, Bytes(13)), good},
      {"nothing inside", inner_truncated, tunnelled(kA, {}), good},
      {"IP packet one byte short", inner_truncated, tunnelled(kA, cut(inner(kA, kB, udp()), 1)), good},
      {"IPv6 packet one byte short", inner_truncated, tunnelled(kA, cut(inner(kA, kB, udp(), Ip::v6), 1)),
       good6},
      {"TCP header cut", inner_truncated, from_a(inside4().type(6).filler(19)), good},
      {"ARP cut", inner_truncated,
       tunnelled(kA, cut(inside().arp_request(kA.host_mac, kA.host4, kA.gateway4).build(), 1)), good},
      {"IP header checksum", inner_bad_header, from_a(inside4().bad_checksum().udp(1, 2)), good},
      {"IP version", inner_bad_header, from_a(inside4().byte(0, 0x65).udp(1, 2)), good},
      {"IPv6 version", inner_bad_header, from_a(inside6().byte(0, 0x40).udp(1, 2)), good6},
      {"TCP header length", inner_bad_header, from_a(inside4().tcp(1, 2, kSyn).byte(12, 0x40)),
       from_a(inside4().tcp(1, 2, kSyn))},
      {"UDP length", inner_bad_header, from_a(inside4().udp(1, 2).length(7)), good},
      {"ARP of another protocol", inner_bad_header,
       from_a(inside().arp_request(kA.host_mac, kA.host4, kA.gateway4).byte(3, 1)), good},
      {"solicitation from beyond the link", inner_bad_header,
       from_a(inside6("2001:db8:1::1").nd_solicit("2001:db8:1::1", kA.host_mac).ttl(254)), good6},
      {"solicitation with a wrong checksum", inner_bad_header,
       from_a(inside6("2001:db8:1::1").nd_solicit("2001:db8:1::1", kA.host_mac).bad_checksum()), good6},
      {"another MAC", inner_not_for_hub,
       from_a(PacketBuilder().ether(kB.hub_mac, kA.host_mac).ipv4(kA.host4, kB.host4).udp(1, 2)), good},
      {"broadcast", inner_multicast,
       from_a(PacketBuilder().ether(all, kA.host_mac).ipv4(kA.host4, "255.255.255.255").udp(68, 67)), good},
      {"multicast", inner_multicast,
       from_a(PacketBuilder().ether(some, kA.host_mac).ipv4(kA.host4, "224.0.0.1").udp(1, 2)), good},
      {"unicast address in a broadcast frame", inner_multicast,
       from_a(PacketBuilder().ether(all, kA.host_mac).ipv4(kA.host4, kB.host4).udp(1, 2)), good},
      {"router solicitation", inner_multicast,
       from_a(PacketBuilder()
                  .ether({{0x33, 0x33, 0, 0, 0, 2}}, kA.host_mac)
                  .ipv6("fe80::5", "ff02::2")
                  .ttl(255)
                  .icmp(133, 0)),
       good6},
      {"STP", inner_ethertype, from_a(inside().type(0x0027).filler(39)), good},
      {"a tagged inner frame", inner_ethertype, from_a(inside().vlan(5).ipv4(kA.host4, kB.host4).udp(1, 2)),
       good},
      {"first fragment of an odd length", fragment_bad,
       from_a(inside4().fragment(0, true).udp(1, 2).filler(9)),
       from_a(inside4().dont_fragment().udp(1, 2).filler(9))},
      {"IPv6 first fragment of an odd length", fragment_bad,
       from_a(inside6().fragment6(0, true, 1).udp(1, 2).filler(9)),
       from_a(inside6().fragment6(0, false, 1).udp(1, 2).filler(9))},
      {"fragment beyond the end", fragment_too_long,
       from_a(inside4().fragment(65'528, false).type(17).filler(8)), good},
      {"IPv6 fragment beyond the end", fragment_too_long,
       from_a(inside6().fragment6(65'528, false, 1).type(17).filler(9)), good6},
      {"tiny first fragment", fragment_tiny, from_a(inside4().fragment(0, true).type(17).filler(4)), good},
      {"later fragment over the TCP header", fragment_tiny,
       from_a(inside4().fragment(16, false).type(6).filler(8)), good},
      {"eight extension headers", inner_extension_headers, from_a(eight.udp(1, 2)), from_a(seven.udp(1, 2))},
      {"loose source route", inner_source_route,
       from_a(inside4().options({131, 7, 4, 10, 9, 9, 9}).udp(1, 2)),
       from_a(inside4().options({7, 7, 4, 0, 0, 0, 0}).udp(1, 2))},
      {"strict source route", inner_source_route,
       from_a(inside4().options({1, 137, 7, 4, 10, 9, 9, 9}).udp(1, 2)),
       from_a(inside4().options({1, 0}).udp(1, 2))},
      {"option over the header", inner_bad_header, from_a(inside4().options({7, 9, 4, 0, 0, 0, 0}).udp(1, 2)),
       good},
      {"option of length 1", inner_bad_header, from_a(inside4().options({7, 1, 4, 0}).udp(1, 2)), good},
      {"routing header with a segment left", inner_source_route,
       from_a(inside6().extension(43, {0, 1, 0, 0, 0, 0}).udp(1, 2)),
       from_a(inside6().extension(43, {0, 0, 0, 0, 0, 0}).udp(1, 2))},
      {"to loopback", inner_martian, from_a(inside4("127.0.0.1").udp(1, 2)), good},
      {"from loopback", inner_martian, from_a(inside4("10.2.0.5", "127.0.0.1").udp(1, 2)), good},
      {"to multicast in a unicast frame", inner_martian, from_a(inside4("224.0.0.5").udp(1, 2)), good},
      {"from the unspecified address", inner_martian, from_a(inside4("10.2.0.5", "0.0.0.0").udp(1, 2)), good},
      {"from a link-local address", inner_martian, from_a(inside6("2001:db8:2::5", "fe80::5").udp(1, 2)),
       good6},
      {"from itself to itself", inner_martian, from_a(inside4("10.1.0.5").udp(1, 2)), good},
      {"UDP to the gateway", inner_hub_address, from_a(inside4("10.1.0.1").udp(1, 53)), good},
      {"echo reply to the gateway", inner_hub_address, from_a(inside4("10.1.0.1").icmp_echo(1, 1, true)),
       good},
      {"UDP to the gateway inside IPv6", inner_hub_address, from_a(inside6("2001:db8:1::1").udp(1, 53)),
       good6},
      {"another spoke's gateway", inner_hub_address, from_a(inside4("10.2.0.1").udp(1, 53)), good},
  };
}

std::vector<Row> decision_rows() {
  const Bytes good = from_spoke(kA, kB, udp());
  const Bytes syn = from_spoke(kA, kB, tcp(kSyn)), ping = from_spoke(kA, kB, echo());
  const Bytes quoted = PacketBuilder().ipv4("10.2.0.5", "10.1.0.5").udp(1, 2).build();
  return {
      {"a source of nobody", reverse_path, from_a(inside4("10.2.0.5", "172.16.0.1").udp(1, 2)), good},
      {"another spoke's source, same domain", reverse_path, from_a(inside4("10.2.0.5", "10.4.0.5").udp(1, 2)),
       good},
      {"another domain's source", reverse_path, from_a(inside4("10.1.0.5", "10.2.0.5").udp(1, 2)), good},
      {"no route", no_route, from_a(inside4("192.0.2.1").udp(1, 2)), good},
      {"no route inside IPv6", no_route, from_a(inside6("2001:db8:ffff::1").udp(1, 2)),
       from_spoke(kA, kB, udp(), Ip::v6)},
      {"an unconnected domain", no_connection, from_spoke(kA, kC, udp()), good},
      {"an unconnected domain inside IPv6", no_connection, from_spoke(kA, kC, udp(), Ip::v6), good},
      {"a blackhole", blackhole, from_a(inside4("10.66.0.1").udp(1, 2)), good},
      {"a denied port", policy_deny, from_spoke(kA, kB, tcp(kSyn, 1, 0, "", 1000, 23)), syn},
      {"no rule", policy_default_deny, from_spoke(kB, kA, udp(7, 8)), from_spoke(kB, kA, udp(8, 7))},
      {"no rule within the domain", policy_default_deny, from_spoke(kA, kD, udp()), good},
      {"an error about nothing known", icmp_error_unmatched, from_a(inside4().icmp_error(3, 1, quoted)),
       good},
      {"an error that quotes an error", icmp_error_unmatched,
       from_a(inside4().icmp_error(
           3, 1, PacketBuilder().ipv4("10.2.0.5", "10.1.0.5").icmp_error(3, 1, quoted).build())),
       good},
      {"an error with a cut quote", icmp_error_unmatched, from_a(inside4().icmp_error(3, 1, cut(quoted, 1))),
       good},
      {"an ACK from nowhere", not_a_session_start, from_spoke(kA, kB, tcp(kAck)), syn},
      {"a SYN+ACK from nowhere", not_a_session_start, from_spoke(kA, kB, tcp(kSyn | kAck)), syn},
      {"a FIN from nowhere", not_a_session_start, from_spoke(kA, kB, tcp(kFin | kAck)), syn},
      {"a RST from nowhere", not_a_session_start, from_spoke(kA, kB, tcp(kRst)), syn},
      {"SYN with RST", not_a_session_start, from_spoke(kA, kB, tcp(kSyn | kRst)), syn},
      {"no flags at all", not_a_session_start, from_spoke(kA, kB, tcp(0)), syn},
      {"an echo reply from nowhere", not_a_session_start, from_spoke(kA, kB, echo(1, 1, true)), ping},
  };
}

std::vector<Row> all_rows() {
  std::vector<Row> rows = outer_rows();
  for (auto more : {inner_rows(), decision_rows()}) rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

SnapshotBuilder drop_network() {
  SnapshotBuilder b = network();
  b.blackhole("red", "10.66.0.0/16");
  return b;
}

TEST(Drops, EachFrameForItsReasonAlone) {
  for (const Row& row : all_rows()) {
    SCOPED_TRACE(std::string(dataplane::info(row.reason).name) + ": " + row.name);
    TestHub hub(drop_network().build());
    EXPECT_TRUE(hub.pass_through(row.bad).empty());
    EXPECT_EQ(hub.moved(), dropped(row.reason));
    EXPECT_EQ(hub.pass_through(row.good).size(), 1u) << "the good twin";
    EXPECT_EQ(hub.moved(), started()) << "the good twin";
    EXPECT_TRUE(hub.plane().take_notes(8).empty());
  }
}

/// What needs more than one frame has a test of its own.
const std::pair<DropReason, const char*> kElsewhere[] = {
    {port_rx_error, "DropsElsewhere.ChainedBuffers"},
    {policed, "Limits.APolicedSpokeIsHeldToItsRate"},
    {fragment_overlap, "Fragments.HostileOnesAreDroppedByName"},
    {fragment_duplicate, "Fragments.HostileOnesAreDroppedByName"},
    {fragment_too_many, "Fragments.TooManyOfOneDatagram"},
    {fragment_limit, "Fragments.OneSpokeCannotTakeThePlaceOfOthers"},
    {fragment_timeout, "Fragments.AreForgottenInTime"},
    {fragment_no_room, "Fragments.OfADatagramThatDoesNotFitABuffer"},
    {outer_martian, "Tunnels.BadOuter"},
    {outer_source_route, "Tunnels.BadOuter"},
    {outer_extension_headers, "Tunnels.BadOuter"},
    {outer_udp_checksum, "Tunnels.BadOuter"},
    {geneve_bad_header, "Tunnels.BadGeneve"},
    {geneve_bad_option, "Tunnels.BadGeneve"},
    {geneve_critical_option, "Tunnels.BadGeneve"},
    {geneve_control, "Tunnels.BadGeneve"},
    {gre_bad_header, "Tunnels.BadGre"},
    {gre_checksum, "Tunnels.BadGre"},
    {tunnel_payload, "Tunnels.BadGeneve"},
    {inner_ecn, "Tunnels.CongestionMarksAreTakenOver"},
    {handoff_full, "Workers.AFullRingDropsAtTheSender"},
    {stale_attachment, "Generations.APacketWaitsWhileItsAttachmentGoes"},
    {attachment_down, "DropsElsewhere.NoMemberOfTheRouteIsLeft"},
    {tcp_checksum, "Tcp.AWrongChecksumClosesNothing"},
    {tcp_outside_window, "Tcp.OutsideOfTheWindowsNothingCloses"},
    {tcp_unexpected, "Tcp.ASynOfTheResponderOpensNothing"},
    {nat_closed, "Nat.ToNobodysPort"},
    {nat_unmapped, "NatKindsDrops.AnAddressWithoutCounterpart"},
    {nat64_untranslatable, "Nat64Alone.WhatTheOtherFamilyHasNoWordFor"},
    {nat_protocol, "Nat.APoolTakesWhatItCanTellApart"},
    {nat_exhausted, "Nat.PoolExhausted"},
    {ftp_order, "Ftp.WhatCannotBeTranslatedIsDroppedByName"},
    {ftp_line, "Ftp.WhatCannotBeTranslatedIsDroppedByName"},
    {ftp_room, "Ftp.WithoutAPortItWaits"},
    {nat_bindings_full, "Nat.TooManyBindings"},
    {nat_conflict, "Nat.WhoseAddressStandsForAnother"},
    {pending_ended, "Pending.AnEndTakesWhatWaitsAlong"},
    {nat_changed, "Nat.ARuleThatGoesCutsItsSessions"},
    {session_budget, "SessionFlood.AHostIsHeldToItsRate"},
    {half_open_limit, "SessionFlood.HalfOpenOnesAreBoundForEach"},
    {icmp_error_quote, "IcmpErrors.HaveToFitWhatTheyQuote"},
    {session_table_full, "Sessions.TableFull"},
    {inspect_drop, "Inspect.ADropRuleStopsTheSession"},
    {session_dropped, "Inspect.ADropRuleStopsTheSession"},
    {inspect_unsafe, "Inspect.WhatItsReceiverDiscardsHidesNothingAndIsNotTold"},
    {inspect_limit, "Inspect.FlowLimit"},
    {inspect_stream, "Inspect.WhatContradictsEndsTheSessionIfItsProfileSaysSo"},
    {inspect_ttl, "Inspect.ATtlBelowTheProfilesLeastIsDropped"},
    {inspect_full, "Inspect.WithoutRoomToWaitTheProfileDecides"},
    {session_gone, "Inspect.WhatWaitsForASessionThatEndsIsNotTakenForAnothers"},
    {neighbor_unresolved, "DropsElsewhere.TheNextHopGoesWithinTheBurst"},
    {underlay_unresolved, "DropsElsewhere.TheUnderlayHopIsUnresolved"},
    {no_headroom, "DropsElsewhere.NoRoomForTheOuterHeader"},
    {tx_full, "DropsElsewhere.ThePortTakesNoMore"},
    {punt_full, "Punt.AFullRing"},
    {punt_rate_limited, "Punt.RateLimit"},
    {no_mbuf, "DropsElsewhere.NoRoomToAnswer"},
};
/// What only control drops: workers punt these packets.
const std::set<DropReason> kControlOnly = {ttl_exceeded, mtu_exceeded, punt_unwanted, hold_full,
                                           policy_reject};

bool test_exists(const std::string& name) {
  const auto& unit = *testing::UnitTest::GetInstance();
  for (int s = 0; s < unit.total_test_suite_count(); ++s) {
    const auto& suite = *unit.GetTestSuite(s);
    for (int t = 0; t < suite.total_test_count(); ++t) {
      if (std::string(suite.name()) + "." + suite.GetTestInfo(t)->name() == name) return true;
    }
  }
  return false;
}

/// In each test that kElsewhere names, its reason has really occurred, if the test ran.
class ReasonsOccur : public testing::Environment {
  void TearDown() override {
    const auto& unit = *testing::UnitTest::GetInstance();
    for (const auto& [reason, name] : kElsewhere) {
      for (int s = 0; s < unit.total_test_suite_count(); ++s) {
        const auto& suite = *unit.GetTestSuite(s);
        for (int t = 0; t < suite.total_test_count(); ++t) {
          const auto& test = *suite.GetTestInfo(t);
          if (!test.should_run() || std::string(suite.name()) + "." + test.name() != name) continue;
          const auto seen = drops_by_test().find(name);
          EXPECT_TRUE(seen != drops_by_test().end() && seen->second.contains(reason))
              << name << " dropped nothing as " << dataplane::info(reason).name;
        }
      }
    }
  }
};
const testing::Environment* const kReasonsOccur = testing::AddGlobalTestEnvironment(new ReasonsOccur);

TEST(Drops, EveryReasonHasARow) {
  std::set<DropReason> covered = kControlOnly;
  for (const Row& row : all_rows()) covered.insert(row.reason);
  for (const auto& [reason, test] : kElsewhere) {
    EXPECT_TRUE(test_exists(test)) << test;
    EXPECT_TRUE(covered.insert(reason).second) << dataplane::info(reason).name << " is listed twice";
  }
  for (size_t i = 1; i < dataplane::kDropReasonCount; ++i) {
    EXPECT_TRUE(covered.contains(static_cast<DropReason>(i)))
        << dataplane::kDropReasons[i].name << " has no row";
  }
}

}  // namespace
}  // namespace weir::test
