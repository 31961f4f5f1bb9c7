// What the wall clock says at a moment of the workers' monotonic clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace weir::events {

/// To be added to a time of the monotonic clock, which says `monotonic_ns` now, to get nanoseconds since
/// 1970. Any thread.
inline int64_t wall_offset_ns(uint64_t monotonic_ns) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count() -
         static_cast<int64_t>(monotonic_ns);
}

}  // namespace weir::events
