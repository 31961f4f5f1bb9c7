// What many routes make the control thread do in one turn: they are judged beside, made and withdrawn in
// parts, and whoever reads all of them does so beside, so no turn goes through them.
#include <gtest/gtest.h>

#include "counted_hub.h"
#include "mgmt/config/save.h"
#include "mgmt/config/writer.h"

namespace weir::test {
namespace {

using namespace dataplane;
using control::ChangeView;
using control::Control;
using control::HealthState;
using enum config::ChangeVerb;

constexpr uint32_t kRoutes = 50'000;

config::Domain domain(const char* name) {
  config::Domain domain;
  domain.name = name;
  return domain;
}

config::Attachment spoke(const char* name, uint32_t vni) {
  config::Attachment a;
  a.name = name;
  a.domain = "a";
  a.tunnel.id = vni;
  a.tunnel.local = ip("198.18.0.1");
  a.tunnel.remote = net::Ipv4{ip("198.18.0.100").v4().value + vni};
  a.gateways = {{net::Ipv4{ip("172.16.0.1").v4().value + (vni << 8)}, 24}};
  return a;
}

/// All 10 ms, and nobody answers.
config::Health probed(const config::Attachment& a) {
  config::Health health;
  health.probe = config::HealthProbe::icmp;
  health.address = net::Ipv4{a.gateways[0].address.v4().value + 8};
  health.interval_ms = 10;
  health.withdraw = true;
  return health;
}

config::ModelChanges routes(config::ChangeVerb verb, const char* attachment = "") {
  config::ModelChanges changes;
  for (uint32_t r = 0; r < kRoutes; ++r) {
    config::Route route;
    route.domain = "a";
    route.prefix = {net::Ipv4{0x0a00'0000 + (r << 8)}, 24};
    route.attachment = attachment;
    route.blackhole = verb == add && route.attachment.empty();
    changes.push_back({verb, std::move(route), {}});
  }
  return changes;
}

/// The domain a, which has spoke-1 with all the routes and spoke-2 with none.
class LargeChanges : public testing::Test {
 protected:
  LargeChanges() {
    EXPECT_TRUE(hub_.transact({{add, domain("a"), {}}, {add, domain("b"), {}}}).view.problems.empty());
    EXPECT_TRUE(hub_.transact({{add, spoke("spoke-1", 1), {}}, {add, spoke("spoke-2", 2), {}}})
                    .view.problems.empty());
  }
  void load() { EXPECT_TRUE(hub_.transact(routes(add, "spoke-1")).view.problems.empty()); }
  DomainId id() const { return hub_.model().domains().find("a")->second.id; }
  uint32_t size() const { return hub_.routes().size(id()); }
  HealthState state(const char* name) {
    return hub_.control().health().view(hub_.model().attachments().find(name)->second.id).state;
  }
  /// Turns until there are so many routes; no turn may change more of them than the others.
  CountedHub::Done pass_until(uint32_t routes) {
    uint32_t before = size();
    return hub_.turns_until([&] {
      const uint32_t now = size();
      EXPECT_LE(std::max(before, now) - std::min(before, now), Control::kRoutesPerTurn);
      before = now;
      return now == routes;
    });
  }

  CountedHub hub_;
};

constexpr uint32_t kOnLink = 2;  // of the gateways

TEST_F(LargeChanges, AreMadeInParts) {
  for (const auto& [verb, then] : {std::pair(add, kRoutes), std::pair(remove, 0u)}) {
    const auto done = hub_.transact(routes(verb));
    ASSERT_TRUE(done.view.problems.empty()) << done.view.problems.front();
    EXPECT_EQ(done.view.changes_total, kRoutes);
    EXPECT_EQ(size(), then + kOnLink);
    EXPECT_GT(done.turns, kRoutes / Control::kRoutesPerTurn);
    EXPECT_LT(done.most, kRoutes) << "less than one thing for each route";
  }
  auto none = routes(add);
  std::get<config::Route>(none.back().subject).domain = "c";
  const auto refused = hub_.transact(std::move(none));
  ASSERT_EQ(refused.view.problems.size(), 1u);
  EXPECT_EQ(size(), kOnLink);
}

/// Probes of others go out meanwhile, and a transaction waits and finds all withdrawn.
TEST_F(LargeChanges, ADeadSpokesRoutesAreWithdrawnInParts) {
  load();
  config::Attachment first = spoke("spoke-1", 1), second = spoke("spoke-2", 2);
  first.health = probed(first);
  second.health = probed(second);
  second.health.withdraw = false;
  ASSERT_TRUE(hub_.transact({{replace, first, {}}, {replace, second, {}}}).view.problems.empty());
  EXPECT_EQ(size(), kRoutes + kOnLink);
  hub_.step = kNanosPerMilli;
  for (int turns = 0; size() == kRoutes + kOnLink; ++turns) {
    ASSERT_LT(turns, 1'000);
    hub_.turn();
  }
  EXPECT_EQ(state("spoke-1"), HealthState::down);
  EXPECT_GE(size(), kRoutes + kOnLink - Control::kRoutesPerTurn);

  std::optional<ChangeView> late;
  config::Route known = std::get<config::Route>(routes(add, "spoke-2").back().subject);
  hub_.control().transact({{add, known, {}}}, [&](ChangeView view) {
    EXPECT_EQ(size(), 1u) << "what is withdrawn goes first";
    late = std::move(view);
  });
  const uint64_t sent =
      hub_.control().health().counters().sent + hub_.control().health().counters().no_neighbor;
  const auto gone = pass_until(1);
  EXPECT_GE(gone.turns, kRoutes / Control::kRoutesPerTurn - 1);
  EXPECT_LT(gone.most, kRoutes) << "less than one thing for each route";
  EXPECT_GT(hub_.control().health().counters().sent + hub_.control().health().counters().no_neighbor,
            sent + 4)
      << "others are probed meanwhile";
  ASSERT_TRUE(late);
  ASSERT_EQ(late->problems.size(), 1u) << "withdrawn routes stay configured";
  EXPECT_EQ(hub_.model().absent(), kRoutes + 1);

  // A change beside costs what it costs without them, and whoever looks for routes holds nobody up.
  const auto beside = hub_.transact({{add, domain("c"), {}}});
  EXPECT_TRUE(beside.view.problems.empty());
  const auto spoke_3 = hub_.transact({{add, spoke("spoke-3", 3), {}}});
  EXPECT_TRUE(spoke_3.view.problems.empty());
  EXPECT_LT(spoke_3.most, 1'000u);
  std::optional<control::RoutesView> seen;
  hub_.control().routes({"a"}, [&](auto view) { seen = std::move(view.value()); });
  EXPECT_LT(hub_.turns_until([&] { return seen.has_value(); }).most, 1'000u);
  EXPECT_EQ(seen->domains.front().routes.size(), 2u) << "the gateways of the others";

  // It is said to be something else, and so nobody knows that it is down.
  first.health.interval_ms = 60'000;
  ASSERT_TRUE(hub_.transact({{replace, first, {}}}).view.problems.empty());
  const auto back = pass_until(kRoutes + 3);
  EXPECT_LT(back.most, kRoutes);
  EXPECT_EQ(hub_.model().absent(), 0u);
}

/// It comes up while its routes are going, and goes down while they come back: what it is in the end counts.
TEST_F(LargeChanges, ASpokeThatChangesItsMindHasAllOfItsRoutesOrNone) {
  load();
  config::Attachment first = spoke("spoke-1", 1);
  first.health = probed(first);
  first.health.traffic = true;
  first.health.up_after = first.health.down_after = 1;
  ASSERT_TRUE(hub_.transact({{replace, first, {}}}).view.problems.empty());
  hub_.step = kNanosPerMilli;
  const AttachmentId id = hub_.model().attachments().find("spoke-1")->second.id;
  uint32_t least = size();
  const auto pass = [&](bool talks, const auto& enough) {
    for (int turns = 0; !enough(size()); ++turns) {
      ASSERT_LT(turns, 1'000);
      hub_.dataplane().totals[id].rx_packets += talks;
      const uint32_t before = size();
      hub_.turn();
      EXPECT_LE(std::max(before, size()) - std::min(before, size()), Control::kRoutesPerTurn);
      least = std::min(least, size());
    }
  };
  pass(false, [](uint32_t n) { return n < kRoutes / 2; });
  pass(true, [](uint32_t n) { return n > kRoutes * 3 / 4; });
  EXPECT_GT(least, kRoutes / 4) << "it came up in the midst";
  pass(false, [](uint32_t n) { return n == 1; });
  EXPECT_EQ(hub_.model().absent(), kRoutes + 1);
  pass(true, [](uint32_t n) { return n == kRoutes + kOnLink; });
  EXPECT_EQ(hub_.model().absent(), 0u);
}

TEST_F(LargeChanges, WhoReadsAllRoutesHoldsNobodyUp) {
  load();
  std::shared_ptr<const control::Configured> all;
  std::optional<ChangeView> change;
  hub_.control().configured({.routes = true}, [&](auto copy) { all = copy.value(); });
  hub_.control().transact({{add, domain("c"), {}}}, [&](ChangeView view) {
    EXPECT_NE(all, nullptr) << "the copy is of the time before";
    change = std::move(view);
  });
  const auto copied = hub_.turns_until([&] { return all != nullptr && change; });
  EXPECT_LT(copied.most, 2'000u);
  EXPECT_EQ(all->config.routes.size(), kRoutes);
  EXPECT_EQ(all->config.domains.size(), 2u);

  // What `weirctl config save` does with it, and a file that has them no more.
  ASSERT_TRUE(config::save_config(all->config, false));
  const auto saved = hub_.reload();
  ASSERT_TRUE(saved.view.problems.empty()) << saved.view.problems.front();
  EXPECT_LT(saved.most, kRoutes) << "less than one thing for each route";
  const auto again = hub_.reload();
  EXPECT_TRUE(again.view.changes.empty());
  EXPECT_LT(again.most, 2'000u);
  std::ofstream(config::routes_file_for(all->config), std::ios::trunc) << "\n";
  const auto without = hub_.reload();
  ASSERT_TRUE(without.view.problems.empty()) << without.view.problems.front();
  EXPECT_EQ(without.view.changes_total, kRoutes);
  EXPECT_EQ(size(), kOnLink);
  EXPECT_LT(without.most, kRoutes);
}

TEST_F(LargeChanges, ASpokeOfManyRoutesIsJudgedBeside) {
  load();
  const auto refused = hub_.transact({{remove, spoke("spoke-1", 1), {}}});
  EXPECT_FALSE(refused.view.problems.empty()) << "routes lead there";
  EXPECT_LT(refused.most, 2'000u);
  config::Attachment elsewhere = spoke("spoke-1", 1);
  elsewhere.domain = "b";
  auto moves = routes(remove, "spoke-1");
  moves.push_back({replace, elsewhere, {}});
  const auto moved = hub_.transact(std::move(moves));
  ASSERT_TRUE(moved.view.problems.empty()) << moved.view.problems.front();
  EXPECT_EQ(size(), 1u);
  EXPECT_LT(moved.most, kRoutes);
}

TEST_F(LargeChanges, TooManyReadersAreRefused) {
  size_t copies = 0, refused = 0;
  for (size_t i = 0; i <= Control::kMaxWaiting; ++i)
    hub_.control().configured({.routes = true}, [&](auto copy) { ++(copy ? copies : refused); });
  hub_.turns_until([&] { return copies + refused > Control::kMaxWaiting; });
  EXPECT_EQ(copies, Control::kMaxWaiting);
  EXPECT_EQ(refused, 1u);
}

}  // namespace
}  // namespace weir::test
