#include "mgmt/control/views.h"

#include <algorithm>
#include <map>
#include <utility>

#include "dataplane/decide/first_packet.h"
#include "inspection/engine/engine.h"

namespace weir::control {

namespace {

/// By EventKind.
constexpr std::string_view kLostOf[] = {
    "events_lost_alert",    "events_lost_drop",     "events_lost_flow",     "events_lost_watch",
    "events_lost_overload", "events_lost_fuse",     "events_lost_http",     "events_lost_tls",
    "events_lost_dns",      "events_lost_ssh",      "events_lost_quic",     "events_lost_smtp",
    "events_lost_ftp",      "events_lost_ftp_data", "events_lost_fileinfo", "events_lost_anomaly"};
static_assert(std::size(kLostOf) == inspection::kEventKinds);

}  // namespace

using namespace dataplane;

AttachmentHealthView attachment_health_view(const HealthView& health, NanoTime now) {
  AttachmentHealthView view;
  view.state = to_string(health.state);
  view.since_s = now > health.since ? (now - health.since) / kNanosPerSecond : 0;
  view.reason = health.reason;
  if (health.received && now > *health.received)
    view.reason += " for " + std::to_string((now - *health.received) / kNanosPerSecond) + " s";
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
    using inspection::Ceiling;
    const auto exceptions = [&](Ceiling ceiling) -> uint64_t {
      return i.exceptions != nullptr ? (*i.exceptions)[static_cast<size_t>(ceiling)].get() : 0;
    };
    const inspection::Engine* const engine = dataplane.inspection_engine(static_cast<WorkerIndex>(w));
    const auto detected = [&](inspection::EventCount inspection::DetectorCounters::*member) -> uint64_t {
      return engine != nullptr ? (engine->detection().*member).get() : 0;
    };
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
        {"resumed", c.resumed.get()},
        {"generated", c.generated.get()},
        {"dropped", dropped},
        {"fragments_held", c.fragments_held.get()},
        {"reassembled", c.reassembled.get()},
        {"sessions", c.sessions_live.get()},
        {"sessions_half_open", c.sessions_half_open.get()},
        {"sessions_created", c.sessions_created.get()},
        {"sessions_expired", c.sessions_expired.get()},
        {"sessions_given_way", c.sessions_given_way.get()},
        {"hosts_untracked", c.hosts_untracked.get()},
        {"pending_sessions", c.pending_sessions.get()},
        {"pending_held", c.pending_held.get()},
        {"pending_full", c.pending_full.get()},
        {"pending_given_up", c.pending_given_up.get()},
        {"pending_timed_out", c.pending_timed_out.get()},
        {"redecided_policy", c.redecided_policy.get()},
        {"redecided_route", c.redecided_route.get()},
        {"redecided_nat", c.redecided_nat.get()},
        {"cut_policy", c.cut_policy.get()},
        {"cut_route", c.cut_route.get()},
        {"cut_nat", c.cut_nat.get()},
        {"nat_bindings", c.nat_bindings.get()},
        {"ftp_controls", c.ftp_controls.get()},
        {"ftp_rewritten", c.ftp_rewritten.get()},
        {"ftp_gathered", c.ftp_gathered.get()},
        {"ftp_untracked", c.ftp_untracked.get()},
        {"tcp_ignored", c.tcp_ignored.get()},
        {"resets_sent", c.resets_sent.get()},
        {"inspected_packets", c.inspected_packets.get()},
        {"inspected_bytes", i.bytes},
        {"alerts", i.alerts},
        {"inspection_drops", i.drops},
        {"scan_errors", i.scan_errors},
        {"inspected_sessions", i.flows_open},
        {"inspection_memory", i.memory},
        {"flow_limit", i.flow_limit},
        {"domain_limit", i.domain_limit},
        {"memory_limit", i.memory_limit},
        {"bypassed", i.bypassed},
        {"segment_limit", i.segment_limit},
        {"segment_conflicts", i.segment_conflicts},
        {"rewritten", i.rewritten},
        {"inspect_held", c.inspect_held.get()},
        {"inspect_waited", c.inspect_waited.get()},
        {"inspect_unseen", c.inspect_unseen.get()},
        {"inspect_full", c.inspect_full.get()},
        {"overloads", c.overloads.get()},
        {"overload_refused", c.overload_refused.get()},
        {"scanned_bytes", detected(&inspection::DetectorCounters::scanned_bytes)},
        {"candidates", detected(&inspection::DetectorCounters::candidates)},
        {"verified", detected(&inspection::DetectorCounters::verified)},
        {"false_candidates", detected(&inspection::DetectorCounters::refuted)},
        {"fuses_blown", i.fuses_blown},
        {"bad_checksum", i.bad_checksum},
        {"low_ttl", i.low_ttl},
        {"would_drop", i.would_drop},
        {"exceptions_session_memory", exceptions(Ceiling::session_memory)},
        {"exceptions_segment_memory", exceptions(Ceiling::reassembly_memory)},
        {"exceptions_midstream", exceptions(Ceiling::midstream)},
        {"exceptions_app_memory", exceptions(Ceiling::app_memory)},
        {"exceptions_transactions", exceptions(Ceiling::app_transactions)},
        {"exceptions_malformed", exceptions(Ceiling::app_malformed)},
        {"exceptions_domain_memory", exceptions(Ceiling::domain_memory)},
        {"exceptions_dns_pointers", exceptions(Ceiling::dns_pointers)},
        {"exceptions_certificates", exceptions(Ceiling::certificates)},
        {"exceptions_rule_work", exceptions(Ceiling::rule_work)},
        {"host_marks_lost", i.host_marks_lost},
        {"expectations_lost", i.expectations_lost},
        {"identities_lost", i.identities_lost},
        {"dataset_values_lost", i.dataset_values_lost},
        {"magic_asked", i.magic_asked},
        {"magic_told", i.magic_told},
        {"magic_lost", i.magic_lost},
        {"magic_late", i.magic_late},
        {"magic_failed", i.magic_failed},
        {"rules_moved", i.rules_moved},
        {"rules_moved_midst", i.rules_moved_midst},
        {"events_lost", c.events_lost.get()},
        {"drop_events_suppressed", c.drop_events_suppressed.get()},
        {"events_cut", i.events_cut},
        {"rule_events_suppressed", c.rule_events_suppressed.get()},
        {"notes_lost", c.notes_lost.get()},
        {"turns", c.turns.get()},
        {"idle_turns", c.idle_turns.get()},
        {"bursts", c.bursts.get()},
    };
    for (size_t kind = 0; kind < inspection::kEventKinds; ++kind)
      view.counters.emplace_back(kLostOf[kind], c.events_lost_of[kind].get());
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
    "free",        "active",      "loose",       "syn_sent", "syn_received",
    "established", "fin_forward", "fin_reverse", "closing",  "reset",
};
static_assert(std::size(kStateNames) == static_cast<size_t>(SessionState::count_));

std::string rule_name(const Snapshot& snapshot, uint32_t rule) {
  const auto& rules = snapshot.policy->rules();
  if (rule >= rules.size()) return "default";
  return rules[rule].id.empty() ? "removed" : rules[rule].id;
}

/// Gathers rows until there are enough.
class RouteRows {
 public:
  RouteRows(const model::LiveModel& model, const RoutesQuery& query) : model_(model), query_(query) {}

  /// All that `domain` sees.
  DomainRoutesView of(const std::string& name, const model::DomainRecord& domain) {
    DomainRoutesView view{name, {}};
    add(domain, std::nullopt, "", view.routes);
    std::map<std::string, Routes::Exposure> peers;
    model_.tables().routes.for_each_connection(domain.id,
                                               [&](DomainId peer, const Routes::Exposure& exposes) {
                                                 peers.emplace(model_.domain_name(peer), exposes);
                                               });
    for (const auto& [peer, exposes] : peers) {
      const auto record = model_.domains().find(peer);
      if (record == model_.domains().end()) continue;
      if (!exposes) {
        add(record->second, std::nullopt, peer, view.routes);
        continue;
      }
      std::vector<net::Prefix> ranges = *exposes;  // none within another one
      std::sort(ranges.begin(), ranges.end());
      const auto end = std::unique(ranges.begin(), ranges.end(),
                                   [](const auto& wide, const auto& p) { return wide.contains(p); });
      for (auto range = ranges.begin(); range != end; ++range) add(record->second, *range, peer, view.routes);
    }
    return view;
  }
  bool full() const { return more_; }

 private:
  /// The routes of `domain` within `range` that are asked for. `from`: its name, if they are exposed.
  void add(const model::DomainRecord& domain, std::optional<net::Prefix> range, const std::string& from,
           std::vector<RouteView>& rows) {
    if (query_.within && (!range || range->contains(*query_.within))) {
      range = query_.within;
    } else if (query_.within && !query_.within->contains(*range)) {
      return;
    }
    auto at = range ? domain.routes.lower_bound(*range) : domain.routes.begin();
    for (; at != domain.routes.end() && !more_ && (!range || range->contains(at->first)); ++at) {
      const RouteTarget* target = model_.tables().routes.find(domain.id, at->first);
      if (target != nullptr) add_route(domain, at->first, *target, from, rows);
    }
  }

  /// A row for each member.
  void add_route(const model::DomainRecord& domain, const net::Prefix& prefix, const RouteTarget& target,
                 const std::string& from, std::vector<RouteView>& rows) {
    const std::string text = net::to_string(prefix);
    const auto add_row = [&](RouteView row) {
      more_ |= rows_ == query_.max;
      if (more_) return;
      ++rows_;
      rows.push_back(std::move(row));
    };
    if (target.members.empty())
      add_row({text, "", "", {}, "blackhole", from, origin(domain, prefix, nullptr)});
    for (const NextHop& hop : target.members) {
      add_row({text, model_.attachment_name(hop.attachment), hop.has_via ? net::to_string(hop.via) : "",
               hop.weight, from.empty() ? "own" : "exposed", from, origin(domain, prefix, &hop)});
    }
  }

  std::string_view origin(const model::DomainRecord& domain, const net::Prefix& prefix,
                          const NextHop* hop) const {
    const auto origin = model_.origin_of(domain, prefix, hop);
    if (!origin) return "gateway";
    return *origin == model::Origin::file ? "file" : "api";
  }

  const model::LiveModel& model_;
  const RoutesQuery& query_;
  size_t rows_ = 0;
  bool more_ = false;
};

}  // namespace

std::string attachment_name(const Snapshot& snapshot, AttachmentId id) {
  const Attachment* attachment = snapshot.attachment(id);
  return attachment != nullptr ? attachment->name : std::string();
}

std::string domain_name(const Snapshot& snapshot, DomainId id) {
  const Domain* domain = snapshot.domain(id);
  return domain != nullptr ? domain->name : std::string();
}

std::string no_such_domain(const Snapshot& snapshot, std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& domain : snapshot.domains) {
    if (domain != nullptr) names.push_back(domain->name);
  }
  return config::no_such("domain", name, names);
}

std::vector<PoolView> pool_views(const Snapshot& snapshot) {
  std::vector<PoolView> views;
  if (snapshot.nat == nullptr) return views;
  for (const dataplane::PoolRule& rule : snapshot.nat->rules().pools) {
    const dataplane::PortPool& pool = *rule.pool;
    PoolView& view = views.emplace_back(PoolView{
        rule.name, domain_name(snapshot, rule.to), pool.addresses(), pool.capacity(), pool.use(), {}});
    for (WorkerIndex w = 0; w < snapshot.workers; ++w) view.workers.push_back(pool.use_of(w));
  }
  return views;
}

std::vector<ServerView> server_views(const Snapshot& snapshot) {
  std::vector<ServerView> views;
  if (snapshot.nat == nullptr) return views;
  for (const dataplane::PublishedRule& rule : snapshot.nat->rules().published) {
    for (size_t i = 0; i < rule.servers.size(); ++i) {
      views.push_back({rule.name, net::to_string(rule.servers[i].address), rule.server_port,
                       rule.servers[i].weight, dataplane::server_reached(snapshot, rule, i)});
    }
  }
  return views;
}

SessionView session_view(const SessionRow& row, const Snapshot& snapshot, NanoTime now) {
  SessionView view;
  view.id = dataplane::flow_id(row.worker, row.index, row.generation);
  view.worker = row.worker;
  view.protocol = row.tuple.protocol;
  view.src = net::to_string(row.tuple.src);
  view.dst = net::to_string(row.tuple.dst);
  view.src_port = row.tuple.src_port;
  view.dst_port = row.tuple.dst_port;
  view.new_src = net::to_string(row.leaves.src);
  view.new_dst = net::to_string(row.leaves.dst);
  view.new_src_port = row.leaves.src_port;
  view.new_dst_port = row.leaves.dst_port;
  view.from = domain_name(snapshot, row.from);
  view.to = domain_name(snapshot, row.to);
  view.ingress = attachment_name(snapshot, row.ingress);
  view.egress = attachment_name(snapshot, row.egress);
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

Result<RoutesView> routes_view(const model::LiveModel& model, const RoutesQuery& query) {
  RouteRows rows(model, query);
  RoutesView view;
  bool known = false;
  for (const auto& [name, record] : model.domains()) {
    if (query.domain && name != *query.domain) continue;
    known = true;
    if (rows.full()) break;
    view.domains.push_back(rows.of(name, record));
  }
  if (query.domain && !known) {
    std::vector<std::string_view> names;
    for (const auto& [name, record] : model.domains()) names.push_back(name);
    return fail(ErrorCode::not_found, config::no_such("domain", *query.domain, names));
  }
  view.more = rows.full();
  return view;
}

}  // namespace weir::control
