// Resets that the hub sends when it drops or forgets a TCP session, so that neither end waits (RFC 9293
// section 3.5.2).
// Worker only.
#pragma once

#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// Which end of the dropped packet's conversation gets the reset.
enum class ResetTo : uint8_t { sender, receiver };

/// Makes a reset from `dropped`, an unfragmented TCP packet of `session`, and adds it to `burst`, to be
/// rewritten and encapsulated like a packet of the session. Its sequence number is the one its receiver
/// expects next: for the receiver of the dropped packet that packet's own, for its sender what it has
/// acknowledged (RFC 5961 section 3.2 accepts only an exact match). Nothing happens if there is no buffer, no
/// next hop, or `dropped` is a reset itself.
void add_reset(WorkerContext& ctx, Burst& burst, rte_mbuf* dropped, ResetTo to);

/// Tells both ends of an idle TCP session, established or half closed, that the hub is about to forget it
/// (tcp.reset_idle): a reset to each is added to ctx.resets, at the number that it has last acknowledged.
void add_idle_resets(WorkerContext& ctx, SessionIndex index);

}  // namespace weir::dataplane
