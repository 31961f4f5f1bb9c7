// ICMP errors that the hub makes, byte by byte; checksums are verified by the tests' own arithmetic.
#include <gtest/gtest.h>

#include "fakes.h"
#include "mgmt/control/icmp_errors.h"
#include "tests/support/packet_builder.h"

namespace weir::test {
namespace {

using namespace dataplane;
using control::build_icmp_error;
using control::IcmpErrorKind;

const net::Mac kHub = net::Mac::from_u64(0x025700000001);
const net::Mac kHost = net::Mac::from_u64(0x02000000aaaa);

Attachment ingress() {
  Attachment a;
  a.hub_mac = kHub;
  a.gateways = {net::parse_interface_address("10.9.0.1/24").value(),
                net::parse_interface_address("10.1.0.1/24").value(),
                net::parse_interface_address("2001:db8:1::1/64").value()};
  return a;
}

Bytes part(const Bytes& frame, size_t from, size_t size) {
  return Bytes(frame.begin() + static_cast<std::ptrdiff_t>(from),
               frame.begin() + static_cast<std::ptrdiff_t>(from + size));
}

PacketBuilder packet4() { return PacketBuilder().ether(kHub, kHost).ipv4("10.1.0.5", "10.2.0.5"); }
PacketBuilder packet6() { return PacketBuilder().ether(kHub, kHost).ipv6("2001:db8:1::5", "2001:db8:2::5"); }

TEST(IcmpErrors, TimeExceededIpv4) {
  const Bytes packet = packet4().udp(1000, 53).payload("hello").build();
  const auto answer = build_icmp_error(ingress(), IcmpErrorKind::time_exceeded, 0, packet);
  ASSERT_TRUE(answer);
  const Bytes& f = *answer;
  EXPECT_EQ(part(f, 0, 6), Bytes({0x02, 0, 0, 0, 0xaa, 0xaa}));
  EXPECT_EQ(part(f, 6, 6), Bytes({0x02, 0x57, 0, 0, 0, 0x01}));
  const Bytes ip = part(f, 14, 20);
  EXPECT_EQ(plain_checksum(ip), 0);
  EXPECT_EQ(ip[9], 1);
  EXPECT_EQ(part(ip, 12, 4), Bytes({10, 1, 0, 1}));  // the gateway of the sender's subnet
  EXPECT_EQ(part(ip, 16, 4), Bytes({10, 1, 0, 5}));
  EXPECT_EQ(ip[2] << 8 | ip[3], static_cast<int>(f.size() - 14));
  const Bytes icmp = part(f, 34, f.size() - 34);
  EXPECT_EQ(plain_checksum(icmp), 0);
  EXPECT_EQ(icmp[0], 11);
  EXPECT_EQ(icmp[1], 0);
  EXPECT_EQ(part(icmp, 8, icmp.size() - 8), part(packet, 14, packet.size() - 14));
}

TEST(IcmpErrors, FragmentationNeededIpv4QuotesUpTo576) {
  const Bytes packet = packet4().dont_fragment().udp(1000, 53).filler(1401).build();
  const auto answer = build_icmp_error(ingress(), IcmpErrorKind::too_big, 1350, packet);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->size(), 14u + 576);
  const Bytes icmp = part(*answer, 34, answer->size() - 34);
  EXPECT_EQ(plain_checksum(icmp), 0);
  EXPECT_EQ(part(icmp, 0, 2), Bytes({3, 4}));
  EXPECT_EQ(part(icmp, 4, 4), Bytes({0, 0, 1350 >> 8, 1350 & 0xff}));
}

TEST(IcmpErrors, PacketTooBigIpv6QuotesUpTo1280) {
  const Bytes packet = packet6().udp(1000, 53).filler(1401).build();
  const auto answer = build_icmp_error(ingress(), IcmpErrorKind::too_big, 1350, packet);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->size(), 14u + 1280);
  const Bytes icmp = part(*answer, 54, answer->size() - 54);
  EXPECT_EQ(part(icmp, 0, 2), Bytes({2, 0}));
  EXPECT_EQ(part(icmp, 4, 4), Bytes({0, 0, 1350 >> 8, 1350 & 0xff}));
  Bytes covered = part(*answer, 22, 32);  // pseudo header: addresses, length, next header
  const size_t length = icmp.size();
  covered.insert(covered.end(),
                 {0, 0, static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length), 0, 0, 0, 58});
  covered.insert(covered.end(), icmp.begin(), icmp.end());
  EXPECT_EQ(plain_checksum(covered), 0);
}

TEST(IcmpErrors, TimeExceededIpv6ComesFromTheGateway) {
  const auto answer =
      build_icmp_error(ingress(), IcmpErrorKind::time_exceeded, 0, packet6().udp(1, 2).build());
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)[54], 3);
  EXPECT_EQ(net::IpAddress(net::Ipv6::load(answer->data() + 22)), ip("2001:db8:1::1"));
  EXPECT_EQ(net::IpAddress(net::Ipv6::load(answer->data() + 38)), ip("2001:db8:1::5"));
}

TEST(IcmpErrors, HostUnreachableOfBothFamilies) {
  const auto answer4 =
      build_icmp_error(ingress(), IcmpErrorKind::host_unreachable, 0, packet4().udp(1, 2).build());
  ASSERT_TRUE(answer4);
  EXPECT_EQ(part(*answer4, 34, 2), Bytes({3, 1}));
  EXPECT_EQ(part(*answer4, 38, 4), Bytes({0, 0, 0, 0}));
  const auto answer6 =
      build_icmp_error(ingress(), IcmpErrorKind::host_unreachable, 0, packet6().udp(1, 2).build());
  ASSERT_TRUE(answer6);
  EXPECT_EQ(part(*answer6, 54, 2), Bytes({1, 3}));
}

TEST(IcmpErrors, EthernetPaddingIsNotQuoted) {
  Bytes packet = packet4().udp(1, 2).build();
  const size_t size = packet.size();
  packet.resize(60);
  const auto answer = build_icmp_error(ingress(), IcmpErrorKind::time_exceeded, 0, packet);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->size(), 14 + 28 + size - 14);
}

TEST(IcmpErrors, SomePacketsGetNoAnswer) {
  const net::Mac broadcast = net::Mac::from_u64(0xffffffffffff);
  const auto to = [&](net::Mac dst) { return PacketBuilder().ether(dst, kHost); };
  struct Row {
    const char* name;
    Bytes frame;
    bool answered;
  };
  const Bytes quoted = PacketBuilder().ipv4("10.2.0.5", "10.1.0.5").udp(1, 2).build();
  const Bytes quoted6 = PacketBuilder().ipv6("2001:db8:2::5", "2001:db8:1::5").udp(1, 2).build();
  const Row rows[] = {
      {"an echo request", packet4().icmp_echo(1, 1).build(), true},
      {"an ICMP error", packet4().icmp_error(11, 0, quoted).build(), false},
      {"an ICMPv6 error", packet6().icmp_error(3, 0, quoted6).build(), false},
      {"a first fragment", packet4().fragment(0, true).udp(1, 2).filler(64).build(), true},
      {"a later fragment", packet4().fragment(64, false).filler(64).build(), false},
      {"an IPv6 later fragment", packet6().fragment6(64, false, 1).filler(64).build(), false},
      {"a broadcast destination", to(kHub).ipv4("10.1.0.5", "255.255.255.255").udp(1, 2).build(), false},
      {"a source that nobody has", to(kHub).ipv4("240.0.0.1", "10.2.0.5").udp(1, 2).build(), false},
      {"a broadcast frame", to(broadcast).ipv4("10.1.0.5", "10.2.0.5").udp(1, 2).build(), false},
      {"a multicast destination", to(kHub).ipv4("10.1.0.5", "224.0.0.5").udp(1, 2).build(), false},
      {"a loopback source", to(kHub).ipv4("127.0.0.1", "10.2.0.5").udp(1, 2).build(), false},
      {"an unspecified source", to(kHub).ipv4("0.0.0.0", "10.2.0.5").udp(1, 2).build(), false},
      {"a multicast source MAC",
       PacketBuilder().ether(kHub, broadcast).ipv4("10.1.0.5", "10.2.0.5").udp(1, 2).build(), false},
      {"ARP", PacketBuilder().ether(kHub, kHost).arp_request(kHost, "10.1.0.5", "10.1.0.1").build(), false},
      {"half a header", part(packet4().udp(1, 2).build(), 0, 20), false},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(build_icmp_error(ingress(), IcmpErrorKind::time_exceeded, 0, row.frame).has_value(),
              row.answered)
        << row.name;
  }
}

TEST(IcmpErrors, NoAddressOfThatFamilyNoAnswer) {
  Attachment a = ingress();
  a.gateways.pop_back();
  EXPECT_FALSE(build_icmp_error(a, IcmpErrorKind::time_exceeded, 0, packet6().udp(1, 2).build()));
}

TEST(IcmpErrors, TruncationAnywhereIsHarmless) {
  const Bytes packet = packet6().extension(60).udp(1, 2).payload("x").build();
  for (size_t size = 0; size < packet.size(); ++size) {
    const Bytes cut(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(build_icmp_error(ingress(), IcmpErrorKind::time_exceeded, 0, cut)) << size;
  }
}

TEST(Refusals, TcpGetsAResetFromItsPeer) {
  constexpr uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;
  const auto back4 = [] {
    return PacketBuilder().ether(kHost, kHub).ipv4("10.2.0.5", "10.1.0.5").dont_fragment().ttl(64);
  };
  const auto syn = control::build_refusal(ingress(), packet4().tcp(1000, 80, kSyn, 7).build());
  ASSERT_TRUE(syn);
  EXPECT_EQ(*syn, back4().tcp(80, 1000, kRst | kAck, 0, 8).window(0).build());
  // In the midst of a session: the number that the sender expects next (RFC 9293 section 3.10.7.1).
  const auto data = control::build_refusal(
      ingress(), packet4().tcp(1000, 80, kAck | kFin, 7, 99).payload("abc").pad_to(70).build());
  ASSERT_TRUE(data);
  EXPECT_EQ(*data, back4().tcp(80, 1000, kRst, 99, 0).window(0).build());
  const auto fin = control::build_refusal(ingress(), packet4().tcp(1000, 80, kFin, 7).payload("abc").build());
  ASSERT_TRUE(fin);
  EXPECT_EQ(*fin, back4().tcp(80, 1000, kRst | kAck, 0, 11).window(0).build());
  const auto syn6 = control::build_refusal(ingress(), packet6().tcp(1000, 80, kSyn, 7).build());
  ASSERT_TRUE(syn6);
  EXPECT_EQ(*syn6, PacketBuilder()
                       .ether(kHost, kHub)
                       .ipv6("2001:db8:2::5", "2001:db8:1::5")
                       .ttl(64)
                       .tcp(80, 1000, kRst | kAck, 0, 8)
                       .window(0)
                       .build());
  EXPECT_FALSE(control::build_refusal(ingress(), packet4().tcp(1000, 80, kRst).build()));
  EXPECT_FALSE(control::build_refusal(
      ingress(), PacketBuilder().ether(kHub, kHost).ipv4("224.0.0.1", "10.2.0.5").tcp(1, 2, kSyn).build()));
}

TEST(Refusals, OthersAreToldThatItIsProhibited) {
  const auto udp = control::build_refusal(ingress(), packet4().udp(1, 53).build());
  ASSERT_TRUE(udp);
  EXPECT_EQ(part(*udp, 34, 2), Bytes({3, 13}));
  EXPECT_EQ(part(*udp, 26, 4), Bytes({10, 1, 0, 1})) << "from the gateway";
  const auto udp6 = control::build_refusal(ingress(), packet6().udp(1, 53).build());
  ASSERT_TRUE(udp6);
  EXPECT_EQ(part(*udp6, 54, 2), Bytes({1, 1}));
  const Bytes quoted = PacketBuilder().ipv4("10.2.0.5", "10.1.0.5").udp(1, 2).build();
  EXPECT_FALSE(control::build_refusal(ingress(), packet4().icmp_error(11, 0, quoted).build()));
}

TEST(Refusals, AreRateLimitedAndTheirPacketsDropped) {
  FileModel hub;
  hub.use(kTwoClouds);
  const AttachmentId a = hub.attachment("cloud-a");
  FakeDataplane dataplane(std::move(hub.snapshot));
  control::IcmpErrors errors(dataplane, 100);
  const Bytes syn = packet4().tcp(1, 2, 2).build();
  Punt punt;
  punt.reason = PuntReason::reject;
  punt.attachment = a;
  punt.frame = syn;
  for (int i = 0; i < 60; ++i) errors.on_reject(punt, 0);
  EXPECT_EQ(errors.sent(), 50u);
  EXPECT_EQ(errors.rate_limited(), 10u);
  punt.attachment = AttachmentId::make(9, 1);
  errors.on_reject(punt, 0);
  ASSERT_EQ(dataplane.discarded.size(), 61u);
  EXPECT_EQ(dataplane.discarded.front().second, DropReason::policy_reject);
  EXPECT_EQ(dataplane.discarded.back().second, DropReason::stale_attachment);
}

TEST(IcmpErrors, RateIsLimitedPerAttachment) {
  FileModel hub;
  hub.use(kTwoClouds);
  const AttachmentId a = hub.attachment("cloud-a"), b = hub.attachment("cloud-b");
  FakeDataplane dataplane(std::move(hub.snapshot));
  control::IcmpErrors errors(dataplane, 100);
  const Bytes from_a = packet4().udp(1, 2).build();
  const Bytes from_b = PacketBuilder().ether(kHub, kHost).ipv4("10.2.0.5", "10.1.0.5").udp(1, 2).build();
  const auto punt = [&](AttachmentId at, const Bytes& frame, NanoTime now) {
    Punt p;
    p.reason = PuntReason::ttl_exceeded;
    p.attachment = at;
    p.frame = frame;
    errors.on_punt(p, now);
  };
  for (int i = 0; i < 200; ++i) punt(a, from_a, 0);
  EXPECT_EQ(errors.sent(), 50u);
  EXPECT_EQ(errors.rate_limited(), 200 - 50u);
  punt(b, from_b, 0);
  EXPECT_EQ(errors.sent(), 50u + 1);
  for (int i = 0; i < 200; ++i) punt(a, from_a, kNanosPerSecond / 10);
  EXPECT_EQ(errors.sent(), 50u + 1 + 100 / 10);
  EXPECT_EQ(dataplane.discarded.size(), 401u);
  for (const auto& [packet, reason] : dataplane.discarded) EXPECT_EQ(reason, DropReason::ttl_exceeded);
}

}  // namespace
}  // namespace weir::test
