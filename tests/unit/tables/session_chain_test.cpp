// The chains of the session index, at the mercy of a sender that computes hashes.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <vector>

#include "dataplane/session/session_table.h"
#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

constexpr uint32_t kCeiling = 8 * (1 + SessionTable::kMaxOverflow);

Key4 mirror(const Key4& k, uint16_t domain) {
  return {k.dst, k.src, k.dst_port, k.src_port, domain, k.protocol, 0};
}

std::unique_ptr<SessionTable> make(uint32_t capacity) { return SessionTable::create(capacity, {0}).value(); }

/// Keys to one destination port that all have one hash. CRC is linear, so the flips of key bits that leave it
/// alone are found by elimination.
std::vector<Key4> keys_of_one_hash(size_t count, uint16_t dst_port = 80) {
  struct Flip {
    uint32_t src;
    uint16_t src_port;
    uint32_t hash;
  };
  const Key4 base{0, 0x0a02'0001, 0, dst_port, 1, 6, 0};
  const auto flipped = [&](uint32_t src, uint16_t port) {
    Key4 k = base;
    k.src ^= src;
    k.src_port ^= port;
    return k;
  };
  std::array<Flip, 32> pivots{};
  std::vector<Flip> neutral;
  for (unsigned bit = 0; bit < 48; ++bit) {
    Flip flip{bit < 32 ? 1u << bit : 0, static_cast<uint16_t>(bit < 32 ? 0 : 1u << (bit - 32)), 0};
    flip.hash = hash_of(flipped(flip.src, flip.src_port)) ^ hash_of(base);
    for (unsigned b = 0; b < 32 && flip.hash != 0; ++b) {
      if ((flip.hash >> b & 1) == 0) continue;
      if (pivots[b].hash == 0) {
        pivots[b] = flip;
        break;
      }
      flip = {flip.src ^ pivots[b].src, static_cast<uint16_t>(flip.src_port ^ pivots[b].src_port),
              flip.hash ^ pivots[b].hash};
    }
    if (flip.hash == 0) neutral.push_back(flip);
  }
  std::vector<Key4> keys;
  for (uint32_t combination = 0; keys.size() < count; ++combination) {
    uint32_t src = 0;
    uint16_t port = 0;
    for (size_t i = 0; i < neutral.size(); ++i) {
      if ((combination >> i & 1) == 0) continue;
      src ^= neutral[i].src;
      port ^= neutral[i].src_port;
    }
    keys.push_back(flipped(src, port));
  }
  return keys;
}

TEST(SessionChain, CollidingKeysAreFoundAndTheirChainHasACeiling) {
  const auto table = make(1'000);
  const std::vector<Key4> keys = keys_of_one_hash(100);
  std::vector<SessionIndex> sessions;
  for (const Key4& k : keys) {
    ASSERT_EQ(hash_of(k), hash_of(keys[0]));
    const SessionIndex index = table->insert(k, mirror(k, 2), 0);
    if (index != kNoSession) sessions.push_back(index);
  }
  ASSERT_LE(sessions.size(), kCeiling);
  ASSERT_GE(sessions.size(), kCeiling - 8) << "a few mirrored keys may have come into the same bucket";
  for (size_t i = 0; i < sessions.size(); ++i) {
    ASSERT_EQ(table->find(keys[i], hash_of(keys[i])).index, sessions[i]);
  }
  const Key4& refused = keys[sessions.size()];
  EXPECT_FALSE(table->find(refused, hash_of(refused)));
  const Key4 other{0x0a01'0005, 0x0a02'0001, 1'000, 80, 1, 6, 0};
  EXPECT_NE(table->insert(other, mirror(other, 2), 0), kNoSession) << "other buckets are not affected";

  table->remove(sessions[3]);
  EXPECT_FALSE(table->find(keys[3], hash_of(keys[3])));
  EXPECT_NE(table->insert(refused, mirror(refused, 2), 0), kNoSession) << "there is room again";
}

/// A chain that grows, shrinks in every order and grows again, in one table: every way in which keys move.
TEST(SessionChain, KeepsItsKeysThroughEveryOrderOfRemoval) {
  test::RandomInput random(5);
  const auto table = make(40);
  const std::vector<Key4> keys = keys_of_one_hash(38);
  for (int round = 0; round < 200; ++round) {
    std::map<SessionIndex, Key4> live;
    for (const Key4& k : keys) {
      const SessionIndex index = table->insert(k, mirror(k, 2), 0);
      if (index != kNoSession) live.emplace(index, k);
    }
    ASSERT_GT(live.size(), 30u);
    while (!live.empty()) {
      const auto victim = std::next(live.begin(), static_cast<long>(random.below(live.size())));
      table->remove(victim->first);
      live.erase(victim);
      for (const auto& [index, k] : live) ASSERT_EQ(table->find(k, hash_of(k)).index, index);
    }
    ASSERT_EQ(table->size(), 0u);
  }
}

/// One chain after the other is grown and shrunk to its last key. If a shrunk chain kept its overflow
/// buckets, the pool, which is sized for full ones, would be empty by the third.
TEST(SessionChain, AShrunkChainGivesItsBucketsBack) {
  test::RandomInput random(6);
  for (int round = 0; round < 50; ++round) {
    const auto table = make(40);
    for (uint16_t port = 1; port <= 8; ++port) {
      std::vector<SessionIndex> chain;
      Key4 last{};
      for (const Key4& k : keys_of_one_hash(40, port)) {
        const SessionIndex index = table->insert(k, mirror(k, 2), 0);
        if (index == kNoSession) continue;
        chain.push_back(index);
        last = k;
      }
      ASSERT_GE(chain.size(), 20u);
      while (chain.size() > 1) {
        const size_t at = random.below(chain.size() - 1);
        table->remove(chain[at]);
        chain.erase(chain.begin() + static_cast<long>(at));
      }
      ASSERT_EQ(table->find(last, hash_of(last)).index, chain[0]);
    }
  }
}

/// The forward key finds room, the reverse key's chain is at its ceiling: what was entered has to come out
/// again.
TEST(SessionChain, ARefusedReverseKeyLeavesNoForwardKeyBehind) {
  const auto table = make(1'000);
  uint32_t refused = 0;
  for (const Key4& k : keys_of_one_hash(40'000)) {
    refused += table->insert(mirror(k, 2), k, 0) == kNoSession;
  }
  EXPECT_GT(refused, 39'000u);
  // Others fill the table, but for the few whose bucket is the full one.
  for (uint32_t n = 0; n < 1'100 && table->size() < table->capacity(); ++n) {
    const Key4 k{0x0a09'0000 + n, 0x0a02'0001, 1'000, 443, 1, 6, 0};
    table->insert(k, mirror(k, 2), 0);
  }
  EXPECT_EQ(table->size(), table->capacity());
}

}  // namespace
}  // namespace weir::dataplane
