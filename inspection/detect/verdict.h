// From what rules found in one packet to what becomes of it: one pure function.
//
// The order of rules (pass, drop, reject, alert; compile/rule_order.h) has been applied before: findings come
// in it. Source of the meaning of actions and scopes: Suricata 8's documentation, "Rule types and
// categorization" and "Action order".
#pragma once

#include <cstdint>
#include <span>

#include "inspection/detect/alert.h"

namespace weir::inspection {

/// ids: nothing is held back. test: decided as in ips, but all is forwarded. ips: inline.
enum class InspectMode : uint8_t { ids, test, ips };

/// What a rule's pass or drop is about.
enum class ActionScope : uint8_t { packet, session };

/// What a drop ends. session: always the whole of it, since TCP sends a dropped packet again. by_rule: as
/// Suricata does, the packet alone for rules that are about packets alone.
enum class DropScope : uint8_t { session, by_rule };

/// What a threshold made of a finding. `quiet`: no alert, but the action is taken; `void_`: as if the rule
/// had not matched.
enum class Thresholded : uint8_t { no, quiet, void_ };

/// One rule that matched.
struct Finding {
  uint32_t order = 0;  // the rule's place in the ruleset's order
  uint32_t place = 0;  // among the findings of the packet, as they were made
  const RuleInfo* rule = nullptr;
  ast::Action action = ast::Action::alert;  // the rule's, unless a rate filter says otherwise
  ActionScope scope = ActionScope::packet;
  bool noalert = false;
  bool alert_too = false;       // a pass that is told
  bool bypass = false;          // of the rest of the session
  bool by_rate_filter = false;  // `action` is a rate filter's
  Thresholded thresholded = Thresholded::no;
  bool from_stream = false;
  Direction direction = Direction::to_server;
  Transaction* transaction = nullptr;
  std::span<const AlertContext> contexts{};

  bool alerts = false;  // out: it becomes an event
};

/// Who gets a reset (TCP) or an unreachable (else), seen from the packet.
enum class RejectTo : uint8_t { nobody, source, destination, both };

struct DetectionVerdict {
  bool forward = true;          // this packet may be sent
  bool drop_session = false;    // nor is anything later of the session sent; true again for each such packet
  bool would_drop = false;      // mode test: ips would have dropped here
  bool pass_session = false;    // a pass rule: nothing later of the session is inspected
  bool bypass_session = false;  // a rule matched that says so: nothing later of the session is inspected
  bool failed = false;   // not judged to the end (an error of the matcher): the profile's `fail` decides
  bool gave_up = false;  // a rule was, since it took too much work: it counts as not matched
  bool by_rate_filter = false;  // it drops because its rule matched too often
  RejectTo reject = RejectTo::nobody;
  const RuleInfo* rule = nullptr;  // which dropped, or passed the session; null of a tombstone
};

struct Decision {
  DetectionVerdict verdict;
  uint32_t alerts = 0;      // findings with `alerts` set
  uint32_t over_limit = 0;  // would have alerted, but for the limit; their actions count
};

/// `findings` in the order of rules. Sets `alerts` in each, and nothing else.
Decision decide(std::span<Finding> findings, InspectMode mode, DropScope drop_scope, uint32_t alert_limit);

}  // namespace weir::inspection
