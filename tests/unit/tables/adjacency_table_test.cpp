#include "dataplane/fib/adjacency_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

const AttachmentId kA = AttachmentId::make(3, 1);
const AttachmentId kB = AttachmentId::make(4, 1);
const net::IpAddress kHost = net::Ipv4{0x0a01'0002};

net::Mac mac(uint64_t n) { return net::Mac::from_u64(0x0200'0000'0000 | n); }

TEST(AdjacencyTable, RefusesSizesThatIdsCannotName) {
  EXPECT_EQ(AdjacencyTable::create(0).error().code, ErrorCode::invalid);
  EXPECT_EQ(AdjacencyTable::create(AdjacencyId::kMaxIndex + 2).error().code, ErrorCode::invalid);
}

TEST(AdjacencyTable, SetFindGet) {
  const auto table = AdjacencyTable::create(8).value();
  const AdjacencyId id = table->set(kA, kHost, mac(1)).value();
  EXPECT_EQ(table->find(kA, kHost), id);
  EXPECT_FALSE(table->find(kB, kHost).valid());
  EXPECT_FALSE(table->find(kA, net::Ipv6{0, 0x0a01'0002}).valid()) << "the family is part of the key";
  ASSERT_TRUE(table->get(id));
  EXPECT_EQ(table->get(id)->attachment, kA);
  EXPECT_EQ(table->get(id)->mac(), mac(1));
  EXPECT_EQ(table->size(), 1u);
}

TEST(AdjacencyTable, AMacChangesInPlace) {
  const auto table = AdjacencyTable::create(8).value();
  const AdjacencyId id = table->set(kA, kHost, mac(1)).value();
  EXPECT_EQ(table->set(kA, kHost, mac(2)).value(), id);
  EXPECT_EQ(table->get(id)->mac(), mac(2));
  EXPECT_EQ(table->size(), 1u);
}

TEST(AdjacencyTable, AnIndexRestsUntilReleased) {
  const auto table = AdjacencyTable::create(1).value();
  const AdjacencyId first = table->set(kA, kHost, mac(1)).value();
  table->remove(first);
  EXPECT_FALSE(table->find(kA, kHost).valid());
  EXPECT_FALSE(table->get(first));
  EXPECT_EQ(table->set(kA, kHost, mac(2)).error().code, ErrorCode::exhausted);
  table->release(first);
  table->release(first);  // once more does nothing
  const AdjacencyId second = table->set(kA, kHost, mac(2)).value();
  EXPECT_EQ(second.index(), first.index());
  EXPECT_NE(second, first);
  EXPECT_FALSE(table->get(first)) << "the old id must not name the new entry";
  table->remove(first);
  table->release(first);
  EXPECT_EQ(table->get(second)->mac(), mac(2)) << "a stale id must not touch the new entry";
  EXPECT_EQ(table->set(kB, kHost, mac(3)).error().code, ErrorCode::exhausted);
}

TEST(AdjacencyTable, GenerationsWrapPastZero) {
  const auto table = AdjacencyTable::create(1).value();
  for (uint32_t i = 0; i < AdjacencyId::kMaxGeneration + 10; ++i) {
    const AdjacencyId id = table->set(kA, kHost, mac(i)).value();
    ASSERT_TRUE(id.valid());
    ASSERT_TRUE(table->get(id));
    table->remove(id);
    table->release(id);
  }
}

TEST(AdjacencyTable, IdsOutOfRangeNameNothing) {
  const auto table = AdjacencyTable::create(4).value();
  EXPECT_FALSE(table->get({}));
  EXPECT_FALSE(table->get(AdjacencyId::make(4, 1)));
  EXPECT_FALSE(table->get(AdjacencyId::make(AdjacencyId::kMaxIndex, 1)));
  table->prefetch(AdjacencyId::make(AdjacencyId::kMaxIndex, 1));
  table->remove(AdjacencyId::make(4, 1));
  table->release(AdjacencyId::make(4, 1));
}

TEST(AdjacencyTable, AgreesWithAMap) {
  using Key = std::pair<AttachmentId, net::IpAddress>;
  test::RandomInput random(3);
  constexpr uint32_t kCapacity = 64;
  const auto table = AdjacencyTable::create(kCapacity).value();
  std::map<Key, std::pair<AdjacencyId, net::Mac>> model;
  std::set<AdjacencyId> removed;
  for (int step = 0; step < 100'000; ++step) {
    const Key key{random.one_in(2) ? kA : kB, net::Ipv4{static_cast<uint32_t>(random.below(60))}};
    const auto known = model.find(key);
    switch (random.below(4)) {
      case 0: {
        const net::Mac m = mac(random.below(1'000));
        const auto id = table->set(key.first, key.second, m);
        const bool fits = known != model.end() || model.size() + removed.size() < kCapacity;
        ASSERT_EQ(id.has_value(), fits);
        if (!id) break;
        if (known != model.end()) {
          ASSERT_EQ(*id, known->second.first);
        }
        model[key] = {*id, m};
        break;
      }
      case 1:
        if (known == model.end()) break;
        table->remove(known->second.first);
        removed.insert(known->second.first);
        model.erase(known);
        break;
      case 2:
        if (removed.empty()) break;
        table->release(*removed.begin());
        removed.erase(removed.begin());
        break;
      default:
        ASSERT_EQ(table->find(key.first, key.second),
                  known == model.end() ? AdjacencyId{} : known->second.first);
        if (known != model.end()) {
          ASSERT_EQ(table->get(known->second.first)->mac(), known->second.second);
        }
        for (const AdjacencyId id : removed) ASSERT_FALSE(table->get(id));
    }
    ASSERT_EQ(table->size(), model.size());
  }
  size_t visited = 0;
  table->for_each([&](AdjacencyId id, AttachmentId attachment, const net::IpAddress& address, net::Mac m) {
    const auto known = model.find({attachment, address});
    ASSERT_NE(known, model.end());
    EXPECT_EQ(known->second, std::pair(id, m));
    ++visited;
  });
  EXPECT_EQ(visited, model.size());
}

/// Two readers and what they share with the writer. `turn` of each counts its loop turns, as workers'
/// quiescent states do.
struct Readers {
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> turn[2] = {};
  std::atomic<uint64_t> wrong{0}, seen{0};
  std::vector<std::thread> threads;

  template <typename Read>
  void start(Read read) {
    for (unsigned r = 0; r < 2; ++r) {
      threads.emplace_back([this, r, read] {
        test::RandomInput random(r);
        while (!stop.load(std::memory_order_relaxed)) {
          read(random);
          turn[r].store(turn[r].load(std::memory_order_relaxed) + 1, std::memory_order_release);
        }
      });
    }
  }
  void join() {
    while (turn[0].load() < 100 || turn[1].load() < 100) std::this_thread::yield();
    stop = true;
    for (std::thread& t : threads) t.join();
  }
};

/// The writer adds, changes, removes and, after quiescence, reuses; what stays is always found, and whatever
/// is found is whole: a MAC tells which host it belongs to.
TEST(AdjacencyTable, ReadersBesideAWriterFindWhatStays) {
  constexpr uint32_t kStaying = 64, kMoving = 64;
  const auto table = AdjacencyTable::create(kStaying + kMoving).value();
  const auto host = [](uint32_t n) { return net::IpAddress(net::Ipv4{n}); };
  const auto mac_of = [](uint32_t n, uint32_t version) { return mac(uint64_t{n} << 16 | version); };
  for (uint32_t n = 0; n < kStaying; ++n) ASSERT_TRUE(table->set(kA, host(n), mac_of(n, 0)));

  Readers readers;
  readers.start([&](test::RandomInput& random) {
    const auto n = static_cast<uint32_t>(random.below(kStaying + kMoving * 4));
    const AdjacencyId id = table->find(kA, host(n));
    const auto view = table->get(id);
    if (!view && n < kStaying) readers.wrong.fetch_add(1);
    if (!view) return;
    if (view->attachment != kA || (view->mac().to_u64() >> 16 & 0xffff) != n) readers.wrong.fetch_add(1);
    if (n >= kStaying) readers.seen.fetch_add(1);
  });

  struct Removed {
    AdjacencyId id;
    uint64_t turn[2];
  };
  test::RandomInput random(13);
  std::deque<AdjacencyId> present;
  std::deque<Removed> removed;
  for (uint32_t step = 0; step < 50'000; ++step) {
    const auto stays = static_cast<uint32_t>(random.below(kStaying));
    ASSERT_TRUE(table->set(kA, host(stays), mac_of(stays, step & 0xffff)));
    const auto n = static_cast<uint32_t>(kStaying + random.below(kMoving * 4));
    const bool known = table->find(kA, host(n)).valid();
    if (const auto id = table->set(kA, host(n), mac_of(n, 0)); id && !known) present.push_back(*id);
    if (present.size() > kMoving / 2) {
      table->remove(present.front());
      removed.push_back({present.front(), {readers.turn[0].load(), readers.turn[1].load()}});
      present.pop_front();
    }
    while (!removed.empty() && readers.turn[0].load() > removed.front().turn[0] &&
           readers.turn[1].load() > removed.front().turn[1]) {
      table->release(removed.front().id);
      removed.pop_front();
    }
  }
  readers.join();
  EXPECT_EQ(readers.wrong.load(), 0u);
  EXPECT_GT(readers.seen.load(), 0u);
}

/// Even if an index is given out again while a reader looks at it, get() tells nothing of the entry after.
TEST(AdjacencyTable, GetIsNeverAMixOfTwoEntries) {
  const auto table = AdjacencyTable::create(2).value();
  std::atomic<uint32_t> newest{0};
  Readers readers;
  readers.start([&](test::RandomInput&) {
    const auto view = table->get({newest.load(std::memory_order_relaxed)});
    if (!view) return;
    readers.seen.fetch_add(1);
    if (view->attachment.index() != (view->mac().to_u64() & 0xfffff)) readers.wrong.fetch_add(1);
  });
  for (uint32_t n = 0; n < 500'000; ++n) {
    const AdjacencyId id =
        table->set(AttachmentId::make(n, 1), kHost, mac(n & AttachmentId::kMaxIndex)).value();
    newest.store(id.value, std::memory_order_relaxed);
    table->remove(id);
    table->release(id);
  }
  const AdjacencyId last = table->set(kA, kHost, mac(kA.index())).value();
  newest.store(last.value, std::memory_order_relaxed);
  while (readers.seen.load() == 0) std::this_thread::yield();
  readers.join();
  EXPECT_EQ(readers.wrong.load(), 0u);
}

}  // namespace
}  // namespace weir::dataplane
