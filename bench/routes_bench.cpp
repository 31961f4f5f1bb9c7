// Routes: Weir's table against DPDK's four, which have to be beaten in memory per domain and may be faster
// per lookup, since a worker looks a route up once per session and change.
//
// Before anything is timed each table has to give the same next hop as a plain model for every address that
// will be looked up and for some without a route, and before updates are timed it has to follow each of them.
// `bytes_per_route`: all memory of the filled table; DPDK's by the growth of its heap.
#include <rte_eal.h>

#include "bench/measure.h"
#include "bench/route_contenders.h"
#include "bench/run_cases.h"

namespace weir::bench {
namespace {

constexpr size_t kLookups = 1 << 18;

/// A table of `Table`'s kind that has answered as it should, and what to ask it.
template <typename Table>
class Filled {
 public:
  Filled(net::Family family, size_t count, bool for_updates)
      : entries_(make(family, count, spare_)), table_(entries_) {
    bytes_per_route_ = table_.bytes() / static_cast<double>(count);
    const RouteModel model(entries_);
    std::vector<net::IpAddress> addresses = covered_addresses(entries_, kLookups);
    for (const auto& a : addresses) burst_source_.push_back(Table::native(a));
    for (uint32_t i = 0; i < 1'024; ++i) {  // all over the address space: many have no route
      addresses.push_back(family == net::Family::ipv4 ? net::IpAddress(net::Ipv4{i << 22})
                                                      : net::IpAddress(net::Ipv6{uint64_t{i} << 54, i}));
    }
    verify_lookups(model, addresses);
    if (for_updates) verify_updates(model);
  }

  Table& table() { return table_; }
  const typename Table::Address* burst(uint64_t i) const { return &burst_source_[i * kBurst % kLookups]; }
  const Route& spare(uint64_t i) const { return spare_[i % spare_.size()]; }
  double bytes_per_route() const { return bytes_per_route_; }

 private:
  /// Sets routes aside for updates: of the longest, so that nothing in the table hides them, and such as lie
  /// in a route that is not much shorter. For others rte_fib6 of DPDK 22.11 reserves memory that it never
  /// gives back, until it takes no route any more.
  static std::vector<Route> make(net::Family family, size_t count, std::vector<Route>& spare) {
    auto all = BgpRoutes::make(family, count + kSpareRoutes);
    const RouteModel model(all);
    std::vector<std::pair<unsigned, size_t>> rank;
    for (size_t i = 0; i < all.size(); ++i) {
      const net::Prefix& p = all[i].prefix;
      const uint8_t cover = model.length(p.address, p.length);
      rank.emplace_back(p.length - cover < 8 ? 256u + p.length : p.length, i);
    }
    std::shuffle(rank.begin(), rank.end(), std::mt19937_64(3));
    std::stable_sort(rank.begin(), rank.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<bool> aside(all.size());
    for (size_t k = 0; k < kSpareRoutes; ++k) {
      spare.push_back(all[rank[k].second]);
      aside[rank[k].second] = true;
    }
    size_t i = 0;
    std::erase_if(all, [&](const auto&) { return aside[i++]; });
    return all;
  }

  TargetIndex ask(const net::IpAddress& address) const {
    typename Table::Address addresses[kBurst];
    typename Table::Answer answers[kBurst];
    for (auto& a : addresses) a = Table::native(address);
    table_.lookup(addresses, answers);
    return Table::target(answers[kBurst - 1]);
  }

  void verify_lookups(const RouteModel& model, const std::vector<net::IpAddress>& addresses) const {
    typename Table::Address burst[kBurst];
    typename Table::Answer answers[kBurst];
    for (size_t at = 0; at < addresses.size(); at += kBurst) {
      for (size_t k = 0; k < kBurst; ++k) burst[k] = Table::native(addresses[at + k]);
      table_.lookup(burst, answers);
      for (size_t k = 0; k < kBurst; ++k) expect(addresses[at + k], Table::target(answers[k]), model);
    }
  }

  static void expect(const net::IpAddress& address, TargetIndex got, const RouteModel& model) {
    const TargetIndex expected = model.lookup(address);
    if (got != expected) {
      throw std::runtime_error(net::to_string(address) + " leads to " + std::to_string(got) + ", not " +
                               std::to_string(expected));
    }
  }

  void verify_updates(const RouteModel& model) {
    for (const auto& route : spare_) {
      table_.add(route);
      if (ask(route.prefix.last()) != route.target) throw std::runtime_error("an added route is not found");
      table_.remove(route);
      expect(route.prefix.last(), ask(route.prefix.last()), model);
    }
  }

  std::vector<Route> spare_;  // before entries_, whose making fills it
  std::vector<Route> entries_;
  Table table_;
  double bytes_per_route_ = 0;
  std::vector<typename Table::Address> burst_source_;
};

template <typename Table>
constexpr net::Family kFamily = sizeof(typename Table::Address) == 4 ? net::Family::ipv4 : net::Family::ipv6;

template <typename Table>
Filled<Table>& filled(const benchmark::State& state, bool for_updates) {
  const auto count = static_cast<size_t>(state.range(0));
  return Built::get<Filled<Table>>(std::to_string(count) + (for_updates ? " updated" : ""), [&] {
    return std::make_unique<Filled<Table>>(kFamily<Table>, count, for_updates);
  });
}

template <typename Table>
void lookup(benchmark::State& state) try {
  Filled<Table>& routes = filled<Table>(state, false);
  const Table& table = routes.table();
  run(state, kBurst, [&](uint64_t i) {
    typename Table::Answer answers[kBurst];
    table.lookup(routes.burst(i), answers);
    benchmark::DoNotOptimize(answers);
  });
  state.counters["bytes_per_route"] = routes.bytes_per_route();
} catch (const std::runtime_error& e) {
  state.SkipWithError(e.what());
}

/// One route in and out again: two updates.
template <typename Table>
void update(benchmark::State& state) try {
  Filled<Table>& routes = filled<Table>(state, true);
  Table& table = routes.table();
  run(state, 2, [&](uint64_t i) {
    table.add(routes.spare(i));
    table.remove(routes.spare(i));
  });
} catch (const std::runtime_error& e) {
  state.SkipWithError(e.what());
}

template <typename Table>
void add_cases(const std::string& family, const std::string& name, int64_t largest) {
  benchmark::RegisterBenchmark((family + "_lookup/" + name).c_str(), lookup<Table>)
      ->Arg(100)
      ->Arg(10'000)
      ->Arg(largest)
      ->Apply(common);
  benchmark::RegisterBenchmark((family + "_update/" + name).c_str(), update<Table>)
      ->Arg(10'000)
      ->Apply(common);
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  using namespace weir;
  // The widest vectors that the machine has: DPDK's tables at their best.
  const char* eal[] = {"weir_routes_bench", "--no-huge", "--no-pci", "--no-shconf",
                       "--no-telemetry",    "-m",        "3072",     "--force-max-simd-bitwidth=512",
                       "--log-level",       "error"};
  if (rte_eal_init(std::size(eal), const_cast<char**>(eal)) < 0) return 1;
  constexpr int64_t kIpv4 = 1'000'000, kIpv6 = 250'000;
  bench::add_cases<bench::WeirRoutes<net::Ipv4>>("routes4", "weir", kIpv4);
  bench::add_cases<bench::LpmRoutes>("routes4", "rte_lpm", kIpv4);
  bench::add_cases<bench::FibRoutes>("routes4", "rte_fib", kIpv4);
  bench::add_cases<bench::WeirRoutes<net::Ipv6>>("routes6", "weir", kIpv6);
  bench::add_cases<bench::Lpm6Routes>("routes6", "rte_lpm6", kIpv6);
  bench::add_cases<bench::Fib6Routes>("routes6", "rte_fib6", kIpv6);
  const int code = bench::run_cases(argc, argv);
  bench::Built::drop();
  return rte_eal_cleanup() == 0 ? code : 1;
}
