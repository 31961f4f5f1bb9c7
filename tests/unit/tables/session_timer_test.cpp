#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "dataplane/session/session_table.h"
#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

constexpr uint32_t kMax = SessionTable::kMaxTimerTicks;

class SessionTimer : public ::testing::Test {
 protected:
  void start(Tick now, uint32_t sessions) {
    table_ = SessionTable::create(1'024, now).value();
    for (uint32_t n = 0; n < sessions; ++n) {
      const Key4 forward{n, 0x0a02'0001, 1, 2, 1, 6, 0}, reverse{0x0a02'0001, n, 2, 1, 2, 6, 0};
      sessions_.push_back(table_->insert(forward, reverse, 0));
      ASSERT_NE(sessions_.back(), kNoSession);
    }
  }
  std::vector<SessionIndex> fired_at(Tick now, uint32_t budget = 1'000'000) {
    std::vector<SessionIndex> fired;
    const uint32_t count = table_->expire(now, budget, [&](SessionIndex i) { fired.push_back(i); });
    EXPECT_EQ(count, fired.size());
    return fired;
  }
  std::unique_ptr<SessionTable> table_;
  std::vector<SessionIndex> sessions_;
};

TEST_F(SessionTimer, FiresAtItsTickAndOnce) {
  for (const uint32_t begin : {0u, 1'000'000u, ~0u - 100, ~0u}) {  // the last two wrap
    for (const uint32_t after : {1u, 2u, 75u, 4'000u, kMax - 1, kMax}) {
      sessions_.clear();
      start({begin}, 1);
      table_->arm(sessions_[0], {begin}, after);
      EXPECT_TRUE(fired_at({begin + after - 1}).empty()) << begin << " " << after;
      EXPECT_EQ(fired_at({begin + after}).size(), 1u) << begin << " " << after;
      EXPECT_TRUE(fired_at({begin + after + 2 * kMax}).empty());
    }
  }
}

TEST_F(SessionTimer, LongerThanTheWheelFiresEarly) {
  start({7}, 1);
  table_->arm(sessions_[0], {7}, 1'000'000);
  EXPECT_TRUE(fired_at({7 + kMax - 1}).empty());
  EXPECT_EQ(fired_at({7 + kMax}).size(), 1u);
}

TEST_F(SessionTimer, ZeroIsOneTick) {
  start({7}, 1);
  table_->arm(sessions_[0], {7}, 0);
  EXPECT_TRUE(fired_at({7}).empty());
  EXPECT_EQ(fired_at({8}).size(), 1u);
}

TEST_F(SessionTimer, ALeapFindsEverySlot) {
  start({5}, 1'000);
  for (uint32_t i = 0; i < 1'000; ++i) table_->arm(sessions_[i], {5}, 1 + i * 4);
  EXPECT_EQ(fired_at({5 + (1u << 31)}).size(), 1'000u);
  table_->arm(sessions_[0], {5 + (1u << 31)}, 10);
  EXPECT_TRUE(fired_at({5 + (1u << 31) + 9}).empty());
  EXPECT_EQ(fired_at({5 + (1u << 31) + 10}).size(), 1u);
}

TEST_F(SessionTimer, RearmingMovesIt) {
  start({0}, 1);
  table_->arm(sessions_[0], {0}, 10);
  table_->arm(sessions_[0], {0}, 20);
  EXPECT_TRUE(fired_at({19}).empty());
  table_->arm(sessions_[0], {19}, 5);
  EXPECT_TRUE(fired_at({23}).empty());
  EXPECT_EQ(fired_at({24}).size(), 1u);
}

TEST_F(SessionTimer, ARemovedSessionDoesNotFire) {
  start({0}, 3);
  for (const SessionIndex i : sessions_) table_->arm(i, {0}, 10);
  table_->remove(sessions_[1]);
  EXPECT_EQ(fired_at({10}).size(), 2u);
  table_->remove(sessions_[0]);  // its timer is off already
  EXPECT_TRUE(fired_at({20}).empty());
}

TEST_F(SessionTimer, TheBudgetIsKeptAndNothingIsForgotten) {
  start({0}, 100);
  for (uint32_t i = 0; i < 100; ++i) table_->arm(sessions_[i], {0}, 10 + i % 3);
  EXPECT_EQ(fired_at({20}, 0).size(), 0u);
  const std::vector<SessionIndex> first = fired_at({20}, 7);
  EXPECT_EQ(first.size(), 7u);
  // The wheel is behind now. A timer that waits is moved; one that fired is armed anew.
  SessionIndex waiting = sessions_[0];
  while (std::find(first.begin(), first.end(), waiting) != first.end()) ++waiting;
  table_->arm(waiting, {20}, kMax);
  table_->arm(first[0], {20}, 5);
  size_t rest = 0;
  for (size_t slice; (slice = fired_at({20}, 7).size()) != 0; rest += slice) EXPECT_LE(slice, 7u);
  EXPECT_EQ(rest, 92u);
  EXPECT_TRUE(fired_at({24}).empty());
  EXPECT_EQ(fired_at({25}), std::vector{first[0]});
  EXPECT_EQ(fired_at({20 + kMax}), std::vector{waiting});
}

TEST_F(SessionTimer, FiringMayRemoveAndRearm) {
  start({0}, 2);
  for (const SessionIndex i : sessions_) table_->arm(i, {0}, 5);
  EXPECT_EQ(table_->expire({5}, 100,
                           [&](SessionIndex i) {
                             if (i == sessions_[0]) {
                               table_->remove(i);
                             } else {
                               table_->arm(i, {5}, 1);
                             }
                           }),
            2u);
  EXPECT_EQ(fired_at({6}), std::vector{sessions_[1]});
  EXPECT_EQ(table_->size(), 1u);
}

/// Random arms, removals and advances across the wrap of the tick. With no backlog each timer fires exactly
/// when due.
TEST_F(SessionTimer, AgreesWithAModelAcrossTheWrap) {
  test::RandomInput random(6);
  const uint32_t begin = ~0u - 20'000;
  start({begin}, 200);
  std::map<SessionIndex, uint32_t> due_after;  // in ticks since `begin`
  uint32_t elapsed = 0, fired = 0;
  while (elapsed < 60'000) {
    for (int i = 0; i < 5; ++i) {
      const SessionIndex index = random.pick(sessions_);
      const auto after = static_cast<uint32_t>(random.below(random.one_in(4) ? kMax * 2 : 50));
      table_->arm(index, {begin + elapsed}, after);
      due_after[index] = elapsed + std::clamp(after, 1u, kMax);
    }
    elapsed += static_cast<uint32_t>(random.below(random.one_in(10) ? 6'000 : 20));
    std::map<SessionIndex, int> now_fired;
    table_->expire({begin + elapsed}, 1'000'000, [&](SessionIndex i) { ++now_fired[i]; });
    for (const auto& [index, times] : now_fired) {
      ASSERT_EQ(times, 1);
      ASSERT_TRUE(due_after.contains(index));
      ASSERT_LE(due_after[index], elapsed) << "too early";
      due_after.erase(index);
      ++fired;
    }
    for (const auto& [index, due] : due_after) ASSERT_GT(due, elapsed) << "too late";
  }
  EXPECT_GT(fired, 500u);
}

}  // namespace
}  // namespace weir::dataplane
