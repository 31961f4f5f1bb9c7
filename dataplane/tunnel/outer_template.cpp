#include "dataplane/tunnel/outer_template.h"

#include "dataplane/net/checksum.h"

namespace weir::dataplane {

namespace {

using net::be16;
using net::be32;

/// Gathers headers in order.
struct Header {
  std::array<uint8_t, kMaxOuterLength> bytes{};
  size_t size = 0;

  template <typename T>
  void put(const T& header) {
    std::memcpy(bytes.data() + size, &header, sizeof header);
    size += sizeof header;
  }
};

uint8_t protocol_of(const Tunnel& tunnel) {
  switch (tunnel.kind) {
    case TunnelKind::gre:
      return net::kProtoGre;
    case TunnelKind::ipip:
      return net::kProtoIpv4;  // patched per packet: 4 or 41 by what is inside
    default:
      return net::kProtoUdp;
  }
}

void put_link(Header& out, net::Mac port_mac, uint16_t vlan, uint16_t type) {
  net::EthHeader eth{};
  eth.src = port_mac;
  eth.type = be16::of(vlan != 0 ? uint16_t{net::kEtherVlan} : type);
  out.put(eth);
  if (vlan != 0) out.put(net::VlanTag{be16::of(vlan), be16::of(type)});
}

/// DSCP in its place in the traffic class; with the uniform model all of it comes from the inner packet.
uint8_t base_tos(const Tunnel& tunnel) {
  return tunnel.dscp_model == DscpModel::pipe ? static_cast<uint8_t>(tunnel.dscp << 2) : uint8_t{0};
}

void put_ip(Header& out, Attachment& a) {
  const Tunnel& tunnel = a.tunnel;
  if (tunnel.local.is_v4()) {
    net::Ipv4Header ip{};
    ip.version_ihl = 0x45;
    ip.tos = base_tos(tunnel);
    ip.fragment = be16::of(net::Ipv4Header::kDontFragment);
    ip.ttl = tunnel.ttl;
    ip.protocol = protocol_of(tunnel);
    ip.src = tunnel.local.v4().be();
    ip.dst = tunnel.remote.v4().be();
    a.base_tos = ip.tos;
    const uint16_t checksum = net::checksum({reinterpret_cast<const uint8_t*>(&ip), sizeof ip});
    a.base_sum = static_cast<uint16_t>(~be16::raw(checksum).host());
    out.put(ip);
    return;
  }
  net::Ipv6Header ip{};
  a.base_word = 6u << 28 | static_cast<uint32_t>(base_tos(tunnel)) << 20;
  ip.version_class_flow = be32::of(a.base_word);
  ip.next_header = protocol_of(tunnel);
  ip.hop_limit = tunnel.ttl;
  tunnel.local.v6().store(ip.src);
  tunnel.remote.v6().store(ip.dst);
  out.put(ip);
}

void put_tunnel(Header& out, const Tunnel& tunnel) {
  // What carries IP packets has the protocol of the packet, patched in: IPv4's stands here.
  const uint16_t protocol = tunnel.ethernet ? net::kEtherBridged : net::kEtherIpv4;
  if (over_udp(tunnel.kind)) {
    net::UdpHeader udp{};
    udp.dst_port = be16::of(tunnel.udp_port);
    out.put(udp);
  }
  switch (tunnel.kind) {
    case TunnelKind::vxlan: {
      net::VxlanHeader vxlan{};
      vxlan.flags = net::VxlanHeader::kValidVni;
      vxlan.vni = be32::of(tunnel.id << 8);
      return out.put(vxlan);
    }
    case TunnelKind::geneve: {
      net::GeneveHeader geneve{};
      geneve.protocol = be16::of(protocol);
      geneve.vni = be32::of(tunnel.id << 8);
      return out.put(geneve);
    }
    case TunnelKind::gre: {
      out.put(
          net::GreHeader{be16::of(tunnel.keyed ? net::GreHeader::kKey : uint16_t{0}), be16::of(protocol)});
      if (tunnel.keyed) out.put(be32::of(tunnel.id));
      return;
    }
    case TunnelKind::ipip:
    case TunnelKind::native:
      return;
  }
}

/// 802.1ad puts the service tag before the customer's. The inner frame's own EtherType follows.
void put_tags(Header& out, const Tunnel& tunnel) {
  struct Tag {
    be16 type;
    be16 tci;
  };
  if (tunnel.outer_vlan != 0) out.put(Tag{be16::of(net::kEtherQinQ), be16::of(tunnel.outer_vlan)});
  if (tunnel.vlan != 0) out.put(Tag{be16::of(net::kEtherVlan), be16::of(tunnel.vlan)});
}

OuterShape shape_of(const Tunnel& tunnel) {
  if (tunnel.kind == TunnelKind::native) return OuterShape::native;
  if (tunnel.local.is_v4()) return over_udp(tunnel.kind) ? OuterShape::v4_udp : OuterShape::v4_ip;
  return over_udp(tunnel.kind) ? OuterShape::v6_udp : OuterShape::v6_ip;
}

Header make_header(Attachment& a, net::Mac port_mac, uint16_t port_vlan) {
  Header out;
  if (a.tunnel.kind == TunnelKind::native) {
    put_tags(out, a.tunnel);
    return out;
  }
  put_link(out, port_mac, port_vlan, a.tunnel.local.is_v4() ? net::kEtherIpv4 : net::kEtherIpv6);
  a.link_length = static_cast<uint8_t>(out.size);
  put_ip(out, a);
  put_tunnel(out, a.tunnel);
  return out;
}

const net::UdpHeader& udp_behind(const uint8_t* ip, bool v6) {
  return *reinterpret_cast<const net::UdpHeader*>(ip +
                                                  (v6 ? sizeof(net::Ipv6Header) : sizeof(net::Ipv4Header)));
}

uint64_t pseudo_sum(const uint8_t* ip, bool v6) {
  const net::Bytes addresses = v6 ? net::Bytes(ip + 8, 32) : net::Bytes(ip + 12, 8);
  return net::pseudo_header_sum(addresses, net::kProtoUdp, udp_behind(ip, v6).length.host());
}

}  // namespace

void make_outer_template(Attachment& attachment, net::Mac port_mac, uint16_t port_vlan) {
  const Tunnel& tunnel = attachment.tunnel;
  const Header header = make_header(attachment, port_mac, port_vlan);
  attachment.outer = {};
  std::memcpy(attachment.outer.data() + kMaxOuterLength - header.size, header.bytes.data(), header.size);
  attachment.outer_length = static_cast<uint8_t>(header.size);
  attachment.shape = shape_of(tunnel);
  attachment.tos_mask = tunnel.dscp_model == DscpModel::uniform ? 0xff : 0x03;
  attachment.ethernet = tunnel.ethernet;
  attachment.udp_checksum = tunnel.udp_checksum;
  attachment.plain = attachment.shape == OuterShape::v4_udp && tunnel.ethernet && !tunnel.udp_checksum &&
                     attachment.link_length == sizeof(net::EthHeader);
  attachment.plain_in = attachment.shape != OuterShape::native && tunnel.dscp_model != DscpModel::uniform &&
                        !(attachment.shape == OuterShape::v6_udp && tunnel.udp_checksum);
}

uint16_t overhead_of(const Tunnel& tunnel) {
  if (tunnel.kind == TunnelKind::native) return 0;
  Attachment a;
  a.tunnel = tunnel;
  const Header header = make_header(a, {}, 0);
  const size_t inside = tunnel.ethernet ? sizeof(net::EthHeader) : 0;
  return static_cast<uint16_t>(header.size - sizeof(net::EthHeader) + inside);
}

uint16_t outer_pseudo_sum(const uint8_t* ip, bool v6) {
  return static_cast<uint16_t>(~net::checksum_finish(pseudo_sum(ip, v6)));
}

net::be16 outer_udp_checksum(const uint8_t* ip, bool v6) {
  const net::UdpHeader& udp = udp_behind(ip, v6);
  const net::Bytes datagram(reinterpret_cast<const uint8_t*>(&udp), udp.length.host());
  // The stored checksum is zero still, so that it adds nothing.
  const uint16_t sum = net::checksum_finish(net::checksum_add(pseudo_sum(ip, v6), datagram));
  return net::be16::raw(sum != 0 ? sum : uint16_t{0xffff});
}

}  // namespace weir::dataplane
