// Why a rule did or did not fire: the first condition that failed, in each case.
#include "detection_support.h"

namespace weir::inspection::test {
namespace {

using At = RuleStep::At;

class ExplainingBench {
 public:
  explicit ExplainingBench(std::string_view rules, std::string_view config = "")
      : bench(profile(rules, config), limits()) {}

  /// The furthest that rule 1 got since the last call; nothing: it was held against nothing.
  std::optional<RuleStep> furthest() {
    std::optional<RuleStep> far;
    for (const RuleStep& step : bench.sink.steps) {
      if (!far || step.at >= far->at) far = step;
    }
    bench.sink.steps.clear();
    return far;
  }

 private:
  static DetectorLimits limits() {
    DetectorLimits limits;
    limits.explain = {1, 1};
    return limits;
  }
  static std::shared_ptr<const DetectionProfile> profile(std::string_view rules, std::string_view config) {
    const ast::ParsedRuleset parsed = parse_text(rules);
    const ast::ThresholdConfig thresholds = ast::parse_threshold_config(config);
    DetectionCompileOptions options;
    options.thresholds = &thresholds;
    auto ruleset = DetectionRuleset::compile(parsed, options);
    return DetectionProfile::bind(*ruleset, test_variables(), InspectMode::ids).value();
  }

 public:
  DetectionBench bench;
};

TEST(Explain, ADatagramAndWhatFailsFirst) {
  struct Row {
    const char* rule;
    At at;
    unsigned check;
  };
  const Row rows[] = {
      {"alert udp any any -> any any (flow:to_client; content:\"evil\"; sid:1;)", At::direction, 0},
      {"alert tcp any any -> any any (content:\"evil\"; sid:1;)", At::layer, 0},
      {"alert dns any any -> any any (content:\"evil\"; sid:1;)", At::app, 0},
      {"alert udp any any -> any any (flow:not_established; content:\"evil\"; sid:1;)", At::flow, 0},
      {"alert udp any any -> any 53 (content:\"evil\"; sid:1;)", At::addresses, 0},
      {"alert udp 10.9.0.0/16 any -> any any (content:\"evil\"; sid:1;)", At::addresses, 0},
      {"alert udp any any -> any any (content:\"devil\"; sid:1;)", At::literal, 0},
      {"alert udp any any -> any any (content:\"evil\"; fast_pattern; content:\"more\"; sid:1;)", At::bytes,
       1},
      {"alert udp any any -> any any (content:\"evil\"; offset:20; sid:1;)", At::bytes, 0},
      {"alert udp any any -> any any (content:\"evil\"; pcre:\"/evil[0-9]/\"; sid:1;)", At::bytes, 1},
      {"alert udp any any -> any any (content:\"evil\"; dsize:>900; sid:1;)", At::state, 0},
      {"alert udp any any -> any any (content:\"evil\"; flowbits:isset,never; sid:1;)", At::state, 0},
      {"alert udp any any -> any any (content:\"evil\"; noalert; sid:1;)", At::noalert, 0},
      {"alert udp any any -> any any (content:\"evil\"; sid:1;)", At::fired, 0},
      {"alert udp any any -> any any (dsize:>900; sid:1;)", At::state, 0},
      {"alert ip any any -> any any (sid:1;)", At::fired, 0},
      {"alert ip any any -> 10.0.0.0/8 any (sid:1;)", At::addresses, 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    ExplainingBench explaining(row.rule);
    explaining.bench.datagram("an evil deed");
    const auto step = explaining.furthest();
    ASSERT_TRUE(step);
    EXPECT_EQ(static_cast<int>(step->at), static_cast<int>(row.at));
    EXPECT_EQ(step->check, row.check);
  }
}

TEST(Explain, WhatKeepsARuleSilent) {
  ExplainingBench explaining("alert udp any any -> any any (content:\"evil\"; sid:1;)",
                             "suppress gen_id 1, sig_id 1");
  EXPECT_EQ(explaining.bench.datagram("evil"), Sids{});
  EXPECT_EQ(explaining.furthest()->at, At::silent);
}

TEST(Explain, AStreamIsJudgedAsItGrows) {
  ExplainingBench explaining(
      "alert tcp any any -> any any (content:\"first\"; content:\"second\"; distance:0; sid:1;)");
  explaining.bench.segment("nothing ");
  EXPECT_EQ(explaining.furthest()->at, At::literal);
  explaining.bench.segment("first and ");
  EXPECT_LT(explaining.furthest()->at, At::fired);
  EXPECT_EQ(explaining.bench.segment("second"), Sids{1});
  EXPECT_EQ(explaining.furthest()->at, At::fired);
}

TEST(Explain, ATransactionAndItsBuffers) {
  ExplainingBench explaining(
      "alert http any any -> any any (http.uri; content:\"/passwd\"; fast_pattern; http.host; "
      "content:\"example\"; "
      "sid:1;)");
  FakeTransaction http(AppProtocol::http1, HttpStep::complete);
  http.advance(Direction::to_server, HttpStep::line);
  http.set(BufferId::http_uri, Direction::to_server, "/index");
  explaining.bench.packet.protocol = 6;
  explaining.bench.move(http);
  const auto uri = explaining.furthest();
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri->at, At::literal);
  EXPECT_EQ(uri->bytes, 6u);
  explaining.bench.forget(http);

  FakeTransaction other(AppProtocol::http1, HttpStep::complete);
  other.advance(Direction::to_server, HttpStep::complete);
  other.set(BufferId::http_uri, Direction::to_server, "/etc/passwd");
  other.set(BufferId::http_host, Direction::to_server, "nowhere");
  explaining.bench.move(other);
  const auto host = explaining.furthest();
  ASSERT_TRUE(host);
  EXPECT_EQ(host->at, At::bytes);
  EXPECT_EQ(host->part, 1u);
  explaining.bench.forget(other);
}

TEST(Explain, NothingIsToldOfOthers) {
  ExplainingBench explaining("alert udp any any -> any any (content:\"evil\"; sid:2;)");
  EXPECT_EQ(explaining.bench.datagram("evil"), Sids{2});
  EXPECT_FALSE(explaining.furthest());
}

TEST(Explain, AskingChangesNoAlert) {
  const char* const rules =
      "alert udp any any -> any any (content:\"evil\"; sid:1;)\n"
      "alert udp any any -> any any (content:\"deed\"; flowbits:set,x; sid:2;)\n"
      "alert udp any any -> any any (content:\"evil\"; flowbits:isset,x; sid:3;)\n";
  ExplainingBench explaining(rules);
  DetectionBench plain(make_profile(rules));
  for (const char* text : {"evil", "deed", "an evil deed", "none", "evil"})
    EXPECT_EQ(explaining.bench.datagram(text), plain.datagram(text)) << text;
}

}  // namespace
}  // namespace weir::inspection::test
