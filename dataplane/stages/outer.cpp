#include "dataplane/stages/outer.h"

#include "dataplane/stages/fragments.h"
#include "dataplane/stages/hub_answers.h"

namespace weir::dataplane {

namespace {

/// "Fragmentation needed" or "packet too big": a router of the underlay could not forward what the hub sent.
bool is_too_big(net::Bytes packet, const net::IpView& ip) {
  net::L4View icmp;
  if (net::parse_l4(packet, ip, icmp) != net::ParseError::none) return false;
  if (ip.family == net::Family::ipv6) return icmp.icmp_type == net::kIcmpv6TooBig;
  return icmp.icmp_type == net::kIcmpUnreachable && icmp.icmp_code == net::kIcmpCodeFragNeeded;
}

/// What is sent to the hub's own underlay address without a tunnel. On ports shared with the kernel it does
/// not come here.
Next decide_local(rte_mbuf* mbuf, PacketMeta& meta, const net::IpView& ip) {
  const uint8_t icmp = ip.family == net::Family::ipv4 ? uint8_t{net::kProtoIcmp} : uint8_t{net::kProtoIcmpv6};
  if (ip.protocol == icmp && answer_echo(mbuf, meta.ip_offset, ip)) return Next::answer_outer();
  if (ip.protocol == icmp && is_too_big(bytes_of(mbuf).subspan(meta.ip_offset), ip))
    return Next::punt(PuntReason::underlay_icmp);
  return Next::drop(DropReason::outer_protocol);
}

/// A frame of an attachment that is this port or a VLAN on it. go_on: it is none.
Next decide_native(WorkerContext& ctx, rte_mbuf* mbuf, Outer& out, bool& taken) {
  const net::Bytes frame = bytes_of(mbuf);
  net::VlanView tags;
  if (net::parse_vlan_tags(frame, tags) != net::ParseError::none)
    return Next::drop(DropReason::outer_truncated);
  const TunnelKey key = TunnelKey::native(meta_of(mbuf).port, tags.outer, tags.inner);
  if (!ctx.snapshot->tunnels->find(key).valid()) return Next::go_on();
  taken = true;
  out = {};
  out.key = key;
  out.payload_offset = tags.length;  // decap moves the MAC addresses over the tags
  return Next::go_on();
}

}  // namespace

/// A port that looked into the tunnel tells of the inner one in its L4 flags.
bool outer_checksum_right(const rte_mbuf* mbuf, net::Bytes packet, const OuterView& view) {
  const uint64_t outer = mbuf->ol_flags & RTE_MBUF_F_RX_OUTER_L4_CKSUM_MASK;
  if (outer == RTE_MBUF_F_RX_OUTER_L4_CKSUM_GOOD) return true;
  const bool looked_inside = (mbuf->packet_type & RTE_PTYPE_TUNNEL_MASK) != 0 || outer != 0;
  const uint64_t l4 = mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
  if (!looked_inside && l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD) return true;
  return outer_checksum_right(packet, view);
}

Next outer(WorkerContext& ctx, rte_mbuf* mbuf, Outer& out) {
  PacketMeta& meta = meta_of(mbuf);
  const Snapshot& snapshot = *ctx.snapshot;
  if (mbuf->nb_segs != 1) return Next::drop(DropReason::port_rx_error);
  const net::Bytes frame = bytes_of(mbuf);
  net::EthView eth;
  if (net::parse_ethernet(frame, eth) != net::ParseError::none)
    return Next::drop(DropReason::outer_truncated);
  if (snapshot.ports[meta.port].native) {
    bool taken = false;
    const Next next = decide_native(ctx, mbuf, out, taken);
    if (taken || !next.goes_on()) return next;
  }
  const net::Mac& dst = reinterpret_cast<const net::EthHeader*>(frame.data())->dst;
  if (eth.type == net::kEtherArp) return answer_underlay_arp(ctx, mbuf, eth.offset);
  if (eth.type != net::kEtherIpv4 && eth.type != net::kEtherIpv6)
    return Next::drop(DropReason::outer_protocol);
  const auto family = eth.type == net::kEtherIpv4 ? net::Family::ipv4 : net::Family::ipv6;
  const net::Bytes packet = frame.subspan(eth.offset);
  // Before the MAC check: solicitations go to a multicast MAC; they may come from a link-local address.
  if (family == net::Family::ipv6 && is_neighbor_discovery(packet))
    return answer_underlay_discovery(ctx, mbuf, eth.offset);
  if (dst != snapshot.ports[meta.port].mac) return Next::drop(DropReason::outer_not_for_hub);

  OuterView view;
  net::IpView ip;
  const OuterJudgement judgement =
      parse_outer(packet, family, snapshot.udp_tunnels, snapshot.hub_addresses, view, ip);
  if (judgement.drop != DropReason::none) return Next::drop(judgement.drop);
  if (judgement.fragment) {
    const Next next = gather_outer(ctx, mbuf, eth.offset, ip);
    return next.goes_on() ? outer(ctx, mbuf, out) : next;  // whole now
  }
  if (!judgement.local) return take_tunnel(mbuf, packet, eth.offset, view, out);
  meta.ip_offset = eth.offset;
  return decide_local(mbuf, meta, ip);
}

}  // namespace weir::dataplane
