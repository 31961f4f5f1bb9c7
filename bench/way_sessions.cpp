// New UDP sessions at a table that stays nine tenths full: each packet begins one, and as many have been idle
// for long enough and end, through the worker's turn on a memory port, with and without source translation,
// by a policy of 1,000 rules of which the last one matches. Time is made to pass as it does at that rate, so
// what ends is spread over turns as in a hub.
//
// `cycles`: the median over stretches, per session, its one packet in and out, its creation and the end of an
// older one included; the stretches cover three idle time-outs. `fill`: sessions in the table at the end, in
// percent of what it holds.
#include <x86intrin.h>

#include <algorithm>
#include <chrono>

#include "bench/measure.h"
#include "dataplane/net/checksum.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

constexpr size_t kBurst = 32, kTurns = 16, kStretch = kBurst * kTurns;
constexpr size_t kRules = 1'000;
constexpr dataplane::NanoTime kIdle = dataplane::kNanosPerSecond;
constexpr uint32_t kPool = 64;  // addresses
constexpr const char *kClients = "10.9.0.0/16", *kFirstClient = "10.9.0.1";

/// Frames of sessions that there never were: other clients, and other ports of theirs.
class Newcomers {
 public:
  Newcomers()
      : frame_(tunnelled(kA, frame_of(kA.hub_mac, kA.host_mac, kFirstClient, kB.host4,
                                      udp(kFirstPort, 53, std::string(22, 'x')), 64))),
        address_(number(kAddress)),
        port_(number(kPort)) {}

  const Bytes& next() {
    const auto n = static_cast<uint32_t>(count_++);
    change(kAddress, be(static_cast<uint16_t>(address_ + n / kPorts % kHosts)));
    change(kPort, be(static_cast<uint16_t>(port_ + n % kPorts)));
    return frame_;
  }

 private:
  static constexpr uint16_t kFirstPort = 1'024;
  static constexpr uint32_t kPorts = 60'000, kHosts = 200;
  // Where the inner header is, and in it the low half of the source address and the source port.
  static constexpr size_t kInner = 14 + 20 + 8 + 8 + 14, kSum = kInner + 10, kAddress = kInner + 14,
                          kPort = kInner + 20, kUdpSum = kInner + 26;

  static uint16_t be(uint16_t host) { return __builtin_bswap16(host); }
  uint16_t raw(size_t at) const {
    uint16_t value;
    std::memcpy(&value, &frame_[at], sizeof value);
    return value;
  }
  uint16_t number(size_t at) const { return be(raw(at)); }
  void change(size_t at, uint16_t to) {
    const auto sum = [&](size_t sum_at) {
      const uint16_t now =
          net::checksum_update(net::be16::raw(raw(sum_at)), net::be16::raw(raw(at)), net::be16::raw(to))
              .raw();
      std::memcpy(&frame_[sum_at], &now, sizeof now);
    };
    if (at == kAddress) sum(kSum);
    sum(kUdpSum);
    std::memcpy(&frame_[at], &to, sizeof to);
  }

  Bytes frame_;
  const uint16_t address_, port_;
  uint64_t count_ = 0;
};

std::unique_ptr<dataplane::Snapshot> network_of(bool translated) {
  SnapshotBuilder b = network_without_rules();
  b.route("red", kClients, kA.name, kA.host4);
  for (size_t r = 0; r + 1 < kRules; ++r) {
    const std::string other = "10.9." + std::to_string(1 + r % 250) + ".0/24";
    b.rule({.id = "other-" + std::to_string(r),
            .action = dataplane::PolicyAction::deny,
            .from = {"red"},
            .from_prefixes = {other},
            .protocol = 17,
            .ports = {{static_cast<uint16_t>(r), static_cast<uint16_t>(r)}}});
  }
  b.rule({.id = "last", .from = {"red"}, .to = {"blue"}});
  dataplane::Timeouts timeouts;
  for (uint32_t* t : {&timeouts.udp, &timeouts.udp_unanswered, &timeouts.other, &timeouts.icmp})
    *t = dataplane::Tick::duration(kIdle);
  b.timeouts(timeouts);
  if (translated) {
    dataplane::NatRules rules;
    dataplane::PoolRule& rule = rules.pools.emplace_back();
    rule.from = {b.domain_id("red")};
    rule.to = b.domain_id("blue");
    rule.destinations = {*net::parse_prefix("10.2.0.0/24")};
    const net::Ipv4 first = net::parse_ip("10.2.0.100")->v4();
    rule.pool = std::make_shared<dataplane::PortPool>(
        std::vector<dataplane::PortPool::Range>{{first, net::Ipv4{first.value + kPool - 1}}}, uint16_t{1'024},
        uint16_t{65'535}, uint16_t{1});
    b.nat(std::move(rules));
  }
  return b.build();
}

void new_sessions(benchmark::State& state, bool translated) {
  const auto room = static_cast<uint32_t>(state.range(0));
  const double live = 0.9 * room;
  const auto step = static_cast<dataplane::NanoTime>(static_cast<double>(kIdle) * kBurst / live);
  TestHub hub(network_of(translated), {.sessions = room, .nat_bindings = room});
  Newcomers newcomers;
  std::vector<double> per_session;
  const auto stretch = [&] {
    for (size_t i = 0; i < kStretch; ++i) hub.inject(newcomers.next());
    const auto begin = std::chrono::steady_clock::now();
    const uint64_t start = __rdtsc();
    for (size_t i = 0; i < kTurns; ++i) {
      hub.pass(step);
      hub.turn();
    }
    per_session.push_back(static_cast<double>(__rdtsc() - start) / kStretch);
    hub.port().collect();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  // Until as many end as begin.
  const auto stretches = static_cast<size_t>(live / kStretch);
  for (size_t i = 0; i < 2 * stretches; ++i) stretch();
  hub.moved();
  per_session.clear();
  for (auto _ : state) {
    double seconds = 0;
    for (size_t i = 0; i < 3 * stretches; ++i) seconds += stretch();
    state.SetIterationTime(seconds);
  }
  const auto sessions = static_cast<int64_t>(per_session.size() * kStretch);
  Counts moved = hub.moved();
  const int64_t grown = moved["sessions_created"] - moved["sessions_expired"];
  if (moved["sessions_created"] != sessions || std::abs(grown) > sessions / 20)
    state.SkipWithError("not every packet began a session, or not as many ended");
  const auto middle = per_session.begin() + static_cast<long>(per_session.size() / 2);
  std::nth_element(per_session.begin(), middle, per_session.end());
  state.counters["cycles"] = *middle;
  state.counters["fill"] = 100.0 * static_cast<double>(hub.plane().counters(0).sessions_live.get()) / room;
}

void options(benchmark::internal::Benchmark* b) {
  b->ArgName("room")->Arg(100'000)->Arg(1'000'000)->UseManualTime()->Iterations(1);
  bench::common(b);
}

BENCHMARK_CAPTURE(new_sessions, plain, false)->Apply(options);
BENCHMARK_CAPTURE(new_sessions, translated, true)->Apply(options);

}  // namespace
}  // namespace weir::test
