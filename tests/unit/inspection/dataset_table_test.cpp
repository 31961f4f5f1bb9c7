#include "inspection/detect/dataset_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace weir::inspection {
namespace {

using Change = DatasetTable::Change;

std::span<const uint8_t> octets(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
std::map<std::string, bool> all(const DatasetTable& table, uint16_t set) {
  std::map<std::string, bool> found;
  table.for_each(set, [&](std::span<const uint8_t> value, bool in) {
    found[std::string(value.begin(), value.end())] = in;
  });
  return found;
}

TEST(DatasetTable, RefusedSizes) {
  EXPECT_EQ(DatasetTable::create(0, 1).error().code, ErrorCode::invalid);
  EXPECT_EQ(DatasetTable::create(DatasetTable::kMost + 1, 1).error().code, ErrorCode::invalid);
}

TEST(DatasetTable, ValuesComeAndGo) {
  const auto table = DatasetTable::create(64, 7).value();
  EXPECT_EQ(table->has(1, octets("a")), std::nullopt);
  EXPECT_EQ(table->change(1, octets("a"), true, false), Change::made);
  EXPECT_EQ(table->change(1, octets("a"), true, false), Change::none);
  EXPECT_EQ(table->has(1, octets("a")), true);
  EXPECT_EQ(table->has(2, octets("a")), std::nullopt) << "another set";
  EXPECT_EQ(table->change(1, octets("a"), false, false), Change::made);
  EXPECT_EQ(table->has(1, octets("a")), false);
  EXPECT_EQ(table->change(1, octets("b"), false, false), Change::none) << "it is not in";
  EXPECT_EQ(table->change(1, octets("b"), true, true), Change::none) << "it was loaded";
  EXPECT_EQ(table->change(1, octets("b"), false, true), Change::made);
  EXPECT_EQ(table->change(1, octets(""), true, false), Change::made);
  EXPECT_EQ(all(*table, 1), (std::map<std::string, bool>{{"a", false}, {"b", false}, {"", true}}));
  EXPECT_TRUE(all(*table, 2).empty());
}

TEST(DatasetTable, RefusesWhatFindsNoRoom) {
  const auto table = DatasetTable::create(8, 7).value();
  size_t made = 0;
  for (int i = 0; i < 100; ++i)
    made += table->change(1, octets("value " + std::to_string(i)), true, false) == Change::made ? 1 : 0;
  EXPECT_EQ(made, 8u);
  EXPECT_EQ(all(*table, 1).size(), 8u);
  const auto small = DatasetTable::create(8, 7).value();
  EXPECT_EQ(small->change(1, octets(std::string(600, 'x')), true, false), Change::no_room) << "8 x 64 bytes";
  EXPECT_EQ(small->change(1, octets(std::string(500, 'x')), true, false), Change::made);
  EXPECT_EQ(small->change(1, octets(std::string(DatasetTable::kLongestValue + 1, 'x')), true, false),
            Change::no_room);
}

/// However many add the same value at once, one has added it.
TEST(DatasetTable, OneOfSeveralThreadsAddsAValue) {
  constexpr int kThreads = 4, kValues = 2'000;
  const auto table = DatasetTable::create(64 * kValues, 9).value();
  std::vector<std::atomic<int>> made(kValues);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kValues; ++i) {
        const std::string value = "value " + std::to_string(i);
        made[static_cast<size_t>(i)] += table->change(1, octets(value), true, false) == Change::made ? 1 : 0;
        (void)table->has(1, octets("value " + std::to_string(kValues - i)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::atomic<int>& count : made) EXPECT_EQ(count, 1);
  EXPECT_EQ(all(*table, 1).size(), size_t{kValues});
}

}  // namespace
}  // namespace weir::inspection
