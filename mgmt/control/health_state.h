// The state of one attachment's health: up, down or unknown, from what was seen of it. Pure; time is an
// input.
//
// Knows nothing of probes: whoever watches an attachment (today the prober of health.h, one day BFD) says in
// each interval what it saw, and this decides what that means.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dataplane/core/time.h"

namespace weir::control {

enum class HealthState : uint8_t { unknown, up, down };
inline constexpr size_t kHealthStates = 3;

/// What one interval has shown.
enum class Evidence : uint8_t {
  answered,  // a probe was answered
  missed,    // a probe was not answered in time
  traffic,   // packets came in; nothing was asked
  silence,   // none came in; nothing was asked
};
inline constexpr size_t kEvidences = 4;

/// Why the state is what it is.
enum class HealthReason : uint8_t {
  not_seen_yet,
  probe_answered,
  probe_unanswered,
  packets_received,
  nothing_received
};

std::string_view to_string(HealthState state);
/// Lower case, a few words.
std::string_view to_string(HealthReason reason);

struct HealthRules {
  uint32_t up_after = 2;    // good intervals in a row
  uint32_t down_after = 3;  // bad ones in a row
  /// Each way down adds one to the penalty, which halves in every half-life. From `flap_limit` on the
  /// attachment stays down, whatever is seen, until the penalty is under half of the limit.
  dataplane::NanoTime flap_half_life = 60 * dataplane::kNanosPerSecond;  // 0: no dampening
  uint32_t flap_limit = 4;
};

struct HealthChange {
  HealthState from{}, to{};
  HealthReason reason{};
};

class HealthMachine {
 public:
  explicit HealthMachine(dataplane::NanoTime now) : since_(now), penalty_at_(now) {}

  /// Takes note of what an interval has shown. Something if the state changed.
  std::optional<HealthChange> observe(Evidence evidence, const HealthRules& rules, dataplane::NanoTime now);

  HealthState state() const { return state_; }
  HealthReason reason() const { return reason_; }
  dataplane::NanoTime since() const { return since_; }
  /// It would be up, but went down too often lately.
  bool dampened() const { return state_ == HealthState::down && held_down_; }
  /// As it is at `now`.
  double penalty(const HealthRules& rules, dataplane::NanoTime now) const;
  /// Times that it went down.
  uint32_t flaps() const { return flaps_; }

 private:
  bool released(const HealthRules& rules, dataplane::NanoTime now);

  HealthState state_ = HealthState::unknown;
  HealthReason reason_ = HealthReason::not_seen_yet;
  dataplane::NanoTime since_;
  Evidence last_ = Evidence::silence;
  uint32_t run_ = 0;  // intervals in a row that showed `last_`
  bool held_down_ = false;
  double penalty_ = 0;
  dataplane::NanoTime penalty_at_;
  uint32_t flaps_ = 0;
};

}  // namespace weir::control
