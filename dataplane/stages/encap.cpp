#include "dataplane/stages/encap.h"

namespace weir::dataplane {

void strip_ethernet(rte_mbuf* mbuf, PacketMeta& meta) {
  rte_pktmbuf_adj(mbuf, sizeof(net::EthHeader));
  meta.ip_offset = 0;
}

void mark_ipv6(uint8_t* inner, const Attachment& attachment) {
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

void fill_udp_checksum(rte_mbuf* mbuf, const Attachment& attachment, bool by_port) {
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

Next add_tags(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& attachment) {
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

}  // namespace weir::dataplane
