// The fuse of each rule of a profile: a rule that has dropped as many sessions as it may in a minute drops no
// more, until the profile's rules are read again.
//
// Workers share it: a word for each rule, changed when a session is dropped and read when a rule that drops
// matches. Nothing here waits.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace weir::inspection {

class RuleFuses {
 public:
  enum class Answer : uint8_t {
    holds,   // the session may be dropped, and is counted
    blows,   // it may not: the rule has dropped as many as it may, and this call is the first to find that
    is_out,  // it may not, nor could one before
  };

  /// `sessions`: a rule may drop in a minute, counted from the first of them. At least 1. Builder.
  RuleFuses(size_t rules, uint32_t sessions)
      : states_(std::make_unique<std::atomic<uint64_t>[]>(rules)), sessions_(sessions) {}

  uint32_t sessions() const { return sessions_; }
  /// Any thread.
  bool is_out(uint32_t rule) const { return states_[rule].load(std::memory_order_relaxed) == kOut; }
  /// The rule is about to drop a session. Worker.
  Answer drop(uint32_t rule, uint64_t now_ns) {
    constexpr uint64_t kMinute = 60, kNanos = 1'000'000'000;
    const uint64_t now = now_ns / kNanos + 1;  // 0 is a rule that has dropped nothing
    uint64_t state = states_[rule].load(std::memory_order_relaxed);
    while (true) {
      if (state == kOut) return Answer::is_out;
      const uint64_t begin = state >> kCountBits, count = state & kCountMask;
      // A worker's clock may be a burst behind that of the one which began the minute.
      const bool fresh = state == 0 || now >= begin + kMinute;
      const bool full = !fresh && count >= sessions_;
      const uint64_t next = full ? kOut : fresh ? (now << kCountBits | 1) : state + 1;
      if (states_[rule].compare_exchange_weak(state, next, std::memory_order_relaxed))
        return full ? Answer::blows : Answer::holds;
    }
  }

 private:
  static constexpr unsigned kCountBits = 24;  // the rest is the second in which the minute began
  static constexpr uint64_t kCountMask = (uint64_t{1} << kCountBits) - 1;
  static constexpr uint64_t kOut = UINT64_MAX;

  std::unique_ptr<std::atomic<uint64_t>[]> states_;
  const uint32_t sessions_;

 public:
  static constexpr uint32_t kMostSessions = kCountMask - 1;
};

}  // namespace weir::inspection
