// The whole way of a packet, VXLAN to VXLAN, stateful and policed: bursts of 32 through a worker's turn on a
// memory port, with 1,024 to 65,536 sessions, both directions of each.
//
// `cycles` is the median of the time-stamp counter's cycles per packet over stretches of 16 turns, so that
// moments in which another process has the core do not count. Included: the ring device's rx and tx burst,
// and the turn's own work. Not included: filling and emptying the port. Frames have just been copied into
// their buffers, so they are in the second-level cache, nearer than a NIC would put them. The time column is
// per stretch of 512 packets.
//
// What the profile of `weirctl top` costs: `not_sampled` samples no turn, ipv4 and ipv6 one in 64 as a hub
// does when nobody looks, `each_sampled` all of them, as while somebody does; there each stage's cycles are
// shown.
#include <x86intrin.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "bench/measure.h"
#include "inspection/engine/ruleset_builder.h"
#include "inspection/rules/language.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

constexpr size_t kBurst = 32, kTurns = 16, kStretch = kBurst * kTurns;

constexpr const char* kPublic = "10.2.0.100";

/// One frame of each direction of `sessions` sessions, in random order; the first of them all open one.
struct Feed {
  std::vector<Bytes> opening, frames;

  /// `translated`: what goes from a to b has kPublic as its source there, and its own port.
  Feed(size_t sessions, Ip ip, bool translated = false) {
    for (size_t i = 0; i < sessions; ++i) {
      const auto client = static_cast<uint16_t>(1'024 + i % 32'768),
                 server = static_cast<uint16_t>(1 + i / 32'768);
      opening.push_back(from_spoke(kA, kB, udp(client, server, std::string(22, 'x')), ip));
      frames.push_back(opening.back());
      if (translated) {
        const Bytes inside = PacketBuilder()
                                 .ether(kB.hub_mac, kB.host_mac)
                                 .ip(kB.host4, kPublic)
                                 .udp(server, client)
                                 .payload(std::string(22, 'x'))
                                 .build();
        frames.push_back(tunnelled(kB, inside));
      } else {
        frames.push_back(from_spoke(kB, kA, udp(server, client, std::string(22, 'x')), ip));
      }
    }
    std::shuffle(frames.begin(), frames.end(), std::mt19937(1));
    // Copied in that order, so that they lie in memory as they are used: who injects them walks through
    // memory once, and does not throw the hub's own out of caches and TLB.
    frames = std::vector<Bytes>(frames);
  }
};

/// Cycles per packet of each part of a turn, by the hub's own profile: means, so they count disturbances too.
void add_stages(benchmark::State& state, const dataplane::ProfileCounters& profile, double packets) {
  for (size_t i = 0; i < dataplane::kStageCount; ++i) {
    const auto cycles = static_cast<double>(profile.stages[i].cycles.get());
    state.counters[std::string(dataplane::kStageNames[i])] = cycles / packets;
  }
}

/// Red's sources get the pool's one address, and keep their ports, which are its alone.
dataplane::NatRules one_pool(const SnapshotBuilder& b) {
  dataplane::NatRules rules;
  dataplane::PoolRule& rule = rules.pools.emplace_back();
  rule.from = {b.domain_id("red")};
  rule.to = b.domain_id("blue");
  rule.destinations = {*net::parse_prefix("10.2.0.0/24")};
  const net::IpAddress address = *net::parse_ip(kPublic);
  rule.pool =
      std::make_shared<dataplane::PortPool>(std::vector<dataplane::PortPool::Range>{{address, address}},
                                            uint16_t{1'024}, uint16_t{65'535}, uint16_t{1});
  return rules;
}

/// What the sessions are: bypassed ones are inspected until their first packet has shown that nothing later
/// can matter.
enum class Sort : uint8_t { plain, translated, bypassed };

SnapshotBuilder network_of(Sort sort) {
  if (sort == Sort::bypassed) {
    SnapshotBuilder b = network_without_rules();
    inspection::ast::ParsedRuleset rules;
    inspection::ast::RuleReader().read("bench.rules", "pass ip any any -> any any (sid:1;)", rules);
    b.profile({.name = "bench", .ruleset = inspection::compile_rules(rules, 1).value().ruleset});
    b.rule({.id = "inspect",
            .action = dataplane::PolicyAction::inspect,
            .from = {"red"},
            .to = {"blue"},
            .profile = 0});
    return b;
  }
  SnapshotBuilder b = network();
  if (sort == Sort::translated) b.nat(one_pool(b));
  return b;
}

void vxlan_to_vxlan(benchmark::State& state, Ip ip, uint32_t sample_one_in, Sort sort = Sort::plain) {
  const auto sessions = static_cast<size_t>(state.range(0));
  const Feed feed(sessions, ip, sort == Sort::translated);
  const auto room = static_cast<uint32_t>(sessions) + 64;
  TestHub hub(network_of(sort).build(), {.sessions = room,
                                         .nat_bindings = 65'536,
                                         .sample_one_in = sample_one_in,
                                         .inspection = {.flows = room}});
  for (size_t i = 0; i < sessions; ++i) {
    hub.inject(feed.opening[i]);
    if (i % kBurst != 0) continue;
    hub.settle();
    hub.port().collect();
  }
  hub.settle();
  hub.port().collect();
  hub.moved();
  if (sort == Sort::bypassed && hub.plane().inspection_counters(0).bypassed != sessions)
    return state.SkipWithError("not every session was bypassed");

  std::vector<double> per_packet;
  per_packet.reserve(1 << 16);
  size_t next = 0;
  for (auto _ : state) {
    for (size_t i = 0; i < kStretch; ++i) hub.inject(feed.frames[next++ % feed.frames.size()]);
    const auto begin = std::chrono::steady_clock::now();
    const uint64_t start = __rdtsc();
    for (size_t i = 0; i < kTurns; ++i) hub.turn();
    const uint64_t cycles = __rdtsc() - start;
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    per_packet.push_back(static_cast<double>(cycles) / kStretch);
    hub.port().collect();
  }
  const auto packets = static_cast<int64_t>(per_packet.size() * kStretch);
  if (hub.moved() != forwarded(packets)) state.SkipWithError("not every packet was forwarded");
  const auto middle = per_packet.begin() + static_cast<long>(per_packet.size() / 2);
  std::nth_element(per_packet.begin(), middle, per_packet.end());
  state.counters["cycles"] = *middle;
  if (sample_one_in == 1) add_stages(state, hub.plane().profile(0), static_cast<double>(packets));
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgName("sessions")
      ->Arg(1'024)
      ->Arg(4'096)
      ->Arg(16'384)
      ->Arg(65'536)
      ->UseManualTime()
      ->Iterations(2'000);
  bench::common(b);
}

BENCHMARK_CAPTURE(vxlan_to_vxlan, ipv4, Ip::v4, dataplane::kSampleOneIn)->Apply(sizes);
BENCHMARK_CAPTURE(vxlan_to_vxlan, ipv4_not_sampled, Ip::v4, 0)->Apply(sizes);
BENCHMARK_CAPTURE(vxlan_to_vxlan, ipv4_each_sampled, Ip::v4, 1)->Apply(sizes);
BENCHMARK_CAPTURE(vxlan_to_vxlan, ipv4_translated, Ip::v4, dataplane::kSampleOneIn, Sort::translated)
    ->Apply(sizes);
BENCHMARK_CAPTURE(vxlan_to_vxlan, ipv4_bypassed, Ip::v4, dataplane::kSampleOneIn, Sort::bypassed)
    ->Apply(sizes);
BENCHMARK_CAPTURE(vxlan_to_vxlan, ipv6, Ip::v6, dataplane::kSampleOneIn)->Apply(sizes);

}  // namespace
}  // namespace weir::test
