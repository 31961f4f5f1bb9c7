// Outer key -> attachment: which tunnel a received packet belongs to.
#pragma once

#include <immintrin.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/net/address.h"
#include "dataplane/net/result.h"
#include "dataplane/tunnel/live_hash.h"

namespace weir::dataplane {

/// As it lies in a received outer header.
struct TunnelKey {
  net::Ipv4 local;   // outer destination
  net::Ipv4 remote;  // outer source: it has to be the configured peer
  Vni vni;
  uint16_t udp_port = 0;  // outer destination port, host order
  friend constexpr auto operator<=>(const TunnelKey&, const TunnelKey&) = default;
};

inline std::array<uint64_t, 2> words_of(const TunnelKey& key) {
  return {static_cast<uint64_t>(key.local.value) << 32 | key.remote.value,
          static_cast<uint64_t>(key.vni.value) << 16 | key.udp_port};
}

inline uint32_t hash_of(const TunnelKey& key) {
  const auto words = words_of(key);
  return static_cast<uint32_t>(_mm_crc32_u64(_mm_crc32_u64(0, words[0]), words[1]));
}

/// One for the hub's life; control changes it in place (see LiveHash), any worker looks up.
class TunnelTable : public LiveHash<TunnelKey, AttachmentId> {
 public:
  using LiveHash::LiveHash;

  struct Entry {
    TunnelKey key;
    AttachmentId attachment;
  };
  /// A table of just these. Fails with `in_use` if two entries have the same key, with `invalid` if an
  /// attachment id is.
  static Result<TunnelTable> build(const std::vector<Entry>& entries);
};

}  // namespace weir::dataplane
