#include "dataplane/net/address.h"

#include <gtest/gtest.h>

namespace weir::net {
namespace {

TEST(Address, PrintsAsItWasWritten) {
  for (const char* text : {"0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::1:2",
                           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    const auto address = parse_ip(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(to_string(*address), text);
  }
}

TEST(Address, RefusesWhatIsNoAddress) {
  for (const char* text :
       {"", " ", "10.1.2", "10.1.2.256", "10.1.2.3.4", "10.1.2.3 ", " 10.1.2.3", "10.1.2.-3", "0x0a.1.2.3",
        "010.1.2.3", ":", ":::", "2001:db8::g", "1:2:3:4:5:6:7", "::1::", "prod", "2001:db8::1%eth0"}) {
    EXPECT_FALSE(parse_ip(text)) << text;
  }
  EXPECT_FALSE(parse_ip(std::string_view("10.1.2.3\0.4", 11)).has_value()) << "a NUL inside";
}

TEST(Address, FamiliesDiffer) {
  const IpAddress v4 = *parse_ip("0.0.0.1"), v6 = *parse_ip("::1");
  EXPECT_EQ(v4.bits, v6.bits);
  EXPECT_NE(v4, v6);
}

TEST(Address, WireOrder) {
  const Ipv4 v4 = parse_ip("10.1.2.3")->v4();
  EXPECT_EQ(v4.value, 0x0a010203u);
  const uint32_t raw = v4.be().raw();
  uint8_t wire[4];
  std::memcpy(wire, &raw, 4);
  EXPECT_EQ(wire[0], 10);
  EXPECT_EQ(wire[3], 3);

  uint8_t wire6[16];
  parse_ip("2001:db8::f")->v6().store(wire6);
  EXPECT_EQ(wire6[0], 0x20);
  EXPECT_EQ(wire6[3], 0xb8);
  EXPECT_EQ(wire6[15], 0x0f);
  EXPECT_EQ(IpAddress(Ipv6::load(wire6)), *parse_ip("2001:db8::f"));
}

struct PrefixRow {
  const char* text;
  const char* first;
  const char* last;
};

TEST(Prefix, ParsesPrintsAndSpans) {
  const PrefixRow rows[] = {
      {"0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
      {"10.0.0.0/8", "10.0.0.0", "10.255.255.255"},
      {"128.0.0.0/1", "128.0.0.0", "255.255.255.255"},
      {"10.1.2.2/31", "10.1.2.2", "10.1.2.3"},
      {"10.1.2.3/32", "10.1.2.3", "10.1.2.3"},
      {"::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
      {"8000::/1", "8000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
      {"2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
      {"2001:db8::/63", "2001:db8::", "2001:db8:0:1:ffff:ffff:ffff:ffff"},
      {"2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"},
      {"2001:db8::/65", "2001:db8::", "2001:db8::7fff:ffff:ffff:ffff"},
      {"2001:db8::2/127", "2001:db8::2", "2001:db8::3"},
      {"2001:db8::1/128", "2001:db8::1", "2001:db8::1"},
  };
  for (const PrefixRow& row : rows) {
    const auto prefix = parse_prefix(row.text);
    ASSERT_TRUE(prefix) << row.text;
    EXPECT_EQ(to_string(*prefix), row.text);
    EXPECT_EQ(to_string(prefix->first()), row.first) << row.text;
    EXPECT_EQ(to_string(prefix->last()), row.last) << row.text;
    EXPECT_TRUE(prefix->contains(prefix->first())) << row.text;
    EXPECT_TRUE(prefix->contains(prefix->last())) << row.text;
    EXPECT_TRUE(prefix->contains(*prefix)) << row.text;
  }
}

TEST(Prefix, APlainAddressIsAHost) {
  EXPECT_EQ(parse_prefix("10.1.2.3")->length, 32);
  EXPECT_EQ(parse_prefix("2001:db8::1")->length, 128);
}

TEST(Prefix, RefusesHostBitsAndWrongLengths) {
  for (const char* text :
       {"10.1.2.3/31", "10.0.0.1/8", "128.0.0.0/0", "2001:db8::1/127", "2001:db8::/16", "2001:db8:0:1::/63",
        "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 ", "10.0.0.0/8/8",
        "/8", "10.0.0.0/256", "10.0.0.0/4294967304"}) {
    EXPECT_FALSE(parse_prefix(text)) << text;
  }
}

TEST(Prefix, NeighboursAreOutside) {
  const Prefix p4 = *parse_prefix("10.1.2.0/24"), p6 = *parse_prefix("2001:db8:0:2::/63");
  EXPECT_FALSE(p4.contains(*parse_ip("10.1.1.255")));
  EXPECT_FALSE(p4.contains(*parse_ip("10.1.3.0")));
  EXPECT_FALSE(p6.contains(*parse_ip("2001:db8:0:1:ffff:ffff:ffff:ffff")));
  EXPECT_FALSE(p6.contains(*parse_ip("2001:db8:0:4::")));
  EXPECT_FALSE(parse_prefix("0.0.0.0/0")->contains(*parse_ip("::")));
  EXPECT_FALSE(parse_prefix("::/0")->contains(*parse_ip("0.0.0.0")));
  EXPECT_FALSE(p4.contains(*parse_prefix("10.1.0.0/16"))) << "a wider prefix";
  EXPECT_TRUE(p4.contains(*parse_prefix("10.1.2.128/25")));
}

TEST(Masked, EveryLength) {
  const IpAddress ones4 = Ipv4{0xffff'ffff}, ones6 = Ipv6{~0ULL, ~0ULL};
  for (unsigned length = 0; length <= 32; ++length) {
    uint32_t expected = 0;
    for (unsigned bit = 0; bit < length; ++bit) expected |= 0x8000'0000u >> bit;
    EXPECT_EQ(masked(ones4, static_cast<uint8_t>(length)).v4().value, expected) << length;
  }
  for (unsigned length = 0; length <= 128; ++length) {
    Ipv6 expected;
    for (unsigned bit = 0; bit < length; ++bit)
      (bit < 64 ? expected.hi : expected.lo) |= 1ULL << (63 - bit % 64);
    EXPECT_EQ(masked(ones6, static_cast<uint8_t>(length)).v6(), expected) << length;
  }
}

TEST(InterfaceAddress, KeepsItsHostPart) {
  const auto address = parse_interface_address("10.1.0.1/24");
  ASSERT_TRUE(address);
  EXPECT_EQ(to_string(*address), "10.1.0.1/24");
  EXPECT_EQ(to_string(address->subnet()), "10.1.0.0/24");
  EXPECT_EQ(to_string(parse_interface_address("2001:db8::1/64")->subnet()), "2001:db8::/64");
  for (const char* text : {"10.1.0.1", "10.1.0.1/", "10.1.0.1/33", "x/24"}) {
    EXPECT_FALSE(parse_interface_address(text)) << text;
  }
}

TEST(Mac, ParsesAndPrints) {
  const auto mac = parse_mac("02:57:00:aB:Cd:0f");
  ASSERT_TRUE(mac);
  EXPECT_EQ(to_string(*mac), "02:57:00:ab:cd:0f");
  EXPECT_EQ(mac->to_u64(), 0x025700abcd0fULL);
  EXPECT_EQ(Mac::from_u64(mac->to_u64()), *mac);
  for (const char* text :
       {"", "02:57:00:ab:cd", "02:57:00:ab:cd:0f:00", "02-57-00-ab-cd-0f", "02:57:00:ab:cd:0g",
        "+2:57:00:ab:cd:0f", "2:57:00:ab:cd:0ff", " 2:57:00:ab:cd:0f", "-1:57:00:ab:cd:0f"}) {
    EXPECT_FALSE(parse_mac(text)) << text;
  }
}

TEST(Mac, Kinds) {
  EXPECT_TRUE(parse_mac("ff:ff:ff:ff:ff:ff")->is_broadcast());
  EXPECT_TRUE(parse_mac("ff:ff:ff:ff:ff:ff")->is_multicast());
  EXPECT_TRUE(parse_mac("33:33:00:00:00:01")->is_multicast());
  EXPECT_FALSE(parse_mac("33:33:00:00:00:01")->is_broadcast());
  EXPECT_FALSE(parse_mac("02:00:00:00:00:01")->is_multicast());
  EXPECT_TRUE(Mac{}.is_zero());
}

TEST(Martian, NeverRouted) {
  for (const char* text : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "169.254.0.1", "224.0.0.1",
                           "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
                           "febf:ffff::1", "ff02::1", "ff00::", "::ffff:10.0.0.1"}) {
    EXPECT_TRUE(is_martian(*parse_ip(text))) << text;
  }
  for (const char* text : {"1.0.0.0", "10.0.0.1", "126.255.255.255", "128.0.0.1", "169.253.255.255",
                           "169.255.0.0", "192.168.1.1", "223.255.255.255", "::2", "2001:db8::1", "fc00::1",
                           "fec0::1", "fe7f:ffff::1", "64:ff9b::10.0.0.1"}) {
    EXPECT_FALSE(is_martian(*parse_ip(text))) << text;
  }
}

}  // namespace
}  // namespace weir::net
