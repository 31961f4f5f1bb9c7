#include "dataplane/session/session_table.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

Key4 key(uint32_t n, uint16_t domain = 1) { return {0x0a01'0000 + n, 0x0a02'0001, 1'000, 80, domain, 6, 0}; }
Key4 mirror(const Key4& k, uint16_t domain) {
  return {k.dst, k.src, k.dst_port, k.src_port, domain, k.protocol, 0};
}
Key6 mirror(const Key6& k, uint16_t domain) {
  return {k.dst, k.src, k.dst_port, k.src_port, domain, k.protocol, 0};
}
Key6 key6(uint32_t n, uint16_t domain = 1) {
  return {{0x2001'0db8'0000'0001, n}, {0x2001'0db8'0000'0002, 1}, 1'000, 80, domain, 6, 0};
}

template <typename Key>
auto words(const Key& k) {
  std::array<uint64_t, sizeof(Key) / 8> w;
  std::memcpy(w.data(), &k, sizeof k);
  return w;
}

std::unique_ptr<SessionTable> make(uint32_t capacity) { return SessionTable::create(capacity, {0}).value(); }

TEST(SessionTable, BothKeysFindIt) {
  const auto table = make(16);
  const Key4 forward = key(1), reverse = mirror(forward, 2);
  const SessionIndex index = table->insert(forward, reverse, 77);
  ASSERT_NE(index, kNoSession);
  const auto f = table->find(forward, hash_of(forward)), r = table->find(reverse, hash_of(reverse));
  EXPECT_EQ(f.index, index);
  EXPECT_EQ(f.direction, Direction::forward);
  EXPECT_EQ(r.index, index);
  EXPECT_EQ(r.direction, Direction::reverse);
  EXPECT_TRUE(table->in_use(index));
  EXPECT_EQ(table->size(), 1u);
  EXPECT_EQ(words(table->key4(index, Direction::forward)), words(forward));
  EXPECT_EQ(words(table->key4(index, Direction::reverse)), words(reverse));
  EXPECT_EQ(table->cold(index).start_ns, 77u);
  EXPECT_EQ(table->cold(index).hash[0], hash_of(forward));
  EXPECT_EQ(table->cold(index).hash[1], hash_of(reverse));
  const Tuple expected{net::Ipv4{forward.src}, net::Ipv4{forward.dst}, 1'000, 80, 6};
  EXPECT_EQ(table->tuple(index), expected);
}

TEST(SessionTable, BothIpv6KeysFindIt) {
  const auto table = make(16);
  const Key6 forward = key6(1), reverse = mirror(forward, 2);
  const SessionIndex index = table->insert(forward, reverse, 77);
  ASSERT_NE(index, kNoSession);
  EXPECT_EQ(table->find(forward, hash_of(forward)).direction, Direction::forward);
  EXPECT_EQ(table->find(reverse, hash_of(reverse)).direction, Direction::reverse);
  EXPECT_EQ(words(table->key6(index, Direction::forward)), words(forward));
  EXPECT_EQ(words(table->key6(index, Direction::reverse)), words(reverse));
  const Tuple expected{forward.src, forward.dst, 1'000, 80, 6};
  EXPECT_EQ(table->tuple(index), expected);
}

/// The hash is given, so each of these gets as far as the comparison with the session.
TEST(SessionTable, EachPartOfTheKeyCounts) {
  const auto table = make(16);
  const Key4 k = key(1);
  ASSERT_NE(table->insert(k, mirror(k, 2), 0), kNoSession);
  const uint32_t hash = hash_of(k);
  EXPECT_TRUE(table->find(k, hash));
  EXPECT_FALSE(table->find(Key4{k.src + 1, k.dst, k.src_port, k.dst_port, k.domain, k.protocol, 0}, hash));
  EXPECT_FALSE(table->find(Key4{k.src, k.dst + 1, k.src_port, k.dst_port, k.domain, k.protocol, 0}, hash));
  EXPECT_FALSE(table->find(Key4{k.src, k.dst, 1'001, k.dst_port, k.domain, k.protocol, 0}, hash));
  EXPECT_FALSE(table->find(Key4{k.src, k.dst, k.src_port, 81, k.domain, k.protocol, 0}, hash));
  EXPECT_FALSE(table->find(Key4{k.src, k.dst, k.src_port, k.dst_port, 2, k.protocol, 0}, hash));
  EXPECT_FALSE(table->find(Key4{k.src, k.dst, k.src_port, k.dst_port, k.domain, 17, 0}, hash));
  EXPECT_FALSE(table->find(mirror(k, 2), hash)) << "the reverse key lies under its own hash";

  const Key6 v6{{0, k.src}, {0, k.dst}, k.src_port, k.dst_port, k.domain, k.protocol, 0};
  EXPECT_FALSE(table->find(v6, hash)) << "an IPv4 session is no IPv6 session";
  const Key6 zero{{}, {}, 9, 9, 1, 6, 0};
  const Key6 other{{0, 1}, {}, 9, 9, 1, 6, 0};
  ASSERT_NE(table->insert(other, mirror(other, 2), 0), kNoSession);
  EXPECT_FALSE(table->find(zero, hash_of(other)));
  EXPECT_FALSE(table->find(Key4{0, 0, 9, 9, 1, 6, 0}, hash_of(other))) << "nor the other way round";
}

/// Ends of a translated session of key(1): other addresses, other ports, both; of the source, the
/// destination, both. And the flags that say where they lie.
struct Leaving {
  Key4 as;
  uint16_t flags;
};
constexpr Leaving kLeaving[] = {
    {{0xcb00'7101, 0x0a02'0001, 2'000, 80, 1, 6, 0}, Session::kOtherSource},
    {{0xcb00'7101, 0x0a02'0001, 1'000, 80, 1, 6, 0}, Session::kOtherSource},
    {{0x0a01'0001, 0x0a02'0001, 2'000, 80, 1, 6, 0}, Session::kOtherSource},
    {{0x0a01'0001, 0x0a02'0009, 1'000, 8'080, 1, 6, 0}, Session::kOtherDestination},
    {{0x0a01'0001, 0x0a02'0009, 1'000, 80, 1, 6, 0}, Session::kOtherDestination},
    {{0x0a01'0001, 0x0a02'0001, 1'000, 8'080, 1, 6, 0}, Session::kOtherDestination},
    {{0xcb00'7101, 0x0a02'0009, 2'000, 8'080, 1, 6, 0}, 0},
    {{0xcb00'7101, 0x0a02'0009, 1'000, 80, 1, 6, 0}, 0}};

TEST(SessionTable, EachPartOfATranslatedKeyCounts) {
  for (const auto& [leaves, flags] : kLeaving) {
    const auto table = make(16);
    const Key4 k = key(1);
    const SessionIndex index = table->insert_translated(k, leaves, 2, 1);
    ASSERT_NE(index, kNoSession);
    EXPECT_EQ(table->at(index).flags, Session::kTranslated | flags);
    const Key4 answer = mirror(leaves, 2);
    for (const Key4& right : {k, answer}) {
      EXPECT_EQ(table->find(right, hash_of(right)).index, index);
      for (size_t byte = 0; byte < 15; ++byte) {
        Key4 wrong = right;
        reinterpret_cast<uint8_t*>(&wrong)[byte] ^= 1;
        EXPECT_FALSE(table->find(wrong, hash_of(right))) << byte << ": found by the tag, and not its key";
      }
    }
    for (const Key4& other : {mirror(k, 2), leaves}) EXPECT_FALSE(table->find(other, hash_of(other)));
    table->remove(index);
    for (const Key4& gone : {k, answer}) EXPECT_FALSE(table->find(gone, hash_of(gone)));
  }
}

TEST(SessionTable, PacketsOfATranslatedSessionLeaveWithItsEnds) {
  for (const auto& [leaves, flags] : kLeaving) {
    const auto table = make(16);
    const Key4 k = key(1);
    const SessionIndex index = table->insert_translated(k, leaves, 2, 1);
    ASSERT_NE(index, kNoSession);
    Session& session = table->at(index);
    session.connection = 0xaaaa;  // what lies around the other end is none of it
    session.last_seen = {0xbbbb'bbbb};
    for (const Direction direction : {Direction::forward, Direction::reverse}) {
      const Tuple expected = direction == Direction::forward ? tuple_of(leaves) : tuple_of(k).reversed();
      EXPECT_EQ(table->leaving(index, direction), expected);
      WireEnds4 wire;
      table->leaving4(session, direction, wire);
      const auto big = [](uint32_t host) { return uint64_t{net::be32::of(host).raw()}; };
      EXPECT_EQ(wire.addresses, big(expected.dst.v4().value) << 32 | big(expected.src.v4().value));
      EXPECT_EQ(wire.ports, big(uint32_t{expected.src_port} << 16 | expected.dst_port));
    }
  }
}

TEST(SessionTable, EachPartOfBothKeysOfNat64Counts) {
  for (const uint8_t protocol : std::initializer_list<uint8_t>{6, 58}) {
    const auto table = make(16);
    const Key6 k{{1, 2}, {3, 4}, 1'000, protocol == 6 ? uint16_t{80} : uint16_t{1'000}, 1, protocol, 0};
    const auto leaving = static_cast<uint8_t>(protocol == 6 ? 6 : 1);
    const Key4 leaves{0xcb00'7101, 0x0808'0808, 2'000, 80, 1, leaving, 0};
    const SessionIndex index = table->insert_translated(k, leaves, 2, 1);
    ASSERT_NE(index, kNoSession);
    const Key4 answer = mirror(leaves, 2);
    const auto hit = table->find(answer, hash_of(answer));
    EXPECT_EQ(hit.index, index);
    EXPECT_EQ(hit.direction, Direction::reverse);
    EXPECT_EQ(table->find(k, hash_of(k)).index, index);
    for (size_t byte = 0; byte < 15; ++byte) {
      Key4 wrong = answer;
      reinterpret_cast<uint8_t*>(&wrong)[byte] ^= 1;
      EXPECT_FALSE(table->find(wrong, hash_of(answer))) << byte;
    }
    for (size_t byte = 0; byte < 39; ++byte) {
      Key6 wrong = k;
      reinterpret_cast<uint8_t*>(&wrong)[byte] ^= 1;
      EXPECT_FALSE(table->find(wrong, hash_of(k))) << byte;
    }
    EXPECT_EQ(table->tuple(index), tuple_of(k));
    EXPECT_EQ(table->leaving(index, Direction::forward), tuple_of(leaves));
    EXPECT_EQ(table->leaving(index, Direction::reverse), tuple_of(k).reversed());
    EXPECT_EQ(table->insert_translated({{9, 9}, {3, 4}, 5, 80, 1, protocol, 0}, leaves, 2, 1), kNoSession)
        << "its answers are another one's";
    table->remove(index);
    EXPECT_FALSE(table->find(answer, hash_of(answer)));
    EXPECT_FALSE(table->find(k, hash_of(k)));
  }
}

TEST(SessionTable, HalfOpenOnesStandInTheOrderInWhichTheyBegan) {
  constexpr uint32_t kCapacity = 64;
  const auto table = make(kCapacity);
  test::RandomInput random(9);
  std::vector<SessionIndex> listed;
  uint32_t next = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (listed.size() < kCapacity && random.one_in(2)) {
      const Key4 k = key(++next);
      const SessionIndex index = table->insert(k, mirror(k, 2), 1);
      ASSERT_NE(index, kNoSession);
      table->list_half_open(index);
      listed.push_back(index);
    } else if (!listed.empty()) {
      const auto at = listed.begin() + static_cast<long>(random.one_in(2) ? 0 : random.below(listed.size()));
      table->unlist_half_open(*at);
      table->remove(*at);
      listed.erase(at);
    }
    ASSERT_EQ(table->oldest_half_open(), listed.empty() ? kNoSession : listed.front());
  }
}

TEST(SessionTable, RefusesWhatIsTakenOrNoPair) {
  const auto table = make(16);
  const Key4 k = key(1);
  ASSERT_NE(table->insert(k, mirror(k, 2), 0), kNoSession);
  EXPECT_EQ(table->insert(k, mirror(k, 2), 0), kNoSession) << "both keys taken";
  EXPECT_EQ(table->insert(k, mirror(k, 3), 0), kNoSession) << "forward key taken";
  EXPECT_EQ(table->insert(mirror(k, 3), k, 0), kNoSession) << "reverse key taken";
  EXPECT_EQ(table->insert(mirror(k, 2), k, 0), kNoSession) << "the same session from its other end";
  const Key4 other = key(2);
  EXPECT_EQ(table->insert(other, mirror(key(3), 2), 0), kNoSession) << "not a mirror image";
  const Key4 self{5, 5, 7, 7, 1, 6, 0};
  EXPECT_EQ(table->insert(self, mirror(self, 1), 0), kNoSession) << "its own mirror image";
  EXPECT_NE(table->insert(self, mirror(self, 2), 0), kNoSession) << "unless the domains differ";
  EXPECT_EQ(table->size(), 2u);
  EXPECT_FALSE(table->find(other, hash_of(other))) << "a refusal leaves nothing behind";
}

TEST(SessionTable, RefusedSizes) {
  EXPECT_EQ(SessionTable::create(0, {0}).error().code, ErrorCode::invalid);
  EXPECT_EQ(SessionTable::create(SessionTable::kMaxCapacity + 1, {0}).error().code, ErrorCode::invalid);
}

TEST(SessionTable, NoMemoryIsAnErrorNotACrash) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit tight{64 << 20, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
  const auto table = SessionTable::create(10'000'000, {0});
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, ErrorCode::exhausted);
}

TEST(SessionTable, TenMillionSessionsFitInFourGiB) {
  EXPECT_LT(SessionTable::bytes_for(10'000'000), 4ULL << 30);
  EXPECT_NEAR(static_cast<double>(SessionTable::bytes_for(1'000'000)) / 1e6, 340, 3) << "whole huge pages";
}

TEST(SessionTable, FillsToTheLastSession) {
  for (const uint32_t capacity : {1u, 2u, 3u, 7u, 64u, 50'000u}) {
    const auto table = make(capacity);
    for (uint32_t n = 0; n < capacity; ++n) {
      ASSERT_NE(table->insert(key(n), mirror(key(n), 2), 0), kNoSession) << n << " of " << capacity;
    }
    EXPECT_EQ(table->insert(key(capacity), mirror(key(capacity), 2), 0), kNoSession);
    EXPECT_EQ(table->size(), capacity);
    for (uint32_t n = 0; n < capacity; ++n) {
      const Key4 k = key(n), m = mirror(k, 2);
      ASSERT_TRUE(table->find(k, hash_of(k)));
      ASSERT_EQ(table->find(m, hash_of(m)).direction, Direction::reverse);
    }
  }
}

TEST(SessionTable, AnIndexIsReusedLastAndItsGenerationCounts) {
  const auto table = make(3);
  const SessionIndex first = table->insert(key(1), mirror(key(1), 2), 0);
  EXPECT_EQ(table->cold(first).generation, 1u);
  table->at(first).packets[0] = 5;
  table->cold(first).alerted = true;
  table->remove(first);
  EXPECT_FALSE(table->in_use(first));
  const SessionIndex second = table->insert(key(1), mirror(key(1), 2), 0);
  const SessionIndex third = table->insert(key(2), mirror(key(2), 2), 0);
  const SessionIndex again = table->insert(key(3), mirror(key(3), 2), 0);
  EXPECT_EQ((std::set{first, second, third}.size()), 3u);
  EXPECT_EQ(again, first);
  EXPECT_EQ(table->cold(again).generation, 2u);
  EXPECT_EQ(table->at(again).packets[0], 0u) << "nothing of the session before is left";
  EXPECT_FALSE(table->cold(again).alerted);
}

/// Random operations against a model, for each family, at full load and with keys that come again.
template <typename Key, typename MakeKey>
void run_against_model(uint32_t capacity, int steps, MakeKey make_key) {
  using Words = decltype(words(Key{}));
  test::RandomInput random(capacity);
  const auto table = make(capacity);
  std::map<Words, std::pair<SessionIndex, Direction>> model;
  std::vector<std::pair<Key, SessionIndex>> live;
  int refused = 0;
  for (int step = 0; step < steps; ++step) {
    const Key forward = make_key(static_cast<uint32_t>(random.below(capacity * 2)));
    const Key reverse = mirror(forward, static_cast<uint16_t>(1 + random.below(2)));
    if (random.below(100) < 55) {
      const SessionIndex index = table->insert(forward, reverse, 0);
      const bool fits =
          live.size() < capacity && !model.contains(words(forward)) && !model.contains(words(reverse));
      ASSERT_EQ(index != kNoSession, fits);
      refused += !fits;
      if (!fits) continue;
      model[words(forward)] = {index, Direction::forward};
      model[words(reverse)] = {index, Direction::reverse};
      live.emplace_back(forward, index);
    } else if (!live.empty()) {
      const size_t at = random.below(live.size());
      const SessionIndex index = live[at].second;
      std::erase_if(model, [&](const auto& entry) { return entry.second.first == index; });
      table->remove(index);
      live[at] = live.back();
      live.pop_back();
    }
    for (const Key& k : {forward, reverse}) {
      const auto expected = model.find(words(k));
      const auto hit = table->find(k, hash_of(k));
      ASSERT_EQ(static_cast<bool>(hit), expected != model.end());
      if (!hit) continue;
      ASSERT_EQ(std::pair(hit.index, hit.direction), expected->second);
    }
    ASSERT_EQ(table->size(), live.size());
  }
  EXPECT_GT(refused, 0);
}

TEST(SessionTable, AgreesWithAMapIpv4) {
  for (const uint32_t capacity : {1u, 5u, 100u}) {
    run_against_model<Key4>(capacity, 20'000, [](uint32_t n) { return key(n); });
  }
}
TEST(SessionTable, AgreesWithAMapIpv6) {
  for (const uint32_t capacity : {1u, 5u, 100u}) {
    run_against_model<Key6>(capacity, 20'000, [](uint32_t n) { return key6(n); });
  }
}

}  // namespace
}  // namespace weir::dataplane
