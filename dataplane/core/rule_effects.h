// What a policy rule does to the sessions that it lets through, beside letting them through. Kept with each
// session; read again when the session is decided again.
#pragma once

#include <cstdint>

namespace weir::dataplane {

/// A place in Snapshot::rule_timeouts, plus one; 0: the hub's own time-outs.
using TimeoutsIndex = uint8_t;
inline constexpr uint32_t kMaxRuleTimeouts = 255;

struct RuleEffects {
  static constexpr uint8_t kKeepDscp = 0xff;
  /// Which records are written, as bits; kAsHub alone: as the hub is configured. Of a session that is refused
  /// any of the others means that it is told.
  enum Log : uint8_t { kAtStart = 1, kAtEnd = 2, kAsHub = 4 };

  TimeoutsIndex timeouts = 0;
  uint8_t dscp = kKeepDscp;  // of packets that are forwarded: 0 to 63
  uint8_t log = kAsHub;

  bool logs(Log when) const { return (log & when) != 0; }
  friend bool operator==(const RuleEffects&, const RuleEffects&) = default;
};

}  // namespace weir::dataplane
