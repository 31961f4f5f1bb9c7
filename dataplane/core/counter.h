// A counter with one writer. The writer adds without a locked instruction; any thread may read it.
#pragma once

#include <atomic>
#include <cstdint>

namespace weir::dataplane {

class Counter {
 public:
  /// Owning worker only. Inline always: the compiler finds a packet's way too long to inline all of them.
  [[gnu::always_inline]] void add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  /// Owning worker only; for gauges.
  void set(uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  /// Any thread.
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace weir::dataplane
