// What one host, attachment or domain may have of new sessions: so many a second, and so many that are half
// open. One 64-bit word, changed by compare-and-swap, since sessions on several workers share it.
//
// The rate is the generic cell rate algorithm: the word holds the moment at which all that was let through is
// paid for. It may lie up to a second ahead, so a second's worth may come at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "dataplane/core/time.h"

namespace weir::dataplane {

/// 0: no bound.
struct BudgetLimits {
  uint32_t new_per_second = 0;
  uint32_t half_open = 0;
  bool any() const { return new_per_second != 0 || half_open != 0; }
  friend constexpr bool operator==(const BudgetLimits&, const BudgetLimits&) = default;
};

/// The word: 24 bits of half-open sessions below 40 bits of time. A value. Any thread.
class BudgetWord {
 public:
  static constexpr uint32_t kMaxHalfOpen = (1u << 24) - 1;
  static constexpr uint32_t kMaxPerSecond = kNanosPerSecond >> 4;

  constexpr explicit BudgetWord(uint64_t word = 0) : word_(word) {}
  constexpr uint64_t word() const { return word_; }
  constexpr uint32_t half_open() const { return static_cast<uint32_t>(word_ & kMaxHalfOpen); }

  /// One new session more, or nothing if that is over the rate.
  constexpr std::optional<BudgetWord> with_new(const BudgetLimits& limits, NanoTime now) const {
    if (limits.new_per_second == 0) return *this;
    const uint64_t cost = kSecond / limits.new_per_second;
    const uint64_t ahead = ahead_of(now);
    if (ahead + cost > kSecond) return std::nullopt;
    return BudgetWord(((now >> kUnit) + ahead + cost) << kTimeShift | half_open());
  }
  /// One half-open session more, or nothing if there are as many as may be.
  constexpr std::optional<BudgetWord> with_half_open(const BudgetLimits& limits) const {
    const uint32_t most = limits.half_open == 0 ? kMaxHalfOpen : limits.half_open;
    if (half_open() >= most) return std::nullopt;
    return BudgetWord(word_ + 1);
  }
  constexpr BudgetWord without_half_open() const { return BudgetWord(half_open() == 0 ? word_ : word_ - 1); }
  /// It says no more than a fresh one would.
  constexpr bool is_idle(NanoTime now) const { return half_open() == 0 && ahead_of(now) == 0; }

 private:
  static constexpr unsigned kUnit = 4;  // of time: 16 ns
  static constexpr unsigned kTimeShift = 24;
  static constexpr uint64_t kTimeMask = (1ULL << 40) - 1;
  static constexpr uint64_t kSecond = kNanosPerSecond >> kUnit;

  /// By how much the stored moment lies ahead. Time wraps after five hours: what lies further ahead than it
  /// can be is of the past.
  constexpr uint64_t ahead_of(NanoTime now) const {
    const uint64_t ahead = ((word_ >> kTimeShift) - (now >> kUnit)) & kTimeMask;
    return ahead > kSecond ? 0 : ahead;
  }
  uint64_t word_;
};

/// A BudgetWord that threads share. Any thread.
class Budget {
 public:
  bool take_new(const BudgetLimits& limits, NanoTime now) {
    return change([&](BudgetWord word) { return word.with_new(limits, now); });
  }
  bool begin_half_open(const BudgetLimits& limits) {
    return change([&](BudgetWord word) { return word.with_half_open(limits); });
  }
  void end_half_open() {
    change([](BudgetWord word) { return std::optional(word.without_half_open()); });
  }
  uint32_t half_open() const { return BudgetWord(word_.load(std::memory_order_relaxed)).half_open(); }

 private:
  template <typename Step>
  bool change(Step&& step) {
    uint64_t seen = word_.load(std::memory_order_relaxed);
    for (;;) {
      const std::optional<BudgetWord> next = step(BudgetWord(seen));
      if (!next) return false;
      if (word_.compare_exchange_weak(seen, next->word(), std::memory_order_relaxed)) return true;
    }
  }
  std::atomic<uint64_t> word_{0};
};

}  // namespace weir::dataplane
