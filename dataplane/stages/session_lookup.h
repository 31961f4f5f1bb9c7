// Packet -> session. What a hit that nothing has changed for takes is here, inline; everything else is in
// session_lookup.cpp.
#pragma once

#include "dataplane/session/tcp_state.h"
#include "dataplane/stages/rewrite.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// A packet that found no session: may it start one? Then it is forwarded as was decided.
Next session_miss(WorkerContext& ctx, rte_mbuf* mbuf);
/// A hit on a session that something has changed for since it was decided, or that was over, or whose packet
/// came in by another way. The meta names session and direction.
[[gnu::cold]] Next session_changed(WorkerContext& ctx, rte_mbuf* mbuf);
/// A segment that can move more than the windows, or lies outside of them.
Next tcp_rare(WorkerContext& ctx, rte_mbuf* mbuf, Session& session, const PacketMeta& meta);

/// Of a 32-bit counter. True: it wraps, which the caller carries into the cold half, so that totals are
/// exact.
inline bool count_up(uint32_t& low, uint32_t n) {
  low += n;
  return low < n;
}

/// The packet is one of the session's, in either of its counters.
inline void count(WorkerContext& ctx, Session& session, const PacketMeta& meta) {
  const size_t d = static_cast<size_t>(meta.direction);
  if (count_up(session.packets[d], 1)) [[unlikely]]
    ++ctx.sessions->cold(meta.session).packets_high[d];
  if (count_up(session.bytes[d], meta.ip_length)) [[unlikely]]
    ++ctx.sessions->cold(meta.session).bytes_high[d];
}

/// A segment that acknowledges and may carry data, of a session whose handshake the hub has followed: all
/// that it can move are the windows. False: it is more than that, or lies outside.
[[gnu::always_inline]] inline bool take_segment(WorkerContext& ctx, rte_mbuf* mbuf, const Session& session,
                                                const PacketMeta& meta) {
  if (session.state != SessionState::established || (meta.tcp_flags & (kSyn | kFin | kRst | kAck)) != kAck ||
      meta.fragment) [[unlikely]] {
    return false;
  }
  const auto& tcp = *reinterpret_cast<const net::TcpHeader*>(data_of(mbuf) + meta.ip_offset + meta.l4_offset);
  const uint32_t seq = tcp.seq.host();
  const uint32_t end = seq + static_cast<uint32_t>(meta.ip_length - meta.payload_offset);
  return ctx.sessions->tcp(meta.session).take(meta.direction, seq, tcp.ack.host(), end, tcp.window.host());
}

/// The packet passes, unless it is a TCP segment that cannot, and is counted as the session's; an ICMP error
/// belongs to it, but is none of its packets.
[[gnu::always_inline]] inline Next account(WorkerContext& ctx, rte_mbuf* mbuf, Session& session,
                                           PacketMeta& meta) {
  meta.adjacency = session.adjacency[static_cast<size_t>(meta.direction)];
  ctx.session_flags |= session.flags;
  if (meta.icmp_error) [[unlikely]]
    return Next::go_on();
  if (session.state != SessionState::active && !take_segment(ctx, mbuf, session, meta)) [[unlikely]]
    return tcp_rare(ctx, mbuf, session, meta);
  count(ctx, session, meta);
  session.last_seen = ctx.tick;
  return Next::go_on();
}

/// The tuple is used again: a SYN on a conversation that is over.
inline bool starts_anew(const Session& session, const PacketMeta& meta) {
  return (session.state == SessionState::closing || session.state == SessionState::reset) &&
         (session.flags & Session::kDropped) == 0 && event_of(meta.tcp_flags) == TcpEvent::syn &&
         !meta.icmp_error;
}

/// What decided the session holds still.
inline bool is_current(const Snapshot& snapshot, const Session& session) {
  const Routes& routes = *snapshot.routes;
  return session.versions == versions_of(snapshot.policy->version(session.connection),
                                         routes.version(session.route[0]), routes.version(session.route[1]));
}

/// What a miss or a change needs, and then the next hop, which may go at any time.
[[gnu::cold]] inline Next session_rare(WorkerContext& ctx, rte_mbuf* mbuf, AdjacencyTable::View& next_hop,
                                       Next (*step)(WorkerContext&, rte_mbuf*)) {
  const Next next = step(ctx, mbuf);
  return next.goes_on() ? find_next_hop(ctx, mbuf, next_hop) : next;
}

/// The meta has what LookupAhead found. On go_on `next_hop` is the one that the packet is sent to.
[[gnu::always_inline]] inline Next session_lookup(WorkerContext& ctx, rte_mbuf* mbuf,
                                                  AdjacencyTable::View& next_hop) {
  PacketMeta& meta = meta_of(mbuf);
  SessionTable& sessions = *ctx.sessions;
  const auto rare = [&ctx, mbuf, &next_hop](Next (*step)(WorkerContext&, rte_mbuf*)) {
    AdjacencyTable::View found;  // else `next_hop` itself has to lie in memory, for all packets
    const Next next = session_rare(ctx, mbuf, found, step);
    next_hop = found;
    return next;
  };
  const SessionTable::Hit guess{meta.session, meta.direction};
  if (!(meta.is_v4() ? sessions.is(guess, meta.key4) : sessions.is(guess, meta.key6))) [[unlikely]] {
    const SessionTable::Hit hit =
        meta.is_v4() ? sessions.find(meta.key4, meta.hash) : sessions.find(meta.key6, meta.hash);
    if (!hit) return rare(session_miss);
    meta.session = hit.index;
    meta.direction = hit.direction;
  }
  Session& session = sessions.at(meta.session);
  const size_t d = static_cast<size_t>(meta.direction);
  const AdjacencyTable& adjacencies = *ctx.snapshot->adjacencies;
  if (!is_current(*ctx.snapshot, session) || !adjacencies.get(session.adjacency[d], next_hop) ||
      !adjacencies.belongs(session.adjacency[1 - d], meta.ingress) || starts_anew(session, meta))
      [[unlikely]] {
    return rare(session_changed);
  }
  return account(ctx, mbuf, session, meta);
}

}  // namespace weir::dataplane
