// A number that one worker counts and other threads read.
#pragma once

#include <atomic>
#include <cstdint>

namespace weir::inspection {

/// Written by its one owner without a locked instruction, read by anybody at any time. Not ordered with other
/// counts.
class EventCount {
 public:
  EventCount& operator+=(uint64_t n) {
    value_.store(get() + n, std::memory_order_relaxed);
    return *this;
  }
  EventCount& operator++() { return *this += 1; }
  EventCount& operator-=(uint64_t n) {
    value_.store(get() - n, std::memory_order_relaxed);
    return *this;
  }
  EventCount& operator--() { return *this -= 1; }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }
  operator uint64_t() const { return get(); }  // NOLINT: a count reads as a number

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace weir::inspection
