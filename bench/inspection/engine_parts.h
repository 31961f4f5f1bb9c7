// The engine's own parts, one by one, on the bytes that the whole engine is given: consumers of HttpTraffic.
//
// What a part includes is told at it. The record of one pass tells the later parts what the earlier ones
// would have handed them: which block a segment makes, the parts of the requests that it completes, the
// candidates of each scan and the rules that match. It is made with the same classes, and `events` must equal
// what the whole engine reports; the benchmark refuses to measure otherwise.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bench/inspection/engine_sessions.h"
#include "bench/inspection/http_traffic.h"
#include "inspection/app/http_request.h"
#include "inspection/compile/ruleset.h"
#include "inspection/detect/judge.h"
#include "inspection/stream/tcp_stream.h"

namespace weir::bench {

inline constexpr uint32_t kWindow = inspection::InspectorLimits{}.stream_window;

/// The first pass of some traffic through some ruleset.
class EngineRecord {
 public:
  struct Scan {
    std::array<std::span<const uint8_t>, inspection::kBufferCount> views;  // of a request
    inspection::HttpStage stage = inspection::HttpStage::request_line;
    std::vector<uint32_t> candidates;  // in no order, as a scan finds them
  };
  struct Step {  // one segment
    std::vector<Scan> requests;
    std::vector<uint32_t> candidates;  // of the stream's block
    std::vector<uint32_t> events;      // rules that are reported
    bool http = false;                 // a request line was seen
  };

  EngineRecord(std::shared_ptr<const inspection::Ruleset> ruleset, HttpTraffic& traffic);

  const inspection::Ruleset& ruleset() const { return *ruleset_; }
  const std::vector<Step>& steps(size_t stream) const { return steps_[stream]; }
  const inspection::FlowInfo& flow(size_t stream) const { return flows_[stream]; }
  const HttpTraffic& traffic() const { return traffic_; }
  uint64_t events() const { return events_; }
  uint64_t candidates() const { return candidates_; }
  uint64_t scanned_bytes() const { return scanned_bytes_; }

  /// The block of carry-over and new bytes that a segment makes: since segments come in order, a piece of the
  /// stream as it lies.
  static inspection::StreamBlock block(const HttpTraffic::Stream& stream, size_t index);

 private:
  friend class Recorder;
  std::shared_ptr<const inspection::Ruleset> ruleset_;
  HttpTraffic& traffic_;
  std::vector<inspection::FlowInfo> flows_;
  std::vector<std::vector<Step>> steps_;           // by stream, by segment
  std::vector<std::unique_ptr<uint8_t[]>> views_;  // what the views look at
  uint64_t events_ = 0, candidates_ = 0, scanned_bytes_ = 0;
};

/// Nothing but the stepping of the traffic's fields, which all other cases contain too.
struct FeedPart {
  uint64_t bytes = 0;
  void begin(size_t) {}
  void segment(size_t, size_t, std::span<const uint8_t> segment) { bytes += segment.size(); }
  void end(size_t) {}
};

/// Streams put together: StreamAssembler's accept() and commit() of every segment, on_ack() of every second.
class ReassemblyPart {
 public:
  explicit ReassemblyPart(size_t streams);
  void begin(size_t stream);
  void segment(size_t stream, size_t index, std::span<const uint8_t> bytes);
  void end(size_t stream) { assembler_.release(states_[stream]); }
  uint64_t refused() const { return refused_; }

 private:
  inspection::StreamAssembler assembler_;
  std::vector<inspection::StreamState> states_;
  std::unique_ptr<uint8_t[]> carry_over_;
  uint32_t next_isn_ = 1;
  uint64_t refused_ = 0;
};

/// Requests found and taken apart: HttpRequest::advance(), and HttpBuffers::fill() where the ruleset has
/// rules for that stage.
class ParsingPart {
 public:
  ParsingPart(const inspection::Ruleset& ruleset, size_t streams)
      : ruleset_(ruleset), parsers_(std::make_unique_for_overwrite<inspection::HttpRequest[]>(streams)) {}
  void begin(size_t stream) { parsers_[stream].reset(true); }
  void segment(size_t stream, size_t index, std::span<const uint8_t> bytes);
  void end(size_t) {}
  uint64_t requests() const { return requests_; }

 private:
  const inspection::Ruleset& ruleset_;
  std::unique_ptr<inspection::HttpRequest[]> parsers_;
  inspection::HttpBuffers buffers_;
  uint64_t requests_ = 0;
};

/// Candidates proposed: the scans of the stream's block and of the requests' parts, each literal that is
/// found turned into rules. The block's bytes are new on every pass; the requests' parts are those of the
/// record.
class PrefilterPart {
 public:
  explicit PrefilterPart(const EngineRecord& record)
      : record_(record), scratch_(*record.ruleset().scratch(0)) {}
  void begin(size_t) {}
  void segment(size_t stream, size_t index, std::span<const uint8_t> bytes);
  void end(size_t) {}
  bool failed() const { return failed_; }

 private:
  void propose(const inspection::RuleGroup& group, std::span<const uint8_t> bytes);

  const EngineRecord& record_;
  inspection::RulesetScratch& scratch_;
  bool failed_ = false;
};

/// Candidates verified: put in order, their flow, addresses and ports compared, their contents looked for by
/// chain_matches(). Candidates and requests' parts are those of the record, so the traffic must be at its
/// pass.
class VerificationPart {
 public:
  explicit VerificationPart(const EngineRecord& record);
  void begin(size_t) {}
  void segment(size_t stream, size_t index, std::span<const uint8_t> bytes);
  void end(size_t) {}
  uint64_t matched() const { return matched_; }

 private:
  const EngineRecord& record_;
  inspection::CandidateSet candidates_;
  inspection::MatchScratch scratch_;
  uint64_t matched_ = 0;
};

/// Alerts written, on the worker's side: an Event filled from the rule, the session and the recorded request,
/// and copied into a ring.
class EventPart {
 public:
  explicit EventPart(const EngineRecord& record)
      : record_(record), event_(std::make_unique<inspection::Event>()) {}
  void begin(size_t) {}
  void segment(size_t stream, size_t index, std::span<const uint8_t> bytes);
  void end(size_t) {}
  const RingSink& sink() const { return sink_; }

 private:
  static void add_request(inspection::AlertBody& alert, const EngineRecord::Step& step);

  const EngineRecord& record_;
  std::unique_ptr<inspection::Event> event_;
  RingSink sink_;
};

}  // namespace weir::bench
