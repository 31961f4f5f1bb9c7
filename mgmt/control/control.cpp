#include "mgmt/control/control.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <random>
#include <unordered_map>
#include <utility>

#include "dataplane/net/headers.h"
#include "dataplane/net/parse.h"
#include "mgmt/config/choices.h"

namespace weir::control {

using namespace dataplane;

namespace {

constexpr size_t kPacketsPerTurn = 256;
constexpr NanoTime kUnderlayTick = 100 * kNanosPerMilli;
constexpr NanoTime kPoolReport = 10 * kNanosPerSecond;

NeighborLimits neighbor_limits(const config::Config& config) {
  return {config.limits.held_packets, config.limits.held_per_neighbor,
          config.limits.neighbors_per_attachment};
}

uint64_t random_seed() {
  std::random_device random;
  return static_cast<uint64_t>(random()) << 32 | random();
}

ChangeView refused(std::string why) { return {{std::move(why)}, {}, {}, 0}; }

}  // namespace

Control::Control(ControlParts parts, model::StartFacts facts, std::unique_ptr<model::LiveModel> model,
                 FileConfig file, NanoTime now)
    : parts_(std::move(parts)),
      facts_(std::move(facts)),
      model_(std::move(model)),
      file_(std::move(file)),
      steering_(parts_.steering, facts_),
      paths_(parts_.underlay, path_mtus_, parts_.log),
      neighbors_(parts_.dataplane, parts_.adjacencies, neighbor_limits(*file_.settings)),
      health_(parts_.dataplane, parts_.board, neighbors_, random_seed(),
              [this](const HealthTransition& transition) { on_health(transition); }),
      icmp_errors_(parts_.dataplane, file_.settings->limits.icmp_errors_per_second),
      rule_counts_(parts_.dataplane),
      now_(now),
      started_(now),
      compiler_([] { pthread_setname_np(pthread_self(), "weir-compiler"); }) {
  neighbors_.on_unreachable([this](const Punt& punt) { icmp_errors_.on_unreachable(punt, now_); });
  // A model of which nothing was planned yet has none.
  if (const auto& policy = parts_.dataplane.current().policy; policy != nullptr)
    rule_counts_.on_policy(policy);
}

Status Control::start() {
  std::vector<const config::Attachment*> coming;
  for (const auto& [name, record] : model_->attachments()) coming.push_back(&record.config);
  if (Status steered = steering_.widen(coming); !steered) return steered;
  model_->for_each_path([this](const auto& path, const auto& hop) { paths_.add(path, hop); });
  for (const auto& [name, record] : model_->attachments()) health_.add(record.id, record.config.health, now_);
  make_changes();
  return {};
}

void Control::on_health(const HealthTransition& transition) {
  AttachmentChange change;
  change.at = now_;
  if (const Attachment* a = parts_.dataplane.current().attachment(transition.attachment)) {
    change.attachment = a->name;
    change.domain = model_->domain_name(a->domain);
  }
  change.state = transition.change.to;
  change.was = transition.change.from;
  change.reason = to_string(transition.change.reason);
  const auto level = change.state == HealthState::down ? spdlog::level::warn : spdlog::level::info;
  parts_.log.log(level, "attachment {} is {}, was {}: {}", change.attachment, to_string(change.state),
                 to_string(change.was), change.reason);
  withdrawals_.insert_or_assign(transition.attachment,
                                transition.withdraw && change.state == HealthState::down);
  if (parts_.on_attachment_change) parts_.on_attachment_change(change);
}

bool Control::turn(NanoTime now, bool underlay_ready) {
  now_ = now;
  bool worked = parts_.mailbox.run() != 0;
  bool changed = underlay_ready && parts_.underlay.process();
  if (now >= next_underlay_tick_) {
    next_underlay_tick_ = now + kUnderlayTick;
    changed |= parts_.underlay.tick(now);
    take_kernel_icmp();
    changed |= path_mtus_.tick(now);
  }
  if (changed) paths_.ask_all();
  macs_asked_ |= changed;
  worked |= take_packets();
  worked |= paths_.step();
  neighbors_.tick(now);
  worked |= health_.tick(now);
  report_pools();
  parts_.dataplane.housekeeping();
  settle_rules();
  worked |= make_changes();
  purge();
  if (parts_.dataplane.now() > now + kStall) ++stalls_;
  // The workers are quiescent soon.
  return worked || changed || installing_;
}

/// What asks pools for ports in vain is dropped and counted by the workers; here it is told.
void Control::report_pools() {
  if (now_ < next_pool_report_) return;
  next_pool_report_ = now_ + kPoolReport;
  for (const PoolView& pool : pool_views(parts_.dataplane.current())) {
    uint64_t& known = pools_exhausted_[pool.name];
    if (pool.use.exhausted > known) {
      parts_.log.warn("pool {} had no port for {} sessions; {} of them are taken, {} an address and protocol",
                      pool.name, pool.use.exhausted - known, pool.use.taken, pool.capacity / pool.addresses);
    }
    known = pool.use.exhausted;
  }
}

bool Control::take_packets() {
  const auto notes = parts_.dataplane.take_notes(kPacketsPerTurn);
  for (const NeighborNote& note : notes) {
    if (note.attachment.valid()) {
      neighbors_.on_note(note, now_);
    } else if (parts_.underlay.on_neighbor_note(note.port, note.address, note.mac)) {
      paths_.ask_all();
    }
  }
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
    case PuntReason::reject:
      return icmp_errors_.on_reject(punt, now_);
    case PuntReason::underlay_icmp: {
      net::EthView eth;
      const bool whole = net::parse_ethernet(punt.frame, eth) == net::ParseError::none;
      if (whole) on_underlay_icmp(read_too_big(punt.frame.subspan(eth.offset)));
      return parts_.dataplane.discard(punt, DropReason::none);
    }
    case PuntReason::multicast: {
      const Attachment* from = parts_.dataplane.current().attachment(punt.attachment);
      if (from == nullptr || !from->multicast_port) break;  // it changed meanwhile
      const bool sent = parts_.dataplane.send_frame(*from->multicast_port, punt.frame);
      return parts_.dataplane.discard(punt, sent ? DropReason::none : DropReason::punt_full);
    }
    case PuntReason::underlay_arp: {
      if (parts_.underlay.on_neighbor_frame(punt.port, punt.frame)) paths_.ask_all();
      return parts_.dataplane.discard(punt, DropReason::none);  // it has served its purpose
    }
  }
  parts_.dataplane.discard(punt, DropReason::punt_unwanted);
}

/// What an ICMP error for one of the hub's underlay addresses said.
void Control::on_underlay_icmp(const std::optional<TooBig>& said) {
  const auto is_ours = [this](const TooBig& about) {
    const auto users = model_->users_of({about.local, about.remote});
    return std::any_of(users.begin(), users.end(), [&](const model::AttachmentRecord* record) {
      return is_about(about, record->config.tunnel);
    });
  };
  if (path_mtus_.on_icmp(said, is_ours, now_)) paths_.ask({said->local, said->remote});
}

void Control::take_kernel_icmp() {
  std::array<uint8_t, 1'024> buffer;
  for (const underlay::IcmpSocket* socket : parts_.icmp) {
    for (size_t i = 0; i < PathMtus::kPerSecond; ++i) {
      const auto bytes = socket->take(buffer);
      if (bytes.empty()) break;
      const bool v4 = socket->family() == net::Family::ipv4;
      on_underlay_icmp(v4 ? read_too_big(bytes) : read_too_big_message(net::Family::ipv6, bytes));
    }
  }
}

void Control::reload(ChangeReply reply) {
  if (reloads_waiting_.size() >= kMaxWaiting) return reply(refused("too many reloads are waiting already"));
  reloads_waiting_.push_back(std::move(reply));
  start_reading();
}

void Control::reload_rules(ChangeReply reply) {
  if (rule_reloads_waiting_.size() >= kMaxWaiting)
    return reply(refused("too many reloads are waiting already"));
  rule_reloads_waiting_.push_back(std::move(reply));
  start_reading();
}

void Control::transact(config::ModelChanges changes, ChangeReply reply) {
  enqueue({std::move(changes), false, std::move(reply)});
}

void Control::try_out(config::ModelChanges changes, ChangeReply reply) {
  enqueue({std::move(changes), true, std::move(reply)});
}

void Control::enqueue(Request request) {
  if (transactions_waiting_.size() >= kMaxWaiting)
    return request.reply(refused("too many transactions are waiting already"));
  transactions_waiting_.push_back(std::move(request));
}

/// One reload at a time: those that come meanwhile share the one after it.
void Control::start_reading() {
  if (!reloads_.empty() || (reloads_waiting_.empty() && rule_reloads_waiting_.empty())) return;
  whole_reload_ = !reloads_waiting_.empty();
  std::swap(reloads_, reloads_waiting_);
  for (ChangeReply& reply : std::exchange(rule_reloads_waiting_, {})) reloads_.push_back(std::move(reply));
  const auto read = [this](const auto& job) {
    parts_.builder.run([this, job, &mailbox = parts_.mailbox] {
      auto outcome = std::make_shared<ReadOutcome>(read_again_or_explain(job));
      mailbox.deliver([this, outcome] { read_ = outcome; });
    });
  };
  if (whole_reload_) return read(ReadJob{file_.whole, facts_.workers, parts_.names});
  read(RulesJob{file_, facts_.workers, parts_.names});
}

/// What waits to be changed, as far as this turn has time for it. False: there was nothing to do, or a
/// transaction is under way that waits for the workers.
bool Control::make_changes() {
  const bool goes_on = installing_ && installing_->step != Installation::Step::wait;
  if (goes_on) install();
  bool worked = goes_on;
  while (!installing_ && !lent_) {
    std::vector<config::Problem> warnings;
    const bool withdrawn = withdraw_routes(warnings);
    std::vector<AttachmentTable::Retired> retired;
    for (const auto& [path, facts] : paths_.take_changed()) {
      for (auto& old : model_->path_changed(path, facts, warnings)) retired.push_back(std::move(old));
    }
    if (std::exchange(macs_asked_, false)) follow_macs(retired);
    if (!retired.empty()) {
      const auto kept = std::make_shared<std::vector<AttachmentTable::Retired>>(std::move(retired));
      parts_.dataplane.after_grace_period([kept] {});
    }
    log_notes(in_words(warnings));
    settle_routes();
    if (!withdrawn) return true;
    if (!readings_waiting_.empty()) {
      worked = true;
      serve_readings();
      break;
    }
    // At most two sets of rules are alive: a third waits until no session needs the first.
    const bool reload = read_ != nullptr && (!read_->problems.empty() || !rules_moving());
    if (!reload && transactions_waiting_.empty()) break;
    if (worked && parts_.dataplane.now() > now_ + kChangesPerTurn) break;
    worked = true;
    auto next = std::make_shared<Judgement>();
    if (reload) {
      next->read = std::exchange(read_, nullptr);
    } else {
      next->request = std::move(transactions_waiting_.front());
      transactions_waiting_.pop_front();
    }
    begin(std::move(next));
  }
  return worked;
}

/// A part of what attachments that went down, or came up again, take with them. False: there is more.
bool Control::withdraw_routes(std::vector<config::Problem>& warnings) {
  for (const auto& [attachment, withdrawn] : std::exchange(withdrawals_, {}))
    model_->withdraw(attachment, withdrawn);
  return model_->settle_withdrawals(kRoutesPerTurn, warnings);
}

/// Someone gave a port's interface another MAC: attachments have it at once, the workers' ports with a new
/// snapshot.
void Control::follow_macs(std::vector<AttachmentTable::Retired>& retired) {
  bool moved = false;
  for (model::PortFacts& port : facts_.ports) {
    const auto mac = parts_.underlay.port_mac(port.index);
    if (!mac || *mac == port.mac) continue;
    parts_.log.info("port {} has the MAC {} now, was {}", port.name, net::to_string(*mac),
                    net::to_string(port.mac));
    port.mac = *mac;
    for (auto& old : model_->mac_changed(port.index, *mac)) retired.push_back(std::move(old));
    moved = true;
  }
  if (moved) parts_.dataplane.publish(model_->snapshot());
}

void Control::begin(std::shared_ptr<Judgement> next) {
  next->transaction.emplace(*model_, next->read != nullptr ? model::Origin::file : model::Origin::api);
  next->beside = takes_long(*next);
  if (!next->beside) {
    judge(*next);
    return decide(next);
  }
  judging_ = next;
  lend([next = std::move(next)] { judge(*next); },
       [this] {
         auto judged = std::exchange(judging_, nullptr);
         decide(judged);
         let_go(std::move(judged));
       });
}

/// `read` runs beside control, which changes nothing of the model meanwhile; `then` runs here when it has
/// ended.
void Control::lend(std::function<void()> read, std::function<void()> then) {
  lent_ = true;
  compiler_.run([this, read = std::move(read), then = std::move(then), &mailbox = parts_.mailbox]() mutable {
    read();
    read = nullptr;  // what it held is let go of here
    mailbox.deliver([this, then = std::move(then)] {
      lent_ = false;
      for (const auto& change : std::exchange(when_back_, {})) change();
      then();
    });
  });
}

/// Whether judging it goes through the whole of a large policy, the one that is there or the one to come, or
/// through many routes: those that it names, those through attachments that it names, and those of domains
/// that it connects.
bool Control::takes_long(const Judgement& next) const {
  size_t work = model_->policy_work();
  if (next.read != nullptr) {
    if (!next.read->things) return next.read->next.whole != nullptr && work > kWorkPerTurn;
    const config::Config& file = *next.read->next.whole;
    work += file.policy.size() * model::LiveModel::kWorkOfRule;
    for (const config::Group& group : file.objects.groups) work += group.prefixes.size();
    // The file before is let go of with it, and it may name an attachment that many routes lead through.
    return work > kWorkPerTurn || file.routes.size() + file_.whole->routes.size() > kRoutesPerTurn ||
           model_->tables().routes.size() + model_->absent() > kRoutesPerTurn;
  }
  size_t routes = 0, others = 0;
  for (const config::ModelChange& change : next.request.changes) {
    routes += model_->routes_of(change);
    others += !std::holds_alternative<config::Route>(change.subject) &&
              !std::holds_alternative<config::Attachment>(change.subject);
    const auto* group = std::get_if<config::Group>(&change.subject);
    work += group != nullptr ? group->prefixes.size() : 1;
  }
  if (routes > kRoutesPerTurn) return true;
  return others != 0 && work + next.request.changes.size() * model::LiveModel::kWorkOfRule > kWorkPerTurn;
}

/// Control's thread or the compiler's: looks at the model only.
void Control::judge(Judgement& next) {
  try {
    model::Transaction& transaction = *next.transaction;
    if (next.read != nullptr) {
      next.view.problems = std::move(next.read->problems);
      if (!next.view.problems.empty()) return;
      if (next.read->things) next.read->things->add_to(transaction);
      transaction.settings(settings_of(*next.read->next.whole, std::move(next.read->rulesets)));
    }
    for (const config::ModelChange& change : next.request.changes) transaction.add(change);
    next.view.problems = in_words(transaction.check());
    if (!next.view.problems.empty()) return;
    next.changes = transaction.changes();
    if (next.request.dry_run) next.view.notes = in_words(transaction.warnings());
  } catch (const std::bad_alloc&) {  // what it held is free again
    next.view.problems.assign(1, "not enough memory to judge the changes");
  }
}

void Control::decide(const std::shared_ptr<Judgement>& next) {
  Judgement& judged = *next;
  ChangeView& view = judged.view;
  if (judged.read != nullptr) {
    ReadOutcome& outcome = *judged.read;
    if (outcome.next.whole != nullptr) {
      view.changes = std::move(outcome.changes);
      view.changes_total = view.changes.size();
      view.notes = std::move(outcome.notes);
    }
    if (!view.problems.empty() || !plan(next)) return answer_reload(view);
    std::swap(file_, outcome.next);
    parts_.log.set_level(spdlog::level::from_str(file_.settings->log.level));
    return install();
  }
  if (view.problems.empty() && judged.request.dry_run) {
    view.changes = std::move(judged.changes.lines);
    view.changes_total = judged.changes.total;
  } else if (view.problems.empty() && plan(next)) {
    return install();
  } else if (!judged.request.dry_run) {
    for (const std::string& problem : view.problems) parts_.log.debug("refused: {}", problem);
    parts_.log.warn("changes refused, nothing was changed: {}{}", view.problems.front(),
                    view.problems.size() > 1 ? "; and more" : "");
  }
  judged.request.reply(std::move(view));
}

/// What changes what the compiler may be reading waits until it does not.
void Control::unless_lent(std::function<void()> change) {
  if (!lent_) return change();
  when_back_.push_back(std::move(change));
}

void Control::read_beside(Reading reading) {
  if (readings_waiting_.size() >= kMaxWaiting)
    return reading.then(
        fail(ErrorCode::unavailable, "too many requests for all that is configured wait already"));
  readings_waiting_.push_back(std::move(reading));
}

/// All that wait have the same model read.
void Control::serve_readings() {
  struct Read {
    Reading reading;
    Status status;
  };
  const auto all = std::make_shared<std::vector<Read>>();
  for (Reading& waiting : std::exchange(readings_waiting_, {})) all->push_back({std::move(waiting), {}});
  lend(
      [all] {
        for (Read& one : *all) {
          try {
            one.reading.read();
          } catch (const std::bad_alloc&) {  // what it held is free again
            one.status = fail(ErrorCode::exhausted, "not enough memory for a copy of what is configured");
          }
        }
      },
      [this, all] {
        for (const Read& one : *all) one.reading.then(one.status);
        let_go(all);  // whoever asked may have gone
      });
}

/// Gives back the memory of something large, beside control.
void Control::let_go(std::shared_ptr<const void> thing) {
  if (thing == nullptr) return;
  compiler_.run([thing = std::move(thing)]() mutable { thing.reset(); });
}

/// Begins to change the model; install() goes on. False if the kernel refuses to steer what comes to the hub:
/// then nothing was changed, and the view tells so.
bool Control::plan(const std::shared_ptr<Judgement>& next) {
  Judgement& judged = *next;
  model::Transaction& transaction = *judged.transaction;
  ChangeView& view = judged.view;
  std::vector<const config::Attachment*> coming;
  std::vector<config::Attachment> leaving;
  transaction.for_each_attachment([&](const config::Attachment* before, const config::Attachment* now) {
    if (before != nullptr) leaving.push_back(*before);
    if (now != nullptr) coming.push_back(now);
  });
  if (const Status widened = steering_.widen(coming); !widened) {
    view.problems.push_back(widened.error().message);
    return false;
  }
  model::ChangeList& list = judged.changes;
  if (!view.changes.empty())
    list.counts += (list.counts.empty() ? "" : ", ") + ("settings ~" + std::to_string(view.changes.size()));
  std::move(list.lines.begin(), list.lines.end(), std::back_inserter(view.changes));
  view.changes_total += list.total;
  parts_.log.info("changed: {}", list.counts.empty() ? "nothing" : list.counts);
  for (const std::string& line : view.changes) parts_.log.debug("changed: {}", line);
  ChangeReply reply = judged.read != nullptr ? ChangeReply{} : judged.request.reply;
  installing_.emplace(
      Installation{next, transaction.begin_plan(), std::move(leaving), {}, std::move(reply), nullptr});
  for (std::string& warning : in_words(installing_->plan.warnings)) view.notes.push_back(std::move(warning));
  log_notes(view.notes);
  installing_->warned = installing_->plan.warnings.size();
  installing_->view = view;
  return true;
}

/// A large policy, beside control, which changes nothing of the model before it is there.
void Control::compile() {
  installing_->step = Installation::Step::wait;
  compiler_.run([this, &mailbox = parts_.mailbox, &model = *model_] {
    const auto compiled = std::make_shared<model::CompiledPolicy>(model.compile_policy());
    mailbox.deliver([this, compiled] {
      *compiled = model_->take(std::move(*compiled));
      installing_->before = compiled;
      installing_->plan.uncompiled = false;
      installing_->plan.snapshot = model_->snapshot();
      installing_->step = Installation::Step::narrow;
      install();
    });
  });
}

/// See model::Plan: what makes less possible, then the snapshot, then what makes more possible, and no worker
/// is in the midst of two of them. What a turn has no room for is left to the next one.
void Control::install() {
  using Step = Installation::Step;
  Installation& now = *installing_;
  if (now.step == Step::plan) {
    if (!now.judged->transaction->plan_routes(now.plan, kRoutesPerTurn)) return;
    now.judged->transaction->end_plan(now.plan, kWorkPerTurn);
    now.step = Step::narrow;
    if (now.plan.uncompiled) return compile();
  }
  if (now.step == Step::narrow) {
    if (!now.plan.narrow(kRoutesPerTurn)) return settle_routes();
    now.step = Step::widen;
    if (now.plan.snapshot != nullptr) {
      now.step = Step::wait;
      return parts_.dataplane.after_grace_period([this] { publish(); });
    }
  }
  if (!now.plan.widen(kRoutesPerTurn)) return settle_routes();
  finish();
}

void Control::publish() {
  rule_counts_.on_policy(installing_->plan.snapshot->policy);
  parts_.dataplane.publish(std::move(installing_->plan.snapshot));
  parts_.dataplane.after_grace_period([this] {
    installing_->step = Installation::Step::widen;
    install();
  });
}

/// All is made; what follows from it.
void Control::finish() {
  Installation installation = *std::exchange(installing_, std::nullopt);
  model::Plan& plan = installation.plan;
  log_notes(in_words(
      {plan.warnings.begin() + static_cast<std::ptrdiff_t>(installation.warned), plan.warnings.end()}));
  retire(plan);
  for (const auto& path : plan.old_paths) paths_.remove(path);
  for (const auto& [path, hop] : plan.new_paths) paths_.add(path, hop);
  attachments_changed(plan);
  settle_routes();
  if (const Status narrowed = steering_.narrow(installation.leaving); !narrowed)
    parts_.log.error("{}", narrowed.error().message);
  if (!installation.reply) rules_since_ = now_;
  answer(installation);
  if (installation.before == nullptr && !installation.judged->beside) return;
  // There is much to let go of. Workers do not have it any more by then, nor has the last snapshot.
  auto kept = std::make_shared<Installation>(std::move(installation));
  parts_.dataplane.after_grace_period([this, kept = std::move(kept)]() mutable { let_go(std::move(kept)); });
}

bool Control::rules_moving() const { return rules_going_ || !model_->rulesets_before().empty(); }

uint64_t Control::sessions_on_old_rules() const {
  uint64_t sessions = 0;
  for (unsigned w = 0; w < parts_.dataplane.workers(); ++w) {
    const auto& by_generation =
        parts_.dataplane.inspection_counters(static_cast<WorkerIndex>(w)).in_transaction;
    sessions += by_generation[(model_->rules_generation() - 1) % by_generation.size()];
  }
  return sessions;
}

/// Lets the rules before a reload go, once no session is in the midst of a transaction that began with them,
/// or `timeouts.reload_grace` is over: then the rest is moved where it stands.
void Control::settle_rules() {
  if (model_->rulesets_before().empty() || installing_ || lent_) return;
  const NanoTime grace = uint64_t{file_.settings->timeouts.reload_grace} * kNanosPerSecond;
  const uint64_t sessions = sessions_on_old_rules();
  if (sessions != 0 && now_ - rules_since_ < grace) return;
  if (sessions != 0)
    parts_.log.info("{} sessions go on with the new rules in the midst of a transaction", sessions);
  const auto before = std::make_shared<const model::Rulesets>(model_->drop_rulesets_before());
  rules_going_ = true;
  parts_.dataplane.publish(model_->snapshot());
  parts_.dataplane.after_grace_period([this, before] {
    rules_going_ = false;
    let_go(before);
  });
}

RulesView Control::rules() const {
  RulesView view;
  view.generation = model_->rules_generation();
  view.profiles = file_.profiles;
  view.since_s = (now_ - std::max(rules_since_, started_)) / kNanosPerSecond;
  view.before = !model_->rulesets_before().empty();
  view.sessions_before = view.before ? sessions_on_old_rules() : 0;
  view.reload_waits = read_ != nullptr;
  return view;
}

RulesInForce Control::rules_in_force() const {
  return {model_->rulesets(), now_, &parts_.dataplane.rule_memory()};
}

/// Keeps what was replaced until no worker can see it.
void Control::retire(model::Plan& plan) {
  if (plan.retired.empty() && plan.retired_hops.empty() && plan.removed_slots.empty()) return;
  struct Kept {
    std::vector<AttachmentTable::Retired> attachments;
    std::vector<std::shared_ptr<UnderlayHop>> hops;
    std::vector<size_t> slots;
  };
  const auto kept = std::make_shared<Kept>(
      Kept{std::move(plan.retired), std::move(plan.retired_hops), std::move(plan.removed_slots)});
  parts_.dataplane.after_grace_period(
      [this, kept] { unless_lent([this, kept] { model_->tables().tunnels->release(kept->slots); }); });
}

void Control::attachments_changed(const model::Plan& plan) {
  for (const AttachmentId id : plan.removed_attachments) {
    health_.remove(id);
    neighbors_.attachment_changed(id);
  }
  for (const std::string& name : plan.changed_attachments) {
    const model::AttachmentRecord& record = model_->attachments().find(name)->second;
    neighbors_.attachment_changed(record.id);
    health_.add(record.id, record.config.health, now_);
    // With other settings it begins again, as unknown.
    if (model_->withdrawn(record.id) && health_.view(record.id).state != HealthState::down)
      withdrawals_.insert_or_assign(record.id, false);
  }
  const auto append = [](auto& to, const auto& more) { to.insert(to.end(), more.begin(), more.end()); };
  append(gone_attachments_, plan.removed_attachments);
  append(gone_domains_, plan.removed_domains);
  append(gone_adjacencies_, plan.removed_adjacencies);
}

/// Sessions learn of changed routes, and their memory is freed, when no worker stands in an old one any more.
void Control::settle_routes() {
  Routes& routes = model_->tables().routes;
  auto pending = std::make_shared<Routes::PendingPtr>(routes.take_pending());
  if (*pending == nullptr) return;
  parts_.dataplane.after_grace_period(
      [this, &routes, pending] { unless_lent([&routes, pending] { routes.finish(std::move(*pending)); }); });
}

/// One sweep over all sessions at a time, for all ids that went meanwhile: sessions first, then packets that
/// are under way between workers. Only when neither names an id any more may it be given out again.
void Control::purge() {
  if (purging_ || (gone_attachments_.empty() && gone_domains_.empty())) return;
  purging_ = true;
  struct Gone {
    std::vector<AttachmentId> attachments;
    std::vector<DomainId> domains;
    std::vector<AdjacencyId> adjacencies;
  };
  const auto gone = std::make_shared<const Gone>(Gone{std::exchange(gone_attachments_, {}),
                                                      std::exchange(gone_domains_, {}),
                                                      std::exchange(gone_adjacencies_, {})});
  parts_.dataplane.purge(gone->attachments, gone->domains, [this, gone] {
    parts_.dataplane.after_quiescence([this, gone] {
      unless_lent([this, gone] {
        for (const AdjacencyId id : gone->adjacencies) parts_.adjacencies.release(id);
        for (const AttachmentId id : gone->attachments) model_->release(id);
        for (const DomainId id : gone->domains) model_->release(id);
        purging_ = false;
      });
    });
  });
}

void Control::log_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) parts_.log.warn("{}", note);
}

void Control::answer(Installation& installation) {
  if (!installation.reply) return answer_reload(installation.view);
  installation.reply(std::move(installation.view));
}

void Control::answer_reload(const ChangeView& view) {
  for (const std::string& problem : view.problems) parts_.log.error("{}", problem);
  if (view.problems.empty()) {
    if (whole_reload_) ++reload_count_;
    last_reload_ = "ok";
    parts_.log.info("{} reloaded", whole_reload_ ? "configuration" : "rules");
  } else {
    last_reload_ = "refused: " + view.problems.front();
    parts_.log.error("{} not reloaded; nothing was changed", whole_reload_ ? "configuration" : "rules");
  }
  for (const ChangeReply& reply : std::exchange(reloads_, {})) reply(view);
  start_reading();
}

void Control::abandon() {
  listings_.clear();
  readings_waiting_.clear();
  if (judging_ && judging_->read == nullptr) judging_->request.reply(refused("the hub is stopping"));
  if (installing_ && installing_->reply)
    std::exchange(installing_->reply, [](ChangeView) {})(refused("the hub is stopping"));
  for (const Request& waiting : std::exchange(transactions_waiting_, {}))
    waiting.reply(refused("the hub is stopping"));
  for (auto* waiting : {&reloads_, &reloads_waiting_, &rule_reloads_waiting_}) {
    for (const ChangeReply& reply : std::exchange(*waiting, {})) reply(refused("the hub is stopping"));
  }
}

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
  parts_.dataplane.list_sessions(max, [this, listing](std::vector<SessionRow> rows) {
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
