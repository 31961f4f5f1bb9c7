// What a first packet costs: the policy alone, the worst place in the list included, and the whole decision;
// and the owner function.
#include <string>
#include <vector>

#include "bench/measure.h"
#include "dataplane/decide/first_packet.h"
#include "dataplane/decide/owner.h"
#include "dataplane/policy/policy.h"
#include "tests/support/snapshot_builder.h"

namespace weir::dataplane {
namespace {

constexpr uint32_t kRules[] = {1, 10, 100, 1'000};
const DomainId kFrom = DomainId::make(0, 1), kTo = DomainId::make(1, 1);

/// `count` rules, each for a /24 of its own on both sides and one port.
PolicyTable policy(uint32_t count) {
  std::vector<PolicyRule> rules(count);
  for (uint32_t n = 0; n < count; ++n) {
    rules[n].action = PolicyAction::allow;
    rules[n].from.domains = {kFrom};
    rules[n].to.domains = {kTo};
    rules[n].from.prefixes = {{net::Ipv4{0x0a00'0000 + (n << 8)}, 24}};
    rules[n].to.prefixes = {{net::Ipv4{0x0b00'0000 + (n << 8)}, 24}};
    rules[n].services = {{6, {443, 443}}};
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

/// Reverse path, route, connection, policy, where each rule is for another port. The two domains have 100
/// routes each, and every packet passes.
void first_packet(benchmark::State& state) {
  const auto count = static_cast<uint32_t>(state.range(0));
  test::SnapshotBuilder b;
  b.domain("prod").domain("shared").connection("prod", "shared");
  b.attachment("a", "prod", 10, "198.18.0.10", "10.1.0.1/24");
  b.attachment("b", "shared", 20, "198.18.0.20", "10.2.0.1/24");
  for (int n = 1; n <= 100; ++n) {
    b.route("prod", "10.1." + std::to_string(n) + ".0/24", "a", "10.1.0.2");
    b.route("shared", "10.2." + std::to_string(n) + ".0/24", "b", "10.2.0.2");
  }
  for (uint32_t n = 0; n < count; ++n) {
    const auto port = static_cast<uint16_t>(n + 1);
    b.rule({.id = "r" + std::to_string(n),
            .from = {"prod"},
            .to = {"shared"},
            .protocol = 6,
            .ports = {{port, port}}});
  }
  const auto snapshot = b.build();
  std::vector<FirstPacket> packets;
  for (uint32_t n = 0; n < 1'024; ++n) {
    const uint32_t net = (1 + n % 100) << 8;
    packets.push_back({b.attachment_id("a"),
                       {net::Ipv4{0x0a01'0005 | net}, net::Ipv4{0x0a02'0005 | net}, 40'000,
                        static_cast<uint16_t>(1 + n * 0x9e37'79b1 % count), 6}});
  }
  uint64_t dropped = 0;
  bench::run(state, packets.size(), [&](uint64_t) {
    for (const FirstPacket& packet : packets) {
      dropped += decide_first_packet(*snapshot, packet).drop != DropReason::none;
    }
  });
  if (dropped != 0) state.SkipWithError("a packet was dropped");
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

void rules(benchmark::internal::Benchmark* b) {
  b->ArgName("rules");
  for (const uint32_t count : kRules) b->Arg(count);
}

BENCHMARK(classify)->Apply(rules)->Apply(bench::common);
BENCHMARK(classify_none)->Apply(rules)->Apply(bench::common);
BENCHMARK(first_packet)->Apply(rules)->Apply(bench::common);
BENCHMARK(owner)->ArgName("ip")->Arg(4)->Arg(6)->Apply(bench::common);

}  // namespace
}  // namespace weir::dataplane
