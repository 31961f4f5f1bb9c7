// The stages, in the order in which a packet meets them. One file each; file = stage = the `stage` of its
// drop reasons. worker/worker.cpp calls them and is where the whole way is read.
#pragma once

#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// Outer Ethernet, IPv4, UDP: whose tunnel is it? Answers ARP and echo on ports that DPDK owns alone.
void outer(WorkerContext& ctx, Burst& burst);
/// Finds the tunnel, strips the outer header (RFC 7348).
void decap(WorkerContext& ctx, Burst& burst);
/// Inner Ethernet, IP, L4: the packet's tuple. Answers ARP, ND and echo for the hub's gateway addresses.
void inner(WorkerContext& ctx, Burst& burst);
/// Hands over to their owners the packets of sessions that live on other workers.
void owner(WorkerContext& ctx, Burst& burst);
/// Finds each packet's session, or has it created; decides again what a change may have made wrong.
void session_lookup(WorkerContext& ctx, Burst& burst);
/// Shows the packets of inspected sessions to inspection, before they are sent.
void inspect(WorkerContext& ctx, Burst& burst);
/// MTU, TTL, inner MAC addresses.
void rewrite(WorkerContext& ctx, Burst& burst);
/// Puts the egress attachment's outer header on and queues for tx.
void encap(WorkerContext& ctx, Burst& burst);

}  // namespace weir::dataplane
