// The arithmetic of a worker's profile, with time and cycles that the test says.
#include "dataplane/worker/profile.h"

#include <gtest/gtest.h>

#include <set>

namespace weir::dataplane {
namespace {

constexpr NanoTime kStart = 1'000'000'000'000;

/// A worker that does nothing but turn.
class Turns {
 public:
  explicit Turns(NanoTime stall_ns = kNanosPerMilli, uint32_t sample_one_in = kSampleOneIn)
      : profile(stall_ns, sample_one_in) {}

  /// A turn that takes `took`; whether it was sampled.
  bool turn(NanoTime took, bool busy) {
    const bool sampled = profile.begin_turn(now);
    EXPECT_EQ(profile.sampling(), sampled);
    if (sampled) {
      profile.start(cycles);
      profile.enter(Stage::rx, busy ? 4 : 0, cycles + 10);
      profile.finish(busy, cycles + 110);
    }
    EXPECT_FALSE(profile.sampling()) << "between turns nothing is";
    profile.end_turn(busy);
    cycles += 1'000;
    now += took;
    return sampled;
  }
  unsigned sampled_of(unsigned turns, NanoTime took = 1'000) {
    unsigned sampled = 0;
    for (unsigned i = 0; i < turns; ++i) sampled += turn(took, true);
    return sampled;
  }
  const ProfileCounters& counters() const { return profile.counters(); }
  uint64_t packets(Stage stage) const { return counters().stages[static_cast<size_t>(stage)].packets.get(); }
  uint64_t spent(Stage stage) const { return counters().stages[static_cast<size_t>(stage)].cycles.get(); }
  uint64_t calls(Stage stage) const { return counters().stages[static_cast<size_t>(stage)].calls.get(); }

  TurnProfile profile;
  NanoTime now = kStart;
  uint64_t cycles = 5'000;
};

TEST(Profile, EveryStageHasANameOfItsOwn) {
  std::set<std::string_view> names(std::begin(kStageNames), std::end(kStageNames));
  EXPECT_EQ(names.size(), kStageCount);
  EXPECT_EQ(kStageNames[static_cast<size_t>(Stage::commands)], "commands");
  EXPECT_EQ(kStageNames[static_cast<size_t>(Stage::expire)], "expire");
}

TEST(Profile, OneBusyTurnIn64IsSampled) {
  Turns turns;
  EXPECT_EQ(turns.sampled_of(63), 0u);
  EXPECT_EQ(turns.sampled_of(1), 1u);
  EXPECT_EQ(turns.sampled_of(63), 0u);
  EXPECT_EQ(turns.sampled_of(1), 1u);
  EXPECT_EQ(turns.sampled_of(6'400), 100u);
  EXPECT_EQ(turns.counters().sampled_turns.get(), 102u);
  EXPECT_EQ(turns.packets(Stage::rx), 4u * 102);
}

TEST(Profile, AnIdleTurnIsNoSample) {
  Turns turns;
  turns.sampled_of(63);
  for (int i = 0; i < 1'000; ++i) turns.turn(1'000, false);
  EXPECT_EQ(turns.counters().sampled_turns.get(), 0u);
  EXPECT_EQ(turns.spent(Stage::rx), 0u);
  EXPECT_EQ(turns.sampled_of(1), 1u) << "the next busy one is";
  EXPECT_EQ(turns.sampled_of(63), 0u);
}

TEST(Profile, EveryBurstWhileSomebodyLooks) {
  Turns turns;
  turns.profile.watch(turns.now + 100'000);
  EXPECT_EQ(turns.sampled_of(100, 1'000), 100u);
  EXPECT_EQ(turns.sampled_of(100, 1'000), 2u) << "one in 64 again: the 128th and the 192nd";
}

TEST(Profile, WatchingAgainGoesOn) {
  Turns turns;
  for (int second = 0; second < 5; ++second) {
    turns.profile.watch(turns.now + 2 * kNanosPerSecond);
    EXPECT_EQ(turns.sampled_of(10, kNanosPerSecond / 10), 10u);
  }
  EXPECT_EQ(turns.sampled_of(10, kNanosPerSecond / 10), 10u) << "until 2 s after the last look";
  EXPECT_LE(turns.sampled_of(10, kNanosPerSecond / 10), 1u);
}

TEST(Profile, SamplingCanBeOff) {
  Turns turns(kNanosPerMilli, 0);
  EXPECT_EQ(turns.sampled_of(10'000), 0u);
  turns.profile.watch(turns.now + kNanosPerSecond);
  EXPECT_EQ(turns.sampled_of(1), 1u);
  Turns every(kNanosPerMilli, 1);
  EXPECT_EQ(every.sampled_of(100), 100u);
}

TEST(Profile, BusyShare) {
  Turns turns;
  turns.turn(300, true);
  turns.turn(500, false);  // with the sleep after it
  turns.turn(100, true);
  EXPECT_EQ(turns.counters().busy_ns.get(), 300u) << "a turn is booked when the next one begins";
  EXPECT_EQ(turns.counters().idle_ns.get(), 500u);
  turns.turn(1, false);
  EXPECT_EQ(turns.counters().busy_ns.get(), 400u);
  EXPECT_EQ(turns.counters().idle_ns.get(), 500u);
}

TEST(Profile, StallsAreBusyTurnsOverTheLimit) {
  Turns turns(1'000'000);
  turns.turn(1'000'000, true);   // not over it
  turns.turn(1'000'001, true);   // over it
  turns.turn(9'000'000, false);  // slept
  turns.turn(5'000'000, true);
  turns.turn(200, true);
  turns.turn(1, false);
  EXPECT_EQ(turns.counters().stalls.get(), 2u);
  EXPECT_EQ(turns.counters().longest_ns.get(), 5'000'000u);
}

TEST(Profile, StallsCanBeOff) {
  Turns turns(0);
  turns.turn(kNanosPerSecond, true);
  turns.turn(1, false);
  EXPECT_EQ(turns.counters().stalls.get(), 0u);
  EXPECT_EQ(turns.counters().longest_ns.get(), kNanosPerSecond) << "the longest turn is known all the same";
}

TEST(Profile, AStageInTheMidstOfAnotherCountsForItself) {
  TurnProfile profile(kNanosPerMilli, 1);
  ASSERT_TRUE(profile.begin_turn(kStart));
  profile.start(1'000);
  profile.enter(Stage::encap, 32, 1'007);
  const Stage left = profile.enter(Stage::tx, 64, 1'100);  // a buffer is full
  EXPECT_EQ(left, Stage::encap);
  profile.return_to(left, 1'130);
  profile.enter(Stage::tx, 0, 1'200);
  profile.enter(Stage::tx, 3, 1'205);
  profile.finish(true, 1'210);
  profile.end_turn(true);
  const auto& stages = profile.counters().stages;
  const auto of = [&](Stage stage) -> const ProfileCounters::PerStage& {
    return stages[static_cast<size_t>(stage)];
  };
  EXPECT_EQ(of(Stage::commands).cycles.get(), 7u);
  EXPECT_EQ(of(Stage::encap).cycles.get(), 93u + 70u);
  EXPECT_EQ(of(Stage::encap).packets.get(), 32u);
  EXPECT_EQ(of(Stage::encap).calls.get(), 1u);
  EXPECT_EQ(of(Stage::tx).cycles.get(), 30u + 10u);
  EXPECT_EQ(of(Stage::tx).packets.get(), 67u);
  EXPECT_EQ(of(Stage::tx).calls.get(), 2u) << "only those with packets";
  uint64_t all = 0;
  for (const auto& stage : stages) all += stage.cycles.get();
  EXPECT_EQ(all, 210u) << "each cycle of the turn belongs to one stage";
}

TEST(Profile, ASampleStartsEmpty) {
  Turns turns(kNanosPerMilli, 1);
  turns.turn(100, false);  // measured and forgotten
  turns.turn(100, true);
  EXPECT_EQ(turns.spent(Stage::commands), 10u);
  EXPECT_EQ(turns.spent(Stage::rx), 100u);
  EXPECT_EQ(turns.packets(Stage::rx), 4u);
  EXPECT_EQ(turns.calls(Stage::rx), 1u);
}

}  // namespace
}  // namespace weir::dataplane
