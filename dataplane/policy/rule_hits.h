// How often each rule decided a session, and when it last did. One per worker, which alone writes it; any
// thread reads.
//
// A session counts once, when it is made or refused; sessions that are decided again after a change do not. A
// rule that only watches counts the sessions that it would have decided.
#pragma once

#include <algorithm>
#include <vector>

#include "dataplane/core/counter.h"
#include "dataplane/core/time.h"
#include "dataplane/policy/policy.h"

namespace weir::dataplane {

struct RuleHit {
  uint64_t sessions = 0;
  NanoTime last_ns = 0;  // 0: never

  RuleHit& operator+=(const RuleHit& other) {
    sessions += other.sessions;
    last_ns = std::max(last_ns, other.last_ns);
    return *this;
  }
};

class RuleHits {
 public:
  /// For rules with places below `rules`, and the default.
  explicit RuleHits(uint32_t rules) : entries_(size_t{rules} + 1) {}

  // --- the worker ---
  void count(const PolicyDecision& decision, NanoTime now) {
    count(decision.rule, now);
    for (const RuleIndex rule : decision.watched) count(rule, now);
  }

  // --- any thread ---
  /// kDefaultDeny: of no rule. Nothing is known of a place beyond the limit.
  RuleHit of(RuleIndex rule) const {
    if (rule != kDefaultDeny && rule >= entries_.size() - 1) return {};
    const Entry& entry = entries_[place(rule)];
    return {entry.sessions.get(), entry.last_ns.get()};
  }

 private:
  struct Entry {
    Counter sessions, last_ns;
  };
  size_t place(RuleIndex rule) const { return rule == kDefaultDeny ? entries_.size() - 1 : rule; }
  void count(RuleIndex rule, NanoTime now) {
    if (rule != kDefaultDeny && rule >= entries_.size() - 1) return;
    Entry& entry = entries_[place(rule)];
    entry.sessions.add();
    entry.last_ns.set(now);
  }

  std::vector<Entry> entries_;
};

}  // namespace weir::dataplane
