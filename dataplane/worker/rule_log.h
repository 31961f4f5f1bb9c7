// How many sessions that a rule refuses, or would decide if it did more than watch, are told: so many a
// second and rule, and as many that no rule matches. What is beyond that is counted, and told with the next
// one that is told. Worker only.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "dataplane/policy/policy.h"
#include "dataplane/worker/policer.h"

namespace weir::dataplane {

class RuleLog {
 public:
  /// For rules with places below `rules`. `per_second`: a second's worth may come at once; 0: none.
  RuleLog(uint32_t rules, uint32_t per_second)
      : rules_(rules), entries_(per_second != 0 ? rules + 1 : 0, Entry{TokenBucket(per_second)}) {}

  /// The session is to be told: how many of the rule were not since the last one. Nothing: it is one of
  /// those. `rule` may be kDefaultDeny.
  std::optional<uint32_t> take(RuleIndex rule, NanoTime now) {
    const uint32_t place = rule == kDefaultDeny ? rules_ : rule;
    if (place >= entries_.size()) return std::nullopt;
    Entry& entry = entries_[place];
    if (!entry.tokens.take(now)) {
      if (entry.suppressed != UINT32_MAX) ++entry.suppressed;
      return std::nullopt;
    }
    return std::exchange(entry.suppressed, 0);
  }

 private:
  struct Entry {
    TokenBucket tokens;
    uint32_t suppressed = 0;
  };
  uint32_t rules_;
  std::vector<Entry> entries_;
};

}  // namespace weir::dataplane
