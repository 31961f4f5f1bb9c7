#include "bench/inspection/engine_sessions.h"

#include <array>

#include <algorithm>

namespace weir::bench {

namespace {

using inspection::Action;
using inspection::Direction;

constexpr uint8_t kSyn = 0x02, kAck = 0x10;
constexpr uint32_t kIsnStep = 0x0123'4567;  // odd, and longer than a stream

}  // namespace

std::vector<RingSink::Told> RingSink::latest() const {
  std::vector<Told> events;
  for (uint64_t i = count_ - std::min<uint64_t>(count_, kSize); i < count_; ++i) {
    events.push_back(ring_[i % kSize]);
  }
  return events;
}

inspection::FlowInfo flow_info(size_t number) {
  inspection::FlowInfo info;
  info.flow_id = number;
  info.src = *net::parse_ip("198.18.0.5");  // outside of what $HOME_NET is, as what attacks a server is
  info.dst = *net::parse_ip("10.2.0.80");
  info.src_port = static_cast<uint16_t>(40'000 + number % 20'000);
  info.dst_port = 80;
  info.protocol = 6;
  info.from_domain.assign("office");
  info.to_domain.assign("cloud");
  info.policy_rule.assign("inspect-web");
  return info;
}

EngineSessions::EngineSessions(std::shared_ptr<const inspection::Ruleset> ruleset,
                               std::unique_ptr<inspection::Inspector> inspector, size_t sessions)
    : ruleset_(std::move(ruleset)), inspector_(std::move(inspector)), sessions_(sessions + 1) {
  for (size_t i = 0; i < sessions_.size(); ++i) sessions_[i].info = flow_info(i);
}

Result<std::unique_ptr<EngineSessions>> EngineSessions::create(
    std::shared_ptr<const inspection::Ruleset> ruleset, size_t sessions) {
  inspection::InspectorLimits limits;
  limits.flows = static_cast<uint32_t>(sessions + 1);  // and the planted one
  auto memory = inspection::RuleMemory::create({limits.host_marks, limits.dataset_values}, 1);
  if (!memory) return tl::unexpected(memory.error());
  auto inspector = inspection::Inspector::create(0, limits, std::move(*memory));
  if (!inspector) return tl::unexpected(inspector.error());
  return std::unique_ptr<EngineSessions>(
      new EngineSessions(std::move(ruleset), std::move(*inspector), sessions));
}

void EngineSessions::packet(const Session& session, Direction direction, uint8_t flags,
                            std::span<const uint8_t> payload) {
  const bool to_server = direction == Direction::to_server;
  inspection::Packet packet;
  packet.direction = direction;
  packet.now_ns = now_ns_ += 1'000;
  // What a packet does not carry by value: the largest window, no options.
  static constexpr std::array<uint8_t, 20> kIpHeader = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6};
  static constexpr std::array<uint8_t, 20> kTcpHeader = {0, 0, 0, 0, 0,      0, 0,    0,
                                                         0, 0, 0, 0, 5 << 4, 0, 0xff, 0xff};
  packet.ip = packet.ip_header = kIpHeader;  // no rule here asks how long it is
  packet.l4_header = kTcpHeader;
  packet.payload = payload;
  packet.seq = to_server ? session.client_next : session.server_next;
  packet.ack = to_server ? session.server_next : session.client_next;
  packet.tcp_flags = flags;
  const inspection::Verdict verdict = inspector_->inspect(session.handle, *ruleset_, packet, sink_);
  not_passed_ += verdict.action != Action::pass;
}

void EngineSessions::begin(size_t session) {
  Session& s = sessions_[session];
  s.info.flow_id = ++flows_;
  s.info.start_ns = now_ns_;
  s.handle = inspector_->open(s.info);
  s.client_next = next_isn_;
  s.server_next = next_isn_ ^ 0x5555'5555;
  next_isn_ += kIsnStep;
  s.unacknowledged = 0;
  packet(s, Direction::to_server, kSyn, {});
  ++s.client_next;
  packet(s, Direction::to_client, kSyn | kAck, {});
  ++s.server_next;
  packet(s, Direction::to_server, kAck, {});
}

void EngineSessions::segment(size_t session, Direction direction, std::span<const uint8_t> bytes) {
  Session& s = sessions_[session];
  if (direction != s.sent_last) s.unacknowledged = 0;
  s.sent_last = direction;
  packet(s, direction, kAck, bytes);
  (direction == Direction::to_server ? s.client_next : s.server_next) += static_cast<uint32_t>(bytes.size());
  if (++s.unacknowledged == 2) {
    packet(s, inspection::opposite(direction), kAck, {});
    s.unacknowledged = 0;
  }
}

void EngineSessions::end(size_t session) { inspector_->close(sessions_[session].handle); }

std::string EngineSessions::trouble() const {
  const inspection::InspectorCounters& c = counters();
  const auto told = [](const char* what, uint64_t count) {
    return count == 0 ? std::string() : std::string(what) + " " + std::to_string(count) + ". ";
  };
  return told("packets that did not pass", not_passed_) + told("flow_limit", c.flow_limit) +
         told("memory_limit", c.memory_limit) + told("segment_limit", c.segment_limit) +
         told("segment_conflicts", c.segment_conflicts) + told("rewritten", c.rewritten) +
         told("scan_errors", c.scan_errors) + told("events_lost", c.events_lost);
}

bool EngineSessions::alerts_on(std::string_view request, uint32_t sid) {
  constexpr size_t kPiece = 100;
  const uint64_t before = sink_.count();
  const size_t session = sessions_.size() - 1;
  begin(session);
  for (; !request.empty(); request.remove_prefix(std::min(kPiece, request.size()))) {
    const std::string_view piece = request.substr(0, kPiece);
    segment(session, Direction::to_server, {reinterpret_cast<const uint8_t*>(piece.data()), piece.size()});
  }
  end(session);
  std::vector<RingSink::Told> events = sink_.latest();
  const auto fresh = std::min<uint64_t>(sink_.count() - before, events.size());
  return std::any_of(events.end() - static_cast<std::ptrdiff_t>(fresh), events.end(),
                     [sid](const RingSink::Told& told) { return told.event.alert.sid == sid; });
}

}  // namespace weir::bench
