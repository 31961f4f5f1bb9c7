// The slower side of the session lookup: sessions that begin, move or are decided again.
#include "dataplane/stages/session_lookup.h"

#include "dataplane/stages/inner.h"
#include "dataplane/stages/session_slow.h"
#include "dataplane/worker/session_life.h"

namespace weir::dataplane {

void follow_tcp(WorkerContext& ctx, Session& session, const PacketMeta& meta) {
  SessionCold& cold = ctx.sessions->cold(meta.session);
  cold.tcp_flags[static_cast<size_t>(meta.direction)] |= meta.tcp_flags;
  session.tcp_flags_seen |= meta.tcp_flags;
  const SessionState next = next_state(session.state, meta.direction, event_of(meta.tcp_flags));
  if (next == session.state) return;
  session.state = next;
  // A shorter time-out would be noticed too late by a timer that is only re-armed when it fires.
  ctx.sessions->arm(meta.session, ctx.tick, idle_timeout(ctx.snapshot->timeouts, session));
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
  if (next.goes_on()) account(ctx, ctx.sessions->at(meta.session), meta);
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
  account(ctx, session, meta);
  return Next::go_on();
}

}  // namespace weir::dataplane
