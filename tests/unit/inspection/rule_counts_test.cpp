// What each rule and each buffer cost, as `weirctl rules top` shows it.
#include "detection_support.h"
#include "inspection/detect/rule_costs.h"

namespace weir::inspection::test {
namespace {

const RuleCost& cost_of(const std::vector<RuleCost>& costs, uint32_t sid) {
  for (const RuleCost& cost : costs) {
    if (cost.name.sid == sid) return cost;
  }
  ADD_FAILURE() << "no cost of rule " << sid;
  return costs.front();
}

TEST(RuleCosts, AreCountedByRule) {
  const auto profile = make_profile(
      "alert udp any any -> any any (content:\"evil\"; sid:1;)\n"
      "alert udp any any -> any any (content:\"evil\"; content:\"deed\"; sid:2;)\n"
      "alert udp any any -> any 53 (content:\"evil\"; sid:3;)\n"
      "alert udp any any -> any any (content:\"other\"; sid:4;)\n");
  DetectionBench bench(profile);
  bench.datagram("something evil");
  bench.datagram("an evil deed");
  bench.datagram("nothing");
  const std::vector<RuleCost> costs = rule_costs(profile->ruleset());
  ASSERT_EQ(costs.size(), 2u) << "what cost nothing is not told, nor a rule whose port is another one";
  EXPECT_EQ(cost_of(costs, 1).verified, 2u);
  EXPECT_EQ(cost_of(costs, 1).matched, 2u);
  // "deed" is the rarer literal or not: either way it is verified where its own literal lies.
  EXPECT_EQ(cost_of(costs, 2).matched, 1u);
  EXPECT_GT(cost_of(costs, 1).work, 2 * RuleCost::kWorkOfVerification);
  EXPECT_GE(costs[0].work, costs[1].work) << "the costliest one comes first";
}

TEST(RuleCosts, AreCountedByBuffer) {
  const auto profile = make_profile(
      "alert udp any any -> any any (content:\"evil\"; sid:1;)\n"
      "alert http any any -> any any (http.uri; content:\"/passwd\"; sid:2;)\n");
  DetectionBench bench(profile);
  bench.datagram("something evil");
  FakeTransaction http(AppProtocol::http1, HttpStep::complete);
  http.advance(Direction::to_server, HttpStep::line);
  http.set(BufferId::http_uri, Direction::to_server, "/etc/passwd");
  bench.packet.protocol = 6;
  bench.move(http);
  bench.forget(http);
  const std::vector<BufferCost> costs = buffer_costs(profile->ruleset());
  ASSERT_EQ(costs.size(), 2u);
  EXPECT_EQ(costs[0].name, "payload of udp");
  EXPECT_EQ(costs[0].bytes, 14u);
  EXPECT_EQ(costs[0].scans, 1u);
  EXPECT_EQ(costs[0].candidates, 1u);
  EXPECT_EQ(costs[1].name, "http.uri");
  EXPECT_EQ(costs[1].direction, Direction::to_server);
  EXPECT_EQ(costs[1].bytes, 11u);
  EXPECT_EQ(costs[1].literals, 1u);
}

TEST(RuleCosts, WhatWasRefutedIsCounted) {
  DetectionBench bench(
      make_profile("alert udp any any -> any any (content:\"evilest\"; content:\"deed\"; sid:1;)"));
  bench.datagram("the evilest one");
  EXPECT_EQ(bench.counters().verified, 1u);
  EXPECT_EQ(bench.counters().refuted, 1u);
  bench.datagram("the evilest deed");
  EXPECT_EQ(bench.counters().verified, 2u);
  EXPECT_EQ(bench.counters().refuted, 1u);
}

}  // namespace
}  // namespace weir::inspection::test
