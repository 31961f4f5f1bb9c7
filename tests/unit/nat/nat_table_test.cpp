#include "dataplane/nat/nat_table.h"

#include <gtest/gtest.h>

#include "tests/unit/nat/random_nat.h"

namespace weir::dataplane {
namespace {

using test::domain_of;
using test::RandomInput;
using test::SlowNat;

net::IpAddress ip(std::string_view text) { return *net::parse_ip(text); }
net::Prefix prefix(std::string_view text) { return *net::parse_prefix(text); }

TEST(NatTable, AgreesWithTheRulesAsTheyAreWritten) {
  RandomInput random(21);
  size_t seen[5] = {}, sources[5] = {};
  for (int w = 0; w < 400; ++w) {
    const test::NatWorld world = test::random_world(random, 3);
    const NatTable nat(world.rules, world.workers);
    const SlowNat slow(world);
    for (int i = 0; i < 400; ++i) {
      const Tuple t = test::interesting_tuple(random);
      const DomainId from = domain_of(static_cast<uint32_t>(random.below(test::NatWorld::kDomains)));
      const NatTable::Destination to = nat.destination(static_cast<uint16_t>(from.index()), t);
      const SlowNat::Target expected = slow.target(from, t);
      ASSERT_EQ(to.kind, expected.kind);
      ASSERT_EQ(to.address, expected.address);
      ASSERT_EQ(to.port, expected.port);
      ASSERT_EQ(to.domain, expected.domain);
      if (to.kind != NatKind::none) {
        ASSERT_EQ(to.rule, expected.rule);
      }
      ++seen[static_cast<size_t>(to.kind)];
      ASSERT_EQ(nat.stands_for_others(static_cast<uint16_t>(from.index()), t.dst),
                slow.target(from, {t.src, t.dst, 1, 1, 47}).kind != NatKind::none);
      if (to.kind == NatKind::closed) continue;
      const DomainId there = to.domain.valid()
                                 ? to.domain
                                 : domain_of(static_cast<uint32_t>(random.below(test::NatWorld::kDomains)));
      const NatTable::Source source = nat.source(from, there, t, to);
      const SlowNat::Origin origin = slow.origin(from, there, t, expected);
      ASSERT_EQ(source.kind, origin.kind) << to_string(t.src) << " -> " << to_string(t.dst);
      if (source.kind != NatKind::none) {
        ASSERT_EQ(source.rule, origin.rule);
      }
      if (source.kind == NatKind::fixed) {
        ASSERT_EQ(source.address, origin.address);
      }
      ++sources[static_cast<size_t>(source.kind)];
    }
  }
  for (const NatKind kind : {NatKind::none, NatKind::fixed, NatKind::published, NatKind::pool})
    EXPECT_GT(seen[static_cast<size_t>(kind)], 20u);
  for (const NatKind kind : {NatKind::none, NatKind::fixed, NatKind::pool})
    EXPECT_GT(sources[static_cast<size_t>(kind)], 100u);
}

TEST(NatTable, MapsAPrefixOfIpv6) {
  NatRules rules;
  StaticRule rule;
  rule.domain = domain_of(1);
  rule.inside = prefix("fd00:1::/48");
  rule.outside = prefix("2001:db8:5::/48");
  rule.seen_by = {domain_of(0)};
  rules.fixed.push_back(rule);
  const NatTable nat(rules, 1);
  const Tuple t{ip("2001:db8::1"), ip("2001:db8:5:a:b:c:d:e"), 1, 2, 6};
  const auto to = nat.destination(0, t);
  EXPECT_EQ(to.kind, NatKind::fixed);
  EXPECT_EQ(to.address, ip("fd00:1:0:a:b:c:d:e"));
  const auto back = nat.source(domain_of(1), domain_of(0), {to.address, t.src, 2, 1, 6}, {});
  EXPECT_EQ(back.kind, NatKind::fixed);
  EXPECT_EQ(back.address, t.dst);
  EXPECT_EQ(nat.source(domain_of(1), domain_of(2), {to.address, t.src, 2, 1, 6}, {}).kind, NatKind::none);
}

TEST(NatTable, APoolLeavesPrivateToPrivateAloneUnlessToldOtherwise) {
  NatRules rules;
  PoolRule rule;
  rule.from = {domain_of(1)};
  rule.to = domain_of(0);
  rule.pool = std::make_shared<PortPool>(std::vector<PortPool::Range>{{ip("203.0.113.1"), ip("203.0.113.1")}},
                                         1'024, 65'535, 1);
  rules.pools.push_back(rule);
  const auto kind_of = [&](std::string_view src, std::string_view dst) {
    return NatTable(rules, 1).source(domain_of(1), domain_of(0), {ip(src), ip(dst), 1, 2, 6}, {}).kind;
  };
  EXPECT_EQ(kind_of("10.1.0.5", "192.0.2.7"), NatKind::pool);
  EXPECT_EQ(kind_of("10.1.0.5", "172.16.0.7"), NatKind::none);
  EXPECT_EQ(kind_of("198.51.100.5", "192.0.2.7"), NatKind::none) << "a public source keeps its address";
  rules.pools[0].sources = {prefix("198.51.100.0/24")};
  rules.pools[0].destinations = {prefix("172.16.0.0/12")};
  EXPECT_EQ(kind_of("198.51.100.5", "172.16.0.7"), NatKind::pool);
  EXPECT_EQ(kind_of("10.1.0.5", "172.16.0.7"), NatKind::none);
}

TEST(NatTable, PoolsBeyondTheMostAreLeftOut) {
  NatRules rules;
  for (size_t i = 0; i < NatTable::kMaxPools + 3; ++i) {
    PoolRule rule;
    rule.from = {domain_of(1)};
    rule.to = domain_of(0);
    const net::Ipv4 address{0xcb00'7100 + static_cast<uint32_t>(i)};
    rule.pool = std::make_shared<PortPool>(std::vector<PortPool::Range>{{address, address}}, 1'024, 1'030, 1);
    rules.pools.push_back(rule);
  }
  const NatTable nat(rules, 1);
  EXPECT_EQ(nat.rules().pools.size(), NatTable::kMaxPools);
  EXPECT_EQ(nat.destination(0, {ip("192.0.2.1"), net::Ipv4{0xcb00'7100 + 63}, 1, 2, 6}).kind, NatKind::pool);
  EXPECT_EQ(nat.destination(0, {ip("192.0.2.1"), net::Ipv4{0xcb00'7100 + 64}, 1, 2, 6}).kind, NatKind::none);
}

/// RangeMap beside a walk over its ranges.
TEST(RangeMap, AgreesWithAWalk) {
  RandomInput random(22);
  for (int round = 0; round < 300; ++round) {
    std::vector<RangeMap<uint32_t, uint32_t>::Range> ranges;
    for (uint32_t i = 0, n = static_cast<uint32_t>(random.below(12)); i < n; ++i) {
      uint32_t a = static_cast<uint32_t>(random.below(64)), b = static_cast<uint32_t>(random.below(64));
      if (random.one_in(6)) b = UINT32_MAX;
      ranges.push_back({std::min(a, b), std::max(a, b), 1u << i});
    }
    const RangeMap<uint32_t, uint32_t> map(ranges, [](uint32_t a, uint32_t b) { return a | b; });
    for (const uint32_t address : {0u, 5u, 31u, 32u, 63u, 64u, 70u, UINT32_MAX - 1, UINT32_MAX}) {
      uint32_t expected = 0;
      for (const auto& r : ranges) expected |= r.first <= address && address <= r.last ? r.value : 0;
      ASSERT_EQ(map.find(address), expected) << round << " " << address;
    }
  }
}

}  // namespace
}  // namespace weir::dataplane
