// What a large policy makes the control thread do in one turn: it is judged and compiled beside, so no turn
// goes through the rules. large_changes_test.cpp has the same of many routes.
#include <gtest/gtest.h>

#include "counted_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;
using control::ChangeView;
using control::Control;
using enum config::ChangeVerb;

constexpr uint32_t kRules = 10'000, kGroups = 100, kPrefixes = 100;

config::ModelChanges rules(config::ChangeVerb verb, uint16_t port) {
  config::ModelChanges changes;
  for (uint32_t r = 0; r < kRules; ++r) {
    config::PolicyRule rule;
    rule.id = "rule-with-a-long-name-" + std::to_string(r);
    rule.action = config::PolicyAction::allow;
    rule.from.groups = {"group-" + std::to_string(r % kGroups)};
    rule.to.groups = {"group-" + std::to_string(r / kGroups)};
    rule.protocol = config::Protocol::tcp;
    rule.ports = {{port, port}};
    changes.push_back({verb, std::move(rule), {}});
  }
  return changes;
}

config::ModelChanges network() {
  config::ModelChanges changes;
  config::Domain domain;
  domain.name = "a";
  changes.push_back({add, domain, {}});
  for (uint32_t g = 0; g < kGroups; ++g) {
    config::Group group;
    group.name = "group-" + std::to_string(g);
    for (uint32_t p = 0; p < kPrefixes; ++p)
      group.prefixes.push_back({net::Ipv4{0x0a00'0000 + ((g * kPrefixes + p) << 8)}, 24});
    changes.push_back({add, std::move(group), {}});
  }
  return changes;
}

RuleIndex decided(const Snapshot& snapshot, uint16_t port) {
  const Tuple tuple{net::Ipv4{0x0a00'0005}, net::Ipv4{0x0a00'0009}, 1, port, 6};
  return snapshot.policy->classify(0, tuple).rule;
}

TEST(PolicySwap, NoTurnOfControlGoesThroughTheRules) {
  CountedHub hub;
  EXPECT_TRUE(hub.transact(network()).view.problems.empty());
  ASSERT_TRUE(hub.transact(rules(add, 80)).view.problems.empty());
  ASSERT_EQ(decided(hub.snapshot(), 80), 0u);
  const auto swap = hub.transact(rules(replace, 443));
  ASSERT_TRUE(swap.view.problems.empty()) << swap.view.problems.front();
  EXPECT_EQ(swap.view.changes_total, kRules);
  EXPECT_EQ(decided(hub.snapshot(), 80), kDefaultDeny);
  EXPECT_EQ(decided(hub.snapshot(), 443), 0u);
  // A thousand lines tell what has changed.
  EXPECT_LT(swap.most, kRules) << "less than one thing for each rule";
  const auto one = hub.transact({{remove, std::get<config::PolicyRule>(rules(add, 1)[7].subject), {}}});
  EXPECT_TRUE(one.view.problems.empty());
  EXPECT_LT(one.most, 1'000u);
  // It can be seen: whoever reads all rules on this thread is counted.
  const uint64_t before = work();
  {
    config::Config all;
    hub.model().write_to(all);
  }
  EXPECT_GT(work() - before, 5 * kRules);
}

TEST(PolicySwap, WhatIsRefusedIsRefusedBesideToo) {
  CountedHub hub;
  EXPECT_TRUE(hub.transact(network()).view.problems.empty());
  auto changes = rules(add, 80);
  std::get<config::PolicyRule>(changes[9'000].subject).to.groups = {"group-1000"};
  const auto refused = hub.transact(std::move(changes));
  ASSERT_EQ(refused.view.problems.size(), 1u);
  EXPECT_NE(refused.view.problems[0].find("no group is called \"group-1000\""), std::string::npos);
  EXPECT_LT(refused.most, kRules);
  EXPECT_EQ(decided(hub.snapshot(), 80), kDefaultDeny);
}

/// What comes while a policy is judged or compiled waits for its end, and is judged by what holds then.
TEST(PolicySwap, OthersWaitForIt) {
  CountedHub hub;
  EXPECT_TRUE(hub.transact(network()).view.problems.empty());
  std::optional<ChangeView> second;
  config::Group empty;
  empty.name = "group-0";
  hub.control().transact(rules(add, 80), [](const ChangeView&) {});
  hub.control().transact({{remove, empty, {}}}, [&](ChangeView view) { second = std::move(view); });
  const auto last = hub.transact({});
  ASSERT_TRUE(second);
  ASSERT_FALSE(second->problems.empty()) << "the rules that came before name it";
  EXPECT_EQ(decided(hub.snapshot(), 80), 0u);
}

}  // namespace
}  // namespace weir::test
