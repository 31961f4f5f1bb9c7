// The outer header: the attachment's template with a few fields patched (RFC 7348).
#include "dataplane/stages/stages.h"
#include "dataplane/tunnel/outer_template.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

namespace {

Next decide(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  const Attachment* attachment = ctx.snapshot->attachment(meta.egress);
  if (attachment == nullptr) return Next::drop(DropReason::stale_attachment);
  net::Mac next_hop;
  if (!attachment->underlay->get(next_hop)) return Next::drop(DropReason::underlay_unresolved);
  const uint16_t inner_length = mbuf->data_len;
  auto* at = reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(mbuf, kVxlanOverhead));
  if (at == nullptr) return Next::drop(DropReason::no_headroom);
  write_outer(at, attachment->outer, next_hop, inner_length, meta.hash);
  meta.port = attachment->port;
  ctx.tallies[meta.egress].sent(inner_length);
  transmit(ctx, mbuf);
  return Next::go_on();
}

}  // namespace

void vxlan_encap(WorkerContext& ctx, Burst& burst) {
  for_each_packet(ctx, burst, [&](rte_mbuf* mbuf) { return decide(ctx, mbuf); });
  burst.size = 0;  // all are queued for tx
}

}  // namespace weir::dataplane
