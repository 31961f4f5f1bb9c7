// The one implementation of Detector. Included by its own source files only:
// detector.cpp (the way of a packet), rule_checks.cpp (one rule against header, session, buffers),
// transaction_rules.cpp (rules on transactions).
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "inspection/detect/byte_matcher.h"
#include "inspection/detect/detector.h"
#include "inspection/detect/rule_memory.h"
#include "inspection/detect/scratch_bytes.h"
#include "inspection/detect/session_state.h"
#include "inspection/detect/thresholds.h"

namespace weir::inspection {

class DetectorCore final : public Detector {
 public:
  DetectorCore(unsigned worker, const DetectorLimits& limits, BytePool& pool,
               std::shared_ptr<RuleMemory> memory);

  DetectionVerdict inspect(const DetectionProfile& profile, SessionDetection& session,
                           const Inspected& inspected, AlertSink& sink) override;
  void forget(Transaction& transaction) override;
  void forget(SessionDetection& session) override;
  void forget_streams(SessionDetection& session) override;
  void explain(RuleName rule) override;
  const DetectorCounters& counters() const override { return counters_; }

 private:
  /// What one call of inspect() is about.
  struct Call {
    const DetectionProfile& profile;
    const DetectionRuleset& ruleset;
    DetectionScratch& scratch;
    SessionDetection& session;
    const Inspected& inspected;
    const PacketView& packet;
    const SessionFacts& facts;
    std::array<SessionTraits, 2> traits{};  // by direction
  };
  /// A buffer after its transforms, kept for the rest of the call.
  struct Transformed {
    const uint8_t* data = nullptr;
    size_t size = 0;
    ChainId chain = 0;
    std::span<const uint8_t> made;
  };
  enum class Part : uint8_t { matched, failed, waits };

  /// What verifying a rule costs, in its counts.
  class Verification {
   public:
    Verification(DetectorCore& core, Call& call, uint32_t number)
        : core_(core),
          scratch_(call.scratch),
          number_(number),
          work_(core.counters_.match_work),
          limits_(core.limits_reached()) {
      ++core_.counters_.verified;
      ++scratch_.rule_counts[number].verified;
    }
    ~Verification() {
      if (const uint64_t work = core_.counters_.match_work - work_; work != 0)
        scratch_.rule_counts[number_].work += work;
      if (const uint64_t limits = core_.limits_reached() - limits_; limits != 0)
        scratch_.limit_hits[number_] += limits;
    }
    Verification(const Verification&) = delete;
    Verification& operator=(const Verification&) = delete;

   private:
    DetectorCore& core_;
    DetectionScratch& scratch_;
    const uint32_t number_;
    const uint64_t work_, limits_;
  };

  // detector.cpp
  /// The group was scanned, and proposed so many rules.
  void count_scan(ScanCounts& counts, size_t bytes, size_t candidates) {
    counters_.scanned_bytes += bytes;
    ++counts.scans;
    counts.bytes += bytes;
    counts.candidates += candidates;
  }
  void begin(Call& call);
  void go_on_with_other_rules(Call& call);
  void judge_events(Call& call);
  void judge_ip_only(Call& call);
  /// Rules on the packet and on a stream's new bytes; null: there are none of its direction.
  void judge_bytes(Call& call, bool with_packet, const StreamView* stream);
  void scan_payload(Call& call, PayloadSource source, Direction d, std::span<const uint8_t> bytes,
                    bool of_packet, bool of_stream, const BufferView* begin);
  void propose_payload(Call& call, bool of_packet, const StreamView* stream);
  void propose_waiting(Call& call, const StreamView& stream);
  bool judge_stream_rule(Call& call, const StreamView& stream, uint32_t number);
  bool packet_rule_matches(Call& call, uint32_t number);
  SessionState* state_of(SessionDetection& session);
  WaitingStreamRule* waiting_in_stream(Call& call, Direction d, uint32_t number);
  void wait_in_stream(Call& call, const StreamView& stream, uint32_t number, bool matched);
  void found(Call& call, uint32_t number, Direction d, bool from_stream, Transaction* transaction);
  void apply_flowbits(Call& call, const DetectionRule& rule);
  void set_flowbit(Call& call, uint16_t bit);
  void apply_flowints(Call& call, const DetectionRule& rule);
  void apply_hostbits(Call& call, const DetectionRule& rule, Direction d);
  DetectionVerdict conclude(Call& call, AlertSink& sink);
  /// What becomes of the findings, with the rules whose fuses are out as alerts.
  Decision decide_by_fuses(Call& call, AlertSink& sink);
  void apply_thresholds(Call& call, const DetectionRule& rule, Finding& finding);

  // explain.cpp: how far the rule gets that somebody asks about. Beside the judgement, which it does not
  // change.
  void begin_explaining(Call& call, AlertSink& sink);
  void tell(RuleStep::At at, size_t part = 0, size_t check = 0, size_t bytes = 0);
  bool explain_header(Call& call, Direction d);
  void explain_headers(Call& call);
  void explain_bytes(Call& call, bool with_packet, const StreamView* stream);
  void explain_payload(Call& call, const MatchBytes& payload, bool proposed, Direction d);
  void explain_transaction(Call& call, Transaction& transaction, Direction d);
  bool explain_part(Call& call, size_t part, const MatchBytes& bytes);
  void explain_state(Call& call, Direction d, Transaction* transaction);
  void explain_findings(Call& call);

  // rule_checks.cpp
  bool header_matches(const Call& call, const RuleHeader& rule, Direction d) const;
  bool addresses_match(const Call& call, const RuleHeader& rule, Direction d) const;
  bool address_in(const Call& call, uint32_t set, HeaderMemo::End end) const;
  /// Which rules can match in a session of these ends.
  SessionTraits traits_of(const Call& call, Direction d) const;
  bool checks_match(const Call& call, const DetectionRule& rule, Direction d,
                    Transaction* transaction) const {
    return failing_check(call, rule, d, transaction) == rule.packet_checks.size();
  }
  /// The first of the rule's packet_checks that does not hold; how many there are if all do.
  size_t failing_check(const Call& call, const DetectionRule& rule, Direction d,
                       Transaction* transaction) const;
  bool flow_matches(const Call& call, const ast::Flow& flow) const;
  bool flowint_holds(const Call& call, const FlowIntCheck& check) const;
  bool hostbit_is_set(const Call& call, ast::HostBits::Track track, uint16_t bit, Direction d) const;
  /// Every part of a rule that is not of a transaction, with `payload` for its payload.
  bool parts_match(Call& call, const DetectionRule& rule, const MatchBytes& payload);
  bool bytes_match(Call& call, const BufferPart& part, MatchBytes bytes);
  /// The parts that look into the packet's headers; of the others nothing is asked.
  bool packet_parts_match(Call& call, const DetectionRule& rule);
  std::optional<std::span<const uint8_t>> packet_bytes(Call& call, BufferId buffer);

  // sets.cpp
  /// Asks and changes the sets of all parts. Everything else of the rule holds.
  bool sets_hold(Call& call, const DetectionRule& rule, Direction d, Transaction* transaction);
  bool part_sets_hold(Call& call, const BufferPart& part, Direction d, Transaction* transaction);
  bool value_sets_hold(Call& call, const BufferPart& part, std::span<const uint8_t> bytes);
  bool set_holds(const SetCheck& check, std::span<const uint8_t> value);
  /// Of all rules so far; what it grew by while one was verified is that one's.
  uint64_t limits_reached() const { return counters_.pcre_limits + counters_.step_limits; }
  std::optional<std::span<const uint8_t>> transformed(Call& call, ChainId chain,
                                                      std::span<const uint8_t> bytes);
  MatchMemory match_memory(Call& call) {
    return {&call.scratch.pcre,     &scratch_bytes_,    &counters_,
            limits_.steps_per_rule, limits_.pcre_steps, limits_.work_per_rule};
  }
  static const net::IpAddress& source(const Call& call, Direction d) {
    return d == call.packet.direction ? call.packet.src : call.packet.dst;
  }
  static const net::IpAddress& destination(const Call& call, Direction d) {
    return d == call.packet.direction ? call.packet.dst : call.packet.src;
  }

  /// The same, as rules remember them.
  static MarkedHost source_host(const Call& call, Direction d) {
    return {source(call, d), call.facts.domain[static_cast<size_t>(d)]};
  }
  static MarkedHost destination_host(const Call& call, Direction d) {
    return {destination(call, d), call.facts.domain[static_cast<size_t>(opposite(d))]};
  }

  // transaction_rules.cpp
  void judge_transaction(Call& call, Transaction& transaction, Direction d);
  void hold_rules(Call& call, Transaction& transaction, Direction d, uint8_t progress);
  void propose(Call& call, Transaction& transaction, Direction d, uint8_t seen, uint8_t progress);
  void propose_both_sides(Call& call, const Transaction& transaction);
  void propose_group(Call& call, const TransactionGroup& group, Transaction& transaction, Direction d);
  void judge_transaction_rule(Call& call, Transaction& transaction, Direction d, TransactionDetection& kept,
                              uint32_t number);
  Part part_of_transaction(Call& call, const BufferPart& part, Transaction& transaction, Direction d);
  bool some_file_matches(Call& call, const DetectionRule& rule, Transaction& transaction, Direction d);
  Part list_part(Call& call, const BufferPart& part, Transaction& transaction, Direction d);
  bool payload_part(Call& call, const BufferPart& part, Direction d);
  TransactionDetection* kept_for(Transaction& transaction, Direction d);
  /// The side of the transaction that the part looks into, of a rule that is judged in direction `d`.
  static Direction side_of(const DetectionRule& rule, const BufferPart& part, Direction d) {
    return rule.both_sides ? part.side : d;
  }
  void wait_in_transaction(TransactionDetection& kept, uint32_t number, uint32_t matched_parts);

  const unsigned worker_;
  const DetectorLimits limits_;
  BytePool& pool_;
  DetectorCounters counters_;
  ScratchBytes scratch_bytes_;
  std::array<Transformed, 64> transformed_{};
  size_t transformed_count_ = 0;
  std::vector<Finding> findings_;  // room for findings_per_packet
  const std::shared_ptr<RuleMemory> memory_;
  HostBits host_bits_;
  std::array<AlertContext, 64> contexts_{};  // of findings, and behind them of the rule at hand
  size_t contexts_used_ = 0, contexts_found_ = 0;
  bool scan_failed_ = false;
  uint64_t limits_before_ = 0;  // limits_reached() before the call at hand
  // Of what is explained:
  RuleName explain_;                          // gid 0: nothing is
  const DetectionRule* explained_ = nullptr;  // null: nothing is
  uint32_t explained_number_ = 0;
  AlertSink* explain_to_ = nullptr;
};

}  // namespace weir::inspection
