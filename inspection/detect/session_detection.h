// What detection keeps for one session: flow bits, what was decided once and for all, rules that have matched
// in part in a stream. Small, owned by the session's entry; what grows lies in the worker's pool.
//
// Made empty; Detector::forget() has to be called before it goes. Worker thread.
#pragma once

#include <cstdint>

namespace weir::inspection {

struct SessionState;  // detect/session_state.h

class SessionDetection {
 public:
  SessionDetection() = default;
  SessionDetection(const SessionDetection&) = delete;
  SessionDetection& operator=(const SessionDetection&) = delete;

  /// A rule dropped it: nothing of it is sent any more.
  bool dropped() const { return dropped_; }
  /// A pass rule: nothing of it is inspected any more.
  bool passed() const { return passed_; }
  /// Any rule alerted in it, for the flow event.
  bool alerted() const { return alerted_; }
  /// Signature of the rule that dropped; 0 if none.
  uint32_t dropped_by() const { return dropped_by_; }
  /// For decisions from elsewhere (policy, exception policies) that detection has to keep to.
  void set_dropped() { dropped_ = true; }
  void set_passed() { passed_ = true; }

 private:
  friend class DetectorCore;
  SessionState* state_ = nullptr;  // in the pool; null until a rule needs it
  uint32_t ruleset_ = 0;           // serial that the once-only decisions were made with
  uint32_t dropped_by_ = 0;
  bool dropped_ = false;
  bool passed_ = false;
  bool alerted_ = false;
  bool ip_only_done_[2] = {};  // by direction
  bool protocol_done_[2] = {};
  bool look_again_[2] = {};  // the rules are others: what lies in the stream's window may start one of them
};
static_assert(sizeof(SessionDetection) <= 32);

}  // namespace weir::inspection
