// Control connections of FTP in sessions that are translated: where they name addresses, those are
// translated, too, and what comes there is let in as a binding (docs/nat.md). Worker only.
//
// Only for sessions with Session::kFtp, which no other packet pays for: they go the way of those that
// inspection looks at (worker.cpp), and TcpWindow takes none of their segments at once (TcpSide::kClosely).
// What arrives is numbered back before anything follows or inspects it (ftp_receive()), what leaves is
// numbered as its receiver counts, and has other text (ftp_send()).
#pragma once

#include "dataplane/decide/first_packet.h"
#include "dataplane/nat/ftp_control.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// Do the rules ask for it for a session that begins? `leaves`: as its packets leave.
bool is_ftp_control(const NatTable& nat, const FirstDecision& decision, const Tuple& leaves);
/// For a translated session that begins with a SYN, its windows being filled in. Without room for it nothing
/// is translated in it (counted).
void begin_ftp(WorkerContext& ctx, SessionIndex index);
/// It ends, or has no kFtp.
void end_ftp(WorkerContext& ctx, SessionIndex index);
/// After each segment that has moved its windows: the next is to go the slow way, too.
void follow_ftp(WorkerContext& ctx, SessionIndex index, TcpEvent event);

/// What the packet's sender has received, in the numbers of who has sent it. One that comes in IP fragments
/// waits until it is whole.
Next ftp_receive(WorkerContext& ctx, rte_mbuf* mbuf);
/// Before translate(), which is to find a packet of the length that leaves.
Next ftp_send(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment* egress);
/// A sequence number of packets that travel in `direction`, as their receiver counts.
uint32_t ftp_sequence(WorkerContext& ctx, SessionIndex index, Direction direction, uint32_t seq);

}  // namespace weir::dataplane
