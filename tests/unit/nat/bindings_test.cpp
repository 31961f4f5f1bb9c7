#include "dataplane/nat/bindings.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>

#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

constexpr uint8_t kTcp = 6, kUdp = 17, kIcmp = 1;
const DomainId kProd = DomainId::make(1, 1), kDev = DomainId::make(2, 1), kInet = DomainId::make(3, 1);

net::IpAddress ip(std::string_view text) { return *net::parse_ip(text); }

NatRules one_pool(uint16_t workers, std::string_view first, std::string_view last, uint16_t low = 1'024,
                  uint16_t high = 65'535) {
  NatRules rules;
  PoolRule rule;
  rule.name = "internet";
  rule.from = {kProd, kDev};
  rule.to = kInet;
  rule.pool =
      std::make_shared<PortPool>(std::vector<PortPool::Range>{{ip(first), ip(last)}}, low, high, workers);
  rules.pools.push_back(rule);
  return rules;
}

Tuple flow(std::string_view src, uint16_t port, std::string_view dst = "192.0.2.1", uint8_t protocol = kUdp) {
  return {ip(src), ip(dst), port, 53, protocol};
}

TEST(Bindings, OneForAHostsPortToAnywhere) {
  const NatTable nat(one_pool(1, "203.0.113.1", "203.0.113.4"), 1);
  Bindings bindings(100, 0, 7);
  const auto a = bindings.hold(nat, 0, kProd, flow("10.0.0.1", 5'000));
  ASSERT_EQ(a.refused, BindingRefused::no);
  EXPECT_EQ(bindings.at(a.binding).outside_port, 5'000) << "its own port";
  EXPECT_EQ(bindings.hold(nat, 0, kProd, flow("10.0.0.1", 5'000, "192.0.2.77")).binding, a.binding);
  EXPECT_NE(bindings.hold(nat, 0, kDev, flow("10.0.0.1", 5'000)).binding, a.binding)
      << "another domain's host";
  EXPECT_NE(bindings.hold(nat, 0, kProd, flow("10.0.0.1", 5'000, "192.0.2.1", kTcp)).binding, a.binding);
  const auto b = bindings.hold(nat, 0, kProd, flow("10.0.0.1", 5'001));
  EXPECT_NE(b.binding, a.binding);
  EXPECT_EQ(bindings.at(b.binding).outside, bindings.at(a.binding).outside) << "paired";
}

TEST(Bindings, IsFoundByItsPublicSideUntilTheLastHolderLetsGo) {
  const NatTable nat(one_pool(1, "203.0.113.1", "203.0.113.4"), 1);
  const PoolRule& rule = nat.rules().pools[0];
  Bindings bindings(100, 0, 7);
  const auto a = bindings.hold(nat, 0, kProd, flow("10.0.0.1", 5'000));
  bindings.hold_again(a.binding);
  const Binding b = bindings.at(a.binding);
  EXPECT_EQ(bindings.find(static_cast<uint16_t>(rule.to.index()), b.outside, b.outside_port, kUdp),
            a.binding);
  EXPECT_EQ(bindings.find(static_cast<uint16_t>(rule.to.index()), b.outside, b.outside_port, kTcp),
            kNoBinding);
  bindings.release(&nat, a.binding);
  EXPECT_EQ(bindings.find(static_cast<uint16_t>(rule.to.index()), b.outside, b.outside_port, kUdp),
            a.binding);
  EXPECT_EQ(rule.pool->use().taken, 1u);
  bindings.release(&nat, a.binding);
  EXPECT_EQ(bindings.find(static_cast<uint16_t>(rule.to.index()), b.outside, b.outside_port, kUdp),
            kNoBinding);
  EXPECT_EQ(rule.pool->use().taken, 0u);
  EXPECT_EQ(bindings.size(), 0u);
}

TEST(Bindings, SaysWhyThereIsNone) {
  const NatTable nat(one_pool(1, "203.0.113.1", "203.0.113.1", 2'000, 2'002), 1);
  Bindings bindings(5, 0, 7);
  EXPECT_EQ(bindings.hold(nat, 0, kProd, flow("10.0.0.1", 1, "192.0.2.1", 47)).refused,
            BindingRefused::protocol);
  for (uint16_t i = 0; i < 3; ++i)
    EXPECT_EQ(bindings.hold(nat, 0, kProd, flow("10.0.0.1", i)).refused, BindingRefused::no);
  EXPECT_EQ(bindings.hold(nat, 0, kProd, flow("10.0.0.1", 9)).refused, BindingRefused::exhausted);
  EXPECT_EQ(nat.rules().pools[0].pool->use().exhausted, 1u);
  EXPECT_EQ(bindings.hold(nat, 0, kProd, flow("10.0.0.1", 9, "192.0.2.1", kTcp)).refused, BindingRefused::no);
  EXPECT_EQ(bindings.hold(nat, 0, kProd, flow("10.0.0.1", 9, "192.0.2.1", kIcmp)).refused,
            BindingRefused::no);
  EXPECT_EQ(bindings.hold(nat, 0, kProd, flow("10.0.0.1", 10, "192.0.2.1", kTcp)).refused,
            BindingRefused::full);
}

TEST(Bindings, GivesOutNoPortThatIsPublished) {
  NatRules rules = one_pool(1, "203.0.113.1", "203.0.113.1", 2'000, 2'003);
  PublishedRule published;
  published.seen_by = {kInet};
  published.protocol = kUdp;
  published.address = ip("203.0.113.1");
  published.port = 2'001;
  published.domain = kProd;
  published.server = ip("10.0.0.9");
  published.server_port = 53;
  rules.published.push_back(published);
  const NatTable nat(rules, 1);
  Bindings bindings(100, 0, 7);
  std::set<uint16_t> ports;
  for (uint16_t i = 0; i < 3; ++i) {
    const auto answer = bindings.hold(nat, 0, kProd, flow("10.0.0.1", i == 0 ? 2'001 : i));
    ASSERT_EQ(answer.refused, BindingRefused::no);
    ports.insert(bindings.at(answer.binding).outside_port);
  }
  EXPECT_EQ(ports, (std::set<uint16_t>{2'000, 2'002, 2'003}));
  EXPECT_EQ(bindings.hold(nat, 0, kProd, flow("10.0.0.1", 9)).refused, BindingRefused::exhausted);
}

TEST(Bindings, StayUnderANewPoolThatStillHasThem) {
  const NatTable old(one_pool(1, "203.0.113.1", "203.0.113.2"), 1);
  Bindings bindings(100, 0, 7);
  const auto a = bindings.hold(old, 0, kProd, flow("10.0.0.1", 5'000));
  const net::IpAddress outside = bindings.at(a.binding).outside;

  const NatTable wider(one_pool(1, "203.0.113.0", "203.0.113.9"), 1);
  // Before the session is decided again somebody asks for the very port: it is not his.
  PortPool& pool = *wider.rules().pools[0].pool;
  for (uint16_t host = 1; host < 60; ++host) {
    const auto other = bindings.hold(wider, 0, kProd, flow("10.0.1." + std::to_string(host), 5'000));
    const Binding& b = bindings.at(other.binding);
    EXPECT_FALSE(b.outside == outside && b.outside_port == 5'000);
  }
  EXPECT_TRUE(bindings.keep(wider, 0, a.binding));
  EXPECT_TRUE(pool.is_taken(0, *pool.index_of(outside), PortClass::udp, 5'000));
  bindings.release(&wider, a.binding);
  EXPECT_FALSE(pool.is_taken(0, *pool.index_of(outside), PortClass::udp, 5'000));

  const auto b = bindings.hold(old, 0, kProd, flow("10.0.0.2", 5'000));
  const NatTable elsewhere(one_pool(1, "198.51.100.1", "198.51.100.9"), 1);
  EXPECT_FALSE(bindings.keep(elsewhere, 0, b.binding));
  const NatTable fewer(one_pool(1, "203.0.113.1", "203.0.113.2", 6'000, 7'000), 1);
  EXPECT_FALSE(bindings.keep(fewer, 0, b.binding));
  bindings.release(nullptr, b.binding);
}

/// Against maps: never two hosts behind one port, never two ports for one host's, none lost.
TEST(Bindings, AgreeWithMaps) {
  test::RandomInput random(11);
  for (const uint16_t workers : {uint16_t{1}, uint16_t{2}, uint16_t{8}}) {
    const NatTable nat(one_pool(workers, "203.0.113.1", "203.0.113.3", 1'024, 1'024 + 300), workers);
    const PoolRule& rule = nat.rules().pools[0];
    const WorkerIndex self = static_cast<WorkerIndex>(workers - 1);
    Bindings bindings(400, self, random.word());
    struct Known {
      BindingIndex index;
      uint32_t holders;
    };
    std::map<std::tuple<DomainId, Tuple>, Known> held;
    std::map<std::tuple<net::IpAddress, uint16_t, uint8_t>, BindingIndex> outside;
    uint64_t refused = 0;
    for (int i = 0; i < 60'000; ++i) {
      Tuple t = flow("10.0.0.1", static_cast<uint16_t>(1'000 + random.below(90)), "192.0.2.1",
                     random.one_in(2) ? kUdp : kTcp);
      t.src.bits.lo += random.below(6);
      const DomainId domain = random.one_in(2) ? kProd : kDev;
      const auto known = held.find({domain, t});
      if (random.below(5) < 3) {
        const auto answer = bindings.hold(nat, 0, domain, t);
        if (known != held.end()) {
          ASSERT_EQ(answer.binding, known->second.index);
          ++known->second.holders;
        } else if (answer.refused == BindingRefused::no) {
          const Binding& b = bindings.at(answer.binding);
          ASSERT_EQ(block_owner(b.outside_port, workers), self);
          ASSERT_TRUE(outside.insert({{b.outside, b.outside_port, b.protocol}, answer.binding}).second);
          held[{domain, t}] = {answer.binding, 1};
        } else {
          ++refused;
        }
      } else if (known != held.end()) {
        const Binding b = bindings.at(known->second.index);
        bindings.release(&nat, known->second.index);
        if (--known->second.holders == 0) {
          outside.erase({b.outside, b.outside_port, b.protocol});
          held.erase(known);
        }
      }
      ASSERT_EQ(bindings.size(), held.size());
      ASSERT_EQ(rule.pool->use().taken, held.size());
      if (i % 64 == 0) {
        for (const auto& [key, index] : outside) {
          ASSERT_EQ(bindings.find(static_cast<uint16_t>(rule.to.index()), std::get<0>(key), std::get<1>(key),
                                  std::get<2>(key)),
                    index);
        }
      }
    }
    if (workers == 8) {
      EXPECT_GT(refused, 0u);
    }
  }
}

}  // namespace
}  // namespace weir::dataplane
