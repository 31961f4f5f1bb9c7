// Outer key -> attachment, and the outer header goes.
#pragma once

#include "dataplane/stages/outer.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// Says why there is no tunnel. A plain packet was not looked at closely before. (decap.cpp)
[[gnu::cold]] Next unknown_tunnel(const Snapshot& snapshot, TunnelKey key);
/// A native frame keeps its MAC addresses, which move to where its tags were. (decap.cpp)
void strip_tags(rte_mbuf* mbuf, uint16_t length);

/// The attachment that the packet came in by, or null.
[[gnu::always_inline]] inline const Attachment* find_tunnel(WorkerContext& ctx, rte_mbuf* mbuf,
                                                            const TunnelKey& key) {
  const AttachmentId ingress = ctx.snapshot->tunnels->find(key);
  meta_of(mbuf).ingress = ingress;
  return ctx.snapshot->attachment(ingress);
}

/// `bytes` that came in by `attachment` are counted, unless it is more than that may send.
[[gnu::always_inline]] inline Next take_in(WorkerContext& ctx, const Attachment& attachment, uint16_t bytes) {
  if (attachment.policed && !ctx.policer.take(attachment.id, attachment.police, bytes, ctx.now)) [[unlikely]]
    return Next::drop(DropReason::policed);
  ctx.tallies[attachment.id].received(bytes);
  return Next::go_on();
}

[[gnu::always_inline]] inline Next decap(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& attachment,
                                         const Outer& outer) {
  if (attachment.ethernet != (outer.payload == net::Payload::ethernet)) [[unlikely]]
    return Next::drop(DropReason::tunnel_payload);
  if (!attachment.plain) [[unlikely]] {
    if (outer.no_checksum && attachment.udp_checksum && attachment.shape == OuterShape::v6_udp)
      return Next::drop(DropReason::outer_udp_checksum);
    if (attachment.shape == OuterShape::native) {
      strip_tags(mbuf, outer.payload_offset);
      return take_in(ctx, attachment, mbuf->data_len);
    }
  }
  // A short Ethernet frame is padded: what lies beyond the outer IP packet is none of the inner one's. The
  // outer parser has seen to it that the packet has these bytes, and is one segment.
  mbuf->data_len = outer.payload_length;
  mbuf->pkt_len = outer.payload_length;
  mbuf->data_off = static_cast<uint16_t>(mbuf->data_off + outer.payload_offset);
  return take_in(ctx, attachment, mbuf->data_len);
}

}  // namespace weir::dataplane
