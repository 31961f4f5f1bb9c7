// Text of rules, bytes and transactions by hand, for tests of detection.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inspection/detect/detector.h"
#include "inspection/rules/language.h"

namespace weir::inspection::test {

inline std::span<const uint8_t> octets(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

inline ast::ParsedRuleset parse_text(std::string_view text) {
  ast::ParsedRuleset parsed;
  ast::RuleReader().read("test.rules", text, parsed);
  for (const ast::Issue& issue : parsed.issues) {
    ADD_FAILURE() << issue.line << ":" << issue.column << " " << issue.keyword << ": " << issue.message;
  }
  return parsed;
}

inline ast::RuleVariables test_variables() {
  ast::RuleVariables variables = ast::RuleVariables::defaults();
  variables.addresses["HOME_NET"] = "10.0.0.0/8";
  variables.addresses["EXTERNAL_NET"] = "!$HOME_NET";
  return variables;
}

inline std::shared_ptr<const DetectionProfile> make_profile(std::string_view rules,
                                                            InspectMode mode = InspectMode::ids,
                                                            std::shared_ptr<FlowBitNames> names = nullptr) {
  const ast::ParsedRuleset parsed = parse_text(rules);
  const ast::RuleVariables variables = test_variables();
  DetectionCompileOptions options;
  options.variables = &variables;
  options.flowbit_names = std::move(names);
  auto ruleset = DetectionRuleset::compile(parsed, options);
  if (!ruleset) {
    ADD_FAILURE() << ruleset.error().message;
    return nullptr;
  }
  for (const ast::Issue& issue : (*ruleset)->issues()) ADD_FAILURE() << issue.sid << ": " << issue.message;
  auto profile = DetectionProfile::bind(*ruleset, variables, mode);
  if (!profile) {
    ADD_FAILURE() << profile.error().message;
    return nullptr;
  }
  return *profile;
}

/// What a test looks at of an alert.
struct SeenAlert {
  uint32_t sid = 0;
  std::optional<uint64_t> transaction;
  bool blocked = false, would_block = false, from_stream = false;
  Direction direction = Direction::to_server;
};

class CollectingSink final : public AlertSink {
 public:
  void alert(const RuleAlert& alert) override {
    SeenAlert seen;
    seen.sid = alert.rule->sid;
    if (alert.transaction != nullptr) seen.transaction = alert.transaction->id;
    seen.blocked = alert.blocked;
    seen.would_block = alert.would_block;
    seen.from_stream = alert.from_stream;
    seen.direction = alert.direction;
    alerts.push_back(seen);
  }
  /// The sids since the last call, in the order in which they came.
  std::vector<uint32_t> take() {
    std::vector<uint32_t> sids;
    for (const SeenAlert& seen : alerts) sids.push_back(seen.sid);
    alerts.clear();
    return sids;
  }
  void fuse(const RuleInfo& rule, uint32_t) override { fuses.push_back(rule.sid); }
  std::vector<SeenAlert> alerts;
  void explained(const RuleInfo&, const RuleStep& step) override { steps.push_back(step); }
  std::vector<uint32_t> fuses;  // of which rules
  std::vector<RuleStep> steps;
};

/// A transaction whose buffers a test fills by hand.
class FakeTransaction final : public Transaction {
 public:
  explicit FakeTransaction(AppProtocol protocol, uint8_t last_step) : protocol_(protocol), last_(last_step) {}

  AppProtocol protocol() const override { return protocol_; }
  uint8_t progress(Direction d) const override { return progress_[static_cast<size_t>(d)]; }
  uint8_t last_step(Direction) const override { return last_; }
  std::optional<BufferView> buffer(BufferId buffer_id, Direction d, uint32_t instance) override {
    const auto list = buffers_.find({buffer_id, d});
    if (list == buffers_.end() || instance >= list->second.size()) return std::nullopt;
    const Value& value = list->second[instance];
    BufferView view;
    view.bytes = octets(value.bytes);
    view.old_size = value.judged;
    view.complete = value.complete;
    return view;
  }
  std::optional<uint64_t> number(NumberId number_id, Direction, uint32_t instance) const override {
    const auto list = numbers_.find(number_id);
    if (list == numbers_.end() || instance >= list->second.size()) return std::nullopt;
    return list->second[instance];
  }
  size_t file_count(Direction d) const override {
    const auto names = buffers_.find({BufferId::file_name, d});
    return names != buffers_.end() ? names->second.size() : 0;
  }
  void judged(BufferId buffer_id, Direction d) override {
    const auto list = buffers_.find({buffer_id, d});
    if (list != buffers_.end()) list->second[0].judged = list->second[0].bytes.size();
  }

  void advance(Direction d, uint8_t progress) { progress_[static_cast<size_t>(d)] = progress; }
  void set(BufferId buffer_id, Direction d, std::string value) {
    buffers_[{buffer_id, d}] = {{std::move(value), 0, true}};
  }
  void add(BufferId buffer_id, Direction d, std::string value) {
    buffers_[{buffer_id, d}].push_back({std::move(value), 0, true});
  }
  /// More of a buffer that grows.
  void grow(BufferId buffer_id, Direction d, std::string_view more, bool complete) {
    std::vector<Value>& list = buffers_[{buffer_id, d}];
    if (list.empty()) list.push_back({"", 0, false});
    list[0].bytes += more;
    list[0].complete = complete;
  }
  /// As if the buffer were new.
  void judge_again(BufferId buffer_id, Direction d) { buffers_[{buffer_id, d}][0].judged = 0; }
  void set(NumberId number_id, std::vector<uint64_t> values) { numbers_[number_id] = std::move(values); }

 private:
  struct Value {
    std::string bytes;
    size_t judged = 0;
    bool complete = true;
  };
  AppProtocol protocol_;
  uint8_t last_;
  std::array<uint8_t, 2> progress_{};
  std::map<std::pair<BufferId, Direction>, std::vector<Value>> buffers_;
  std::map<NumberId, std::vector<uint64_t>> numbers_;
};

/// One worker's detection, and one session through it.
class DetectionBench {
 public:
  explicit DetectionBench(std::shared_ptr<const DetectionProfile> profile, DetectorLimits limits = {},
                          std::shared_ptr<RuleMemory> memory = few_marks())
      : profile_(std::move(profile)), pool_(size_t{1} << 20) {
    auto made = Detector::create(0, limits, pool_, std::move(memory));
    if (!made) {
      ADD_FAILURE() << made.error().message;
      return;
    }
    detector_ = std::move(*made);
    packet.ip = octets("E");  // a real one: its header is not read
    packet.src = net::Ipv4{0x0a000001};
    packet.dst = net::Ipv4{0xc0000201};
    packet.src_port = 40'000;
    packet.dst_port = 80;
    packet.protocol = 6;
    packet.time_ns = 1'000'000'000;
    facts.established = true;
  }
  ~DetectionBench() {
    if (detector_) detector_->forget(session);
    EXPECT_EQ(pool_.used(), 0u) << "detection kept memory of what it had to forget";
  }
  DetectionBench(const DetectionBench&) = delete;
  DetectionBench& operator=(const DetectionBench&) = delete;

  static std::shared_ptr<RuleMemory> few_marks() {
    return RuleMemory::create({.host_marks = 1'024, .dataset_values = 1'024}, 1).value();
  }

  /// Turns the packet around.
  void from(Direction d) {
    if (packet.direction == d) return;
    packet.direction = d;
    std::swap(packet.src, packet.dst);
    std::swap(packet.src_port, packet.dst_port);
  }
  DetectionVerdict inspect(std::span<const StreamView> streams = {},
                           std::span<Transaction* const> transactions = {}) {
    return detector_->inspect(*profile_, session, {packet, facts, streams, transactions, packet_judged},
                              sink);
  }
  /// A datagram, or a segment outside the stream.
  std::vector<uint32_t> datagram(std::string_view payload, uint8_t protocol = 17) {
    packet.protocol = protocol;
    packet.payload = octets(payload);
    packet.stream_part = false;
    verdict = inspect();
    return sink.take();
  }
  /// A segment that continues the stream of its direction, and moves `transaction`, unless null.
  std::vector<uint32_t> segment(std::string_view payload, Transaction* transaction = nullptr) {
    packet.protocol = 6;
    packet.payload = octets(payload);
    packet.stream_part = true;
    std::string& stream = streams_[static_cast<size_t>(packet.direction)];
    const size_t old = stream.size();
    stream += payload;
    StreamView view;
    view.direction = packet.direction;
    const size_t hidden = std::min(hidden_, old);
    view.view.bytes = octets(stream).subspan(hidden);
    view.view.base = hidden;
    view.view.old_size = old - hidden;
    view.view.complete = false;
    verdict = inspect({&view, 1}, std::span(&transaction, transaction != nullptr ? 1 : 0));
    return sink.take();
  }
  /// Of streams so many bytes are no longer in the window, of what has been there; more than before.
  void hide(size_t bytes) { hidden_ = std::max(hidden_, bytes); }
  /// A packet that moves `transaction`.
  std::vector<uint32_t> move(Transaction& transaction) {
    packet.payload = {};
    facts.protocol = transaction.protocol();
    Transaction* const list[] = {&transaction};
    verdict = inspect({}, list);
    return sink.take();
  }
  void forget(Transaction& transaction) { detector_->forget(transaction); }
  /// What comes is another session's.
  void new_session() { detector_->forget(session); }
  void use(std::shared_ptr<const DetectionProfile> profile) { profile_ = std::move(profile); }
  const DetectorCounters& counters() const { return detector_->counters(); }

  PacketView packet;
  SessionFacts facts;
  SessionDetection session;
  CollectingSink sink;
  DetectionVerdict verdict;
  bool packet_judged = false;

 private:
  std::shared_ptr<const DetectionProfile> profile_;
  BytePool pool_;
  std::unique_ptr<Detector> detector_;
  std::array<std::string, 2> streams_;
  size_t hidden_ = 0;
};

using Sids = std::vector<uint32_t>;

}  // namespace weir::inspection::test
