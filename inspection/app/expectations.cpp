#include "inspection/app/expectations.h"

#include <algorithm>
#include <bit>

namespace weir::inspection {

namespace {

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ hash >> 32;
}

uint64_t mix(uint64_t hash, const net::IpAddress& address) {
  return mix(mix(hash, address.v6().hi), address.v6().lo);
}

}  // namespace

Expectations::Expectations(uint32_t entries, uint64_t secret)
    : buckets_(std::bit_ceil(std::max(entries / kWays, 1u))), secret_(secret) {
  entries_ = std::make_unique<Entry[]>(size_t{buckets_} * kWays);
}

uint64_t Expectations::hash_of(const ExpectedEnds& ends) const {
  uint64_t hash = mix(mix(secret_, ends.from), ends.to);
  hash = mix(hash, uint64_t{ends.from_domain} << 32 | ends.to_domain);
  return mix(hash, ends.to_port);
}

bool Expectations::expect(const ExpectedEnds& ends, const Expectation& what, uint64_t now_ns) {
  const uint64_t hash = hash_of(ends);
  Entry* const bucket = &entries_[(hash & (buckets_ - 1)) * kWays];
  for (uint32_t round = 0; round < kWays; ++round) {
    // The one that is free, over, or ends first.
    Entry* best = nullptr;
    uint32_t seen = kFree;
    for (uint32_t i = 0; i < kWays; ++i) {
      Entry& entry = bucket[i];
      const uint32_t state = entry.state.load(std::memory_order_relaxed);
      if (state == kHeld) continue;
      const auto end = [&](const Entry& e, uint32_t s) {
        return s == kFree ? 0 : e.until_ns.load(std::memory_order_relaxed);
      };
      if (best != nullptr && end(*best, seen) <= end(entry, state)) continue;
      best = &entry;
      seen = state;
    }
    if (best == nullptr) return false;
    if (!best->state.compare_exchange_strong(seen, kHeld, std::memory_order_acquire)) continue;
    best->ends = ends;
    best->what = what;
    best->tag.store(static_cast<uint32_t>(hash >> 32), std::memory_order_relaxed);
    best->until_ns.store(now_ns + kLifetimeNs, std::memory_order_relaxed);
    best->state.store(kReady, std::memory_order_release);
    // Later times only; a loss to another writer is one of nanoseconds.
    if (last_until_ns_.load(std::memory_order_relaxed) < now_ns + kLifetimeNs)
      last_until_ns_.store(now_ns + kLifetimeNs, std::memory_order_release);
    return true;
  }
  return false;
}

std::optional<Expectation> Expectations::take(const ExpectedEnds& ends, uint64_t now_ns) {
  if (last_until_ns_.load(std::memory_order_acquire) < now_ns) return std::nullopt;
  const uint64_t hash = hash_of(ends);
  Entry* const bucket = &entries_[(hash & (buckets_ - 1)) * kWays];
  for (uint32_t i = 0; i < kWays; ++i) {
    Entry& entry = bucket[i];
    uint32_t ready = kReady;
    if (entry.state.load(std::memory_order_relaxed) != kReady ||
        entry.tag.load(std::memory_order_relaxed) != static_cast<uint32_t>(hash >> 32) ||
        entry.until_ns.load(std::memory_order_relaxed) < now_ns ||
        !entry.state.compare_exchange_strong(ready, kHeld, std::memory_order_acquire)) {
      continue;
    }
    if (entry.ends != ends) {
      entry.state.store(kReady, std::memory_order_release);
      continue;
    }
    const Expectation what = entry.what;
    entry.state.store(kFree, std::memory_order_release);
    return what;
  }
  return std::nullopt;
}

}  // namespace weir::inspection
