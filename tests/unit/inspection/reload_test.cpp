// A session, a host, a transaction and a stream while their rules are replaced: what survives, and when a
// session moves.
#include <gtest/gtest.h>

#include "inspection/compile/flowbit_names.h"
#include "tests/unit/inspection/detection_support.h"
#include "tests/unit/inspection/support.h"

namespace weir::inspection::test {
namespace {

/// Names that other rules have taken the first numbers of.
std::string many_bits(int first, int count) {
  std::string rules;
  for (int i = 0; i < count; ++i) {
    rules += "alert udp any any -> any any (content:\"nothing" + std::to_string(i) + "\"; flowbits:set,bit" +
             std::to_string(first + i) + "; hostbits:set,host" + std::to_string(first + i) +
             ",src; sid:" + std::to_string(9'000 + first + i) + ";)\n";
  }
  return rules;
}

TEST(Reload, BitsAndCountersSurviveByNameThoughTheirNumbersDiffer) {
  const std::string set =
      "alert udp any any -> any any (content:\"login\"; flowbits:set,seen; flowint:count,+,1; "
      "hostbits:set,bad,src; "
      "sid:1;)\n";
  const std::string asked = many_bits(0, 20) +
                            "alert udp any any -> any any (content:\"go\"; flowbits:isset,seen; sid:2;)\n"
                            "alert udp any any -> any any (content:\"go\"; flowint:count,==,2; sid:3;)\n"
                            "alert udp any any -> any any (content:\"go\"; hostbits:isset,bad,src; sid:4;)\n"
                            "alert udp any any -> any any (content:\"go\"; flowbits:isset,bit0; sid:5;)\n";
  const auto names = std::make_shared<FlowBitNames>();
  DetectionBench bench(make_profile(set, InspectMode::ids, names));
  bench.datagram("login");
  bench.datagram("login");
  bench.use(make_profile(asked, InspectMode::ids, names));
  EXPECT_EQ(bench.datagram("go"), (Sids{2, 3, 4}));

  // Each with numbers of its own: another bit has the number that was set.
  DetectionBench other(make_profile(set));
  other.datagram("login");
  other.use(make_profile(asked));
  const Sids wrong = other.datagram("go");
  EXPECT_NE(wrong, (Sids{2, 3, 4})) << "so the test can tell";
}

TEST(Reload, AThresholdGoesOnByGidAndSid) {
  const std::string counted =
      "alert udp any any -> any any (content:\"evil\"; threshold:type threshold,track by_src,count 4,seconds "
      "60; sid:7; "
      "rev:1;)\n";
  DetectionBench bench(make_profile(counted));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bench.datagram("evil"), Sids{});
  bench.use(make_profile("alert udp any any -> any any (content:\"x\"; sid:1;)\n" + counted));
  EXPECT_EQ(bench.datagram("evil"), Sids{7}) << "the fourth";
}

TEST(Reload, NoRuleAlertsTwiceInATransactionThatIsUnderWay) {
  DetectionBench bench(
      make_profile("alert http any any -> any any (http.uri; content:\"/bad\"; sid:5;)\n"
                   "alert http any any -> any any (http.uri; content:\"/bad\"; http.request_body; "
                   "content:\"x\"; sid:6;)"));
  FakeTransaction tx(AppProtocol::http1, HttpStep::complete);
  tx.set(BufferId::http_uri, Direction::to_server, "/bad");
  tx.advance(Direction::to_server, HttpStep::line);
  EXPECT_EQ(bench.move(tx), Sids{5});
  bench.use(
      make_profile("alert http any any -> any any (http.uri; content:\"/b\"; sid:2;)\n"
                   "alert http any any -> any any (http.uri; content:\"/bad\"; sid:5;)\n"
                   "alert http any any -> any any (http.uri; content:\"/bad\"; http.request_body; "
                   "content:\"x\"; sid:6;)"));
  EXPECT_EQ(bench.move(tx), Sids{2}) << "it sees what is there; 5 has alerted";
  tx.set(BufferId::http_request_body, Direction::to_server, "x");
  tx.advance(Direction::to_server, HttpStep::complete);
  EXPECT_EQ(bench.move(tx), Sids{6}) << "it had waited, and does so again";
  bench.forget(tx);
}

TEST(Reload, FirstRulesSeeWhatCameBeforeThem) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile(""), sink);
  session.handshake();
  session.client(0, "an ev");
  session.use(compile("alert tcp any any -> any any (content:\"evil\"; sid:1;)"));
  session.client(5, "il");
  EXPECT_EQ(sink.alerts(), Sids{1});
  session.use(compile(""));
  session.client(7, "an evil");
  EXPECT_EQ(sink.alerts(), Sids{1});
}

TEST(Reload, ARuleOfTheStreamMatchesOverTheChangeAndNotAgainForTheSameBytes) {
  const std::string both =
      "alert tcp any any -> any any (content:\"ab\"; content:\"yz\"; distance:1; sid:2;)\n";
  DetectionBench bench(make_profile(both + "alert tcp any any -> any any (content:\"evil\"; sid:1;)\n"));
  EXPECT_EQ(bench.segment("evil ab.."), Sids{1});
  bench.use(
      make_profile("alert tcp any any -> any any (content:\"other\"; sid:9;)\n"
                   "alert tcp any any -> any any (content:\"evil\"; sid:1;)\n" +
                   both));
  EXPECT_EQ(bench.segment(".."), Sids{}) << "evil was told";
  EXPECT_EQ(bench.segment("yz"), Sids{2}) << "its first content came under the rules before";
  EXPECT_EQ(bench.segment("evil"), Sids{1});
}

// --- when a session moves, through the Inspector

constexpr std::string_view kOld = "alert http any any -> any any (http.stat_code; content:\"200\"; sid:1;)";
constexpr std::string_view kNew = "alert http any any -> any any (http.stat_code; content:\"200\"; sid:2;)";
constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kResponse = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr auto kRequestSize = static_cast<uint32_t>(kRequest.size());
constexpr auto kResponseSize = static_cast<uint32_t>(kResponse.size());

class ReloadMoves : public ::testing::Test {
 protected:
  RulesInUse both() const { return {*new_, old_.get(), 1}; }
  RulesInUse new_only() const { return {*new_, nullptr, 1}; }
  uint64_t in_transaction(uint32_t generation) const {
    return inspector_->counters().in_transaction[generation % 4];
  }

  std::shared_ptr<const Ruleset> old_ = compile(kOld), new_ = compile(kNew);
  std::unique_ptr<Inspector> inspector_ = make_inspector();
  RecordingSink sink_;
  Session session_{*inspector_, old_, sink_};
};

TEST_F(ReloadMoves, AtTheNextTransaction) {
  session_.handshake();
  session_.client(0, kRequest);
  EXPECT_EQ(in_transaction(0), 1u);
  session_.rules = both();
  session_.server(0, kResponse, kRequestSize);
  EXPECT_EQ(sink_.alerts(), Sids{1}) << "it began with the rules before";
  EXPECT_EQ(in_transaction(0), 0u) << "nobody needs them any more";
  EXPECT_EQ(inspector_->counters().rules_moved, 0u);
  session_.client(kRequestSize, kRequest, kResponseSize);
  EXPECT_EQ(inspector_->counters().rules_moved, 1u);
  EXPECT_EQ(in_transaction(1), 1u);
  session_.server(kResponseSize, kResponse, 2 * kRequestSize);
  EXPECT_EQ(sink_.alerts(), (Sids{1, 2}));
  EXPECT_EQ(inspector_->counters().rules_moved_midst, 0u);
}

TEST_F(ReloadMoves, WhereItStandsOnceTheRulesBeforeAreGone) {
  session_.handshake();
  session_.client(0, kRequest);
  session_.rules = new_only();
  session_.server(0, kResponse, kRequestSize);
  EXPECT_EQ(sink_.alerts(), Sids{2});
  EXPECT_EQ(inspector_->counters().rules_moved, 1u);
  EXPECT_EQ(inspector_->counters().rules_moved_midst, 1u);
  EXPECT_EQ(in_transaction(0) + in_transaction(1), 0u);
}

TEST_F(ReloadMoves, OneThatEndsInTheMidstIsNotCountedAnyMore) {
  {
    Session other(*inspector_, old_, sink_);
    other.handshake();
    other.client(0, kRequest);
    EXPECT_EQ(in_transaction(0), 1u);
  }
  EXPECT_EQ(in_transaction(0), 0u);
}

TEST_F(ReloadMoves, OneThatWasIdleForSeveralReloadsTakesTheLast) {
  session_.handshake();
  session_.client(0, kRequest);
  session_.rules = RulesInUse(*new_, old_.get(), 7);  // those before are of generation 6, it began with 0
  session_.server(0, kResponse, kRequestSize);
  EXPECT_EQ(sink_.alerts(), Sids{2});
  EXPECT_EQ(inspector_->counters().rules_moved_midst, 1u);
}

}  // namespace
}  // namespace weir::inspection::test
