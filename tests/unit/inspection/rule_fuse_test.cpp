// The fuse: a rule that drops too many sessions in a minute becomes an alert.
#include "inspection/detect/rule_fuses.h"

#include <thread>

#include "detection_support.h"

namespace weir::inspection::test {
namespace {

using Answer = RuleFuses::Answer;
constexpr uint64_t kSecond = 1'000'000'000;

TEST(RuleFuses, LetSoManyThroughInAMinuteFromTheFirst) {
  RuleFuses fuses(2, 2);
  const uint64_t begin = 100 * kSecond;
  EXPECT_EQ(fuses.drop(0, begin), Answer::holds);
  EXPECT_EQ(fuses.drop(0, begin + 59 * kSecond), Answer::holds);
  // A minute after the first one another begins.
  EXPECT_EQ(fuses.drop(0, begin + 60 * kSecond), Answer::holds);
  EXPECT_EQ(fuses.drop(0, begin + 61 * kSecond), Answer::holds);
  EXPECT_FALSE(fuses.is_out(0));
  EXPECT_EQ(fuses.drop(0, begin + 119 * kSecond), Answer::blows);
  EXPECT_TRUE(fuses.is_out(0));
  EXPECT_EQ(fuses.drop(0, begin + 10'000 * kSecond), Answer::is_out);
  EXPECT_EQ(fuses.drop(1, begin + 119 * kSecond), Answer::holds) << "each rule has its own";
}

TEST(RuleFuses, AClockThatIsBehindBeginsNoMinute) {
  RuleFuses fuses(1, 2);
  EXPECT_EQ(fuses.drop(0, 10 * kSecond), Answer::holds);
  EXPECT_EQ(fuses.drop(0, 9 * kSecond), Answer::holds);
  EXPECT_EQ(fuses.drop(0, 9 * kSecond), Answer::blows);
}

TEST(RuleFuses, WorkersTogetherDropNoMore) {
  RuleFuses fuses(1, 1'000);
  std::atomic<int> held{0}, blown{0};
  std::vector<std::thread> workers;
  for (int w = 0; w < 4; ++w) {
    workers.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const Answer answer = fuses.drop(0, kSecond);
        held += answer == Answer::holds ? 1 : 0;
        blown += answer == Answer::blows ? 1 : 0;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(held, 1'000);
  EXPECT_EQ(blown, 1);
}

std::shared_ptr<const DetectionProfile> with_fuse(std::string_view rules, uint32_t sessions,
                                                  InspectMode mode = InspectMode::ips) {
  auto ruleset = DetectionRuleset::compile(parse_text(rules), {});
  auto profile =
      DetectionProfile::bind(*ruleset, test_variables(), mode, DropScope::session, nullptr, sessions);
  return *profile;
}

/// What became of one session's packet.
struct Fate {
  bool forward = false;
  Sids alerts;
  friend bool operator==(const Fate&, const Fate&) = default;
};

/// A datagram of a session of its own, with the time given.
Fate session_of(DetectionBench& bench, std::string_view payload, uint64_t seconds) {
  bench.new_session();
  bench.packet.time_ns = seconds * kSecond;
  Fate fate;
  fate.alerts = bench.datagram(payload);
  fate.forward = bench.verdict.forward;
  return fate;
}

TEST(Fuse, ARuleThatDropsTooManySessionsAlertsInstead) {
  DetectionBench bench(
      with_fuse("drop udp any any -> any any (content:\"evil\"; sid:1;)\n"
                "drop udp any any -> any any (content:\"worse\"; sid:2;)\n",
                2));
  EXPECT_EQ(session_of(bench, "evil", 10), (Fate{false, {1}}));
  EXPECT_EQ(session_of(bench, "evil", 20), (Fate{false, {1}}));
  EXPECT_EQ(session_of(bench, "good", 25), (Fate{true, {}}));
  EXPECT_EQ(session_of(bench, "evil", 30), (Fate{true, {1}})) << "the third one in a minute";
  EXPECT_EQ(bench.counters().fuses_blown, 1u);
  EXPECT_EQ(bench.sink.fuses, (Sids{1}));
  EXPECT_EQ(session_of(bench, "evil", 1'000), (Fate{true, {1}})) << "until the rules are read again";
  EXPECT_EQ(session_of(bench, "worse", 1'001), (Fate{false, {2}})) << "another rule drops as ever";
  EXPECT_EQ(session_of(bench, "evil and worse", 1'002), (Fate{false, {1, 2}}));
  EXPECT_EQ(bench.counters().fuses_blown, 1u);
}

TEST(Fuse, ASlowRuleDropsForEver) {
  DetectionBench bench(with_fuse("drop udp any any -> any any (content:\"evil\"; sid:1;)", 2));
  for (uint64_t i = 0; i < 100; ++i)
    EXPECT_EQ(session_of(bench, "evil", 10 + i * 30), (Fate{false, {1}})) << i;
}

TEST(Fuse, AReloadPutsInANewOne) {
  const char* const rule = "drop udp any any -> any any (content:\"evil\"; sid:1;)";
  DetectionBench bench(with_fuse(rule, 1));
  session_of(bench, "evil", 1);
  EXPECT_TRUE(session_of(bench, "evil", 2).forward);
  bench.use(with_fuse(rule, 1));
  EXPECT_FALSE(session_of(bench, "evil", 3).forward);
}

TEST(Fuse, ThereIsNoneUnlessAskedFor) {
  DetectionBench bench(with_fuse("drop udp any any -> any any (content:\"evil\"; sid:1;)", 0));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(session_of(bench, "evil", 1).forward);
}

}  // namespace
}  // namespace weir::inspection::test
