// To whom does the packet's session belong? (decide/owner.h)
#pragma once

#include "dataplane/decide/owner.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// Of an ICMP error the meta holds the quoted tuple; the hash is the same for both directions.
[[gnu::always_inline]] inline WorkerIndex owner_of(const PacketMeta& meta, const Snapshot& snapshot) {
  return meta.is_v4() ? owner_of_key(meta.key4, snapshot) : owner_of_key(meta.key6, snapshot);
}

/// Where something is translated. The meta's tuple is one that travels as the packet does: of an ICMP error
/// the quoted one, reversed.
inline WorkerIndex owner_by_nat(const PacketMeta& meta, const Snapshot& snapshot) {
  return detail::owner_by_nat(*snapshot.nat, meta.tuple(), meta.domain(), snapshot);
}

/// Packets of sessions that live on other workers go into the rings to them, the others stay. Without a
/// branch on whose it is, which a core would guess half of the time wrong, and without a count in memory, for
/// which each packet would wait.
template <typename OwnerOf>
[[gnu::always_inline]] inline void share_out_by(WorkerContext& ctx, Burst& burst, OwnerOf&& owner_of) {
  const uint32_t size = burst.size;
  rte_mbuf* away[kMaxRxBurst];
  WorkerIndex owners[kMaxRxBurst];
  uint32_t kept = 0, gone = 0;
  for (uint32_t i = 0; i < size; ++i) {
    rte_mbuf* mbuf = burst.packets[i];
    meta_of(mbuf).entry = Entry::session_lookup;  // it may have been handed over before, as a fragment
    const WorkerIndex owner = owner_of(meta_of(mbuf), *ctx.snapshot);
    burst.packets[kept] = away[gone] = mbuf;
    owners[gone] = owner;
    kept += owner == ctx.id;
    gone += owner != ctx.id;
  }
  burst.size = static_cast<uint16_t>(kept);
  for (uint32_t i = 0; i < gone; ++i) hand_over(ctx, away[i], owners[i]);
}

inline void share_out(WorkerContext& ctx, Burst& burst) {
  if (ctx.snapshot->nat == nullptr) [[likely]] {
    share_out_by(ctx, burst,
                 [](const PacketMeta& meta, const Snapshot& snapshot) { return owner_of(meta, snapshot); });
  } else {
    share_out_by(ctx, burst, [](const PacketMeta& meta, const Snapshot& snapshot) {
      return owner_by_nat(meta, snapshot);
    });
  }
}

}  // namespace weir::dataplane
