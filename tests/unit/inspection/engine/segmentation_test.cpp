// The property that evasions break: however a stream is cut into segments, and in whatever order they come,
// the same rules alert in the same transactions; inline, the packet that completes an attack is the one that
// is not sent.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "inspection/engine/engine.h"
#include "tests/unit/inspection/detection_support.h"
#include "tests/unit/inspection/engine/bytes.h"
#include "tests/unit/inspection/engine/keyword_traffic.h"

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
  /// `strict` as the hub is.
  Wire(std::string_view rules, InspectMode mode, bool strict = false)
      : rules_(make_profile(rules, mode), settings_of(mode, strict)) {
    EngineSettings settings;
    settings.memory = 4 << 20;
    engine_ = std::move(
        Engine::create(0, settings,
                       RuleMemory::create({.host_marks = 1'024, .dataset_values = 1'024}, 1).value())
            .value());
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
    if (session_ == nullptr) session_ = engine_->open(packet, 1, rules_);
    return engine_->inspect(session_, packet, rules_, seen);
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
    if (session_ != nullptr) engine_->end(session_, now_ * 1'000'000, rules_, seen);
    session_ = nullptr;
  }

  Seen seen;

 private:
  static SessionSettings settings_of(InspectMode mode, bool strict) {
    SessionSettings settings;
    settings.mode = mode;
    settings.stream.is_inline = mode == InspectMode::ips;
    settings.stream.strict = strict;
    return settings;
  }
  Ruleset rules_;
  std::unique_ptr<Engine> engine_;
  EngineSession* session_ = nullptr;
  Octets payload_, ip_;
  uint64_t now_ = 0;
};

// --- whatever the segments, the same alerts ---

struct Dialogue {
  const char* name;
  std::string_view rules;
  std::string client, server;
  size_t alerts;  // how many different ones there are
};

constexpr std::string_view kBodyRules = R"(
alert http any any -> any any (http.request_body; content:"need"; content:"le"; distance:0; within:2; sid:11;)
alert http any any -> any any (file.data; content:"split over chunks"; sid:12;)
alert http any any -> any any (http.response_body; content:!"absent"; content:"over"; sid:13;)
alert http any any -> any any (http.response_body; content:"the end"; endswith; sid:14;)
alert http any any -> any any (http.response_body; pcre:"/spl.t\s+over/"; bsize:>20; sid:15;)
alert http any any -> any any (http.header; content:"X-Long|3a 20|"; pcre:"/^a{200}b/R"; sid:16;)
alert http any any -> any any (http.stat_code; content:"200"; http.response_body; content:"nothing of it"; sid:17;)
alert http any any => any any (http.method; content:"PUT"; http.stat_code; content:"200"; sid:18;)
)";

constexpr std::string_view kRawRules = R"(
alert tcp any any -> any any (content:"alpha"; content:"beta"; distance:3; within:10; sid:21;)
alert tcp any any -> any any (content:"alpha"; content:"gamma"; distance:0; pcre:"/delt[ao]/R"; sid:22;)
alert tcp any any -> any any (flow:to_server; content:"gamma"; flowbits:set,seen; noalert; sid:23;)
alert tcp any any -> any any (flow:to_client; content:"omega"; flowbits:isset,seen; sid:24;)
alert tcp any any -> any any (content:"omega"; byte_test:2,=,258,0,relative; sid:25;)
alert tcp any any -> any any (content:"beta"; content:"alpha"; distance:0; sid:26;)
)";

constexpr std::string_view kTlsRules = R"(
alert tls any any -> any any (tls.sni; content:"www.example.org"; startswith; endswith; sid:31;)
alert tls any any -> any any (tls.cert_subject; content:"CN=www.example.org"; sid:32;)
alert tls any any -> any any (ja3.string; content:"771,"; startswith; sid:33;)
alert tls any any -> any any (tls.certs; content:"Some CA"; sid:34;)
alert tls:server_hello_done any any -> any any (sid:35;)
)";

std::vector<Dialogue> dialogues() {
  std::vector<Dialogue> all;
  all.push_back({"exchanges", kRules, std::string(kClient), std::string(kServer), 4});
  all.push_back(
      {"bodies", kBodyRules,
       "PUT /a HTTP/1.1\r\nHost: a\r\nX-Long: " + std::string(200, 'a') +
           "b\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nneed\r\n2;x=y\r\nle\r\n0\r\n\r\n",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nsplit o\r\na\r\nver chunks\r\n8\r\n "
       "the end\r\n0\r\nTrailer: x\r\n\r\n",
       7});
  all.push_back({"bytes", kRawRules, "..alpha...beta..gamma delto..", std::string("<omega\x01\x02>", 9), 4});
  all.push_back({"handshake", kTlsRules, tls_bytes(true), tls_bytes(false), 5});
  return all;
}

enum class Mode : uint8_t { watching, enforcing, strict };

class Segmentation : public testing::TestWithParam<Mode> {};

TEST_P(Segmentation, AnySegmentsInAnyOrderGiveTheSameAlerts) {
  for (const Dialogue& dialogue : dialogues()) {
    SCOPED_TRACE(dialogue.name);
    const auto alerts = [&](uint32_t seed, size_t most, size_t reach) {
      std::mt19937 random(seed);
      Wire wire(dialogue.rules, GetParam() == Mode::watching ? InspectMode::ids : InspectMode::ips,
                GetParam() == Mode::strict);
      wire.handshake();
      wire.stream(Direction::to_server, dialogue.client, 0, random, most, reach);
      wire.stream(Direction::to_client, dialogue.server, static_cast<uint32_t>(dialogue.client.size()),
                  random, most, reach);
      wire.finish();
      EXPECT_EQ(wire.seen.ended_sessions, 1);
      return wire.seen.alerts;
    };
    const auto expected = alerts(0, 1 << 20, 1);
    EXPECT_EQ(expected.size(), dialogue.alerts);
    for (uint32_t seed = 1; seed < 120; ++seed) {
      const size_t most = seed % 3 == 0 ? 3 : seed % 3 == 1 ? 40 : 1'000;
      EXPECT_EQ(alerts(seed, most, seed % 2 == 0 ? 1 : 12), expected) << "seed " << seed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, Segmentation, testing::Values(Mode::watching, Mode::enforcing, Mode::strict));

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
