// Holds rules against packets, streams and transactions: what the engine gives (inspected.h) in, alerts and a
// verdict out.
//
// Rules come in Suricata's order and kinds: IP-only (once per session and direction), packet, stream,
// transaction. Hyperscan proposes candidates by one literal each; every candidate is then verified by its
// compiled checks. One Detector belongs to one worker; after create() it takes no memory but from the pool.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/net/result.h"
#include "inspection/compile/detection_ruleset.h"
#include "inspection/detect/alert.h"
#include "inspection/detect/detection_profile.h"
#include "inspection/detect/inspected.h"
#include "inspection/detect/rule_memory.h"
#include "inspection/detect/session_detection.h"
#include "inspection/detect/verdict.h"
#include "inspection/event_count.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

struct DetectorLimits {
  uint32_t alerts_per_packet = 15;       // as Suricata's packet-alert-max
  uint32_t findings_per_packet = 256;    // rules that matched, whether or not they alert
  uint32_t steps_per_rule = 3'000;       // contents tried again, for one buffer; Suricata's recursion limit
  uint32_t pcre_steps = 3'500;           // of a regular expression, at one place (PcreCode::Limits)
  uint32_t work_per_rule = 12 * 1024;    // bytes, for one buffer, beside MatchMemory::kWorkPerByte
  uint32_t rules_per_transaction = 256;  // matched in part or alerted, for one direction
  uint32_t rules_per_stream = 64;        // the same for a session's stream, for one direction
  uint32_t flowbits_per_session = 256;
  uint32_t transform_bytes = 512 * 1024;  // what transforms make, for one packet
  /// No prefilter, no grouping, no memory of candidates: every rule on every buffer. For tests.
  bool reference = false;
  /// As Detector::explain(), from the first packet on.
  RuleName explain = {};
};

/// One worker counts; any thread may read.
struct DetectorCounters {
  EventCount packets;
  EventCount scanned_bytes;
  EventCount candidates;  // rules that a literal, or its absence, proposed
  EventCount verified;    // of which the header matched, so that bytes were looked at
  EventCount refuted;     // of which the bytes did not match
  EventCount matched;     // rules that matched
  EventCount alerts;      // events
  EventCount alerts_over_limit;
  EventCount suppressed;   // by thresholds
  EventCount drops;        // sessions
  EventCount fuses_blown;  // rules that had dropped as many as they may
  EventCount scan_errors;  // Hyperscan returned an error: the packet counts as not judged
  EventCount pcre_errors;  // PCRE2 returned an error that is no limit
  EventCount match_work;   // bytes that rules have looked at, and steps of regular expressions
  EventCount pcre_limits;  // a match was given up: the rule does not match
  EventCount step_limits;  // the same for contents
  EventCount findings_lost;
  EventCount stream_rules_lost;       // rules_per_stream
  EventCount transaction_rules_lost;  // rules_per_transaction
  EventCount flowbits_lost;
  EventCount transforms_lost;      // transform_bytes
  EventCount hostbits_lost;        // gave way before their time, in the table of all workers
  EventCount thresholds_lost;      // the same of counts: they begin anew
  EventCount dataset_values_lost;  // RuleMemory::Limits: the rule that would add one does not match
  EventCount memory_lost;          // the pool is at its ceiling
};

class Detector {
 public:
  /// Takes all the memory that this worker's detection needs beside `pool`, which has to outlive it. `marks`
  /// are shared by all workers.
  static Result<std::unique_ptr<Detector>> create(unsigned worker, const DetectorLimits& limits,
                                                  BytePool& pool, std::shared_ptr<RuleMemory> memory);
  virtual ~Detector() = default;

  /// Judges one packet. Alerts go to `sink` before it returns. A session may come with another profile than
  /// before. Its bits and counters stay, and what rules of the same gid and sid have matched: none alerts
  /// twice in a transaction, or for the same bytes of a stream. Rules on addresses are asked again, and so is
  /// a transaction that is under way, as far as its buffers are still there.
  virtual DetectionVerdict inspect(const DetectionProfile& profile, SessionDetection& session,
                                   const Inspected& inspected, AlertSink& sink) = 0;

  /// From now on AlertSink::explained() is told how far this rule gets; gid 0: no rule's. For a person who
  /// asks.
  virtual void explain(RuleName rule) = 0;

  /// Gives back what is kept for it. To be called before it ends; may be called twice. A session is then as
  /// new.
  virtual void forget(Transaction& transaction) = 0;
  virtual void forget(SessionDetection& session) = 0;
  /// What rules have matched in part in its streams: what comes is another exchange.
  virtual void forget_streams(SessionDetection& session) = 0;

  virtual const DetectorCounters& counters() const = 0;
};

}  // namespace weir::inspection
