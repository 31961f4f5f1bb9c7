// What inspected sessions cost, counted by the pool: idle ones, encrypted ones, and very many.
#include <gtest/gtest.h>

#include "tests/unit/inspection/support.h"

namespace weir::inspection::test {
namespace {

constexpr std::string_view kRules =
    "alert http any any -> any any (http.uri; content:\"/bad\"; sid:1;)\n"
    "alert tcp any any -> any any (content:\"ab\"; content:\"yz\"; distance:0; sid:2;)\n";
constexpr uint64_t kIdle = 2'048;  // that a session between two exchanges may cost

std::string request(std::string_view path) {
  return "GET " + std::string(path) +
         " HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: a browser\r\nCookie: " + std::string(300, 'c') +
         "\r\n\r\n";
}
std::string response(size_t size) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
}

/// A whole exchange, acknowledged.
void exchange(Session& session, uint32_t& client, uint32_t& server, std::string_view path = "/") {
  const std::string ask = request(path), answer = response(6'000) + std::string(6'000, 'x');
  session.client(client, ask, server);
  client += static_cast<uint32_t>(ask.size());
  session.server(server, answer, client);
  server += static_cast<uint32_t>(answer.size());
  session.client(client, "", server);
}

TEST(SessionMemory, BetweenTwoExchangesNextToNothingIsKept) {
  const auto inspector = make_inspector({.flows = 4, .stream_window = 16'384});
  RecordingSink sink;
  Session session(*inspector, compile(kRules), sink);
  session.handshake();
  uint32_t client = 0, server = 0;
  exchange(session, client, server);
  EXPECT_LE(InspectorLimits::kFlowBytes + inspector->counters().memory, kIdle);
  exchange(session, client, server, "/bad");
  EXPECT_EQ(sink.alerts(), (std::vector<uint32_t>{1})) << "it wakes, and its transactions are judged as ever";
  EXPECT_LE(InspectorLimits::kFlowBytes + inspector->counters().memory, kIdle);
}

TEST(SessionMemory, WhatIsNotAcknowledgedYetIsKeptToBeCompared) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile(kRules), sink);
  session.mends = true;
  session.handshake();
  const std::string ask = request("/"), answer = response(4) + "good";
  const auto asked = static_cast<uint32_t>(ask.size()), answered = static_cast<uint32_t>(answer.size());
  session.client(0, ask);
  session.server(0, answer, asked);
  EXPECT_EQ(session.server(answered - 4, "evil", asked), Action::pass);
  EXPECT_EQ(inspector->counters().rewritten, 1u) << "its receiver may still read it";
  session.client(asked, "", answered);
  session.server(answered - 4, "evil", asked);
  EXPECT_EQ(inspector->counters().rewritten, 1u) << "it has read the other";
}

TEST(SessionMemory, ARuleOfTheStreamSeesOneExchangeHoweverItIsCut) {
  for (const size_t piece : {1UL, 7UL, 1'000UL}) {
    const auto inspector = make_inspector();
    RecordingSink sink;
    Session session(*inspector, compile(kRules), sink);
    session.handshake();
    uint32_t client = 0, server = 0;
    const auto say = [&](bool from_client, const std::string& text) {
      for (size_t at = 0; at < text.size(); at += piece) {
        const std::string part = text.substr(at, piece);
        from_client ? session.client(client, part, server) : session.server(server, part, client);
        (from_client ? client : server) += static_cast<uint32_t>(part.size());
      }
    };
    const std::string nothing = "HTTP/1.1 204 No Content\r\n\r\n";
    say(true, "GET /ab HTTP/1.1\r\n\r\n");
    say(false, nothing);
    say(true, "GET /yz HTTP/1.1\r\n\r\n");
    say(false, nothing);
    EXPECT_TRUE(sink.alerts().empty()) << piece;
    say(true, "GET /ab/yz HTTP/1.1\r\n\r\n");
    EXPECT_EQ(sink.alerts(), (std::vector<uint32_t>{2})) << piece;
  }
}

/// Half of them idle between two exchanges, half in the midst of a body. Bytes that all take.
uint64_t memory_of(uint32_t count) {
  const auto inspector = make_inspector({.flows = count, .stream_window = 16'384});
  const auto rules = compile(kRules);
  RecordingSink sink;
  std::vector<std::unique_ptr<Session>> sessions;
  for (uint32_t s = 0; s < count; ++s) {
    FlowInfo info = flow_info();
    info.src_port = static_cast<uint16_t>(1'024 + s);
    Session& session = *sessions.emplace_back(std::make_unique<Session>(*inspector, rules, sink, info));
    session.handshake();
    uint32_t client = 0, server = 0;
    exchange(session, client, server);
    if (s % 2 == 0) continue;
    const std::string ask = request("/large");
    session.client(client, ask, server);
    client += static_cast<uint32_t>(ask.size());
    EXPECT_EQ(session.server(server, response(1'000'000) + std::string(15'000, 'y'), client), Action::pass);
  }
  EXPECT_EQ(inspector->counters().memory_limit, 0u);
  return inspector->counters().memory + uint64_t{count} * InspectorLimits::kFlowBytes;
}

TEST(SessionMemory, AHundredThousandHalfOfThemActiveFitInThreeGiB) {
  constexpr uint64_t kWhole = 100'000, kRoom = uint64_t{3} << 30;
#ifdef NDEBUG
  constexpr uint32_t kCount = kWhole;
#else
  constexpr uint32_t kCount = 2'000;  // a twin, where checks make the whole take minutes
#endif
  const uint64_t each = memory_of(kCount) / kCount;
  RecordProperty("bytes_per_session", std::to_string(each));
  EXPECT_LE(each * kWhole, kRoom);
}

}  // namespace
}  // namespace weir::inspection::test
