#include "dataplane/host/host_table.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <thread>
#include <vector>

#include "dataplane/host/session_budgets.h"

namespace weir::dataplane {
namespace {

constexpr NanoTime kSecond = kNanosPerSecond;
using Answer = HostTable::Answer;

net::IpAddress host(uint32_t n) { return net::Ipv4{0x0a00'0000u + n}; }

TEST(BudgetWord, ARateIsKept) {
  for (const uint32_t rate : {1u, 7u, 1'000u, 250'000u}) {
    BudgetWord word;
    const BudgetLimits limits{.new_per_second = rate};
    NanoTime now = 3 * kSecond;
    uint64_t taken = 0;
    constexpr uint64_t kSteps = 400'000;
    for (uint64_t i = 0; i < kSteps; ++i, now += 25'000) {  // 10 s, 40,000 tries a second or 8 times the rate
      for (uint32_t tries = 0; tries < 1 + rate / 5'000; ++tries) {
        const auto next = word.with_new(limits, now);
        if (!next) break;
        word = *next;
        ++taken;
      }
    }
    // A second's worth at once and ten seconds' worth over time, but not faster than it is asked for.
    const double most = 11.0 * rate;
    EXPECT_LE(static_cast<double>(taken), most * 1.01 + 1) << rate;
    EXPECT_GE(static_cast<double>(taken), std::min(most, 400'000.0 * (1 + rate / 5'000)) * 0.99 - 1) << rate;
  }
}

TEST(BudgetWord, ALongSilenceIsAFullBudgetHoweverTimeWraps) {
  const BudgetLimits limits{.new_per_second = 10};
  for (NanoTime silence = kSecond; silence < 40'000 * kSecond; silence += 977 * kSecond) {
    BudgetWord word;
    NanoTime now = 17 * kSecond;
    while (const auto next = word.with_new(limits, now)) word = *next;
    now += silence;
    // The second in which a wrapped moment looks like one to come excepted: five hours later, to the second.
    const uint64_t units = (silence >> 4) & ((1ULL << 40) - 1);
    if (units > (1ULL << 40) - (2 * kSecond >> 4)) continue;
    int taken = 0;
    for (; const auto next = word.with_new(limits, now); ++taken) word = *next;
    EXPECT_GE(taken, 9) << silence;
    EXPECT_LE(taken, 10) << silence;
  }
}

TEST(BudgetWord, HalfOpenIsCountedBesideTheTime) {
  BudgetWord word;
  const BudgetLimits limits{.new_per_second = 5, .half_open = 3};
  for (uint32_t i = 1; i <= 3; ++i) {
    word = *word.with_half_open(limits);
    word = *word.with_new(limits, kSecond);
    EXPECT_EQ(word.half_open(), i);
  }
  EXPECT_FALSE(word.with_half_open(limits));
  EXPECT_FALSE(word.is_idle(100 * kSecond));
  for (int i = 0; i < 3; ++i) word = word.without_half_open();
  EXPECT_EQ(word.without_half_open().half_open(), 0u) << "never below";
  EXPECT_FALSE(word.is_idle(kSecond)) << "not paid for yet";
  EXPECT_TRUE(word.is_idle(3 * kSecond));
  EXPECT_FALSE(BudgetWord(BudgetWord::kMaxHalfOpen).with_half_open({})) << "the field's own end";
}

TEST(HostTable, RefusedSizes) {
  EXPECT_EQ(HostTable::create(0, 1).error().code, ErrorCode::invalid);
  EXPECT_EQ(HostTable::create(HostTable::kMaxHosts + 1, 1).error().code, ErrorCode::invalid);
  EXPECT_EQ(HostTable::create(5, 1).value()->capacity(), 8u);
  EXPECT_EQ(HostTable::bytes_for(65'536), 1u << 20);
}

TEST(HostTable, NamesAreOfDomainAddressAndSecret) {
  const auto table = HostTable::create(64, 1).value(), other = HostTable::create(64, 2).value();
  std::set<HostName> names;
  for (uint32_t n = 0; n < 1'000; ++n) {
    names.insert(table->name_of(1, host(n)));
    names.insert(table->name_of(2, host(n)));
    names.insert(table->name_of(1, net::Ipv6{0, 0x0a00'0000ull + n}));
    names.insert(other->name_of(1, host(n)));
  }
  EXPECT_EQ(names.size(), 4'000u);
  EXPECT_FALSE(names.contains(0));
}

TEST(HostTable, EachHostHasItsOwn) {
  const auto table = HostTable::create(1'024, 7).value();
  const BudgetLimits limits{.new_per_second = 3, .half_open = 2};
  for (uint32_t n = 0; n < 20; ++n) {
    const HostName name = table->name_of(0, host(n));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(table->take_new(name, limits, kSecond), Answer::yes);
    EXPECT_EQ(table->take_new(name, limits, kSecond), Answer::over_limit);
    for (int i = 0; i < 2; ++i) EXPECT_EQ(table->begin_half_open(name, limits, kSecond), Answer::yes);
    EXPECT_EQ(table->begin_half_open(name, limits, kSecond), Answer::over_limit);
  }
  for (uint32_t n = 0; n < 20; ++n) {
    const HostName name = table->name_of(0, host(n));
    EXPECT_EQ(table->half_open(name), 2u);
    table->end_half_open(name);
    table->end_half_open(name);
    EXPECT_EQ(table->half_open(name), 0u);
    table->end_half_open(name);
    EXPECT_EQ(table->half_open(name), 0u) << "what was not begun ends nothing";
  }
}

TEST(HostTable, AFullBucketTakesNobodyThatWouldBeForgotten) {
  const auto table = HostTable::create(4, 7).value();
  const BudgetLimits limits{.new_per_second = 1, .half_open = 1};
  for (uint32_t n = 0; n < 4; ++n)
    EXPECT_EQ(table->begin_half_open(table->name_of(0, host(n)), limits, kSecond), Answer::yes);
  for (uint32_t n = 4; n < 1'000; ++n)
    EXPECT_EQ(table->take_new(table->name_of(0, host(n)), limits, kSecond), Answer::no_room);
  for (uint32_t n = 0; n < 4; ++n) EXPECT_EQ(table->half_open(table->name_of(0, host(n))), 1u);
  table->end_half_open(table->name_of(0, host(2)));
  EXPECT_EQ(table->take_new(table->name_of(0, host(9)), limits, kSecond), Answer::yes) << "a free place";
  EXPECT_EQ(table->take_new(table->name_of(0, host(8)), limits, kSecond), Answer::no_room) << "not paid for";
  EXPECT_EQ(table->take_new(table->name_of(0, host(8)), limits, 3 * kSecond), Answer::yes) << "paid for";
}

/// Workers that begin and end sessions of the same few hosts, in a table that is too small for all of them:
/// what was begun is what is half open, and no bound is passed by more than what two entries allow.
TEST(HostTable, ThreadsAgree) {
  constexpr unsigned kThreads = 4;
  constexpr uint32_t kHosts = 12, kBound = 50;
  const BudgetLimits limits{.new_per_second = 0, .half_open = kBound};
  const auto table = HostTable::create(8, 3).value();
  std::atomic<int64_t> begun[kHosts] = {};
  std::atomic<uint64_t> no_room{0};
  {
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::minstd_rand random(t + 1);
        int64_t mine[kHosts] = {};
        for (int i = 0; i < 40'000; ++i) {
          const auto n = static_cast<uint32_t>(random() % kHosts);
          const HostName name = table->name_of(0, host(n));
          if (mine[n] > 0 && random() % 2 == 0) {
            table->end_half_open(name);
            --mine[n];
            begun[n].fetch_sub(1);
          } else if (const Answer answer = table->begin_half_open(name, limits, kSecond);
                     answer == Answer::yes) {
            ++mine[n];
            EXPECT_LE(begun[n].fetch_add(1), int64_t{2 * kBound + kThreads});
          } else if (answer == Answer::no_room) {
            ++no_room;
          }
        }
      });
    }
  }
  EXPECT_GT(no_room.load(), 0u) << "the small table was full at times";
  for (uint32_t n = 0; n < kHosts; ++n)
    EXPECT_EQ(table->half_open(table->name_of(0, host(n))), begun[n].load()) << n;
}

using Bound = SessionBudgets::Bound;

SessionBudgets::Origin origin(uint32_t n, uint32_t attachment = 1, uint16_t domain = 1) {
  return {domain, AttachmentId::make(attachment, 1), host(n)};
}

TEST(SessionBudgets, TheNarrowestIsAskedFirst) {
  const auto budgets = SessionBudgets::create({.source = {.new_per_second = 2},
                                               .attachment = {.new_per_second = 5},
                                               .domain = {.new_per_second = 7}},
                                              16, 1)
                           .value();
  const auto take = [&](const SessionBudgets::Origin& o) { return budgets->take_new(o, kSecond).bound; };
  for (int i = 0; i < 2; ++i) EXPECT_EQ(take(origin(1)), Bound::none);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(take(origin(1)), Bound::source) << "costs the others nothing";
  for (uint32_t n = 2; n < 5; ++n) EXPECT_EQ(take(origin(n)), Bound::none);
  for (uint32_t n = 5; n < 50; ++n) EXPECT_EQ(take(origin(n)), Bound::attachment) << n;
  for (uint32_t n = 50; n < 52; ++n) EXPECT_EQ(take(origin(n, 2)), Bound::none);
  EXPECT_EQ(take(origin(52, 2)), Bound::domain);
  EXPECT_EQ(take(origin(52, 3, 9)), Bound::none) << "another domain's";
  EXPECT_EQ(budgets->take_new(origin(1), 5 * kSecond).bound, Bound::none) << "time pays";
}

TEST(SessionBudgets, WhatIsRefusedIsCountedNowhere) {
  const auto budgets =
      SessionBudgets::create(
          {.source = {.half_open = 3}, .attachment = {.half_open = 4}, .domain = {.half_open = 5}}, 16, 1)
          .value();
  const auto begin = [&](const SessionBudgets::Origin& o) {
    return budgets->begin_half_open(o, kSecond).bound;
  };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(begin(origin(1)), Bound::none);
  EXPECT_EQ(begin(origin(1)), Bound::source);
  EXPECT_EQ(begin(origin(2)), Bound::none);
  EXPECT_EQ(begin(origin(2)), Bound::attachment);
  EXPECT_EQ(begin(origin(3, 2)), Bound::none);
  EXPECT_EQ(begin(origin(3, 2)), Bound::domain);
  EXPECT_EQ(budgets->half_open_of_source(1, host(1)), 3u);
  EXPECT_EQ(budgets->half_open_of_source(1, host(2)), 1u);
  EXPECT_EQ(budgets->half_open_of_source(1, host(3)), 1u);
  EXPECT_EQ(budgets->half_open_of(origin(1).attachment), 4u);
  EXPECT_EQ(budgets->half_open_of(origin(3, 2).attachment), 1u);
  EXPECT_EQ(budgets->half_open_of_domain(1), 5u);
  budgets->end_half_open(origin(2), false);
  for (int i = 0; i < 3; ++i) budgets->end_half_open(origin(1), false);
  budgets->end_half_open(origin(3, 2), false);
  EXPECT_EQ(budgets->half_open_of_domain(1), 0u);
  EXPECT_EQ(budgets->half_open_of(origin(1).attachment), 0u);
  EXPECT_EQ(budgets->half_open_of_source(1, host(1)), 0u);
}

TEST(SessionBudgets, ASourceWithoutRoomIsBoundByItsAttachment) {
  const auto budgets = SessionBudgets::create(
                           {.source = {.half_open = 1}, .attachment = {.half_open = 100}, .hosts = 4}, 16, 1)
                           .value();
  int untracked = 0, begun = 0;
  for (uint32_t n = 0; n < 200; ++n) {
    const auto admission = budgets->begin_half_open(origin(n), kSecond);
    if (admission) ++begun;
    if (admission && admission.untracked) ++untracked;
  }
  EXPECT_EQ(begun, 100);
  EXPECT_EQ(untracked, 96);
  EXPECT_GT(SessionBudgets::bytes_for(budgets->limits(), 16), HostTable::bytes_for(4));
}

}  // namespace
}  // namespace weir::dataplane
