// Control: changes of what is configured, from the request to the answer.
#include <algorithm>
#include <iterator>
#include <utility>

#include "mgmt/control/control.h"

namespace weir::control {

using namespace dataplane;

namespace {

ChangeView refused(std::string why) { return {{std::move(why)}, {}, {}, 0}; }

}  // namespace

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
  if (whole_reload_) return read(ReadJob{file_.whole, facts_.workers, parts_.share});
  read(RulesJob{file_, facts_.workers, parts_.share});
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
    std::exchange(installing_->reply, [](const ChangeView&) {})(refused("the hub is stopping"));
  for (const Request& waiting : std::exchange(transactions_waiting_, {}))
    waiting.reply(refused("the hub is stopping"));
  for (auto* waiting : {&reloads_, &reloads_waiting_, &rule_reloads_waiting_}) {
    for (const ChangeReply& reply : std::exchange(*waiting, {})) reply(refused("the hub is stopping"));
  }
}

}  // namespace weir::control
