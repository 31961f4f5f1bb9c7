// Time as an input. Nothing in the data path reads a clock: the worker's context carries one time-stamp per
// burst. Tests drive it by hand. (A sampled turn's profile reads the cycle counter, and decides nothing by
// it.)
#pragma once

#include <cstdint>

namespace weir::dataplane {

/// Monotonic nanoseconds since an arbitrary start; never goes back, knows nothing of the wall clock.
using NanoTime = uint64_t;
inline constexpr NanoTime kNanosPerSecond = 1'000'000'000;
inline constexpr NanoTime kNanosPerMilli = 1'000'000;
inline constexpr NanoTime kNanosPerMicro = 1'000;

/// Coarse time in sessions: units of 2^27 ns (134 ms), 32 bits, wrapping after 18 years. Differences are
/// taken modulo 2^32, so the wrap is harmless as long as no time-out exceeds 9 years.
struct Tick {
  static constexpr unsigned kShift = 27;
  uint32_t value = 0;

  static constexpr Tick of(NanoTime now) { return {static_cast<uint32_t>(now >> kShift)}; }
  /// A duration in ticks, rounded up, so that nothing expires early.
  static constexpr uint32_t duration(NanoTime ns) {
    return static_cast<uint32_t>((ns + (1ULL << kShift) - 1) >> kShift);
  }
  /// How long ago `earlier` was, in ticks.
  constexpr uint32_t since(Tick earlier) const { return value - earlier.value; }
  friend constexpr bool operator==(const Tick&, const Tick&) = default;
};

}  // namespace weir::dataplane
