// A packet that belongs to no session yet.
#include <array>
#include <cstring>

#include "dataplane/decide/first_packet.h"
#include "dataplane/session/tcp_state.h"
#include "dataplane/stages/ftp.h"
#include "dataplane/stages/pend.h"
#include "dataplane/stages/session_slow.h"
#include "dataplane/stages/translate.h"
#include "dataplane/worker/half_open.h"
#include "dataplane/worker/policy_log.h"
#include "dataplane/worker/session_life.h"

namespace weir::dataplane {

namespace {

/// How a session begins, if it does.
struct Start {
  SessionState state = SessionState::active;
  TcpWindow window;  // of TCP
};

/// Only what opens a conversation may make a session: a TCP SYN (or more, as `tcp` is configured), an echo
/// request, any packet of other protocols.
DropReason may_start(const TcpRules& rules, rte_mbuf* mbuf, Start& start) {
  const PacketMeta& meta = meta_of(mbuf);
  if (meta.icmp == net::IcmpKind::error) return DropReason::icmp_error_unmatched;
  if (meta.icmp == net::IcmpKind::reply) return DropReason::not_a_session_start;
  // A fragment after the first, unless of a query.
  if (net::is_icmp(meta.protocol()) && !meta.has_transport() && meta.icmp != net::IcmpKind::query)
    return DropReason::not_a_session_start;
  if (meta.protocol() != net::kProtoTcp) return DropReason::none;
  if (!meta.has_transport()) return DropReason::not_a_session_start;
  const std::optional<SessionState> state = begin_tcp(segment_of(mbuf), rules, start.window);
  if (!state) return DropReason::not_a_session_start;
  start.state = *state;
  return DropReason::none;
}

/// An ICMP message's type and code.
std::array<uint8_t, 2> icmp_of(rte_mbuf* mbuf) {
  const PacketMeta& meta = meta_of(mbuf);
  if (!meta.has_transport()) return {meta.icmp_type, 0};
  return {meta.icmp_type, data_of(mbuf)[meta.ip_offset + meta.l4_offset + offsetof(net::IcmpHeader, code)]};
}

SessionIndex insert_translated(WorkerContext& ctx, const PacketMeta& meta, uint16_t to_slot,
                               const Tuple& leaves) {
  if (leaves.dst.family != meta.family)
    return ctx.sessions->insert_translated(meta.key6, key4_of(leaves, to_slot), to_slot, ctx.now);
  return meta.is_v4()
             ? ctx.sessions->insert_translated(meta.key4, key4_of(leaves, to_slot), to_slot, ctx.now)
             : ctx.sessions->insert_translated(meta.key6, key6_of(leaves, to_slot), to_slot, ctx.now);
}

SessionIndex insert(WorkerContext& ctx, const PacketMeta& meta, const FirstDecision& decision,
                    const Tuple& leaves) {
  const uint16_t to_slot = static_cast<uint16_t>(decision.to_domain.index());
  if (decision.is_translated()) return insert_translated(ctx, meta, to_slot, leaves);
  return meta.is_v4() ? ctx.sessions->insert(meta.key4, mirrored(meta.key4, to_slot), ctx.now)
                      : ctx.sessions->insert(meta.key6, mirrored(meta.key6, to_slot), ctx.now);
}

/// Its answers belong to another session (or are packets of its own), since both are translated to the same
/// ends.
bool are_answers_taken(const WorkerContext& ctx, const PacketMeta& meta, const FirstDecision& decision,
                       const Tuple& leaves) {
  const auto to_slot = static_cast<uint16_t>(decision.to_domain.index());
  const auto is_taken = [&](const auto& own, const auto& answers) {
    return std::memcmp(&own, &answers, sizeof own) == 0 || ctx.sessions->find(answers, hash_of(answers));
  };
  const Tuple back = leaves.reversed();
  if (leaves.dst.family != meta.family) {  // by NAT64
    const Key4 answers = key4_of(back, to_slot);
    return bool(ctx.sessions->find(answers, hash_of(answers)));
  }
  return meta.is_v4() ? is_taken(meta.key4, key4_of(back, to_slot))
                      : is_taken(meta.key6, key6_of(back, to_slot));
}

}  // namespace

Next wait_for(PacketMeta& meta, const NextHop& next_hop, const net::IpAddress& destination) {
  meta.egress = next_hop.attachment;
  meta.wait_for = next_hop.has_via ? next_hop.via : destination;
  return Next::punt(PuntReason::resolve);
}

void note_routes(Session& session, SessionCold& cold, const FirstDecision& decision) {
  for (size_t d = 0; d < 2; ++d) {
    session.route[d] = decision.route[d];
    cold.route_version[d] = decision.route_version[d];
  }
  session.versions = versions_of(cold.policy_version, cold.route_version[0], cold.route_version[1]);
  cold.egress = decision.forward.attachment;
  cold.member[0] = name_of(decision.forward);
  cold.member[1] = name_of(decision.reverse);
}

Next create_session(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  const Snapshot& snapshot = *ctx.snapshot;
  Start start;
  if (const DropReason reason = may_start(snapshot.tcp, mbuf, start); reason != DropReason::none)
    return Next::drop(reason);

  const Tuple tuple = meta.tuple();
  const SessionBudgets::Origin origin{meta.domain(), meta.ingress, tuple.src};
  // Before it is decided: a flood beyond its budget does not cost that either. Once: a packet that has waited
  // for its next hop comes here again.
  if (ctx.budgets != nullptr && !meta.paid) {
    const SessionBudgets::Admission admission = ctx.budgets->take_new(origin, ctx.now);
    if (admission.untracked) ctx.counters.hosts_untracked.add();
    if (!admission) return Next::drop(DropReason::session_budget);
    meta.paid = true;
  }
  FirstPacket packet{meta.ingress, tuple};
  const BindingIndex sent_to = find_binding(ctx, tuple, meta.ingress);
  if (sent_to != kNoBinding) packet.binding = &ctx.bindings->at(sent_to);
  std::array<uint8_t, 2> icmp{};
  if (net::is_icmp(tuple.protocol)) {
    icmp = icmp_of(mbuf);
    packet.icmp_type = icmp[0];
  }
  if (ctx.pending != nullptr) packet.names = &ctx.pending->nothing_yet();
  FirstDecision decision = decide_first_packet(snapshot, packet);
  if (decision.pending() && !ctx.pending->has_room()) [[unlikely]] {
    ctx.counters.pending_full.add();
    packet.names = nullptr;
    decision = decide_first_packet(snapshot, packet);
  }
  if (decision.drop != DropReason::none) {
    if (decision.last_step == Step::policy) {
      ctx.rule_hits.count(decision.policy, ctx.now);
      log_refused(ctx, packet, decision, meta.ip_length);
    }
    if (decision.drop == DropReason::policy_reject) return Next::punt(PuntReason::reject);
    return Next::drop(decision.drop);
  }

  // Both next hops first: a session is never half made.
  const AdjacencyId to_initiator = find_adjacency(snapshot, decision.reverse, tuple.src);
  if (!to_initiator.valid()) return wait_for(meta, decision.reverse, tuple.src);
  Tuple leaves = decision.translated;
  const AdjacencyId to_responder = find_adjacency(snapshot, decision.forward, leaves.dst);
  if (!to_responder.valid()) return wait_for(meta, decision.forward, leaves.dst);

  BindingIndex source = kNoBinding;
  if (const DropReason reason = hold_source(ctx, meta, decision, leaves, source); reason != DropReason::none)
    return Next::drop(reason);
  // Held before anything gives way, which might be the one that held it.
  const bool keeps = decision.is_translated() && sent_to != kNoBinding;
  if (keeps) ctx.bindings->hold_again(sent_to);
  const bool half_open = is_half_open(start.state);
  bool untracked = false, admitted = false;
  const auto refuse = [&](DropReason reason) {
    if (source != kNoBinding) ctx.bindings->release(snapshot.nat.get(), source);
    if (keeps) ctx.bindings->release(snapshot.nat.get(), sent_to);
    if (admitted && ctx.budgets != nullptr) ctx.budgets->end_half_open(origin, untracked);
    return Next::drop(reason);
  };
  // Nothing gives way to one who is over his budget, or is refused all the same.
  if (half_open) {
    if (!admit_half_open(ctx, origin, untracked)) return refuse(DropReason::half_open_limit);
    admitted = true;
  }
  if (!has_room(ctx, half_open)) [[unlikely]] {
    if (are_answers_taken(ctx, meta, decision, leaves)) return refuse(DropReason::nat_conflict);
    if (const DropReason reason = make_room(ctx, half_open); reason != DropReason::none)
      return refuse(reason);
  }
  const SessionIndex index = insert(ctx, meta, decision, leaves);
  if (index == kNoSession) [[unlikely]] {
    const bool taken = are_answers_taken(ctx, meta, decision, leaves);
    return refuse(taken ? DropReason::nat_conflict : DropReason::session_table_full);  // its bucket is full
  }
  if (decision.is_translated()) {
    ctx.sessions->translation(index).source_binding = source;
    ctx.sessions->translation(index).destination_binding = sent_to;
  }
  Session& session = ctx.sessions->at(index);
  SessionCold& cold = ctx.sessions->cold(index);
  session.state = start.state;
  if (start.state != SessionState::active) {
    ctx.sessions->tcp(index) = start.window;
    cold.tcp_flags[0] = meta.tcp_flags;
  } else if (net::is_icmp(tuple.protocol)) {
    cold.tcp_flags[0] = icmp[0];
    cold.tcp_flags[1] = icmp[1];
  }
  if (decision.is_translated() && start.state == SessionState::syn_sent &&
      is_ftp_control(*snapshot.nat, decision, leaves))
    begin_ftp(ctx, index);
  session.adjacency[0] = to_responder;
  session.adjacency[1] = to_initiator;
  session.connection = decision.connection;
  cold.policy_version = decision.policy_version;
  note_routes(session, cold, decision);
  session.last_seen = ctx.tick;
  cold.ingress = meta.ingress;
  cold.rule = decision.pending() ? kDefaultDeny : decision.policy.rule;
  if (half_open) begin_half_open(ctx, index, untracked);
  if (!decision.pending()) [[likely]]
    set_effects(ctx, index, decision.policy.effects);
  arm_session(ctx, index);
  if (!decision.pending() && !set_inspection(ctx, index, decision.policy)) {
    forget_session(ctx, index);
    return Next::drop(DropReason::inspect_limit);
  }
  if (decision.pending()) [[unlikely]] {
    begin_pending(ctx, index);
  } else {
    ctx.rule_hits.count(decision.policy, ctx.now);
    if (!decision.policy.watched.empty()) log_watched(ctx, packet, decision, meta.ip_length);
  }
  ctx.counters.sessions_created.add();
  ctx.counters.sessions_live.set(ctx.sessions->size());
  meta.session = index;
  meta.direction = Direction::forward;
  return Next::go_on();
}

}  // namespace weir::dataplane
