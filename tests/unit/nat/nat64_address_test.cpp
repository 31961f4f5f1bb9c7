#include "dataplane/nat/nat64_address.h"

#include <gtest/gtest.h>

#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

net::IpAddress ip(std::string_view text) { return *net::parse_ip(text); }
net::Prefix prefix(std::string_view text) { return *net::parse_prefix(text); }

TEST(Nat64Address, TheExamplesOfTheRfc) {  // RFC 6052 section 2.4
  const net::Ipv4 inside = ip("192.0.2.33").v4();
  for (const auto& [in, whole] : {std::pair("2001:db8::/32", "2001:db8:c000:221::"),
                                  std::pair("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
                                  std::pair("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
                                  std::pair("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
                                  std::pair("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
                                  std::pair("2001:db8:122:344::/96", "2001:db8:122:344::c000:221"),
                                  std::pair("64:ff9b::/96", "64:ff9b::c000:221")}) {
    EXPECT_EQ(net::IpAddress(embedded(prefix(in), inside)), ip(whole)) << in;
    EXPECT_EQ(extracted(prefix(in), ip(whole).v6()), inside) << in;
  }
  EXPECT_EQ(prefix("64:ff9b::/96").address, net::IpAddress(kWellKnownPrefix64));
}

TEST(Nat64Address, ThereAndBack) {
  test::RandomInput random(6'052);
  for (int length = 0; length <= 128; ++length) {
    const bool right =
        length == 32 || length == 40 || length == 48 || length == 56 || length == 64 || length == 96;
    ASSERT_EQ(is_nat64_length(static_cast<uint8_t>(length)), right) << length;
    if (!right) continue;
    for (int i = 0; i < 200; ++i) {
      net::Ipv6 bits{random.word(), random.word() & 0x00ff'ffff'ffff'ffff};
      const auto size = static_cast<uint8_t>(length);
      const net::Prefix in{net::masked(net::IpAddress(bits), size), size};
      const net::Ipv4 inside{static_cast<uint32_t>(random.word())};
      const net::Ipv6 whole = embedded(in, inside);
      ASSERT_TRUE(in.contains(net::IpAddress(whole)));
      ASSERT_EQ(whole.lo >> 56, 0u);
      ASSERT_EQ(extracted(in, whole), inside) << length;
    }
  }
}

TEST(Nat64Address, BitsThatAreReservedAreZero) {
  EXPECT_FALSE(extracted(prefix("2001:db8:122::/48"), ip("2001:db8:122:c000:102:2100::").v6()));
  EXPECT_TRUE(extracted(prefix("2001:db8:122::/48"), ip("2001:db8:122:c000:2:2100:0:7").v6()))
      << "what follows";
}

}  // namespace
}  // namespace weir::dataplane
