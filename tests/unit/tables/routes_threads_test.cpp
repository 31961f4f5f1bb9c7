// Routes read while they change: also built with the thread sanitizer.
#include <gtest/gtest.h>

#include "bench/route_churn.h"

namespace weir::bench {
namespace {

std::vector<Route> both_families(size_t count4, size_t count6) {
  std::vector<Route> list = BgpRoutes::make(net::Family::ipv4, count4);
  const std::vector<Route> more = BgpRoutes::make(net::Family::ipv6, count6);
  list.insert(list.end(), more.begin(), more.end());
  return list;
}

void expect_right(const RouteChurn::Result& r, const RouteChurn::Settings& settings) {
  EXPECT_EQ(r.wrong, 0u);
  EXPECT_EQ(r.stale, 0u);
  EXPECT_EQ(r.changes, settings.changes);
  EXPECT_GT(r.undisturbed, 1'000u);
  EXPECT_GT(r.decided_again, 0u);
}

TEST(RoutesThreads, EveryAnswerIsRightWhileATableChanges) {
  RouteChurn churn(both_families(4'000, 1'000));
  const RouteChurn::Settings settings{.readers = 2, .addresses = 2'000, .changes = 20'000, .most_waiting = 4};
  expect_right(churn.run(settings), settings);
}

/// Few prefixes, most of them in one node: nodes come and go all the time.
TEST(RoutesThreads, EveryAnswerIsRightWhileNodesComeAndGo) {
  std::vector<Route> list;
  for (const char* text : {"10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/20", "10.1.0.0/21", "10.1.0.0/24",
                           "10.1.1.0/24", "10.1.2.0/23", "10.1.3.0/24", "10.1.128.0/17", "0.0.0.0/1",
                           "10.1.0.128/25", "10.1.0.128/32", "10.1.0.129/32"}) {
    list.push_back({net::parse_prefix(text).value(), 0});
  }
  RouteChurn churn(list);
  const RouteChurn::Settings settings{.readers = 2, .addresses = 64, .changes = 20'000, .most_waiting = 4};
  expect_right(churn.run(settings), settings);
}

}  // namespace
}  // namespace weir::bench
