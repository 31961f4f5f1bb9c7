#include <gtest/gtest.h>

#include "dataplane/net/parse.h"
#include "tests/support/packet_builder.h"

namespace weir::net {
namespace {

using test::PacketBuilder;

PacketBuilder v4() { return PacketBuilder().ipv4("10.1.0.5", "10.2.0.6"); }
PacketBuilder v6() { return PacketBuilder().ipv6("2001:db8:1::5", "2001:db8:2::6"); }

ParseError parse(const test::Bytes& packet, L4View& l4) {
  IpView ip;
  const ParseError error = packet[0] >> 4 == 4 ? parse_ipv4(packet, ip) : parse_ipv6(packet, ip);
  EXPECT_EQ(error, ParseError::none) << "the IP header of a row is good";
  return parse_l4(packet, ip, l4);
}

struct Row {
  const char* name;
  test::Bytes packet;
  L4View want;
};

TEST(ParseL4, GoodRows) {
  const Row rows[] = {
      {"UDP", v4().udp(1000, 53).filler(5).build(), {.src_port = 1000, .dst_port = 53, .payload_offset = 28}},
      {"UDP over IPv6",
       v6().udp(65'535, 1).build(),
       {.src_port = 65'535, .dst_port = 1, .payload_offset = 48}},
      {"UDP shorter than its packet",
       v4().udp(1, 2).length(8).filler(5).build(),
       {.src_port = 1, .dst_port = 2, .payload_offset = 28}},
      {"UDP first fragment",
       v4().fragment(0, true).udp(1, 2).length(4000).filler(8).build(),
       {.src_port = 1, .dst_port = 2, .payload_offset = 28}},
      {"TCP",
       v4().tcp(1000, 80, 0x12).build(),
       {.src_port = 1000, .dst_port = 80, .payload_offset = 40, .tcp_flags = 0x12}},
      {"TCP with options",
       v6().tcp(1000, 80, 0x02).tcp_options({2, 4, 5, 0xb4}).filler(9).build(),
       {.src_port = 1000, .dst_port = 80, .payload_offset = 64, .tcp_flags = 0x02}},
      {"TCP with 40 bytes of options",
       v4().tcp(1, 2, 0x10).tcp_options(test::Bytes(40, 1)).build(),
       {.src_port = 1, .dst_port = 2, .payload_offset = 80, .tcp_flags = 0x10}},
      {"behind IP options",
       v4().options({1, 1, 1, 0}).tcp(1, 2, 0x10).build(),
       {.src_port = 1, .dst_port = 2, .payload_offset = 44, .tcp_flags = 0x10}},
      {"behind extensions",
       v6().extension(60).udp(1, 2).build(),
       {.src_port = 1, .dst_port = 2, .payload_offset = 56}},
      {"echo",
       v4().icmp_echo(0x1234, 1).build(),
       {.src_port = 0x1234,
        .dst_port = 0x1234,
        .payload_offset = 28,
        .icmp_type = 8,
        .icmp = IcmpKind::query}},
      {"echo reply",
       v4().icmp_echo(0x1234, 1, true).build(),
       {.src_port = 0x1234, .dst_port = 0x1234, .payload_offset = 28, .icmp = IcmpKind::reply}},
      {"ICMPv6 echo",
       v6().icmp_echo(7, 1).build(),
       {.src_port = 7, .dst_port = 7, .payload_offset = 48, .icmp_type = 128, .icmp = IcmpKind::query}},
      {"ICMPv6 echo reply",
       v6().icmp_echo(7, 1, true).build(),
       {.src_port = 7, .dst_port = 7, .payload_offset = 48, .icmp_type = 129, .icmp = IcmpKind::reply}},
      {"unreachable",
       v4().icmp(3, 4, 1400).filler(28).build(),
       {.payload_offset = 28, .icmp_type = 3, .icmp_code = 4, .icmp = IcmpKind::error}},
      {"time exceeded",
       v4().icmp(11, 0).filler(28).build(),
       {.payload_offset = 28, .icmp_type = 11, .icmp = IcmpKind::error}},
      {"too big",
       v6().icmp(2, 0, 1400).filler(48).build(),
       {.payload_offset = 48, .icmp_type = 2, .icmp = IcmpKind::error}},
      {"timestamp",
       v4().icmp(13, 0, 0x1234'0001).filler(12).build(),
       {.src_port = 0x1234,
        .dst_port = 0x1234,
        .payload_offset = 28,
        .icmp_type = 13,
        .icmp = IcmpKind::query}},
      {"timestamp reply",
       v4().icmp(14, 0, 0x1234'0001).filler(12).build(),
       {.src_port = 0x1234,
        .dst_port = 0x1234,
        .payload_offset = 28,
        .icmp_type = 14,
        .icmp = IcmpKind::reply}},
      {"information",
       v4().icmp(15, 0, 0x1234'0001).build(),
       {.src_port = 0x1234,
        .dst_port = 0x1234,
        .payload_offset = 28,
        .icmp_type = 15,
        .icmp = IcmpKind::query}},
      {"address mask reply",
       v4().icmp(18, 0, 0x1234'0001).filler(4).build(),
       {.src_port = 0x1234,
        .dst_port = 0x1234,
        .payload_offset = 28,
        .icmp_type = 18,
        .icmp = IcmpKind::reply}},
      {"ICMPv6 node information has no identifier",
       v6().icmp(139, 0, 0x1234'0001).filler(8).build(),
       {.payload_offset = 48, .icmp_type = 139, .icmp = IcmpKind::query}},
      {"ICMPv6 node information reply",
       v6().icmp(140, 0, 0x1234'0001).filler(8).build(),
       {.payload_offset = 48, .icmp_type = 140, .icmp = IcmpKind::reply}},
      {"router advertisement of IPv4 is neither query nor error",
       v4().icmp(9, 0, 0x1234'0001).filler(8).build(),
       {.payload_offset = 28, .icmp_type = 9, .icmp = IcmpKind::other}},
      {"ICMPv6 multicast listener query is none that a host answers to its sender",
       v6().icmp(130, 0, 0x1234'0001).filler(16).build(),
       {.payload_offset = 48, .icmp_type = 130, .icmp = IcmpKind::other}},
      {"ICMPv6 in IPv4 is some protocol", v4().type(58).filler(3).build(), {.payload_offset = 20}},
      {"ICMP in IPv6 is some protocol", v6().type(1).filler(3).build(), {.payload_offset = 40}},
      {"ESP", v4().type(50).filler(3).build(), {.payload_offset = 20}},
      {"nothing behind the header", v4().type(47).build(), {.payload_offset = 20}},
  };
  for (const Row& row : rows) {
    L4View got;
    ASSERT_EQ(parse(row.packet, got), ParseError::none) << row.name;
    EXPECT_EQ(got.src_port, row.want.src_port) << row.name;
    EXPECT_EQ(got.dst_port, row.want.dst_port) << row.name;
    EXPECT_EQ(got.payload_offset, row.want.payload_offset) << row.name;
    EXPECT_EQ(got.tcp_flags, row.want.tcp_flags) << row.name;
    EXPECT_EQ(got.icmp_type, row.want.icmp_type) << row.name;
    EXPECT_EQ(got.icmp_code, row.want.icmp_code) << row.name;
    EXPECT_EQ(got.icmp, row.want.icmp) << row.name;
  }
}

TEST(ParseL4, BadTwins) {
  struct Bad {
    const char* name;
    test::Bytes packet;
    ParseError error;
  };
  const Bad rows[] = {
      {"UDP length 7", v4().udp(1, 2).length(7).filler(5).build(), ParseError::bad_header},
      {"UDP length 0", v4().udp(1, 2).length(0).filler(5).build(), ParseError::bad_header},
      {"UDP length over the packet", v4().udp(1, 2).length(14).filler(5).build(), ParseError::truncated},
      {"UDP length into the padding", v4().length(33).udp(1, 2).length(14).filler(6).build(),
       ParseError::truncated},
      {"UDP header cut", v4().type(17).filler(7).build(), ParseError::truncated},
      {"UDP atomic fragment is whole", v6().fragment6(0, false, 1).udp(1, 2).length(9).build(),
       ParseError::truncated},
      {"TCP header cut", v4().type(6).filler(19).build(), ParseError::truncated},
      {"TCP header length 16", v4().tcp(1, 2, 2).byte(12, 0x40).build(), ParseError::bad_header},
      {"TCP header length 0", v6().tcp(1, 2, 2).byte(12, 0x00).build(), ParseError::bad_header},
      {"TCP options cut", v4().tcp(1, 2, 2).byte(12, 0x60).filler(3).build(), ParseError::truncated},
      {"ICMP cut", v4().type(1).filler(7).build(), ParseError::truncated},
      {"ICMPv6 cut", v6().type(58).filler(7).build(), ParseError::truncated},
      {"no L4 header at all", v6().type(6).build(), ParseError::truncated},
  };
  for (const Bad& row : rows) {
    L4View l4;
    EXPECT_EQ(parse(row.packet, l4), row.error) << row.name;
  }
}

TEST(TcpOption, IsFoundBehindOthersButNotBehindNonsense) {
  constexpr uint8_t kScale = 3;
  const auto find = [](const test::Bytes& options) {
    test::Bytes header(sizeof(TcpHeader), 0);
    header.insert(header.end(), options.begin(), options.end());
    return find_tcp_option(header, kScale, 3);
  };
  EXPECT_EQ(find({3, 3, 7}), std::optional<size_t>(20));
  EXPECT_EQ(find({1, 1, 2, 4, 5, 0xb4, 3, 3, 7}), std::optional<size_t>(26));
  EXPECT_EQ(find({3, 4, 7, 7, 3, 3, 7}), std::optional<size_t>(24)) << "the first has another length";
  for (const test::Bytes& options :
       {test::Bytes{}, {0, 3, 3, 7}, {2, 0, 3, 3, 7}, {2, 1, 3, 3, 7}, {2, 9, 3, 3, 7}, {3}, {3, 3}}) {
    EXPECT_FALSE(find(options).has_value()) << options.size();
  }
}

}  // namespace
}  // namespace weir::net
