// The Inspector of inspector.h: sessions from a pool, segments to blocks, blocks and datagrams to a Judge.
#include "inspection/inspector.h"

#include <algorithm>
#include <new>
#include <type_traits>

#include "inspection/detect/judge.h"
#include "inspection/rules/rule_parser.h"

namespace weir::inspection {

namespace {

constexpr uint8_t kSyn = 0x02, kRst = 0x04, kAck = 0x10;
constexpr uint32_t kIndexBits = 24;  // of a handle; the rest is a generation
constexpr uint32_t kIndexMask = (1U << kIndexBits) - 1;
constexpr uint32_t kNoFlow = kIndexMask;

/// Segments that all sessions may hold together: two for each session, and enough for a few that need all.
uint32_t segment_slots(const InspectorLimits& limits) {
  return std::max(limits.flows * 2, limits.out_of_order_segments * 4);
}

/// Memory for the HTTP parser of each session, not touched before the session needs it.
class RequestPool {
 public:
  explicit RequestPool(size_t count) : bytes_(std::make_unique_for_overwrite<Storage[]>(count)) {}
  HttpRequest& create(size_t index) { return *new (&bytes_[index]) HttpRequest; }
  HttpRequest& at(size_t index) { return *std::launder(reinterpret_cast<HttpRequest*>(&bytes_[index])); }

 private:
  static_assert(std::is_trivially_destructible_v<HttpRequest>);
  struct Storage {
    alignas(HttpRequest) std::byte bytes[sizeof(HttpRequest)];
  };
  std::unique_ptr<Storage[]> bytes_;
};

class SessionInspector final : public Inspector {
 public:
  SessionInspector(unsigned worker, const InspectorLimits& limits)
      : worker_(worker),
        window_(limits.stream_window),
        assembler_(limits.stream_window, limits.out_of_order_segments, segment_slots(limits)),
        flows_(limits.flows),
        carry_over_(
            std::make_unique_for_overwrite<uint8_t[]>(size_t{2} * limits.flows * limits.stream_window)),
        requests_(limits.flows),
        memory_(std::max(assembler_.max_block(), HttpRequest::kMaxHead)) {
    for (uint32_t i = 0; i < limits.flows; ++i) flows_[i].next_free = i + 1 < limits.flows ? i + 1 : kNoFlow;
  }

  FlowHandle open(const FlowInfo& info) override;
  Verdict inspect(FlowHandle handle, const Ruleset& ruleset, const Packet& packet, EventSink& sink) override;
  void close(FlowHandle handle) override;
  const InspectorCounters& counters() const override { return counters_; }

 private:
  Flow* find(FlowHandle handle) {
    const uint32_t index = (handle.value & kIndexMask) - 1;
    if (!handle.valid() || index >= flows_.size()) return nullptr;
    Flow& flow = flows_[index];
    return flow.open && flow.generation == handle.value >> kIndexBits ? &flow : nullptr;
  }
  size_t index_of(const Flow& flow) const { return static_cast<size_t>(&flow - flows_.data()); }
  uint8_t* carry_over(const Flow& flow, Direction direction) {
    return carry_over_.get() + (index_of(flow) * 2 + static_cast<size_t>(direction)) * window_;
  }
  /// Where the session stands after this packet. past_gap: of the stream that it acknowledges.
  AckFate track(Flow& flow, const Packet& packet);
  AckFate track_tcp(Flow& flow, const Packet& packet);
  void track_syn(Flow& flow, const Packet& packet);
  Action inspect_past_gap(Flow& flow, const Packet& packet, HttpRequest& http, Judge& judge);
  Action inspect_segment(Flow& flow, const Packet& packet, HttpRequest& http, Judge& judge);
  Action inspect_block(Flow& flow, const Packet& packet, HttpRequest& http, Judge& judge);
  void inspect_requests(std::span<const uint8_t> bytes, HttpRequest& http, Judge& judge);

  unsigned worker_;
  uint32_t window_;
  InspectorCounters counters_;
  StreamAssembler assembler_;
  std::vector<Flow> flows_;
  uint32_t free_ = 0;
  std::unique_ptr<uint8_t[]> carry_over_;
  RequestPool requests_;
  JudgeMemory memory_;
};

FlowHandle SessionInspector::open(const FlowInfo& info) {
  if (free_ == kNoFlow) {
    ++counters_.flow_limit;
    return {};
  }
  const uint32_t index = free_;
  Flow& flow = flows_[index];
  free_ = flow.next_free;
  const uint8_t generation = flow.generation;
  flow = Flow{};
  flow.info = info;
  flow.transport = transport_of(info.protocol);
  flow.open = true;
  flow.generation = generation;
  if (flow.transport == Transport::stream) requests_.create(index);
  ++counters_.flows_open;
  return {static_cast<uint32_t>(generation) << kIndexBits | (index + 1)};
}

void SessionInspector::close(FlowHandle handle) {
  Flow* flow = find(handle);
  if (flow == nullptr) return;
  for (StreamState& stream : flow->streams) assembler_.release(stream);
  flow->open = false;
  ++flow->generation;
  flow->next_free = free_;
  free_ = static_cast<uint32_t>(index_of(*flow));
  --counters_.flows_open;
}

AckFate SessionInspector::track(Flow& flow, const Packet& packet) {
  flow.seen[static_cast<size_t>(packet.direction)] = true;
  if (flow.transport == Transport::stream) return track_tcp(flow, packet);
  flow.established = flow.seen[0] && flow.seen[1];
  return AckFate::known;
}

/// A SYN-ACK that does not belong to the streams known so far: the server has begun another connection.
bool begins_anew(const Flow& flow, const Packet& syn_ack) {
  const auto other = [](const StreamState& stream, uint32_t begin) {
    if (!stream.anchored) return false;
    if (!stream.from_syn) return true;  // picked up in the middle
    return stream.confirmed && stream.next_seq - static_cast<uint32_t>(stream.offset) != begin;
  };
  return other(flow.streams[0], syn_ack.ack) || other(flow.streams[1], syn_ack.seq + 1);
}

void SessionInspector::track_syn(Flow& flow, const Packet& packet) {
  const bool to_server = packet.direction == Direction::to_server;
  if (!to_server && (packet.tcp_flags & kAck) != 0) {
    if (begins_anew(flow, packet)) {
      for (StreamState& stream : flow.streams) {
        assembler_.release(stream);
        stream = StreamState{};
      }
      flow.established = flow.http_begun = false;
    }
    // Whatever SYNs were sent, the server tells which one it took.
    assembler_.confirm(flow.streams[0], packet.ack);
  }
  (to_server ? flow.syn : flow.syn_ack) = true;
  assembler_.on_syn(flow.streams[to_server ? 0 : 1], packet.seq);
}

AckFate SessionInspector::track_tcp(Flow& flow, const Packet& packet) {
  const bool to_server = packet.direction == Direction::to_server;
  const bool syn = (packet.tcp_flags & kSyn) != 0, ack = (packet.tcp_flags & kAck) != 0;
  // RST ends no stream here: the receiver may not have believed it.
  if ((packet.tcp_flags & kRst) != 0) return AckFate::known;
  if (syn) track_syn(flow, packet);
  AckFate fate = AckFate::known;
  if (ack) {
    StreamState& other = flow.streams[to_server ? 1 : 0];
    // The client confirms the SYN-ACK that was seen, not any number it likes.
    if (to_server && other.from_syn && packet.ack == other.next_seq) assembler_.confirm(other, packet.ack);
    fate = assembler_.on_ack(other, packet.ack);
  }
  flow.established |= flow.streams[0].confirmed && flow.streams[1].confirmed;
  if (!flow.syn && !flow.syn_ack) flow.established = true;  // picked up in the middle
  return fate;
}

Verdict SessionInspector::inspect(FlowHandle handle, const Ruleset& ruleset, const Packet& packet,
                                  EventSink& sink) {
  Flow* flow = find(handle);
  if (flow == nullptr) return {Action::drop_packet, 0};
  ++counters_.packets;
  counters_.bytes += packet.payload.size();
  if (flow->dropped) return {Action::drop_session, flow->dropped_by};
  RulesetScratch* scratch = ruleset.scratch(worker_);
  if (scratch == nullptr) {  // built for fewer workers: nothing can be judged
    ++counters_.scan_errors;
    return {Action::drop_packet, 0};
  }
  if (packet.payload.size() > StreamAssembler::kMaxPayload) {
    ++counters_.segment_limit;
    return {Action::drop_packet, 0};
  }
  if (flow->ruleset_serial != ruleset.serial()) {
    flow->ruleset_serial = ruleset.serial();
    flow->header_judged = {};
  }
  const AckFate acknowledged = track(*flow, packet);
  const bool tcp = flow->transport == Transport::stream;
  HttpRequest* http = tcp ? &requests_.at(index_of(*flow)) : nullptr;
  Judge judge(ruleset, *scratch, memory_, counters_, *flow, packet, http, sink);
  judge.headers();
  Action action = Action::pass;
  if (acknowledged == AckFate::past_gap) {
    Packet data;  // as if what is judged now had just come from its sender
    data.direction = packet.direction == Direction::to_server ? Direction::to_client : Direction::to_server;
    data.now_ns = packet.now_ns;
    data.ack = packet.ack;
    Judge late(ruleset, *scratch, memory_, counters_, *flow, data, http, sink);
    action = inspect_past_gap(*flow, data, *http, late);
  }
  if (action == Action::pass && !flow->dropped && !packet.payload.empty()) {
    if (tcp) {
      action = inspect_segment(*flow, packet, *http, judge);
    } else {
      judge.datagram(packet.payload);
      if (judge.failed()) action = Action::drop_packet;
    }
  }
  if (!flow->dropped) return {action, 0};
  for (StreamState& stream : flow->streams) assembler_.release(stream);
  return {Action::drop_session, flow->dropped_by};
}

/// The receiver of `data`'s direction acknowledged (data.ack) bytes behind a gap. Of a session seen from its
/// beginning that cannot be: what fills the gap would have been judged here first. Of one picked up in the
/// middle, the gap may have been filled before.
Action SessionInspector::inspect_past_gap(Flow& flow, const Packet& data, HttpRequest& http, Judge& judge) {
  StreamState& stream = flow.streams[static_cast<size_t>(data.direction)];
  if (stream.from_syn) {
    ++counters_.segment_conflicts;
    flow.dropped = true;
    return Action::drop_session;
  }
  const bool to_server = data.direction == Direction::to_server;
  while (!flow.dropped && assembler_.on_ack(stream, data.ack) == AckFate::past_gap) {
    if (to_server && flow.http_begun) http.lose_track();
    if (!assembler_.skip_gap(stream, carry_over(flow, data.direction), data.ack)) continue;
    if (inspect_block(flow, data, http, judge) != Action::pass) return Action::drop_packet;
  }
  return Action::pass;
}

Action SessionInspector::inspect_segment(Flow& flow, const Packet& packet, HttpRequest& http, Judge& judge) {
  if ((packet.tcp_flags & kRst) !=
      0) {  // its bytes are a diagnostic, not part of the stream (RFC 9293, 3.5.3)
    judge.lone_segment(packet.payload);
    return judge.failed() ? Action::drop_packet : Action::pass;
  }
  StreamState& stream = flow.streams[static_cast<size_t>(packet.direction)];
  // Before the handshake is complete, nobody knows where the receiver's stream begins, so data could be
  // hidden from the inspection. Without ACK the receiver ignores it (RFC 9293, 3.10.7.4).
  const bool no_data_yet = stream.from_syn && !stream.confirmed;
  if (no_data_yet || (packet.tcp_flags & kSyn) != 0 || (packet.tcp_flags & kAck) == 0) {
    ++counters_.segment_conflicts;
    return Action::drop_packet;
  }
  bool also_unknown = false;
  const SegmentFate fate =
      assembler_.accept(stream, carry_over(flow, packet.direction), packet.seq, packet.payload, also_unknown);
  if (also_unknown) judge.lone_segment(packet.payload);
  switch (fate) {
    case SegmentFate::nothing_new:
      return Action::pass;
    case SegmentFate::unknown_old:
      return judge.failed() ? Action::drop_packet : Action::pass;
    case SegmentFate::new_data:
      return inspect_block(flow, packet, http, judge);
    case SegmentFate::recorded:
      ++counters_.segments_recorded;
      return Action::pass;
    case SegmentFate::unrecordable:
      ++counters_.segment_limit;
      return Action::drop_packet;
    case SegmentFate::conflict:
      ++counters_.segment_conflicts;
      return Action::drop_packet;
  }
  return Action::drop_packet;
}

Action SessionInspector::inspect_block(Flow& flow, const Packet& packet, HttpRequest& http, Judge& judge) {
  StreamState& stream = flow.streams[static_cast<size_t>(packet.direction)];
  const StreamBlock& block = assembler_.block();
  if (packet.direction == Direction::to_server) {
    if (!flow.http_begun) {
      http.reset(stream.from_syn);
      flow.http_begun = true;
    }
    inspect_requests(block.fresh(), http, judge);
  }
  judge.stream(block);
  if (judge.failed()) {
    http.lose_track();  // the segment will come again, and the parser has seen it
    return Action::drop_packet;
  }
  assembler_.commit(stream, carry_over(flow, packet.direction));
  return Action::pass;
}

void SessionInspector::inspect_requests(std::span<const uint8_t> bytes, HttpRequest& http, Judge& judge) {
  while (!bytes.empty() && !http.stopped()) {
    const HttpRequest::Step step = http.advance(bytes);
    bytes = bytes.subspan(step.consumed);
    if (step.point == HttpRequest::Point::request_line) {
      if (http.uri_cut()) ++counters_.http_cut;
      judge.request(HttpStage::request_line);
    } else if (step.point == HttpRequest::Point::headers) {
      if (http.headers_cut()) ++counters_.http_cut;
      judge.request(HttpStage::headers);
    }
  }
}

}  // namespace

Result<std::unique_ptr<Inspector>> Inspector::create(unsigned worker, const InspectorLimits& limits) {
  if (limits.flows == 0 || limits.flows >= kNoFlow) {
    return fail(ErrorCode::invalid, "the number of inspected sessions has to lie between 1 and 16777214");
  }
  if (limits.stream_window < kMaxPatternBytes || limits.stream_window > (1U << 20)) {
    return fail(ErrorCode::invalid, "the stream window has to lie between 1024 bytes and 1 MiB");
  }
  if (limits.out_of_order_segments > 1'024) {
    return fail(ErrorCode::invalid, "at most 1024 out-of-order segments may be kept for a direction");
  }
  try {
    return std::unique_ptr<Inspector>(std::make_unique<SessionInspector>(worker, limits));
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::exhausted,
                "there is too little memory for " + std::to_string(limits.flows) + " inspected sessions");
  }
}

}  // namespace weir::inspection
