#include "dataplane/nat/rewrite.h"

#include <gtest/gtest.h>

#include <array>

#include "dataplane/net/checksum.h"
#include "dataplane/net/parse.h"
#include "tests/support/packet_builder.h"
#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

using test::Bytes;
using test::PacketBuilder;
using test::RandomInput;

constexpr uint8_t kTcp = 6, kUdp = 17, kIcmp = 1, kIcmpv6 = 58, kGre = 47;

enum class Shape { tcp, udp, udp_without_checksum, echo, echo_reply, other };
constexpr std::array kShapes = {Shape::tcp,  Shape::udp,        Shape::udp_without_checksum,
                                Shape::echo, Shape::echo_reply, Shape::other};

uint8_t protocol_of(Shape shape, bool v4) {
  switch (shape) {
    case Shape::tcp:
      return kTcp;
    case Shape::udp:
    case Shape::udp_without_checksum:
      return kUdp;
    case Shape::echo:
    case Shape::echo_reply:
      return v4 ? kIcmp : kIcmpv6;
    case Shape::other:
      return kGre;
  }
  return 0;
}

/// What surrounds the ends, so that two packets can differ in the ends alone.
struct Rest {
  size_t payload = 0;
  bool options = false;  // IPv4 options, or an IPv6 extension header
  uint32_t seq = 0;
};

Bytes packet_of(Shape shape, const Tuple& t, const Rest& rest) {
  PacketBuilder b;
  b.ip(to_string(t.src), to_string(t.dst));
  if (rest.options) {
    if (t.src.is_v4()) {
      b.options({7, 7, 4, 0, 0, 0, 0, 0});
    } else {
      b.extension(60);
    }
  }
  switch (shape) {
    case Shape::tcp:
      b.tcp(t.src_port, t.dst_port, 0x18, rest.seq, 77).tcp_options({2, 4, 5, 0xb4});
      break;
    case Shape::udp:
    case Shape::udp_without_checksum:
      b.udp(t.src_port, t.dst_port);
      if (shape == Shape::udp_without_checksum) b.no_checksum();
      break;
    case Shape::echo:
    case Shape::echo_reply:
      b.icmp_echo(t.src_port, static_cast<uint16_t>(rest.seq), shape == Shape::echo_reply);
      break;
    case Shape::other:
      b.gre(0x0800, {});
      break;
  }
  return b.filler(rest.payload).build();
}

Tuple random_tuple(RandomInput& random, Shape shape, bool v4) {
  Tuple t = random.tuple(v4);
  t.protocol = protocol_of(shape, v4);
  if (t.protocol == kIcmp || t.protocol == kIcmpv6) t.dst_port = t.src_port;
  if (t.protocol == kGre) t.src_port = t.dst_port = 0;
  return t;
}

uint16_t l4_offset_of(const Bytes& packet) {
  net::IpView ip;
  const auto error = packet[0] >> 4 == 4 ? net::parse_ipv4(packet, ip) : net::parse_ipv6(packet, ip);
  EXPECT_EQ(error, net::ParseError::none);
  return ip.l4_offset;
}

WireEnds4 wire_ends(const Tuple& to) {
  const auto word = [](uint32_t host) { return net::be32::of(host).raw(); };
  return {uint64_t{word(to.dst.v4().value)} << 32 | word(to.src.v4().value),
          word(uint32_t{to.src_port} << 16 | to.dst_port)};
}

/// The outcome is the very packet that its new ends would have sent.
TEST(Rewrite, MakesThePacketThatTheNewEndsWouldHaveSent) {
  RandomInput random(1);
  for (int i = 0; i < 60'000; ++i) {
    const Shape shape = random.pick(kShapes);
    const bool v4 = random.one_in(2);
    if (shape == Shape::udp_without_checksum && !v4) continue;
    const Tuple from = random_tuple(random, shape, v4);
    Tuple to = random_tuple(random, shape, v4);
    if (random.one_in(3)) to.src = from.src;
    if (random.one_in(3)) to.dst = from.dst, to.dst_port = from.dst_port;
    if (to.protocol == kIcmp || to.protocol == kIcmpv6) to.dst_port = to.src_port;
    const Rest rest{random.below(40), random.one_in(4), static_cast<uint32_t>(random.word())};
    Bytes packet = packet_of(shape, from, rest);
    Bytes fast = packet;
    rewrite_packet(packet, l4_offset_of(packet), true, to);
    if (v4 && (to.protocol == kTcp || to.protocol == kUdp)) {
      rewrite_ipv4(fast.data(), l4_offset_of(fast), wire_ends(to));
      ASSERT_EQ(fast, packet) << i;
    }
    ASSERT_EQ(packet, packet_of(shape, to, rest))
        << i << " shape " << static_cast<int>(shape) << " v4 " << v4;
  }
}

TEST(Rewrite, ThereAndBackIsTheSamePacket) {
  RandomInput random(2);
  for (int i = 0; i < 20'000; ++i) {
    const Shape shape = random.pick(kShapes);
    const bool v4 = random.one_in(2);
    const Tuple from = random_tuple(random, shape, v4), to = random_tuple(random, shape, v4);
    const Bytes before =
        packet_of(shape == Shape::udp_without_checksum && !v4 ? Shape::udp : shape, from, {});
    Bytes packet = before;
    rewrite_packet(packet, l4_offset_of(packet), true, to);
    rewrite_packet(packet, l4_offset_of(packet), true, from);
    ASSERT_EQ(packet, before) << i;
  }
}

TEST(Rewrite, AUdpChecksumThatComesOutAsZeroIsSentAsAllOnes) {
  // Of the 65,536 destination ports one makes the sum zero.
  const Tuple from{net::Ipv4{0x0a010002}, net::Ipv4{0x0a020003}, 1'000, 53, kUdp};
  bool seen = false;
  for (uint32_t port = 1; port < 65'536; ++port) {
    Tuple to = from;
    to.dst_port = static_cast<uint16_t>(port);
    Bytes packet = packet_of(Shape::udp, from, {});
    rewrite_packet(packet, 20, true, to);
    ASSERT_FALSE(packet[26] == 0 && packet[27] == 0);
    seen |= packet[26] == 0xff && packet[27] == 0xff;
  }
  EXPECT_TRUE(seen);
}

TEST(Rewrite, AnEchoReplyOfNothingButZerosHasAChecksumThatIsRight) {
  const Tuple outside{net::Ipv4{0x0a010002}, net::Ipv4{0x0a020003}, 777, 777, kIcmp};
  Tuple inside = outside;
  inside.src_port = inside.dst_port = 0;
  const Bytes came = packet_of(Shape::echo_reply, outside, {}),
              zeros = packet_of(Shape::echo_reply, inside, {});
  Bytes packet = came;
  rewrite_packet(packet, 20, true, inside);
  EXPECT_EQ(packet, zeros);
  rewrite_packet(packet, 20, true, inside);
  EXPECT_EQ(packet, zeros);
  rewrite_packet(packet, 20, true, outside);
  EXPECT_EQ(packet, came);
}

TEST(Rewrite, AWrongChecksumStaysWrong) {
  const Tuple to{net::Ipv4{0xcb007101}, net::Ipv4{0x0a020003}, 2'000, 53, kUdp};
  Bytes packet = PacketBuilder().ipv4("10.1.0.2", "10.2.0.3").udp(1'000, 53).bad_checksum().build();
  rewrite_packet(packet, 20, true, to);
  const Bytes right = packet_of(Shape::udp, to, {});
  EXPECT_NE(Bytes(packet.begin() + 26, packet.end()), Bytes(right.begin() + 26, right.end()));
  EXPECT_EQ(Bytes(packet.begin(), packet.begin() + 26), Bytes(right.begin(), right.begin() + 26));
}

TEST(Rewrite, AFragmentWithoutATransportHeaderKeepsItsData) {
  Bytes packet = PacketBuilder().ipv4("10.1.0.2", "10.2.0.3").fragment(1'480, false).filler(40).build();
  const Bytes before = packet;
  rewrite_packet(packet, 20, false, {net::Ipv4{0xcb007101}, net::Ipv4{0x0a020003}, 9, 9, kUdp});
  EXPECT_EQ(Bytes(packet.begin() + 20, packet.end()), Bytes(before.begin() + 20, before.end()));
  EXPECT_EQ(test::plain_checksum(Bytes(packet.begin(), packet.begin() + 20)), 0);
  EXPECT_EQ(Bytes(packet.begin() + 12, packet.begin() + 16), (Bytes{203, 0, 113, 1}));
}

// --- ICMP errors ---

/// An error about `quoted`, sent by `router` to the one who sent that.
Bytes error_of(const net::IpAddress& router, const net::IpAddress& to, const Bytes& quoted, size_t cut) {
  const Bytes quote(quoted.begin(), quoted.begin() + static_cast<ptrdiff_t>(std::min(cut, quoted.size())));
  PacketBuilder b;
  b.ip(to_string(router), to_string(to));
  return b.icmp_error(to.is_v4() ? 3 : 1, 3, quote).build();
}

/// Packets of the session that travel as the error does arrive as `from` and leave as `to`. What is quoted
/// left the other way, as from.reversed(), and its sender knows it as to.reversed().
TEST(RewriteIcmpError, ErrorAndQuoteAreAsWithoutTranslation) {
  RandomInput random(3);
  for (int i = 0; i < 60'000; ++i) {
    const Shape shape = random.pick(kShapes);
    const bool v4 = random.one_in(2);
    if (shape == Shape::udp_without_checksum && !v4) continue;
    const Tuple from = random_tuple(random, shape, v4);
    Tuple to = random_tuple(random, shape, v4);
    const bool source_translated = random.one_in(2);
    if (!source_translated) to.src = from.src;
    const net::IpAddress router = random.one_in(2) ? random.address(v4) : from.src;
    const Rest rest{8 + random.below(40), random.one_in(4), static_cast<uint32_t>(random.word())};
    const Bytes seen = packet_of(shape, from.reversed(), rest);
    const size_t transport = l4_offset_of(seen);
    // The least that a quote has, so much that a TCP checksum is in it, or all of it.
    size_t cut = random.one_in(2) ? transport + 8 : transport + 8 + random.below(32);
    if (cut == transport + 17) ++cut;  // through the midst of TCP's checksum, which is left alone then
    Bytes packet = error_of(router, from.dst, seen, cut);
    ASSERT_TRUE(rewrite_icmp_error(packet, l4_offset_of(packet), from, to)) << i;
    const Bytes sent = packet_of(shape, to.reversed(), rest);
    ASSERT_EQ(packet, error_of(source_translated ? to.src : router, to.dst, sent, cut))
        << i << " shape " << static_cast<int>(shape) << " v4 " << v4;
  }
}

TEST(RewriteIcmpError, ALieInTheQuoteIsRefusedAndNothingIsChanged) {
  const Tuple from{net::Ipv4{0x08080808}, net::Ipv4{0xcb007101}, 53, 2'000, kUdp};
  const Tuple to{net::Ipv4{0x08080808}, net::Ipv4{0x0a010002}, 53, 1'000, kUdp};
  const Bytes good = packet_of(Shape::udp, from.reversed(), {20, false, 0});
  const Bytes tcp = packet_of(Shape::tcp, Tuple{from.dst, from.src, 2'000, 53, kTcp}, {});
  const std::vector<Bytes> bad = {
      Bytes(good.begin(), good.begin() + 27),  // one byte short of the ports' header
      Bytes(good.begin(), good.begin() + 12),
      {},
      tcp,
      PacketBuilder().ipv4("203.0.113.1", "8.8.8.8").fragment(64, true).filler(40).build(),
  };
  for (const Bytes& quote : bad) {
    Bytes packet = PacketBuilder().ipv4("8.8.8.8", "203.0.113.1").icmp_error(3, 3, quote).build();
    const Bytes before = packet;
    EXPECT_FALSE(rewrite_icmp_error(packet, 20, from, to)) << quote.size();
    EXPECT_EQ(packet, before);
  }
}

}  // namespace
}  // namespace weir::dataplane
