// The property that evasions break: however a stream is cut into segments, and in whatever order they come,
// the same rules alert in the same transactions; inline, the packet that completes an attack is the one that
// is not sent.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "inspection/engine/engine.h"
#include "tests/unit/inspection/detection_support.h"
#include "tests/unit/inspection/engine/bytes.h"

namespace weir::inspection {
namespace {

using namespace test;

constexpr std::string_view kRules = R"(
alert http any any -> any any (http.uri; content:"/second"; sid:1;)
alert http any any -> any any (http.method; content:"POST"; http.request_body; content:"needle"; sid:2;)
alert tcp any any -> any any (flow:established,to_server; content:"User-Agent|3a| weir"; sid:3;)
alert http any any -> any any (http.stat_code; content:"404"; sid:4;)
alert http any any -> any any (http.uri; content:"/none"; sid:5;)
)";

constexpr std::string_view kClient =
    "GET /first HTTP/1.1\r\nHost: a.example\r\nUser-Agent: weir\r\n\r\n"
    "POST /second?x=1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 17\r\n\r\nhay needle in hay"
    "GET /third HTTP/1.1\r\nHost: a.example\r\n\r\n";
constexpr std::string_view kServer =
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

class Seen final : public EngineEvents {
 public:
  void alert(const EngineSession*, const EnginePacket&, const RuleAlert& alert) override {
    alerts.insert(
        {alert.rule->sid, alert.transaction != nullptr ? static_cast<int>(alert.transaction->id) : -1});
  }
  void transaction(const EngineSession&, const EnginePacket&, Transaction&) override { ++transactions; }
  void moved(const EngineSession&, const EnginePacket&, std::span<Transaction* const>) override {}
  void judged(const EngineSession*, const EnginePacket&, const EngineVerdict&) override {}
  void ended(const EngineSession&) override { ++ended_sessions; }

  std::set<std::pair<uint32_t, int>> alerts;
  int transactions = 0, ended_sessions = 0;
};

/// One TCP session through an engine.
class Wire {
 public:
  Wire(std::string_view rules, InspectMode mode) : profile_(make_profile(rules, mode)) {
    EngineSettings settings;
    settings.memory = 4 << 20;
    settings.enforce = settings.stream.is_inline = mode == InspectMode::ips;
    engine_ = std::move(Engine::create(0, settings, HostMarks::create(1'024, 1).value()).value());
  }
  ~Wire() {
    finish();
    EXPECT_EQ(engine_->pool().used(), 0u) << "all memory goes back";
  }

  EngineVerdict send(Direction way, uint8_t flags, uint32_t seq, uint32_t ack, std::string_view bytes = {}) {
    const bool client = way == Direction::to_server;
    payload_ = text(bytes);
    ip_.assign(40 + payload_.size(), 0);
    EnginePacket packet;
    packet.view.time_ns = ++now_ * 1'000'000;
    packet.view.src = net::Ipv4{client ? 0x0a000001u : 0x0a000002u};
    packet.view.dst = net::Ipv4{client ? 0x0a000002u : 0x0a000001u};
    packet.view.src_port = client ? 40'000 : 80;
    packet.view.dst_port = client ? 80 : 40'000;
    packet.view.protocol = 6;
    packet.view.ip = ip_;
    packet.view.payload = payload_;
    packet.view.seq = seq;
    packet.view.ack = ack;
    packet.view.window = 60'000;
    packet.view.tcp_flags = flags;
    packet.ttl = 64;
    if (session_ == nullptr) session_ = engine_->open(packet, 1);
    return engine_->inspect(session_, packet, *profile_, seen);
  }
  void handshake() {
    send(Direction::to_server, kTcpSyn, 999, 0);
    send(Direction::to_client, kTcpSyn | kTcpAck, 1'999, 1'000);
    send(Direction::to_server, kTcpAck, 1'000, 2'000);
  }
  /// All bytes of one direction, in segments of random sizes, shuffled within `reach`, then acknowledged.
  void stream(Direction way, std::string_view bytes, uint32_t other_bytes, std::mt19937& random, size_t most,
              size_t reach) {
    std::vector<std::pair<uint32_t, std::string_view>> segments;
    for (size_t at = 0; at < bytes.size();) {
      const size_t size = 1 + random() % most;
      segments.emplace_back(static_cast<uint32_t>(at), bytes.substr(at, size));
      at += segments.back().second.size();
    }
    for (size_t i = 0; i + 1 < segments.size(); ++i)
      std::swap(segments[i], segments[i + random() % std::min(reach, segments.size() - i)]);
    const bool client = way == Direction::to_server;
    const uint32_t base = client ? 1'000 : 2'000, other = (client ? 2'000 : 1'000) + other_bytes;
    for (const auto& [at, part] : segments) send(way, kTcpAck, base + at, other, part);
    send(opposite(way), kTcpAck, other, base + static_cast<uint32_t>(bytes.size()));
  }
  void finish() {
    if (session_ != nullptr) engine_->end(session_, now_ * 1'000'000, *profile_, seen);
    session_ = nullptr;
  }

  Seen seen;

 private:
  std::shared_ptr<const DetectionProfile> profile_;
  std::unique_ptr<Engine> engine_;
  EngineSession* session_ = nullptr;
  Octets payload_, ip_;
  uint64_t now_ = 0;
};

class Segmentation : public testing::TestWithParam<InspectMode> {};

TEST_P(Segmentation, AnySegmentsInAnyOrderGiveTheSameAlerts) {
  const std::set<std::pair<uint32_t, int>> expected = {{1, 1}, {2, 1}, {3, -1}, {4, 1}};
  for (uint32_t seed = 0; seed < 150; ++seed) {
    std::mt19937 random(seed);
    const size_t most = seed % 3 == 0 ? 3 : seed % 3 == 1 ? 40 : 1'000;
    const size_t reach = seed % 2 == 0 ? 1 : 12;
    Wire wire(kRules, GetParam());
    wire.handshake();
    wire.stream(Direction::to_server, kClient, 0, random, most, reach);
    wire.stream(Direction::to_client, kServer, static_cast<uint32_t>(kClient.size()), random, most, reach);
    wire.finish();
    EXPECT_EQ(wire.seen.alerts, expected) << "seed " << seed;
    EXPECT_EQ(wire.seen.transactions, 3) << "seed " << seed;
    EXPECT_EQ(wire.seen.ended_sessions, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, Segmentation, testing::Values(InspectMode::ids, InspectMode::ips));

TEST(EngineInline, ThePacketThatCompletesTheAttackIsTheOneDropped) {
  constexpr std::string_view kAttack = "GET /attack HTTP/1.1\r\n\r\n";
  for (size_t cut = 1; cut < kAttack.size(); ++cut) {
    Wire wire(R"(drop tcp any any -> any any (flow:established; content:"/attack"; sid:7;))",
              InspectMode::ips);
    wire.handshake();
    const bool whole = cut >= 11;  // the first segment holds it already
    const EngineVerdict first =
        wire.send(Direction::to_server, kTcpAck, 1'000, 2'000, kAttack.substr(0, cut));
    EXPECT_EQ(first.forward, !whole) << cut;
    const EngineVerdict second = wire.send(Direction::to_server, kTcpAck, 1'000 + static_cast<uint32_t>(cut),
                                           2'000, kAttack.substr(cut));
    EXPECT_FALSE(second.forward) << cut;
    EXPECT_FALSE(wire.send(Direction::to_client, kTcpAck, 2'000, 1'000, "later").forward)
        << "a tombstone, both ways";
  }
}

TEST(EngineInline, WhatFillsAGapIsJudgedWithAllBehindIt) {
  Wire wire(R"(drop tcp any any -> any any (flow:established; content:"abcdef"; sid:7;))", InspectMode::ips);
  wire.handshake();
  EXPECT_TRUE(wire.send(Direction::to_server, kTcpAck, 1'003, 2'000, "def").forward) << "recorded and sent";
  EXPECT_FALSE(wire.send(Direction::to_server, kTcpAck, 1'000, 2'000, "abc").forward);
}

TEST(EngineInline, OtherBytesThanThoseFirstSeenAreRewritten) {
  Wire wire(R"(drop tcp any any -> any any (flow:established; content:"evil"; sid:7;))", InspectMode::ips);
  wire.handshake();
  EXPECT_TRUE(wire.send(Direction::to_server, kTcpAck, 1'000, 2'000, "good").forward);
  const EngineVerdict again = wire.send(Direction::to_server, kTcpAck, 1'000, 2'000, "evil");
  EXPECT_TRUE(again.forward);
  EXPECT_TRUE(again.rewritten) << "it leaves with the bytes that were judged";
}

}  // namespace
}  // namespace weir::inspection
