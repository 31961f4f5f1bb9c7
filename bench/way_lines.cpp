// What a handoff costs of which nothing is left but the ring and the lines that change cores.
//
// lines/N: two threads, each on a core of its own, work through packets of N cache lines: 5, as the hub's
// have (the buffer's, two of what the stages note, two of headers), or 3, the fewest that any hub has to
// touch (the buffer's and the headers'). Who receives a packet writes all but the headers and reads those,
// who sends it writes the headers and the buffer's line, and half of the packets are sent by the other one.
// No packet is parsed, no owner computed, no session looked up. `cycles` is per handed-over packet, both
// cores together, beside the same with nothing handed over. What a whole handoff takes beside it: `together`
// and `handoff`.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "bench/measure.h"
#include "bench/two_cores.h"
#include "dataplane/worker/handoff_ring.h"

namespace weir::bench {
namespace {

using dataplane::HandoffRing;

constexpr size_t kBurst = 32, kTurns = 32, kStretch = kBurst * kTurns;  // of each thread
constexpr size_t kStretches = 200;
constexpr size_t kHeaderLines = 2, kMostLines = 5;
constexpr size_t kAhead = 6;  // packets whose lines are asked for before they are needed
constexpr auto kPatience = std::chrono::seconds(5);

/// A buffer as far apart from the next one as the hub's are. Its first line stands for the rte_mbuf.
struct alignas(64) Buffer {
  std::array<std::array<uint64_t, 8>, kMostLines> lines;
  uint8_t rest[2'432 - kMostLines * 64];
};

/// One thread's side: what it has received, sent, and hands over.
struct Side {
  std::unique_ptr<Buffer[]> memory = std::make_unique<Buffer[]>(2 * kStretch);
  std::vector<Buffer*> own;  // to be received next, the last one first
  std::vector<Buffer*> sent;
  HandoffRing away{2 * kStretch};
};

class Lines {
 public:
  explicit Lines(size_t lines) : lines_(lines) {
    for (Side& side : sides_) {
      for (size_t i = 0; i < 2 * kStretch; ++i) side.own.push_back(&side.memory[i]);
    }
  }

  /// Cycles of both cores for each packet, by the median of all stretches; 0: it took too long.
  double run(const std::vector<unsigned>& cores, bool hand_over) {
    Barrier barrier(2);
    std::array<std::array<uint64_t, 2>, 2> times{};
    std::vector<uint64_t> took;
    std::atomic<bool> late{false};
    const auto work = [&](size_t self) {
      stay_on(cores[self]);
      Side &mine = sides_[self], &other = sides_[1 - self];
      for (size_t stretch = 0; stretch < kStretches && !late; ++stretch) {
        fill(mine);
        barrier.wait();
        const auto end = std::chrono::steady_clock::now() + kPatience;
        times[self][0] = __rdtsc();
        size_t received = 0, done = 0;
        for (unsigned turn = 0; done < kStretch && !late; ++turn) {
          done += take_over(other.away, mine);
          if (received < kStretch) {
            done += receive(mine, hand_over);
            received += kBurst;
          }
          if (turn % 1'024 == 1'023 && std::chrono::steady_clock::now() > end) late = true;
        }
        times[self][1] = __rdtsc();
        barrier.wait();
        if (self == 0)
          took.push_back(std::max(times[0][1], times[1][1]) - std::min(times[0][0], times[1][0]));
      }
    };
    std::thread first(work, 0), second(work, 1);
    first.join();
    second.join();
    if (late) return 0;
    std::sort(took.begin(), took.end());
    return static_cast<double>(took[took.size() / 2]) / kStretch;  // two cores, and two stretches of packets
  }

 private:
  /// As a port leaves packets: their headers written, in buffers that this side sent last.
  void fill(Side& side) {
    for (Buffer* buffer : side.sent) side.own.push_back(buffer);
    side.sent.clear();
    for (size_t i = side.own.size() - kStretch; i < side.own.size(); ++i) {
      for (size_t line = lines_ - kHeaderLines; line < lines_; ++line) side.own[i]->lines[line].fill(i);
    }
  }
  size_t receive(Side& side, bool hand_over) {
    size_t kept = 0, gone = 0;
    std::array<Buffer*, kBurst> away;
    std::array<Buffer*, kBurst> stay;
    for (size_t i = 0; i < kBurst; ++i) {
      Buffer* const buffer = side.own.back();
      side.own.pop_back();
      uint64_t sum = 0;
      for (size_t line = lines_ - kHeaderLines; line < lines_; ++line) sum += buffer->lines[line][1];
      for (size_t line = 0; line < lines_ - kHeaderLines; ++line) buffer->lines[line][1] = sum;
      (hand_over && i % 2 == 1 ? away[gone++] : stay[kept++]) = buffer;
    }
    // The ring looks into nothing that it carries, and has room for a whole stretch.
    for (size_t i = 0; i < gone; ++i) side.away.put(reinterpret_cast<rte_mbuf*>(away[i]));
    side.away.publish();
    for (size_t i = 0; i < kept; ++i) send(side, stay[i]);
    return kept;
  }
  size_t take_over(HandoffRing& ring, Side& side) {
    std::array<rte_mbuf*, kBurst> taken;
    const uint32_t n = ring.pop(taken.data(), kBurst);
    const auto ask_for = [&](size_t i) {
      for (size_t line = 0; line < lines_; ++line)
        dataplane::prefetch_to_write(reinterpret_cast<Buffer*>(taken[i])->lines[line].data());
    };
    for (size_t i = 0; i < std::min<size_t>(n, kAhead); ++i) ask_for(i);
    for (size_t i = 0; i < n; ++i) {
      if (i + kAhead < n) ask_for(i + kAhead);
      send(side, reinterpret_cast<Buffer*>(taken[i]));
    }
    return n;
  }
  void send(Side& side, Buffer* buffer) {
    uint64_t sum = 0;
    for (size_t line = 0; line < lines_ - kHeaderLines; ++line) sum += buffer->lines[line][1];
    for (size_t line = lines_ - kHeaderLines; line < lines_; ++line) buffer->lines[line][0] = sum;
    buffer->lines[0][0] = sum;
    side.sent.push_back(buffer);
  }

  size_t lines_;
  std::array<Side, 2> sides_;
};

void lines(benchmark::State& state) {
  const std::vector<unsigned> cores = own_cores();
  if (cores.size() < 2) return state.SkipWithError("no second core");
  std::vector<double> home, handed;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    Lines at_home(static_cast<size_t>(state.range(0))), half(static_cast<size_t>(state.range(0)));
    home.push_back(at_home.run(cores, false));
    handed.push_back(half.run(cores, true));
    if (home.back() == 0 || handed.back() == 0) return state.SkipWithError("a stretch took too long");
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  const auto middle = [](std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  state.counters["at home"] = middle(home);
  state.counters["half handed over"] = middle(handed);
  state.counters["cycles"] = 2 * (middle(handed) - middle(home));
}

BENCHMARK(lines)->Arg(3)->Arg(5)->UseManualTime()->Apply(common);

}  // namespace
}  // namespace weir::bench
