// The engine built up step by step from its own classes, on the bytes that the whole engine is given: a
// consumer of HttpTraffic that does the engine's work up to a certain depth. What one step costs is the
// difference between two depths. So each step has its real input, and caches and branch predictor as beside
// the steps before it.
//
// It calls what the engine calls, in the engine's order (inspection/detect/{inspector,judge}.cpp), for
// segments to the server that come in order. `events()` must equal what the whole engine reports; the
// benchmark refuses to tell anything otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bench/inspection/engine_sessions.h"
#include "inspection/app/http_request.h"
#include "inspection/compile/ruleset.h"
#include "inspection/detect/flow.h"
#include "inspection/detect/judge.h"
#include "inspection/stream/tcp_stream.h"

namespace weir::bench {

/// Each depth does what those before it do, and more.
enum class Depth : uint8_t {
  feed,          // nothing: what the stepping of the traffic costs
  reassembly,    // StreamAssembler: accept() and commit() of every segment, on_ack() of every second one
  parsing,       // HttpRequest::advance(); HttpBuffers::fill() where the ruleset has rules for that stage
  prefilter,     // the scans of requests' parts and of the stream's block; literals turned into candidates
  verification,  // candidates put in order; their flow, addresses, ports, contents; which have alerted
                 // before; of those that match, an Event filled from rule, session and request, copied into a
                 // ring
};

template <Depth kDepth>
class PartialEngine {
 public:
  PartialEngine(const inspection::Ruleset& ruleset, size_t streams);

  void begin(size_t stream);
  void segment(size_t stream, size_t index, std::span<const uint8_t> bytes);
  void end(size_t stream);

  uint64_t requests() const { return requests_; }
  uint64_t scanned_bytes() const { return scanned_bytes_; }
  uint64_t candidates() const { return candidates_; }
  uint64_t events() const { return events_; }
  /// The median of what it took to fill and push an event, in ticks of the time-stamp counter; 0 without any.
  /// Events are too rare for a difference of depths to show them.
  double cycles_per_event();
  /// A segment was not new data, or Hyperscan failed: nothing that was measured counts.
  bool failed() const { return failed_; }

 private:
  static constexpr size_t kTimedEvents = 65'536;
  struct Stream {
    inspection::FlowInfo info;
    inspection::StreamState state;
    inspection::AlertedRules alerted;
  };

  void block(Stream& stream, inspection::HttpRequest& http, std::span<const uint8_t> segment);
  void request(Stream& stream, inspection::HttpRequest& http, inspection::HttpStage stage, size_t size);
  void propose(const inspection::RuleGroup& group, std::span<const uint8_t> bytes);
  void fill(inspection::Event& event, const Stream& stream, const inspection::CompiledRule& rule,
            const inspection::HttpRequest& http, size_t size) const;
  void report(const Stream& stream, const inspection::CompiledRule& rule, const inspection::HttpRequest& http,
              size_t size);

  const inspection::Ruleset& ruleset_;
  inspection::RulesetScratch& scratch_;
  inspection::StreamAssembler assembler_;
  inspection::JudgeMemory memory_;
  std::vector<Stream> streams_;
  std::unique_ptr<inspection::HttpRequest[]> parsers_;
  std::unique_ptr<uint8_t[]> carry_over_;
  RingSink sink_;
  uint32_t next_isn_ = 1;
  std::vector<uint32_t> event_cycles_;  // of the first kTimedEvents
  uint64_t requests_ = 0, scanned_bytes_ = 0, candidates_ = 0, events_ = 0;
  bool failed_ = false;
};

extern template class PartialEngine<Depth::feed>;
extern template class PartialEngine<Depth::reassembly>;
extern template class PartialEngine<Depth::parsing>;
extern template class PartialEngine<Depth::prefilter>;
extern template class PartialEngine<Depth::verification>;

}  // namespace weir::bench
