#include "dataplane/worker/tsc_clock.h"

#include <rte_cycles.h>
#include <rte_pause.h>
#include <time.h>

#include <cmath>

namespace weir::dataplane {

namespace {

constexpr NanoTime kMeasureFor = 10 * kNanosPerMilli;
constexpr NanoTime kLeast = kNanosPerMilli;

NanoTime read(clockid_t clock) {
  timespec ts{};
  clock_gettime(clock, &ts);
  return static_cast<NanoTime>(ts.tv_sec) * kNanosPerSecond + static_cast<NanoTime>(ts.tv_nsec);
}

/// The best of several: the one whose readings of the TSC before and after lie closest together, so that
/// nothing interrupted it.
ClockSample sample(clockid_t clock) {
  ClockSample best;
  uint64_t width = ~0ULL;
  for (int i = 0; i < 16; ++i) {
    const uint64_t before = rte_rdtsc_precise();
    const NanoTime ns = read(clock);
    const uint64_t after = rte_rdtsc_precise();
    if (after - before >= width) continue;
    width = after - before;
    best = {before + width / 2, ns};
  }
  return best;
}

}  // namespace

uint64_t measured_rate(const ClockSample& first, const ClockSample& second, uint64_t fallback) {
  if (second.ns < first.ns + kLeast || second.cycles <= first.cycles) return fallback;
  const double seconds = static_cast<double>(second.ns - first.ns) / static_cast<double>(kNanosPerSecond);
  const double rate = static_cast<double>(second.cycles - first.cycles) / seconds;
  const auto known = static_cast<double>(fallback);
  if (fallback != 0 && (rate < 0.9 * known || rate > 1.1 * known)) return fallback;
  return static_cast<uint64_t>(std::llround(rate));
}

uint64_t tsc_rate() {
  static const uint64_t rate = [] {
    const ClockSample first = sample(CLOCK_MONOTONIC_RAW);
    while (read(CLOCK_MONOTONIC_RAW) < first.ns + kMeasureFor) rte_pause();
    return measured_rate(first, sample(CLOCK_MONOTONIC_RAW), rte_get_tsc_hz());
  }();
  return rate;
}

TscClock::TscClock() : TscClock(sample(CLOCK_MONOTONIC), tsc_rate()) {}

TscClock::TscClock(const ClockSample& start, uint64_t cycles_per_second)
    : start_(start),
      cycles_per_second_(cycles_per_second),
      ns_per_cycle_(static_cast<uint64_t>((Wide{kNanosPerSecond} << 32) / cycles_per_second)) {}

NanoTime TscClock::now() const { return at(rte_get_tsc_cycles()); }

}  // namespace weir::dataplane
