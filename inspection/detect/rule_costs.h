// What rules and buffers cost so far: for `weirctl rules top`.
//
// Reads what workers count, all of them summed. Any thread; allocates.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inspection/compile/detection_ruleset.h"

namespace weir::inspection {

struct RuleCost {
  /// What verifying a rule takes beside the bytes that it looks at, in the same unit.
  static constexpr uint64_t kWorkOfVerification = 256;

  uint32_t number = 0;  // its place in the ruleset
  RuleName name;
  uint64_t verified = 0;  // proposed, and the header matched, so that bytes were looked at
  uint64_t matched = 0;
  uint64_t work = 0;      // bytes looked at, steps of regular expressions, and what each verification takes
  uint64_t given_up = 0;  // verifications that met a ceiling of their work
};

RuleCost cost_of(const DetectionRuleset& ruleset, uint32_t number);

/// Rules whose bytes were looked at at all, or that matched, the costliest first.
std::vector<RuleCost> rule_costs(const DetectionRuleset& ruleset);

/// Rules that look for their literal in the same bytes.
struct BufferCost {
  std::string name;  // "http.uri", "payload of tcp"
  Direction direction = Direction::to_server;
  uint64_t scans = 0, bytes = 0;
  uint64_t candidates = 0;  // rules that the scans proposed
  size_t literals = 0;
};

/// Those that were scanned at all, the most bytes first.
std::vector<BufferCost> buffer_costs(const DetectionRuleset& ruleset);

/// "http.uri", "http.uri (transformed)", "payload of tcp": where a group's literals are looked for.
std::string name_of(const TransactionGroup& group);
std::string_view name_of(PayloadSource source);

}  // namespace weir::inspection
