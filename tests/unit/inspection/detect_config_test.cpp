// What is configured beside the rules: threshold.config, the order of actions, the scope of drops, threads;
// and what happens where there is no memory.
#include "detection_support.h"
#include "inspection/app/app_events.h"
#include "inspection/rules/threshold_config.h"

namespace weir::inspection::test {
namespace {

std::shared_ptr<const DetectionProfile> configured(std::string_view rules, std::string_view config,
                                                   InspectMode mode = InspectMode::ids) {
  const ast::ParsedRuleset parsed = parse_text(rules);
  const ast::ThresholdConfig thresholds = ast::parse_threshold_config(config);
  for (const ast::Issue& issue : thresholds.issues) ADD_FAILURE() << issue.line << ": " << issue.message;
  DetectionCompileOptions options;
  options.thresholds = &thresholds;
  auto ruleset = DetectionRuleset::compile(parsed, options);
  auto profile = DetectionProfile::bind(*ruleset, test_variables(), mode, DropScope::by_rule);
  return *profile;
}

/// How many alerts each of `count` packets makes, one each second.
std::vector<size_t> alerts_of(DetectionBench& bench, int count) {
  std::vector<size_t> alerts;
  for (int i = 0; i < count; ++i) {
    alerts.push_back(bench.datagram("evil").size());
    bench.packet.time_ns += 1'000'000'000;
  }
  return alerts;
}

constexpr const char* kRule = "alert udp any any -> any any (content:\"evil\"; sid:1;)";
using Counts = std::vector<size_t>;

TEST(ThresholdConfig, Suppression) {
  struct Row {
    const char* config;
    size_t alerts;
  };
  const Row rows[] = {
      {"suppress gen_id 1, sig_id 1", 0},
      {"suppress gen_id 1, sig_id 2", 1},
      {"suppress gen_id 0, sig_id 0", 0},
      {"suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.1", 0},
      {"suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.2", 1},
      {"suppress gen_id 1, sig_id 1, track by_dst, ip [192.0.2.0/24,198.51.100.1]", 0},
      {"suppress gen_id 1, sig_id 1, track by_dst, ip $HOME_NET", 1},
      {"suppress gen_id 1, sig_id 1, track by_either, ip $HOME_NET", 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.config);
    DetectionBench bench(configured(kRule, row.config));
    EXPECT_EQ(bench.datagram("evil").size(), row.alerts);
  }
}

TEST(ThresholdConfig, ASuppressedDropDropsAllTheSame) {
  DetectionBench bench(configured("drop udp any any -> any any (content:\"evil\"; sid:1;)",
                                  "suppress gen_id 1, sig_id 1", InspectMode::ips));
  EXPECT_EQ(bench.datagram("evil"), Sids{});
  EXPECT_FALSE(bench.verdict.forward);
}

TEST(ThresholdConfig, LimitsOfOneRuleStandForItsOwn) {
  const char* const own =
      "alert udp any any -> any any (content:\"evil\"; threshold:type limit,track by_src,count 3,seconds 60; "
      "sid:1;)";
  const char* const config = "threshold gen_id 1, sig_id 1, type limit, track by_src, count 1, seconds 60";
  DetectionBench bench(configured(own, config));
  EXPECT_EQ(alerts_of(bench, 4), (Counts{1, 0, 0, 0}));
  DetectionBench all(
      configured(own, "threshold gen_id 0, sig_id 0, type limit, track by_src, count 1, seconds 60"));
  EXPECT_EQ(alerts_of(all, 4), (Counts{1, 1, 1, 0})) << "what is said of all does not";
}

TEST(ThresholdConfig, ARateFilterChangesTheActionForATime) {
  DetectionBench bench(configured(
      kRule, "rate_filter gen_id 1, sig_id 1, track by_src, count 2, seconds 10, new_action drop, timeout 3",
      InspectMode::ips));
  std::vector<bool> forwarded;
  for (int i = 0; i < 7; ++i) {
    EXPECT_EQ(bench.datagram("evil"), Sids{1});
    forwarded.push_back(bench.verdict.forward);
    EXPECT_EQ(bench.verdict.by_rate_filter, !bench.verdict.forward);
    bench.packet.time_ns += 1'000'000'000;
  }
  EXPECT_EQ(forwarded, (std::vector<bool>{true, true, false, false, false, true, true}));
}

TEST(ThresholdConfig, LinesThatAreWrongAreNamedAndTheOthersStand) {
  const ast::ThresholdConfig config = ast::parse_threshold_config(
      "# a comment\n"
      "suppress gen_id 1, sig_id 1\n"
      "suppress gen_id 1\n"
      "hide gen_id 1, sig_id 1\n"
      "threshold gen_id 1, sig_id 1, \\\n"
      "  type limit, track by_src, count 1, seconds 60\n"
      "threshold gen_id 1, sig_id 1, type often, track by_src, count 1, seconds 60\n"
      "suppress gen_id 1, sig_id 1, track by_src\n"
      "rate_filter gen_id 1, sig_id 1, track by_src, count 0, seconds 10, new_action drop, timeout 3\n"
      "suppress gen_id 1, gen_id 1, sig_id 1");
  EXPECT_EQ(config.suppressions.size(), 1u);
  EXPECT_EQ(config.thresholds.size(), 1u);
  EXPECT_TRUE(config.rate_filters.empty());
  std::vector<uint32_t> lines;
  for (const ast::Issue& issue : config.issues) lines.push_back(issue.line);
  EXPECT_EQ(lines, (std::vector<uint32_t>{3, 4, 7, 8, 9, 10}));
}

TEST(DetectionOptions, OrderOfActions) {
  const ast::ParsedRuleset parsed = parse_text(
      "alert udp any any -> any any (content:\"evil\"; sid:1;)\n"
      "pass udp any any -> any any (content:\"evil\"; sid:2;)\n"
      "drop udp any any -> any any (content:\"evil\"; sid:3;)");
  using ast::Action;
  DetectionCompileOptions options;
  options.action_order = {Action::alert, Action::drop, Action::pass, Action::reject};
  auto ruleset = DetectionRuleset::compile(parsed, options);
  ASSERT_TRUE(ruleset);
  auto profile = DetectionProfile::bind(*ruleset, {}, InspectMode::ids);
  DetectionBench bench(*profile);
  EXPECT_EQ(bench.datagram("evil"), (Sids{1, 3}));
}

TEST(DetectionOptions, ScopeOfDrops) {
  const ast::ParsedRuleset parsed = parse_text("drop udp any any -> any any (content:\"evil\"; sid:1;)");
  auto ruleset = DetectionRuleset::compile(parsed, {});
  ASSERT_TRUE(ruleset);
  for (const DropScope scope : {DropScope::session, DropScope::by_rule}) {
    auto profile = DetectionProfile::bind(*ruleset, {}, InspectMode::ips, scope);
    DetectionBench bench(*profile);
    bench.datagram("evil");
    EXPECT_FALSE(bench.verdict.forward);
    bench.datagram("good");
    EXPECT_EQ(bench.verdict.forward, scope == DropScope::by_rule);
  }
}

TEST(DetectionOptions, PassOfNegatedAddressesIsAboutTheSession) {
  const char* const rules =
      "pass udp 10.0.0.1 any -> $EXTERNAL_NET 80 (sid:1;)\n"
      "alert udp any any -> any any (content:\"evil\"; sid:2;)";
  DetectionBench bench(make_profile(rules));
  EXPECT_EQ(bench.datagram("x"), Sids{});
  bench.from(Direction::to_client);
  EXPECT_EQ(bench.datagram("evil"), Sids{});
  EXPECT_TRUE(bench.session.passed());
}

TEST(DetectionOptions, ThreadsCompileTheSame) {
  std::string rules;
  for (int i = 1; i <= 60; ++i) {
    const char* const buffers[] = {"http.uri; ", "http.host; ", "http.user_agent; ", "",
                                   "http.request_body; "};
    rules += std::string("alert http any any -> any any (") + buffers[i % 5] + "content:\"word" +
             std::to_string(i) + "\"; sid:" + std::to_string(i) + ";)\n";
  }
  const ast::ParsedRuleset parsed = parse_text(rules);
  DetectionCompileOptions four;
  four.threads = 4;
  const auto one = DetectionRuleset::compile(parsed, {}), many = DetectionRuleset::compile(parsed, four);
  ASSERT_TRUE(one && many);
  EXPECT_EQ((*one)->sizes().literals, (*many)->sizes().literals);
  EXPECT_EQ((*one)->sizes().database_bytes, (*many)->sizes().database_bytes);
}

TEST(DetectionMemory, AWorkerWithoutScratchJudgesNothingAndSaysSo) {
  const auto profile = make_profile(kRule);
  BytePool pool(size_t{1} << 16);
  auto detector = Detector::create(3, {}, pool, DetectionBench::few_marks());
  ASSERT_TRUE(detector);
  PacketView packet;
  SessionFacts facts;
  SessionDetection session;
  CollectingSink sink;
  const DetectionVerdict verdict = (*detector)->inspect(*profile, session, {packet, facts, {}, {}}, sink);
  EXPECT_TRUE(verdict.failed);
  EXPECT_EQ((*detector)->counters().scan_errors, 1u);
}

TEST(DetectionMemory, WithoutPoolMemoryRulesStillAlertAndWhatCannotBeKeptIsCounted) {
  const auto profile = make_profile(
      "alert udp any any -> any any (content:\"evil\"; flowbits:set,a; sid:1;)\n"
      "alert http any any -> any any (http.uri; content:\"/bad\"; sid:2;)");
  BytePool pool(size_t{1} << 16);
  void* const all = pool.allocate(BytePool::kLargest);
  ASSERT_NE(all, nullptr);
  auto detector = Detector::create(0, {}, pool, DetectionBench::few_marks());
  ASSERT_TRUE(detector);
  PacketView packet;
  packet.ip = octets("E");
  packet.protocol = 17;
  packet.payload = octets("evil");
  SessionFacts facts;
  SessionDetection session;
  CollectingSink sink;
  (*detector)->inspect(*profile, session, {packet, facts, {}, {}}, sink);
  EXPECT_EQ(sink.take(), Sids{1});
  EXPECT_EQ((*detector)->counters().flowbits_lost, 1u);
  FakeTransaction tx(AppProtocol::http1, HttpStep::complete);
  tx.set(BufferId::http_uri, Direction::to_server, "/bad");
  tx.advance(Direction::to_server, HttpStep::line);
  facts.protocol = AppProtocol::http1;
  Transaction* const list[] = {&tx};
  const DetectionVerdict verdict =
      (*detector)->inspect(*profile, session, {packet, facts, {}, list, true}, sink);
  EXPECT_TRUE(verdict.failed) << "it was not judged";
  EXPECT_EQ((*detector)->counters().memory_lost, 2u);
  pool.release(all, BytePool::kLargest);
}

TEST(TransactionRules, AnomaliesOfParsersOnceForATransaction) {
  DetectionBench bench(
      make_profile("alert dns any any -> any any (app-layer-event:dns.z_flag_set; sid:1;)\n"
                   "alert dns any any -> any any (app-layer-event:dns.malformed_data; sid:2;)"));
  FakeTransaction tx(AppProtocol::dns, DnsStep::complete);
  tx.advance(Direction::to_server, DnsStep::complete);
  EXPECT_EQ(bench.move(tx), Sids{});
  tx.app_events = uint64_t{1} << *app_event_bit(AppProtocol::dns, "z_flag_set");
  tx.advance(Direction::to_client, DnsStep::complete);
  bench.from(Direction::to_client);
  EXPECT_EQ(bench.move(tx), Sids{1});
  bench.from(Direction::to_server);
  EXPECT_EQ(bench.move(tx), Sids{});
  bench.forget(tx);
}

}  // namespace
}  // namespace weir::inspection::test
