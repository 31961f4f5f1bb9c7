// Which worker owns a packet's session: one pure function of packet and snapshot.
//
// Computed by whichever worker receives the packet; the answer is the same for both directions of a session,
// for the ICMP errors about it, and for all fragments between two hosts.
//   plain        a symmetric hash of addresses, ports and protocol
//   to a pool    the worker whose block the destination port lies in: it gave the port out
//   static       the same hash, of the tuple as it is once its destination is translated
//   published    hash of the peer's address and port, for packets to and from the server, so that the
//                sessions of a server spread over the workers. Of several servers any may be the one: between
//                two of such, all of a protocol is one worker's
//   from where   hash of the source's address and port, if a pool may be its source (of NAT64 too): so one
//   a pool is    worker has all sessions of a host's port, and gives it one binding to anywhere; the answers
//                come to a pool address, and those of sessions that are not translated after all have the
//                same end
#pragma once

#include <cstdint>

#include "dataplane/core/ids.h"
#include "dataplane/core/snapshot.h"
#include "dataplane/core/tuple.h"
#include "dataplane/decide/flow_hash.h"

namespace weir::dataplane {

struct OwnerQuery {
  /// As the packet carries it. For an ICMP error the tuple of the packet that it quotes, reversed: as the
  /// error itself would have it if it were one of the session's packets. Without translation either direction
  /// will do.
  Tuple tuple;
  /// Slot of the domain in which it arrives.
  uint16_t domain = 0;
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
/// Of a packet that is meant for `to`, as NatTable::destination() says.
inline WorkerIndex owner_behind(const NatTable& nat, Tuple tuple, const NatTable::Destination& to,
                                const Snapshot& snapshot) {
  if (to.kind == NatKind::pool) return nat.port_owner(tuple.dst_port);
  if (to.kind == NatKind::nat64)
    return worker_of(end_hash(tuple.src, tuple.src_port, tuple.protocol, kOwnerSeed), snapshot);
  tuple.dst = to.address;
  tuple.dst_port = to.port;
  switch (nat.ends_of(tuple)) {
    case NatTable::Ends::src:
      return worker_of(end_hash(tuple.src, tuple.src_port, tuple.protocol, kOwnerSeed), snapshot);
    case NatTable::Ends::dst:
      return worker_of(end_hash(tuple.dst, tuple.dst_port, tuple.protocol, kOwnerSeed), snapshot);
    case NatTable::Ends::src_host:
      return worker_of(end_hash(tuple.src, 0, 0, kOwnerSeed), snapshot);
    case NatTable::Ends::dst_host:
      return worker_of(end_hash(tuple.dst, 0, 0, kOwnerSeed), snapshot);
    case NatTable::Ends::neither:
      return worker_of(end_hash(net::IpAddress{}, 0, tuple.protocol, kOwnerSeed), snapshot);
    case NatTable::Ends::both:
      break;
  }
  return worker_of(symmetric_hash(tuple, kOwnerSeed), snapshot);
}
/// Where there is translation.
inline WorkerIndex owner_by_nat(const NatTable& nat, const Tuple& tuple, uint16_t domain,
                                const Snapshot& snapshot) {
  return owner_behind(nat, tuple, nat.destination(domain, tuple), snapshot);
}
}  // namespace detail

/// Any worker. `snapshot.workers` is at least 1 and does not change while the hub runs.
inline WorkerIndex owner_of(const OwnerQuery& packet, const Snapshot& snapshot) {
  if (snapshot.workers == 1) return 0;
  if (packet.fragment) return detail::worker_of(detail::fragment_hash(packet.tuple), snapshot);
  if (snapshot.nat != nullptr)
    return detail::owner_by_nat(*snapshot.nat, packet.tuple, packet.domain, snapshot);
  return detail::worker_of(symmetric_hash(packet.tuple, detail::kOwnerSeed), snapshot);
}
/// The same of a whole packet by its session key (Key4, Key6), for code per packet, where nothing is
/// translated.
template <typename Key>
inline WorkerIndex owner_of_key(const Key& key, const Snapshot& snapshot) {
  return detail::worker_of(symmetric_hash_of(key, detail::kOwnerSeed), snapshot);
}

}  // namespace weir::dataplane
