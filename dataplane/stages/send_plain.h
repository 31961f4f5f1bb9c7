// rewrite and encap in one for what nearly every packet is: allowed to leave as it is, by a tunnel.
#pragma once

#include "dataplane/stages/encap.h"
#include "dataplane/stages/rewrite.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// All other packets: rewrite, encap. (worker.cpp)
Next send_other(WorkerContext& ctx, rte_mbuf* mbuf, AdjacencyTable::View next_hop);

/// TTL, MTU and headroom allow it to leave as it is.
[[gnu::always_inline]] inline bool fits(const rte_mbuf* mbuf, const PacketMeta& meta,
                                        const Attachment& egress) {
  return meta.ttl > 1 && meta.ip_length <= egress.mtu && rte_pktmbuf_headroom(mbuf) >= kMaxOuterLength;
}

/// By other tunnels than the ones that send_plain() knows.
[[gnu::always_inline]] inline Next send_tunnel(WorkerContext& ctx, rte_mbuf* mbuf,
                                               AdjacencyTable::View next_hop, const Attachment& egress) {
  const PacketMeta& meta = meta_of(mbuf);
  if (egress.shape == OuterShape::native || (egress.ethernet && meta.ip_offset == 0) ||
      !fits(mbuf, meta, egress)) [[unlikely]] {
    return send_other(ctx, mbuf, next_hop);
  }
  const uint64_t underlay_hop = egress.underlay->word();
  if (!UnderlayHop::is_resolved(underlay_hop)) [[unlikely]]
    return Next::drop(DropReason::underlay_unresolved);

  // In 32 bits: of 16 the compiler spills two bytes and reads four, which waits for the store.
  uint8_t* inner = data_of(mbuf) + meta.ip_offset;
  uint32_t length = mbuf->data_len - meta.ip_offset;
  uint32_t data_off = mbuf->data_off + meta.ip_offset;
  decrement_ttl(inner, meta.is_v4());
  if (egress.ethernet) {
    constexpr uint32_t kEth = sizeof(net::EthHeader);
    inner -= kEth;
    data_off -= kEth;
    length += kEth;
    net::write_macs(inner, next_hop.mac_word, egress.hub_mac_word());
  }
  write_outer_of(inner, egress, underlay_hop, length, meta.hash, meta.tos);
  if (!egress.ethernet && !meta.is_v4()) mark_ipv6(inner, egress);
  mbuf->data_off = static_cast<uint16_t>(data_off - egress.outer_length);
  mbuf->data_len = static_cast<uint16_t>(length + egress.outer_length);
  mbuf->pkt_len = mbuf->data_len;
  if (egress.udp_checksum) [[unlikely]]
    fill_udp_checksum(mbuf, egress, ctx.snapshot->ports[egress.port].tx_checksums);
  ctx.tallies[egress.id].sent(length);
  transmit_transit(ctx, mbuf, egress.port);
  return Next::go_on();
}

/// The packet, which no segment with SYN is, goes to `next_hop` by its attachment `egress`, null if that has
/// gone. On go_on it is queued for tx.
[[gnu::always_inline]] inline Next send_plain(WorkerContext& ctx, const Attachment* egress, rte_mbuf* mbuf,
                                              const AdjacencyTable::View& next_hop) {
  const PacketMeta& meta = meta_of(mbuf);
  if (egress == nullptr) [[unlikely]]
    return Next::drop(DropReason::stale_attachment);
  if (!egress->plain || meta.ip_offset != sizeof(net::EthHeader) || !fits(mbuf, meta, *egress)) [[unlikely]]
    return send_tunnel(ctx, mbuf, next_hop, *egress);
  const uint64_t underlay_hop = egress->underlay->word();
  if (!UnderlayHop::is_resolved(underlay_hop)) [[unlikely]]
    return Next::drop(DropReason::underlay_unresolved);

  uint8_t* inner = data_of(mbuf);
  const uint32_t length = mbuf->data_len;
  decrement_ttl(inner + sizeof(net::EthHeader), meta.is_v4());
  net::write_macs(inner, next_hop.mac_word, egress->hub_mac_word());
  write_plain_outer(inner, *egress, underlay_hop, length, meta.hash, meta.tos);
  mbuf->data_off = static_cast<uint16_t>(mbuf->data_off - kPlainOuterLength);
  mbuf->data_len = static_cast<uint16_t>(length + kPlainOuterLength);
  mbuf->pkt_len = mbuf->data_len;
  ctx.tallies[egress->id].sent(length);
  transmit_transit(ctx, mbuf, egress->port);
  return Next::go_on();
}

}  // namespace weir::dataplane
