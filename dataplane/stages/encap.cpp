// The outer header: the attachment's template with a few fields patched (tunnel/outer_template.h).
#include "dataplane/stages/stages.h"
#include "dataplane/tunnel/outer_template.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

namespace {

/// What control made for an attachment without Ethernet has a header all the same, to say what it is.
[[gnu::noinline]] void strip_ethernet(rte_mbuf* mbuf, PacketMeta& meta) {
  rte_pktmbuf_adj(mbuf, sizeof(net::EthHeader));
  meta.ip_offset = 0;
}

/// The template says IPv4; an IPv6 packet behind it is called what it is.
[[gnu::noinline]] void mark_ipv6(uint8_t* inner, const Attachment& attachment) {
  switch (attachment.tunnel.kind) {
    case TunnelKind::geneve:
      reinterpret_cast<net::GeneveHeader*>(inner - sizeof(net::GeneveHeader))->protocol =
          net::be16::of(net::kEtherIpv6);
      return;
    case TunnelKind::gre: {
      const size_t length = sizeof(net::GreHeader) + (attachment.tunnel.keyed ? sizeof(net::be32) : 0);
      reinterpret_cast<net::GreHeader*>(inner - length)->protocol = net::be16::of(net::kEtherIpv6);
      return;
    }
    case TunnelKind::ipip: {
      if (attachment.shape == OuterShape::v6_ip) {
        reinterpret_cast<net::Ipv6Header*>(inner - sizeof(net::Ipv6Header))->next_header = net::kProtoIpv6;
        return;
      }
      auto& ip = *reinterpret_cast<net::Ipv4Header*>(inner - sizeof(net::Ipv4Header));
      const auto word = [&] { return net::be16::of(static_cast<uint16_t>(ip.ttl << 8 | ip.protocol)); };
      const net::be16 before = word();
      ip.protocol = net::kProtoIpv6;
      ip.checksum = net::checksum_update(ip.checksum, before, word());
      return;
    }
    case TunnelKind::vxlan:
    case TunnelKind::native:
      return;
  }
}

/// By the port where it can, else here.
[[gnu::noinline]] void fill_udp_checksum(rte_mbuf* mbuf, const Attachment& attachment, bool by_port) {
  const bool v6 = attachment.shape == OuterShape::v6_udp;
  uint8_t* ip = data_of(mbuf) + attachment.link_length;
  const uint16_t ip_length = v6 ? sizeof(net::Ipv6Header) : sizeof(net::Ipv4Header);
  auto& udp = *reinterpret_cast<net::UdpHeader*>(ip + ip_length);
  if (!by_port) {
    udp.checksum = outer_udp_checksum(ip, v6);
    return;
  }
  mbuf->tx_offload = rte_mbuf_tx_offload(attachment.link_length, ip_length, 0, 0, 0, 0, 0);
  mbuf->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM | (v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
  udp.checksum = net::be16::raw(outer_pseudo_sum(ip, v6));
}

/// A native frame gets its tags between the MAC addresses and the EtherType.
[[gnu::noinline]] Next add_tags(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& attachment) {
  ctx.tallies[attachment.id].sent(mbuf->data_len);
  const uint8_t length = attachment.outer_length;
  if (length != 0) {
    auto* at = reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(mbuf, length));
    if (at == nullptr) return Next::drop(DropReason::no_headroom);
    constexpr size_t kMacs = 2 * sizeof(net::Mac);
    std::memmove(at, at + length, kMacs);
    std::memcpy(at + kMacs, attachment.outer.data() + kMaxOuterLength - length, length);
  }
  transmit(ctx, mbuf);
  return Next::go_on();
}

Next decide(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  const Attachment* attachment = ctx.snapshot->attachment(meta.egress);
  if (attachment == nullptr) [[unlikely]]
    return Next::drop(DropReason::stale_attachment);
  meta.port = attachment->port;
  if (attachment->shape == OuterShape::native) return add_tags(ctx, mbuf, *attachment);
  net::Mac next_hop;
  if (!attachment->underlay->get(next_hop)) [[unlikely]]
    return Next::drop(DropReason::underlay_unresolved);
  if (!attachment->ethernet && meta.ip_offset != 0) [[unlikely]]
    strip_ethernet(mbuf, meta);
  if (rte_pktmbuf_headroom(mbuf) < kMaxOuterLength) [[unlikely]]
    return Next::drop(DropReason::no_headroom);
  uint8_t* inner = data_of(mbuf);
  const uint16_t length = mbuf->data_len;
  switch (attachment->shape) {
    case OuterShape::v4_udp:
      write_outer<false, true>(inner, *attachment, next_hop, length, meta.hash, meta.tos);
      break;
    case OuterShape::v4_ip:
      write_outer<false, false>(inner, *attachment, next_hop, length, meta.hash, meta.tos);
      break;
    case OuterShape::v6_udp:
      write_outer<true, true>(inner, *attachment, next_hop, length, meta.hash, meta.tos);
      break;
    case OuterShape::v6_ip:
    case OuterShape::native:
      write_outer<true, false>(inner, *attachment, next_hop, length, meta.hash, meta.tos);
      break;
  }
  if (!attachment->ethernet && inner[0] >> 4 == 6) mark_ipv6(inner, *attachment);
  rte_pktmbuf_prepend(mbuf, attachment->outer_length);
  if (attachment->udp_checksum)
    fill_udp_checksum(mbuf, *attachment, ctx.snapshot->ports[meta.port].tx_checksums);
  ctx.tallies[meta.egress].sent(length);
  transmit(ctx, mbuf);
  return Next::go_on();
}

}  // namespace

void encap(WorkerContext& ctx, Burst& burst) {
  for_each_packet(ctx, burst, [&](rte_mbuf* mbuf) { return decide(ctx, mbuf); });
  burst.size = 0;  // all are queued for tx
}

}  // namespace weir::dataplane
