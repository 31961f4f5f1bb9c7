#include "inspection/detect/judge.h"

#include <algorithm>
#include <cstring>

namespace weir::inspection {

namespace {

constexpr uint8_t kProtocolIcmp = 1;
constexpr uint8_t kProtocolIcmp6 = 58;

struct ProposeContext {
  const RuleGroup* group;
  CandidateSet* candidates;
};

void on_literal(void* context, uint32_t literal) {
  const auto* propose = static_cast<const ProposeContext*>(context);
  for (uint32_t rule : propose->group->rules_of(literal)) propose->candidates->add(rule);
}

}  // namespace

void HttpBuffers::set(Buffer buffer, std::string_view text) {
  const size_t size = std::min(text.size(), HttpRequest::kMaxHead);
  std::memcpy(room(buffer).data(), text.data(), size);
  set_size(buffer, size);
}

void HttpBuffers::fill(const HttpRequest& request, HttpStage stage) {
  set(Buffer::http_method, request.method());
  set(Buffer::http_uri_raw, request.raw_uri());
  set_size(Buffer::http_uri, normalise_uri(request.raw_uri(), room(Buffer::http_uri)));
  if (stage == HttpStage::request_line) return;
  const std::string_view lines = request.header_lines();
  set_size(Buffer::http_header, headers_without_cookies(lines, room(Buffer::http_header)));
  for (const HttpBufferInfo& info : buffer_table()) {
    if (info.header.empty()) continue;
    size_t size = header_values(lines, info.header, room(info.buffer));
    if (info.buffer == Buffer::http_host) size = normalise_host(room(info.buffer).first(size));
    set_size(info.buffer, size);
  }
}

bool Judge::endpoints_match(const CompiledRule& rule) const {
  const FlowInfo& info = flow_.info;
  const bool to_server = packet_.direction == Direction::to_server;
  const net::IpAddress& src = to_server ? info.src : info.dst;
  const net::IpAddress& dst = to_server ? info.dst : info.src;
  const uint16_t sport = to_server ? info.src_port : info.dst_port;
  const uint16_t dport = to_server ? info.dst_port : info.src_port;
  const bool has_ports = flow_.transport != Transport::other;
  const auto one_way = [&](const net::IpAddress& from, uint16_t from_port, const net::IpAddress& to,
                           uint16_t to_port) {
    const bool ports = has_ports
                           ? rule.source_ports.contains(from_port) && rule.destination_ports.contains(to_port)
                           : rule.source_ports.is_all() && rule.destination_ports.is_all();
    return ports && rule.source.contains(from) && rule.destination.contains(to);
  };
  return one_way(src, sport, dst, dport) || (rule.both_ways && one_way(dst, dport, src, sport));
}

bool Judge::flow_matches(const CompiledRule& rule) const {
  if (rule.flow.established && !flow_.established) return false;
  if (rule.flow.not_established && flow_.established) return false;
  if (rule.flow.to_server && packet_.direction != Direction::to_server) return false;
  if (rule.flow.to_client && packet_.direction != Direction::to_client) return false;
  return true;
}

bool Judge::header_matches(const CompiledRule& rule) const {
  const uint8_t protocol = flow_.info.protocol;
  if (rule.protocol == RuleProtocol::icmp && protocol != kProtocolIcmp && protocol != kProtocolIcmp6)
    return false;
  if (rule.protocol == RuleProtocol::http && (http_ == nullptr || !http_->recognised())) return false;
  return flow_matches(rule) && endpoints_match(rule);
}

void Judge::propose(const RuleGroup& group, std::span<const uint8_t> bytes) {
  for (uint32_t rule : group.always()) scratch_.candidates.add(rule);
  ProposeContext context{&group, &scratch_.candidates};
  if (!group.database().scan(bytes, scratch_.hyperscan.get(), on_literal, &context)) {
    ++counters_.scan_errors;
    failed_ = true;
  }
}

void Judge::payload(std::span<const uint8_t> bytes, uint64_t base, std::span<const uint8_t> segment,
                    Repeat repeat) {
  const RuleGroup& group = ruleset_.payload(flow_.transport, packet_.direction);
  if (group.empty()) return;
  scratch_.candidates.clear();
  propose(group, bytes);
  for (uint32_t index : scratch_.candidates.sorted()) {
    const CompiledRule& rule = ruleset_.rule(index);
    if (!header_matches(rule)) continue;
    const ContentChain& chain = rule.chains.front();
    // Positions count from the beginning of the stream and, as in Suricata, from that of each segment too.
    if (chain_matches(chain, bytes, base, memory_.match) ||
        (chain.anchored && !segment.empty() && chain_matches(chain, segment, 0, memory_.match))) {
      matched(rule, repeat);
    }
  }
}

void Judge::datagram(std::span<const uint8_t> bytes) { payload(bytes, 0, {}, Repeat::always); }

void Judge::lone_segment(std::span<const uint8_t> bytes) { payload(bytes, 0, {}, Repeat::once); }

void Judge::stream(const StreamBlock& block) {
  payload(block.bytes, block.base, packet_.payload, Repeat::once);
}

void Judge::headers() {
  const uint8_t level = flow_.established ? 2 : 1;
  uint8_t& judged = flow_.header_judged[static_cast<size_t>(packet_.direction)];
  if (judged >= level) return;
  judged = level;
  for (uint32_t index : ruleset_.header_only(flow_.transport, packet_.direction)) {
    const CompiledRule& rule = ruleset_.rule(index);
    if (header_matches(rule)) matched(rule, Repeat::once);
  }
}

bool Judge::request_matches(const CompiledRule& rule) {
  return std::all_of(rule.chains.begin(), rule.chains.end(), [this](const ContentChain& chain) {
    return chain_matches(chain, memory_.http.view(chain.buffer), 0, memory_.match);
  });
}

void Judge::request(HttpStage stage) {
  if (!ruleset_.has_http(stage)) return;
  memory_.http.fill(*http_, stage);
  scratch_.candidates.clear();
  for (const HttpBufferInfo& info : buffer_table()) {
    const RuleGroup& group = ruleset_.http(stage, info.buffer);
    if (!group.empty()) propose(group, memory_.http.view(info.buffer));
  }
  for (uint32_t index : scratch_.candidates.sorted()) {
    const CompiledRule& rule = ruleset_.rule(index);
    if (header_matches(rule) && request_matches(rule)) matched(rule, Repeat::always);
  }
}

void Judge::matched(const CompiledRule& rule, Repeat repeat) {
  if (repeat == Repeat::once) {
    switch (flow_.alerted.insert(rule.key(), packet_.direction)) {
      case AlertedRules::Insert::present:
        // A rule that has alerted may drop since the last change of rules.
        if (rule.action == RuleAction::drop && !flow_.dropped) break;
        return;
      case AlertedRules::Insert::added:
        break;
      case AlertedRules::Insert::full:
        if (rule.action == RuleAction::drop) break;
        ++counters_.events_lost;
        return;
    }
  }
  ++counters_.alerts;
  push(EventKind::alert, rule);
  if (rule.action != RuleAction::drop || flow_.dropped) return;
  flow_.dropped = true;
  flow_.dropped_by = rule.sid;
  ++counters_.drops;
  push(EventKind::drop, rule);
}

void Judge::push(EventKind kind, const CompiledRule& rule) {
  Event& event = memory_.event;
  event = Event{};
  event.kind = kind;
  event.time_ns = packet_.now_ns;
  event.flow = flow_.info;
  event.packet_length = static_cast<uint16_t>(packet_.payload.size());
  AlertBody& alert = event.alert;
  alert.gid = rule.gid;
  alert.sid = rule.sid;
  alert.rev = rule.rev;
  alert.priority = rule.priority;
  alert.blocked = rule.action == RuleAction::drop;
  alert.to_client = packet_.direction == Direction::to_client;
  alert.signature.assign(rule.message);
  alert.category.assign(rule.category);
  if (kind == EventKind::drop) event.drop_reason.assign("inspect_drop");
  if (http_ != nullptr && http_->recognised()) {
    alert.http_method.assign(http_->method());
    alert.http_url.assign(http_->raw_uri());
    std::array<uint8_t, 128> host;
    const size_t size = header_values(http_->header_lines(), "host", host);
    alert.http_host.assign({reinterpret_cast<const char*>(host.data()), normalise_host({host.data(), size})});
  }
  if (!sink_.push(event)) ++counters_.events_lost;
}

}  // namespace weir::inspection
