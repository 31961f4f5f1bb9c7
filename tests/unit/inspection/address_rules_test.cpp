#include "inspection/detect/address_rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace weir::inspection {
namespace {

struct Ends {
  AddressSet source, destination;
  bool both_ways = false;
};

std::vector<uint32_t> visited(const AddressRules& rules, const net::IpAddress& from,
                              const net::IpAddress& to) {
  std::vector<uint32_t> list;
  rules.visit(from, to, [&](uint32_t rule) { list.push_back(rule); });
  std::sort(list.begin(), list.end());
  return list;
}

TEST(AddressRules, EachRuleThatHoldsIsVisitedOnceAndFewOthersAre) {
  std::mt19937 random(7);
  const auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  const auto address = [&]() -> net::IpAddress {
    if (below(3) == 0) return net::Ipv6{0x2001'0db8'0000'0000, below(4'000)};
    return net::Ipv4{0x0a00'0000 + below(4'000)};
  };
  const auto some = [&] {
    AddressSet set;
    if (below(4) == 0) return AddressSet::all();
    for (uint32_t n = below(6); n > 0; --n) {
      const net::IpAddress first = address();
      // Now and then one that holds all the others.
      const uint32_t more = below(20) == 0 ? 4'000 : below(50);
      if (first.is_v4()) {
        set.v4.append(IntervalSet<uint32_t>::of(first.v4().value, first.v4().value + more));
      } else {
        set.v6.append(IntervalSet<uint128>::of(to_uint128(first.v6()), to_uint128(first.v6()) + more));
      }
    }
    set.normalise();
    return set;
  };
  std::vector<Ends> ends;
  AddressRules rules;
  for (uint32_t rule = 0; rule < 500; ++rule) {
    ends.push_back({some(), some(), below(20) == 0});
    rules.add(rule, ends[rule].source, ends[rule].destination, ends[rule].both_ways);
  }
  rules.build();
  size_t hold = 0, asked = 0;
  for (int i = 0; i < 5'000; ++i) {
    const net::IpAddress from = address(), to = address();
    const std::vector<uint32_t> list = visited(rules, from, to);
    ASSERT_EQ(std::adjacent_find(list.begin(), list.end()), list.end()) << "twice";
    asked += list.size();
    for (uint32_t rule = 0; rule < ends.size(); ++rule) {
      const Ends& e = ends[rule];
      const bool holds = (e.source.contains(from) && e.destination.contains(to)) ||
                         (e.both_ways && e.source.contains(to) && e.destination.contains(from));
      hold += holds;
      ASSERT_TRUE(!holds || std::binary_search(list.begin(), list.end(), rule)) << rule;
    }
  }
  EXPECT_GT(hold, 5'000u);
  EXPECT_LT(asked, 5'000u * 150) << "nearly all that there are";
}

/// A list of one address each, as reputation feeds are: one visit, whatever their number.
TEST(AddressRules, ListsOfOthersAreNotVisited) {
  AddressRules rules;
  for (uint32_t rule = 0; rule < 10'000; ++rule) {
    AddressSet bad;
    bad.v4 = IntervalSet<uint32_t>::of(0x0b00'0000 + rule * 2, 0x0b00'0000 + rule * 2);
    rules.add(rule, rule % 2 != 0 ? bad : AddressSet::all(), rule % 2 != 0 ? AddressSet::all() : bad, false);
  }
  rules.build();
  const net::IpAddress home = net::Ipv4{0x0a00'0001};
  EXPECT_EQ(visited(rules, net::Ipv4{0x0b00'0000 + 77 * 2}, home), std::vector<uint32_t>{77});
  EXPECT_EQ(visited(rules, home, net::Ipv4{0x0b00'0000 + 78 * 2}), std::vector<uint32_t>{78});
  EXPECT_TRUE(visited(rules, net::Ipv4{0x0b00'0000 + 78 * 2}, home).empty()) << "it is not the source's";
  EXPECT_TRUE(visited(rules, home, home).empty());
  EXPECT_TRUE(visited(AddressRules(), home, home).empty());
}

}  // namespace
}  // namespace weir::inspection
