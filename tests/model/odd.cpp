#include "tests/model/odd.h"

#include "tests/model/bytes.h"
#include "tests/model/random_network.h"
#include "tests/model/traffic.h"
#include "tests/model/tunnel.h"

namespace weir::model {

namespace {

constexpr Mac kBroadcast = 0xff'ff'ff'ff'ff'ff;

Attachment some_attachment(const Network& net, Random& random) {
  return static_cast<Attachment>(random.below(net.attachments.size()));
}
Address some_host(const Network& net, Random& random, bool six) {
  for (;;) {
    const Address a = random.of(hosts_of(net, some_attachment(net, random)));
    if (a.v6 == six) return a;
  }
}
/// The hub's, in whatever attachment, or a host anywhere.
Address asked_for(const Network& net, Random& random, bool six) {
  if (random.percent(50)) return some_host(net, random, six);
  for (const Address& a : net.attachments[random.below(net.attachments.size())].gateways)
    if (a.v6 == six) return a;
  return some_host(net, random, six);
}

Frame arp(const Network& net, Attachment from, Random& random) {
  const Address asker = some_host(net, random, false), asked = asked_for(net, random, false);
  const bool request = random.percent(60);
  Frame f{request ? kBroadcast : net.hub_mac(from), mac_of(from, asker), kEtherArp, {}};
  put(f.data, 0x0001'0800, 4);
  put(f.data, 0x0604, 2);
  put(f.data, request ? 1 : 2, 2);
  put(f.data, f.src, 6);
  put(f.data, asker);
  put(f.data, request ? 0 : f.dst, 6);
  put(f.data, random.percent(20) ? asker : asked);
  return f;
}

/// Solicitations, advertisements, redirects; by hosts, or in the hub's name.
Frame discovery(const Network& net, Attachment from, Random& random) {
  const Address src = some_host(net, random, true), target = asked_for(net, random, true);
  const Address group = v6(0xff02ULL << 48, 0x1'ff00'0000 | (target.lo & 0xff'ffff));
  Bytes body;
  const auto type = static_cast<uint8_t>(random.between(133, 137));
  put(body, type, 1);
  put(body, 0, 3);
  put(body, type == 136 ? 0x6000'0000 : 0, 4);
  if (type >= 135) put(body, target);
  if (type == 137) put(body, some_host(net, random, true));
  put(body, type == 135 ? 0x0101 : 0x0201, 2);  // the link-layer address
  put(body, mac_of(from, src), 6);
  const Address dst = random.percent(60) ? group : some_host(net, random, true);
  set16(body, 2, transport_sum(src, dst, kIcmpv6, body));
  const Mac to = 0x33'33'00'00'00'00 | (dst.lo & 0xffff'ffff);
  return {to, mac_of(from, src), kEtherIpv6, write_ip(src, dst, kIcmpv6, 255, 0, 0, body)};
}

Packet some_packet(const Network& net, Random& random, Attachment from) {
  Made made = first_packet(net, random);
  made.packet.ttl = 64;
  if (random.percent(50)) {
    std::vector<Address> own = hosts_of(net, from);
    std::erase_if(own, [&](const Address& a) { return a.v6 != made.packet.dst.v6; });
    made.packet.src = random.of(own);
  }
  return made.packet;
}

Frame to_group(const Network& net, Attachment from, Random& random) {
  Packet p = some_packet(net, random, from);
  const Address groups4[] = {v4(224, 0, 0, 5),  v4(239, 1, 2, 3),  v4(255, 255, 255, 255),
                             v4(10, 1, 0, 255), v4(10, 2, 0, 255), v4(10, 1, 0, 0)};
  const Address groups6[] = {v6(0xff02ULL << 48, 1), v6(0xff02ULL << 48, 2), v6(0xff0eULL << 48, 0x123)};
  p.dst = p.src.v6 ? groups6[random.below(3)] : groups4[random.below(6)];
  Frame f = frame_to_hub(net, from, write(p));
  if (random.percent(70)) f.dst = p.src.v6 ? 0x33'33'00'00'00'01 : 0x01'00'5e'01'02'03;
  if (random.percent(20)) f.dst = kBroadcast;
  return f;
}

/// Of spanning trees, LLDP, MPLS, VLANs inside; or IP with the wrong EtherType.
Frame no_ip(const Network& net, Attachment from, Random& random) {
  Frame f = frame_to_hub(net, from, write(some_packet(net, random, from)));
  const uint16_t types[] = {38, 0x88cc, 0x8847, 0x8100, 0x88a8, 0x86dd, 0x0800, 0x8863};
  f.type = types[random.below(8)];
  if (f.type == 0x8100 || f.type == 0x88a8) {
    Bytes tagged;
    put(tagged, random.below(40), 2);
    put(tagged, kEtherIpv4, 2);
    append(tagged, f.data);
    f.data = tagged;
  }
  if (random.percent(50)) f.dst = 0x01'80'c2'00'00'0e;
  return f;
}

/// By way of a host of anybody's.
Frame source_routed(const Network& net, Attachment from, Random& random) {
  const Packet p = some_packet(net, random, from);
  const Bytes transport = write_transport(p);
  Bytes ip;
  if (p.src.v6) {
    Bytes routed;
    put(routed, p.protocol, 1);
    put(routed, 2, 1);
    put(routed, random.percent(50) ? 0x0001 : 0x0401, 2);  // type 0, or segments of type 4
    put(routed, 0, 4);
    put(routed, some_host(net, random, true));
    append(routed, transport);
    ip = write_ip(p.src, p.dst, 43, 64, 0, 0, routed);
  } else {
    ip = write_ip(p.src, p.dst, p.protocol, 64, p.tag, 0, {});
    put(ip, random.percent(50) ? 0x83 : 0x89, 1);  // loose, strict
    put(ip, 0x0704, 2);
    put(ip, some_host(net, random, false));
    put(ip, 0, 1);
    ip[0] = 0x47;
    set16(ip, 2, static_cast<uint16_t>(ip.size() + transport.size()));
    set16(ip, 10, 0);
    set16(ip, 10, internet_sum(ip));
    append(ip, transport);
  }
  return frame_to_hub(net, from, ip);
}

/// The underlay's packet of another attachment's tunnel, inside this one's.
Frame tunnel_inside(const Network& net, Attachment from, Random& random) {
  const Attachment other = some_attachment(net, random);
  Bytes wire = write(net, other, frame_to_hub(net, other, write(some_packet(net, random, other))));
  return frame_to_hub(net, from, slice(wire, 14, wire.size() - 14));
}

Frame broken(const Network& net, const Model& model, Attachment from, Random& random) {
  const Model::Session* s = model.session(random.below(1u << 30));
  Packet p =
      s != nullptr && random.percent(60) ? packet_of(net, *s, random).packet : some_packet(net, random, from);
  Frame f = frame_to_hub(net, from, write(p));
  const auto size = f.data.size();
  switch (random.below(4)) {
    case 0:
      f.data.resize(random.below(size + 1));
      break;
    case 1:
      f.data.resize(size + random.below(40));
      break;
    default:
      for (auto n = random.between(1, 4); n > 0; --n)
        f.data[random.below(random.percent(60) ? std::min<size_t>(size, 48) : size)] ^=
            static_cast<uint8_t>(1u << random.below(8));
  }
  return f;
}

}  // namespace

OddFrame odd_frame(const Network& net, const Model& model, Random& random) {
  OddFrame out;
  out.from = some_attachment(net, random);
  Attachment peer = out.from;
  Frame f;
  switch (random.below(9)) {
    case 0:
      out.words = "ARP";
      f = arp(net, out.from, random);
      break;
    case 1:
      out.words = "neighbour discovery";
      f = discovery(net, out.from, random);
      break;
    case 2:
      out.words = "to a group";
      f = to_group(net, out.from, random);
      break;
    case 3:
      out.words = "a frame without IP";
      f = no_ip(net, out.from, random);
      break;
    case 4:
      out.words = "a source route";
      f = source_routed(net, out.from, random);
      break;
    case 5:
      out.words = "a tunnel inside";
      f = tunnel_inside(net, out.from, random);
      break;
    case 6: {
      out.words = "in the name of another peer";
      f = frame_to_hub(net, out.from, write(some_packet(net, random, out.from)));
      const bool has_peer = net.tunnel_of(out.from).kind != TunnelKind::native;
      while (has_peer && peer == out.from && net.attachments.size() > 1) peer = some_attachment(net, random);
      const TunnelConfig& theirs = net.tunnel_of(peer);
      const TunnelConfig& own = net.tunnel_of(out.from);
      // Where nothing but the peer's address names a tunnel it is the peer's own.
      const bool unnumbered = own.kind == TunnelKind::ipip || own.kind == TunnelKind::gre;
      if (unnumbered && theirs.kind == own.kind && theirs.v6 == own.v6) out.from = peer;
      out.forged = peer != out.from;
      break;
    }
    case 7: {
      const Model::Session* s = model.session(random.below(1u << 30));
      out.words = "about somebody else's session";
      Packet p = s != nullptr ? error_about(net, *s, random).packet : some_packet(net, random, out.from);
      p.ttl = 64;
      f = frame_to_hub(net, out.from, write(p));
      break;
    }
    default:
      out.words = "a broken packet";
      f = broken(net, model, out.from, random);
  }
  if (!carries_ethernet(net.tunnel_of(out.from).kind)) f.dst = f.src = 0;
  out.wire = write(net, out.from, f, peer);
  return out;
}

}  // namespace weir::model
