// The session table: lookup in bursts as the worker does it, and create plus remove, at several sizes and
// fills.
#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "bench/measure.h"
#include "dataplane/session/session_table.h"

namespace weir::dataplane {
namespace {

constexpr size_t kBurst = 32;

Key4 forward_key(uint64_t n) {
  const uint64_t mixed = n * 0x9e37'79b9'7f4a'7c15ULL;
  return {0x0a01'0000 | static_cast<uint32_t>(n & 0xffff),
          0x0a02'0000 | static_cast<uint32_t>(n >> 16 & 0xff),
          static_cast<uint16_t>(mixed >> 48),
          443,
          1,
          6,
          0};
}
Key4 reverse_key(const Key4& k) { return {k.dst, k.src, k.dst_port, k.src_port, 2, k.protocol, 0}; }

/// `percent` of `capacity` filled; keys of both directions in random order, a whole number of bursts.
struct Filled {
  std::unique_ptr<SessionTable> table;
  std::vector<Key4> keys;
  uint64_t next = 0;

  Filled(uint32_t capacity, uint32_t percent) : table(SessionTable::create(capacity, {0}).value()) {
    const auto sessions = static_cast<uint64_t>(capacity) * percent / 100;
    for (; table->size() < sessions; ++next) {
      const Key4 k = forward_key(next);
      if (table->insert(k, reverse_key(k), 0) == kNoSession) continue;
      keys.push_back(k);
      keys.push_back(reverse_key(k));
    }
    std::shuffle(keys.begin(), keys.end(), std::mt19937_64(1));
    keys.resize(std::max(keys.size() / kBurst * kBurst, kBurst), keys[0]);
  }
};

void lookup_burst(benchmark::State& state) {
  const Filled filled(static_cast<uint32_t>(state.range(0)), static_cast<uint32_t>(state.range(1)));
  const SessionTable& table = *filled.table;
  const size_t bursts = filled.keys.size() / kBurst;
  uint64_t missed = 0;
  bench::run(state, kBurst, [&](uint64_t i) {
    const Key4* keys = &filled.keys[i % bursts * kBurst];
    uint32_t hash[kBurst];
    for (size_t k = 0; k < kBurst; ++k) {
      hash[k] = hash_of(keys[k]);
      table.prefetch_bucket(hash[k]);
    }
    for (const uint32_t h : hash) table.prefetch_session(h);
    for (size_t k = 0; k < kBurst; ++k) missed += !table.find(keys[k], hash[k]);
  });
  if (missed != 0) state.SkipWithError("a key was not found");
}

/// A new session in, the oldest out: a table at constant fill.
void insert_remove(benchmark::State& state) {
  Filled filled(static_cast<uint32_t>(state.range(0)), static_cast<uint32_t>(state.range(1)));
  SessionTable& table = *filled.table;
  SessionIndex oldest = 0;  // indices are given out in turn
  uint64_t refused = 0;
  bench::run(state, 1, [&](uint64_t) {
    const Key4 k = forward_key(filled.next++);
    if (table.insert(k, reverse_key(k), 0) == kNoSession) {
      ++refused;
      return;
    }
    table.remove(oldest);
    oldest = oldest + 1 == table.capacity() ? 0 : oldest + 1;
  });
  state.counters["refused"] = static_cast<double>(refused);
}

/// Timers armed and fired, each once a turn of the wheel.
void timer(benchmark::State& state) {
  Filled filled(static_cast<uint32_t>(state.range(0)), 90);
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

void sizes_and_fills(benchmark::internal::Benchmark* b) {
  b->ArgNames({"capacity", "percent"})->ArgsProduct({{1'000, 64'000, 1'000'000}, {10, 50, 90}});
}

BENCHMARK(lookup_burst)->Apply(sizes_and_fills)->Apply(bench::common);
BENCHMARK(insert_remove)->Apply(sizes_and_fills)->Apply(bench::common);
BENCHMARK(timer)->ArgName("capacity")->Arg(64'000)->Arg(1'000'000)->Apply(bench::common);

}  // namespace
}  // namespace weir::dataplane
