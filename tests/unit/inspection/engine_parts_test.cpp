// The inspection benchmark's way through the engine, whole and step by step: both find the same.
#include "bench/inspection/engine_parts.h"

#include <gtest/gtest.h>

#include "bench/inspection/engine_sessions.h"
#include "bench/inspection/http_traffic.h"
#include "tests/unit/inspection/support.h"

namespace weir::bench {
namespace {

constexpr size_t kStreams = 4;

// In requests and in the stream, with and without positions; some match often, some never.
constexpr std::string_view kRules = R"(
alert http any any -> any any (msg:"program"; flow:established,to_server; http.user_agent; content:"curl/"; sid:1;)
alert http any any -> any any (msg:"asset"; http.uri; content:"/static/"; startswith; content:".css"; endswith; sid:2;)
alert http any any -> any any (msg:"form"; flow:to_server; http.method; content:"POST"; http.header; content:"urlencoded"; sid:3;)
alert tcp any any -> any 80 (msg:"consent"; content:"consent=yes"; nocase; sid:4;)
alert tcp any any -> any any (msg:"begins"; content:"GET "; depth:4; sid:5;)
alert tcp any any -> any 443 (msg:"another port"; content:"Mozilla"; sid:6;)
alert tcp any any -> any any (msg:"to the client"; flow:to_client; content:"Mozilla"; sid:7;)
alert http any any -> any any (msg:"none"; http.host; content:"nobody.example"; sid:8;)
)";

struct Counted {
  uint64_t whole, parts;
};

/// Alerts of two passes.
Counted alerts_of(std::string_view rules) {
  const auto ruleset = inspection::test::compile(rules);
  HttpTraffic traffic(1, kStreams, 20'000);
  auto sessions = EngineSessions::create(ruleset, kStreams);
  EXPECT_TRUE(sessions.has_value());
  PartialEngine<Depth::verification> parts(*ruleset, kStreams);
  for (uint64_t pass = 0; pass < 2; ++pass) {
    traffic.pass(pass, **sessions);
    traffic.pass(pass, parts);
  }
  EXPECT_EQ((*sessions)->trouble(), "");
  EXPECT_EQ((*sessions)->counters().bytes, 2 * traffic.bytes());
  EXPECT_EQ((*sessions)->counters().flows_open, 0U);
  EXPECT_EQ((*sessions)->events().count(), (*sessions)->counters().alerts);
  EXPECT_FALSE(parts.failed());
  return {(*sessions)->counters().alerts, parts.events()};
}

TEST(EngineParts, FindWhatTheWholeEngineFinds) {
  const Counted counted = alerts_of(kRules);
  EXPECT_EQ(counted.parts, counted.whole);
  EXPECT_GT(counted.whole, 4 * kStreams);
}

TEST(EngineParts, FindNothingWithoutRules) {
  const Counted counted = alerts_of("");
  EXPECT_EQ(counted.whole, 0U);
  EXPECT_EQ(counted.parts, 0U);
}

TEST(EngineSessions, TellWhetherAPlantedRequestAlerts) {
  const auto ruleset = inspection::test::compile(kRules);
  auto sessions = EngineSessions::create(ruleset, kStreams);
  ASSERT_TRUE(sessions.has_value());
  const std::string head = "GET / HTTP/1.1\r\nHost: a.example\r\nX-Filler: " + std::string(150, 'x') + "\r\n";
  EXPECT_TRUE((*sessions)->alerts_on(head + "User-Agent: curl/8.5.0\r\n\r\n", 1));
  EXPECT_FALSE((*sessions)->alerts_on(head + "User-Agent: cur/8.5.0\r\n\r\n", 1));
  EXPECT_EQ((*sessions)->trouble(), "");
}

}  // namespace
}  // namespace weir::bench
