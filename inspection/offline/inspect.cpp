#include "inspection/offline/inspect.h"

#include <filesystem>

#include "inspection/detect/saved_sets.h"
#include "inspection/engine/ruleset_builder.h"
#include "inspection/offline/stats.h"

namespace weir::inspection::offline {

namespace {

/// Nobody chooses keys against a tool that is run by hand, and the same capture gives the same events.
constexpr uint64_t kMarkSecret = 0x5851'f42d'4c95'7f2d;

/// The capture's way: decoder -> sessions -> engines.
class Run final : public PacketTaker {
 public:
  Run(const OfflineSettings& settings, std::vector<std::unique_ptr<Engine>> engines, Ruleset rules,
      EveWriter& eve)
      : settings_(settings),
        engines_(std::move(engines)),
        rules_(std::move(rules)),
        eve_(eve),
        defragmenter_(settings.defrag),
        decoder_(settings_.decode, defragmenter_, *this),
        sessions_(settings.timeouts, settings.use_vlans, settings.use_levels) {}

  void all(Capture& capture) {
    Frame frame;
    while (capture.next(frame)) {
      last_ns_ = std::max(last_ns_, frame.time_ns);
      decoder_.decode(frame, capture.link_type());
      sessions_.expire(last_ns_, [this](EngineSession* session, bool) { end(session, "timeout"); });
    }
    sessions_.end_all([this](EngineSession* session, bool) { end(session, "shutdown"); });
    eve_.stats(stats_tree(decoder_.counters(), engines_), last_ns_);
  }

  void take(EnginePacket& packet) override {
    Engine* engine = engines_.front().get();
    EngineSession* session = nullptr;
    if (SessionTable::wants_session(packet)) {
      EngineSession*& slot =
          sessions_.find(packet, [this](EngineSession* over, bool) { end(over, "timeout"); });
      if (slot == nullptr) slot = begin(packet);
      session = slot;
      if (session != nullptr) engine = engine_of(*session);
      const EngineVerdict verdict = engine->inspect(session, packet, rules_, eve_);
      if (!verdict.new_session) return;
      // Its ends begin anew.
      end(session, "tcp_reuse");
      slot = session = begin(packet);
    }
    if (session != nullptr) engine = engine_of(*session);
    engine->inspect(session, packet, rules_, eve_);
  }

 private:
  Engine* engine_of(const EngineSession& session) const {
    return engines_[session.id % engines_.size()].get();
  }
  EngineSession* begin(const EnginePacket& packet) {
    const uint64_t id = next_id_++;
    return engines_[id % engines_.size()]->open(packet, id, rules_);
  }
  void end(EngineSession* session, const char* reason) {
    eve_.set_end_reason(reason);
    engine_of(*session)->end(session, last_ns_, rules_, eve_);
  }

  const OfflineSettings& settings_;
  std::vector<std::unique_ptr<Engine>> engines_;
  Ruleset rules_;
  EveWriter& eve_;
  Defragmenter defragmenter_;
  Decoder decoder_;
  SessionTable sessions_;
  uint64_t next_id_ = 1;
  uint64_t last_ns_ = 0;
};

/// Says which rules were refused; how many.
size_t tell_refused(const ast::ParsedRuleset& rules, const DetectionRuleset& compiled, std::ostream& err) {
  size_t refused = rules.refused;
  for (const ast::Issue& issue : rules.issues) err << "weir: " << ast::to_string(issue, rules) << '\n';
  for (const ast::Issue& issue : compiled.issues()) err << "weir: " << ast::to_string(issue, rules) << '\n';
  return refused + compiled.issues().size();
}

Status run(InspectRequest& request, std::ostream& err, size_t& refused) {
  if (!request.settings.threshold_file.empty()) request.rules.thresholds = request.settings.threshold_file;
  const std::string& classes = request.settings.classification_file;
  if (request.rules.classes.empty() && !classes.empty()) {
    // A suricata.yaml names one that need not be where its captures are looked at.
    std::error_code error;
    if (std::filesystem::exists(classes, error)) {
      request.rules.classes = classes;
    } else {
      err << "weir: " << classes << " is not there: the usual classes are taken\n";
    }
  }
  auto read = read_rules(request.rules);
  if (!read) return tl::unexpected(read.error());
  for (const std::string& note : read->notes) err << "weir: " << note << '\n';
  ast::ParsedRuleset told;  // what remains to be said of them once they are compiled
  told.files = read->rules.files;
  told.issues = std::move(read->rules.issues);
  told.refused = read->rules.refused;
  DetectionCompileOptions options;
  options.workers = request.workers;
  options.variables = &request.settings.variables;
  if (!request.settings.action_order.empty()) options.action_order = request.settings.action_order;
  options.thresholds = &read->thresholds;
  auto compiled = DetectionRuleset::compile(std::move(read->rules), options);
  if (!compiled) return tl::unexpected(std::move(compiled.error()));
  if (!request.quiet) refused = tell_refused(told, **compiled, err);
  std::vector<std::string> unbound;
  const std::shared_ptr<const DetectionRuleset> ruleset = *compiled;
  auto profile = DetectionProfile::bind(ruleset, request.settings.variables, request.settings.session.mode,
                                        DropScope::by_rule, &unbound);
  if (!profile) return tl::unexpected(std::move(profile.error()));
  for (const std::string& sentence : unbound) err << "weir: " << sentence << '\n';
  if (request.strict && refused + unbound.size() > 0) {
    refused += unbound.size();
    return {};
  }
  auto memory = RuleMemory::create({.host_marks = request.settings.host_marks}, kMarkSecret);
  if (!memory) return tl::unexpected(std::move(memory.error()));
  std::vector<std::unique_ptr<Engine>> engines;
  request.settings.engine.detector.reference = request.reference;
  for (unsigned worker = 0; worker < request.workers; ++worker) {
    auto engine = Engine::create(worker, request.settings.engine, *memory);
    if (!engine) return tl::unexpected(std::move(engine.error()));
    engines.push_back(std::move(*engine));
  }
  std::vector<std::string> notes;
  // Answered before the next packet is read, so that one run is as the other.
  const auto magic =
      std::make_shared<FileMagic>(request.workers, MagicSettings{.queue = 1}, FileMagic::Mode::at_once);
  auto started = magic_for(*ruleset, magic, notes);
  for (const std::string& note : notes) err << "weir: " << note << '\n';
  auto eve = EveWriter::open(request.eve, request.settings.eve);
  if (!eve) return tl::unexpected(std::move(eve.error()));
  (*eve)->tell_steps(request.explain);
  auto capture = Capture::open(request.pcap, request.settings.capture_filter);
  if (!capture) return tl::unexpected(std::move(capture.error()));
  Run(request.settings, std::move(engines),
      Ruleset(std::move(*profile), request.settings.session, std::move(started)), **eve)
      .all(*capture);
  // A capture that is cut short is still a capture: what could be read was inspected.
  if (!capture->error().empty()) err << "weir: " << request.pcap << ": " << capture->error() << '\n';
  for (const std::string& problem : save_sets(*ruleset, *(*memory)->values))
    err << "weir: " << problem << '\n';
  return (*eve)->finish();
}

}  // namespace

int run_inspect(InspectRequest request, std::ostream& err) {
  size_t refused = 0;
  if (request.workers == 0) request.workers = 1;
  if (const Status status = run(request, err, refused); !status) {
    err << "weir: " << status.error().message << '\n';
    return kInspectFailed;
  }
  return request.strict && refused > 0 ? kInspectRefused : kInspectOk;
}

}  // namespace weir::inspection::offline
