// What a large change makes the control thread do in one turn: a policy is judged and compiled beside, so no
// turn goes through the rules; many routes are judged beside and made in parts. Counted as memory that the
// thread takes and gives back, not as time.
#include <gtest/gtest.h>
#include <poll.h>
#include <spdlog/sinks/null_sink.h>

#include "fakes.h"
#include "mgmt/config/change_reader.h"
#include "mgmt/control/control.h"
#include "tests/support/counted_new.h"

namespace weir::test {
namespace {

using namespace dataplane;
using control::ChangeView;
using control::Control;
using enum config::ChangeVerb;

constexpr uint32_t kRules = 10'000, kGroups = 100, kPrefixes = 100, kRoutes = 50'000;

uint64_t work() { return counted_new::allocations + counted_new::frees; }

/// A hub of two domains and much policy; workers are always quiescent.
class SwapHub {
 public:
  SwapHub()
      : routes_(Routes::create({.routes = 2 * kRoutes, .domains = 64}).value()),
        adjacencies_(AdjacencyTable::create(64).value()),
        board_(64),
        log_("swap", std::make_shared<spdlog::sinks::null_sink_st>()),
        builder_([] {}) {
    model::StartFacts facts = one_port();
    facts.policy_rules = 2 * kRules;
    auto live = std::make_unique<model::LiveModel>(
        facts,
        model::Tables{*routes_, std::make_shared<AttachmentTable>(64),
                      std::make_shared<TunnelTable>(model::tunnel_entries(64)), adjacencies_.get(), &board_});
    dataplane_ = std::make_unique<FakeDataplane>(live->snapshot());
    control_ = std::make_unique<Control>(
        control::ControlParts{
            *dataplane_, underlay_, *adjacencies_, board_, builder_, mailbox_, log_, {}, {}, "1"},
        facts, std::move(live),
        control::FileConfig::of(parse(kTwoClouds.substr(0, kTwoClouds.find("[[domain]]")))), 0);
    EXPECT_TRUE(control_->start().has_value());
  }

  struct Done {
    ChangeView view;
    uint64_t most = 0;  // work of control in one turn
    unsigned turns = 0;
  };
  Done transact(config::ModelChanges changes) {
    Done done;
    bool answered = false;
    control_->transact(std::move(changes), [&](ChangeView view) {
      done.view = std::move(view);
      answered = true;
    });
    // And some turns more, in which what was before is let go of.
    for (int more = 0; more < 8; more += answered && !control_->busy()) {
      const uint64_t before = work();
      control_->turn(++now_, false);
      done.most = std::max(done.most, work() - before);
      ++done.turns;
      pollfd fd{mailbox_.fd(), POLLIN, 0};
      if (control_->busy()) poll(&fd, 1, 10);
    }
    return done;
  }
  Control& control() { return *control_; }
  const Snapshot& snapshot() const { return dataplane_->current(); }
  const Routes& routes() const { return *routes_; }

 private:
  std::unique_ptr<Routes> routes_;
  std::unique_ptr<AdjacencyTable> adjacencies_;
  AttachmentBoard board_;
  spdlog::logger log_;
  control::Mailbox mailbox_;
  FakeUnderlay underlay_;
  std::unique_ptr<FakeDataplane> dataplane_;
  std::unique_ptr<Control> control_;
  NanoTime now_ = 1;
  control::Builder builder_;
};

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
  SwapHub hub;
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
  hub.control().configured({});
  EXPECT_GT(work() - before, 5 * kRules);
}

config::ModelChanges routes(config::ChangeVerb verb) {
  config::ModelChanges changes;
  for (uint32_t r = 0; r < kRoutes; ++r) {
    config::Route route;
    route.domain = "a";
    route.prefix = {net::Ipv4{0x0a00'0000 + (r << 8)}, 24};
    route.blackhole = verb == add;
    changes.push_back({verb, std::move(route), {}});
  }
  return changes;
}

TEST(LargeChanges, NoTurnOfControlGoesThroughAllRoutes) {
  SwapHub hub;
  EXPECT_TRUE(hub.transact(network()).view.problems.empty());
  const DomainId domain = hub.snapshot().domains[0]->id;
  for (const auto& [verb, routes_then] : {std::pair(add, kRoutes), std::pair(remove, 0u)}) {
    const auto done = hub.transact(routes(verb));
    ASSERT_TRUE(done.view.problems.empty()) << done.view.problems.front();
    EXPECT_EQ(done.view.changes_total, kRoutes);
    EXPECT_EQ(hub.routes().size(domain), routes_then);
    EXPECT_GT(done.turns, kRoutes / Control::kRoutesPerTurn);
    EXPECT_LT(done.most, kRoutes) << "less than one thing for each route";
  }
  auto none = routes(add);
  std::get<config::Route>(none.back().subject).domain = "b";
  const auto refused = hub.transact(std::move(none));
  ASSERT_EQ(refused.view.problems.size(), 1u);
  EXPECT_EQ(hub.routes().size(domain), 0u);
}

TEST(PolicySwap, WhatIsRefusedIsRefusedBesideToo) {
  SwapHub hub;
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
  SwapHub hub;
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
