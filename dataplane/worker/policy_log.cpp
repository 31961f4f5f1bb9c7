#include "dataplane/worker/policy_log.h"

#include <string_view>

#include "dataplane/net/headers.h"
#include "dataplane/worker/session_life.h"

namespace weir::dataplane {

namespace {

bool is_logged(const Snapshot& snapshot, RuleIndex rule) {
  constexpr auto kLogged = RuleEffects::kAtStart | RuleEffects::kAtEnd;
  if (rule == kDefaultDeny) return snapshot.log_default_deny;
  return (snapshot.policy->rules()[rule].effects.log & kLogged) != 0;
}

/// False: the rule is not logged, or has used up its budget.
bool begin_event(WorkerContext& ctx, RuleIndex rule, inspection::Event& event) {
  if (!is_logged(*ctx.snapshot, rule)) return false;
  const auto suppressed = ctx.rule_log.take(rule, ctx.now);
  if (!suppressed) {
    ctx.counters.rule_events_suppressed.add();
    return false;
  }
  event.time_ns = ctx.now;
  event.suppressed = *suppressed;
  return true;
}

void name_rule(const Snapshot& snapshot, RuleIndex rule, inspection::FlowInfo& flow) {
  flow.policy_rule.assign(rule != kDefaultDeny ? std::string_view(snapshot.policy->rules()[rule].id) : "");
}

/// The same of a session that is not there.
bool begin_event(WorkerContext& ctx, const FirstPacket& packet, const FirstDecision& decision, RuleIndex rule,
                 inspection::Event& event) {
  if (!begin_event(ctx, rule, event)) return false;
  const Snapshot& snapshot = *ctx.snapshot;
  inspection::FlowInfo& flow = event.flow;
  const Tuple& tuple = packet.tuple;
  flow.start_ns = ctx.now;
  flow.src = tuple.src;
  flow.dst = tuple.dst;
  flow.protocol = tuple.protocol;
  if (!net::is_icmp(tuple.protocol)) {
    flow.src_port = tuple.src_port;
    flow.dst_port = tuple.dst_port;
  } else {
    flow.src_port = decision.icmp_type;
  }
  name_rule(snapshot, rule, flow);
  if (const Domain* from = snapshot.domain(decision.from_domain)) flow.from_domain.assign(from->name);
  if (const Domain* to = snapshot.domain(decision.to_domain)) flow.to_domain.assign(to->name);
  if (const Attachment* attachment = snapshot.attachment(packet.ingress))
    flow.attachment.assign(attachment->name);
  return true;
}

}  // namespace

void log_watched(WorkerContext& ctx, const FirstPacket& packet, const FirstDecision& decision,
                 uint16_t length) {
  for (const RuleIndex rule : decision.policy.watched) {
    inspection::Event event;
    if (!begin_event(ctx, packet, decision, rule, event)) continue;
    event.kind = inspection::EventKind::watch;
    event.packet_length = length;
    event.policy_action = ctx.snapshot->policy->rules()[rule].action;
    ctx.events.push(event);
  }
}

void log_refused(WorkerContext& ctx, const FirstPacket& packet, const FirstDecision& decision,
                 uint16_t length) {
  log_watched(ctx, packet, decision, length);
  inspection::Event event;
  if (!begin_event(ctx, packet, decision, decision.policy.rule, event)) return;
  event.kind = inspection::EventKind::drop;
  event.packet_length = length;
  event.drop_reason.assign(info(decision.drop).name);
  ctx.events.push(event);
}

void log_cut(WorkerContext& ctx, SessionIndex index, const FirstDecision& decision, Direction direction,
             uint16_t length) {
  inspection::Event event;
  if (!begin_event(ctx, decision.policy.rule, event)) return;
  event.kind = inspection::EventKind::drop;
  event.packet_length = length;
  event.drop_reason.assign(info(decision.drop).name);
  event.flow = flow_info(ctx, index);
  name_rule(*ctx.snapshot, decision.policy.rule, event.flow);
  event.flow_stats = flow_so_far(ctx, index);
  event.turned = event.alert.to_client = direction == Direction::reverse;
  ctx.events.push(event);
}

}  // namespace weir::dataplane
