// Policy classification of a first packet, the worst place in the list included, and the owner function.
#include <vector>

#include "bench/measure.h"
#include "dataplane/decide/owner.h"
#include "dataplane/policy/policy.h"

namespace weir::dataplane {
namespace {

const DomainId kFrom = DomainId::make(0, 1), kTo = DomainId::make(1, 1);

/// `count` rules, each for a /24 of its own on both sides and one port.
PolicyTable policy(uint32_t count) {
  std::vector<PolicyRule> rules(count);
  for (uint32_t n = 0; n < count; ++n) {
    rules[n].action = PolicyAction::allow;
    rules[n].from_domains = {kFrom};
    rules[n].to_domains = {kTo};
    rules[n].from_prefixes = {{net::Ipv4{0x0a00'0000 + (n << 8)}, 24}};
    rules[n].to_prefixes = {{net::Ipv4{0x0b00'0000 + (n << 8)}, 24}};
    rules[n].protocol = 6;
    rules[n].ports = {{443, 443}};
  }
  return PolicyTable::build(std::move(rules), {{kFrom, kTo, 1}});
}

/// Each packet matches another rule, so on average half of the list is walked.
void classify(benchmark::State& state) {
  const auto count = static_cast<uint32_t>(state.range(0));
  const PolicyTable table = policy(count);
  const auto pair = table.find(kFrom, kTo);
  bench::run(state, 1, [&](uint64_t i) {
    const auto n = static_cast<uint32_t>(i * 0x9e37'79b1 % count);
    const Tuple tuple{net::Ipv4{0x0a00'0005 + (n << 8)}, net::Ipv4{0x0b00'0005 + (n << 8)}, 40'000, 443, 6};
    benchmark::DoNotOptimize(table.classify(pair, tuple));
  });
}

void classify_none(benchmark::State& state) {
  const PolicyTable table = policy(static_cast<uint32_t>(state.range(0)));
  const auto pair = table.find(kFrom, kTo);
  const Tuple tuple{net::Ipv4{0x0c00'0005}, net::Ipv4{0x0d00'0005}, 40'000, 443, 6};
  bench::run(state, 1, [&](uint64_t) { benchmark::DoNotOptimize(table.classify(pair, tuple)); });
}

void owner(benchmark::State& state) {
  Snapshot snapshot;
  snapshot.workers = 8;
  const bool ipv4 = state.range(0) == 4;
  std::vector<Tuple> tuples;
  for (uint32_t n = 0; n < 1'024; ++n) {
    const auto address = [&](uint32_t a) {
      return ipv4 ? net::IpAddress(net::Ipv4{a}) : net::IpAddress(net::Ipv6{a, a});
    };
    tuples.push_back({address(n), address(n * 7), static_cast<uint16_t>(n), 443, 6});
  }
  bench::run(state, tuples.size(), [&](uint64_t) {
    for (const Tuple& tuple : tuples) benchmark::DoNotOptimize(owner_of({.tuple = tuple}, snapshot));
  });
}

BENCHMARK(classify)->Arg(10)->Arg(100)->Arg(1'000)->Apply(bench::common);
BENCHMARK(classify_none)->Arg(10)->Arg(100)->Arg(1'000)->Apply(bench::common);
BENCHMARK(owner)->ArgName("ip")->Arg(4)->Arg(6)->Apply(bench::common);

}  // namespace
}  // namespace weir::dataplane
