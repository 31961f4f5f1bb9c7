// The NameFinder of names/name_finder.h: sessions whose policy rule waits for a name, on an engine of their
// own that has no rules.
#include "inspection/names/name_finder.h"

#include <utility>
#include <vector>

#include "dataplane/net/headers.h"
#include "inspection/engine/engine.h"
#include "inspection/engine/inline_packet.h"
#include "inspection/engine/ruleset_builder.h"
#include "inspection/engine/session_names.h"

namespace weir::inspection {

namespace {

/// Of what was read, so much is kept for comparison with what comes again.
constexpr uint32_t kKept = 16 * 1'024;

class EngineNames final : public NameFinder, private EngineEvents {
 public:
  EngineNames(std::unique_ptr<Engine> engine, std::shared_ptr<const Ruleset> rules, uint32_t sessions)
      : engine_(std::move(engine)), rules_(std::move(rules)), entries_(sessions) {
    for (uint32_t i = 0; i < sessions; ++i) entries_[i].next_free = i + 1 < sessions ? i + 1 : kNone;
    if (sessions == 0) free_ = kNone;
  }
  ~EngineNames() override {
    for (uint32_t i = 0; i < entries_.size(); ++i) let_go(entries_[i]);
  }

  NameHandle open(const FlowInfo& flow) override;
  void read(NameHandle handle, const Packet& packet) override;
  NameAnswer ask(NameHandle handle, const NameQuestion& question) const override {
    const Entry& entry = entries_[handle.value - 1];
    return entry.names != nullptr ? answer(question, *entry.names) : NameAnswer::given_up;
  }
  bool passes(NameHandle handle) const override;
  void close(NameHandle handle) override;

 private:
  static constexpr uint32_t kNone = ~0u;

  struct Entry {
    FlowInfo flow;
    EngineSession* session = nullptr;
    SessionNames* names = nullptr;  // null: given up
    bool in_order = false;          // the last packet was taken for what its receiver will read
    uint32_t next_free = kNone;
  };

  void let_go(Entry& entry);
  EngineVerdict judge(Entry& entry, EnginePacket& packet);

  // What the engine finds.
  void alert(const EngineSession*, const EnginePacket&, const RuleAlert&) override {}
  void transaction(const EngineSession&, const EnginePacket&, Transaction&) override {}
  void moved(const EngineSession&, const EnginePacket&, std::span<Transaction* const> moved) override {
    at_hand_->names->take(moved);
  }
  void judged(const EngineSession*, const EnginePacket&, const EngineVerdict&) override {}
  void ended(const EngineSession&) override {}

  std::unique_ptr<Engine> engine_;
  std::shared_ptr<const Ruleset> rules_;
  std::vector<Entry> entries_;
  uint32_t free_ = 0;
  uint64_t next_id_ = 1;
  Entry* at_hand_ = nullptr;
};

NameHandle EngineNames::open(const FlowInfo& flow) {
  const bool may_have = flow.protocol == net::kProtoTcp || flow.protocol == net::kProtoUdp;
  if (!may_have || free_ == kNone) return {};
  Entry& entry = entries_[free_];
  auto* const names = make_in<SessionNames>(engine_->memory(), engine_->memory());
  if (names == nullptr) return {};
  const NameHandle handle{free_ + 1};
  free_ = entry.next_free;
  entry.flow = flow;
  entry.names = names;
  entry.in_order = false;
  return handle;
}

void EngineNames::let_go(Entry& entry) {
  if (entry.session != nullptr) engine_->abandon(entry.session);
  entry.session = nullptr;
  destroy_in(engine_->memory(), entry.names);
  entry.names = nullptr;
}

void EngineNames::close(NameHandle handle) {
  Entry& entry = entries_[handle.value - 1];
  let_go(entry);
  entry.next_free = free_;
  free_ = handle.value - 1;
}

EngineVerdict EngineNames::judge(Entry& entry, EnginePacket& packet) {
  EngineVerdict verdict;
  for (int round = 0; round < 2; ++round) {
    if (entry.session == nullptr) entry.session = engine_->open(packet, next_id_++, *rules_);
    if (entry.session == nullptr) return verdict;
    const bool turned = entry.session->client != entry.flow.src;
    entry.session->facts.domain = {entry.flow.domain[turned ? 1 : 0], entry.flow.domain[turned ? 0 : 1]};
    verdict = engine_->inspect(entry.session, packet, *rules_, *this);
    if (!verdict.new_session) break;
    // Its ends begin anew, before anything was said.
    engine_->abandon(std::exchange(entry.session, nullptr));
  }
  return verdict;
}

void EngineNames::read(NameHandle handle, const Packet& packet) {
  if (!handle.valid()) return;
  Entry& entry = entries_[handle.value - 1];
  if (entry.names == nullptr) return;
  at_hand_ = &entry;
  EnginePacket seen = engine_packet(entry.flow, packet);
  const EngineVerdict verdict = judge(entry, seen);
  entry.in_order = verdict.forward;
  const EngineSession* const session = entry.session;
  // No memory; or it contradicts itself, so that nobody knows what its receiver reads.
  if (session == nullptr || session->dropped || verdict.rewritten || session->app_failed ||
      session->client != entry.flow.src) {
    return entry.names->give_up();
  }
  AppProtocol protocol = session->facts.protocol;
  // What the client has begun with is none that has names, whatever the server may answer.
  if (protocol == AppProtocol::unknown && session->facts.app[0] == AppProtocol::failed)
    protocol = AppProtocol::failed;
  entry.names->take_protocol(protocol);
}

bool EngineNames::passes(NameHandle handle) const {
  if (!handle.valid()) return false;
  const Entry& entry = entries_[handle.value - 1];
  const EngineSession* const session = entry.session;
  if (session == nullptr || entry.names == nullptr || !entry.in_order || session->tcp == nullptr)
    return false;
  for (const Direction way : {Direction::to_server, Direction::to_client}) {
    // What waits for bytes before it was not read.
    if (session->tcp->side(way).first != nullptr || !session->side(way).waiting.empty()) return false;
  }
  return entry.names->is_prelude(session->facts.protocol);
}

SessionSettings settings_for_names() {
  SessionSettings settings = hub_settings(InspectMode::ips);
  settings.stream.on_conflict = OnConflict::drop_session;
  settings.ssh_fingerprints = false;
  return settings;
}

}  // namespace

Result<NameFinderFactory> make_name_finders(unsigned workers, const NameFinderLimits& limits) {
  ProfileSpec spec;
  spec.settings = settings_for_names();
  auto built = compile_rules(ast::ParsedRuleset{}, workers, spec);
  if (!built) return tl::unexpected(std::move(built.error()));
  return NameFinderFactory(
      [rules = built->ruleset, limits](
          unsigned worker, std::shared_ptr<RuleMemory> memory) -> Result<std::unique_ptr<NameFinder>> {
        EngineSettings settings;
        settings.memory = limits.memory();
        settings.stream_window = kKept;
        settings.session_records = kKept;
        settings.take_expected = false;
        auto engine = Engine::create(worker, settings, std::move(memory));
        if (!engine) return tl::unexpected(std::move(engine.error()));
        return std::make_unique<EngineNames>(std::move(*engine), rules, limits.sessions);
      });
}

}  // namespace weir::inspection
