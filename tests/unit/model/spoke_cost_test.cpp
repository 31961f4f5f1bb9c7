// What a spoke that comes or goes costs control, at any size of the hub: the counts must hardly grow with it.
#include "tests/support/spoke_cost.h"

#include "hub_model.h"

namespace weir::test {
namespace {

using enum ChangeVerb;

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

SpokeCost cost_at(uint32_t spokes, uint32_t routes) {
  const uint32_t domains = std::min<uint32_t>(spokes, 4), prefixes = routes / spokes;
  HubModel hub(spokes + 64, routes + spokes + 16'384);
  for (uint32_t d = 0; d < domains; ++d) hub.transact({{add, domain("d" + std::to_string(d)), {}}});
  for (uint32_t n = 0; n < spokes; ++n) {
    const auto problems = hub.transact(spoke_changes(add, n, domains, prefixes));
    if (!problems.empty()) ADD_FAILURE() << problems.front();
  }
  // One comes, one goes: each with 10 prefixes, whatever the others have.
  return measure_spoke_cost(
      [&](bool adds) { return spoke_changes(adds ? add : remove, spokes + 7, domains, 10, 0x6000'0000); },
      [&](const ModelChanges& changes) {
        const auto problems = hub.transact(changes, model::Origin::api);
        if (!problems.empty()) ADD_FAILURE() << problems.front();
      },
      [] { return int64_t{0}; },
      [&] {
        for (const auto id : hub.last_removed) hub.live.release(id);
      });
}

TEST(SpokeCost, HardlyGrowsWithTheHub) { expect_that_cost_hardly_grows(cost_at); }

}  // namespace
}  // namespace weir::test
