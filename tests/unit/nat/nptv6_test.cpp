#include "dataplane/nat/nptv6.h"

#include <gtest/gtest.h>

#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

net::IpAddress ip(std::string_view text) { return *net::parse_ip(text); }
net::Prefix prefix(std::string_view text) { return *net::parse_prefix(text); }

/// By the book: the words are added up, and 65,536 counts as 1.
uint32_t sum_of(const net::IpAddress& address) {
  uint32_t sum = 0;
  for (const uint64_t half : {address.bits.hi, address.bits.lo}) {
    for (int shift = 0; shift < 64; shift += 16) sum += static_cast<uint16_t>(half >> shift);
  }
  return sum % 0xffff;
}

TEST(Nptv6, TheExampleOfTheRfc) {  // RFC 6296 section 3.6
  const Nptv6 out(prefix("fd01:203:405::/48"), prefix("2001:db8:1::/48"));
  const Nptv6 in(prefix("2001:db8:1::/48"), prefix("fd01:203:405::/48"));
  EXPECT_EQ(out.map(ip("fd01:203:405:1::1234")), ip("2001:db8:1:d550::1234"));
  EXPECT_EQ(in.map(ip("2001:db8:1:d550::1234")), ip("fd01:203:405:1::1234"));
}

TEST(Nptv6, BehindALongPrefixAWordOfTheIdentifierChanges) {
  const Nptv6 out(prefix("2001:db8:1::/64"), prefix("2001:db8:a::/64"));
  const Nptv6 in(prefix("2001:db8:a::/64"), prefix("2001:db8:1::/64"));
  // 1 - 10 = -9; the first word that is not 0xffff takes it.
  for (const auto& [inside, outside] :
       {std::pair("2001:db8:1::5", "2001:db8:a:0:fff6::5"),
        std::pair("2001:db8:1:0:9::5", "2001:db8:a:0:0::5"),
        std::pair("2001:db8:1:0:ffff:0:0:5", "2001:db8:a:0:ffff:fff6:0:5"),
        std::pair("2001:db8:1:0:ffff:ffff:ffff:5", "2001:db8:a:0:ffff:ffff:ffff:fffb")}) {
    EXPECT_EQ(out.map(ip(inside)), ip(outside)) << inside;
    EXPECT_EQ(in.map(ip(outside)), ip(inside)) << outside;
  }
}

TEST(Nptv6, NamesNoCounterpartWhereThereIsNone) {
  const Nptv6 subnet(prefix("fd01:203:405::/48"), prefix("2001:db8:1::/48"));
  EXPECT_FALSE(subnet.map(ip("fd01:203:405:ffff::1")));
  EXPECT_TRUE(subnet.map(ip("fd01:203:405:fffe::1")));
  const Nptv6 identifier(prefix("2001:db8:1::/64"), prefix("2001:db8:a::/64"));
  EXPECT_FALSE(identifier.map(ip("2001:db8:1:0:ffff:ffff:ffff:ffff")));
  EXPECT_FALSE(identifier.map(ip("2001:db8:1::"))) << "of all routers there";
  EXPECT_FALSE(identifier.map(ip("2001:db8:1:0:9::"))) << "would become that";
}

TEST(Nptv6, ThereAndBackWithTheSameSum) {
  test::RandomInput random(6'296);
  int unmapped = 0;
  for (int n = 0; n < 2'000; ++n) {
    const auto length = static_cast<uint8_t>(16 + random.below(kMaxNptv6Length - 15));
    const auto any = [&] { return net::IpAddress(net::Ipv6{random.word(), random.word()}); };
    const net::Prefix inside{net::masked(any(), length), length}, outside{net::masked(any(), length), length};
    const Nptv6 out(inside, outside), in(outside, inside);
    for (int i = 0; i < 20; ++i) {
      net::IpAddress address = any();
      // The words that matter, more often than chance has them.
      if (random.one_in(3)) address.bits.hi |= 0xffff;
      if (random.one_in(4)) address.bits.lo |= 0xffff'ffff'0000'0000;
      if (random.one_in(8)) address.bits.lo = random.one_in(2) ? UINT64_MAX : 0;
      address.bits.hi ^= net::masked(address, length).bits.hi ^ inside.address.bits.hi;
      ASSERT_TRUE(inside.contains(address));
      const auto there = out.map(address);
      if (!there) {
        ++unmapped;
        continue;
      }
      ASSERT_TRUE(outside.contains(*there));
      ASSERT_EQ(sum_of(*there), sum_of(address));
      ASSERT_EQ(in.map(*there), address) << net::to_string(address) << " of " << net::to_string(inside);
    }
  }
  EXPECT_GT(unmapped, 1'000);
}

}  // namespace
}  // namespace weir::dataplane
