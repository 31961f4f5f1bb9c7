// To whom does the packet's session belong? (decide/owner.h)
#pragma once

#include "dataplane/decide/owner.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// Hands over to their owners the packets of sessions that live on other workers. Of an ICMP error the meta
/// holds the quoted tuple; the hash is the same for both directions.
[[gnu::always_inline]] inline Next owner(WorkerContext& ctx, const PacketMeta& meta) {
  if (ctx.snapshot->workers != 1) {
    const WorkerIndex home = owner_of(OwnerQuery{.tuple = meta.tuple()}, *ctx.snapshot);
    if (home != ctx.id) return Next::hand_over(home);
  }
  return Next::go_on();
}

}  // namespace weir::dataplane
