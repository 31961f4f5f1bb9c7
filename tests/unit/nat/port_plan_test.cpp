#include "dataplane/nat/port_plan.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "dataplane/nat/bindings.h"
#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

constexpr uint8_t kUdp = 17;
const DomainId kProd = DomainId::make(1, 1), kInet = DomainId::make(3, 1);

net::IpAddress ip(std::string_view text) { return *net::parse_ip(text); }

NatRules planned(uint16_t ports, uint16_t workers = 1, uint16_t low = 1'024, uint16_t high = 65'535) {
  NatRules rules;
  PoolRule rule;
  rule.name = "plan";
  rule.from = {kProd};
  rule.to = kInet;
  rule.sources = {*net::parse_prefix("10.0.0.0/28"), *net::parse_prefix("10.9.0.0/24")};
  rule.ports_per_host = ports;
  rule.pool = std::make_shared<PortPool>(std::vector<PortPool::Range>{{ip("203.0.113.1"), ip("203.0.113.4")},
                                                                      {ip("203.0.113.9"), ip("203.0.113.9")}},
                                         low, high, workers);
  rules.pools.push_back(rule);
  return rules;
}

Tuple flow(const net::IpAddress& src, uint16_t port) { return {src, ip("192.0.2.1"), port, 53, kUdp}; }

TEST(PortPlan, DealsHostsOutOneBehindTheOther) {
  const NatRules rules = planned(1'024);
  const PoolRule& rule = rules.pools[0];
  EXPECT_EQ(hosts_per_address(rule), 63u);
  EXPECT_EQ(hosts_of(rule.sources, 1'000'000), 272u);
  EXPECT_EQ(hosts_of(rule.sources, 100), 100u);
  const auto expect = [&](const char* host, uint32_t address, uint16_t first, uint16_t last) {
    const auto plan = plan_of(rule, ip(host));
    ASSERT_TRUE(plan) << host;
    EXPECT_EQ(plan->address, address) << host;
    EXPECT_EQ(plan->ports, (PortPool::Ports{first, last})) << host;
  };
  expect("10.0.0.0", 0, 1'024, 2'047);
  expect("10.0.0.15", 0, 16'384, 17'407);
  expect("10.9.0.0", 0, 17'408, 18'431);  // the next prefix goes on
  expect("10.9.0.46", 0, 64'512, 65'535);
  expect("10.9.0.47", 1, 1'024, 2'047);
  EXPECT_FALSE(plan_of(rule, ip("10.0.0.16")));
  EXPECT_FALSE(plan_of(rule, ip("2001:db8::1")));
  EXPECT_EQ(host_of(rule, ip("203.0.113.2"), 2'047), ip("10.9.0.47"));
  EXPECT_EQ(host_of(rule, ip("203.0.113.9"), 1'024), ip("10.9.0.236"));
  EXPECT_FALSE(host_of(rule, ip("203.0.113.9"), 65'535)) << "nobody is left for it";
  EXPECT_FALSE(host_of(rule, ip("203.0.113.2"), 1'023)) << "none of the pool's";
  EXPECT_FALSE(host_of(rule, ip("203.0.113.5"), 2'000));
}

TEST(PortPlan, TellsBothWaysOfEveryPort) {
  for (const uint16_t ports : std::initializer_list<uint16_t>{64, 100, 1'000, 4'000}) {
    const NatRules rules = planned(ports, 1, 1'000, 60'000);
    const PoolRule& rule = rules.pools[0];
    std::map<net::IpAddress, uint32_t> owned;
    for (uint32_t a = 0; a < rule.pool->addresses(); ++a) {
      for (uint32_t port = 1; port <= 65'535; ++port) {
        const auto host = host_of(rule, rule.pool->address(a), static_cast<uint16_t>(port));
        if (!host) continue;
        ++owned[*host];
        const auto plan = plan_of(rule, *host);
        ASSERT_TRUE(plan && plan->address == a && plan->ports.has(static_cast<uint16_t>(port)));
      }
    }
    const uint64_t room = uint64_t{hosts_per_address(rule)} * rule.pool->addresses();
    EXPECT_EQ(owned.size(), std::min<uint64_t>(272, room));
    for (const auto& [host, count] : owned) ASSERT_EQ(count, ports) << net::to_string(host);
  }
}

TEST(PortPlan, CountsIpv6) {
  NatRules rules = planned(64);
  PoolRule& rule = rules.pools[0];
  rule.sources = {*net::parse_prefix("fd00::/124"), *net::parse_prefix("fd00:0:0:1::/64")};
  EXPECT_EQ(hosts_of(rule.sources, uint64_t{1} << 32), uint64_t{1} << 32);
  const auto plan = plan_of(rule, ip("fd00:0:0:1::2"));
  ASSERT_TRUE(plan);
  EXPECT_EQ(host_of(rule, rule.pool->address(plan->address), plan->ports.first), ip("fd00:0:0:1::2"));
  EXPECT_FALSE(plan_of(rule, ip("fd00:0:0:1:1::"))) << "there is no room for so many";
}

TEST(PortPlan, EveryWorkerGivesAHostItsOwnPortsAloneAndAllOfThem) {
  test::RandomInput random(7'422);
  for (const uint16_t workers : std::initializer_list<uint16_t>{1, 2, 3, 8}) {
    const auto ports = static_cast<uint16_t>(kPortsPerBlock * workers);
    const NatTable nat(planned(ports, workers, 1'000, 65'000), workers);
    const PoolRule& rule = nat.rules().pools[0];
    for (const char* host : {"10.0.0.0", "10.0.0.3", "10.9.0.77"}) {
      const PortPlan plan = *plan_of(rule, ip(host));
      std::set<uint16_t> given;
      for (uint16_t w = 0; w < workers; ++w) {
        Bindings bindings(4'096, static_cast<WorkerIndex>(w), random.word());
        uint32_t count = 0;
        for (uint16_t port = 1;; ++port) {
          const auto answer = bindings.hold(nat, 0, kProd, flow(ip(host), port));
          if (answer.refused != BindingRefused::no) {
            EXPECT_EQ(answer.refused, BindingRefused::exhausted);
            break;
          }
          const Binding& b = bindings.at(answer.binding);
          ASSERT_EQ(b.outside, rule.pool->address(plan.address));
          ASSERT_TRUE(plan.ports.has(b.outside_port)) << b.outside_port;
          ASSERT_EQ(block_owner(b.outside_port, workers), w);
          ASSERT_TRUE(given.insert(b.outside_port).second);
          ++count;
        }
        EXPECT_EQ(count, kPortsPerBlock) << "as many on every worker";
      }
      EXPECT_EQ(given.size(), ports);
    }
  }
}

TEST(PortPlan, ABindingOutlivesAChangeThatLeavesItsHostThePort) {
  const NatTable before(planned(1'024), 1);
  Bindings bindings(64, 0, 7);
  const auto first = bindings.hold(before, 0, kProd, flow(ip("10.0.0.0"), 1'100));
  const auto later = bindings.hold(before, 0, kProd, flow(ip("10.0.0.3"), 1'100));
  EXPECT_EQ(bindings.at(first.binding).outside_port, 1'100) << "its own, which it may have";
  EXPECT_NE(bindings.at(later.binding).outside_port, 1'100) << "which is another host's";
  NatRules wider = planned(2'048);
  wider.pools[0].pool = before.rules().pools[0].pool;
  const NatTable after(wider, 1);
  EXPECT_TRUE(bindings.keep(after, 0, first.binding));
  EXPECT_FALSE(bindings.keep(after, 0, later.binding));
}

}  // namespace
}  // namespace weir::dataplane
