#include "dataplane/tunnel/outer_parse.h"

#include <algorithm>

#include "dataplane/net/checksum.h"

namespace weir::dataplane {

namespace {

DropReason reason_of(net::ParseError error) {
  switch (error) {
    case net::ParseError::none:
      return DropReason::none;
    case net::ParseError::truncated:
      return DropReason::outer_truncated;
    case net::ParseError::extension_headers:
      return DropReason::outer_extension_headers;
    case net::ParseError::bad_header:
      break;
  }
  return DropReason::outer_bad_header;
}

DropReason vxlan_reason(net::TunnelError error) {
  return error == net::TunnelError::none ? DropReason::none : DropReason::vxlan_bad_header;
}

DropReason geneve_reason(net::TunnelError error) {
  switch (error) {
    case net::TunnelError::none:
      return DropReason::none;
    case net::TunnelError::bad_option:
      return DropReason::geneve_bad_option;
    case net::TunnelError::critical_option:
      return DropReason::geneve_critical_option;
    case net::TunnelError::control:
      return DropReason::geneve_control;
    default:
      return DropReason::geneve_bad_header;
  }
}

DropReason gre_reason(net::TunnelError error) {
  switch (error) {
    case net::TunnelError::none:
      return DropReason::none;
    case net::TunnelError::bad_checksum:
      return DropReason::gre_checksum;
    default:
      return DropReason::gre_bad_header;
  }
}

/// What the packet's upper layer says of the tunnel. `kind` stays none if it is no tunnel's.
struct Found {
  KeyKind kind = KeyKind::none;
  uint16_t port = 0;
  net::TunnelView tunnel;
  DropReason drop = DropReason::none;
};

Found find_udp(net::Bytes packet, const net::IpView& ip, const UdpTunnels& udp_tunnels, OuterView& out) {
  Found found;
  net::L4View l4;
  if (const auto error = net::parse_l4(packet, ip, l4); error != net::ParseError::none) {
    found.drop = reason_of(error);
    return found;
  }
  found.kind = udp_tunnels.find(l4.dst_port);
  if (found.kind == KeyKind::none) return found;
  found.port = l4.dst_port;
  const auto* udp = reinterpret_cast<const net::UdpHeader*>(packet.data() + ip.l4_offset);
  const net::Bytes carried = packet.subspan(l4.payload_offset, udp->length.host() - sizeof *udp);
  found.drop = found.kind == KeyKind::vxlan ? vxlan_reason(net::parse_vxlan(carried, found.tunnel))
                                            : geneve_reason(net::parse_geneve(carried, found.tunnel));
  out.udp = ip.l4_offset;
  out.checksum_zero = udp->checksum.raw() == 0;
  out.payload = static_cast<uint16_t>(l4.payload_offset + found.tunnel.length);
  return found;
}

Found find_tunnel(net::Bytes packet, const net::IpView& ip, const UdpTunnels& udp_tunnels, OuterView& out) {
  Found found;
  out.udp = 0;
  out.checksum_zero = false;
  out.payload = ip.l4_offset;
  switch (ip.protocol) {
    case net::kProtoUdp:
      return find_udp(packet, ip, udp_tunnels, out);
    case net::kProtoGre:
      found.drop =
          gre_reason(net::parse_gre(packet.subspan(ip.l4_offset, ip.length - ip.l4_offset), found.tunnel));
      found.kind = found.tunnel.keyed ? KeyKind::gre_keyed : KeyKind::gre;
      out.payload = static_cast<uint16_t>(ip.l4_offset + found.tunnel.length);
      return found;
    case net::kProtoIpv4:
      found.kind = KeyKind::ipip4;
      found.tunnel.payload = net::Payload::ipv4;
      return found;
    case net::kProtoIpv6:
      found.kind = KeyKind::ipip6;
      found.tunnel.payload = net::Payload::ipv6;
      return found;
    default:
      return found;
  }
}

}  // namespace

OuterJudgement parse_outer(net::Bytes packet, net::Family family, const UdpTunnels& udp_tunnels,
                           std::span<const HubAddress> own, OuterView& out, net::IpView& ip) {
  const bool v4 = family == net::Family::ipv4;
  const auto error = v4 ? net::parse_ipv4(packet, ip) : net::parse_ipv6(packet, ip);
  if (error != net::ParseError::none) return {reason_of(error)};
  if (ip.length > UINT16_MAX) return {DropReason::outer_bad_header};
  const auto hub =
      std::find_if(own.begin(), own.end(), [&](const HubAddress& a) { return a.address == ip.dst; });
  if (hub == own.end()) return {DropReason::outer_not_for_hub};
  if (net::is_martian(ip.src)) return {DropReason::outer_martian};
  if (ip.source_route) return {DropReason::outer_source_route};
  if (ip.fragment) return {DropReason::none, true};
  const Found found = find_tunnel(packet, ip, udp_tunnels, out);
  if (found.drop != DropReason::none) return {found.drop};
  if (found.kind == KeyKind::none) return {DropReason::none, false, true};
  if (found.tunnel.payload == net::Payload::other) return {DropReason::tunnel_payload};
  out.inner = found.tunnel.payload;
  out.length = static_cast<uint16_t>(ip.length);
  out.tos = ip.tos;
  out.key = v4 ? TunnelKey::v4(found.kind, ip.dst.v4(), ip.src.v4(), found.tunnel.id, found.port)
               : TunnelKey::v6(found.kind, hub->number, ip.src.v6(), found.tunnel.id, found.port);
  return {};
}

bool outer_checksum_right(net::Bytes packet, const OuterView& view) {
  const auto* udp = reinterpret_cast<const net::UdpHeader*>(packet.data() + view.udp);
  const uint16_t length = udp->length.host();
  const bool v4 = packet[0] >> 4 == 4;
  const net::Bytes addresses = v4 ? packet.subspan(12, 8) : packet.subspan(8, 32);
  const uint64_t pseudo = net::pseudo_header_sum(addresses, net::kProtoUdp, length);
  return net::checksum_finish(net::checksum_add(pseudo, packet.subspan(view.udp, length))) == 0;
}

}  // namespace weir::dataplane
