#include "inspection/detect/dataset_table.h"

// The one-shot functions that OpenSSL 3 prefers take memory from the heap at each call; these do not.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace weir::inspection {

DatasetTable::DatasetTable(uint32_t entries)
    : buckets_(std::bit_ceil(std::max<size_t>(entries / kWays, 1))), entries_(buckets_ * kWays) {}

DatasetTable::Digest DatasetTable::digest_of(uint16_t set, std::span<const uint8_t> value) {
  std::array<uint8_t, SHA256_DIGEST_LENGTH> bytes{};
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, &set, sizeof set);
  SHA256_Update(&context, value.data(), value.size());
  SHA256_Final(bytes.data(), &context);
  Digest digest;
  std::memcpy(digest.data(), bytes.data(), sizeof digest);
  return digest;
}

std::optional<bool> DatasetTable::has(uint16_t set, std::span<const uint8_t> value) const {
  const Digest digest = digest_of(set, value);
  const Entry* const bucket = &entries_[bucket_of(digest)];
  for (const Entry* entry = bucket; entry != bucket + kWays; ++entry) {
    if (entry->used && entry->digest == digest) return entry->in;
  }
  return std::nullopt;
}

bool DatasetTable::put(uint16_t set, std::span<const uint8_t> value, bool in) {
  const Digest digest = digest_of(set, value);
  Entry* const bucket = &entries_[bucket_of(digest)];
  Entry* room = nullptr;
  for (Entry* entry = bucket; entry != bucket + kWays; ++entry) {
    if (!entry->used && room == nullptr) room = entry;
    if (entry->used && entry->digest == digest) room = entry;
  }
  if (room == nullptr) return false;
  *room = {digest, true, in};
  return true;
}

}  // namespace weir::inspection
