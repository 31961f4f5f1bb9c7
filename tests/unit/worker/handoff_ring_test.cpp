// Packets from worker to worker. The ring looks into no packet, so any address is one here.
#include "dataplane/worker/handoff_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

namespace weir::dataplane {
namespace {

rte_mbuf* packet(uintptr_t number) { return reinterpret_cast<rte_mbuf*>(number); }

/// How many of `n` packets it took, which the consumer has then.
uint32_t push(HandoffRing& ring, uintptr_t first, uint32_t n) {
  uint32_t taken = 0;
  while (taken < n && ring.put(packet(first + taken))) ++taken;
  EXPECT_EQ(ring.publish(), taken);
  return taken;
}

std::vector<uintptr_t> pop(HandoffRing& ring, uint32_t max) {
  std::vector<rte_mbuf*> packets(max);
  packets.resize(ring.pop(packets.data(), max));
  std::vector<uintptr_t> numbers;
  for (rte_mbuf* mbuf : packets) numbers.push_back(reinterpret_cast<uintptr_t>(mbuf));
  return numbers;
}

using Numbers = std::vector<uintptr_t>;

TEST(HandoffRing, GivesInOrderWhatItTook) {
  HandoffRing ring(8);
  EXPECT_EQ(pop(ring, 8), Numbers{});
  EXPECT_EQ(push(ring, 1, 3), 3u);
  EXPECT_EQ(push(ring, 4, 2), 2u);
  EXPECT_EQ(pop(ring, 4), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(pop(ring, 4), (Numbers{5}));
  EXPECT_EQ(pop(ring, 4), Numbers{});
}

TEST(HandoffRing, KeepsBackWhatIsNotPublished) {
  HandoffRing ring(4);
  EXPECT_TRUE(ring.put(packet(1)));
  EXPECT_TRUE(ring.put(packet(2)));
  EXPECT_EQ(pop(ring, 4), Numbers{});
  EXPECT_EQ(ring.pushed(), 0u);
  EXPECT_EQ(ring.publish(), 2u);
  EXPECT_EQ(ring.publish(), 0u) << "nothing new";
  EXPECT_TRUE(ring.put(packet(3)));
  EXPECT_EQ(pop(ring, 4), (Numbers{1, 2}));
  EXPECT_EQ(pop(ring, 4), Numbers{});
}

TEST(HandoffRing, TakesAsManyAsThereIsRoomFor) {
  HandoffRing ring(8);
  EXPECT_EQ(push(ring, 1, 6), 6u);
  EXPECT_EQ(push(ring, 7, 6), 2u);
  EXPECT_EQ(push(ring, 9, 1), 0u);
  EXPECT_EQ(pop(ring, 3), (Numbers{1, 2, 3}));
  EXPECT_EQ(push(ring, 9, 6), 3u) << "the room that came free since it was full";
  EXPECT_EQ(pop(ring, 16), (Numbers{4, 5, 6, 7, 8})) << "what it knew of";
  EXPECT_EQ(pop(ring, 16), (Numbers{9, 10, 11}));
  EXPECT_EQ(push(ring, 12, 9), 8u);
}

TEST(HandoffRing, CountsWhatWentThroughIt) {
  HandoffRing ring(4);
  push(ring, 1, 3);
  EXPECT_EQ(ring.pushed(), 3u);
  EXPECT_EQ(ring.popped(), 0u);
  pop(ring, 2);
  EXPECT_EQ(ring.popped(), 2u);
  push(ring, 4, 9);
  EXPECT_EQ(ring.pushed(), 6u) << "what it did not take does not count";
}

/// For a thread sanitizer too: what a packet holds has to be there when the packet is.
TEST(HandoffRing, TwoThreadsLoseAndSwapNothing) {
  constexpr uint32_t kPackets = 100'000;
  HandoffRing ring(64);
  std::vector<uint32_t> written(kPackets + 1, 0);
  std::thread producer([&] {
    uint32_t next = 1;
    while (next <= kPackets) {
      const uint32_t n = std::min(1 + next % 32, kPackets + 1 - next);
      for (uint32_t i = 0; i < n; ++i) written[next + i] = next + i;
      const uint32_t taken = push(ring, next, n);
      if (taken == 0) std::this_thread::yield();
      next += taken;
    }
  });
  uint32_t wrong = 0;
  for (uint32_t next = 1; next <= kPackets;) {
    const Numbers numbers = pop(ring, 1 + next % 48);
    if (numbers.empty()) std::this_thread::yield();
    for (const uintptr_t number : numbers) {
      wrong += number != next || written[next] != next;
      ++next;
    }
  }
  producer.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(pop(ring, 1), Numbers{});
}

}  // namespace
}  // namespace weir::dataplane
