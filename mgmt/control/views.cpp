#include "mgmt/control/views.h"

namespace weir::control {

using namespace dataplane;

AttachmentHealthView attachment_health_view(const HealthView& health, NanoTime now) {
  AttachmentHealthView view;
  view.state = to_string(health.state);
  view.since_s = now > health.since ? (now - health.since) / kNanosPerSecond : 0;
  view.reason = health.reason;
  view.dampened = health.dampened;
  view.flaps = health.flaps;
  if (health.rtt) view.rtt_us = *health.rtt / kNanosPerMicro;
  view.rx_packets = health.totals.rx_packets;
  view.rx_bytes = health.totals.rx_bytes;
  view.tx_packets = health.totals.tx_packets;
  view.tx_bytes = health.totals.tx_bytes;
  return view;
}

std::vector<WorkerView> worker_views(const Dataplane& dataplane, const std::vector<uint32_t>& cores) {
  std::vector<WorkerView> views;
  for (unsigned w = 0; w < dataplane.workers(); ++w) {
    const WorkerCounters& c = dataplane.counters(static_cast<WorkerIndex>(w));
    const inspection::InspectorCounters& i = dataplane.inspection_counters(static_cast<WorkerIndex>(w));
    uint64_t dropped = 0;
    for (const Counter& reason : c.dropped) dropped += reason.get();
    WorkerView view{w, w < cores.size() ? cores[w] : 0, {}};
    view.counters = {
        {"rx", c.rx.get()},
        {"tx", c.tx.get()},
        {"forwarded", c.forwarded.get()},
        {"punted", c.punted.get()},
        {"handed_over", c.handed_over.get()},
        {"taken_over", c.taken_over.get()},
        {"answered", c.answered.get()},
        {"consumed", c.consumed.get()},
        {"generated", c.generated.get()},
        {"dropped", dropped},
        {"sessions", c.sessions_live.get()},
        {"sessions_created", c.sessions_created.get()},
        {"sessions_expired", c.sessions_expired.get()},
        {"redecided_policy", c.redecided_policy.get()},
        {"redecided_route", c.redecided_route.get()},
        {"redecided_cut", c.redecided_cut.get()},
        {"resets_sent", c.resets_sent.get()},
        {"inspected_packets", c.inspected_packets.get()},
        {"inspected_bytes", i.bytes},
        {"alerts", i.alerts},
        {"inspection_drops", i.drops},
        {"scan_errors", i.scan_errors},
        {"events_lost", c.events_lost.get()},
        {"notes_lost", c.notes_lost.get()},
        {"turns", c.turns.get()},
        {"idle_turns", c.idle_turns.get()},
        {"bursts", c.bursts.get()},
    };
    views.push_back(std::move(view));
  }
  return views;
}

TopView top_view(const Dataplane& dataplane, const std::vector<uint32_t>& cores, uint64_t stall_us) {
  TopView view{dataplane.now(), dataplane.cycles_per_second(), stall_us, {}};
  for (unsigned w = 0; w < dataplane.workers(); ++w) {
    const WorkerCounters& c = dataplane.counters(static_cast<WorkerIndex>(w));
    const ProfileCounters& p = dataplane.profile(static_cast<WorkerIndex>(w));
    TopWorkerView worker{w, w < cores.size() ? cores[w] : 0, {}, {}};
    worker.counters = {
        {"busy_ns", p.busy_ns.get()},
        {"idle_ns", p.idle_ns.get()},
        {"turns", c.turns.get()},
        {"idle_turns", c.idle_turns.get()},
        {"bursts", c.bursts.get()},
        {"rx", c.rx.get()},
        {"taken_over", c.taken_over.get()},
        {"tx", c.tx.get()},
        {"stalls", p.stalls.get()},
        {"longest_ns", p.longest_ns.get()},
        {"sampled_turns", p.sampled_turns.get()},
    };
    for (size_t s = 0; s < kStageCount; ++s) {
      const auto& stage = p.stages[s];
      worker.stages.push_back({kStageNames[s], stage.cycles.get(), stage.packets.get(), stage.calls.get()});
    }
    view.workers.push_back(std::move(worker));
  }
  return view;
}

std::vector<DropView> drop_views(const Dataplane& dataplane) {
  std::vector<DropView> views;
  for (size_t r = 1; r < kDropReasonCount; ++r) {
    const auto reason = static_cast<DropReason>(r);
    uint64_t count = dataplane.control_dropped(reason);
    for (unsigned w = 0; w < dataplane.workers(); ++w) {
      count += dataplane.counters(static_cast<WorkerIndex>(w)).dropped[r].get();
    }
    const DropReasonInfo& about = info(reason);
    views.push_back({about.name, about.stage, about.help, count});
  }
  return views;
}

namespace {

constexpr std::string_view kStateNames[] = {
    "free",        "active",      "syn_sent", "syn_received", "established",
    "fin_forward", "fin_reverse", "closing",  "reset",
};
static_assert(std::size(kStateNames) == static_cast<size_t>(SessionState::count_));

std::string rule_name(const Snapshot& snapshot, uint32_t rule) {
  const auto& rules = snapshot.policy->rules();
  return rule < rules.size() ? rules[rule].id : "default";
}

RouteView route_view(const model::Model& model, const model::RouteRecord& route, const NextHop& hop,
                     bool exposed) {
  RouteView view;
  view.prefix = net::to_string(route.prefix);
  view.attachment = model.attachment_name(hop.attachment);
  if (hop.has_via) view.via = net::to_string(hop.via);
  view.weight = hop.weight;
  view.kind = exposed ? "exposed" : "own";
  if (exposed) view.from_domain = model.domain_name(hop.domain);
  return view;
}

/// `from_domain`: whose it is, if it is exposed.
RouteView blackhole_view(const model::RouteRecord& route, const std::string& from_domain) {
  return {net::to_string(route.prefix), "", "", 0, "blackhole", from_domain};
}

}  // namespace

SessionView session_view(const SessionRow& row, const Snapshot& snapshot, const model::Model& names,
                         NanoTime now) {
  SessionView view;
  view.id =
      std::to_string(row.worker) + "-" + std::to_string(row.index) + "-" + std::to_string(row.generation);
  view.worker = row.worker;
  view.protocol = row.tuple.protocol;
  view.src = net::to_string(row.tuple.src);
  view.dst = net::to_string(row.tuple.dst);
  view.src_port = row.tuple.src_port;
  view.dst_port = row.tuple.dst_port;
  view.from = names.domain_name(row.from);
  view.to = names.domain_name(row.to);
  view.ingress = names.attachment_name(row.ingress);
  view.egress = names.attachment_name(row.egress);
  view.rule = rule_name(snapshot, row.rule);
  view.state = row.state < SessionState::count_ ? kStateNames[static_cast<size_t>(row.state)] : "unknown";
  view.inspected = (row.flags & Session::kInspected) != 0;
  view.dropped = (row.flags & Session::kDropped) != 0;
  for (int d = 0; d < 2; ++d) {
    view.packets[d] = row.packets[d];
    view.bytes[d] = row.bytes[d];
  }
  view.age_s = now > row.start_ns ? (now - row.start_ns) / kNanosPerSecond : 0;
  view.idle_s = (static_cast<uint64_t>(row.idle_ticks) << Tick::kShift) / kNanosPerSecond;
  return view;
}

Result<std::vector<DomainRoutesView>> route_views(const model::Model& model,
                                                  const std::optional<std::string>& domain) {
  std::vector<DomainRoutesView> views;
  for (const auto& [name, id] : model.ids.domains.names()) {
    if (domain && name != *domain) continue;
    DomainRoutesView view{name, {}};
    const model::DomainRoutes& routes = model.routes[id.index()];
    for (const auto& route : routes.own) {
      if (route.blackhole()) view.routes.push_back(blackhole_view(route, ""));
      for (const NextHop& hop : route.members) view.routes.push_back(route_view(model, route, hop, false));
    }
    for (const DomainId peer : routes.peers) {
      for (const auto& route : model.routes[peer.index()].own) {
        if (route.blackhole()) view.routes.push_back(blackhole_view(route, model.domain_name(peer)));
        for (const NextHop& hop : route.members) view.routes.push_back(route_view(model, route, hop, true));
      }
    }
    views.push_back(std::move(view));
  }
  if (domain && views.empty()) return fail(ErrorCode::not_found, "there is no domain \"" + *domain + "\"");
  return views;
}

}  // namespace weir::control
