#include "dataplane/stages/pend.h"

#include "dataplane/policy/pending_steps.h"
#include "dataplane/stages/inspect.h"
#include "dataplane/stages/session_slow.h"
#include "dataplane/stages/tcp_reset.h"
#include "dataplane/stages/transport_checksum.h"
#include "dataplane/worker/leave.h"
#include "dataplane/worker/policy_log.h"
#include "dataplane/worker/session_life.h"

namespace weir::dataplane {

namespace {

constexpr uint32_t kDecidedPerTurn = 64;  // of those whose time is up

void note_counts(WorkerContext& ctx) {
  ctx.counters.pending_sessions.set(ctx.pending->sessions());
  ctx.counters.pending_held.set(ctx.pending->held());
}

FirstPacket first_packet(WorkerContext& ctx, SessionIndex index) {
  return first_packet_of(ctx, index, ctx.sessions->tuple(index), ctx.sessions->cold(index).ingress);
}

PendingVerdict verdict_of(const FirstDecision& decision) {
  if (decision.drop != DropReason::none) return PendingVerdict::refused;
  return decision.policy.final() ? PendingVerdict::allowed : PendingVerdict::open;
}

/// It is pending no more, and nothing of it is held.
void close(WorkerContext& ctx, SessionIndex index) {
  Session& session = ctx.sessions->at(index);
  session.flags = static_cast<uint16_t>(session.flags & ~Session::kPending);
  ctx.pending->close(ctx.sessions->cold(index).pending);
  note_counts(ctx);
}

/// Tells whoever a refused session's packet is from, if the rule rejects. The first packet that is asked
/// about tells it.
class Refusal {
 public:
  Refusal(WorkerContext& ctx, const FirstDecision& decision)
      : ctx_(ctx), reason_(decision.drop), tell_(decision.drop == DropReason::policy_reject) {}

  Next of(rte_mbuf* mbuf) {
    const PacketMeta& meta = meta_of(mbuf);
    if (!tell_ || meta.fragment) return Next::drop(reason_);
    tell_ = false;
    if (meta.protocol() != net::kProtoTcp) return Next::punt(PuntReason::reject);
    add_reset(ctx_, ctx_.resets, mbuf, ResetTo::receiver);
    add_reset(ctx_, ctx_.resets, mbuf, ResetTo::sender);
    return Next::drop(reason_);
  }

 private:
  WorkerContext& ctx_;
  DropReason reason_;
  bool tell_;
};

/// Nothing of the session passes. A TCP session stays as a tombstone, since its ends may have a handshake
/// behind them and go on sending; what else comes is judged as a first packet.
void refuse(WorkerContext& ctx, SessionIndex index, const FirstPacket& packet, const FirstDecision& decision,
            Refusal& refusal, uint16_t length) {
  Session& session = ctx.sessions->at(index);
  SessionCold& cold = ctx.sessions->cold(index);
  if (decision.last_step == Step::policy) {
    ctx.rule_hits.count(decision.policy, ctx.now);
    log_refused(ctx, packet, decision, length);
  }
  ctx.pending->take_held(cold.pending, [&](rte_mbuf* mbuf) { leave(ctx, mbuf, refusal.of(mbuf)); });
  close(ctx, index);
  if (decision.connection != PolicyTable::kNotConnected) {
    session.connection = decision.connection;
    cold.policy_version = decision.policy_version;
    cold.rule = decision.policy.rule;
  }
  if (session.protocol != net::kProtoTcp) return end_session(ctx, index, inspection::FlowEnd::dropped);
  session.flags |= Session::kDropped;
  arm_session(ctx, index);  // its time-out is another one now
  if (decision.drop == DropReason::policy_reject) session.flags |= Session::kResetOnDrop;
}

/// Ends a session that is allowed, but that inspection has no room for.
void end_uninspected(WorkerContext& ctx, SessionIndex index) {
  ctx.pending->take_held(ctx.sessions->cold(index).pending,
                         [&](rte_mbuf* mbuf) { leave(ctx, mbuf, Next::drop(DropReason::inspect_limit)); });
  close(ctx, index);
  end_session(ctx, index, inspection::FlowEnd::dropped);
}

/// The session's rule may come to be one that inspects: a copy of what goes on before is kept for it. Its
/// names are given up if it cannot be, so that nothing more goes on unseen.
void keep_sent(WorkerContext& ctx, SessionIndex index, rte_mbuf* mbuf) {
  if (ctx.snapshot->profiles.empty() || meta_of(mbuf).fragment) return;
  const PendingIndex own = ctx.sessions->cold(index).pending;
  if (ctx.pending->given_up(own)) return;
  rte_mbuf* const copy = rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX);
  if (copy != nullptr) {
    meta_of(copy) = meta_of(mbuf);
    if (ctx.pending->keep_sent(own, copy)) return note_counts(ctx);
    rte_pktmbuf_free(copy);
  }
  ctx.counters.pending_given_up.add();
  ctx.pending->give_up(own);
}

/// What it sent while nobody knew that it is to be inspected, is.
void inspect_sent(WorkerContext& ctx, SessionIndex index) {
  ctx.pending->for_each_sent(ctx.sessions->cold(index).pending,
                             [&](rte_mbuf* mbuf) { inspect_sent(ctx, mbuf); });
}

/// Begins a stream; other packets without anything in them say nothing that later ones do not.
bool is_syn(rte_mbuf* mbuf) {
  const PacketMeta& meta = meta_of(mbuf);
  if (meta.protocol() != net::kProtoTcp || meta.fragment) return false;
  const uint8_t* const tcp = data_of(mbuf) + meta.ip_offset + meta.l4_offset;
  return (reinterpret_cast<const net::TcpHeader*>(tcp)->flags & kSyn) != 0;
}

/// All that is held goes on; the session stays pending.
void release(WorkerContext& ctx, SessionIndex index) {
  const Session& session = ctx.sessions->at(index);
  const bool pending = (session.flags & Session::kPending) != 0;
  ctx.pending->take_held(ctx.sessions->cold(index).pending, [&](rte_mbuf* mbuf) {
    PacketMeta& meta = meta_of(mbuf);
    meta.adjacency = session.adjacency[static_cast<size_t>(meta.direction)];  // it may have moved meanwhile
    if (pending) keep_sent(ctx, index, mbuf);
    ctx.pending->released.push_back(mbuf);
  });
  note_counts(ctx);
}

/// The session goes on by the rule that decided. False: inspection has no room for it.
bool settle(WorkerContext& ctx, SessionIndex index, const FirstPacket& packet, const FirstDecision& decision,
            uint16_t length) {
  Session& session = ctx.sessions->at(index);
  SessionCold& cold = ctx.sessions->cold(index);
  session.flags = static_cast<uint16_t>(session.flags & ~Session::kPending);
  ctx.rule_hits.count(decision.policy, ctx.now);
  log_watched(ctx, packet, decision, length);
  if (!take_policy(ctx, index, decision)) {
    end_uninspected(ctx, index);
    return false;
  }
  session.versions = versions_of(cold.policy_version, cold.route_version[0], cold.route_version[1]);
  inspect_sent(ctx, index);
  release(ctx, index);
  close(ctx, index);
  log_start(ctx, index);
  return true;
}

/// Is there anything in it that could tell a name, or that must not pass before?
bool carries(const PacketMeta& meta) { return meta.fragment || meta.ip_length > meta.payload_offset; }

/// Shows the packet to the finder, and says what it is. What its receiver discards tells nothing.
PendingEvent read(WorkerContext& ctx, rte_mbuf* mbuf, PendingIndex own) {
  const PacketMeta& meta = meta_of(mbuf);
  const bool load = carries(meta);
  if (meta.fragment) return PendingEvent::load;
  inspection::Packet packet = packet_of(mbuf, ctx.now);
  packet.checksum_bad =
      load && !transport_checksum_right(mbuf, meta, packet.ip.subspan(packet.ip_header.size()));
  ctx.pending->read(own, packet);
  if (!load) return PendingEvent::bare;
  return ctx.pending->passes(own) ? PendingEvent::handshake : PendingEvent::load;
}

Next pend_packet(WorkerContext& ctx, rte_mbuf* mbuf) {
  const PacketMeta& meta = meta_of(mbuf);
  const SessionIndex index = meta.session;
  if (!is_session_there(ctx, meta)) return Next::drop(DropReason::session_gone);
  if ((ctx.sessions->at(index).flags & Session::kPending) == 0 || meta.icmp == net::IcmpKind::error)
    return Next::go_on();
  PendingSessions& pending = *ctx.pending;
  const PendingIndex own = ctx.sessions->cold(index).pending;
  const PendingEvent event = read(ctx, mbuf, own);
  const FirstPacket first = first_packet(ctx, index);
  FirstDecision decision = decide_first_packet(*ctx.snapshot, first);
  // As for any session: it may come back.
  if (decision.drop == DropReason::attachment_down) return Next::drop(DropReason::attachment_down);
  PendingStep step = pending_step(event, verdict_of(decision));
  if (step == PendingStep::hold) {
    if (pending.hold(own, mbuf)) {
      note_counts(ctx);
      return Next::kept();
    }
    ctx.counters.pending_given_up.add();
    pending.give_up(own);
    decision = decide_first_packet(*ctx.snapshot, first);
    step = pending_step(event, verdict_of(decision));
  }
  if (step == PendingStep::release) release(ctx, index);
  if (step == PendingStep::pass || step == PendingStep::release) {
    // Without its SYNs a stream is inspected from its first bytes on; they must not use up the room for
    // those.
    if (step == PendingStep::release || (is_syn(mbuf) && !pending.half_full())) keep_sent(ctx, index, mbuf);
    return Next::go_on();
  }
  if (step == PendingStep::settle) {
    return settle(ctx, index, first, decision, meta.ip_length) ? Next::go_on()
                                                               : Next::drop(DropReason::inspect_limit);
  }
  Refusal refusal(ctx, decision);
  refuse(ctx, index, first, decision, refusal, meta.ip_length);
  return refusal.of(mbuf);
}

}  // namespace

void begin_pending(WorkerContext& ctx, SessionIndex index) {
  ctx.sessions->at(index).flags |= Session::kPending;
  ctx.sessions->cold(index).pending = ctx.pending->open(index, flow_info(ctx, index), ctx.now);
  note_counts(ctx);
}

void pend(WorkerContext& ctx, Burst& burst) {
  std::vector<rte_mbuf*>& released = ctx.pending->released;
  for_each_packet(ctx, burst, [&](rte_mbuf* mbuf) {
    const Next next = pend_packet(ctx, mbuf);
    if (!next.goes_on() || released.empty()) return next;
    released.push_back(mbuf);
    return Next::kept();
  });
}

void expire_pending(WorkerContext& ctx) {
  PendingSessions& pending = *ctx.pending;
  SessionIndex index;
  for (uint32_t n = 0; n < kDecidedPerTurn && (index = pending.due(ctx.now)) != kNoSession; ++n) {
    const PendingIndex own = ctx.sessions->cold(index).pending;
    pending.give_up(own);
    ctx.counters.pending_timed_out.add();
    const FirstPacket first = first_packet(ctx, index);
    const FirstDecision decision = decide_first_packet(*ctx.snapshot, first);
    if (pending_step(PendingEvent::time_up, verdict_of(decision)) == PendingStep::settle) {
      settle(ctx, index, first, decision, 0);
    } else {
      Refusal refusal(ctx, decision);
      refuse(ctx, index, first, decision, refusal, 0);
    }
  }
}

void end_pending(WorkerContext& ctx, SessionIndex index) {
  ctx.pending->take_held(ctx.sessions->cold(index).pending,
                         [&](rte_mbuf* mbuf) { leave(ctx, mbuf, Next::drop(DropReason::pending_ended)); });
  close(ctx, index);
}

}  // namespace weir::dataplane
