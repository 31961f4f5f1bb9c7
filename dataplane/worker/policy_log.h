// Events about sessions that policy refuses, or that a rule would decide if it did more than watch. Worker
// only.
#pragma once

#include "dataplane/decide/first_packet.h"
#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// An event for a session that policy has refused, if the rule is logged, or the default deny is and no rule
/// matched; and one for each logged rule that watches and would have decided before. Within the budget of
/// each rule (rule_log.h). `length` is the packet's, 0 if no packet is at hand.
void log_refused(WorkerContext& ctx, const FirstPacket& packet, const FirstDecision& decision,
                 uint16_t length);

/// The same of the rules that watch only: the session is allowed.
void log_watched(WorkerContext& ctx, const FirstPacket& packet, const FirstDecision& decision,
                 uint16_t length);

/// The same of a session that was allowed and is not any more; it is still there. `direction`: of the packet
/// that met this.
void log_cut(WorkerContext& ctx, SessionIndex index, const FirstDecision& decision, Direction direction,
             uint16_t length);

}  // namespace weir::dataplane
