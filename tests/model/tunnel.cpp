#include "tests/model/tunnel.h"

#include "tests/model/bytes.h"

namespace weir::model {

namespace {

constexpr uint8_t kIpv4InIp = 4, kIpv6InIp = 41, kGre = 47;
constexpr uint16_t kVxlanPort = 4789, kGenevePort = 6081, kEtherVlan = 0x8100, kBridged = 0x6558;

uint16_t vlan_of(Attachment a) { return static_cast<uint16_t>(20 + a); }

bool is_keyed(TunnelKind kind) { return kind == TunnelKind::gre_keyed || kind == TunnelKind::gre_ethernet; }

Bytes ethernet(const Frame& f) {
  Bytes out;
  put(out, f.dst, 6);
  put(out, f.src, 6);
  put(out, f.type, 2);
  append(out, f.data);
  return out;
}

Bytes udp(const Address& src, const Address& dst, uint16_t port, const Bytes& payload) {
  Bytes out;
  put(out, 50'000, 2);
  put(out, port, 2);
  put(out, 8 + payload.size(), 2);
  put(out, 0, 2);
  append(out, payload);
  if (!src.v6) return out;  // RFC 6935: over IPv6 there is a sum
  const uint16_t sum = transport_sum(src, dst, kUdp, out);
  set16(out, 6, sum == 0 ? 0xffff : sum);
  return out;
}

/// Where the attachment `to` is told by its number, in the order of the header's bytes.
std::optional<Attachment> attachment_of(const Network& net, bool accepts(TunnelKind), const Address& end,
                                        std::optional<uint64_t> id) {
  for (Attachment a = 0; a < static_cast<int>(net.attachments.size()); ++a) {
    const TunnelConfig& tunnel = net.tunnel_of(a);
    if (accepts(tunnel.kind) && tunnel_end_of(a, tunnel.v6) == end && (!id || *id == vni_of(a))) return a;
  }
  return {};
}

FromHub wrong(const char* why) { return {why, 0, {}}; }

/// The Ethernet frame at `at`, or the IP packet of that type.
FromHub inside(const Bytes& b, size_t at, Attachment to, bool has_ethernet, uint16_t type) {
  FromHub out{{}, to, {}};
  if (!has_ethernet) {
    out.frame = {0, 0, type, slice(b, at, b.size() - at)};
    return out;
  }
  if (type != kBridged) return wrong("Ethernet in a tunnel that says it is something else");
  if (b.size() < at + 14) return wrong("shorter than an Ethernet header");
  out.frame = {get(b, at, 6), get(b, at + 6, 6), static_cast<uint16_t>(get(b, at + 12, 2)),
               slice(b, at + 14, b.size() - at - 14)};
  return out;
}

FromHub read_udp(const Network& net, const Bytes& b, const Address& from, const Address& to) {
  if (b.size() < 16 || get(b, 4, 2) != b.size()) return wrong("the outer UDP length is not the packet's");
  if (get(b, 6, 2) != 0 ? transport_sum(from, to, kUdp, b) != 0 : to.v6)
    return wrong("the outer UDP checksum is wrong");
  const uint64_t id = get(b, 12, 3);
  if (b[15] != 0) return wrong("reserved bits of a VNI");
  if (get(b, 2, 2) == kVxlanPort) {
    const auto a = attachment_of(
        net, [](TunnelKind k) { return k == TunnelKind::vxlan; }, to, id);
    if (!a || get(b, 8, 4) != 0x0800'0000) return wrong("VXLAN to nobody");
    return inside(b, 16, *a, true, kBridged);
  }
  const auto is_geneve = [](TunnelKind k) { return k == TunnelKind::geneve || k == TunnelKind::geneve_ip; };
  const auto a = attachment_of(net, is_geneve, to, id);
  if (!a || get(b, 2, 2) != kGenevePort || get(b, 8, 2) != 0) return wrong("GENEVE to nobody");
  return inside(b, 16, *a, carries_ethernet(net.tunnel_of(*a).kind), static_cast<uint16_t>(get(b, 10, 2)));
}

FromHub read_gre(const Network& net, const Bytes& b, const Address& to) {
  const bool keyed = !b.empty() && b[0] == 0x20;
  if (b.size() < (keyed ? 8u : 4u) || get(b, 0, 2) != (keyed ? 0x2000 : 0)) return wrong("flags of GRE");
  const auto a = keyed ? attachment_of(net, is_keyed, to, get(b, 4, 4))
                       : attachment_of(net, [](TunnelKind k) { return k == TunnelKind::gre; }, to, {});
  if (!a) return wrong("GRE to nobody");
  return inside(b, keyed ? 8 : 4, *a, carries_ethernet(net.tunnel_of(*a).kind),
                static_cast<uint16_t>(get(b, 2, 2)));
}

}  // namespace

Frame frame_to_hub(const Network& net, Attachment a, const Bytes& ip) {
  const uint16_t type = ip.empty() || ip[0] >> 4 != 6 ? kEtherIpv4 : kEtherIpv6;
  if (!carries_ethernet(net.tunnel_of(a).kind)) return {0, 0, type, ip};
  return {net.hub_mac(a), mac_of(a, {}), type, ip};
}

Bytes write(const Network& net, Attachment a, const Frame& frame) { return write(net, a, frame, a); }

Bytes write(const Network& net, Attachment a, const Frame& frame, Attachment peer) {
  const auto& [kind, six] = net.tunnel_of(a);
  Bytes out;
  if (kind == TunnelKind::native) {
    put(out, frame.dst, 6);
    put(out, frame.src, 6);
    put(out, kEtherVlan, 2);
    put(out, vlan_of(a), 2);
    put(out, frame.type, 2);
    append(out, frame.data);
    return out;
  }
  const Address from = tunnel_end_of(peer, six), to = hub_address(six);
  const bool bridged = carries_ethernet(kind);
  const Bytes carried = bridged ? ethernet(frame) : frame.data;
  const uint16_t type = bridged ? kBridged : frame.type;
  put(out, kPortMac, 6);
  put(out, underlay_mac(peer), 6);
  put(out, six ? kEtherIpv6 : kEtherIpv4, 2);
  Bytes header;
  uint8_t protocol = kUdp;
  switch (kind) {
    case TunnelKind::vxlan:
      put(header, 0x0800'0000, 4);
      put(header, vni_of(a) << 8, 4);
      break;
    case TunnelKind::geneve:
    case TunnelKind::geneve_ip:
      put(header, type, 4);
      put(header, vni_of(a) << 8, 4);
      break;
    case TunnelKind::gre:
      protocol = kGre;
      put(header, type, 4);
      break;
    case TunnelKind::gre_keyed:
    case TunnelKind::gre_ethernet:
      protocol = kGre;
      put(header, 0x2000'0000u | type, 4);
      put(header, vni_of(a), 4);
      break;
    case TunnelKind::ipip:
    case TunnelKind::native:
      protocol = frame.type == kEtherIpv6 ? kIpv6InIp : kIpv4InIp;
      break;
  }
  append(header, carried);
  if (protocol == kUdp) header = udp(from, to, kind == TunnelKind::vxlan ? kVxlanPort : kGenevePort, header);
  append(out, write_ip(from, to, protocol, 64, 0, 0, header));
  return out;
}

FromHub read_from_hub(const Network& net, const Bytes& b) {
  if (b.size() < 34) return wrong("shorter than its outer headers");
  const uint64_t type = get(b, 12, 2);
  if (type == kEtherVlan) {
    for (Attachment a = 0; a < static_cast<int>(net.attachments.size()); ++a) {
      if (net.tunnel_of(a).kind != TunnelKind::native || get(b, 14, 2) != vlan_of(a)) continue;
      return {
          {},
          a,
          {get(b, 0, 6), get(b, 6, 6), static_cast<uint16_t>(get(b, 16, 2)), slice(b, 18, b.size() - 18)}};
    }
    return wrong("a VLAN of nobody");
  }
  if (get(b, 6, 6) != kPortMac) return wrong("not from the port's MAC");
  const bool six = type == kEtherIpv6;
  if (!six && type != kEtherIpv4) return wrong("an outer EtherType that is no IP");
  if (b[14] != (six ? 0x60 : 0x45) || (six && b.size() < 54)) return wrong("a malformed outer header");
  const Address from = six ? v6(get(b, 22, 8), get(b, 30, 8)) : Address{false, 0, get(b, 26, 4)};
  const Address to = six ? v6(get(b, 38, 8), get(b, 46, 8)) : Address{false, 0, get(b, 30, 4)};
  if (from != hub_address(six)) return wrong("not from the hub's address");
  const uint64_t length = six ? get(b, 18, 2) + 40 : get(b, 16, 2);
  if (length + 14 != b.size()) return wrong("the outer length is not the packet's");
  if (!six && internet_sum(slice(b, 14, 20)) != 0) return wrong("the outer header checksum is wrong");
  const uint8_t protocol = six ? b[20] : b[23];
  const size_t at = six ? 54 : 34;
  const Bytes payload = slice(b, at, b.size() - at);
  FromHub out;
  if (protocol == kUdp) {
    out = read_udp(net, payload, from, to);
  } else if (protocol == kGre) {
    out = read_gre(net, payload, to);
  } else if (protocol == kIpv4InIp || protocol == kIpv6InIp) {
    const auto a = attachment_of(net, [](TunnelKind k) { return k == TunnelKind::ipip; }, to, {});
    if (!a) return wrong("IP in IP to nobody");
    out = inside(payload, 0, *a, false, protocol == kIpv6InIp ? kEtherIpv6 : kEtherIpv4);
  } else {
    return wrong("an outer protocol that is no tunnel's");
  }
  if (out.wrong.empty() && get(b, 0, 6) != underlay_mac(out.to)) return wrong("to the MAC of another peer");
  return out;
}

}  // namespace weir::model
