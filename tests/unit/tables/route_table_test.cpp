#include "dataplane/fib/route_table.h"

#include <gtest/gtest.h>

#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

using Entry = RouteTable::Entry;

net::Prefix prefix(std::string_view text) { return net::parse_prefix(text).value(); }
net::IpAddress ip(std::string_view text) { return net::parse_ip(text).value(); }

/// The model: every prefix in turn.
std::optional<RouteTable::Match> scan(const std::vector<Entry>& entries, const net::IpAddress& address) {
  std::optional<RouteTable::Match> best;
  for (const Entry& entry : entries) {
    if (!entry.prefix.contains(address)) continue;
    if (!best || entry.prefix.length >= best->length) best = {entry.target, entry.prefix.length};
  }
  return best;
}

void expect_like_scan(const RouteTable& table, const std::vector<Entry>& entries,
                      const net::IpAddress& address) {
  const auto got = table.lookup(address);
  const auto expected = scan(entries, address);
  ASSERT_EQ(got.has_value(), expected.has_value()) << net::to_string(address);
  if (!got) return;
  ASSERT_EQ(got->target, expected->target) << net::to_string(address);
  ASSERT_EQ(got->length, expected->length) << net::to_string(address);
}

net::IpAddress neighbour(const net::IpAddress& a, int step) {
  if (a.is_v4()) return net::Ipv4{a.v4().value + static_cast<uint32_t>(step)};
  net::Ipv6 v = a.v6();
  if (step > 0 && v.lo == ~0ULL) ++v.hi;
  if (step < 0 && v.lo == 0) --v.hi;
  v.lo += static_cast<uint64_t>(static_cast<int64_t>(step));
  return v;
}

TEST(RouteTable, EmptyMatchesNothingAndCostsNothing) {
  const RouteTable table = RouteTable::build({});
  EXPECT_FALSE(table.lookup(ip("10.0.0.1")));
  EXPECT_FALSE(table.lookup(ip("2001:db8::1")));
  EXPECT_EQ(table.bytes(), 0u);
}

TEST(RouteTable, FamiliesDoNotMix) {
  const RouteTable table = RouteTable::build(std::vector<Entry>{{prefix("0.0.0.0/0"), 7}});
  EXPECT_TRUE(table.lookup(ip("255.255.255.255")));
  EXPECT_FALSE(table.lookup(ip("::")));
  EXPECT_FALSE(table.lookup(ip("::1")));
}

TEST(RouteTable, TheLongestWins) {
  const std::vector<Entry> entries = {{prefix("10.0.0.0/8"), 1},    {prefix("10.1.0.0/16"), 2},
                                      {prefix("10.1.1.0/24"), 3},   {prefix("10.1.1.1/32"), 4},
                                      {prefix("2001:db8::/32"), 5}, {prefix("2001:db8:1::/48"), 6}};
  const RouteTable table = RouteTable::build(entries);
  const struct {
    const char* address;
    int target;  // -1: none
  } rows[] = {{"9.255.255.255", -1}, {"10.0.0.0", 1},     {"10.0.255.255", 1}, {"10.1.0.0", 2},
              {"10.1.1.0", 3},       {"10.1.1.1", 4},     {"10.1.1.2", 3},     {"10.1.1.255", 3},
              {"10.1.2.0", 2},       {"10.2.0.0", 1},     {"11.0.0.0", -1},    {"2001:db8::1", 5},
              {"2001:db8:1::", 6},   {"2001:db8:2::", 5}, {"2001:db9::", -1}};
  for (const auto& row : rows) {
    const auto match = table.lookup(ip(row.address));
    ASSERT_EQ(match ? static_cast<int>(match->target) : -1, row.target) << row.address;
  }
}

TEST(RouteTable, EndsOfTheAddressSpace) {
  const std::vector<Entry> entries = {
      {prefix("0.0.0.0/32"), 1},  {prefix("255.255.255.255/32"), 2},
      {prefix("128.0.0.0/1"), 3}, {prefix("::/128"), 4},
      {prefix("8000::/1"), 5},    {prefix("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"), 6}};
  const RouteTable table = RouteTable::build(entries);
  for (const char* a :
       {"0.0.0.0", "0.0.0.1", "127.255.255.255", "128.0.0.0", "255.255.255.254", "255.255.255.255",
        "::", "::1", "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "8000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    expect_like_scan(table, entries, ip(a));
  }
}

TEST(RouteTable, OfTwoEqualPrefixesTheLaterCounts) {
  const std::vector<Entry> entries = {{prefix("10.0.0.0/8"), 1}, {prefix("10.0.0.0/8"), 2}};
  EXPECT_EQ(RouteTable::build(entries).lookup(ip("10.1.2.3"))->target, 2u);
}

TEST(RouteTable, AdjacentPrefixesWithOneTargetAreOneRange) {
  const std::vector<Entry> joined = {{prefix("10.0.0.0/9"), 1}, {prefix("10.128.0.0/9"), 1}};
  const std::vector<Entry> apart = {{prefix("10.0.0.0/9"), 1}, {prefix("10.128.0.0/9"), 2}};
  EXPECT_EQ(RouteTable::build(joined).bytes(), 3u * 12);  // before, both, after
  EXPECT_EQ(RouteTable::build(apart).bytes(), 4u * 12);
}

/// Tables of prefixes that crowd together, so that they nest, touch and repeat.
std::vector<Entry> random_table(test::RandomInput& random, size_t size, bool ipv4) {
  const uint8_t bits = ipv4 ? 32 : 128;
  std::vector<net::IpAddress> bases = {
      ipv4 ? net::IpAddress(net::Ipv4{0}) : net::IpAddress(net::Ipv6{}),
      ipv4 ? net::IpAddress(net::Ipv4{~0u}) : net::IpAddress(net::Ipv6{~0ULL, ~0ULL})};
  for (int i = 0; i < 3; ++i) bases.push_back(random.address(ipv4));
  std::vector<Entry> entries;
  while (entries.size() < size) {
    net::IpAddress address = random.pick(bases);
    if (random.one_in(2)) address = neighbour(address, static_cast<int>(random.below(9)) - 4);
    if (random.one_in(8)) address = random.address(ipv4);
    uint8_t length = static_cast<uint8_t>(random.below(bits + 1u));
    if (random.one_in(4)) length = static_cast<uint8_t>(bits - random.below(4));
    const Entry entry{{net::masked(address, length), length}, static_cast<TargetIndex>(random.below(5))};
    entries.push_back(entry);
    if (random.one_in(10)) entries.push_back({entry.prefix, entry.target + 1});  // a duplicate
    if (random.one_in(4)) {                                                      // the prefix next to it
      const net::IpAddress after = neighbour(entry.prefix.last(), 1);
      if (net::masked(after, length) == after) entries.push_back({{after, length}, entry.target});
    }
  }
  return entries;
}

TEST(RouteTable, AgreesWithAScanOverRandomTables) {
  test::RandomInput random(2);
  for (int round = 0; round < 400; ++round) {
    std::vector<Entry> entries = random_table(random, random.below(40), true);
    const std::vector<Entry> ipv6 = random_table(random, random.below(40), false);
    entries.insert(entries.end(), ipv6.begin(), ipv6.end());
    const RouteTable table = RouteTable::build(entries);
    for (const Entry& entry : entries) {
      for (const net::IpAddress& edge : {entry.prefix.first(), entry.prefix.last()}) {
        for (const int step : {-1, 0, 1}) expect_like_scan(table, entries, neighbour(edge, step));
      }
    }
    for (int i = 0; i < 20; ++i) expect_like_scan(table, entries, random.address(i % 2 == 0));
    if (HasFatalFailure()) FAIL() << "in round " << round;
  }
}

TEST(RouteTable, AtMostTwoRangesAPrefixAndOne) {
  std::vector<Entry> entries;
  for (uint32_t i = 0; i < 1'000; ++i) entries.push_back({{net::Ipv4{i << 12 | 0x0a00'0000}, 24}, i});
  EXPECT_LE(RouteTable::build(entries).bytes(), (2 * entries.size() + 1) * 12);
}

}  // namespace
}  // namespace weir::dataplane
