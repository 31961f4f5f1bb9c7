// What a spoke that comes or goes costs control, at any size of the hub: the counts must hardly grow with it.
//
// Memory is counted through operator new, so this has a binary of its own. The time, of the CPU, is only
// shown.
#include <gtest/gtest.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>

#include "hub_model.h"
#include "tests/support/counted_new.h"

namespace weir::test {
namespace {

using enum ChangeVerb;

struct Cost {
  double add_p99_us = 0, remove_p99_us = 0;
  uint64_t allocations = 0;  // the most that one change made
  int64_t bytes = 0;         // the most that one change held at a time beyond what was there
};

std::string gateway_of(uint32_t n) {
  return "10." + std::to_string(n >> 8 & 0xff) + "." + std::to_string(n & 0xff) + ".1/24";
}
std::string router_of(uint32_t n) {
  return "10." + std::to_string(n >> 8 & 0xff) + "." + std::to_string(n & 0xff) + ".2";
}

/// A spoke with its gateway and a hundred prefixes behind a router.
ModelChanges spoke_changes(ChangeVerb verb, uint32_t n, uint32_t domains, uint32_t prefixes,
                           uint32_t first = 0x2000'0000) {
  const std::string d = "d" + std::to_string(n % domains), name = "spoke-" + std::to_string(n);
  ModelChanges changes;
  changes.push_back({verb, spoke(name, d, n + 1, {gateway_of(n)}), {}});
  for (uint32_t i = 0; i < prefixes; ++i) {
    config::Route r;
    r.domain = d;
    r.prefix = {net::Ipv4{first + (n * prefixes + i) * 256}, 24};
    r.attachment = name;
    r.via = ip(router_of(n));
    changes.push_back({verb, r, {}});
  }
  return changes;
}

Cost cost_at(uint32_t spokes, uint32_t routes) {
  const uint32_t domains = std::min<uint32_t>(spokes, 4), prefixes = routes / spokes;
  HubModel hub(spokes + 64, routes + spokes + 16'384);
  for (uint32_t d = 0; d < domains; ++d) hub.transact({{add, domain("d" + std::to_string(d)), {}}});
  for (uint32_t n = 0; n < spokes; ++n) {
    const auto problems = hub.transact(spoke_changes(add, n, domains, prefixes));
    if (!problems.empty()) ADD_FAILURE() << problems.front();
  }
  const auto cpu_us = [] {
    timespec ts{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return static_cast<double>(ts.tv_sec) * 1e6 + static_cast<double>(ts.tv_nsec) / 1e3;
  };
  std::vector<double> add_us, remove_us;
  Cost cost;
  for (uint32_t round = 0; round < 200; ++round) {
    // One comes, one goes: each with 10 prefixes, whatever the others have.
    const uint32_t n = spokes + 7;
    for (const auto verb : {add, remove}) {
      const ModelChanges changes = spoke_changes(verb, n, domains, 10, 0x6000'0000);
      const uint64_t before = counted_new::allocations;
      const int64_t held = counted_new::live;
      counted_new::most = counted_new::live;
      const double start = cpu_us();
      const auto problems = hub.transact(changes, model::Origin::api);
      (verb == add ? add_us : remove_us).push_back(cpu_us() - start);
      if (!problems.empty()) ADD_FAILURE() << problems.front();
      cost.allocations = std::max(cost.allocations, counted_new::allocations - before);
      cost.bytes = std::max(cost.bytes, counted_new::most - held);
    }
    for (const auto id : hub.last_removed) hub.live.release(id);
  }
  const auto p99 = [](std::vector<double>& all) {
    std::sort(all.begin(), all.end());
    return all[all.size() * 99 / 100];
  };
  cost.add_p99_us = p99(add_us);
  cost.remove_p99_us = p99(remove_us);
  return cost;
}

TEST(SpokeCost, HardlyGrowsWithTheHub) {
  // `make test-long` has the full size: WEIR_SPOKES=10000 WEIR_ROUTES=1000000.
  const auto number = [](const char* name, uint32_t fallback) {
    const char* text = std::getenv(name);
    return text != nullptr ? static_cast<uint32_t>(std::strtoul(text, nullptr, 10)) : fallback;
  };
  const uint32_t most = number("WEIR_SPOKES", 1'000), routes = number("WEIR_ROUTES", 50'000);
  std::printf("%8s %9s %14s %17s %12s %12s\n", "spokes", "routes", "add p99 [us]", "remove p99 [us]",
              "allocations", "new bytes");
  Cost first, last;
  for (uint32_t spokes = 10; spokes <= most; spokes *= 10) {
    const auto routes_here = static_cast<uint32_t>(static_cast<uint64_t>(routes) * spokes / most);
    last = cost_at(spokes, routes_here);
    if (spokes == 10) first = last;
    std::printf("%8u %9u %14.1f %17.1f %12lu %12ld\n", spokes, routes_here, last.add_p99_us,
                last.remove_p99_us, last.allocations, last.bytes);
  }
  EXPECT_LE(last.allocations, 3 * first.allocations);
  EXPECT_LE(last.bytes, 3 * first.bytes);
  EXPECT_LE(last.bytes, 64 * 1024);
}

}  // namespace
}  // namespace weir::test
