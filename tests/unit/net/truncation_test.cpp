// Every valid packet, cut at every byte: an error, or a view that lies inside the bytes. Each piece is a heap
// block of its own size, so that AddressSanitizer sees a single byte read beyond it.
#include <gtest/gtest.h>

#include <random>

#include "dataplane/net/parse.h"
#include "tests/support/packet_builder.h"

namespace weir::net {
namespace {

using test::PacketBuilder;

PacketBuilder v4() { return PacketBuilder().ipv4("10.1.0.5", "10.2.0.6"); }
PacketBuilder v6() { return PacketBuilder().ipv6("2001:db8:1::5", "2001:db8:2::6"); }

std::vector<test::Bytes> valid_packets() {
  const test::Bytes udp4 = v4().udp(1000, 53).filler(20).build(),
                    tcp6 = v6().tcp(1, 2, 16).filler(20).build();
  return {
      udp4,
      tcp6,
      v4().options(test::Bytes(12, 1)).tcp(1, 2, 2).tcp_options(test::Bytes(12, 1)).filler(10).build(),
      v4().icmp_echo(7, 1).filler(20).build(),
      v4().icmp_error(3, 4, udp4, 1400).build(),
      v6().icmp_error(2, 0, tcp6, 1400).build(),
      v4().fragment(0, true).udp(1, 2).filler(8).build(),
      v6().extension(0, test::Bytes(20))
          .extension(43)
          .extension(60)
          .fragment6(0, false, 3)
          .udp(1, 2)
          .filler(9)
          .build(),
      v6().fragment6(8, false, 3).type(17).filler(9).build(),
      v6().nd_solicit("2001:db8::1", Mac{{2, 0, 0, 0, 0, 1}}).build(),
  };
}

/// Parses all that can be parsed of `packet`; what is said to be good has to lie inside.
void parse_all(const test::Bytes& packet) {
  const Bytes bytes(packet.data(), packet.size());
  IpView ip;
  ParseError error = parse_ipv4(bytes, ip);
  if (error != ParseError::none) error = parse_ipv6(bytes, ip);
  if (error == ParseError::none) {
    ASSERT_LE(ip.length, bytes.size());
    ASSERT_LE(ip.l4_offset, ip.length);
    L4View l4;
    if (ip.first_fragment && parse_l4(bytes, ip, l4) == ParseError::none) {
      ASSERT_GE(l4.payload_offset, ip.l4_offset);
      ASSERT_LE(l4.payload_offset, ip.length);
    }
  }
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    QuotedView quoted;
    if (parse_quoted(bytes, family, quoted) == ParseError::none) {
      ASSERT_LE(quoted.ip.l4_offset, bytes.size());
    }
  }
  EthView eth;
  if (parse_ethernet(bytes, eth) == ParseError::none) {
    ASSERT_LE(eth.offset, bytes.size());
  }
}

TEST(Truncation, ErrorOrAViewInside) {
  for (const test::Bytes& packet : valid_packets()) {
    for (size_t size = 0; size <= packet.size(); ++size) {
      test::Bytes piece(packet.begin(), packet.begin() + static_cast<long>(size));
      piece.shrink_to_fit();
      parse_all(piece);
    }
  }
}

TEST(Truncation, ACutPacketIsNeverGood) {
  for (const test::Bytes& packet : valid_packets()) {
    const bool is_v4 = packet[0] >> 4 == 4;
    for (size_t size = 0; size < packet.size(); ++size) {
      IpView ip;
      const Bytes piece = Bytes(packet).first(size);
      EXPECT_EQ(is_v4 ? parse_ipv4(piece, ip) : parse_ipv6(piece, ip), ParseError::truncated) << size;
    }
  }
}

/// Lengths that the headers announce agree with the bytes, but the rest is damaged.
TEST(Truncation, DamagedPacketsAreReadInside) {
  std::mt19937 random(3);
  for (const test::Bytes& packet : valid_packets()) {
    for (int i = 0; i < 5'000; ++i) {
      test::Bytes damaged = packet;
      for (unsigned hits = random() % 4 + 1; hits-- > 0;)
        damaged[random() % damaged.size()] = static_cast<uint8_t>(random());
      damaged.resize(random() % 4 == 0 ? random() % (damaged.size() + 1) : damaged.size());
      if (damaged.size() >= 20 && damaged[0] >> 4 == 4) {  // let it past the header checksum
        damaged[10] = damaged[11] = 0;
        const size_t size = std::min<size_t>(damaged.size(), (damaged[0] & 15) * 4u);
        const uint16_t sum =
            test::plain_checksum({damaged.begin(), damaged.begin() + static_cast<long>(size)});
        damaged[10] = static_cast<uint8_t>(sum >> 8);
        damaged[11] = static_cast<uint8_t>(sum);
      }
      damaged.shrink_to_fit();
      parse_all(damaged);
    }
  }
}

}  // namespace
}  // namespace weir::net
