// To whom does the packet's session belong? (decide/owner.h)
#include "dataplane/decide/owner.h"

#include "dataplane/stages/stages.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

void owner(WorkerContext& ctx, Burst& burst) {
  if (ctx.snapshot->workers == 1) return;
  for_each_packet(ctx, burst, [&](rte_mbuf* mbuf) {
    // Of an ICMP error the meta holds the quoted tuple; the hash is the same for both directions.
    const OwnerQuery query{.tuple = meta_of(mbuf).tuple()};
    const WorkerIndex home = owner_of(query, *ctx.snapshot);
    return home == ctx.id ? Next::go_on() : Next::hand_over(home);
  });
  flush_outboxes(ctx);
}

}  // namespace weir::dataplane
