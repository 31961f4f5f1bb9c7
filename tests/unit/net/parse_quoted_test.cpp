#include <gtest/gtest.h>

#include "dataplane/net/parse.h"
#include "tests/support/packet_builder.h"

namespace weir::net {
namespace {

using test::PacketBuilder;

PacketBuilder v4() { return PacketBuilder().ipv4("10.1.0.5", "10.2.0.6"); }
PacketBuilder v6() { return PacketBuilder().ipv6("2001:db8:1::5", "2001:db8:2::6"); }

test::Bytes cut(test::Bytes packet, size_t size) {
  packet.resize(size);
  return packet;
}

struct Row {
  const char* name;
  test::Bytes quote;
  ParseError error;
  uint16_t src_port = 0, dst_port = 0;
};

const test::Bytes kUdp4 = v4().udp(1000, 53).filler(100).build();
const test::Bytes kTcp6 = v6().tcp(1000, 80, 0x10).filler(100).build();

void check(const Row& row, Family family) {
  QuotedView view;
  ASSERT_EQ(parse_quoted(row.quote, family, view), row.error) << row.name;
  if (row.error != ParseError::none) return;
  EXPECT_EQ(view.ip.family, family) << row.name;
  EXPECT_EQ(view.src_port, row.src_port) << row.name;
  EXPECT_EQ(view.dst_port, row.dst_port) << row.name;
  EXPECT_EQ(to_string(view.ip.src), family == Family::ipv4 ? "10.1.0.5" : "2001:db8:1::5") << row.name;
  EXPECT_EQ(to_string(view.ip.dst), family == Family::ipv4 ? "10.2.0.6" : "2001:db8:2::6") << row.name;
}

TEST(ParseQuoted, Ipv4) {
  const Row rows[] = {
      {"whole", kUdp4, ParseError::none, 1000, 53},
      {"header and 8 bytes, as RFC 792 has it", cut(kUdp4, 28), ParseError::none, 1000, 53},
      {"one byte less", cut(kUdp4, 27), ParseError::truncated},
      {"no header", cut(kUdp4, 19), ParseError::truncated},
      {"nothing", {}, ParseError::truncated},
      {"checksum stale, as after a TTL change", v4().bad_checksum().udp(1000, 53).build(), ParseError::none,
       1000, 53},
      {"total length of zero, as some stacks quote", v4().length(0).udp(1000, 53).build(), ParseError::none,
       1000, 53},
      {"options", v4().options({1, 1, 1, 1, 1}).udp(1000, 53).build(), ParseError::none, 1000, 53},
      {"options run over the quote", cut(v4().options(test::Bytes(40)).udp(1000, 53).build(), 28),
       ParseError::truncated},
      {"TCP", cut(v4().tcp(7, 8, 2).build(), 28), ParseError::none, 7, 8},
      {"echo", v4().icmp_echo(77, 1).build(), ParseError::none, 77, 77},
      {"an ICMP error", v4().icmp_error(3, 1, kUdp4).build(), ParseError::bad_header},
      {"first fragment", v4().fragment(0, true).udp(1000, 53).build(), ParseError::none, 1000, 53},
      {"later fragment", v4().fragment(8, false).type(17).filler(8).build(), ParseError::bad_header},
      {"protocol without ports", v4().type(47).filler(8).build(), ParseError::none},
      {"header length 16", v4().byte(0, 0x44).udp(1000, 53).build(), ParseError::bad_header},
      {"version", v4().byte(0, 0x55).udp(1000, 53).build(), ParseError::bad_header},
      {"the other family", cut(kTcp6, 100), ParseError::bad_header},
  };
  for (const Row& row : rows) check(row, Family::ipv4);
}

TEST(ParseQuoted, Ipv6) {
  const Row rows[] = {
      {"whole", kTcp6, ParseError::none, 1000, 80},
      {"cut after 8 bytes", cut(kTcp6, 48), ParseError::none, 1000, 80},
      {"one byte less", cut(kTcp6, 47), ParseError::truncated},
      {"no header", cut(kTcp6, 39), ParseError::truncated},
      {"extension", v6().extension(60).udp(1000, 53).build(), ParseError::none, 1000, 53},
      {"extension cut", cut(v6().extension(60, test::Bytes(30)).udp(1000, 53).build(), 60),
       ParseError::truncated},
      {"echo", v6().icmp_echo(77, 1).build(), ParseError::none, 77, 77},
      {"an ICMPv6 error", v6().icmp_error(1, 4, kTcp6).build(), ParseError::bad_header},
      {"first fragment", v6().fragment6(0, true, 1).udp(1000, 53).build(), ParseError::none, 1000, 53},
      {"later fragment", v6().fragment6(8, true, 1).type(17).filler(8).build(), ParseError::bad_header},
      {"the other family", cut(kUdp4, 100), ParseError::bad_header},
  };
  for (const Row& row : rows) check(row, Family::ipv6);
}

}  // namespace
}  // namespace weir::net
