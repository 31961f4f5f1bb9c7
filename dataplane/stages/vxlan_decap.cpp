// Outer key -> attachment, and the outer header goes (RFC 7348).
#include "dataplane/net/headers.h"
#include "dataplane/stages/stages.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

namespace {

Next decide(WorkerContext& ctx, rte_mbuf* mbuf) {
  const Snapshot& snapshot = *ctx.snapshot;
  PacketMeta& meta = meta_of(mbuf);
  const AttachmentId id = snapshot.tunnels->find(meta.tunnel);
  const Attachment* attachment = snapshot.attachment(id);
  if (attachment == nullptr) return Next::drop(DropReason::tunnel_unknown);
  // A short Ethernet frame is padded: what lies beyond the outer IP packet is none of the inner one's.
  const uint16_t end = static_cast<uint16_t>(meta.ip_offset + meta.ip_length);
  rte_pktmbuf_trim(mbuf, static_cast<uint16_t>(mbuf->data_len - end));
  rte_pktmbuf_adj(mbuf, meta.payload_offset);
  meta.ingress = id;
  ctx.tallies[id].received(mbuf->data_len);
  return Next::go_on();
}

}  // namespace

void vxlan_decap(WorkerContext& ctx, Burst& burst) {
  for_each_packet(ctx, burst, [&](rte_mbuf* mbuf) { return decide(ctx, mbuf); });
}

}  // namespace weir::dataplane
