#include "dataplane/tunnel/tunnel_table.h"

#include <immintrin.h>

#include <bit>

namespace weir::dataplane {

namespace {

uint32_t hash_of(const TunnelKey& key) {
  const uint64_t addresses = static_cast<uint64_t>(key.local.value) << 32 | key.remote.value;
  const uint64_t rest = static_cast<uint64_t>(key.vni.value) << 16 | key.udp_port;
  return static_cast<uint32_t>(_mm_crc32_u64(_mm_crc32_u64(0, addresses), rest));
}

std::string describe(const TunnelKey& key) {
  return "local " + net::to_string(key.local) + ", remote " + net::to_string(key.remote) + ", port " +
         std::to_string(key.udp_port) + ", VNI " + std::to_string(key.vni.value);
}

}  // namespace

Result<TunnelTable> TunnelTable::build(const std::vector<Entry>& entries) {
  TunnelTable table;
  // At most half full: a probe ends after 2.5 slots on average when it misses, and always ends.
  table.slots_.resize(std::bit_ceil(entries.size() * 2 + 1));
  const size_t mask = table.slots_.size() - 1;
  for (const Entry& entry : entries) {
    if (!entry.attachment.valid()) {
      return fail(ErrorCode::invalid, "no attachment for the tunnel with " + describe(entry.key));
    }
    size_t i = hash_of(entry.key) & mask;
    for (; table.slots_[i].attachment.valid(); i = (i + 1) & mask) {
      if (table.slots_[i].key == entry.key) {
        return fail(ErrorCode::in_use, "two attachments have the same tunnel: " + describe(entry.key));
      }
    }
    table.slots_[i] = {entry.key, entry.attachment};
    ++table.size_;
  }
  return table;
}

AttachmentId TunnelTable::find(const TunnelKey& key) const {
  const size_t mask = slots_.size() - 1;
  size_t i = hash_of(key) & mask;
  while (slots_[i].attachment.valid() && slots_[i].key != key) i = (i + 1) & mask;
  return slots_[i].attachment;
}

void TunnelTable::prefetch(const TunnelKey& key) const {
  __builtin_prefetch(&slots_[hash_of(key) & (slots_.size() - 1)]);
}

}  // namespace weir::dataplane
