// Helpers of the inspection tests: rules from text, a sink that remembers, a TCP session driven by stream
// offset.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inspection/engine/ruleset_builder.h"
#include "inspection/events/event_fields.h"
#include "inspection/inspector.h"
#include "inspection/rules/language.h"

namespace weir::inspection::test {

inline constexpr uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;

inline std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

/// Compiles rules that all have to be good.
inline std::shared_ptr<const Ruleset> compile(std::string_view rules, unsigned workers = 1,
                                              const ProfileSpec& spec = {}) {
  ast::ParsedRuleset parsed;
  ast::RuleReader().read("test.rules", rules, parsed);
  auto build = compile_rules(parsed, workers, spec);
  if (!build) {
    ADD_FAILURE() << build.error().message;
    return nullptr;
  }
  for (const RuleIssue& issue : build->refused) {
    ADD_FAILURE() << issue.line << ':' << issue.column << ' ' << issue.keyword << ": " << issue.message;
  }
  return build->ruleset;
}

class RecordingSink final : public EventSink {
 public:
  bool push(Event& event, std::span<const uint8_t> bytes) override {
    if (events.size() >= room) return false;
    events.push_back(event);
    fields.emplace_back(bytes.begin(), bytes.end());
    return true;
  }
  size_t count(EventKind kind) const {
    size_t n = 0;
    for (const Event& event : events) n += event.kind == kind ? 1 : 0;
    return n;
  }
  /// The sids of the alerts, in their order.
  std::vector<uint32_t> alerts() const {
    std::vector<uint32_t> sids;
    for (const Event& event : events) {
      if (event.kind == EventKind::alert) sids.push_back(event.alert.sid);
    }
    return sids;
  }
  /// The first field of that kind of the i-th event, as text.
  std::string text(size_t i, Field field) const {
    FieldReader reader(fields.at(i));
    while (const auto value = reader.next()) {
      if (value->field == field) return std::string(value->text());
    }
    return {};
  }
  void clear() {
    events.clear();
    fields.clear();
  }
  std::vector<Event> events;
  std::vector<std::vector<uint8_t>> fields;  // by event
  size_t room = 1'000'000;
};

inline FlowInfo flow_info(uint8_t protocol = 6) {
  FlowInfo info;
  info.flow_id = 7;
  info.src = *net::parse_ip("10.1.0.5");
  info.dst = *net::parse_ip("10.2.0.80");
  info.src_port = 40'000;
  info.dst_port = 80;
  info.protocol = protocol;
  return info;
}

/// Of inspection's findings only.
inline EventSettings alerts_and_drops() {
  EventSettings settings;
  settings.kinds = EventKinds().set(EventKind::alert).set(EventKind::drop);
  return settings;
}

inline std::unique_ptr<Inspector> make_inspector(InspectorLimits limits = {.flows = 4}, unsigned worker = 0,
                                                 const EventSettings& events = alerts_and_drops()) {
  auto inspector = Inspector::create(
      worker, limits, RuleMemory::create({.host_marks = 1'024, .dataset_values = 1'024}, 1).value(), events);
  EXPECT_TRUE(inspector.has_value());
  return inspector ? std::move(*inspector) : nullptr;
}

/// The part of a TCP header that packets do not carry by value: the largest window, no options.
inline std::array<uint8_t, 20> tcp_header(uint8_t flags) {
  std::array<uint8_t, 20> header{};
  header[12] = 5 << 4;
  header[13] = flags;
  header[14] = header[15] = 0xff;
  return header;
}

/// An IPv4 header without options.
inline std::array<uint8_t, 20> ip_header(uint8_t protocol) {
  std::array<uint8_t, 20> header{};
  header[0] = 0x45;
  header[8] = 64;
  header[9] = protocol;
  return header;
}

/// An IPv4 packet as the hub shows it: headers and payload in one piece.
class WholePacket {
 public:
  WholePacket(uint8_t protocol, uint8_t flags, std::string_view payload, uint8_t ttl = 64) {
    auto ip = ip_header(protocol);
    ip[8] = ttl;
    const auto l4 = tcp_header(flags);
    const size_t header = protocol == 6 ? 20 : 8;
    const size_t size = ip.size() + header + payload.size();
    ip[2] = static_cast<uint8_t>(size >> 8);
    ip[3] = static_cast<uint8_t>(size);
    bytes_.assign(ip.begin(), ip.end());
    bytes_.insert(bytes_.end(), l4.begin(), l4.begin() + static_cast<std::ptrdiff_t>(header));
    bytes_.insert(bytes_.end(), payload.begin(), payload.end());
    packet.ip = bytes_;
    packet.ip_header = packet.ip.first(ip.size());
    packet.l4_header = packet.ip.subspan(ip.size(), header);
    packet.payload = packet.ip.subspan(ip.size() + header);
    packet.tcp_flags = flags;
  }
  WholePacket(const WholePacket&) = delete;
  WholePacket& operator=(const WholePacket&) = delete;

  std::span<uint8_t> writable() { return std::span(bytes_).last(packet.payload.size()); }
  Packet packet;

 private:
  std::vector<uint8_t> bytes_;
};

/// One session in an Inspector. Positions count bytes from the beginning of a direction's stream.
class Session {
 public:
  Session(Inspector& inspector, std::shared_ptr<const Ruleset> ruleset, RecordingSink& sink,
          const FlowInfo& info = flow_info())
      : inspector_(inspector),
        ruleset_(std::move(ruleset)),
        sink_(sink),
        info_(info),
        handle_(inspector.open(info)),
        rules(*ruleset_) {}
  ~Session() { inspector_.close(handle_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  bool opened() const { return handle_.valid(); }
  void use(std::shared_ptr<const Ruleset> ruleset) {
    ruleset_ = std::move(ruleset);
    rules = *ruleset_;
  }
  void start_at(uint32_t client_isn, uint32_t server_isn) {
    isn_[0] = client_isn;
    isn_[1] = server_isn;
  }

  Session& handshake() {
    raw(Direction::to_server, isn_[0], 0, kSyn, "");
    raw(Direction::to_client, isn_[1], isn_[0] + 1, kSyn | kAck, "");
    raw(Direction::to_server, isn_[0] + 1, isn_[1] + 1, kAck, "");
    return *this;
  }
  /// A segment at a position of its stream. It acknowledges `acked` bytes of the other.
  Action send(Direction d, uint32_t at, std::string_view payload, uint32_t acked = 0, uint8_t flags = kAck) {
    const auto own = static_cast<size_t>(d);
    return raw(d, isn_[own] + 1 + at, isn_[1 - own] + 1 + acked, flags, payload);
  }
  Action client(uint32_t at, std::string_view payload, uint32_t acked = 0) {
    return send(Direction::to_server, at, payload, acked);
  }
  Action server(uint32_t at, std::string_view payload, uint32_t acked = 0) {
    return send(Direction::to_client, at, payload, acked);
  }
  Action raw(Direction d, uint32_t seq, uint32_t ack, uint8_t flags, std::string_view payload) {
    WholePacket whole(info_.protocol, flags, payload, ttl);
    Packet& packet = whole.packet;
    packet.direction = d;
    packet.now_ns = ++now_;
    packet.wall_seconds = wall_seconds;
    if (mends) packet.writable = whole.writable();
    packet.seq = seq;
    packet.ack = ack;
    packet.work_budget = work_budget;
    Verdict verdict = inspector_.inspect(handle_, rules, packet, sink_);
    for (; verdict.action == Action::wait; ++waits)
      verdict = inspector_.inspect(handle_, rules, packet, sink_);
    last_sid = verdict.sid;
    last_why = verdict.why;
    return verdict.action;
  }
  /// Nothing follows.
  uint64_t end() { return inspector_.end(handle_, rules, ++now_, wall_seconds, sink_); }
  uint32_t last_sid = 0;
  uint64_t wall_seconds = 0;
  uint8_t ttl = 64;
  uint64_t work_budget = 0;
  unsigned waits = 0;  // times that a packet had to
  Refused last_why = Refused::limit;
  bool mends = false;  // bytes that contradict the first ones are put right

 private:
  Inspector& inspector_;
  std::shared_ptr<const Ruleset> ruleset_;
  RecordingSink& sink_;
  FlowInfo info_;
  FlowHandle handle_;
  uint32_t isn_[2] = {1000, 9000};
  uint64_t now_ = 0;

 public:
  RulesInUse rules;  // the ruleset's alone, unless a test says otherwise
};

}  // namespace weir::inspection::test
