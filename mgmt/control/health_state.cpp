#include "mgmt/control/health_state.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace weir::control {

using dataplane::NanoTime;

namespace {

using enum HealthState;

/// Where enough evidence of a kind in a row leads. Silence proves nothing where nothing was asked: it makes
/// an attachment unknown, never down, and takes none back that a probe found to be down.
constexpr HealthState kNext[kHealthStates][kEvidences] = {
    //            answered missed traffic silence
    /* unknown */ {up, down, up, unknown},
    /* up      */ {up, down, up, unknown},
    /* down    */ {up, down, up, down},
};

constexpr HealthReason kReason[kEvidences] = {HealthReason::probe_answered, HealthReason::probe_unanswered,
                                              HealthReason::packets_received, HealthReason::nothing_received};

bool is_good(Evidence evidence) { return evidence == Evidence::answered || evidence == Evidence::traffic; }

}  // namespace

std::string_view to_string(HealthState state) {
  constexpr std::string_view kNames[] = {"unknown", "up", "down"};
  static_assert(std::size(kNames) == kHealthStates);
  return kNames[static_cast<size_t>(state)];
}

std::string_view to_string(HealthReason reason) {
  switch (reason) {
    case HealthReason::not_seen_yet:
      return "nothing seen yet";
    case HealthReason::probe_answered:
      return "probe answered";
    case HealthReason::probe_unanswered:
      return "probe not answered";
    case HealthReason::packets_received:
      return "packets received";
    case HealthReason::nothing_received:
      return "nothing received";
  }
  return "?";
}

double HealthMachine::penalty(const HealthRules& rules, NanoTime now) const {
  if (rules.flap_half_life == 0) return 0;
  const double half_lives =
      static_cast<double>(now - penalty_at_) / static_cast<double>(rules.flap_half_life);
  return penalty_ * std::exp2(-half_lives);
}

/// Whether it may go up now.
bool HealthMachine::released(const HealthRules& rules, NanoTime now) {
  if (!held_down_) return true;
  held_down_ = rules.flap_half_life != 0 && penalty(rules, now) >= rules.flap_limit / 2.0;
  return !held_down_;
}

std::optional<HealthChange> HealthMachine::observe(Evidence evidence, const HealthRules& rules,
                                                   NanoTime now) {
  const bool same = run_ != 0 && (is_good(evidence) ? is_good(last_) : evidence == last_);
  run_ = same ? run_ + 1 : 1;
  last_ = evidence;
  if (run_ < (is_good(evidence) ? rules.up_after : rules.down_after)) return std::nullopt;

  const HealthState next = kNext[static_cast<size_t>(state_)][static_cast<size_t>(evidence)];
  if (next == state_ || (next == up && state_ == down && !released(rules, now))) return std::nullopt;
  const HealthChange change{state_, next, kReason[static_cast<size_t>(evidence)]};
  if (next == down) {
    ++flaps_;
    penalty_ = penalty(rules, now) + 1;
    penalty_at_ = now;
    held_down_ = rules.flap_half_life != 0 && penalty_ >= rules.flap_limit;
  }
  state_ = next;
  reason_ = change.reason;
  since_ = now;
  return change;
}

}  // namespace weir::control
