// Packet -> session. In passes over the burst, so that the memory of one packet is fetched while others are
// worked on: the index lines are asked for, then the sessions' lines; then each packet is decided on, in
// order of arrival. A hit that nothing has changed for is all in this file; everything else is out of line.
#include "dataplane/session/tcp_state.h"
#include "dataplane/stages/session_slow.h"
#include "dataplane/stages/stages.h"
#include "dataplane/worker/session_life.h"

namespace weir::dataplane {

namespace {

constexpr uint8_t kTcp = 6;

SessionTable::Hit find(const SessionTable& sessions, const PacketMeta& meta) {
  return meta.is_v4() ? sessions.find(meta.key4, meta.hash) : sessions.find(meta.key6, meta.hash);
}

/// A 32-bit counter's wrap is carried into the cold half, so that totals are exact.
void count(uint32_t& low, uint32_t& high, uint32_t n) {
  low += n;
  if (low < n) [[unlikely]]
    ++high;
}

void count_packet(WorkerContext& ctx, Session& session, const PacketMeta& meta) {
  const size_t d = static_cast<size_t>(meta.direction);
  SessionCold& cold = ctx.sessions->cold(meta.session);  // an address; not touched unless a counter wraps
  count(session.packets[d], cold.packets_high[d], 1);
  count(session.bytes[d], cold.bytes_high[d], meta.ip_length);
  session.last_seen = ctx.tick;
}

/// Nothing that a TCP segment's flags could move.
bool is_settled(const Session& session, const PacketMeta& meta) {
  constexpr uint8_t kInteresting = kSyn | kFin | kRst;
  return session.state == SessionState::active ||
         (session.state == SessionState::established && (meta.tcp_flags & kInteresting) == 0);
}

[[gnu::noinline]] void follow_tcp(WorkerContext& ctx, Session& session, const PacketMeta& meta) {
  SessionCold& cold = ctx.sessions->cold(meta.session);
  cold.tcp_flags[static_cast<size_t>(meta.direction)] |= meta.tcp_flags;
  session.tcp_flags_seen |= meta.tcp_flags;
  const SessionState next = next_state(session.state, meta.direction, event_of(meta.tcp_flags));
  if (next == session.state) return;
  session.state = next;
  // A shorter time-out would be noticed too late by a timer that is only re-armed when it fires.
  ctx.sessions->arm(meta.session, ctx.tick, idle_timeout(ctx.snapshot->timeouts, session));
}

/// A packet that passes is the session's: unless it is an ICMP error, which belongs to it, but is none of its
/// packets.
void account(WorkerContext& ctx, Session& session, const PacketMeta& meta) {
  if (meta.icmp_error) [[unlikely]]
    return;
  count_packet(ctx, session, meta);
  if (!is_settled(session, meta)) [[unlikely]]
    follow_tcp(ctx, session, meta);
}

/// The tuple is used again: a SYN on a conversation that is over.
bool starts_anew(const Session& session, const PacketMeta& meta) {
  return (session.state == SessionState::closing || session.state == SessionState::reset) &&
         (session.flags & Session::kDropped) == 0 && event_of(meta.tcp_flags) == TcpEvent::syn &&
         !meta.icmp_error;
}

/// A first packet, which is forwarded as it was decided.
[[gnu::noinline]] Next decide_miss(WorkerContext& ctx, rte_mbuf* mbuf) {
  const Next next = create_session(ctx, mbuf);
  if (next.kind != Next::Kind::go_on) return next;
  PacketMeta& meta = meta_of(mbuf);
  Session& session = ctx.sessions->at(meta.session);
  meta.adjacency = session.adjacency[0];
  ctx.session_flags |= session.flags;
  account(ctx, session, meta);
  return Next::go_on();
}

/// What decided the session holds still.
bool is_current(const Snapshot& snapshot, const Session& session) {
  const auto& domain = snapshot.domains[session.domain[0]];
  return session.policy_version == snapshot.policy->version(session.connection) && domain != nullptr &&
         session.route_version == domain->route_version;
}

/// A hit on a session that something has changed for since it was decided, or that was over, or whose packet
/// came in by another way.
[[gnu::noinline]] Next decide_again(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  const Snapshot& snapshot = *ctx.snapshot;
  Session& session = ctx.sessions->at(meta.session);
  if (starts_anew(session, meta)) {
    const bool was_reset = session.state == SessionState::reset;
    end_session(ctx, meta.session, was_reset ? inspection::FlowEnd::reset : inspection::FlowEnd::closed);
    return decide_miss(ctx, mbuf);
  }
  const AdjacencyTable& adjacencies = *snapshot.adjacencies;
  const AdjacencyId& there = session.adjacency[static_cast<size_t>(meta.direction)];
  const AdjacencyId& back = session.adjacency[static_cast<size_t>(opposite(meta.direction))];
  if (!is_current(snapshot, session) || !adjacencies.is_live(there) || !adjacencies.is_live(back)) {
    const Next next = redecide_session(ctx, meta, meta.session);
    if (next.kind != Next::Kind::go_on) return next;
    if (!adjacencies.is_live(there)) return Next::drop(DropReason::neighbor_unresolved);
  }
  if (!adjacencies.belongs(back, meta.ingress)) {
    const Next next = accept_other_ingress(ctx, meta, meta.session);
    if (next.kind != Next::Kind::go_on) return next;
  }
  meta.adjacency = there;
  ctx.session_flags |= session.flags;
  account(ctx, session, meta);
  return Next::go_on();
}

Next decide(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  const SessionTable::Hit hit = find(*ctx.sessions, meta);
  if (!hit) [[unlikely]]
    return decide_miss(ctx, mbuf);
  const Snapshot& snapshot = *ctx.snapshot;
  const AdjacencyTable& adjacencies = *snapshot.adjacencies;
  Session& session = ctx.sessions->at(hit.index);
  const size_t d = static_cast<size_t>(hit.direction);
  meta.session = hit.index;
  meta.direction = hit.direction;
  if (!is_current(snapshot, session) || !adjacencies.is_live(session.adjacency[d]) ||
      !adjacencies.belongs(session.adjacency[1 - d], meta.ingress) || starts_anew(session, meta))
      [[unlikely]] {
    return decide_again(ctx, mbuf);
  }
  meta.adjacency = session.adjacency[d];
  ctx.session_flags |= session.flags;
  account(ctx, session, meta);
  return Next::go_on();
}

}  // namespace

void session_lookup(WorkerContext& ctx, Burst& burst) {
  const SessionTable& sessions = *ctx.sessions;
  ctx.session_flags = 0;
  for (uint16_t i = 0; i < burst.size; ++i) sessions.prefetch_bucket(meta_of(burst.packets[i]).hash);
  for (uint16_t i = 0; i < burst.size; ++i) sessions.prefetch_session(meta_of(burst.packets[i]).hash);
  for_each_packet(ctx, burst, [&](rte_mbuf* mbuf) { return decide(ctx, mbuf); });
}

}  // namespace weir::dataplane
