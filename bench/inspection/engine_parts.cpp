#include "bench/inspection/engine_parts.h"

#include <x86intrin.h>

#include <algorithm>
#include <array>

namespace weir::bench {

using namespace inspection;

namespace {

constexpr uint32_t kWindow = InspectorLimits{}.stream_window;
constexpr uint32_t kRecords = InspectorLimits{}.out_of_order_segments;
constexpr uint32_t kIsnStep = 0x0123'4567;

struct Proposal {
  const RuleGroup* group;
  CandidateSet* candidates;
};

void on_literal(void* context, uint32_t literal) {
  const auto* proposal = static_cast<const Proposal*>(context);
  for (const uint32_t rule : proposal->group->rules_of(literal)) proposal->candidates->add(rule);
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

}  // namespace

template <Depth kDepth>
PartialEngine<kDepth>::PartialEngine(const Ruleset& ruleset, size_t streams)
    : ruleset_(ruleset),
      scratch_(*ruleset.scratch(0)),
      assembler_(kWindow, kRecords, std::max(static_cast<uint32_t>(2 * streams), 4 * kRecords)),
      memory_(std::max(assembler_.max_block(), HttpRequest::kMaxHead)),
      streams_(streams),
      parsers_(std::make_unique_for_overwrite<HttpRequest[]>(streams)),
      carry_over_(std::make_unique_for_overwrite<uint8_t[]>(streams * kWindow)) {
  for (size_t i = 0; i < streams; ++i) streams_[i].info = flow_info(i);
  event_cycles_.reserve(kTimedEvents);
}

template <Depth kDepth>
void PartialEngine<kDepth>::begin(size_t stream) {
  Stream& s = streams_[stream];
  if constexpr (kDepth >= Depth::reassembly) {
    s.state = {};
    assembler_.on_syn(s.state, next_isn_);
    assembler_.confirm(s.state, next_isn_ + 1);
    next_isn_ += kIsnStep;
  }
  if constexpr (kDepth >= Depth::parsing) parsers_[stream].reset(true);
  if constexpr (kDepth >= Depth::verification) s.alerted.clear();
}

template <Depth kDepth>
void PartialEngine<kDepth>::segment(size_t stream, size_t index, std::span<const uint8_t> bytes) {
  if constexpr (kDepth >= Depth::reassembly) {
    Stream& s = streams_[stream];
    uint8_t* carry_over = carry_over_.get() + stream * kWindow;
    bool also_unknown = false;
    const SegmentFate fate = assembler_.accept(s.state, carry_over, s.state.next_seq, bytes, also_unknown);
    if (fate != SegmentFate::new_data) {
      failed_ = true;
      return;
    }
    block(s, parsers_[stream], bytes);
    assembler_.commit(s.state, carry_over);
    if (index % 2 == 1) assembler_.on_ack(s.state, s.state.next_seq);
  }
}

template <Depth kDepth>
void PartialEngine<kDepth>::end(size_t stream) {
  if constexpr (kDepth >= Depth::reassembly) assembler_.release(streams_[stream].state);
}

template <Depth kDepth>
void PartialEngine<kDepth>::block(Stream& stream, HttpRequest& http, std::span<const uint8_t> segment) {
  const StreamBlock& block = assembler_.block();
  if constexpr (kDepth >= Depth::parsing) {
    auto rest = block.fresh();
    while (!rest.empty() && !http.stopped()) {
      const HttpRequest::Step step = http.advance(rest);
      rest = rest.subspan(step.consumed);
      if (step.point == HttpRequest::Point::request_line) {
        request(stream, http, HttpStage::request_line, segment.size());
      } else if (step.point == HttpRequest::Point::headers) {
        request(stream, http, HttpStage::headers, segment.size());
      }
    }
  }
  if constexpr (kDepth >= Depth::prefilter) {
    scratch_.candidates.clear();
    propose(ruleset_.payload(Transport::stream, Direction::to_server), block.bytes);
  }
  if constexpr (kDepth >= Depth::verification) {
    for (const uint32_t index : scratch_.candidates.sorted()) {
      ++candidates_;
      const CompiledRule& rule = ruleset_.rule(index);
      if (!header_matches(rule, stream.info, http.recognised())) continue;
      const ContentChain& chain = rule.chains.front();
      const bool matches = chain_matches(chain, block.bytes, block.base, memory_.match) ||
                           (chain.anchored && chain_matches(chain, segment, 0, memory_.match));
      if (!matches) continue;
      if (stream.alerted.insert(rule.key(), Direction::to_server) != AlertedRules::Insert::added) continue;
      report(stream, rule, http, segment.size());
    }
  }
}

template <Depth kDepth>
void PartialEngine<kDepth>::request(Stream& stream, HttpRequest& http, HttpStage stage, size_t size) {
  requests_ += stage == HttpStage::headers;
  if (!ruleset_.has_http(stage)) return;
  memory_.http.fill(http, stage);
  if constexpr (kDepth >= Depth::prefilter) {
    scratch_.candidates.clear();
    for (const BufferInfo& info : buffer_table()) {
      propose(ruleset_.http(stage, info.buffer), memory_.http.view(info.buffer));
    }
  }
  if constexpr (kDepth >= Depth::verification) {
    for (const uint32_t index : scratch_.candidates.sorted()) {
      ++candidates_;
      const CompiledRule& rule = ruleset_.rule(index);
      if (!header_matches(rule, stream.info, true)) continue;
      const bool matches =
          std::all_of(rule.chains.begin(), rule.chains.end(), [this](const ContentChain& chain) {
            return chain_matches(chain, memory_.http.view(chain.buffer), 0, memory_.match);
          });
      if (matches) report(stream, rule, http, size);
    }
  }
}

template <Depth kDepth>
void PartialEngine<kDepth>::propose(const RuleGroup& group, std::span<const uint8_t> bytes) {
  if (group.empty()) return;
  for (const uint32_t rule : group.always()) scratch_.candidates.add(rule);
  Proposal proposal{&group, &scratch_.candidates};
  failed_ |= !group.database().scan(bytes, scratch_.hyperscan.get(), on_literal, &proposal);
  scanned_bytes_ += bytes.size();
}

template <Depth kDepth>
void PartialEngine<kDepth>::fill(Event& event, const Stream& stream, const CompiledRule& rule,
                                 const HttpRequest& http, size_t size) const {
  event = Event{};
  event.flow = stream.info;
  event.packet_length = static_cast<uint16_t>(size);
  AlertBody& alert = event.alert;
  alert.gid = rule.gid;
  alert.sid = rule.sid;
  alert.rev = rule.rev;
  alert.priority = rule.priority;
  alert.signature.assign(rule.message);
  alert.category.assign(rule.category);
  if (!http.recognised()) return;
  alert.http_method.assign(http.method());
  alert.http_url.assign(http.raw_uri());
  std::array<uint8_t, 128> host;
  const size_t host_size = normalise_host({host.data(), header_values(http.header_lines(), "host", host)});
  alert.http_host.assign({reinterpret_cast<const char*>(host.data()), host_size});
}

template <Depth kDepth>
void PartialEngine<kDepth>::report(const Stream& stream, const CompiledRule& rule, const HttpRequest& http,
                                   size_t size) {
  const uint64_t begin = __rdtsc();
  fill(memory_.event, stream, rule, http, size);
  sink_.push(memory_.event);
  const uint64_t cycles = __rdtsc() - begin;
  if (events_++ < kTimedEvents) event_cycles_.push_back(static_cast<uint32_t>(cycles));
}

template <Depth kDepth>
double PartialEngine<kDepth>::cycles_per_event() {
  if (event_cycles_.empty()) return 0;
  const auto middle = event_cycles_.begin() + static_cast<std::ptrdiff_t>(event_cycles_.size() / 2);
  std::nth_element(event_cycles_.begin(), middle, event_cycles_.end());
  return *middle;
}

template class PartialEngine<Depth::feed>;
template class PartialEngine<Depth::reassembly>;
template class PartialEngine<Depth::parsing>;
template class PartialEngine<Depth::prefilter>;
template class PartialEngine<Depth::verification>;

}  // namespace weir::bench
