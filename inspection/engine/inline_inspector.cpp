// The Inspector of inspector.h: the hub's sessions on the engine, packets in their order, inline.
#include <algorithm>
#include <new>
#include <utility>

#include "dataplane/net/headers.h"
#include "inspection/engine/engine.h"
#include "inspection/engine/inline_events.h"
#include "inspection/engine/inline_packet.h"
#include "inspection/engine/ruleset.h"
#include "inspection/inspector.h"
#include "inspection/memory/domain_memory.h"
#include "inspection/memory/domain_share.h"

namespace weir::inspection {

namespace {

constexpr uint32_t kIndexBits = 24;  // of a handle; the rest is a generation
constexpr uint32_t kIndexMask = (1U << kIndexBits) - 1;
constexpr uint32_t kNoFlow = kIndexMask;

constexpr uint64_t kNoQuota = UINT64_MAX / 4;

constexpr uint32_t kFullSegment = 2'048;  // what a record of a segment of 1,460 bytes takes

struct Flow {
  FlowInfo info;
  EngineSession* session = nullptr;          // from the first packet on
  DomainMemory::Account* account = nullptr;  // of the initiator's domain, while it is open
  bool open = false;
  bool dropped = false;
  bool is_inline = false;       // how `session` puts its streams together
  bool in_transaction = false;  // counted so, with its rules' generation
  bool rejects = false;         // a rule that was decided between two packets tells both ends
  uint8_t generation = 0;
  uint8_t drops_told = 0;  // by direction, as bits
  Refused dropped_for = Refused::rule;
  uint32_t rules = 0;       // the generation that it was judged by last
  uint32_t dropped_by = 0;  // sid
  uint32_t next_free = 0;
};
static_assert(sizeof(Flow) <= InspectorLimits::kFlowBytes);

/// What the pool gives meanwhile is a domain's, and not more than its share.
class Charge {
 public:
  Charge(BytePool& pool, DomainMemory::Account& account, uint64_t share)
      : pool_(pool), account_(account), before_(pool.used()) {
    const auto left = static_cast<int64_t>(share) - account.bytes;
    pool_.set_quota(before_ + static_cast<uint64_t>(std::max<int64_t>(left, 0)));
  }
  ~Charge() {
    account_.bytes += static_cast<int64_t>(pool_.used() - before_);
    pool_.lift_quota();
  }
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;

 private:
  BytePool& pool_;
  DomainMemory::Account& account_;
  const uint64_t before_;
};

/// Meanwhile the engine tells how far the rule gets that somebody asks about, if it is this session.
class Watched {
 public:
  Watched(Engine& engine, InlineEvents& events, RuleWatch::Question* question)
      : engine_(engine), events_(events), question_(question) {
    if (question_ == nullptr) [[likely]]
      return;
    engine_.explain(question_->rule());
    events_.set_question(question_);
  }
  ~Watched() {
    if (question_ == nullptr) [[likely]]
      return;
    engine_.explain({});
    events_.set_question(nullptr);
    question_->judged();
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

 private:
  Engine& engine_;
  InlineEvents& events_;
  RuleWatch::Question* const question_;
};

EngineSettings settings_of(const InspectorLimits& limits) {
  EngineSettings settings;
  settings.memory = limits.memory();
  settings.bypass_done = true;
  settings.stream_window = limits.stream_window;
  settings.session_records = std::max(limits.out_of_order_segments, 1U) * kFullSegment;
  settings.detector.work_per_rule = limits.rule_work;
  settings.detector.pcre_steps = limits.regex_steps;
  return settings;
}

class InlineInspector final : public Inspector {
 public:
  InlineInspector(std::unique_ptr<Engine> engine, std::shared_ptr<RuleMemory> memory,
                  const InspectorLimits& limits, const EventSettings& events)
      : memory_(std::move(memory)),
        engine_(std::move(engine)),
        flows_(limits.flows),
        domain_flows_(domain_share(limits.flows, limits.domain_share)),
        domain_bytes_(limits.domain_share >= 100
                          ? kNoQuota
                          : domain_share(engine_->pool().capacity(), limits.domain_share)),
        events_(events, counters_) {
    counters_.exceptions = &engine_->counters().exceptions;
    for (uint32_t i = 0; i < limits.flows; ++i) flows_[i].next_free = i + 1 < limits.flows ? i + 1 : kNoFlow;
  }
  ~InlineInspector() override {
    for (Flow& flow : flows_) {
      if (flow.session != nullptr) let_go(flow);
    }
  }

  FlowHandle open(const FlowInfo& info) override;
  Verdict inspect(FlowHandle handle, const RulesInUse& rules, const Packet& packet, EventSink& sink) override;
  void finish(FlowHandle handle, uint64_t now_ns, EventSink& sink) override;
  uint64_t end(FlowHandle handle, const RulesInUse& rules, uint64_t now_ns, uint64_t wall_seconds,
               EventSink& sink) override;
  Told told_magic() override;
  uint64_t take_magic(const Told& told, const RulesInUse* rules, uint64_t now_ns, uint64_t wall_seconds,
                      EventSink& sink) override;
  AppProtocols protocols(FlowHandle handle) const override;
  void close(FlowHandle handle) override;
  const InspectorCounters& counters() const override { return counters_; }
  const Engine& engine() const override { return *engine_; }

 private:
  const Flow* find(FlowHandle handle) const {
    const uint32_t index = (handle.value & kIndexMask) - 1;
    if (!handle.valid() || index >= flows_.size()) return nullptr;
    const Flow& flow = flows_[index];
    return flow.open && flow.generation == handle.value >> kIndexBits ? &flow : nullptr;
  }
  Flow* find(FlowHandle handle) { return const_cast<Flow*>(std::as_const(*this).find(handle)); }
  const Ruleset& rules_for(Flow& flow, const RulesInUse& rules);
  void note_transaction(Flow& flow, bool in_transaction);
  EngineVerdict judge(Flow& flow, EnginePacket& packet, const Ruleset& ruleset);
  void note_memory() { counters_.memory += engine_->pool().used() - counters_.memory; }
  void note_lost_marks() {
    const DetectorCounters& detection = engine_->detection();
    const uint64_t lost = detection.thresholds_lost + detection.hostbits_lost;
    counters_.host_marks_lost += lost - counters_.host_marks_lost;
    counters_.expectations_lost += engine_->counters().expectations_lost - counters_.expectations_lost;
    counters_.identities_lost += engine_->counters().identities_lost - counters_.identities_lost;
    counters_.fuses_blown += detection.fuses_blown - counters_.fuses_blown;
    counters_.dataset_values_lost += detection.dataset_values_lost - counters_.dataset_values_lost;
  }
  void note_magic();
  FlowHandle handle_of(const Flow& flow) const {
    const auto index = static_cast<uint32_t>(&flow - flows_.data());
    return {static_cast<uint32_t>(flow.generation) << kIndexBits | (index + 1)};
  }
  Verdict refuse(Flow& flow, const EngineVerdict& verdict);
  Verdict conclude(Flow& flow, const EnginePacket& seen, const EngineVerdict& verdict,
                   const SessionSettings& settings);
  Verdict no_memory(Flow& flow, const SessionSettings& settings);
  Refused count_refused(DropReason reason);
  void let_go(Flow& flow) {
    if (flow.session != nullptr) engine_->abandon(flow.session);
    flow.session = nullptr;
  }

  Charge charge(const Flow& flow) { return {engine_->memory(), *flow.account, domain_bytes_}; }

  const std::shared_ptr<RuleMemory> memory_;
  std::unique_ptr<Engine> engine_;
  std::vector<Flow> flows_;
  const uint64_t domain_flows_, domain_bytes_;  // of one domain, at most
  DomainMemory domains_;
  uint32_t free_ = 0;
  uint64_t next_id_ = 1;
  InspectorCounters counters_;
  InlineEvents events_;
  const Packet* packet_ = nullptr;  // the one at hand
  uint64_t settled_work_ = 0;       // of a session that ended with it
};

FlowHandle InlineInspector::open(const FlowInfo& info) {
  if (free_ == kNoFlow) {
    ++counters_.flow_limit;
    return {};
  }
  DomainMemory::Account& account = domains_.of(info.domain[0]);
  if (account.sessions >= domain_flows_) {
    ++counters_.domain_limit;
    return {};
  }
  ++account.sessions;
  const uint32_t index = free_;
  Flow& flow = flows_[index];
  free_ = flow.next_free;
  const uint8_t generation = flow.generation;
  flow = Flow{};
  flow.info = info;
  flow.account = &account;
  flow.open = true;
  flow.generation = generation;
  ++counters_.flows_open;
  return handle_of(flow);
}

void InlineInspector::close(FlowHandle handle) {
  Flow* flow = find(handle);
  if (flow == nullptr) return;
  note_transaction(*flow, false);
  {
    const Charge charged = charge(*flow);
    let_go(*flow);
  }
  --flow->account->sessions;
  note_memory();
  flow->open = false;
  ++flow->generation;
  flow->next_free = free_;
  free_ = static_cast<uint32_t>(flow - flows_.data());
  --counters_.flows_open;
}

/// Those that the session's next packet is judged by, which it has then moved to.
const Ruleset& InlineInspector::rules_for(Flow& flow, const RulesInUse& rules) {
  if (flow.rules == rules.generation) return *rules.now;
  if (flow.session != nullptr) {
    if (flow.in_transaction && rules.before != nullptr && flow.rules + 1 == rules.generation)
      return *rules.before;
    ++counters_.rules_moved;
    if (flow.in_transaction) ++counters_.rules_moved_midst;
  }
  const bool in_transaction = flow.in_transaction;
  note_transaction(flow, false);
  flow.rules = rules.generation;
  note_transaction(flow, in_transaction);
  return *rules.now;
}

void InlineInspector::note_transaction(Flow& flow, bool in_transaction) {
  if (flow.in_transaction == in_transaction) return;
  flow.in_transaction = in_transaction;
  EventCount& count = counters_.in_transaction[flow.rules % counters_.in_transaction.size()];
  in_transaction ? ++count : --count;
}

/// One packet of a session. Its entry is null afterwards if there was no memory for one.
EngineVerdict InlineInspector::judge(Flow& flow, EnginePacket& packet, const Ruleset& ruleset) {
  EngineVerdict verdict;
  // Streams that were watched cannot be answered for, nor the other way round: they are picked up anew.
  const bool is_inline = ruleset.settings().stream.is_inline;
  if (flow.is_inline != is_inline) let_go(flow);
  flow.is_inline = is_inline;
  for (int round = 0; round < 2; ++round) {
    if (flow.session == nullptr) flow.session = engine_->open(packet, next_id_++, ruleset);
    if (flow.session == nullptr) return verdict;
    flow.session->magic.name = handle_of(flow).value;
    flow.session->magic.domain = flow.info.domain[0];
    // The client is not always the initiator: a session may be taken up with its server's packet.
    const bool turned = flow.session->client != flow.info.src;
    flow.session->facts.domain = {flow.info.domain[turned ? 1 : 0], flow.info.domain[turned ? 0 : 1]};
    const FlowEnds& leaves = flow.info.leaves;
    if (flow.info.translated && !turned && leaves.dst != flow.info.dst) {
      flow.session->meant = leaves.dst;
      flow.session->meant_port = leaves.dst_port;
    }
    verdict = engine_->inspect(flow.session, packet, ruleset, events_);
    note_lost_marks();
    note_magic();
    if (!verdict.new_session) break;
    // Its ends begin anew.
    engine_->settle(*flow.session, {packet.view.time_ns, packet.view.wall_seconds}, ruleset, events_);
    settled_work_ = engine_->work();
    let_go(flow);
  }
  return verdict;
}

Verdict InlineInspector::inspect(FlowHandle handle, const RulesInUse& rules, const Packet& packet,
                                 EventSink& sink) {
  Flow* flow = find(handle);
  if (flow == nullptr) return {.action = Action::drop_packet};
  const bool goes_on = flow->session != nullptr && flow->session->pause != nullptr;
  if (!goes_on) {
    ++counters_.packets;
    counters_.bytes += packet.payload.size();
    if (packet.checksum_bad) ++counters_.bad_checksum;
  }
  if (flow->dropped)
    return {.action = Action::drop_session, .why = flow->dropped_for, .sid = flow->dropped_by};
  packet_ = &packet;
  EnginePacket seen = engine_packet(flow->info, packet);
  const Ruleset& ruleset = rules_for(*flow, rules);
  events_.set(flow->info, sink, ruleset.settings().mode == InspectMode::ips, flow->drops_told);
  const Charge charged = charge(*flow);
  const Watched watched(*engine_, events_, memory_->watch->of(flow->info.flow_id));
  const EngineVerdict verdict = judge(*flow, seen, ruleset);
  note_memory();
  note_transaction(*flow, flow->session != nullptr && Engine::in_transaction(*flow->session));
  Verdict out = flow->session == nullptr ? no_memory(*flow, ruleset.settings())
                                         : conclude(*flow, seen, verdict, ruleset.settings());
  out.work = engine_->work() + std::exchange(settled_work_, 0);
  if (out.action == Action::pass && verdict.bypass) {
    ++counters_.bypassed;
    out.bypass = true;
  }
  return out;
}

Verdict InlineInspector::conclude(Flow& flow, const EnginePacket& seen, const EngineVerdict& verdict,
                                  const SessionSettings& settings) {
  if (verdict.unfinished) return {.action = Action::wait};
  if (verdict.failed) ++counters_.scan_errors;
  if (settings.mode != InspectMode::ips) {
    if (verdict.would_drop) ++counters_.would_drop;
    return {};
  }
  if (!verdict.forward) return refuse(flow, verdict);
  if (verdict.failed) return {.action = Action::drop_packet};
  if (!verdict.rewritten) return {};
  if (packet_->writable.size() != packet_->payload.size()) {
    ++counters_.segment_conflicts;
    return {.action = Action::drop_packet, .why = Refused::stream};
  }
  engine_->rewrite(*flow.session, seen, packet_->writable);
  ++counters_.rewritten;
  return {.rewritten = true};
}

Verdict InlineInspector::no_memory(Flow& flow, const SessionSettings& settings) {
  ++counters_.memory_limit;
  const ExceptionPolicy policy =
      settings.policies[static_cast<size_t>(engine_->memory_ceiling(Ceiling::session_memory))];
  const bool whole = policy == ExceptionPolicy::drop_flow || policy == ExceptionPolicy::reject;
  if (!whole && policy != ExceptionPolicy::drop_packet) return {};
  if (settings.mode == InspectMode::ids) return {};
  if (settings.mode == InspectMode::test) {
    ++counters_.would_drop;
    return {};
  }
  if (!whole) return {.action = Action::drop_packet};
  flow.dropped = true;
  flow.dropped_for = Refused::limit;
  ++counters_.drops;
  return {.action = Action::drop_session, .reject = policy == ExceptionPolicy::reject};
}

Refused InlineInspector::count_refused(DropReason reason) {
  switch (reason) {
    case DropReason::rules:
    case DropReason::rate_filter:
    case DropReason::flow_drop:
      return Refused::rule;
    case DropReason::stream_memcap:
      ++counters_.segment_limit;
      return Refused::limit;
    case DropReason::stream_error:
    case DropReason::stream_midstream:
      ++counters_.segment_conflicts;
      return Refused::stream;
    case DropReason::ttl:
      ++counters_.low_ttl;
      return Refused::ttl;
    case DropReason::checksum:
      return Refused::checksum;
    default:
      return Refused::limit;
  }
}

Verdict InlineInspector::refuse(Flow& flow, const EngineVerdict& verdict) {
  const Refused why = count_refused(verdict.reason);
  const bool reject = verdict.reject != RejectTo::nobody || flow.rejects;
  if (!verdict.drop_session) return {.action = Action::drop_packet, .why = why, .reject = reject};
  flow.dropped = true;
  flow.dropped_for = why;
  flow.dropped_by = verdict.rule != nullptr ? verdict.rule->sid : flow.session->detection.dropped_by();
  ++counters_.drops;
  return {.action = Action::drop_session, .why = why, .sid = flow.dropped_by, .reject = reject};
}

void InlineInspector::finish(FlowHandle handle, uint64_t now_ns, EventSink& sink) {
  Flow* flow = find(handle);
  if (flow == nullptr || flow->session == nullptr) return;
  const Charge charged = charge(*flow);  // buffers are made when an event asks for them
  events_.set(flow->info, sink, false, flow->drops_told);
  engine_->tell_open(*flow->session, now_ns, events_);
}

uint64_t InlineInspector::end(FlowHandle handle, const RulesInUse& rules, uint64_t now_ns,
                              uint64_t wall_seconds, EventSink& sink) {
  Flow* flow = find(handle);
  if (flow == nullptr || flow->session == nullptr) return 0;
  const Ruleset& ruleset = rules_for(*flow, rules);
  const Charge charged = charge(*flow);
  events_.set(flow->info, sink, false, flow->drops_told);
  engine_->settle(*flow->session, {now_ns, wall_seconds}, ruleset, events_);
  note_lost_marks();
  return engine_->work();
}

void InlineInspector::note_magic() {
  const MagicCounters* const magic = engine_->magic();
  if (magic == nullptr) [[likely]]
    return;
  const auto copy = [](const EventCount& from, EventCount& to) { to += from - to; };
  copy(magic->asked, counters_.magic_asked);
  copy(magic->told, counters_.magic_told);
  copy(magic->lost, counters_.magic_lost);
  copy(magic->late, counters_.magic_late);
  copy(magic->failed, counters_.magic_failed);
}

Inspector::Told InlineInspector::told_magic() {
  const auto name = engine_->told_magic();
  if (!name) [[likely]] {
    note_magic();
    return {};
  }
  const FlowHandle handle{*name};
  return {handle, find(handle)->info.flow_id};
}

uint64_t InlineInspector::take_magic(const Told& told, const RulesInUse* rules, uint64_t now_ns,
                                     uint64_t wall_seconds, EventSink& sink) {
  Flow& flow = *find(told.flow);
  const Ruleset* const ruleset = rules != nullptr ? &rules_for(flow, *rules) : nullptr;
  const Charge charged = charge(flow);
  const Watched watched(*engine_, events_, memory_->watch->of(flow.info.flow_id));
  events_.set(flow.info, sink, false, flow.drops_told);
  const EngineVerdict verdict = engine_->take_magic(*flow.session, {now_ns, wall_seconds}, ruleset, events_);
  if (verdict.reject != RejectTo::nobody) flow.rejects = true;
  if (verdict.would_drop) ++counters_.would_drop;
  if (verdict.failed) ++counters_.scan_errors;
  note_memory();
  note_lost_marks();
  note_magic();
  note_transaction(flow, Engine::in_transaction(*flow.session));
  return engine_->work();
}

AppProtocols InlineInspector::protocols(FlowHandle handle) const {
  const Flow* flow = find(handle);
  return flow != nullptr && flow->session != nullptr ? protocols_of(*flow->session) : AppProtocols{};
}

}  // namespace

uint64_t InspectorLimits::memory() const {
  const uint64_t session = kSessionBytes + 2 * uint64_t{stream_window};
  return std::max(kLeastMemory, flows * session);
}

Result<std::unique_ptr<Inspector>> Inspector::create(unsigned worker, const InspectorLimits& limits,
                                                     std::shared_ptr<RuleMemory> memory,
                                                     const EventSettings& events) {
  if (limits.flows == 0 || limits.flows >= kNoFlow) {
    return fail(ErrorCode::invalid, "the number of inspected sessions has to lie between 1 and 16777214");
  }
  if (limits.stream_window < 1'024 || limits.stream_window > BytePool::kLargest / 2) {
    return fail(ErrorCode::invalid, "the stream window has to lie between 1024 bytes and 32 KiB");
  }
  if (limits.out_of_order_segments > 1'024) {
    return fail(ErrorCode::invalid, "at most 1024 out-of-order segments may be kept for a direction");
  }
  try {
    auto engine = Engine::create(worker, settings_of(limits), memory);
    if (!engine) return tl::unexpected(std::move(engine.error()));
    return std::unique_ptr<Inspector>(
        std::make_unique<InlineInspector>(std::move(*engine), std::move(memory), limits, events));
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::exhausted,
                "there is too little memory for " + std::to_string(limits.flows) + " inspected sessions");
  }
}

}  // namespace weir::inspection
