// What a spoke that comes or goes costs, at any size of a hub: how it is measured, shown and judged.
//
// Memory is counted through operator new, so a test that includes this is a binary of its own. Time is that
// of the CPU, which other programs hardly disturb.
#pragma once

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tests/support/counted_new.h"

namespace weir::test {

struct SpokeCost {
  double add_p99_us = 0, remove_p99_us = 0;
  uint64_t allocations = 0;  // the most that one change made
  int64_t bytes = 0;         // the most that one change held at a time beyond what was there
};

/// Of 200 spokes that come and go. `make` prepares the change of a round, which is not measured, `change`
/// makes it, `held` tells the bytes in use that are kept beside operator new, `after` ends a round.
template <typename Make, typename Change, typename Held, typename After>
SpokeCost measure_spoke_cost(const Make& make, const Change& change, const Held& held, const After& after) {
  const auto cpu_us = [] {
    timespec ts{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return static_cast<double>(ts.tv_sec) * 1e6 + static_cast<double>(ts.tv_nsec) / 1e3;
  };
  const auto p99 = [](std::vector<double>& all) {
    std::sort(all.begin(), all.end());
    return all[all.size() * 99 / 100];
  };
  SpokeCost cost;
  std::vector<double> add_us, remove_us;
  for (uint32_t round = 0; round < 200; ++round) {
    for (const bool adds : {true, false}) {
      auto changes = make(adds);
      const int64_t other = held(), counted = counted_new::live;
      const uint64_t before = counted_new::allocations;
      counted_new::most = counted_new::live;
      const double start = cpu_us();
      change(std::move(changes));
      (adds ? add_us : remove_us).push_back(cpu_us() - start);
      cost.allocations = std::max(cost.allocations, counted_new::allocations - before);
      cost.bytes =
          std::max({cost.bytes, counted_new::live - counted + held() - other, counted_new::most - counted});
    }
    after();
  }
  cost.add_p99_us = p99(add_us);
  cost.remove_p99_us = p99(remove_us);
  return cost;
}

/// Of the environment, or `fallback`.
inline uint32_t size_from(const char* name, uint32_t fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? static_cast<uint32_t>(std::strtoul(text, nullptr, 10)) : fallback;
}

/// `cost_at(spokes, routes)` at 10, 100, ... spokes. `make test-long` has the full size: WEIR_SPOKES=10000
/// WEIR_ROUTES=1000000 WEIR_RULES=10000.
template <typename CostAt>
void expect_that_cost_hardly_grows(const CostAt& cost_at) {
  constexpr double kMostUs = 5'000;
  const uint32_t most = size_from("WEIR_SPOKES", 1'000), routes = size_from("WEIR_ROUTES", 50'000);
  std::printf("%8s %9s %14s %17s %12s %12s\n", "spokes", "routes", "add p99 [us]", "remove p99 [us]",
              "allocations", "new bytes");
  SpokeCost first, last;
  for (uint32_t spokes = 10; spokes <= most; spokes *= 10) {
    const auto routes_here = static_cast<uint32_t>(static_cast<uint64_t>(routes) * spokes / most);
    last = cost_at(spokes, routes_here);
    if (spokes == 10) first = last;
    std::printf("%8u %9u %14.1f %17.1f %12lu %12ld\n", spokes, routes_here, last.add_p99_us,
                last.remove_p99_us, last.allocations, last.bytes);
    EXPECT_LE(std::max(last.add_p99_us, last.remove_p99_us), kMostUs) << "at " << spokes << " spokes";
  }
  EXPECT_LE(last.allocations, 3 * first.allocations);
  EXPECT_LE(last.bytes, 3 * first.bytes);
  EXPECT_LE(last.bytes, 64 * 1024);
}

}  // namespace weir::test
