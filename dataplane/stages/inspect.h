// Packets of inspected sessions, shown to inspection before they are sent.
#pragma once

#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// A whole packet of a session, as inspection sees it.
inspection::Packet packet_of(rte_mbuf* mbuf, NanoTime now);

/// Puts packets that waited, as far as this turn's budget goes, into `burst`, which is done with before.
void inspect_waiting(WorkerContext& ctx, Burst& burst);

/// Shows inspection a copy of a packet that the session has sent before it began to be inspected. What a
/// rule says of it holds for what follows. `mbuf` stays the caller's.
void inspect_sent(WorkerContext& ctx, rte_mbuf* mbuf);

/// For bursts that have such packets, or packets of sessions that were dropped.
void inspect(WorkerContext& ctx, Burst& burst);

}  // namespace weir::dataplane
