#include "bench/inspection/engine_parts.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace weir::bench {

using namespace inspection;

namespace {

constexpr uint32_t kRecords = InspectorLimits{}.out_of_order_segments;
constexpr size_t kLargestBuffer =
    std::max<size_t>(kWindow + HttpTraffic::kSegmentBytes, HttpRequest::kMaxHead);

struct Proposal {
  const RuleGroup* group;
  CandidateSet* candidates;
};

void on_literal(void* context, uint32_t literal) {
  const auto* proposal = static_cast<const Proposal*>(context);
  for (const uint32_t rule : proposal->group->rules_of(literal)) proposal->candidates->add(rule);
}

/// As the engine asks one group; false if Hyperscan failed.
bool propose_rules(const RuleGroup& group, std::span<const uint8_t> bytes, RulesetScratch& scratch) {
  for (const uint32_t rule : group.always()) scratch.candidates.add(rule);
  Proposal proposal{&group, &scratch.candidates};
  return group.database().scan(bytes, scratch.hyperscan.get(), on_literal, &proposal);
}

const RuleGroup& stream_group(const Ruleset& ruleset) {
  return ruleset.payload(Transport::stream, Direction::to_server);
}

/// What the engine asks of a rule before its contents, for an established session's packet to the server.
bool header_matches(const CompiledRule& rule, const FlowInfo& info, bool http) {
  if (rule.protocol == RuleProtocol::icmp || (rule.protocol == RuleProtocol::http && !http)) return false;
  if (rule.flow.not_established || rule.flow.to_client) return false;
  const auto one_way = [&rule](const net::IpAddress& from, uint16_t from_port, const net::IpAddress& to,
                               uint16_t to_port) {
    return rule.source_ports.contains(from_port) && rule.destination_ports.contains(to_port) &&
           rule.source.contains(from) && rule.destination.contains(to);
  };
  return one_way(info.src, info.src_port, info.dst, info.dst_port) ||
         (rule.both_ways && one_way(info.dst, info.dst_port, info.src, info.src_port));
}

bool stream_matches(const CompiledRule& rule, const StreamBlock& block, std::span<const uint8_t> segment,
                    MatchScratch& scratch) {
  const ContentChain& chain = rule.chains.front();
  return chain_matches(chain, block.bytes, block.base, scratch) ||
         (chain.anchored && chain_matches(chain, segment, 0, scratch));
}

bool request_matches(const CompiledRule& rule, const EngineRecord::Scan& scan, MatchScratch& scratch) {
  return std::all_of(rule.chains.begin(), rule.chains.end(), [&](const ContentChain& chain) {
    return chain_matches(chain, scan.views[static_cast<size_t>(chain.buffer)], 0, scratch);
  });
}

/// Feeds a segment to the parser as the engine does; `at_point(stage)` at each point of a request.
template <typename AtPoint>
void parse(HttpRequest& parser, std::span<const uint8_t> bytes, AtPoint at_point) {
  while (!bytes.empty() && !parser.stopped()) {
    const HttpRequest::Step step = parser.advance(bytes);
    bytes = bytes.subspan(step.consumed);
    if (step.point == HttpRequest::Point::request_line) at_point(HttpStage::request_line);
    if (step.point == HttpRequest::Point::headers) at_point(HttpStage::headers);
  }
}

}  // namespace

/// Takes the recorded pass.
class Recorder {
 public:
  explicit Recorder(EngineRecord& record)
      : record_(record),
        scratch_(*record.ruleset_->scratch(0)),
        match_(kLargestBuffer),
        parsers_(record.traffic_.streams().size()),
        alerted_(parsers_.size()) {}

  void begin(size_t stream) {
    parsers_[stream].reset(true);
    alerted_[stream].clear();
  }
  void segment(size_t stream, size_t index, std::span<const uint8_t> bytes) {
    EngineRecord::Step& step = record_.steps_[stream].emplace_back();
    const FlowInfo& info = record_.flows_[stream];
    HttpRequest& parser = parsers_[stream];
    parse(parser, bytes, [&](HttpStage stage) {
      if (record_.ruleset_->has_http(stage)) request(step, info, parser, stage);
    });
    step.http = parser.recognised();
    block(step, info, stream, index, bytes);
    record_.events_ += step.events.size();
  }
  void end(size_t) {}

 private:
  std::vector<uint32_t> take_candidates() {
    const auto sorted = scratch_.candidates.sorted();
    record_.candidates_ += sorted.size();
    std::vector<uint32_t> candidates(sorted.begin(), sorted.end());
    std::shuffle(candidates.begin(), candidates.end(), random_);
    return candidates;
  }
  std::span<const uint8_t> kept(std::span<const uint8_t> view) {
    if (view.empty()) return {};
    auto& copy = record_.views_.emplace_back(std::make_unique_for_overwrite<uint8_t[]>(view.size()));
    std::memcpy(copy.get(), view.data(), view.size());
    return {copy.get(), view.size()};
  }
  void scan(const RuleGroup& group, std::span<const uint8_t> bytes) {
    if (group.empty()) return;
    record_.scanned_bytes_ += bytes.size();
    // A failed scan shows as events that the whole engine has and the record has not.
    if (!propose_rules(group, bytes, scratch_)) scratch_.candidates.clear();
  }
  void request(EngineRecord::Step& step, const FlowInfo& info, const HttpRequest& parser, HttpStage stage) {
    EngineRecord::Scan& scanned = step.requests.emplace_back();
    scanned.stage = stage;
    buffers_.fill(parser, stage);
    scratch_.candidates.clear();
    for (const BufferInfo& buffer : buffer_table()) {
      const auto view = kept(buffers_.view(buffer.buffer));
      scanned.views[static_cast<size_t>(buffer.buffer)] = view;
      scan(record_.ruleset_->http(stage, buffer.buffer), view);
    }
    scanned.candidates = take_candidates();
    for (const uint32_t index : scanned.candidates) {
      const CompiledRule& rule = record_.ruleset_->rule(index);
      if (header_matches(rule, info, true) && request_matches(rule, scanned, match_))
        step.events.push_back(index);
    }
  }
  void block(EngineRecord::Step& step, const FlowInfo& info, size_t stream, size_t index,
             std::span<const uint8_t> bytes) {
    const StreamBlock whole = EngineRecord::block(record_.traffic_.streams()[stream], index);
    scratch_.candidates.clear();
    scan(stream_group(*record_.ruleset_), whole.bytes);
    step.candidates = take_candidates();
    for (const uint32_t i : step.candidates) {
      const CompiledRule& rule = record_.ruleset_->rule(i);
      if (!header_matches(rule, info, step.http) || !stream_matches(rule, whole, bytes, match_)) continue;
      const auto inserted = alerted_[stream].insert(rule.key(), Direction::to_server);
      if (inserted == AlertedRules::Insert::added) step.events.push_back(i);
    }
  }

  EngineRecord& record_;
  RulesetScratch& scratch_;
  MatchScratch match_;
  HttpBuffers buffers_;
  std::vector<HttpRequest> parsers_;
  std::vector<AlertedRules> alerted_;
  std::mt19937 random_;
};

EngineRecord::EngineRecord(std::shared_ptr<const Ruleset> ruleset, HttpTraffic& traffic)
    : ruleset_(std::move(ruleset)), traffic_(traffic), steps_(traffic.streams().size()) {
  for (size_t s = 0; s < steps_.size(); ++s) flows_.push_back(flow_info(s));
  Recorder recorder(*this);
  traffic.pass(0, recorder);
}

StreamBlock EngineRecord::block(const HttpTraffic::Stream& stream, size_t index) {
  const size_t at = index * HttpTraffic::kSegmentBytes;
  const size_t old_size = std::min<size_t>(at, kWindow);
  const std::span<const uint8_t> all(stream.bytes);
  return {all.subspan(at - old_size, old_size + stream.segment(index).size()), old_size, at - old_size};
}

ReassemblyPart::ReassemblyPart(size_t streams)
    : assembler_(kWindow, kRecords, static_cast<uint32_t>(2 * streams) + 4 * kRecords),
      states_(streams),
      carry_over_(std::make_unique_for_overwrite<uint8_t[]>(streams * kWindow)) {}

void ReassemblyPart::begin(size_t stream) {
  states_[stream] = {};
  assembler_.on_syn(states_[stream], next_isn_);
  assembler_.confirm(states_[stream], next_isn_ + 1);
  next_isn_ += 0x0123'4567;
}

void ReassemblyPart::segment(size_t stream, size_t index, std::span<const uint8_t> bytes) {
  StreamState& state = states_[stream];
  uint8_t* carry_over = carry_over_.get() + stream * kWindow;
  bool also_unknown = false;
  if (assembler_.accept(state, carry_over, state.next_seq, bytes, also_unknown) == SegmentFate::new_data) {
    assembler_.commit(state, carry_over);
  } else {
    ++refused_;
  }
  if (index % 2 == 1) assembler_.on_ack(state, state.next_seq);
}

void ParsingPart::segment(size_t stream, size_t, std::span<const uint8_t> bytes) {
  HttpRequest& parser = parsers_[stream];
  parse(parser, bytes, [&](HttpStage stage) {
    requests_ += stage == HttpStage::headers;
    if (ruleset_.has_http(stage)) buffers_.fill(parser, stage);
  });
}

void PrefilterPart::propose(const RuleGroup& group, std::span<const uint8_t> bytes) {
  if (!group.empty()) failed_ |= !propose_rules(group, bytes, scratch_);
}

void PrefilterPart::segment(size_t stream, size_t index, std::span<const uint8_t>) {
  for (const EngineRecord::Scan& scan : record_.steps(stream)[index].requests) {
    scratch_.candidates.clear();
    for (const BufferInfo& buffer : buffer_table()) {
      propose(record_.ruleset().http(scan.stage, buffer.buffer),
              scan.views[static_cast<size_t>(buffer.buffer)]);
    }
  }
  scratch_.candidates.clear();
  propose(stream_group(record_.ruleset()),
          EngineRecord::block(record_.traffic().streams()[stream], index).bytes);
}

VerificationPart::VerificationPart(const EngineRecord& record)
    : record_(record), candidates_(record.ruleset().size()), scratch_(kLargestBuffer) {}

void VerificationPart::segment(size_t stream, size_t index, std::span<const uint8_t> bytes) {
  const EngineRecord::Step& step = record_.steps(stream)[index];
  const FlowInfo& info = record_.flow(stream);
  const auto each = [&](const std::vector<uint32_t>& candidates, auto matches) {
    candidates_.clear();
    for (const uint32_t rule : candidates) candidates_.add(rule);
    for (const uint32_t i : candidates_.sorted()) {
      const CompiledRule& rule = record_.ruleset().rule(i);
      matched_ += header_matches(rule, info, step.http) && matches(rule);
    }
  };
  for (const EngineRecord::Scan& scan : step.requests) {
    each(scan.candidates, [&](const CompiledRule& rule) { return request_matches(rule, scan, scratch_); });
  }
  const StreamBlock block = EngineRecord::block(record_.traffic().streams()[stream], index);
  each(step.candidates,
       [&](const CompiledRule& rule) { return stream_matches(rule, block, bytes, scratch_); });
}

void EventPart::add_request(AlertBody& alert, const EngineRecord::Step& step) {
  if (step.requests.empty()) return;
  const auto text = [&step](Buffer buffer) {
    const auto view = step.requests.back().views[static_cast<size_t>(buffer)];
    return std::string_view(reinterpret_cast<const char*>(view.data()), view.size());
  };
  alert.http_method.assign(text(Buffer::http_method));
  alert.http_url.assign(text(Buffer::http_uri_raw));
  alert.http_host.assign(text(Buffer::http_host));
}

void EventPart::segment(size_t stream, size_t index, std::span<const uint8_t> bytes) {
  for (const uint32_t i : record_.steps(stream)[index].events) {
    const CompiledRule& rule = record_.ruleset().rule(i);
    Event& event = *event_;
    event = Event{};
    event.flow = record_.flow(stream);
    event.packet_length = static_cast<uint16_t>(bytes.size());
    event.alert.gid = rule.gid;
    event.alert.sid = rule.sid;
    event.alert.rev = rule.rev;
    event.alert.priority = rule.priority;
    event.alert.signature.assign(rule.message);
    event.alert.category.assign(rule.category);
    add_request(event.alert, record_.steps(stream)[index]);
    sink_.push(event);
  }
}

}  // namespace weir::bench
