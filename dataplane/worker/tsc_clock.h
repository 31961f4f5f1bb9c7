// The workers' clock: the TSC, started from CLOCK_MONOTONIC and as fast as CLOCK_MONOTONIC_RAW.
//
// EAL's figure for the TSC's rate may be rounded to 10 MHz, which is two minutes a day. So the rate is
// measured once in a process, for a few milliseconds.
#pragma once

#include <cstdint>

#include "dataplane/core/time.h"

namespace weir::dataplane {

/// Both clocks at one moment.
struct ClockSample {
  uint64_t cycles = 0;
  NanoTime ns = 0;
};

/// Cycles per second between two samples. `fallback` if they lie too close together, or tell of a rate that
/// is more than a tenth off it: then the TSC is not what it is taken for, and EAL knows better (0: it does
/// not run, and knows nothing). Pure.
uint64_t measured_rate(const ClockSample& first, const ClockSample& second, uint64_t fallback);

/// Cycles per second of this machine's TSC. Any thread; the first call takes some 10 ms.
uint64_t tsc_rate();

class TscClock {
 public:
  /// Starts at CLOCK_MONOTONIC's now.
  TscClock();
  TscClock(const ClockSample& start, uint64_t cycles_per_second);
  /// At a moment of the TSC.
  NanoTime at(uint64_t cycles) const {
    return start_.ns + static_cast<NanoTime>(Wide{cycles - start_.cycles} * ns_per_cycle_ >> 32);
  }
  NanoTime now() const;
  uint64_t cycles_per_second() const { return cycles_per_second_; }

 private:
  __extension__ using Wide = unsigned __int128;
  ClockSample start_;
  uint64_t cycles_per_second_;
  uint64_t ns_per_cycle_;  // 32.32 fixed point
};

}  // namespace weir::dataplane
