// Live sessions after a change of policy, routes or next hops.
#include "dataplane/decide/first_packet.h"
#include "dataplane/stages/session_slow.h"
#include "dataplane/stages/translate.h"
#include "dataplane/worker/half_open.h"
#include "dataplane/worker/policy_log.h"
#include "dataplane/worker/session_life.h"

namespace weir::dataplane {

namespace {

/// What has changed for a session; `route`: that, a next hop, or the way that its packets come.
enum class Change : uint8_t { policy, route, nat };

/// Counters of sessions that were decided again and that were cut, by Change.
constexpr Counter WorkerCounters::*kRedecided[] = {
    &WorkerCounters::redecided_policy, &WorkerCounters::redecided_route, &WorkerCounters::redecided_nat};
constexpr Counter WorkerCounters::*kCut[] = {&WorkerCounters::cut_policy, &WorkerCounters::cut_route,
                                             &WorkerCounters::cut_nat};

void count(WorkerContext& ctx, Counter WorkerCounters::*const (&by_change)[3], Change change) {
  (ctx.counters.*by_change[static_cast<size_t>(change)]).add();
}

/// The session is no longer allowed: it goes, and the packet with it, of which control tells the sender if it
/// is rejected. A later packet that may start a session is judged anew.
Next cut(WorkerContext& ctx, SessionIndex index, Change change, DropReason reason) {
  count(ctx, kCut, change);
  end_session(ctx, index, inspection::FlowEnd::purged);
  return reason == DropReason::policy_reject ? Next::punt(PuntReason::reject) : Next::drop(reason);
}

/// The same of a session that was decided again.
Next cut(WorkerContext& ctx, const PacketMeta& meta, SessionIndex index, Change change,
         const FirstDecision& decision) {
  if (decision.last_step == Step::policy) log_cut(ctx, index, decision, meta.direction, meta.ip_length);
  return cut(ctx, index, change, decision.drop);
}

/// Points one direction at `next_hop`. False: its MAC is not known.
bool point(const Snapshot& snapshot, Session& session, Direction direction, const NextHop& next_hop,
           const net::IpAddress& destination) {
  AdjacencyId& adjacency = session.adjacency[static_cast<size_t>(direction)];
  adjacency = find_adjacency(snapshot, next_hop, destination);
  return adjacency.valid();
}

}  // namespace

FirstPacket first_packet_of(WorkerContext& ctx, SessionIndex index, const Tuple& tuple,
                            AttachmentId ingress) {
  const SessionCold& cold = ctx.sessions->cold(index);
  FirstPacket packet{ingress, tuple, {cold.member[0], cold.member[1]}};
  if (net::is_icmp(tuple.protocol)) packet.icmp_type = cold.tcp_flags[0];
  if ((ctx.sessions->at(index).flags & Session::kTranslated) != 0) {
    const BindingIndex sent_to = ctx.sessions->translation(index).destination_binding;
    if (sent_to != kNoBinding) packet.binding = &ctx.bindings->at(sent_to);
    packet.server = ctx.sessions->leaving(index, Direction::forward).dst;
  }
  if ((ctx.sessions->at(index).flags & Session::kPending) != 0) {
    packet.names = &ctx.pending->names(cold.pending);
  } else {
    const auto& rules = ctx.snapshot->policy->rules();
    const PolicyRule* const own = cold.rule < rules.size() ? &rules[cold.rule] : nullptr;
    ctx.decided_names = DecidedNames(own, cold.policy_version);
    packet.names = &ctx.decided_names;
  }
  return packet;
}

bool take_policy(WorkerContext& ctx, SessionIndex index, const FirstDecision& decision) {
  SessionCold& cold = ctx.sessions->cold(index);
  ctx.sessions->at(index).connection = decision.connection;
  cold.policy_version = decision.policy_version;
  if ((ctx.sessions->at(index).flags & Session::kPending) != 0) return true;
  cold.rule = decision.policy.rule;
  if (set_effects(ctx, index, decision.policy.effects)) arm_session(ctx, index);
  return set_inspection(ctx, index, decision.policy);
}

Next redecide_session(WorkerContext& ctx, PacketMeta& meta, SessionIndex index) {
  const Snapshot& snapshot = *ctx.snapshot;
  Session& session = ctx.sessions->at(index);
  SessionCold& cold = ctx.sessions->cold(index);
  const Tuple tuple = ctx.sessions->tuple(index);
  const FirstPacket packet = first_packet_of(ctx, index, tuple, cold.ingress);

  const bool policy_moved = snapshot.policy->version(session.connection) != cold.policy_version;
  const bool route_moved = snapshot.routes->version(session.route[0]) != cold.route_version[0] ||
                           snapshot.routes->version(session.route[1]) != cold.route_version[1];
  Change change = Change::route;
  if (policy_moved) change = cold.policy_version <= snapshot.nat_changed_at ? Change::nat : Change::policy;
  // Else a next hop went, which no version tells, and each packet asks until there is another one.
  if (policy_moved || route_moved) count(ctx, kRedecided, change);
  bool classified = policy_moved;
  FirstDecision decision =
      policy_moved ? decide_first_packet(snapshot, packet) : decide_route(snapshot, packet);
  if (!classified && decision.drop == DropReason::none && snapshot.policy->by_attachment() &&
      decision.forward.attachment != cold.egress) {
    decision = decide_first_packet(snapshot, packet);
    classified = true;
  }
  // An attachment that is down may come back, and what was allowed is still: the session waits for it.
  if (decision.drop == DropReason::attachment_down) return Next::drop(DropReason::attachment_down);
  if (decision.drop != DropReason::none) return cut(ctx, meta, index, change, decision);
  if (!keeps_translation(ctx, index, decision)) return cut(ctx, index, change, DropReason::nat_changed);
  // In another domain the replies would have another key.
  if (decision.to_domain.index() != session.domain[1]) return cut(ctx, index, change, DropReason::no_route);
  if (classified && !take_policy(ctx, index, decision))
    return cut(ctx, index, change, DropReason::inspect_limit);
  note_routes(session, cold, decision);

  const net::IpAddress& dst = decision.translated.dst;
  const bool forward = point(snapshot, session, Direction::forward, decision.forward, dst);
  const bool reverse = point(snapshot, session, Direction::reverse, decision.reverse, tuple.src);
  if (meta.direction == Direction::forward && !forward) return wait_for(meta, decision.forward, dst);
  if (meta.direction == Direction::reverse && !reverse) return wait_for(meta, decision.reverse, tuple.src);
  return Next::go_on();
}

Next accept_other_ingress(WorkerContext& ctx, PacketMeta& meta, SessionIndex index) {
  const Snapshot& snapshot = *ctx.snapshot;
  Session& session = ctx.sessions->at(index);
  const Tuple tuple = meta.tuple();
  const net::IpAddress source = tuple.src;
  const Attachment& ingress = *snapshot.attachment(meta.ingress);
  const ReverseHop way =
      reverse_hop(snapshot, ingress.domain, source, meta.ingress, ecmp_hash(tuple), !ingress.reverse_path);
  if (!way.found) return Next::drop(DropReason::reverse_path);
  if (meta.direction == Direction::reverse) return Next::go_on();  // asymmetric, but legitimate
  // What still comes by an attachment that is down passes, and the answers keep the way that they have.
  const AdjacencyId current = session.adjacency[static_cast<size_t>(Direction::reverse)];
  if (!snapshot.usable(meta.ingress) && snapshot.adjacencies->is_live(current)) return Next::go_on();
  if (snapshot.policy->by_attachment()) {
    count(ctx, kRedecided, Change::route);
    const FirstDecision decision =
        decide_first_packet(snapshot, first_packet_of(ctx, index, tuple, meta.ingress));
    if (decision.drop == DropReason::attachment_down) return Next::drop(decision.drop);
    if (decision.drop != DropReason::none) return cut(ctx, meta, index, Change::route, decision);
    if (!take_policy(ctx, index, decision)) return cut(ctx, index, Change::route, DropReason::inspect_limit);
  }
  const AdjacencyId back = find_adjacency(snapshot, way.next_hop, source);
  if (!back.valid()) return wait_for(meta, way.next_hop, source);
  session.adjacency[static_cast<size_t>(Direction::reverse)] = back;
  SessionCold& cold = ctx.sessions->cold(index);
  cold.member[1] = name_of(way.next_hop);
  if (!move_half_open(ctx, index, meta.ingress))
    return cut(ctx, index, Change::route, DropReason::half_open_limit);
  return Next::go_on();
}

}  // namespace weir::dataplane
