#include "mgmt/control/control.h"

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <utility>

#include "dataplane/net/headers.h"
#include "dataplane/net/parse.h"
#include "mgmt/model/apply_routes.h"

namespace weir::control {

using namespace dataplane;

namespace {

constexpr size_t kPacketsPerTurn = 256;
constexpr NanoTime kUnderlayTick = 100 * kNanosPerMilli;

NeighborLimits neighbor_limits(const config::Config& config) {
  return {config.limits.held_packets, config.limits.held_per_neighbor,
          config.limits.neighbors_per_attachment};
}

uint64_t random_seed() {
  std::random_device random;
  return static_cast<uint64_t>(random()) << 32 | random();
}

/// What leads an attachment's packets to the hub, if they come by this port.
void add_steering(const Attachment& attachment, const model::PortFacts& port, std::set<SteerRule>& rules) {
  const Tunnel& tunnel = attachment.tunnel;
  if (tunnel.kind == TunnelKind::native) {
    const uint16_t first_tag = tunnel.outer_vlan != 0 ? tunnel.outer_vlan : tunnel.vlan;
    if (tunnel.port == port.index) rules.insert({.vlan = first_tag});
    return;
  }
  const bool here = std::any_of(port.addresses.begin(), port.addresses.end(),
                                [&](const net::InterfaceAddress& a) { return a.address == tunnel.local; });
  if (!here) return;
  if (over_udp(tunnel.kind)) {
    rules.insert({tunnel.local, tunnel.udp_port});
  } else if (tunnel.kind == TunnelKind::gre) {
    rules.insert({tunnel.local, 0, net::kProtoGre});
  } else {
    if (tunnel.inner != InnerFamilies::ipv6) rules.insert({tunnel.local, 0, net::kProtoIpv4});
    if (tunnel.inner != InnerFamilies::ipv4) rules.insert({tunnel.local, 0, net::kProtoIpv6});
  }
}

}  // namespace

Control::Control(ControlParts parts, model::StartFacts facts, InForce in_force, NanoTime now)
    : parts_(std::move(parts)),
      facts_(std::move(facts)),
      in_force_(std::move(in_force)),
      paths_(parts_.underlay, path_mtus_, parts_.log),
      neighbors_(parts_.dataplane, parts_.adjacencies, neighbor_limits(*in_force_.config)),
      health_(parts_.dataplane, parts_.board, neighbors_, random_seed(),
              [this](const HealthTransition& transition) { on_health(transition); }),
      icmp_errors_(parts_.dataplane, in_force_.config->limits.icmp_errors_per_second),
      now_(now),
      started_(now) {
  paths_.use(in_force_.model->hops);
  neighbors_.on_unreachable([this](const Punt& punt) { icmp_errors_.on_unreachable(punt, now_); });
}

Status Control::start() {
  if (Status steered = steer(nullptr); !steered) return steered;
  make_peer_adjacencies();
  underlay_changed();
  watch_attachments(nullptr);
  return {};
}

/// Brings what is watched in line with the model. `before`: the one before, if there was one.
void Control::watch_attachments(const model::Model* before) {
  const auto id_of = [](const model::Model& model, const config::Attachment& a) {
    return model.ids.attachments.find(model::attachment_key(a.domain, a.name));
  };
  if (before != nullptr) {
    before->attachments->for_each([&](const Attachment& a) {
      if (in_force_.model->attachments->find(a.id) != nullptr) return;
      health_.remove(a.id);
      withdrawn_.erase(a.id);
    });
  }
  for (const config::Attachment& a : in_force_.config->attachments) {
    const auto id = id_of(*in_force_.model, a);
    if (!id) continue;
    health_.add(*id, a.health, now_);
    // With other settings it begins again, as unknown.
    if (health_.view(*id).state != HealthState::down && withdrawn_.erase(*id) != 0) recompile_wanted_ = true;
  }
}

void Control::on_health(const HealthTransition& transition) {
  AttachmentChange change;
  change.at = now_;
  change.attachment = in_force_.model->attachment_name(transition.attachment);
  if (const Attachment* a = parts_.dataplane.current().attachment(transition.attachment)) {
    change.domain = in_force_.model->domain_name(a->domain);
  }
  change.state = transition.change.to;
  change.was = transition.change.from;
  change.reason = to_string(transition.change.reason);
  const auto level = change.state == HealthState::down ? spdlog::level::warn : spdlog::level::info;
  parts_.log.log(level, "attachment {} is {}, was {}: {}", change.attachment, to_string(change.state),
                 to_string(change.was), change.reason);
  const bool withdraw = transition.withdraw && change.state == HealthState::down;
  const bool moved = withdraw ? withdrawn_.insert(transition.attachment).second
                              : withdrawn_.erase(transition.attachment) != 0;
  if (moved) start_build(false);
  if (parts_.on_attachment_change) parts_.on_attachment_change(change);
}

bool Control::turn(NanoTime now, bool underlay_ready) {
  now_ = now;
  bool worked = parts_.mailbox.run() != 0;
  bool changed = underlay_ready && parts_.underlay.process();
  if (now >= next_underlay_tick_) {
    next_underlay_tick_ = now + kUnderlayTick;
    changed |= parts_.underlay.tick(now);
    changed |= take_kernel_icmp();
    changed |= path_mtus_.tick(now);
  }
  if (changed) underlay_changed();
  worked |= take_packets();
  neighbors_.tick(now);
  worked |= health_.tick(now);
  parts_.dataplane.housekeeping();
  if (parts_.dataplane.now() > now + kStall) ++stalls_;
  return worked || changed;
}

bool Control::take_packets() {
  const auto notes = parts_.dataplane.take_notes(kPacketsPerTurn);
  bool underlay_moved = false;
  for (const NeighborNote& note : notes) {
    if (note.attachment.valid()) {
      neighbors_.on_note(note, now_);
    } else {
      underlay_moved |= parts_.underlay.on_neighbor_note(note.port, note.address, note.mac);
    }
  }
  if (underlay_moved) underlay_changed();
  const auto punts = parts_.dataplane.take_punts(kPacketsPerTurn);
  for (const Punt& punt : punts) on_punt(punt);
  return !notes.empty() || !punts.empty();
}

void Control::on_punt(const Punt& punt) {
  switch (punt.reason) {
    case PuntReason::resolve:
      return neighbors_.on_punt(punt, now_);
    case PuntReason::ttl_exceeded:
    case PuntReason::mtu_exceeded:
      return icmp_errors_.on_punt(punt, now_);
    case PuntReason::underlay_icmp: {
      net::EthView eth;
      const bool whole = net::parse_ethernet(punt.frame, eth) == net::ParseError::none;
      const bool changed = whole && on_underlay_icmp(read_too_big(punt.frame.subspan(eth.offset)));
      parts_.dataplane.discard(punt, DropReason::none);
      if (changed) underlay_changed();
      return;
    }
    case PuntReason::underlay_arp: {
      const bool changed = parts_.underlay.on_neighbor_frame(punt.port, punt.frame);
      parts_.dataplane.discard(punt, DropReason::none);  // it has served its purpose
      if (changed) underlay_changed();
      return;
    }
  }
  parts_.dataplane.discard(punt, DropReason::punt_unwanted);
}

/// What an ICMP error for one of the hub's underlay addresses said. True: a path's MTU went down.
bool Control::on_underlay_icmp(const std::optional<TooBig>& said) {
  const auto is_ours = [this](const TooBig& about) {
    bool ours = false;
    in_force_.model->attachments->for_each([&](const Attachment& a) { ours |= is_about(about, a.tunnel); });
    return ours;
  };
  return path_mtus_.on_icmp(said, is_ours, now_);
}

bool Control::take_kernel_icmp() {
  bool changed = false;
  std::array<uint8_t, 1'024> buffer;
  for (const underlay::IcmpSocket* socket : parts_.icmp) {
    for (size_t i = 0; i < PathMtus::kPerSecond; ++i) {
      const auto bytes = socket->take(buffer);
      if (bytes.empty()) break;
      const bool v4 = socket->family() == net::Family::ipv4;
      changed |= on_underlay_icmp(v4 ? read_too_big(bytes) : read_too_big_message(net::Family::ipv6, bytes));
    }
  }
  return changed;
}

void Control::underlay_changed() {
  if (paths_.refresh()) start_build(false);
}

void Control::reload(ChangeReply reply) {
  constexpr size_t kMaxWaiting = 16;
  if (reloads_waiting_.size() >= kMaxWaiting) {
    return reply({{"too many reloads are waiting already"}, {}, {}});
  }
  reloads_waiting_.push_back(std::move(reply));
  start_build(true);
}

void Control::transact(config::ModelChanges changes, ChangeReply reply) {
  enqueue({std::move(changes), false, std::move(reply)});
}

void Control::try_out(config::ModelChanges changes, ChangeReply reply) {
  enqueue({std::move(changes), true, std::move(reply)});
}

void Control::enqueue(Transaction transaction) {
  constexpr size_t kMaxWaiting = 16;
  if (transactions_waiting_.size() >= kMaxWaiting) {
    return transaction.reply({{"too many transactions are waiting already"}, {}, {}});
  }
  transactions_waiting_.push_back(std::move(transaction));
  start_build(false);
}

/// Reloads go first, one transaction to a build.
void Control::take_transaction(BuildJob& job) {
  if (job.reread || transactions_waiting_.empty()) return;
  transaction_building_ = std::move(transactions_waiting_.front());
  transactions_waiting_.pop_front();
  job.changes = std::move(transaction_building_->changes);
}

/// One build at a time: what comes meanwhile is gathered into the one after it.
void Control::start_build(bool reread) {
  if (building_) {
    recompile_wanted_ |= !reread && transactions_waiting_.empty();
    return;
  }
  building_ = true;
  recompile_wanted_ = false;
  std::swap(reloads_building_, reloads_waiting_);
  auto job = std::make_shared<BuildJob>(BuildJob{!reloads_building_.empty(), in_force_, facts_,
                                                 paths_.table(), released_attachments_, released_domains_});
  job->withdrawn = withdrawn_;
  take_transaction(*job);
  parts_.builder.run([this, job, &mailbox = parts_.mailbox] {
    auto outcome = std::make_shared<BuildOutcome>(run_build_or_explain(std::move(*job)));
    mailbox.deliver([this, outcome] { finish_build(*outcome); });
  });
}

void Control::finish_build(BuildOutcome& outcome) {
  const bool dry_run = transaction_building_ && transaction_building_->dry_run;
  const bool install_it = !dry_run && outcome.compiled.has_value() && widen_steering(outcome);
  if (!dry_run) {
    for (const std::string& note : outcome.notes) parts_.log.warn("{}", note);
    for (const std::string& problem : outcome.problems) parts_.log.error("{}", problem);
  }
  if (install_it) install(outcome);
  answer_transaction(outcome);
  answer_reload(outcome);
  building_ = false;
  if (recompile_wanted_ || !reloads_waiting_.empty() || !transactions_waiting_.empty()) {
    start_build(!reloads_waiting_.empty());
  }
}

/// Lets in what the new model takes beside what the old one does. False: the kernel refuses, all is steered
/// as before, and the problem is in `outcome`.
bool Control::widen_steering(BuildOutcome& outcome) {
  const Status widened = steer(&outcome.compiled->model);
  if (widened) return true;
  outcome.problems.push_back(widened.error().message);
  if (const Status back = steer(nullptr); !back) parts_.log.error("{}", back.error().message);
  return false;
}

/// Connections and policy change with the one store that publishes the snapshot: a worker has the old ones or
/// the new ones, never a mixture that is looser than both. Routes let nothing through by themselves, so they
/// change around it, and what lets packets in is widened before and narrowed after.
void Control::install(BuildOutcome& outcome) {
  model::CompiledModel& compiled = *outcome.compiled;
  const auto erase_given_back = [](auto& released, const auto& given_back) {
    std::erase_if(released, [&](auto id) {
      return std::find(given_back.begin(), given_back.end(), id) != given_back.end();
    });
  };
  erase_given_back(released_attachments_, outcome.job.released_attachments);
  erase_given_back(released_domains_, outcome.job.released_domains);

  const std::shared_ptr<const model::Model> before = in_force_.model;
  outcome.next.model = std::make_shared<const model::Model>(std::move(compiled.model));
  model::withdraw_routes(*facts_.routes, *in_force_.model, *outcome.next.model);
  parts_.dataplane.publish(std::move(compiled.snapshot));
  if (const Status added = model::add_routes(*facts_.routes, *in_force_.model, *outcome.next.model); !added) {
    parts_.log.error("routes: {}", added.error().message);
  }
  settle_routes();
  in_force_ = std::move(outcome.next);
  // What stays steered too long does no harm: workers know no tunnel for it.
  if (const Status narrowed = steer(nullptr); !narrowed) parts_.log.error("{}", narrowed.error().message);
  parts_.log.set_level(spdlog::level::from_str(in_force_.config->log.level));

  auto retired = paths_.use(in_force_.model->hops);
  if (!retired.empty()) {
    // Workers may still read these hops through the snapshot before.
    parts_.dataplane.after_quiescence([retired = std::move(retired)] {});
  }
  neighbors_.on_snapshot();
  make_peer_adjacencies();
  watch_attachments(before.get());
  purge(compiled);
  underlay_changed();
}

void Control::make_peer_adjacencies() {
  in_force_.model->attachments->for_each([&](const Attachment& a) {
    if (a.ethernet) return;
    if (const Status made = neighbors_.add_peer(a.id); !made)
      parts_.log.error("attachment {}: {}", a.name, made.error().message);
  });
}

/// Sessions learn of changed routes, and their memory is freed, when no worker stands in an old one any more.
void Control::settle_routes() {
  auto pending = std::make_shared<Routes::PendingPtr>(facts_.routes->take_pending());
  if (*pending == nullptr) return;
  parts_.dataplane.after_quiescence([this, pending] { facts_.routes->finish(std::move(*pending)); });
}

/// Sessions first, then packets that are under way between workers: only when neither names an id any more
/// may it be given out again.
void Control::purge(const model::CompiledModel& compiled) {
  for (const AttachmentId id : compiled.removed_attachments) {
    const AdjacencyId peer = parts_.adjacencies.find(id, net::IpAddress{});
    parts_.adjacencies.remove(peer);
    parts_.dataplane.purge_attachment(id, [this, id, peer] {
      parts_.dataplane.after_quiescence([this, id, peer] {
        parts_.adjacencies.release(peer);
        released_attachments_.push_back(id);
      });
    });
  }
  for (const DomainId id : compiled.removed_domains) {
    parts_.dataplane.purge_domain(id, [this, id] {
      parts_.dataplane.after_quiescence([this, id] { released_domains_.push_back(id); });
    });
  }
}

/// Each af_xdp port takes the tunnel traffic to its own addresses: of the model in force and of `also`.
/// Goes on after a failure; the first is returned.
Status Control::steer(const model::Model* also) {
  Status result;
  for (const auto& [port, steering] : parts_.steering) {
    std::set<SteerRule> rules;
    for (const model::Model* m : {in_force_.model.get(), also}) {
      if (m == nullptr) continue;
      m->attachments->for_each([&](const Attachment& a) { add_steering(a, facts_.ports[port], rules); });
    }
    const Status set = steering->set({rules.begin(), rules.end()});
    if (set || !result) continue;
    result =
        fail(set.error().code, "port " + facts_.ports[port].name +
                                   ": tunnel traffic cannot be steered to the hub: " + set.error().message);
  }
  return result;
}

void Control::answer_reload(const BuildOutcome& outcome) {
  if (reloads_building_.empty()) return;
  if (outcome.problems.empty()) {
    ++reloads_;
    last_reload_ = "ok";
    for (const std::string& change : outcome.changes) parts_.log.info("reload: {}", change);
    parts_.log.info("configuration reloaded");
  } else {
    last_reload_ = "refused: " + outcome.problems.front();
    parts_.log.error("configuration not reloaded; nothing was changed");
  }
  for (const ChangeReply& reply : reloads_building_)
    reply({outcome.problems, outcome.notes, outcome.changes});
  reloads_building_.clear();
}

void Control::answer_transaction(const BuildOutcome& outcome) {
  if (!transaction_building_) return;
  const Transaction transaction = *std::exchange(transaction_building_, std::nullopt);
  if (!transaction.dry_run) {
    for (const std::string& change : outcome.changes) parts_.log.info("changed: {}", change);
    if (!outcome.problems.empty()) parts_.log.error("changes refused; nothing was changed");
  }
  transaction.reply({outcome.problems, outcome.notes, outcome.changes});
}

void Control::abandon() {
  listings_.clear();
  if (transaction_building_)
    transactions_waiting_.push_front(*std::exchange(transaction_building_, std::nullopt));
  for (const Transaction& waiting : std::exchange(transactions_waiting_, {}))
    waiting.reply({{"the hub is stopping"}, {}, {}});
  for (auto* waiting : {&reloads_building_, &reloads_waiting_}) {
    for (const ChangeReply& reply : std::exchange(*waiting, {})) reply({{"the hub is stopping"}, {}, {}});
  }
}

TopView Control::top() {
  parts_.dataplane.watch(parts_.dataplane.now() + kWatch);
  const config::Workers& workers = in_force_.config->workers;
  return top_view(parts_.dataplane, workers.cores, workers.stall_us);
}

void Control::sessions(size_t max, SessionsReply reply) {
  const uint64_t listing = next_listing_++;
  listings_.emplace(listing, std::move(reply));
  parts_.dataplane.list_sessions(max, [this, listing](std::vector<SessionRow> rows) {
    const auto waiting = listings_.extract(listing);
    if (waiting.empty()) return;
    SessionsView view;
    for (const SessionRow& row : rows) {
      view.rows.push_back(session_view(row, parts_.dataplane.current(), *in_force_.model, now_));
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
  switch (driver) {
    case config::PortDriver::af_xdp:
      return "af_xdp";
    case config::PortDriver::af_packet:
      return "af_packet";
    case config::PortDriver::pcap:
      return "pcap";
    case config::PortDriver::null:
      return "null";
    case config::PortDriver::pci:
      return "pci";
    case config::PortDriver::memory:
      return "memory";
  }
  return "?";
}

}  // namespace

StatusView Control::status() const {
  const config::Config& config = *in_force_.config;
  StatusView view;
  view.hub = config.hub_name;
  view.version = parts_.version;
  view.uptime_s = (now_ - started_) / kNanosPerSecond;
  view.workers = worker_views(parts_.dataplane, config.workers.cores);
  for (size_t i = 0; i < parts_.ports.size() && i < config.ports.size(); ++i) {
    const Port& port = *parts_.ports[i];
    view.ports.push_back({port.name(), std::string(driver_name(config.ports[i].driver)),
                          net::to_string(port.mac()), port.mtu(), port.link_up()});
  }
  in_force_.model->attachments->for_each([&](const Attachment& a) {
    view.attachments.push_back(
        {a.name, in_force_.model->domain_name(a.domain), tunnel_text(a, facts_.ports),
         end_text(a, a.tunnel.local), end_text(a, a.tunnel.remote),
         a.shape == OuterShape::native || paths_.resolved({a.tunnel.local, a.tunnel.remote}), a.mtu,
         attachment_health_view(health_.view(a.id), now_)});
  });
  view.profiles = in_force_.profiles;
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
  view.reloads = reloads_;
  view.last_reload = last_reload_;
  for (unsigned w = 0; w < parts_.dataplane.workers(); ++w) {
    view.events_lost += parts_.dataplane.counters(static_cast<WorkerIndex>(w)).events_lost.get();
  }
  view.control_stalls = stalls_;
  return view;
}

}  // namespace weir::control
