// Packet -> session. In passes over the burst, so that the memory of one packet is fetched while others are
// worked on: hash all, prefetch the index; prefetch the sessions; then decide in order of arrival.
#include "dataplane/session/tcp_state.h"
#include "dataplane/stages/session_slow.h"
#include "dataplane/stages/stages.h"
#include "dataplane/worker/session_life.h"

namespace weir::dataplane {

Key4 key4_of(const PacketMeta& meta) {
  const Tuple& t = meta.tuple;
  return {.src = t.src.v4().value,
          .dst = t.dst.v4().value,
          .src_port = t.src_port,
          .dst_port = t.dst_port,
          .domain = static_cast<uint16_t>(meta.domain.index()),
          .protocol = t.protocol};
}

Key6 key6_of(const PacketMeta& meta) {
  const Tuple& t = meta.tuple;
  return {.src = t.src.v6(),
          .dst = t.dst.v6(),
          .src_port = t.src_port,
          .dst_port = t.dst_port,
          .domain = static_cast<uint16_t>(meta.domain.index()),
          .protocol = t.protocol};
}

namespace {

constexpr uint8_t kTcp = 6;

SessionTable::Hit find(const SessionTable& sessions, const PacketMeta& meta) {
  return meta.tuple.src.is_v4() ? sessions.find(key4_of(meta), meta.hash)
                                : sessions.find(key6_of(meta), meta.hash);
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

void follow_tcp(WorkerContext& ctx, Session& session, const PacketMeta& meta) {
  constexpr uint8_t kInteresting = kSyn | kFin | kRst;
  if (session.state == SessionState::established && (meta.tcp_flags & kInteresting) == 0) [[likely]]
    return;
  SessionCold& cold = ctx.sessions->cold(meta.session);
  cold.tcp_flags[static_cast<size_t>(meta.direction)] |= meta.tcp_flags;
  session.tcp_flags_seen |= meta.tcp_flags;
  const SessionState next = next_state(session.state, meta.direction, event_of(meta.tcp_flags));
  if (next == session.state) return;
  session.state = next;
  // A shorter time-out would be noticed too late by a timer that is only re-armed when it fires.
  ctx.sessions->arm(meta.session, ctx.tick, idle_timeout(ctx.snapshot->timeouts, session));
}

/// The tuple is used again: a SYN on a conversation that is over.
bool starts_anew(const Session& session, const PacketMeta& meta) {
  return (session.state == SessionState::closing || session.state == SessionState::reset) &&
         (session.flags & Session::kDropped) == 0 && event_of(meta.tcp_flags) == TcpEvent::syn &&
         !meta.icmp_error;
}

/// A first packet, which is forwarded as it was decided.
Next decide_miss(WorkerContext& ctx, rte_mbuf* mbuf) {
  const Next next = create_session(ctx, mbuf);
  if (next.kind != Next::Kind::go_on) return next;
  PacketMeta& meta = meta_of(mbuf);
  Session& session = ctx.sessions->at(meta.session);
  meta.adjacency = session.adjacency[0];
  meta.egress = ctx.sessions->cold(meta.session).egress;
  count_packet(ctx, session, meta);
  if (meta.tuple.protocol == kTcp) follow_tcp(ctx, session, meta);
  return Next::go_on();
}

Next decide_hit(WorkerContext& ctx, rte_mbuf* mbuf, SessionTable::Hit hit) {
  PacketMeta& meta = meta_of(mbuf);
  const Snapshot& snapshot = *ctx.snapshot;
  Session& session = ctx.sessions->at(hit.index);
  meta.session = hit.index;
  meta.direction = hit.direction;
  if (starts_anew(session, meta)) [[unlikely]] {
    const bool was_reset = session.state == SessionState::reset;
    end_session(ctx, hit.index, was_reset ? inspection::FlowEnd::reset : inspection::FlowEnd::closed);
    return decide_miss(ctx, mbuf);
  }
  const size_t d = static_cast<size_t>(hit.direction);
  const auto& domain = snapshot.domains[session.domain[0]];
  AdjacencyTable::View egress, ingress;
  bool egress_known = snapshot.adjacencies->get(session.adjacency[d], egress);
  bool ingress_known = snapshot.adjacencies->get(session.adjacency[1 - d], ingress);
  if (session.policy_version != snapshot.policy->version(session.connection) || domain == nullptr ||
      session.route_version != domain->route_version || !egress_known || !ingress_known) [[unlikely]] {
    const Next next = redecide_session(ctx, meta, hit.index);
    if (next.kind != Next::Kind::go_on) return next;
    egress_known = snapshot.adjacencies->get(session.adjacency[d], egress);
    ingress_known = snapshot.adjacencies->get(session.adjacency[1 - d], ingress);
    if (!egress_known) return Next::drop(DropReason::neighbor_unresolved);
  }
  if (!ingress_known || ingress.attachment != meta.ingress) [[unlikely]] {
    const Next next = accept_other_ingress(ctx, meta, hit.index);
    if (next.kind != Next::Kind::go_on) return next;
  }
  meta.egress = egress.attachment;
  meta.adjacency = session.adjacency[d];
  if (meta.icmp_error) return Next::go_on();  // belongs to the session, but is none of its packets
  count_packet(ctx, session, meta);
  if (meta.tuple.protocol == kTcp) follow_tcp(ctx, session, meta);
  return Next::go_on();
}

}  // namespace

void session_lookup(WorkerContext& ctx, Burst& burst) {
  const SessionTable& sessions = *ctx.sessions;
  for (uint16_t i = 0; i < burst.size; ++i) {
    PacketMeta& meta = meta_of(burst.packets[i]);
    meta.hash = meta.tuple.src.is_v4() ? hash_of(key4_of(meta)) : hash_of(key6_of(meta));
    sessions.prefetch_bucket(meta.hash);
  }
  for (uint16_t i = 0; i < burst.size; ++i) sessions.prefetch_session(meta_of(burst.packets[i]).hash);
  for_each_packet(ctx, burst, [&](rte_mbuf* mbuf) {
    // A packet may have waited in a ring while its attachment went.
    PacketMeta& meta = meta_of(mbuf);
    if (ctx.snapshot->attachment(meta.ingress) == nullptr) [[unlikely]]
      return Next::drop(DropReason::stale_attachment);
    const SessionTable::Hit hit = find(sessions, meta);
    return hit ? decide_hit(ctx, mbuf, hit) : decide_miss(ctx, mbuf);
  });
}

}  // namespace weir::dataplane
