// The slow side of session_lookup: what a hit never pays for.
#pragma once

#include "dataplane/decide/first_packet.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// First packet: decide (decide/first_packet.h), find the next hops both ways, enter the session. On go_on
/// the meta names it. A next hop that is not known yet: the packet is punted, and comes back when it is.
/// (session_create.cpp)
Next create_session(WorkerContext& ctx, rte_mbuf* mbuf);

/// The TCP header of a packet that has one.
TcpSegment segment_of(rte_mbuf* mbuf);

/// A version moved or a next hop went since the session was decided: decides again. On go_on it is allowed
/// still and up to date; else it is removed, or its packet waits for a next hop. (session_redecide.cpp)
Next redecide_session(WorkerContext& ctx, PacketMeta& meta, SessionIndex index);

/// A packet of the session came in by another attachment than expected: is that a way its source is reached
/// by? A forward packet's way is learnt for the replies. (session_redecide.cpp)
Next accept_other_ingress(WorkerContext& ctx, PacketMeta& meta, SessionIndex index);

/// As the packet that opened the session, now coming by `ingress`, with its names: a pending session's, or
/// DecidedNames, until the next call.
/// (session_redecide.cpp)
FirstPacket first_packet_of(WorkerContext& ctx, SessionIndex index, const Tuple& tuple, AttachmentId ingress);
/// What policy has decided anew, but for a pending session, which stages/pend.h decides. False: inspection
/// has no room for it. (session_redecide.cpp)
bool take_policy(WorkerContext& ctx, SessionIndex index, const FirstDecision& decision);

/// Keeps what the routes of a decision were and which members it took; `cold.policy_version` is set before.
/// (session_create.cpp)
void note_routes(Session& session, SessionCold& cold, const FirstDecision& decision);
/// Punts the packet until that next hop answers.
Next wait_for(PacketMeta& meta, const NextHop& next_hop, const net::IpAddress& destination);

}  // namespace weir::dataplane
