#include "dataplane/tunnel/live_hash.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <thread>

#include "dataplane/tunnel/attachment_table.h"
#include "dataplane/tunnel/tunnel_table.h"
#include "random_input.h"

namespace weir::dataplane {
namespace {

TunnelKey key(uint32_t n) { return TunnelKey::v4(KeyKind::vxlan, {1}, {n / 8}, n % 8, 4789); }
AttachmentId id(uint32_t n) { return AttachmentId::make(n & 0xffff, 1 + n % 7); }

TEST(LiveHash, AgreesWithAMapThroughEndlessChangeAtFullSize) {
  constexpr uint32_t kCapacity = 512;
  TunnelTable table(kCapacity);
  std::map<uint32_t, AttachmentId> model;
  std::deque<std::vector<size_t>> grace;  // what a reader may still stand on
  test::RandomInput random(7);
  for (uint32_t step = 0; step < 300'000; ++step) {
    const auto n = static_cast<uint32_t>(random.below(1'000'000));
    if (model.size() == kCapacity || (!model.empty() && random.below(3) == 0)) {
      const auto victim = model.lower_bound(n) == model.end() ? model.begin() : model.lower_bound(n);
      ASSERT_TRUE(table.remove(key(victim->first)));
      ASSERT_FALSE(table.remove(key(victim->first)));
      ASSERT_FALSE(table.find(key(victim->first)).valid());
      model.erase(victim);
    } else {
      ASSERT_TRUE(table.set(key(n), id(step))) << step;
      model[n] = id(step);
      ASSERT_EQ(table.find(key(n)), id(step));
    }
    grace.push_back(table.take_removed());
    if (grace.size() > 20) {
      table.release(grace.front());
      grace.pop_front();
    }
    if (step % 4096 != 0) continue;
    ASSERT_EQ(table.size(), model.size());
    for (const auto& [k, value] : model) ASSERT_EQ(table.find(key(k)), value);
  }
}

TEST(LiveHash, IsFullAtItsCapacityAndWhileSlotsWait) {
  TunnelTable table(4);
  for (uint32_t n = 0; n < 4; ++n) ASSERT_TRUE(table.set(key(n), id(n)));
  EXPECT_EQ(table.room(), 0u);
  EXPECT_FALSE(table.set(key(9), id(9)));
  EXPECT_TRUE(table.set(key(3), id(7)));  // known
  // Entries that come and go without a release fill it; a look-up of what is not there ends all the same.
  uint32_t changes = 0;
  for (table.remove(key(0)); table.room() != 0 && changes < 1'000; ++changes) {
    ASSERT_TRUE(table.set(key(100 + changes), id(changes)));
    ASSERT_TRUE(table.remove(key(100 + changes)));
  }
  EXPECT_LT(changes, 32u);
  EXPECT_FALSE(table.find(key(12'345)).valid());
  table.release(table.take_removed());
  EXPECT_NE(table.room(), 0u);
}

TEST(LiveHash, AReaderSeesEachEntryBeforeOrAfter) {
  constexpr uint32_t kKeys = 64;
  TunnelTable table(kKeys);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> turns{0}, wrong{0}, missed{0};
  // Keys 0 to 31 stay; the others come and go. Entry n always leads to an id with index n.
  for (uint32_t n = 0; n < kKeys / 2; ++n) table.set(key(n), AttachmentId::make(n, 1));
  std::thread reader([&] {
    while (!stop.load()) {
      for (uint32_t n = 0; n < kKeys; ++n) {
        const AttachmentId found = table.find(key(n));
        if (found.valid() && found.index() != n) ++wrong;
        if (!found.valid() && n < kKeys / 2) ++missed;
      }
      ++turns;
    }
  });
  test::RandomInput random(3);
  for (int round = 0; round < 3'000; ++round) {
    const auto n = static_cast<uint32_t>(kKeys / 2 + random.below(kKeys / 2));
    if (!table.remove(key(n)))
      table.set(key(n), AttachmentId::make(n, 1 + static_cast<uint32_t>(round) % 4'000));
    if (round % 16 != 0) continue;
    const auto removed = table.take_removed();
    for (const uint64_t seen = turns.load(); turns.load() < seen + 2;) std::this_thread::yield();
    table.release(removed);
  }
  stop = true;
  reader.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(missed, 0u);
}

TEST(AttachmentTable, AStaleIdFindsNothing) {
  AttachmentTable table(4);
  const auto make = [](uint32_t index, uint32_t generation) {
    auto a = std::make_unique<Attachment>();
    a->id = AttachmentId::make(index, generation);
    return a;
  };
  EXPECT_EQ(table.set(make(2, 1)), nullptr);
  ASSERT_NE(table.find(AttachmentId::make(2, 1)), nullptr);
  EXPECT_EQ(table.find(AttachmentId::make(2, 2)), nullptr);
  EXPECT_EQ(table.find(AttachmentId::make(4, 1)), nullptr);
  EXPECT_EQ(table.find({}), nullptr);
  const auto replaced = table.set(make(2, 2));
  ASSERT_NE(replaced, nullptr);
  EXPECT_EQ(replaced->id.generation(), 1u);
  EXPECT_EQ(table.find(AttachmentId::make(2, 1)), nullptr);
  EXPECT_EQ(table.remove(AttachmentId::make(2, 1)), nullptr);
  EXPECT_NE(table.remove(AttachmentId::make(2, 2)), nullptr);
  EXPECT_EQ(table.find(AttachmentId::make(2, 2)), nullptr);
}

}  // namespace
}  // namespace weir::dataplane
