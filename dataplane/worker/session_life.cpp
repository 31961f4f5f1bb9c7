#include "dataplane/worker/session_life.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "dataplane/stages/pend.h"
#include "dataplane/stages/tcp_reset.h"
#include "dataplane/stages/translate.h"
#include "dataplane/worker/dataplane.h"
#include "dataplane/worker/half_open.h"

namespace weir::dataplane {

namespace {

using inspection::FlowEnd;
using inspection::FlowHandle;

FlowEnd end_by_timeout(const Session& session) {
  if ((session.flags & Session::kDropped) != 0) return FlowEnd::dropped;
  if (session.state == SessionState::reset) return FlowEnd::reset;
  if (session.state == SessionState::closing) return FlowEnd::closed;
  return FlowEnd::timeout;
}

void push_flow_event(WorkerContext& ctx, SessionIndex index, FlowEnd end) {
  inspection::Event event;
  event.kind = inspection::EventKind::flow;
  event.time_ns = ctx.now;
  event.flow = flow_info(ctx, index);
  event.flow_stats = flow_so_far(ctx, index);
  event.flow_stats.end = end;
  const uint32_t flow = ctx.sessions->cold(index).flow;
  const bool inspected = (ctx.sessions->at(index).flags & Session::kInspected) != 0;
  event.app =
      inspected ? ctx.inspector->protocols(FlowHandle{flow}) : std::bit_cast<inspection::AppProtocols>(flow);
  ctx.events.push(event);
}

/// Nothing follows: rules that wait for a session's end are held against it, what it has under way is told.
void end_inspection(WorkerContext& ctx, SessionIndex index) {
  const Session& session = ctx.sessions->at(index);
  const SessionCold& cold = ctx.sessions->cold(index);
  if ((session.flags & Session::kInspected) == 0) return;
  const FlowHandle flow{cold.flow};
  SessionSink sink(ctx, index);
  // The index names a profile only within the version that decided; by other rules it was never judged.
  if (ctx.snapshot->policy->version(session.connection) != cold.policy_version)
    return ctx.inspector->finish(flow, ctx.now, sink);
  const Profile& profile = ctx.snapshot->profiles[cold.profile];
  const uint64_t work =
      ctx.inspector->end(flow, rules_in_use(ctx, profile), ctx.now, wall_seconds(ctx), sink);
  ctx.inspect_work_left -= std::min(ctx.inspect_work_left, work);
}

void close_inspection(WorkerContext& ctx, SessionIndex index) {
  Session& session = ctx.sessions->at(index);
  SessionCold& cold = ctx.sessions->cold(index);
  if ((session.flags & Session::kInspected) == 0) return;
  const FlowHandle flow{cold.flow};
  SessionSink sink(ctx, index);
  ctx.inspector->finish(flow, ctx.now, sink);
  cold.flow = std::bit_cast<uint32_t>(ctx.inspector->protocols(flow));
  ctx.inspector->close(flow);
  session.flags = static_cast<uint16_t>(session.flags & ~Session::kInspected);
}

/// A TCP session in which the hub could forget that something may still be said.
bool is_open(const Session& session) {
  const bool open = session.state == SessionState::established ||
                    session.state == SessionState::fin_forward || session.state == SessionState::fin_reverse;
  return open && (session.flags & Session::kDropped) == 0;
}

}  // namespace

/// Nothing may get from one domain into the other once their connection is gone, the hub's own word neither.
static bool is_connected(const Snapshot& snapshot, const Session& session) {
  const auto id_of = [&](uint16_t slot) {
    const bool there = slot < snapshot.domains.size() && snapshot.domains[slot] != nullptr;
    return there ? snapshot.domains[slot]->id : DomainId{};
  };
  const DomainId from = id_of(session.domain[0]), to = id_of(session.domain[1]);
  return from.valid() && to.valid() && snapshot.policy->find(from, to) != PolicyTable::kNotConnected;
}

static bool is_unanswered_udp(const Session& session, const SessionCold& cold) {
  return session.protocol == net::kProtoUdp && total_packets(session, cold, 1) == 0;
}

uint32_t idle_timeout(const Timeouts& timeouts, const Session& session, const SessionCold& cold) {
  // Its ends may believe in a dropped session as long as in any other: until then it must not begin anew.
  const bool dropped = (session.flags & Session::kDropped) != 0;
  if (dropped && session.state >= SessionState::established) return timeouts.tcp_established;
  switch (session.state) {
    case SessionState::syn_sent:
    case SessionState::syn_received:
      return timeouts.tcp_handshake;
    case SessionState::established:
      return timeouts.tcp_established;
    case SessionState::loose:
      return dropped ? timeouts.tcp_established : timeouts.tcp_loose;
    case SessionState::fin_forward:
    case SessionState::fin_reverse:
      return timeouts.tcp_half_closed;
    case SessionState::closing:
    case SessionState::reset:
      return timeouts.tcp_closing;
    default:
      break;
  }
  if (session.protocol == net::kProtoUdp)
    return is_unanswered_udp(session, cold) && !dropped ? timeouts.udp_unanswered : timeouts.udp;
  return net::is_icmp(session.protocol) ? timeouts.icmp : timeouts.other;
}

/// By which it is idle for too long.
static const Timeouts& timeouts_of(const WorkerContext& ctx, SessionIndex index) {
  const bool own = (ctx.sessions->at(index).flags & Session::kOwnTimeouts) != 0;
  return own ? ctx.snapshot->timeouts_of(ctx.sessions->cold(index).effects.timeouts) : ctx.snapshot->timeouts;
}

bool set_effects(WorkerContext& ctx, SessionIndex index, const RuleEffects& effects) {
  Session& session = ctx.sessions->at(index);
  SessionCold& cold = ctx.sessions->cold(index);
  const bool other_timeouts = cold.effects.timeouts != effects.timeouts;
  cold.effects = effects;
  const auto set = [&](Session::Flags flag, bool on) {
    session.flags = static_cast<uint16_t>(on ? session.flags | flag : session.flags & ~flag);
  };
  set(Session::kOwnTimeouts, effects.timeouts != 0);
  set(Session::kMarked, effects.dscp != RuleEffects::kKeepDscp);
  return other_timeouts;
}

bool begin_inspection(WorkerContext& ctx, SessionIndex index) {
  Session& session = ctx.sessions->at(index);
  SessionCold& cold = ctx.sessions->cold(index);
  session.flags = static_cast<uint16_t>(session.flags & ~Session::kBypassed);
  if (ctx.inspect_overloaded) [[unlikely]] {
    ctx.counters.overload_refused.add();
    return ctx.snapshot->profiles[cold.profile].fail == FailMode::open;
  }
  const FlowHandle flow = ctx.inspector->open(flow_info(ctx, index));
  if (!flow.valid()) return ctx.snapshot->profiles[cold.profile].fail == FailMode::open;
  cold.flow = flow.value;
  session.flags |= Session::kInspected;
  return true;
}

bool set_inspection(WorkerContext& ctx, SessionIndex index, const PolicyDecision& decision) {
  Session& session = ctx.sessions->at(index);
  if ((session.flags & Session::kDropped) != 0) return true;  // whatever policy says now
  if (decision.action != PolicyAction::inspect) {
    close_inspection(ctx, index);
    session.flags = static_cast<uint16_t>(session.flags & ~Session::kBypassed);
    return true;
  }
  ProfileIndex& profile = ctx.sessions->cold(index).profile;
  const bool same = profile == decision.profile;
  profile = decision.profile;
  // What one profile lets by another may want to see.
  if ((session.flags & Session::kInspected) != 0 || (same && (session.flags & Session::kBypassed) != 0))
    return true;
  return begin_inspection(ctx, index);
}

void bypass_session(WorkerContext& ctx, SessionIndex index) {
  Session& session = ctx.sessions->at(index);
  close_inspection(ctx, index);
  session.flags |= Session::kBypassed;
}

void take_magic(WorkerContext& ctx) {
  while (ctx.inspect_work_left != 0) {
    const inspection::Inspector::Told told = ctx.inspector->told_magic();
    if (!told.flow.valid()) [[likely]]
      return;
    const SessionIndex index = session_of(told.flow_id);
    const SessionCold& cold = ctx.sessions->cold(index);
    SessionSink sink(ctx, index);
    // As with a session's end: by other rules than those of its policy it was never judged.
    const bool current =
        ctx.snapshot->policy->version(ctx.sessions->at(index).connection) == cold.policy_version;
    const auto rules = current ? std::optional(rules_in_use(ctx, ctx.snapshot->profiles[cold.profile]))
                               : std::optional<inspection::RulesInUse>();
    const uint64_t work =
        ctx.inspector->take_magic(told, rules ? &*rules : nullptr, ctx.now, wall_seconds(ctx), sink);
    ctx.inspect_work_left -= std::min(ctx.inspect_work_left, std::max<uint64_t>(work, 1));
  }
}

void drop_session(WorkerContext& ctx, SessionIndex index) {
  Session& session = ctx.sessions->at(index);
  close_inspection(ctx, index);
  session.flags |= Session::kDropped;
  // Taken up in its midst it would be taken up again if it gave way. One that has not got so far as to carry
  // data begins with a SYN again, and is judged from there.
  if (session.state == SessionState::loose) end_half_open(ctx, index);
  arm_session(ctx, index);  // its time-out is another one now, and may be shorter
}

inspection::FlowInfo flow_info(const WorkerContext& ctx, SessionIndex index) {
  const Snapshot& snapshot = *ctx.snapshot;
  const Session& session = ctx.sessions->at(index);
  const SessionCold& cold = ctx.sessions->cold(index);
  const Tuple tuple = ctx.sessions->tuple(index);
  inspection::FlowInfo flow;
  flow.flow_id = flow_id(ctx.id, index, cold.generation);
  flow.start_ns = cold.start_ns;
  flow.src = tuple.src;
  flow.dst = tuple.dst;
  flow.src_port = tuple.src_port;
  flow.dst_port = tuple.dst_port;
  flow.protocol = tuple.protocol;
  if (net::is_icmp(tuple.protocol)) {
    flow.src_port = cold.tcp_flags[0];
    flow.dst_port = cold.tcp_flags[1];
  }
  flow.translated = (session.flags & Session::kTranslated) != 0;
  if (flow.translated) {
    const Tuple leaves = ctx.sessions->leaving(index, Direction::forward);
    flow.leaves = {leaves.src, leaves.dst, leaves.src_port, leaves.dst_port};
  }
  const auto name_of = [&](uint16_t slot, inspection::FixedText<32>& out) {
    if (slot >= snapshot.domains.size() || snapshot.domains[slot] == nullptr) return DomainId{}.value;
    out.assign(snapshot.domains[slot]->name);
    return snapshot.domains[slot]->id.value;
  };
  flow.domain = {name_of(session.domain[0], flow.from_domain), name_of(session.domain[1], flow.to_domain)};
  if (const Attachment* attachment = snapshot.attachment(cold.ingress))
    flow.attachment.assign(attachment->name);
  // The index names a rule only within the version that decided.
  const bool current = snapshot.policy->version(session.connection) == cold.policy_version;
  if (current && cold.rule < snapshot.policy->rules().size())
    flow.policy_rule.assign(snapshot.policy->rules()[cold.rule].id);
  return flow;
}

bool SessionSink::push(inspection::Event& event, std::span<const uint8_t> fields) {
  SessionCold& cold = ctx_.sessions->cold(index_);
  if (event.kind == inspection::EventKind::alert) cold.alerted = true;
  if (event.kind == inspection::EventKind::drop && ctx_.drop_log.all) {
    if (!ctx_.drop_log.tokens.take(ctx_.now)) {
      ctx_.counters.drop_events_suppressed.add();
      ++ctx_.drop_log.suppressed;
      return true;
    }
    event.suppressed = std::exchange(ctx_.drop_log.suppressed, 0);
  }
  event.flow = flow_info(ctx_, index_);  // another rule may have decided since it was opened
  event.flow_stats = flow_so_far(ctx_, index_);
  return ctx_.events.push(event, fields);
}

void log_dropped(WorkerContext& ctx, const PacketMeta& meta) {
  if (!ctx.drop_log.all) return;
  inspection::Event event;
  event.kind = inspection::EventKind::drop;
  event.time_ns = ctx.now;
  event.packet_length = meta.ip_length;
  event.drop_reason.assign("flow drop");
  event.turned = event.alert.to_client = meta.direction == Direction::reverse;
  event.alert.blocked = true;
  SessionSink(ctx, meta.session).push(event, {});
}

inspection::FlowBody flow_so_far(const WorkerContext& ctx, SessionIndex index) {
  const Session& session = ctx.sessions->at(index);
  const SessionCold& cold = ctx.sessions->cold(index);
  inspection::FlowBody body;
  body.packets_to_server = total_packets(session, cold, 0);
  body.packets_to_client = total_packets(session, cold, 1);
  body.bytes_to_server = total_bytes(session, cold, 0);
  body.bytes_to_client = total_bytes(session, cold, 1);
  body.end_ns = ctx.now;
  body.alerted = cold.alerted;
  body.tcp_flags_to_server = cold.tcp_flags[0];
  body.tcp_flags_to_client = cold.tcp_flags[1];
  return body;
}

namespace {

/// Is its end told?
bool has_records(const WorkerContext& ctx, const SessionCold& cold) {
  return cold.effects.logs(RuleEffects::kAtEnd) ||
         (ctx.flow_events && cold.effects.logs(RuleEffects::kAsHub));
}

/// Until its next record, if it lasts that long; nothing if there are none.
std::optional<uint32_t> until_record(const WorkerContext& ctx, const SessionCold& cold) {
  if (ctx.flow_interval == 0 || !has_records(ctx, cold)) return std::nullopt;
  const uint32_t age = ctx.tick.since(Tick::of(cold.start_ns));
  const auto written = static_cast<uint16_t>(age / ctx.flow_interval);
  return written != cold.records ? 0 : ctx.flow_interval - age % ctx.flow_interval;
}

/// The record of a session that lasts, if it is due.
void write_record(WorkerContext& ctx, SessionIndex index) {
  SessionCold& cold = ctx.sessions->cold(index);
  if (until_record(ctx, cold) != 0u) return;
  cold.records = static_cast<uint16_t>(ctx.tick.since(Tick::of(cold.start_ns)) / ctx.flow_interval);
  push_flow_event(ctx, index, FlowEnd::none);
}

}  // namespace

void log_start(WorkerContext& ctx, SessionIndex index) {
  if (ctx.sessions->cold(index).effects.logs(RuleEffects::kAtStart))
    push_flow_event(ctx, index, FlowEnd::begun);
}

void arm_session(WorkerContext& ctx, SessionIndex index) {
  const Session& session = ctx.sessions->at(index);
  const Timeouts& timeouts = timeouts_of(ctx, index);
  const SessionCold& cold = ctx.sessions->cold(index);
  const uint32_t timeout = idle_timeout(timeouts, session, cold);
  const uint32_t idle = ctx.tick.since(session.last_seen);
  uint32_t after = timeout > idle ? timeout - idle : 1;
  // An answer arms no timer: of a session that waits for one it fires as early as the answer may make it due.
  if (is_unanswered_udp(session, cold)) after = std::min(after, timeouts.udp);
  if (const auto record = until_record(ctx, cold)) after = std::min(after, *record);
  ctx.sessions->arm(index, ctx.tick, after);
}

void forget_session(WorkerContext& ctx, SessionIndex index) {
  if ((ctx.sessions->at(index).flags & Session::kPending) != 0) end_pending(ctx, index);
  end_half_open(ctx, index);
  close_inspection(ctx, index);
  release_bindings(ctx, index);
  ctx.sessions->remove(index);
  ctx.counters.sessions_live.set(ctx.sessions->size());
}

void end_session(WorkerContext& ctx, SessionIndex index, FlowEnd end) {
  end_inspection(ctx, index);  // before the event of the session, which is its last
  if (has_records(ctx, ctx.sessions->cold(index))) push_flow_event(ctx, index, end);
  forget_session(ctx, index);
  ctx.counters.sessions_expired.add();
}

void expire_sessions(WorkerContext& ctx, uint32_t budget) {
  ctx.counters.nat_bindings.set(ctx.bindings->size());  // once a turn
  bool judged = false;
  ctx.sessions->expire(ctx.tick, budget, [&](SessionIndex index) {
    const Session& session = ctx.sessions->at(index);
    const uint32_t timeout = idle_timeout(timeouts_of(ctx, index), session, ctx.sessions->cold(index));
    const uint32_t idle = ctx.tick.since(session.last_seen);
    if (idle >= timeout) {
      // What it still has to be judged for is work like any other; but one a turn ends, however much there is
      // to do.
      if ((session.flags & Session::kInspected) != 0) {
        if (judged && ctx.inspect_work_left == 0) return ctx.sessions->arm(index, ctx.tick, 1);
        judged = true;
      }
      if (ctx.snapshot->tcp.reset_idle && is_open(session) && is_connected(*ctx.snapshot, session))
        add_idle_resets(ctx, index);
      return end_session(ctx, index, end_by_timeout(session));
    }
    if (ctx.flow_interval != 0) write_record(ctx, index);
    arm_session(ctx, index);
  });
}

}  // namespace weir::dataplane
