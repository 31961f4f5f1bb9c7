// Events about first packets that a policy rule refuses, or would decide if it did more than watch. Worker
// only.
#pragma once

#include "dataplane/decide/first_packet.h"
#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// An event for a session that policy has refused, if the rule is logged, and one for each logged rule that
/// watches and would have decided before; within the budget of each rule (policy/rule_log.h). `length` is the
/// packet's, 0 if no packet is at hand.
void log_refused(WorkerContext& ctx, const FirstPacket& packet, const FirstDecision& decision,
                 uint16_t length);

/// The same of the rules that watch only: the session is allowed.
void log_watched(WorkerContext& ctx, const FirstPacket& packet, const FirstDecision& decision,
                 uint16_t length);

}  // namespace weir::dataplane
