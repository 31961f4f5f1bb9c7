// What grows of a session's detection, in the worker's pool.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "inspection/detect/alert.h"
#include "inspection/memory/pool_list.h"

namespace weir::inspection {

/// A rule whose literal stands in the window, but whose other checks do not hold yet; or one that has
/// matched.
struct WaitingStreamRule {
  uint32_t rule = 0;   // in the ruleset at hand
  RuleName name;       // in any other
  uint64_t until = 0;  // once the window begins at or behind this place, the literal is gone
  uint64_t after = 0;  // it matched up to here: its next match lies behind
};

/// A counter of the session.
struct FlowInt {
  uint16_t name = 0;
  uint32_t value = 0;
};

struct SessionState {
  explicit SessionState(BytePool& pool) noexcept
      : flowbits(pool),
        flowints(pool),
        streams{PoolList<WaitingStreamRule>(pool), PoolList<WaitingStreamRule>(pool)} {}

  bool has(uint16_t bit) const {
    const auto bits = flowbits.items();
    return std::find(bits.begin(), bits.end(), bit) != bits.end();
  }

  std::optional<uint32_t> flowint(uint16_t name) const {
    for (const FlowInt& number : flowints.items()) {
      if (number.name == name) return number.value;
    }
    return std::nullopt;
  }

  PoolList<uint16_t> flowbits;
  PoolList<FlowInt> flowints;
  std::array<PoolList<WaitingStreamRule>, 2> streams;  // by direction
};

/// A rule of a transaction that is neither matched nor out of the question.
struct WaitingRule {
  uint32_t rule = 0;
  uint32_t matched_parts = 0;  // a bit for each of its buffers
};

/// A rule of a transaction that alerted, or would have.
struct DecidedRule {
  uint32_t rule = 0;
  RuleName name;
};

/// What rules have matched so far in one direction of a transaction.
class TransactionDetection {
 public:
  explicit TransactionDetection(BytePool& pool) noexcept : waiting(pool), decided(pool) {}
  PoolList<WaitingRule> waiting;
  PoolList<DecidedRule> decided;
  uint8_t progress = 0;  // groups of steps up to it were scanned
};

}  // namespace weir::inspection
