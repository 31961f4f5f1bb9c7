// The outer header: the attachment's template with a few fields patched (tunnel/outer_template.h).
#pragma once

#include "dataplane/tunnel/outer_template.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// What control made for an attachment without Ethernet has a header all the same, to say what it is.
void strip_ethernet(rte_mbuf* mbuf, PacketMeta& meta);
/// The template says IPv4; an IPv6 packet behind it is called what it is.
void mark_ipv6(uint8_t* inner, const Attachment& attachment);
/// By the port where it can, else here.
void fill_udp_checksum(rte_mbuf* mbuf, const Attachment& attachment, bool by_port);
/// A native frame gets its tags between the MAC addresses and the EtherType. Queues it for tx.
[[gnu::cold]] Next add_tags(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& attachment);

/// The packet has its outer header: lengths, tally, tx.
[[gnu::always_inline]] inline Next send_outer(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& egress,
                                              uint16_t length) {
  mbuf->data_off = static_cast<uint16_t>(mbuf->data_off - egress.outer_length);
  mbuf->data_len = static_cast<uint16_t>(length + egress.outer_length);
  mbuf->pkt_len = mbuf->data_len;
  if (egress.udp_checksum) [[unlikely]]
    fill_udp_checksum(mbuf, egress, ctx.snapshot->ports[egress.port].tx_checksums);
  ctx.tallies[egress.id].sent(length);
  transmit(ctx, mbuf);
  return Next::go_on();
}

/// On go_on the packet is queued for tx.
inline Next encap(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& egress) {
  PacketMeta& meta = meta_of(mbuf);
  meta.port = egress.port;
  if (egress.shape == OuterShape::native) return add_tags(ctx, mbuf, egress);
  const uint64_t next_hop = egress.underlay->word();
  if (!UnderlayHop::is_resolved(next_hop)) [[unlikely]]
    return Next::drop(DropReason::underlay_unresolved);
  if (!egress.ethernet && meta.ip_offset != 0) strip_ethernet(mbuf, meta);
  if (rte_pktmbuf_headroom(mbuf) < kMaxOuterLength) [[unlikely]]
    return Next::drop(DropReason::no_headroom);
  uint8_t* inner = data_of(mbuf);
  const uint16_t length = mbuf->data_len;
  write_outer_of(inner, egress, next_hop, length, meta.hash, meta.tos);
  if (!egress.ethernet && inner[0] >> 4 == 6) mark_ipv6(inner, egress);
  return send_outer(ctx, mbuf, egress, length);
}

}  // namespace weir::dataplane
