// The same as way_bench.cpp for what the feed of `make bench` does not make: other tunnels than VXLAN over
// IPv4, VLANs of a port in their place, and packets that are handed over to another worker.
//
// tunnels: both sides behind tunnels of the same kind, or VLANs of the port, IPv4 inside. handoff: two
// workers that take turns on one core, of which the first receives everything; `cycles` is per handed-over
// packet, on both workers together, less what one worker takes alone for the same packets.
#include <x86intrin.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>

#include "bench/measure.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::Tunnel;
using dataplane::TunnelKind;

constexpr size_t kBurst = 32, kTurns = 16, kStretch = kBurst * kTurns;
constexpr size_t kStretchesOfHub = 100;
constexpr const char *kHubAddress6 = "2001:db8:f::1", *kPeer6[] = {"2001:db8:f::20", "2001:db8:f::30"};
constexpr const char* kPeer4[] = {"198.18.0.20", "198.18.0.30"};

/// Of kB (0) or kC (1).
Tunnel tunnel_of(TunnelKind kind, bool v6, bool ethernet, size_t spoke) {
  Tunnel t;
  t.kind = kind;
  t.ethernet = ethernet;
  if (kind == TunnelKind::native) {
    t.vlan = static_cast<uint16_t>(20 + spoke);
    return t;
  }
  t.id = dataplane::over_udp(kind) ? 20 + static_cast<uint32_t>(spoke) : 0;
  t.udp_port = kind == TunnelKind::geneve ? dataplane::kGenevePort : dataplane::kVxlanPort;
  t.remote = *net::parse_ip(v6 ? kPeer6[spoke] : kPeer4[spoke]);
  t.local = *net::parse_ip(v6 ? kHubAddress6 : kHubAddress);
  return t;  // no UDP checksums, over IPv6 too (RFC 6935), as for VXLAN over IPv4
}

SnapshotBuilder network_of(const Tunnel& b, const Tunnel& c) {
  SnapshotBuilder n;
  n.port("p0", kPortMac, kHubAddress).address(kHubAddress6);
  n.domain("red").domain("blue");
  n.attachment("a", "red", kA.vni, kA.tunnel_end,
               "10.1.0.1/24");  // so that b and c have the MACs of kB and kC
  n.attachment("b", "red", b, "10.2.0.1/24");
  n.attachment("c", "blue", c, "10.3.0.1/24");
  for (const Spoke* s : {&kB, &kC}) know_host(n, *s);
  n.connection("red", "blue");
  n.rule({.id = "all", .action = dataplane::PolicyAction::allow});
  return n;
}

Bytes to_hub(const Tunnel& t, const Spoke& spoke, const Bytes& frame, uint16_t entropy) {
  PacketBuilder b;
  const auto type = static_cast<uint16_t>(frame[12] << 8 | frame[13]);
  const Bytes packet(frame.begin() + 14, frame.end());
  if (t.kind == TunnelKind::native)
    return b.ether(kPortMac, spoke.host_mac).vlan(t.vlan).type(type).payload(packet).build();
  b.ether(kPortMac, spoke.tunnel_mac).ip(net::to_string(t.remote), net::to_string(t.local));
  if (t.kind == TunnelKind::vxlan) b.udp(entropy, t.udp_port).no_checksum().vxlan(t.id);
  if (t.kind == TunnelKind::geneve)
    b.udp(entropy, t.udp_port).no_checksum().geneve(t.id, t.ethernet ? uint16_t{0x6558} : type);
  if (t.kind == TunnelKind::gre) b.gre(type, {});
  if (t.kind == TunnelKind::ipip) b.type(4);
  return b.frame(t.ethernet ? frame : packet).build();
}

/// One frame of each direction of `sessions` sessions in random order, and what opens them.
struct Feed {
  std::vector<Bytes> opening, frames;

  template <typename Wrap>
  Feed(size_t sessions, const Spoke& from, const Spoke& to, Wrap&& wrap) {
    const std::string payload(22, 'x');
    for (size_t i = 0; i < sessions; ++i) {
      const auto port = static_cast<uint16_t>(1'024 + i);
      opening.push_back(wrap(from, inner(from, to, udp(port, 7, payload))));
      frames.push_back(opening.back());
      frames.push_back(wrap(to, inner(to, from, udp(7, port, payload))));
    }
    std::shuffle(frames.begin(), frames.end(), std::mt19937(1));
    frames = std::vector<Bytes>(frames);  // in memory as they are used
  }
};

/// A hub that knows all sessions of a feed, fed through its first queue.
class FedHub {
 public:
  FedHub(std::unique_ptr<dataplane::Snapshot> snapshot, const Feed& feed, unsigned workers)
      : feed_(feed), workers_(workers), hub_(std::move(snapshot), {.workers = workers}) {
    for (const Bytes& frame : feed.opening) {
      hub_.inject(frame);
      hub_.settle();
      collect();
    }
    hub_.moved();
  }

  /// Cycles per packet over one stretch. The last turns have nothing new, only what was handed over.
  double stretch() {
    for (size_t i = 0; i < kStretch; ++i) hub_.inject(feed_.frames[next_++ % feed_.frames.size()]);
    const uint64_t start = __rdtsc();
    for (size_t i = 0; i < kTurns; ++i) {
      for (unsigned w = 0; w < workers_; ++w) hub_.turn(static_cast<dataplane::WorkerIndex>(w));
    }
    const uint64_t cycles = __rdtsc() - start;
    collect();
    packets_ += kStretch;
    return static_cast<double>(cycles) / kStretch;
  }
  Counts moved() { return hub_.moved(); }
  uint64_t packets() const { return packets_; }

 private:
  void collect() { hub_.port().collect(); }

  const Feed& feed_;
  unsigned workers_;
  TestHub hub_;
  size_t next_ = 0;
  uint64_t packets_ = 0;
};

double middle_of(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<long>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Measures `hub`; the median of its stretches.
double run(benchmark::State& state, FedHub& hub) {
  std::vector<double> per_packet;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    per_packet.push_back(hub.stretch());
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return middle_of(per_packet);
}

void tunnels(benchmark::State& state, TunnelKind kind, bool v6, bool ethernet) {
  const Tunnel b = tunnel_of(kind, v6, ethernet, 0), c = tunnel_of(kind, v6, ethernet, 1);
  const Feed feed(static_cast<size_t>(state.range(0)), kB, kC, [&](const Spoke& from, const Bytes& frame) {
    return to_hub(&from == &kB ? b : c, from, frame, 50'000);
  });
  FedHub hub(network_of(b, c).build(), feed, 1);
  state.counters["cycles"] = run(state, hub);
  if (hub.moved() != forwarded(static_cast<int64_t>(hub.packets())))
    state.SkipWithError("not every packet was forwarded");
}

void handoff(benchmark::State& state) {
  const Feed feed(static_cast<size_t>(state.range(0)), kA, kB,
                  [](const Spoke& from, const Bytes& frame) { return tunnelled(from, frame); });
  // In turns, so that what the machine does for some time hits both and cancels. A process has one hub at a
  // time.
  std::vector<double> alone, both, more;
  double share = 0;
  for (auto _ : state) {
    double seconds = 0;
    for (const uint16_t workers : {uint16_t{1}, uint16_t{2}}) {
      FedHub hub(network(true, workers).build(), feed, workers);
      const auto begin = std::chrono::steady_clock::now();
      std::vector<double> stretches;
      for (size_t i = 0; i < kStretchesOfHub; ++i) stretches.push_back(hub.stretch());
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      (workers == 1 ? alone : both).push_back(middle_of(stretches));
      Counts moved = hub.moved();
      const auto packets = static_cast<int64_t>(hub.packets());
      if (moved["forwarded"] != packets || moved["handed_over"] != moved["taken_over"])
        return state.SkipWithError("not every packet was forwarded");
      share = static_cast<double>(moved["handed_over"]) / static_cast<double>(packets);
    }
    state.SetIterationTime(seconds);
    if (share < 0.4 || share > 0.6) return state.SkipWithError("not half of the packets were handed over");
    more.push_back((both.back() - alone.back()) / share);
  }
  state.counters["cycles"] = middle_of(more);
  state.counters["one worker, all at home"] = middle_of(alone);
  state.counters["two workers"] = middle_of(both);
  state.counters["share"] = share;
}

void options(benchmark::internal::Benchmark* b) {
  b->Arg(1'024)->UseManualTime();
  bench::common(b);
}

BENCHMARK_CAPTURE(tunnels, vxlan, TunnelKind::vxlan, false, true)->Apply(options);
BENCHMARK_CAPTURE(tunnels, geneve, TunnelKind::geneve, false, true)->Apply(options);
BENCHMARK_CAPTURE(tunnels, geneve_ip, TunnelKind::geneve, false, false)->Apply(options);
BENCHMARK_CAPTURE(tunnels, gre, TunnelKind::gre, false, false)->Apply(options);
BENCHMARK_CAPTURE(tunnels, ipip, TunnelKind::ipip, false, false)->Apply(options);
BENCHMARK_CAPTURE(tunnels, vxlan_v6, TunnelKind::vxlan, true, true)->Apply(options);
BENCHMARK_CAPTURE(tunnels, gre_v6, TunnelKind::gre, true, false)->Apply(options);
BENCHMARK_CAPTURE(tunnels, native, TunnelKind::native, false, true)->Apply(options);
BENCHMARK(handoff)->Apply(options);

}  // namespace
}  // namespace weir::test
