// Rules against the bytes of one packet: candidates from Hyperscan, exact checks, events.
//
// A Judge lives for one packet on one worker. Everything that it needs was allocated before.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "inspection/app/http_request.h"
#include "inspection/compile/ruleset.h"
#include "inspection/detect/flow.h"
#include "inspection/inspector.h"

namespace weir::inspection {

/// The parts of one request as rules see them. One for each worker; views are valid until the next fill.
class HttpBuffers {
 public:
  HttpBuffers() : bytes_(std::make_unique_for_overwrite<uint8_t[]>(kBufferCount * HttpRequest::kMaxHead)) {}
  void fill(const HttpRequest& request, HttpStage stage);
  std::span<const uint8_t> view(Buffer buffer) const { return views_[static_cast<size_t>(buffer)]; }

 private:
  std::span<uint8_t> room(Buffer buffer) {
    return {bytes_.get() + static_cast<size_t>(buffer) * HttpRequest::kMaxHead, HttpRequest::kMaxHead};
  }
  void set(Buffer buffer, std::string_view text);
  void set_size(Buffer buffer, size_t size) {
    views_[static_cast<size_t>(buffer)] = room(buffer).first(size);
  }

  std::unique_ptr<uint8_t[]> bytes_;
  std::array<std::span<const uint8_t>, kBufferCount> views_;
};

/// A worker's memory for judging.
struct JudgeMemory {
  explicit JudgeMemory(size_t largest_block) : match(largest_block) {}
  MatchScratch match;
  HttpBuffers http;
  Event event;
};

class Judge {
 public:
  Judge(const Ruleset& ruleset, RulesetScratch& scratch, JudgeMemory& memory, InspectorCounters& counters,
        Flow& flow, const Packet& packet, const HttpRequest* http, EventSink& sink)
      : ruleset_(ruleset),
        scratch_(scratch),
        memory_(memory),
        counters_(counters),
        flow_(flow),
        packet_(packet),
        http_(http),
        sink_(sink) {}

  /// Rules without contents. Decided with the first packet of a direction, and again once established.
  void headers();
  /// A payload that is not part of a stream: every matching packet alerts.
  void datagram(std::span<const uint8_t> payload);
  /// TCP bytes by themselves, outside the stream's order.
  void lone_segment(std::span<const uint8_t> payload);
  void stream(const StreamBlock& block);
  /// The request of the parser, when it has come to `stage`.
  void request(HttpStage stage);

  /// Hyperscan failed: the packet is not judged.
  bool failed() const { return failed_; }

 private:
  enum class Repeat : uint8_t { once, always };
  void payload(std::span<const uint8_t> bytes, uint64_t base, std::span<const uint8_t> segment,
               Repeat repeat);
  void propose(const RuleGroup& group, std::span<const uint8_t> bytes);
  bool header_matches(const CompiledRule& rule) const;
  bool endpoints_match(const CompiledRule& rule) const;
  bool flow_matches(const CompiledRule& rule) const;
  bool request_matches(const CompiledRule& rule);
  void matched(const CompiledRule& rule, Repeat repeat);
  void push(EventKind kind, const CompiledRule& rule);

  const Ruleset& ruleset_;
  RulesetScratch& scratch_;
  JudgeMemory& memory_;
  InspectorCounters& counters_;
  Flow& flow_;
  const Packet& packet_;
  const HttpRequest* http_;  // null if the session is not TCP
  EventSink& sink_;
  bool failed_ = false;
};

}  // namespace weir::inspection
