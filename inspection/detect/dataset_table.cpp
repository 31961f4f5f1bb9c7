#include "inspection/detect/dataset_table.h"

// The one-shot functions that OpenSSL 3 prefers take memory from the heap at each call; these do not.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <string>

namespace weir::inspection {

namespace {

size_t buckets_for(uint32_t entries, size_t ways) {
  return std::bit_ceil((size_t{entries} + ways - 1) / ways);
}

}  // namespace

DatasetTable::DatasetTable(size_t buckets, uint64_t secret)
    : buckets_(buckets),
      value_bytes_(buckets * kWays * kValueBytes),
      secret_(secret),
      entries_(new (std::nothrow) Entry[buckets * kWays]()),
      values_(new (std::nothrow) uint8_t[value_bytes_]) {}

size_t DatasetTable::bytes_for(uint32_t entries) {
  return buckets_for(entries, kWays) * kWays * (sizeof(Entry) + kValueBytes);
}

Result<std::unique_ptr<DatasetTable>> DatasetTable::create(uint32_t entries, uint64_t secret) {
  if (entries == 0 || entries > kMost) {
    return fail(ErrorCode::invalid, "the number of values of data sets must be between 1 and " +
                                        std::to_string(kMost) + ", not " + std::to_string(entries));
  }
  std::unique_ptr<DatasetTable> table(new DatasetTable(buckets_for(entries, kWays), secret));
  if (table->entries_ == nullptr || table->values_ == nullptr)
    return fail(ErrorCode::exhausted, "no memory for " + std::to_string(entries) + " values of data sets");
  return table;
}

DatasetTable::Digest DatasetTable::digest_of(uint16_t set, std::span<const uint8_t> value) const {
  std::array<uint8_t, SHA256_DIGEST_LENGTH> bytes{};
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, &secret_, sizeof secret_);
  SHA256_Update(&context, &set, sizeof set);
  SHA256_Update(&context, value.data(), value.size());
  SHA256_Final(bytes.data(), &context);
  Digest digest;
  std::memcpy(&digest, bytes.data(), sizeof digest);
  digest.first = std::max<uint64_t>(digest.first, 1);
  digest.second &= ~kStates;
  return digest;
}

std::optional<bool> DatasetTable::has(uint16_t set, std::span<const uint8_t> value) const {
  const Digest digest = digest_of(set, value);
  const Entry* const bucket = bucket_of(digest);
  for (const Entry* entry = bucket; entry != bucket + kWays; ++entry) {
    const uint64_t first = entry->first.load(std::memory_order_acquire);
    if (first == 0) return std::nullopt;  // they are taken in order, and never given back
    if (first != digest.first) continue;
    const uint64_t second = entry->second.load(std::memory_order_acquire);
    if ((second & kStates) == kFilling) return std::nullopt;
    if ((second & ~kStates) == digest.second) return (second & kStates) == kIn;
  }
  return std::nullopt;
}

/// Of an entry that is there.
DatasetTable::Change DatasetTable::settle(Entry& entry, uint64_t second, bool in) const {
  const uint64_t wanted = (second & ~kStates) | (in ? kIn : kOut);
  while (second != wanted) {
    if (entry.second.compare_exchange_weak(second, wanted, std::memory_order_acq_rel)) return Change::made;
  }
  return Change::none;
}

DatasetTable::Change DatasetTable::change(uint16_t set, std::span<const uint8_t> value, bool in,
                                          bool loaded) {
  if (value.size() > kLongestValue) return Change::no_room;
  const Digest digest = digest_of(set, value);
  Entry* const bucket = bucket_of(digest);
  for (Entry* entry = bucket; entry != bucket + kWays; ++entry) {
    uint64_t first = entry->first.load(std::memory_order_acquire);
    if (first == 0) {
      if (in == loaded) return Change::none;
      // What was taken of the memory for values and not used is lost: that happens once, at its end.
      const uint64_t at = values_used_.fetch_add(value.size(), std::memory_order_relaxed);
      if (at + value.size() > value_bytes_) {
        values_used_.fetch_sub(value.size(), std::memory_order_relaxed);
        return Change::no_room;
      }
      if (entry->first.compare_exchange_strong(first, digest.first, std::memory_order_acq_rel)) {
        if (!value.empty()) std::memcpy(values_.get() + at, value.data(), value.size());
        entry->value_at = static_cast<uint32_t>(at);
        entry->value_size = static_cast<uint16_t>(value.size());
        entry->set = set;
        entry->second.store(digest.second | (in ? kIn : kOut), std::memory_order_release);
        return Change::made;
      }
    }
    if (first != digest.first) continue;
    const uint64_t second = entry->second.load(std::memory_order_acquire);
    if ((second & kStates) == kFilling) return Change::none;
    if ((second & ~kStates) == digest.second) return settle(*entry, second, in);
  }
  return Change::no_room;
}

}  // namespace weir::inspection
