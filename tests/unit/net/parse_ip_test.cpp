#include <gtest/gtest.h>

#include "dataplane/net/parse.h"
#include "tests/support/packet_builder.h"

namespace weir::net {
namespace {

using test::PacketBuilder;

PacketBuilder v4() { return PacketBuilder().ipv4("10.1.0.5", "10.2.0.6"); }
PacketBuilder v6() { return PacketBuilder().ipv6("2001:db8:1::5", "2001:db8:2::6"); }

TEST(ParseIpv4, Fields) {
  const test::Bytes packet = v4().ttl(9).ip_id(0x1234).udp(1, 2).filler(3).build();
  IpView ip;
  ASSERT_EQ(parse_ipv4(packet, ip), ParseError::none);
  EXPECT_EQ(ip.family, Family::ipv4);
  EXPECT_EQ(ip.protocol, kProtoUdp);
  EXPECT_EQ(ip.ttl, 9);
  EXPECT_EQ(ip.l4_offset, 20);
  EXPECT_EQ(ip.length, 31u);
  EXPECT_EQ(ip.fragment_id, 0x1234u);
  EXPECT_EQ(to_string(ip.src), "10.1.0.5");
  EXPECT_EQ(to_string(ip.dst), "10.2.0.6");
  EXPECT_FALSE(ip.fragment);
  EXPECT_TRUE(ip.first_fragment);
}

TEST(ParseIpv4, Options) {
  for (size_t words = 1; words <= 10; ++words) {
    const test::Bytes packet = v4().options(test::Bytes(words * 4, 1)).udp(1, 2).build();
    IpView ip;
    ASSERT_EQ(parse_ipv4(packet, ip), ParseError::none) << words;
    EXPECT_EQ(ip.l4_offset, 20 + words * 4);
    EXPECT_EQ(ip.length, 28 + words * 4);
  }
}

TEST(ParseIpv4, PaddingIsNotThePackets) {
  const test::Bytes packet = v4().udp(1, 2).pad_to(60).build();
  IpView ip;
  ASSERT_EQ(parse_ipv4(packet, ip), ParseError::none);
  EXPECT_EQ(ip.length, 28u);
}

TEST(ParseIpv4, Fragments) {
  struct Row {
    const char* name;
    test::Bytes packet;
    bool fragment, first;
  };
  const Row rows[] = {
      {"whole", v4().udp(1, 2).build(), false, true},
      {"don't fragment", v4().dont_fragment().udp(1, 2).build(), false, true},
      {"first", v4().fragment(0, true).udp(1, 2).build(), true, true},
      {"middle", v4().fragment(8, true).filler(8).build(), true, false},
      {"last", v4().fragment(1480, false).filler(8).build(), true, false},
      {"the highest offset", v4().fragment(65'528, false).filler(8).build(), true, false},
  };
  for (const Row& row : rows) {
    IpView ip;
    ASSERT_EQ(parse_ipv4(row.packet, ip), ParseError::none) << row.name;
    EXPECT_EQ(ip.fragment, row.fragment) << row.name;
    EXPECT_EQ(ip.first_fragment, row.first) << row.name;
  }
}

TEST(ParseIpv4, BadTwins) {
  struct Row {
    const char* name;
    test::Bytes packet;
    ParseError error;
  };
  const auto udp = [](PacketBuilder b) { return b.udp(1, 2).filler(4).build(); };
  const Row rows[] = {
      {"nothing", {}, ParseError::truncated},
      {"version 5", udp(v4().byte(0, 0x55)), ParseError::bad_header},
      {"version 6", udp(v4().byte(0, 0x65)), ParseError::bad_header},
      {"header length 0", udp(v4().byte(0, 0x40)), ParseError::bad_header},
      {"header length 16", udp(v4().byte(0, 0x44)), ParseError::bad_header},
      {"header longer than the packet says", udp(v4().byte(0, 0x4f)), ParseError::bad_header},
      {"total length 0", udp(v4().length(0)), ParseError::bad_header},
      {"total length 19", udp(v4().length(19)), ParseError::bad_header},
      {"total length over the bytes", udp(v4().length(33)), ParseError::truncated},
      {"total length 65535", udp(v4().length(65'535)), ParseError::truncated},
      {"checksum", udp(v4().bad_checksum()), ParseError::bad_header},
  };
  for (const Row& row : rows) {
    IpView ip;
    EXPECT_EQ(parse_ipv4(row.packet, ip), row.error) << row.name;
  }
  IpView ip;
  EXPECT_EQ(parse_ipv4(udp(v4()), ip), ParseError::none) << "the good twin of them all";
  EXPECT_EQ(parse_ipv4(udp(v4().length(20)), ip), ParseError::none) << "a header alone is a packet";
}

TEST(ParseIpv6, Fields) {
  const test::Bytes packet = v6().ttl(9).udp(1, 2).filler(3).build();
  IpView ip;
  ASSERT_EQ(parse_ipv6(packet, ip), ParseError::none);
  EXPECT_EQ(ip.family, Family::ipv6);
  EXPECT_EQ(ip.protocol, kProtoUdp);
  EXPECT_EQ(ip.ttl, 9);
  EXPECT_EQ(ip.l4_offset, 40);
  EXPECT_EQ(ip.length, 51u);
  EXPECT_EQ(to_string(ip.src), "2001:db8:1::5");
  EXPECT_EQ(to_string(ip.dst), "2001:db8:2::6");
  EXPECT_FALSE(ip.fragment);
}

TEST(ParseIpv6, WalksChains) {
  struct Row {
    const char* name;
    test::Bytes packet;
    uint8_t protocol;
    uint16_t l4_offset;
    bool fragment, first;
  };
  const Row rows[] = {
      {"none", v6().udp(1, 2).build(), 17, 40, false, true},
      {"hop-by-hop", v6().extension(0).udp(1, 2).build(), 17, 48, false, true},
      {"routing", v6().extension(43).tcp(1, 2, 2).build(), 6, 48, false, true},
      {"destination options, long", v6().extension(60, test::Bytes(62)).udp(1, 2).build(), 17, 104, false,
       true},
      {"three", v6().extension(0).extension(43).extension(60).udp(1, 2).build(), 17, 64, false, true},
      {"longest walked chain",
       v6().extension(0)
           .extension(60)
           .extension(60)
           .extension(60)
           .extension(60)
           .extension(60)
           .extension(60)
           .udp(1, 2)
           .build(),
       17, 96, false, true},
      {"atomic fragment", v6().fragment6(0, false, 5).udp(1, 2).build(), 17, 48, false, true},
      {"first fragment", v6().fragment6(0, true, 5).udp(1, 2).build(), 17, 48, true, true},
      {"options behind a first fragment", v6().fragment6(0, true, 5).extension(60).udp(1, 2).build(), 17, 56,
       true, true},
      {"later fragment: what follows is no header", v6().fragment6(8, true, 5).type(60).filler(3).build(), 60,
       48, true, false},
      {"last fragment", v6().fragment6(65'528, false, 5).type(17).filler(8).build(), 17, 48, true, false},
      {"AH is not walked", v6().type(51).filler(12).build(), 51, 40, false, true},
      {"ESP is not walked", v6().type(50).filler(12).build(), 50, 40, false, true},
      {"no next header", v6().build(), 59, 40, false, true},
  };
  for (const Row& row : rows) {
    IpView ip;
    ASSERT_EQ(parse_ipv6(row.packet, ip), ParseError::none) << row.name;
    EXPECT_EQ(ip.protocol, row.protocol) << row.name;
    EXPECT_EQ(ip.l4_offset, row.l4_offset) << row.name;
    EXPECT_EQ(ip.fragment, row.fragment) << row.name;
    EXPECT_EQ(ip.first_fragment, row.first) << row.name;
  }
}

TEST(ParseIpv6, FragmentId) {
  IpView ip;
  ASSERT_EQ(parse_ipv6(v6().fragment6(0, true, 0xdeadbeef).udp(1, 2).build(), ip), ParseError::none);
  EXPECT_EQ(ip.fragment_id, 0xdeadbeefu);
}

TEST(ParseIpv6, BadTwins) {
  struct Row {
    const char* name;
    test::Bytes packet;
    ParseError error;
  };
  PacketBuilder eight = v6().extension(0);
  for (int i = 0; i < 7; ++i) eight.extension(60);
  const Row rows[] = {
      {"nothing", {}, ParseError::truncated},
      {"version 4", v6().byte(0, 0x40).udp(1, 2).build(), ParseError::bad_header},
      {"version 0", v6().byte(0, 0x00).udp(1, 2).build(), ParseError::bad_header},
      {"payload length over the bytes", v6().length(9).udp(1, 2).build(), ParseError::truncated},
      {"payload length 65535", v6().length(65'535).udp(1, 2).build(), ParseError::truncated},
      {"extension header announced, none there", v6().type(0).build(), ParseError::truncated},
      {"fragment header announced, none there", v6().type(44).build(), ParseError::truncated},
      {"extension of 2048 bytes", v6().extension(60).byte(1, 255).udp(1, 2).build(), ParseError::truncated},
      {"hop-by-hop second", v6().extension(60).extension(0).udp(1, 2).build(), ParseError::bad_header},
      {"eight extensions", eight.udp(1, 2).build(), ParseError::extension_headers},
  };
  for (const Row& row : rows) {
    IpView ip;
    EXPECT_EQ(parse_ipv6(row.packet, ip), row.error) << row.name;
  }
}

TEST(ParseIpv6, ExtensionsEndWithThePayloadLength) {
  // The bytes of the second extension are there, but the packet's length says they are padding.
  const test::Bytes packet = v6().length(8).extension(0).extension(60).udp(1, 2).build();
  IpView ip;
  EXPECT_EQ(parse_ipv6(packet, ip), ParseError::truncated);
  const test::Bytes twin = v6().extension(0).extension(60).udp(1, 2).build();
  EXPECT_EQ(parse_ipv6(twin, ip), ParseError::none);
}

}  // namespace
}  // namespace weir::net
