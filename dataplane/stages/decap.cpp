// Outer key -> attachment, and the outer header goes.
#include "dataplane/net/headers.h"
#include "dataplane/stages/stages.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

namespace {

/// Why there is no tunnel. A plain packet was not looked at closely before (tunnel/outer_parse.h).
[[gnu::noinline]] Next unknown(const Snapshot& snapshot, const PacketMeta& meta) {
  const TunnelKey& key = meta.tunnel;
  if (key.kind() == KeyKind::native || snapshot.tunnels->find(key.peer()).valid())
    return Next::drop(DropReason::tunnel_unknown);
  net::IpAddress peer = net::Ipv6{key.hi, key.lo};
  if (key.number() == 0) {
    peer = net::Ipv4{static_cast<uint32_t>(key.lo)};
    const net::IpAddress local = net::Ipv4{static_cast<uint32_t>(key.lo >> 32)};
    bool ours = false;
    for (const HubAddress& own : snapshot.hub_addresses) ours |= own.address == local;
    if (!ours) return Next::drop(DropReason::outer_not_for_hub);
  }
  return Next::drop(net::is_martian(peer) ? DropReason::outer_martian : DropReason::tunnel_peer);
}

/// A native frame keeps its MAC addresses, which move to where its tags were.
void strip_tags(rte_mbuf* mbuf, uint16_t length) {
  if (length == 0) return;
  uint8_t* data = data_of(mbuf);
  std::memmove(data + length, data, 2 * sizeof(net::Mac));
  rte_pktmbuf_adj(mbuf, length);
}

Next decide(WorkerContext& ctx, rte_mbuf* mbuf) {
  const Snapshot& snapshot = *ctx.snapshot;
  PacketMeta& meta = meta_of(mbuf);
  const AttachmentId id = snapshot.tunnels->find(meta.tunnel);
  const Attachment* attachment = snapshot.attachment(id);
  if (attachment == nullptr) [[unlikely]]
    return unknown(snapshot, meta);
  if (attachment->ethernet != (meta.payload == net::Payload::ethernet)) [[unlikely]]
    return Next::drop(DropReason::tunnel_payload);
  if (meta.no_checksum && attachment->udp_checksum && attachment->shape == OuterShape::v6_udp) [[unlikely]]
    return Next::drop(DropReason::outer_udp_checksum);
  meta.ingress = id;
  if (attachment->shape == OuterShape::native) {
    strip_tags(mbuf, meta.payload_offset);
    ctx.tallies[id].received(mbuf->data_len);
    return Next::go_on();
  }
  // A short Ethernet frame is padded: what lies beyond the outer IP packet is none of the inner one's.
  const uint16_t end = static_cast<uint16_t>(meta.ip_offset + meta.ip_length);
  rte_pktmbuf_trim(mbuf, static_cast<uint16_t>(mbuf->data_len - end));
  rte_pktmbuf_adj(mbuf, meta.payload_offset);
  ctx.tallies[id].received(mbuf->data_len);
  return Next::go_on();
}

}  // namespace

void decap(WorkerContext& ctx, Burst& burst) {
  for_each_packet(ctx, burst, [&](rte_mbuf* mbuf) { return decide(ctx, mbuf); });
}

}  // namespace weir::dataplane
