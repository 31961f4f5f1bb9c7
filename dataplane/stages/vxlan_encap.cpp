// The outer header: the attachment's template with a few fields patched (RFC 7348).
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/stages/stages.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

namespace {

struct OuterHeader {
  net::EthHeader eth;
  net::Ipv4Header ip;
  net::UdpHeader udp;
  net::VxlanHeader vxlan;
};
static_assert(sizeof(OuterHeader) == kVxlanOverhead);

/// RFC 7348 section 5: from the dynamic range, by a hash of the inner flow, so that the underlay can spread
/// flows over paths.
net::be16 entropy_port(uint32_t hash) {
  return net::be16::of(static_cast<uint16_t>(0xc000 | ((hash ^ hash >> 14) & 0x3fff)));
}

Next decide(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  const Attachment* attachment = ctx.snapshot->attachment(meta.egress);
  if (attachment == nullptr) return Next::drop(DropReason::stale_attachment);
  net::Mac next_hop;
  if (!attachment->underlay->get(next_hop)) return Next::drop(DropReason::underlay_unresolved);
  const uint16_t inner_length = mbuf->data_len;
  auto* at = reinterpret_cast<OuterHeader*>(rte_pktmbuf_prepend(mbuf, kVxlanOverhead));
  if (at == nullptr) return Next::drop(DropReason::no_headroom);

  std::memcpy(at, attachment->outer.data(), kVxlanOverhead);
  const uint16_t udp_length =
      static_cast<uint16_t>(sizeof(net::UdpHeader) + sizeof(net::VxlanHeader) + inner_length);
  const net::be16 total = net::be16::of(static_cast<uint16_t>(sizeof(net::Ipv4Header) + udp_length));
  at->eth.dst = next_hop;
  // The template's checksum holds for its total length of zero.
  at->ip.checksum = net::checksum_update(at->ip.checksum, at->ip.total_length, total);
  at->ip.total_length = total;
  at->udp.src_port = entropy_port(meta.hash);
  at->udp.length = net::be16::of(udp_length);
  meta.port = attachment->port;
  transmit(ctx, mbuf);
  return Next::go_on();
}

}  // namespace

void vxlan_encap(WorkerContext& ctx, Burst& burst) {
  for_each_packet(ctx, burst, [&](rte_mbuf* mbuf) { return decide(ctx, mbuf); });
  burst.size = 0;  // all are queued for tx
}

}  // namespace weir::dataplane
