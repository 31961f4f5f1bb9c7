// To whom does the packet's session belong? (decide/owner.h)
#pragma once

#include <algorithm>

#include "dataplane/decide/owner.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// Of an ICMP error the meta holds the quoted tuple; the hash is the same for both directions.
[[gnu::always_inline]] inline WorkerIndex owner_of(const PacketMeta& meta, const Snapshot& snapshot) {
  return meta.is_v4() ? owner_of_key(meta.key4, snapshot) : owner_of_key(meta.key6, snapshot);
}

/// Packets of sessions that live on other workers go into their outboxes, the others stay. Without a branch
/// on whose it is: a core would guess half of them wrong.
inline void share_out(WorkerContext& ctx, Burst& burst) {
  WorkerContext::Outbox& own = ctx.outboxes[ctx.id];
  for (uint16_t i = 0; i < burst.size; ++i) {
    rte_mbuf* mbuf = burst.packets[i];
    meta_of(mbuf).entry = Entry::session_lookup;  // it may have been handed over before, as a fragment
    hand_over(ctx, mbuf, owner_of(meta_of(mbuf), *ctx.snapshot));
  }
  std::copy(own.packets, own.packets + own.size, burst.packets);
  burst.size = own.size;
  own.size = 0;
}

}  // namespace weir::dataplane
