// What NAT64 makes of packets, held against packets that were built in the other family to begin with; and
// that hostile ones harm nobody.
#include "dataplane/nat/family_change.h"

#include <gtest/gtest.h>

#include "dataplane/net/checksum.h"
#include "tests/support/packet_builder.h"
#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

using test::Bytes;
using test::PacketBuilder;
using test::RandomInput;

constexpr const char *kHost6 = "2001:db8:1::5", *kFar6 = "64:ff9b::c633:6407";
constexpr const char *kPool4 = "203.0.113.9", *kFar4 = "198.51.100.7";
constexpr uint16_t kId = 0x7788;

net::IpAddress ip(std::string_view text) { return *net::parse_ip(text); }

net::IpView parsed(const Bytes& packet) {
  net::IpView view;
  const auto error = packet[0] >> 4 == 4 ? net::parse_ipv4(packet, view) : net::parse_ipv6(packet, view);
  EXPECT_EQ(error, net::ParseError::none);
  return view;
}

/// The packet as it leaves; empty: it has no counterpart.
Bytes changed(Bytes packet, const Tuple& to) {
  const net::IpView view = parsed(packet);
  const Bytes before = packet;
  const auto header = change_family(packet, view, to, kId);
  if (!header) {
    EXPECT_EQ(packet, before) << "it is as it was";
    return {};
  }
  Bytes out(header->bytes.begin(), header->bytes.begin() + header->length);
  out.insert(out.end(), packet.begin() + header->replaces, packet.begin() + view.length);
  EXPECT_EQ(out.size(), length_in_other_family(view));
  return out;
}

enum class Shape : uint8_t { tcp, udp, echo, echo_reply };

Bytes packet_of(Shape shape, const Tuple& t, size_t payload) {
  PacketBuilder b;
  b.ip(to_string(t.src), to_string(t.dst)).ttl(61).traffic_class(0xb8);
  if (t.src.is_v4() && payload <= 1'000) b.ip_id(kId);
  if (t.src.is_v4() && payload > 1'300) b.dont_fragment();
  if (shape == Shape::tcp) b.tcp(t.src_port, t.dst_port, 0x18, 99, 77).tcp_options({2, 4, 5, 0xb4});
  if (shape == Shape::udp) b.udp(t.src_port, t.dst_port);
  if (shape == Shape::echo || shape == Shape::echo_reply)
    b.icmp_echo(t.src_port, 3, shape == Shape::echo_reply);
  return b.filler(payload).build();
}

Tuple tuple_of(Shape shape, const char* src, const char* dst, uint16_t src_port, uint16_t dst_port) {
  Tuple t{ip(src), ip(dst), src_port, dst_port, 6};
  if (shape == Shape::udp) t.protocol = 17;
  if (shape == Shape::echo || shape == Shape::echo_reply) {
    t.protocol = t.src.is_v4() ? 1 : 58;
    t.dst_port = t.src_port;
  }
  return t;
}

TEST(FamilyChange, IsAsIfItHadBeenSentInTheOtherFamily) {
  RandomInput random(7'915);
  for (const Shape shape : {Shape::tcp, Shape::udp, Shape::echo, Shape::echo_reply}) {
    for (int i = 0; i < 300; ++i) {
      const size_t payload = random.one_in(4) ? 1'301 + random.below(100) : random.below(1'000);
      const auto port = [&] { return static_cast<uint16_t>(random.word()); };
      const Tuple six = tuple_of(shape, kHost6, kFar6, port(), port());
      const Tuple four = tuple_of(shape, kPool4, kFar4, port(), port());
      ASSERT_EQ(changed(packet_of(shape, six, payload), four), packet_of(shape, four, payload));
      ASSERT_EQ(changed(packet_of(shape, four, payload), six), packet_of(shape, six, payload));
    }
  }
}

TEST(FamilyChange, MakesTheSumThatUdpOverIpv6Needs) {
  const Tuple six = tuple_of(Shape::udp, kFar6, kHost6, 53, 5'000);
  for (size_t size = 0; size < 40; ++size) {
    const Bytes bare = PacketBuilder().ip(kFar4, kPool4).udp(53, 999).no_checksum().filler(size).build();
    EXPECT_EQ(changed(bare, six), PacketBuilder().ip(kFar6, kHost6).udp(53, 5'000).filler(size).build());
  }
}

TEST(FamilyChange, RefusesWhatHasNoCounterpart) {
  const Tuple ping = tuple_of(Shape::echo, kFar6, kHost6, 7, 7),
              udp = tuple_of(Shape::udp, kFar6, kHost6, 53, 5'000);
  EXPECT_TRUE(
      changed(PacketBuilder().ip(kFar4, kPool4).icmp(13, 0, 7u << 16).filler(12).build(), ping).empty());
  EXPECT_TRUE(
      changed(PacketBuilder().ip(kFar4, kPool4).fragment(0, true).icmp_echo(7, 1).filler(16).build(), ping)
          .empty());
  EXPECT_TRUE(
      changed(PacketBuilder().ip(kFar4, kPool4).fragment(0, true).udp(53, 9).no_checksum().filler(16).build(),
              udp)
          .empty());
  // The datagram says that it is longer than the packet.
  EXPECT_TRUE(
      changed(PacketBuilder().ip(kFar4, kPool4).udp(53, 9).no_checksum().length(99).filler(16).build(), udp)
          .empty());
}

/// An error in the other family; empty: there is none.
Bytes changed_error(const Bytes& packet, const Tuple& to, const ErrorWay& way) {
  const net::IpView view = parsed(packet);
  std::array<uint8_t, kLeastMtu6> out;
  const size_t size = change_error_family(packet, view, to, way, out);
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)};
}

TEST(FamilyChange, AnErrorQuotesAsMuchAsItMay) {
  const Tuple four = tuple_of(Shape::udp, kPool4, kFar4, 999, 53),
              six = tuple_of(Shape::udp, kHost6, kFar6, 5'000, 53);
  const ErrorWay way{ip("64:ff9b::c633:6401"), 1'500, 1'500};
  for (const size_t payload : {0, 8, 500, 1'180, 1'400}) {
    const Bytes quote = packet_of(Shape::udp, four, payload);
    const Bytes got = changed_error(
        PacketBuilder().ip("198.51.100.1", kPool4).icmp_error(3, 1, quote).build(), six.reversed(), way);
    Bytes expected = packet_of(Shape::udp, six, payload);
    expected.resize(std::min<size_t>(expected.size(), 1'280 - 48));
    EXPECT_EQ(got, PacketBuilder().ip("64:ff9b::c633:6401", kHost6).icmp_error(1, 0, expected).build());
  }
  const Bytes long6 = packet_of(Shape::udp, six.reversed(), 1'100);
  const Bytes got = changed_error(PacketBuilder().ip(kHost6, kFar6).icmp_error(1, 4, long6).build(), four,
                                  {ip(kPool4), 1'500, 1'500});
  Bytes expected = packet_of(Shape::udp, four.reversed(), 1'100);
  expected.resize(576 - 28);
  EXPECT_EQ(got, PacketBuilder().ip(kPool4, kFar4).icmp_error(3, 3, expected).build());
}

TEST(FamilyChange, SaysAnMtuThatTheWholeWayHas) {
  const Tuple four = tuple_of(Shape::udp, kPool4, kFar4, 999, 53),
              six = tuple_of(Shape::udp, kHost6, kFar6, 5'000, 53);
  const auto mtu6 = [&](uint32_t said, uint16_t in, uint16_t out) {
    const Bytes got = changed_error(
        PacketBuilder().ip(kFar4, kPool4).icmp_error(3, 4, packet_of(Shape::udp, four, 1'350), said).build(),
        six.reversed(), {ip(kFar6), in, out});
    return got.at(46) << 8 | got.at(47);
  };
  EXPECT_EQ(mtu6(1'400, 1'500, 1'500), 1'420);
  EXPECT_EQ(mtu6(1'400, 1'390, 1'500), 1'410);
  EXPECT_EQ(mtu6(1'400, 1'500, 1'415), 1'415);
  EXPECT_EQ(mtu6(600, 1'500, 1'500), 1'280);
  EXPECT_EQ(mtu6(0, 1'500, 1'500), 1'280) << "1,006 is the plateau below 1,378";
  const auto mtu4 = [&](uint32_t said, uint16_t in, uint16_t out) {
    const Bytes got = changed_error(PacketBuilder()
                                        .ip(kHost6, kFar6)
                                        .icmp_error(2, 0, packet_of(Shape::udp, six.reversed(), 1'350), said)
                                        .build(),
                                    four, {ip(kPool4), in, out});
    return got.at(26) << 8 | got.at(27);
  };
  EXPECT_EQ(mtu4(1'400, 1'500, 1'500), 1'380);
  EXPECT_EQ(mtu4(1'400, 1'390, 1'500), 1'370);
  EXPECT_EQ(mtu4(1'400, 1'500, 1'300), 1'300);
  EXPECT_EQ(mtu4(3, 1'500, 1'500), 68);
}

/// Whatever a packet holds, nothing is read or written beyond it (asan), and what comes out can be read.
TEST(FamilyChange, TakesAnyBytes) {
  RandomInput random(5'508);
  int whole = 0, errors = 0;
  for (int i = 0; i < 60'000; ++i) {
    const bool from6 = random.one_in(2);
    const Tuple there =
        from6 ? tuple_of(Shape::udp, kHost6, kFar6, 5'000, 53) : tuple_of(Shape::udp, kFar4, kPool4, 53, 999);
    const Shape shape = random.pick(std::array{Shape::tcp, Shape::udp, Shape::echo});
    Bytes packet = packet_of(shape, tuple_of(shape, from6 ? kHost6 : kFar4, from6 ? kFar6 : kPool4, 1, 2),
                             random.below(60));
    const bool error = random.one_in(2);
    if (error) {
      const Bytes quote =
          packet_of(shape, tuple_of(shape, from6 ? kFar6 : kPool4, from6 ? kHost6 : kFar4, 1, 2), 20);
      packet = PacketBuilder()
                   .ip(to_string(there.src), to_string(there.dst))
                   .icmp_error(static_cast<uint8_t>(random.below(13)), static_cast<uint8_t>(random.below(16)),
                               quote, static_cast<uint32_t>(random.word()))
                   .build();
    }
    for (uint64_t n = random.below(4); n > 0; --n)
      packet[random.below(packet.size())] = static_cast<uint8_t>(random.word());
    if (random.one_in(4)) packet.resize(random.below(packet.size()) + 1);
    net::IpView view;
    const bool v4 = packet[0] >> 4 == 4;
    net::L4View l4;
    if ((v4 ? net::parse_ipv4(packet, view) : net::parse_ipv6(packet, view)) != net::ParseError::none ||
        v4 == from6)
      continue;
    if (view.first_fragment && net::parse_l4(packet, view, l4) != net::ParseError::none) continue;
    packet.resize(view.length);
    const Tuple to{ip(from6 ? kPool4 : kFar6), ip(from6 ? kFar4 : kHost6), 999, 53,
                   view.protocol == 58  ? uint8_t{1}
                   : view.protocol == 1 ? uint8_t{58}
                                        : view.protocol};
    std::array<uint8_t, kLeastMtu6> out;
    size_t size = 0;
    if (view.first_fragment && l4.icmp == net::IcmpKind::error) {
      net::QuotedView quoted;
      Tuple ends = to;
      if (net::parse_quoted(net::Bytes(packet).subspan(l4.payload_offset), view.family, quoted) ==
          net::ParseError::none)
        ends.protocol = quoted.ip.protocol == 58 ? 1 : quoted.ip.protocol == 1 ? 58 : quoted.ip.protocol;
      size = change_error_family(packet, view, ends, {to.src, 1'500, 1'500}, out);
      errors += size != 0;
    } else if (const auto header = change_family(packet, view, to, kId)) {
      Bytes made(header->bytes.begin(), header->bytes.begin() + header->length);
      made.insert(made.end(), packet.begin() + header->replaces, packet.end());
      size = std::min(made.size(), out.size());
      std::copy_n(made.begin(), size, out.begin());
      ++whole;
    }
    if (size == 0) continue;
    const net::Bytes result(out.data(), size);
    ASSERT_EQ(from6 ? net::parse_ipv4(result, view) : net::parse_ipv6(result, view), net::ParseError::none)
        << i;
    ASSERT_EQ(view.length, size);
  }
  EXPECT_GT(whole, 5'000);
  EXPECT_GT(errors, 1'000);
}

}  // namespace
}  // namespace weir::dataplane
