// Control: what it tells of itself and of what is configured.
#include <unordered_map>
#include <utility>

#include "mgmt/config/choices.h"
#include "mgmt/control/control.h"

namespace weir::control {

using namespace dataplane;

void Control::configured(ConfiguredParts parts, ConfiguredReply reply) {
  const auto all = std::make_shared<Configured>();
  const auto read = [this, all, routes = parts.routes] {
    all->config = *file_.settings;
    model_->write_to(all->config, &all->origins, routes);
  };
  const auto answer = [this, all, parts, reply = std::move(reply)](const Status& done) {
    if (!done) return reply(tl::unexpected(done.error()));
    if (parts.counts) add_counts(*all);
    if (parts.nat) {
      all->pools = pool_views(parts_.dataplane.current());
      all->servers = server_views(parts_.dataplane.current());
    }
    reply(std::shared_ptr<const Configured>(all));
  };
  const size_t things = model_->policy_work() + model_->attachments().size() + model_->domains().size();
  if (parts.routes || things > kWorkPerTurn) return read_beside({read, answer});
  read();
  answer({});
}

void Control::routes(RoutesQuery query, RoutesReply reply) {
  if (query.max <= kRoutesPerTurn && model_->absent() <= kRoutesPerTurn)
    return reply(routes_view(*model_, query));
  const auto view = std::make_shared<Result<RoutesView>>();
  read_beside({[this, view, query = std::move(query)] { *view = routes_view(*model_, query); },
               [view, reply = std::move(reply)](const Status& done) {
                 if (!done) return reply(tl::unexpected(done.error()));
                 reply(std::move(*view));
               }});
}

void Control::add_counts(Configured& all) const {
  const auto count = [this](RuleIndex rule) {
    const RuleHit hit = rule_counts_.of(rule);
    RuleCountView view{hit.sessions, std::nullopt};
    const NanoTime now = parts_.dataplane.now();
    if (hit.last_ns != 0) view.last_s = now > hit.last_ns ? (now - hit.last_ns) / kNanosPerSecond : 0;
    return view;
  };
  std::unordered_map<std::string_view, RuleIndex> places;
  const auto& rules = parts_.dataplane.current().policy->rules();
  for (RuleIndex r = 0; r < rules.size(); ++r) places.emplace(rules[r].id, r);
  for (const config::PolicyRule& rule : all.config.policy) {
    const auto at = places.find(rule.id);
    all.rules.push_back(at != places.end() ? count(at->second) : RuleCountView{});
  }
  all.default_deny = count(kDefaultDeny);
}

TopView Control::top() {
  parts_.dataplane.watch(parts_.dataplane.now() + kWatch);
  const config::Workers& workers = file_.settings->workers;
  return top_view(parts_.dataplane, workers.cores, workers.stall_us);
}

void Control::sessions(size_t max, SessionsReply reply) {
  const uint64_t listing = next_listing_++;
  listings_.emplace(listing, std::move(reply));
  parts_.dataplane.list_sessions(max, [this, listing](const std::vector<SessionRow>& rows) {
    const auto waiting = listings_.extract(listing);
    if (waiting.empty()) return;
    SessionsView view;
    for (const SessionRow& row : rows) {
      view.rows.push_back(session_view(row, parts_.dataplane.current(), now_));
    }
    for (unsigned w = 0; w < parts_.dataplane.workers(); ++w) {
      view.total += parts_.dataplane.counters(static_cast<WorkerIndex>(w)).sessions_live.get();
    }
    waiting.mapped()(std::move(view));
  });
}

namespace {

/// As in "vxlan 10", "gre key 7", "lan0.20".
std::string tunnel_text(const Attachment& a, const std::vector<model::PortFacts>& ports) {
  const Tunnel& t = a.tunnel;
  switch (t.kind) {
    case TunnelKind::vxlan:
      return "vxlan " + std::to_string(t.id);
    case TunnelKind::geneve:
      return "geneve " + std::to_string(t.id);
    case TunnelKind::gre:
      return t.keyed ? "gre " + std::to_string(t.id) : "gre";
    case TunnelKind::ipip:
      return "ipip";
    case TunnelKind::native: {
      std::string text = ports[t.port].name;
      if (t.outer_vlan != 0) text += "." + std::to_string(t.outer_vlan);
      return t.vlan != 0 ? text + "." + std::to_string(t.vlan) : text;
    }
  }
  return {};
}

std::string end_text(const Attachment& a, const net::IpAddress& address) {
  return a.shape == OuterShape::native ? "-" : net::to_string(address);
}

std::string_view driver_name(config::PortDriver driver) {
  if (driver == config::PortDriver::memory) return "memory";  // no file can ask for one
  return config::name_of(config::kPortDrivers, driver);
}

}  // namespace

StatusView Control::status() const {
  const config::Config& config = *file_.settings;
  StatusView view;
  view.hub = config.hub_name;
  view.version = parts_.version;
  view.uptime_s = (now_ - started_) / kNanosPerSecond;
  view.workers = worker_views(parts_.dataplane, config.workers.cores);
  for (size_t i = 0; i < parts_.ports.size() && i < config.ports.size(); ++i) {
    const Port& port = *parts_.ports[i];
    view.ports.push_back({port.name(), std::string(driver_name(config.ports[i].driver)),
                          net::to_string(facts_.ports[i].mac), port.mtu(), port.link_up()});
  }
  for (const auto& [name, record] : model_->attachments()) {
    const Attachment* there = model_->tables().attachments->find(record.id);
    if (there == nullptr) continue;  // it is being made
    const Attachment& a = *there;
    view.attachments.push_back(
        {a.name, record.config.domain, tunnel_text(a, facts_.ports), end_text(a, a.tunnel.local),
         end_text(a, a.tunnel.remote),
         a.shape == OuterShape::native || paths_.resolved({a.tunnel.local, a.tunnel.remote}), a.mtu,
         attachment_health_view(health_.view(a.id), now_), record.origin == model::Origin::file});
  }
  view.profiles = file_.profiles;
  view.pools = pool_views(parts_.dataplane.current());
  view.held = parts_.dataplane.held();
  const NeighborCounters& n = neighbors_.counters();
  view.neighbors = {{"known", parts_.adjacencies.size()},
                    {"requests", n.requests},
                    {"learnt", n.learnt},
                    {"refused", n.refused},
                    {"ignored", n.ignored},
                    {"unresolved", n.unresolved},
                    {"lost", n.lost},
                    {"evicted", n.evicted},
                    {"icmp_errors_sent", icmp_errors_.sent()},
                    {"icmp_errors_limited", icmp_errors_.rate_limited()},
                    {"path_mtus_lowered", path_mtus_.lowered()},
                    {"path_mtus_refused", path_mtus_.refused()}};
  const HealthCounters& h = health_.counters();
  view.health = {{"probes_sent", h.sent},
                 {"probes_answered", h.answered},
                 {"probes_unanswered", h.unanswered},
                 {"probes_no_neighbor", h.no_neighbor},
                 {"looks_late", h.late},
                 {"changes", h.changes}};
  view.config_file = config.file;
  view.reloads = reload_count_;
  view.last_reload = last_reload_;
  for (unsigned w = 0; w < parts_.dataplane.workers(); ++w) {
    view.events_lost += parts_.dataplane.counters(static_cast<WorkerIndex>(w)).events_lost.get();
  }
  view.control_stalls = stalls_;
  return view;
}

}  // namespace weir::control
