#include <gtest/gtest.h>

#include "dataplane/net/parse.h"
#include "tests/support/packet_builder.h"

namespace weir::net {
namespace {

using test::PacketBuilder;

const Mac kHub{{2, 0, 0, 0, 0, 1}}, kPeer{{2, 0, 0, 0, 0, 2}};

PacketBuilder ether() { return PacketBuilder().ether(kHub, kPeer); }

struct Row {
  const char* name;
  test::Bytes frame;
  uint16_t type;
  uint16_t offset;
  bool tagged;
};

TEST(ParseEthernet, SkipsUpToTwoTags) {
  const Row rows[] = {
      {"IPv4", ether().ipv4("10.0.0.1", "10.0.0.2").build(), kEtherIpv4, 14, false},
      {"IPv6", ether().ipv6("::2", "::3").build(), kEtherIpv6, 14, false},
      {"ARP", ether().arp_request(kPeer, "10.0.0.1", "10.0.0.2").build(), kEtherArp, 14, false},
      {"802.1Q", ether().vlan(7).ipv4("10.0.0.1", "10.0.0.2").build(), kEtherIpv4, 18, true},
      {"802.1ad", ether().vlan(7, 0x88a8).vlan(8).ipv4("10.0.0.1", "10.0.0.2").build(), kEtherIpv4, 22, true},
      {"two 802.1Q", ether().vlan(7).vlan(8).ipv6("::2", "::3").build(), kEtherIpv6, 22, true},
      {"a third tag is left", ether().vlan(7).vlan(8).vlan(9).ipv4("10.0.0.1", "10.0.0.2").build(),
       kEtherVlan, 22, true},
      {"nothing behind", ether().type(0x1234).build(), 0x1234, 14, false},
  };
  for (const Row& row : rows) {
    EthView view;
    ASSERT_EQ(parse_ethernet(row.frame, view), ParseError::none) << row.name;
    EXPECT_EQ(view.type, row.type) << row.name;
    EXPECT_EQ(view.offset, row.offset) << row.name;
    EXPECT_EQ(view.tagged, row.tagged) << row.name;
    EXPECT_LE(view.offset, row.frame.size()) << row.name;
  }
}

TEST(ParseEthernet, RefusesCutHeaders) {
  const test::Bytes frame = ether().vlan(7, 0x88a8).vlan(8).ipv4("10.0.0.1", "10.0.0.2").build();
  for (size_t size = 0; size < 22; ++size) {
    EthView view;
    EXPECT_EQ(parse_ethernet(Bytes(frame).first(size), view), ParseError::truncated) << size;
  }
  EthView view;
  EXPECT_EQ(parse_ethernet(Bytes(frame).first(22), view), ParseError::none);
}

}  // namespace
}  // namespace weir::net
