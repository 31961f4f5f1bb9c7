// The session table: lookups in bursts as the worker does them, of keys that are there and of keys that are
// not, and create plus remove, at several sizes and fills.
#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "bench/measure.h"
#include "dataplane/session/session_table.h"

namespace weir::dataplane {
namespace {

constexpr size_t kBurst = 32;

template <typename Key>
Key forward_key(uint64_t n) {
  const uint64_t mixed = n * 0x9e37'79b9'7f4a'7c15ULL;
  const uint32_t src = 0x0a01'0000 | static_cast<uint32_t>(n & 0xffff);
  const uint32_t dst = 0x0a02'0000 | static_cast<uint32_t>(n >> 16 & 0xff);
  const auto port = static_cast<uint16_t>(mixed >> 48);
  if constexpr (std::is_same_v<Key, Key4>) {
    return {src, dst, port, 443, 1, 6, 0};
  } else {
    return {{0x2001'0db8'0001'0000, src}, {0x2001'0db8'0002'0000, dst}, port, 443, 1, 6, 0};
  }
}
template <typename Key>
Key reverse_key(const Key& k) {
  return {k.dst, k.src, k.dst_port, k.src_port, 2, k.protocol, 0};
}

/// `percent` of `capacity` filled; keys of both directions in random order, a whole number of bursts; and as
/// many that are not in the table.
template <typename Key>
struct Filled {
  std::unique_ptr<SessionTable> table;
  std::vector<Key> keys, others;
  uint64_t next = 0;
  SessionIndex oldest = 0;  // indices are given out in turn

  Filled(uint32_t capacity, uint32_t percent) : table(SessionTable::create(capacity, {0}).value()) {
    const auto sessions = static_cast<uint64_t>(capacity) * percent / 100;
    for (; table->size() < sessions; ++next) {
      const Key k = forward_key<Key>(next);
      if (table->insert(k, reverse_key(k), 0) == kNoSession) continue;
      keys.push_back(k);
      keys.push_back(reverse_key(k));
    }
    std::shuffle(keys.begin(), keys.end(), std::mt19937_64(1));
    keys.resize(std::max(keys.size() / kBurst * kBurst, kBurst), keys[0]);
    others = keys;
    for (Key& k : others) k.domain = static_cast<uint16_t>(k.domain + 2);
  }
  static Filled& get(const benchmark::State& state, const char* use) {
    const int64_t capacity = state.range(0), percent = state.range(1);
    return bench::Built::get<Filled>(std::to_string(capacity) + "/" + std::to_string(percent) + use, [&] {
      return std::make_unique<Filled>(static_cast<uint32_t>(capacity), static_cast<uint32_t>(percent));
    });
  }
};

/// As the worker does it: hash and ask for all lines, ask for the sessions, compare keys.
template <typename Key>
uint64_t hits(const SessionTable& table, const Key* keys) {
  uint64_t hits = 0;
  uint32_t hash[kBurst];
  SessionTable::Ahead ahead[kBurst];
  for (size_t k = 0; k < kBurst; ++k) {
    hash[k] = hash_of(keys[k]);
    table.prefetch_bucket(hash[k], ahead[k]);
  }
  for (SessionTable::Ahead& a : ahead) {
    table.prefetch_session(a);
    table.prefetch_more(a, std::is_same_v<Key, Key6>, false);
  }
  for (size_t k = 0; k < kBurst; ++k) {
    SessionTable::Found found;
    hits += table.found(ahead[k], keys[k], found) || table.find(keys[k], hash[k]);
  }
  return hits;
}

template <typename Key, bool kHit>
void lookup(benchmark::State& state) {
  const auto& filled = Filled<Key>::get(state, "");
  const std::vector<Key>& keys = kHit ? filled.keys : filled.others;
  const size_t bursts = keys.size() / kBurst;
  uint64_t found = 0, asked = 0;
  bench::run(state, kBurst, [&](uint64_t i) {
    found += hits(*filled.table, &keys[i % bursts * kBurst]);
    asked += kBurst;
  });
  if (found != (kHit ? asked : 0)) state.SkipWithError("keys are found that are not there, or the reverse");
}

/// A new session in, the oldest out: a table at constant fill.
void insert_remove(benchmark::State& state) {
  auto& filled = Filled<Key4>::get(state, " that changes");
  SessionTable& table = *filled.table;
  uint64_t refused = 0;
  bench::run(state, 1, [&](uint64_t) {
    const Key4 k = forward_key<Key4>(filled.next++);
    if (table.insert(k, reverse_key(k), 0) == kNoSession) {
      ++refused;
      return;
    }
    table.remove(filled.oldest);
    filled.oldest = filled.oldest + 1 == table.capacity() ? 0 : filled.oldest + 1;
  });
  state.counters["refused"] = static_cast<double>(refused);
}

/// Timers armed and fired, each once a turn of the wheel.
void timer(benchmark::State& state) {
  Filled<Key4> filled(static_cast<uint32_t>(state.range(0)), 90);
  SessionTable& table = *filled.table;
  Tick now{0};
  for (SessionIndex i = 0; i < table.size(); ++i) table.arm(i, now, 1 + i % SessionTable::kMaxTimerTicks);
  uint64_t fired = 0;
  const double begin = bench::CpuCycles::now();
  for (auto _ : state) {
    ++now.value;
    fired += table.expire(now, ~0u, [&](SessionIndex i) { table.arm(i, now, SessionTable::kMaxTimerTicks); });
  }
  state.counters["cycles"] =
      (bench::CpuCycles::now() - begin) / static_cast<double>(std::max<uint64_t>(fired, 1));
}

/// New sessions in bursts, with timers, as many as the wheel ends meanwhile: a hub at constant fill whose
/// sessions say one thing each and are idle then. Cycles of one creation and one expiry.
void insert_expire(benchmark::State& state) {
  constexpr uint32_t kTimeout = 64;  // ticks
  Filled<Key4> filled(static_cast<uint32_t>(state.range(0)), static_cast<uint32_t>(state.range(1)));
  SessionTable& table = *filled.table;
  const uint32_t live = table.size();
  for (SessionIndex i = 0; i < live; ++i)
    table.arm(i, {0}, 1 + static_cast<uint32_t>(uint64_t{i} * kTimeout / live));
  uint64_t created = 0, expired = 0, refused = 0;
  bench::run(state, kBurst, [&](uint64_t) {
    const Tick now{static_cast<uint32_t>(created * kTimeout / live)};
    for (size_t k = 0; k < kBurst; ++k) {
      const Key4 key = forward_key<Key4>(filled.next++);
      const SessionIndex index = table.insert(key, reverse_key(key), 0);
      if (index == kNoSession) {
        ++refused;
        continue;
      }
      table.arm(index, now, kTimeout);
    }
    created += kBurst;
    expired += table.expire(now, 2 * kBurst, [&](SessionIndex index) { table.remove(index); });
  });
  state.counters["refused"] = static_cast<double>(refused);
  state.counters["live"] = static_cast<double>(table.size());
  if (created > 4 * uint64_t{live} && expired < created / 2) state.SkipWithError("nothing expires");
}

void sizes_and_fills(benchmark::internal::Benchmark* b) {
  b->ArgNames({"capacity", "percent"})->ArgsProduct({{1'000, 64'000, 1'000'000}, {10, 50, 75, 90}});
}

BENCHMARK(lookup<Key4, true>)->Name("lookup_hit")->Apply(sizes_and_fills)->Apply(bench::common);
BENCHMARK(lookup<Key4, false>)->Name("lookup_miss")->Apply(sizes_and_fills)->Apply(bench::common);
BENCHMARK(lookup<Key6, true>)->Name("lookup_hit_ipv6")->Apply(sizes_and_fills)->Apply(bench::common);
BENCHMARK(insert_remove)->Apply(sizes_and_fills)->Apply(bench::common);
BENCHMARK(insert_expire)
    ->ArgNames({"capacity", "percent"})
    ->ArgsProduct({{64'000, 1'000'000}, {50, 90}})
    ->Apply(bench::common);
BENCHMARK(timer)->ArgName("capacity")->Arg(64'000)->Arg(1'000'000)->Apply(bench::common);

}  // namespace
}  // namespace weir::dataplane
