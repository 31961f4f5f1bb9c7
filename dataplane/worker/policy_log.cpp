#include "dataplane/worker/policy_log.h"

#include "dataplane/net/headers.h"

namespace weir::dataplane {

namespace {

using inspection::PolicyWord;

PolicyWord word_of(PolicyAction action) {
  switch (action) {
    case PolicyAction::allow:
      return PolicyWord::allow;
    case PolicyAction::deny:
      return PolicyWord::deny;
    case PolicyAction::reject:
      return PolicyWord::reject;
    case PolicyAction::inspect:
      return PolicyWord::inspect;
  }
  return PolicyWord::deny;
}

/// What both kinds of events have; nothing: the rule is not logged, or has used up its budget.
bool begin_event(WorkerContext& ctx, const FirstPacket& packet, const FirstDecision& decision,
                 RuleIndex index, inspection::Event& event) {
  constexpr auto kLogged = RuleEffects::kAtStart | RuleEffects::kAtEnd;
  const Snapshot& snapshot = *ctx.snapshot;
  const PolicyRule& rule = snapshot.policy->rules()[index];
  if ((rule.effects.log & kLogged) == 0) return false;
  const auto suppressed = ctx.rule_log.take(index, ctx.now);
  if (!suppressed) {
    ctx.counters.rule_events_suppressed.add();
    return false;
  }
  event.time_ns = ctx.now;
  event.suppressed = *suppressed;
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
  flow.policy_rule.assign(rule.id);
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
    event.policy_action = word_of(ctx.snapshot->policy->rules()[rule].action);
    ctx.events.push(event);
  }
}

void log_refused(WorkerContext& ctx, const FirstPacket& packet, const FirstDecision& decision,
                 uint16_t length) {
  log_watched(ctx, packet, decision, length);
  inspection::Event event;
  if (decision.policy.rule == kDefaultDeny ||
      !begin_event(ctx, packet, decision, decision.policy.rule, event))
    return;
  event.kind = inspection::EventKind::drop;
  event.packet_length = length;
  event.drop_reason.assign(info(decision.drop).name);
  ctx.events.push(event);
}

}  // namespace weir::dataplane
