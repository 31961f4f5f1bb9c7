#include "inspection/detect/host_bits.h"

#include <algorithm>
#include <bit>

namespace weir::inspection {

HostBitTable::HostBitTable(uint32_t entries)
    : buckets_(std::bit_ceil(std::max<size_t>(entries / kWays, 1))), entries_(buckets_ * kWays) {}

size_t HostBitTable::bucket_of(const Key& key) const {
  uint64_t h = key.bit;
  for (const uint64_t word :
       {key.one.bits.hi, key.one.bits.lo, key.other.bits.hi, key.other.bits.lo, uint64_t{key.pair}}) {
    h = (h ^ word) * 0x9e3779b97f4a7c15;
    h ^= h >> 29;
  }
  return (h & (buckets_ - 1)) * kWays;
}

bool HostBitTable::has(const Key& key, uint64_t now_ns) const {
  const Entry* const bucket = &entries_[bucket_of(key)];
  return std::any_of(bucket, bucket + kWays,
                     [&](const Entry& entry) { return entry.until_ns > now_ns && entry.key == key; });
}

bool HostBitTable::set(const Key& key, uint64_t now_ns, uint64_t until_ns) {
  Entry* const bucket = &entries_[bucket_of(key)];
  Entry* victim = bucket;
  for (Entry* entry = bucket; entry != bucket + kWays; ++entry) {
    if (entry->until_ns > 0 && entry->key == key) {
      entry->until_ns = until_ns;
      return true;
    }
    if (entry->until_ns < victim->until_ns) victim = entry;
  }
  const bool in_time = victim->until_ns <= now_ns;
  *victim = {key, until_ns};
  return in_time;
}

void HostBitTable::unset(const Key& key) {
  Entry* const bucket = &entries_[bucket_of(key)];
  for (Entry* entry = bucket; entry != bucket + kWays; ++entry) {
    if (entry->key == key) entry->until_ns = 0;
  }
}

}  // namespace weir::inspection
