// How many sessions that a rule refuses, or would decide if it did more than watch, are told: so many a
// second and rule. What is beyond that is counted, and told with the next one that is told. One per worker,
// which alone uses it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/core/time.h"
#include "dataplane/policy/policy.h"

namespace weir::dataplane {

class RuleLog {
 public:
  /// For rules with places below `rules`. `per_second`: a second's worth may come at once; 0: none.
  RuleLog(uint32_t rules, uint32_t per_second)
      : interval_ns_(per_second != 0 ? kNanosPerSecond / per_second : 0),
        entries_(per_second != 0 ? rules : 0) {}

  /// The session is to be told: how many of the rule were not since the last one. Nothing: it is one of
  /// those.
  std::optional<uint32_t> take(RuleIndex rule, NanoTime now) {
    if (rule >= entries_.size()) return std::nullopt;
    Entry& entry = entries_[rule];
    if (entry.due_ns > now + kNanosPerSecond - interval_ns_) {
      if (entry.suppressed != UINT32_MAX) ++entry.suppressed;
      return std::nullopt;
    }
    entry.due_ns = (entry.due_ns > now ? entry.due_ns : now) + interval_ns_;
    const uint32_t before = entry.suppressed;
    entry.suppressed = 0;
    return before;
  }

 private:
  struct Entry {
    NanoTime due_ns = 0;  // until when all that was told is paid for
    uint32_t suppressed = 0;
  };
  NanoTime interval_ns_;
  std::vector<Entry> entries_;
};

}  // namespace weir::dataplane
