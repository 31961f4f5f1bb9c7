#include "dataplane/stages/inner.h"

#include "dataplane/net/parse.h"
#include "dataplane/stages/fragments.h"
#include "dataplane/stages/hub_answers.h"

namespace weir::dataplane {

namespace {

Next drop_for(net::ParseError error) {
  switch (error) {
    case net::ParseError::truncated:
      return Next::drop(DropReason::inner_truncated);
    case net::ParseError::extension_headers:
      return Next::drop(DropReason::inner_extension_headers);
    default:
      return Next::drop(DropReason::inner_bad_header);
  }
}

/// An ICMP error belongs to the session that it quotes: its key is the quoted tuple, reversed, since it
/// travels against the packet that caused it. Its own destination has to be the quoted packet's sender.
Next take_quoted_tuple(net::Bytes packet, const net::IpView& ip, DomainId domain, PacketMeta& meta) {
  net::QuotedView quoted;
  const net::Bytes quote = packet.subspan(meta.payload_offset);
  if (net::parse_quoted(quote, ip.family, quoted) != net::ParseError::none || quoted.ip.src != ip.dst) {
    return Next::drop(DropReason::icmp_error_unmatched);
  }
  meta.set_key({quoted.ip.dst, quoted.ip.src, quoted.dst_port, quoted.src_port, quoted.ip.protocol},
               static_cast<uint16_t>(domain.index()));
  return Next::go_on();
}

/// What the underlay did to the outer header is told to the inner one (RFC 6040 section 4.2, RFC 2983).
/// Called where there is something to tell.
[[gnu::noinline]] Next take_outer_marks(rte_mbuf* mbuf, const Attachment& attachment, net::IpView& ip) {
  PacketMeta& meta = meta_of(mbuf);
  const uint8_t ecn = net::ecn_decapsulated(ip.tos, meta.tos);
  if (ecn == net::kEcnDrop) return Next::drop(DropReason::inner_ecn);
  const bool uniform = attachment.tunnel.dscp_model == DscpModel::uniform;
  const uint8_t dscp = (uniform ? meta.tos : ip.tos) & 0xfc;
  const uint8_t tos = dscp | ecn;
  if (tos == ip.tos) return Next::go_on();
  ip.tos = tos;
  uint8_t* at = data_of(mbuf) + meta.ip_offset;
  if (ip.family == net::Family::ipv4) {
    net::set_tos(*reinterpret_cast<net::Ipv4Header*>(at), tos);
  } else {
    net::set_tos(*reinterpret_cast<net::Ipv6Header*>(at), tos);
  }
  return Next::go_on();
}

/// Of a frame that carries no address: what its MAC says. Attachments without Ethernet have none.
DropReason check_mac(rte_mbuf* mbuf, const Attachment& attachment) {
  if (!attachment.ethernet) return DropReason::none;
  const auto& eth = *reinterpret_cast<const net::EthHeader*>(data_of(mbuf));
  if (eth.dst.is_multicast()) return DropReason::inner_multicast;
  return eth.dst == attachment.hub_mac ? DropReason::none : DropReason::inner_not_for_hub;
}

/// Broadcast is multicast too. True if the frame is one that a port is waiting for.
bool is_wanted_multicast(rte_mbuf* mbuf, const Attachment& attachment) {
  if (!attachment.multicast_port || !attachment.ethernet) return false;
  return reinterpret_cast<const net::EthHeader*>(data_of(mbuf))->dst.is_multicast();
}

Next decide_ip(rte_mbuf* mbuf, const Attachment& attachment, const net::IpView& ip, WorkerContext& ctx) {
  PacketMeta& meta = meta_of(mbuf);
  const net::Bytes packet = bytes_of(mbuf).subspan(meta.ip_offset, ip.length);
  if (ip.family == net::Family::ipv6 && ip.protocol == net::kProtoIcmpv6 && ip.first_fragment &&
      attachment.ethernet) {
    // Before the MAC check: solicitations go to a multicast MAC.
    if (const Next next = answer_neighbor_discovery(ctx, mbuf, attachment, meta.ip_offset, ip);
        !next.goes_on()) {
      return next;
    }
  }
  if (is_wanted_multicast(mbuf, attachment)) return Next::punt(PuntReason::multicast);
  if (const DropReason reason = check_mac(mbuf, attachment); reason != DropReason::none)
    return Next::drop(reason);
  if (ip.source_route) return Next::drop(DropReason::inner_source_route);
  if (net::is_martian(ip.src) || net::is_martian(ip.dst)) return Next::drop(DropReason::inner_martian);
  if (!ip.first_fragment) [[unlikely]]
    return gather_follow_on(ctx, mbuf, attachment, ip);

  net::L4View l4;
  if (const auto error = net::parse_l4(packet, ip, l4); error != net::ParseError::none)
    return ip.fragment ? Next::drop(DropReason::fragment_tiny) : drop_for(error);
  meta.l4_offset = ip.l4_offset;
  meta.payload_offset = l4.payload_offset;
  meta.ip_length = static_cast<uint16_t>(ip.length);
  meta.ttl = ip.ttl;
  meta.tcp_flags = l4.tcp_flags;
  meta.icmp = l4.icmp;
  meta.icmp_type = l4.icmp_type;
  if (attachment.is_gateway(ip.dst)) {
    if (l4.icmp == net::IcmpKind::query && answer_echo(mbuf, meta.ip_offset, ip)) return Next::answer_inner();
    if (l4.icmp == net::IcmpKind::reply &&
        take_probe_answer(ctx, attachment.id, packet.subspan(l4.payload_offset)))
      return Next::consumed();
    return Next::drop(DropReason::inner_hub_address);
  }
  if (l4.icmp == net::IcmpKind::error) {
    const Next next = take_quoted_tuple(packet, ip, attachment.domain, meta);
    if (!next.goes_on()) return next;
  } else {
    meta.set_key({ip.src, ip.dst, l4.src_port, l4.dst_port, ip.protocol},
                 static_cast<uint16_t>(attachment.domain.index()));
  }
  if (!ip.fragment) [[likely]]
    return Next::go_on();
  meta.fragment = true;
  return gather_inner(ctx, mbuf);
}

}  // namespace

Next inner_rare(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& attachment) {
  PacketMeta& meta = meta_of(mbuf);
  meta.plain = false;
  net::Bytes packet = bytes_of(mbuf);
  net::Payload type = meta.payload;
  meta.ip_offset = 0;
  if (attachment.ethernet) [[likely]] {
    if (packet.size() < sizeof(net::EthHeader)) return Next::drop(DropReason::inner_truncated);
    const uint16_t ether_type = reinterpret_cast<const net::EthHeader*>(packet.data())->type.host();
    if (ether_type == net::kEtherArp) [[unlikely]]
      return answer_inner_arp(ctx, mbuf, attachment, sizeof(net::EthHeader));
    type = net::payload_of(ether_type);
    meta.ip_offset = sizeof(net::EthHeader);
    packet = packet.subspan(sizeof(net::EthHeader));
  }
  net::IpView ip;
  net::ParseError error;
  if (type == net::Payload::ipv4) [[likely]] {
    error = net::parse_ipv4(packet, ip);
  } else if (type == net::Payload::ipv6) {
    error = net::parse_ipv6(packet, ip);
  } else if (is_wanted_multicast(mbuf, attachment)) {
    return Next::punt(PuntReason::multicast);
  } else {
    return Next::drop(DropReason::inner_ethertype);
  }
  if (error != net::ParseError::none) return drop_for(error);
  // An outer header without a mark (not-ECT, ECT(0)) has nothing to tell, unless DSCP is to be taken over.
  if ((meta.tos & net::kEct1) != 0 || attachment.tos_mask != net::kEcnMask) [[unlikely]] {
    if (const Next next = take_outer_marks(mbuf, attachment, ip); !next.goes_on()) return next;
  }
  meta.tos = ip.tos;
  // Padding of a short inner frame is not carried on.
  rte_pktmbuf_trim(mbuf, static_cast<uint16_t>(packet.size() - ip.length));
  return decide_ip(mbuf, attachment, ip, ctx);
}

}  // namespace weir::dataplane
