// Which worker owns a packet's session: one pure function of packet and snapshot.
//
// Computed by whichever worker receives the packet; the answer is the same for both directions of a session,
// for the ICMP errors about it, and for all fragments between two hosts.
#pragma once

#include <cstdint>

#include "dataplane/core/ids.h"
#include "dataplane/core/snapshot.h"
#include "dataplane/core/tuple.h"
#include "dataplane/decide/flow_hash.h"

namespace weir::dataplane {

struct OwnerQuery {
  /// As the packet carries it. For an ICMP error the tuple of the packet that it quotes, in either direction.
  Tuple tuple;
  /// An IP fragment, the first one included: its ports do not count. The answer is the worker that gathers
  /// the datagram's fragments, and the whole datagram then goes to its session's owner. The identification
  /// does not count either: datagrams of one session that were gathered on several workers would overtake
  /// each other.
  bool fragment = false;
};

namespace detail {
inline constexpr uint32_t kOwnerSeed = 0x5bd1'e995;
inline constexpr uint32_t kFragmentSeed = 0x1b87'3593;

inline uint32_t fragment_hash(const Tuple& tuple) {
  const uint64_t ends = crc(crc(kFragmentSeed, end_word(tuple.src, 0)), end_word(tuple.dst, 0));
  return finish(crc(ends, tuple.protocol));
}
inline WorkerIndex worker_of(uint64_t hash, const Snapshot& snapshot) {
  return static_cast<WorkerIndex>(hash * snapshot.workers >> 32);
}
}  // namespace detail

/// Any worker. `snapshot.workers` is at least 1 and does not change while the hub runs.
inline WorkerIndex owner_of(const OwnerQuery& packet, const Snapshot& snapshot) {
  if (snapshot.workers == 1) return 0;
  return detail::worker_of(packet.fragment ? detail::fragment_hash(packet.tuple)
                                           : symmetric_hash(packet.tuple, detail::kOwnerSeed),
                           snapshot);
}
/// The same of a whole packet by its session key (Key4, Key6), for code per packet.
template <typename Key>
inline WorkerIndex owner_of_key(const Key& key, const Snapshot& snapshot) {
  return detail::worker_of(symmetric_hash_of(key, detail::kOwnerSeed), snapshot);
}

}  // namespace weir::dataplane
