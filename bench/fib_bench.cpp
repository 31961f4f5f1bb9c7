// Routes, next hops and tunnels. Routes against rte_lpm and rte_fib (DIR24_8), which have to be beaten in
// memory per domain and may be faster per lookup: a worker looks a route up once per session and change.
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_lpm.h>

#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "bench/measure.h"
#include "dataplane/fib/adjacency_table.h"
#include "dataplane/fib/route_table.h"
#include "dataplane/tunnel/tunnel_table.h"

namespace weir::dataplane {
namespace {

constexpr size_t kBurst = 32;
constexpr size_t kLookups = 1 << 16;

/// Prefixes of the lengths that the Internet's table has, mostly /24, then /22, /20 and /16, and addresses in
/// them.
struct Routes {
  std::vector<RouteTable::Entry> entries;
  std::vector<uint32_t> addresses;

  explicit Routes(size_t count) {
    std::mt19937_64 random(1);
    std::map<net::Prefix, TargetIndex> unique;
    const uint8_t lengths[] = {24, 24, 24, 24, 24, 24, 22, 22, 20, 16};
    while (unique.size() < count) {
      const uint8_t length = lengths[random() % std::size(lengths)];
      const net::Ipv4 address{static_cast<uint32_t>(random())};
      unique.emplace(net::Prefix{net::masked(address, length), length},
                     static_cast<TargetIndex>(1 + random() % 200));
    }
    for (const auto& [prefix, target] : unique) entries.push_back({prefix, target});
    while (addresses.size() < kLookups) {
      const net::Prefix& p = entries[random() % entries.size()].prefix;
      addresses.push_back(p.address.v4().value | (static_cast<uint32_t>(random()) & (~0u >> p.length)));
    }
  }
  const uint32_t* burst(uint64_t i) const { return &addresses[i * kBurst % kLookups]; }
};

void route_table(benchmark::State& state) {
  const Routes routes(static_cast<size_t>(state.range(0)));
  const RouteTable table = RouteTable::build(routes.entries);
  bench::run(state, kBurst, [&](uint64_t i) {
    for (size_t k = 0; k < kBurst; ++k) {
      benchmark::DoNotOptimize(table.lookup(net::Ipv4{routes.burst(i)[k]}));
    }
  });
  state.counters["bytes"] = static_cast<double>(table.bytes());
}

void rte_lpm_table(benchmark::State& state) {
  const Routes routes(static_cast<size_t>(state.range(0)));
  rte_lpm_config config{};
  config.max_rules = static_cast<uint32_t>(routes.entries.size()) + 1;
  config.number_tbl8s = 1 << 12;
  const std::unique_ptr<rte_lpm, decltype(&rte_lpm_free)> lpm(rte_lpm_create("bench", 0, &config),
                                                              rte_lpm_free);
  if (!lpm) return state.SkipWithError(rte_strerror(rte_errno));
  for (const auto& e : routes.entries) {
    if (rte_lpm_add(lpm.get(), e.prefix.address.v4().value, e.prefix.length, e.target) != 0) {
      return state.SkipWithError("rte_lpm_add failed");
    }
  }
  bench::run(state, kBurst, [&](uint64_t i) {
    uint32_t target[kBurst];
    rte_lpm_lookup_bulk(lpm.get(), routes.burst(i), target, kBurst);
    benchmark::DoNotOptimize(target);
  });
  state.counters["bytes"] = sizeof(uint32_t) * ((1 << 24) + 256.0 * config.number_tbl8s);
}

void rte_fib_table(benchmark::State& state) {
  const Routes routes(static_cast<size_t>(state.range(0)));
  rte_fib_conf config{};
  config.type = RTE_FIB_DIR24_8;
  config.max_routes = static_cast<int>(routes.entries.size()) * 2 + 16;
  config.dir24_8.nh_sz = RTE_FIB_DIR24_8_4B;
  config.dir24_8.num_tbl8 = 1 << 12;
  const std::unique_ptr<rte_fib, decltype(&rte_fib_free)> fib(rte_fib_create("bench", 0, &config),
                                                              rte_fib_free);
  if (!fib) return state.SkipWithError(rte_strerror(rte_errno));
  for (const auto& e : routes.entries) {
    if (rte_fib_add(fib.get(), e.prefix.address.v4().value, e.prefix.length, e.target) != 0) {
      return state.SkipWithError("rte_fib_add failed");
    }
  }
  bench::run(state, kBurst, [&](uint64_t i) {
    uint64_t target[kBurst];
    rte_fib_lookup_bulk(fib.get(), const_cast<uint32_t*>(routes.burst(i)), target, kBurst);
    benchmark::DoNotOptimize(target);
  });
  state.counters["bytes"] = sizeof(uint32_t) * ((1 << 24) + 256.0 * config.dir24_8.num_tbl8);
}

void adjacency_get(benchmark::State& state) {
  const auto count = static_cast<uint32_t>(state.range(0));
  const auto table = AdjacencyTable::create(count).value();
  std::vector<AdjacencyId> ids;
  for (uint32_t n = 0; n < count; ++n) {
    ids.push_back(table->set(AttachmentId::make(n % 100, 1), net::Ipv4{n}, net::Mac::from_u64(n)).value());
  }
  std::shuffle(ids.begin(), ids.end(), std::mt19937_64(1));
  uint8_t frame[kBurst][64];
  benchmark::DoNotOptimize(&frame);
  bench::run(state, kBurst, [&](uint64_t i) {
    const AdjacencyId* burst = &ids[i * kBurst % (ids.size() / kBurst * kBurst)];
    for (size_t k = 0; k < kBurst; ++k) table->prefetch(burst[k]);
    for (size_t k = 0; k < kBurst; ++k) {
      AdjacencyTable::View view;
      if (table->get(burst[k], view)) std::memcpy(frame[k], view.mac.bytes.data(), sizeof view.mac.bytes);
    }
    benchmark::ClobberMemory();
  });
}

void adjacency_find(benchmark::State& state) {
  const auto count = static_cast<uint32_t>(state.range(0));
  const auto table = AdjacencyTable::create(count).value();
  for (uint32_t n = 0; n < count; ++n) {
    if (!table->set(AttachmentId::make(n % 100, 1), net::Ipv4{n}, {})) return state.SkipWithError("full");
  }
  bench::run(state, 1, [&](uint64_t i) {
    const auto n = static_cast<uint32_t>(i * 0x9e37'79b1 % count);
    benchmark::DoNotOptimize(table->find(AttachmentId::make(n % 100, 1), net::Ipv4{n}));
  });
}

void tunnel_find(benchmark::State& state) {
  std::vector<TunnelTable::Entry> entries;
  for (uint32_t n = 0; n < static_cast<uint32_t>(state.range(0)); ++n) {
    entries.push_back({{{0xc612'0001}, {0xc613'0000 + n / 16}, {n}, 4789}, AttachmentId::make(n, 1)});
  }
  const TunnelTable table = TunnelTable::build(entries).value();
  std::shuffle(entries.begin(), entries.end(), std::mt19937_64(1));
  entries.resize(std::max(entries.size() / kBurst * kBurst, kBurst), entries[0]);
  bench::run(state, kBurst, [&](uint64_t i) {
    const TunnelTable::Entry* burst = &entries[i * kBurst % entries.size()];
    for (size_t k = 0; k < kBurst; ++k) table.prefetch(burst[k].key);
    for (size_t k = 0; k < kBurst; ++k) benchmark::DoNotOptimize(table.find(burst[k].key));
  });
}

BENCHMARK(route_table)->Arg(100)->Arg(10'000)->Arg(1'000'000)->Apply(bench::common);
BENCHMARK(rte_lpm_table)->Arg(100)->Arg(10'000)->Apply(bench::common);
BENCHMARK(rte_fib_table)->Arg(100)->Arg(10'000)->Arg(1'000'000)->Apply(bench::common);
BENCHMARK(adjacency_get)->Arg(1'024)->Arg(1 << 20)->Apply(bench::common);
BENCHMARK(adjacency_find)->Arg(1'024)->Arg(1 << 20)->Apply(bench::common);
BENCHMARK(tunnel_find)->Arg(1)->Arg(100)->Arg(10'000)->Apply(bench::common);

}  // namespace
}  // namespace weir::dataplane

int main(int argc, char** argv) {
  const char* eal[] = {"weir_fib_bench", "--no-huge",   "--no-pci", "--no-shconf", "--no-telemetry", "-m",
                       "3072",           "--log-level", "error"};
  if (rte_eal_init(std::size(eal), const_cast<char**>(eal)) < 0) return 1;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return rte_eal_cleanup() == 0 ? 0 : 1;
}
