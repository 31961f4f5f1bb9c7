// The pool against a plain list of who holds what.
#include "inspection/memory/byte_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <random>
#include <vector>

namespace weir::inspection {
namespace {

struct Held {
  uint8_t* at;
  size_t size;
  uint8_t mark;
};

TEST(BytePool, BlocksNeverOverlapAndAllComeBack) {
  BytePool pool(8 * BytePool::kLargest);
  std::mt19937 random(7);
  std::vector<Held> held;
  for (int step = 0; step < 20'000; ++step) {
    if (held.empty() || random() % 2 == 0) {
      const size_t size = size_t{1} << random() % 17;  // 1 to 65,536
      if (void* block = pool.allocate(size)) {
        const Held now{static_cast<uint8_t*>(block), size, static_cast<uint8_t>(random())};
        EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0U);
        std::memset(now.at, now.mark, now.size);
        held.push_back(now);
      }
    } else {
      std::swap(held[random() % held.size()], held.back());
      const Held gone = held.back();
      held.pop_back();
      for (size_t i = 0; i < gone.size; ++i) ASSERT_EQ(gone.at[i], gone.mark);
      pool.release(gone.at, gone.size);
    }
    const uint64_t expected =
        std::accumulate(held.begin(), held.end(), uint64_t{0},
                        [](uint64_t sum, const Held& h) { return sum + BytePool::block_size(h.size); });
    ASSERT_EQ(pool.used(), expected);
  }
  EXPECT_GT(pool.refused(), 0U);
  for (const Held& h : held) pool.release(h.at, h.size);
  // All joined again: every largest block can be had, and not one more.
  for (int i = 0; i < 8; ++i) EXPECT_NE(pool.allocate(BytePool::kLargest), nullptr);
  EXPECT_EQ(pool.allocate(1), nullptr);
}

TEST(BytePool, RefusesWhatItNeverHas) {
  BytePool pool(1);
  EXPECT_EQ(pool.capacity(), BytePool::kLargest);
  EXPECT_EQ(pool.allocate(0), nullptr);
  EXPECT_EQ(pool.allocate(BytePool::kLargest + 1), nullptr);
  EXPECT_EQ(BytePool::block_size(BytePool::kLargest + 1), 0U);
  EXPECT_EQ(BytePool::block_size(65), 128U);
  EXPECT_EQ(pool.refused(), 2U);
}

TEST(PoolBytes, GrowsDropsAndGivesBack) {
  BytePool pool(BytePool::kLargest * 2);
  {
    PoolBytes bytes(pool);
    const std::vector<uint8_t> piece{1, 2, 3};
    for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(bytes.append(piece));
    EXPECT_EQ(bytes.size(), 3'000U);
    bytes.drop_front(2'998);
    EXPECT_EQ(std::vector<uint8_t>(bytes.view().begin(), bytes.view().end()), (std::vector<uint8_t>{2, 3}));
    const PoolBytes moved = std::move(bytes);
    EXPECT_EQ(moved.size(), 2U);
    EXPECT_EQ(pool.used(), 4'096U);
  }
  EXPECT_EQ(pool.used(), 0U);
}

TEST(PoolBytes, OfItselfAndBeyondTheCeiling) {
  BytePool pool(1);
  PoolBytes bytes(pool);
  std::vector<uint8_t> half(BytePool::kLargest / 4);
  std::iota(half.begin(), half.end(), uint8_t{0});
  ASSERT_TRUE(bytes.append(half));
  ASSERT_TRUE(bytes.append(bytes.view()));  // into a larger block, from the one that goes
  EXPECT_TRUE(std::equal(half.begin(), half.end(), bytes.view().begin() + static_cast<long>(half.size())));
  EXPECT_FALSE(bytes.append(bytes.view()));  // 64 KiB beside the 32 KiB that are held
  EXPECT_EQ(bytes.size(), BytePool::kLargest / 2);
}

struct Node {
  explicit Node(int v) noexcept : value(v) {}
  int value;
};

TEST(BytePool, Objects) {
  BytePool pool(1);
  Node* node = make_in<Node>(pool, 5);
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->value, 5);
  destroy_in(pool, node);
  EXPECT_EQ(pool.used(), 0U);
}

}  // namespace
}  // namespace weir::inspection
