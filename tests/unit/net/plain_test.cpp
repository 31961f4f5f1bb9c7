// The plain reading agrees with the complete one wherever it says yes, and takes what is ordinary.
#include "dataplane/net/plain.h"
#include "dataplane/net/checksum.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "dataplane/net/parse.h"
#include "tests/support/packet_builder.h"

namespace weir::test {
namespace {

using net::ParseError;

/// An IP packet without Ethernet.
Bytes packet(net::Family family, bool tcp, size_t payload) {
  PacketBuilder builder;
  builder.ether({{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}});
  if (family == net::Family::ipv4) {
    builder.ipv4("10.1.0.5", "10.2.0.9");
  } else {
    builder.ipv6("2001:db8:1::5", "2001:db8:2::9");
  }
  if (tcp) {
    builder.tcp(1234, 80, 0x10);
  } else {
    builder.udp(1234, 53);
  }
  builder.payload(std::string(payload, 'x'));
  const Bytes frame = builder.build();
  return Bytes(frame.begin() + sizeof(net::EthHeader), frame.end());
}

/// What the plain reading says, in the words of the complete one.
bool read_plain(const Bytes& bytes, net::Family family, net::PlainView& view, net::IpAddress& src,
                net::IpAddress& dst) {
  if (family == net::Family::ipv4) {
    uint64_t addresses;
    if (!net::parse_plain_ipv4(bytes.data(), bytes.size(), view, addresses)) return false;
    src = net::Ipv4{static_cast<uint32_t>(addresses)};
    dst = net::Ipv4{static_cast<uint32_t>(addresses >> 32)};
    return true;
  }
  net::Ipv6 from, to;
  if (!net::parse_plain_ipv6(bytes.data(), bytes.size(), view, from, to)) return false;
  src = from;
  dst = to;
  return true;
}

/// True: taken by the plain reading; the complete one then has to say the same.
bool expect_agreement(const Bytes& bytes, net::Family family) {
  net::PlainView view;
  net::IpAddress src, dst;
  if (!read_plain(bytes, family, view, src, dst)) return false;
  net::IpView ip;
  net::L4View l4;
  EXPECT_EQ(family == net::Family::ipv4 ? net::parse_ipv4(bytes, ip) : net::parse_ipv6(bytes, ip),
            ParseError::none);
  EXPECT_EQ(net::parse_l4(bytes, ip, l4), ParseError::none);
  EXPECT_FALSE(ip.fragment || ip.source_route);
  EXPECT_EQ(src, ip.src);
  EXPECT_EQ(dst, ip.dst);
  EXPECT_EQ(view.length, ip.length);
  EXPECT_EQ(view.protocol, ip.protocol);
  EXPECT_EQ(view.ttl, ip.ttl);
  EXPECT_EQ(view.tos, ip.tos);
  EXPECT_EQ(view.ports, static_cast<uint32_t>(l4.dst_port) << 16 | l4.src_port);
  EXPECT_EQ(view.payload_offset, l4.payload_offset);
  EXPECT_EQ(view.tcp_flags, l4.tcp_flags);
  return true;
}

class Plain : public testing::TestWithParam<std::tuple<net::Family, bool>> {};

TEST_P(Plain, TakesWhatIsOrdinary) {
  const auto [family, tcp] = GetParam();
  for (const size_t payload : {0, 1, 22, 1400}) {
    Bytes bytes = packet(family, tcp, payload);
    EXPECT_TRUE(expect_agreement(bytes, family)) << payload;
    bytes.resize(bytes.size() + 7);  // padding of the frame
    EXPECT_TRUE(expect_agreement(bytes, family)) << payload;
  }
}

TEST_P(Plain, NeverReadsBeyondTheEnd) {
  const auto [family, tcp] = GetParam();
  const Bytes whole = packet(family, tcp, 3);
  for (size_t size = 0; size < whole.size(); ++size) {
    // A buffer of just that size: reading on is found by the address sanitizer.
    const Bytes cut(whole.begin(), whole.begin() + static_cast<long>(size));
    EXPECT_FALSE(expect_agreement(cut, family)) << size;
  }
}

TEST_P(Plain, AgreesOnDamagedPackets) {
  const auto [family, tcp] = GetParam();
  std::mt19937 random(7);
  unsigned taken = 0;
  for (int round = 0; round < 200'000; ++round) {
    Bytes bytes = packet(family, tcp, random() % 8);
    const size_t headers = std::min<size_t>(bytes.size(), 64);
    for (auto n = random() % 3; n-- > 0;) bytes[random() % headers] = static_cast<uint8_t>(random());
    if (family == net::Family::ipv4 && random() % 2 == 0) {  // so that damage behind the checksum is seen too
      bytes[10] = bytes[11] = 0;
      const uint16_t sum = weir::net::checksum(net::Bytes(bytes).first(20));
      bytes[10] = static_cast<uint8_t>(sum);
      bytes[11] = static_cast<uint8_t>(sum >> 8);
    }
    taken += expect_agreement(bytes, family);
  }
  EXPECT_GT(taken, 10'000u);
  EXPECT_LT(taken, 190'000u);
}

INSTANTIATE_TEST_SUITE_P(Families, Plain,
                         testing::Combine(testing::Values(net::Family::ipv4, net::Family::ipv6),
                                          testing::Bool()));

}  // namespace
}  // namespace weir::test
