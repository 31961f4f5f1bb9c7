// PrefixMap beside a walk over all prefixes.
#include "dataplane/fib/prefix_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

using test::RandomInput;

uint32_t slow_find(const std::vector<PrefixMap::Entry>& entries, const net::IpAddress& address) {
  const PrefixMap::Entry* best = nullptr;
  for (const PrefixMap::Entry& e : entries) {
    if (e.prefix.contains(address) && (best == nullptr || e.prefix.length > best->prefix.length)) best = &e;
  }
  return best != nullptr ? best->value : PrefixMap::kNone;
}

net::IpAddress next_to(const net::IpAddress& a, int64_t by) {
  if (a.is_v4()) return net::Ipv4{static_cast<uint32_t>(a.v4().value + by)};
  const uint64_t lo = a.bits.lo + static_cast<uint64_t>(by);
  const bool carries = by > 0 ? lo < a.bits.lo : lo > a.bits.lo;
  return net::Ipv6{a.bits.hi + (carries ? static_cast<uint64_t>(by) : 0), lo};
}

/// At the edges of every prefix, and beside them.
void expect_same(const std::vector<PrefixMap::Entry>& entries) {
  const auto map = PrefixMap::build(entries);
  std::vector<net::IpAddress> asked = {net::Ipv4{0}, net::Ipv4{~0u}, net::Ipv6{0, 0},
                                       net::Ipv6{~0ull, ~0ull}};
  for (const PrefixMap::Entry& e : entries) {
    for (const int64_t by : {-1, 0, 1}) {
      asked.push_back(next_to(e.prefix.first(), by));
      asked.push_back(next_to(e.prefix.last(), by));
    }
  }
  for (size_t n = 0; n < asked.size(); ++n) {
    const auto &a = asked[n], &b = asked[(n * 7 + 3) % asked.size()];
    const uint32_t expected = slow_find(entries, a);
    ASSERT_EQ(map->find(a), expected) << to_string(a);
    const std::array<uint32_t, 2> both = {expected, slow_find(entries, b)};
    ASSERT_EQ(map->find(a, b), both) << to_string(a) << " and " << to_string(b);
  }
}

TEST(PrefixMap, WithoutPrefixesNobodyHasAnAnswer) { expect_same({}); }

TEST(PrefixMap, EveryLengthAroundOneAddress) {
  std::vector<PrefixMap::Entry> entries;
  const net::Ipv4 v4{0xc0a8'5aa5};
  const net::Ipv6 v6{0x2001'0db8'5aa5'c33c, 0x8001'7ffe'5555'aaaa};
  for (uint8_t length = 0; length <= 32; ++length)
    entries.push_back({{net::masked(v4, length), length}, static_cast<uint32_t>(entries.size() + 1)});
  for (uint8_t length = 0; length <= 128; ++length)
    entries.push_back({{net::masked(v6, length), length}, static_cast<uint32_t>(entries.size() + 1)});
  expect_same(entries);
  for (const PrefixMap::Entry& alone : std::vector(entries)) expect_same({alone});
}

TEST(PrefixMap, ValuesUpToTheLargest) {
  expect_same({{{net::Ipv4{0x0a00'0000}, 8}, PrefixMap::kMaxValue}, {{net::Ipv4{0x0a00'0000}, 30}, 0}});
}

/// As prefixes of a policy lie: near each other and inside each other; 200 tables of up to 300.
TEST(PrefixMap, RandomNests) {
  RandomInput random(1);
  for (int table = 0; table < 200; ++table) {
    std::map<net::Prefix, uint32_t> prefixes;
    const uint64_t count = 1 + random.below(300), near = 1 + random.below(6);
    std::vector<net::IpAddress> centres;
    for (uint64_t n = 0; n < near; ++n) centres.push_back(random.address(random.one_in(2)));
    for (uint64_t n = 0; n < count; ++n) {
      net::IpAddress a = random.pick(centres);
      const auto bits = static_cast<uint64_t>(a.is_v4() ? 32 : 128);
      const auto length = static_cast<uint8_t>(random.below(bits + 1));
      // Differs from the centre somewhere behind a bit by chance.
      const auto same = random.below(bits + 1);
      if (a.is_v4()) {
        a = net::Ipv4{
            static_cast<uint32_t>(a.bits.lo ^ (random.word() & ((uint64_t{1} << (32 - same)) - 1)))};
      } else {
        const uint64_t low = same > 64 ? same - 64 : 0, high = same > 64 ? 64 : same;
        const auto behind = [&](uint64_t kept) { return kept == 64 ? 0 : random.word() >> kept; };
        a = net::Ipv6{a.bits.hi ^ behind(high), a.bits.lo ^ behind(low)};
      }
      prefixes.emplace(net::Prefix{net::masked(a, length), length}, random.below(5));
    }
    std::vector<PrefixMap::Entry> entries;
    for (const auto& [prefix, value] : prefixes) entries.push_back({prefix, value});
    if (random.one_in(2)) std::reverse(entries.begin(), entries.end());
    expect_same(entries);
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace weir::dataplane
