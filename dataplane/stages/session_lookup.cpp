// The slower side of the session lookup: sessions that begin, move or are decided again.
#include "dataplane/stages/session_lookup.h"

#include "dataplane/stages/inner.h"
#include "dataplane/stages/session_slow.h"
#include "dataplane/worker/session_life.h"

namespace weir::dataplane {

TcpSegment segment_of(rte_mbuf* mbuf) {
  const PacketMeta& meta = meta_of(mbuf);
  const net::Bytes header = bytes_of(mbuf).subspan(meta.ip_offset + meta.l4_offset,
                                                   static_cast<size_t>(meta.payload_offset - meta.l4_offset));
  // Of a first fragment the length of the whole is not known, but its bound.
  const uint32_t payload =
      meta.fragment ? UINT16_MAX : static_cast<uint32_t>(meta.ip_length - meta.payload_offset);
  return read_segment(header, payload);
}

Next tcp_rare(WorkerContext& ctx, rte_mbuf* mbuf, Session& session, const PacketMeta& meta) {
  const bool no_header = meta.fragment && meta.tcp_flags == 0;  // not the first one
  if (no_header || (session.flags & Session::kDropped) != 0) {  // inspect drops it
    count(ctx, session, meta);
    session.last_seen = ctx.tick;
    return Next::go_on();
  }
  SessionCold& cold = ctx.sessions->cold(meta.session);
  const TcpSegment segment = segment_of(mbuf);
  const TcpRules& rules = ctx.snapshot->tcp;
  const auto [step, event] =
      follow_tcp(session.state, meta.direction, segment, rules, ctx.sessions->tcp(meta.session));
  if (step.verdict == TcpVerdict::refuse) {
    const bool outside = event == TcpEvent::outside || event == TcpEvent::outside_control;
    return Next::drop(outside ? DropReason::tcp_outside_window : DropReason::tcp_unexpected);
  }
  cold.tcp_flags[static_cast<size_t>(meta.direction)] |= meta.tcp_flags;
  count(ctx, session, meta);
  if (step.verdict == TcpVerdict::ignore) {
    const bool retransmitted = session.state == SessionState::syn_received && event == TcpEvent::syn;
    if (!retransmitted) ctx.counters.tcp_ignored.add();
    return Next::go_on();
  }
  session.last_seen = ctx.tick;
  if (step.next == session.state) return Next::go_on();
  session.state = step.next;
  // A shorter time-out would be noticed too late by a timer that is only re-armed when it fires.
  ctx.sessions->arm(meta.session, ctx.tick, idle_timeout(ctx.snapshot->timeouts, session));
  return Next::go_on();
}

Next session_miss(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  if (meta.plain) {
    // Its attachment may have gone since it was looked up, as all that is changed in place.
    const Attachment* attachment = ctx.snapshot->attachment(meta.ingress);
    if (attachment == nullptr) return Next::drop(DropReason::stale_attachment);
    const Next next = inner_rare(ctx, mbuf, *attachment);
    if (!next.goes_on()) return next;
  }
  const Next next = create_session(ctx, mbuf);
  if (!next.goes_on()) return next;
  Session& session = ctx.sessions->at(meta.session);
  meta.adjacency = session.adjacency[0];
  ctx.session_flags |= session.flags;
  count(ctx, session, meta);
  return next;
}

Next session_changed(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  const Snapshot& snapshot = *ctx.snapshot;
  Session& session = ctx.sessions->at(meta.session);
  if (starts_anew(session, meta)) {
    const bool was_reset = session.state == SessionState::reset;
    end_session(ctx, meta.session, was_reset ? inspection::FlowEnd::reset : inspection::FlowEnd::closed);
    return session_miss(ctx, mbuf);
  }
  const AdjacencyTable& adjacencies = *snapshot.adjacencies;
  const AdjacencyId& there = session.adjacency[static_cast<size_t>(meta.direction)];
  const AdjacencyId& back = session.adjacency[static_cast<size_t>(opposite(meta.direction))];
  if (!is_current(snapshot, session) || !adjacencies.is_live(there) || !adjacencies.is_live(back)) {
    const Next next = redecide_session(ctx, meta, meta.session);
    if (!next.goes_on()) return next;
    if (!adjacencies.is_live(there)) return Next::drop(DropReason::neighbor_unresolved);
  }
  if (!adjacencies.belongs(back, meta.ingress)) {
    const Next next = accept_other_ingress(ctx, meta, meta.session);
    if (!next.goes_on()) return next;
  }
  return account(ctx, mbuf, session, meta);
}

}  // namespace weir::dataplane
