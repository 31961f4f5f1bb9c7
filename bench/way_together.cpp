// Two workers at a time, each on a core of its own: what the second one is worth.
//
// together: the same packets, VXLAN to VXLAN, by one worker alone and by two at once, in turns. Each worker's
// thread fills the queue that it is going to receive from, then all begin together, and the time counts until
// the last packet has left. `ratio`: how many times faster two are where each receives half of its packets
// for the other one; `ratio at home`: where each receives its own only, which is what the machine gives at
// best. Filling and emptying the queues is not in it. Needs two cores that nobody else uses, or says little.
#include <rte_mbuf.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <random>
#include <span>
#include <stdexcept>
#include <thread>

#include "bench/measure.h"
#include "bench/two_cores.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::WorkerIndex;

constexpr size_t kBurst = 32, kTurns = 32, kStretch = kBurst * kTurns;  // of each of two workers
constexpr size_t kStretches = 200;
constexpr auto kPatience = std::chrono::seconds(5);  // for a stretch, on a machine that is busy

/// Before EAL has its thread stay on one of them.
const std::vector<unsigned> kCores = bench::own_cores();

/// One frame of each direction of `sessions` sessions in random order, and what opens them.
struct Feed {
  std::vector<Bytes> opening, frames;

  explicit Feed(size_t sessions) {
    for (size_t i = 0; i < sessions; ++i) {
      const auto client = static_cast<uint16_t>(1'024 + i % 32'768),
                 server = static_cast<uint16_t>(1 + i / 32'768);
      opening.push_back(from_spoke(kA, kB, udp(client, server, std::string(22, 'x')), Ip::v4));
      frames.push_back(opening.back());
      frames.push_back(from_spoke(kB, kA, udp(server, client, std::string(22, 'x')), Ip::v4));
    }
    std::shuffle(frames.begin(), frames.end(), std::mt19937(1));
    frames = std::vector<Bytes>(frames);  // copied in that order, to lie in memory as they are used
  }
};

enum class Received : uint8_t { anywhere, at_home };

/// A hub that knows all sessions of a feed, with a list of frames for each worker's queue.
class Workers {
 public:
  Workers(const Feed& feed, uint16_t workers, Received where)
      : hub_(network(true, workers).build(), {.workers = workers,
                                              .buffers = 16'383,
                                              .sessions = static_cast<uint32_t>(feed.opening.size()) * 2}),
        queues_(workers),
        own_(workers) {
    for (const Bytes& frame : feed.opening) pass(frame);
    for (size_t i = 0; i < feed.frames.size(); ++i) {
      const bool other = workers > 1 && is_for_other(feed.frames[i]);
      const size_t queue = where == Received::at_home ? size_t{other} : i % workers;
      queues_[queue].push_back(feed.frames[i]);
    }
    hub_.moved();
  }

  ~Workers() {
    for (const auto& packets : own_) {
      for (rte_mbuf* packet : packets) rte_pktmbuf_free(packet);
    }
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Cycles from the first packet to the last of each of `stretches`, sorted; less if it takes too long.
  std::vector<uint64_t> run(const std::vector<unsigned>& cores, size_t stretches) {
    const auto workers = static_cast<unsigned>(queues_.size());
    bench::Barrier barrier(workers);
    std::vector<std::array<uint64_t, 2>> times(workers);
    std::vector<uint64_t> took;
    std::atomic<bool> late{false};
    uint64_t goal = sent();
    const auto work = [&](WorkerIndex self) {
      bench::stay_on(cores[self]);
      size_t next = 0;
      for (size_t i = 0; i < stretches && !late; ++i) {
        for (size_t n = 0; n < 2 * kStretch / workers; ++n)
          fill(self, queues_[self][next++ % queues_[self].size()]);
        if (self == 0) goal += 2 * kStretch;
        barrier.wait();
        const auto end = std::chrono::steady_clock::now() + kPatience;
        times[self][0] = __rdtsc();
        for (size_t turn = 0; turn < 2 * kTurns / workers; ++turn) hub_.turn(self);
        // Whoever looks at the other one's counters takes their line from it: seldom.
        for (unsigned more = 0; !late && (more % 16 != 0 || sent() < goal); ++more) {
          hub_.turn(self);
          if (more % 1'024 == 1'023 && std::chrono::steady_clock::now() > end) late = true;
        }
        times[self][1] = __rdtsc();
        empty(self);
        barrier.wait();
        if (self != 0) continue;
        uint64_t first = times[0][0], last = times[0][1];
        for (const auto& [begin, finish] : times) {
          first = std::min(first, begin);
          last = std::max(last, finish);
        }
        took.push_back(last - first);
      }
    };
    std::vector<std::thread> threads;
    for (unsigned w = 0; w < workers; ++w) threads.emplace_back(work, static_cast<WorkerIndex>(w));
    for (std::thread& thread : threads) thread.join();
    packets_ = took.size() * 2 * kStretch;
    if (late) took.clear();
    std::sort(took.begin(), took.end());
    return took;
  }
  Counts moved() { return hub_.moved(); }
  uint64_t packets() const { return packets_; }

 private:
  void pass(const Bytes& frame) {
    hub_.inject(frame);
    hub_.settle();
    hub_.port().collect();
  }
  bool is_for_other(const Bytes& frame) {
    const uint64_t before = hub_.plane().counters(0).handed_over.get();
    pass(frame);
    return hub_.plane().counters(0).handed_over.get() != before;
  }
  uint64_t sent() {
    uint64_t all = 0;
    for (unsigned w = 0; w < queues_.size(); ++w)
      all += hub_.plane().counters(static_cast<WorkerIndex>(w)).tx.get();
    return all;
  }
  /// Into a buffer that this worker sent last, if there is one: as on a port, where each core has a cache of
  /// the pool's buffers. Buffers that went round by the pool would come from the other core's caches.
  void fill(WorkerIndex self, const Bytes& frame) {
    if (own_[self].empty()) return hub_.inject(frame, self);
    rte_mbuf* packet = own_[self].back();
    own_[self].pop_back();
    rte_pktmbuf_reset(packet);
    std::memcpy(rte_pktmbuf_append(packet, static_cast<uint16_t>(frame.size())), frame.data(), frame.size());
    if (hub_.port().inject(self, {&packet, 1}) != 1)
      throw std::runtime_error("the memory port takes no more");
  }
  void empty(WorkerIndex self) {
    std::array<rte_mbuf*, kBurst> taken{};
    while (const size_t n = hub_.port().collect(self, taken)) {
      for (rte_mbuf* packet : std::span(taken).first(n)) {
        own_[self].size() < 2 * kStretch ? own_[self].push_back(packet) : rte_pktmbuf_free(packet);
      }
    }
  }

  TestHub hub_;
  std::vector<std::vector<Bytes>> queues_;
  std::vector<std::vector<rte_mbuf*>> own_;  // by worker: buffers that it sent, the last one first again
  uint64_t packets_ = 0;
};

void together(benchmark::State& state) {
  if (kCores.size() < 2) return state.SkipWithError("no second core");
  const Feed feed(static_cast<size_t>(state.range(0)));
  struct Case {
    uint16_t workers;
    Received where;
    double least_share, most_share;  // of packets that are handed over
    std::vector<double> cycles = {};
  };
  Case cases[] = {
      {1, Received::anywhere, 0, 0}, {2, Received::anywhere, 0.4, 0.6}, {2, Received::at_home, 0, 0}};
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    for (Case& c : cases) {  // a process has one hub at a time
      Workers workers(feed, c.workers, c.where);
      const auto took = workers.run(kCores, kStretches);
      Counts moved = workers.moved();
      const auto packets = static_cast<int64_t>(workers.packets());
      if (took.empty() || moved["forwarded"] != packets)
        return state.SkipWithError("not every packet was forwarded");
      const double share = static_cast<double>(moved["handed_over"]) / static_cast<double>(packets);
      if (share < c.least_share || share > c.most_share)
        return state.SkipWithError("not as many packets were handed over as should be");
      c.cycles.push_back(static_cast<double>(took[took.size() / 2]));
    }
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  const auto middle = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  const double one = middle(cases[0].cycles);
  state.counters["ratio"] = one / middle(cases[1].cycles);
  state.counters["ratio at home"] = one / middle(cases[2].cycles);
  state.counters["one worker"] = one / (2 * kStretch);
  state.counters["two workers"] = middle(cases[1].cycles) / (2 * kStretch);
}

BENCHMARK(together)->Arg(1'024)->Arg(65'536)->UseManualTime()->Apply(bench::common);

}  // namespace
}  // namespace weir::test
