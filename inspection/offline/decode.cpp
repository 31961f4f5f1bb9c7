#include "inspection/offline/decode.h"

#include <pcap/dlt.h>

#include <algorithm>
#include <vector>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/reassembled.h"
#include "inspection/engine/header_events.h"

namespace weir::inspection::offline {

namespace {

using Bytes = std::span<const uint8_t>;

constexpr uint16_t kEtherMpls = 0x8847, kEtherMplsMulticast = 0x8848, kEtherPppoeSession = 0x8864,
                   kEtherQinQOld = 0x9100, kEtherErspan2 = 0x88be, kEtherErspan3 = 0x22eb,
                   kEtherGrePpp = 0x880b;
constexpr uint8_t kProtoSctp = 132;

uint16_t u16(Bytes bytes, size_t at) { return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]); }
uint32_t u32(Bytes bytes, size_t at) { return uint32_t{u16(bytes, at)} << 16 | u16(bytes, at + 2); }

template <typename Header>
const Header* header_at(Bytes bytes, size_t at = 0) {
  if (bytes.size() < at || bytes.size() - at < sizeof(Header)) return nullptr;
  return reinterpret_cast<const Header*>(bytes.data() + at);
}

}  // namespace

void Decoder::decode(const Frame& frame, int link_type) {
  frame_ = frame.bytes;
  time_ns_ = frame.time_ns;
  number_ = frame.number;
  link_type_ = link_type;
  ++counters_.packets;
  counters_.bytes += frame.bytes.size();
  counters_.max_size = std::max(counters_.max_size, uint64_t{frame.bytes.size()});
  link(frame.bytes, link_type, {});
}

void Decoder::link(Bytes bytes, int link_type, Context context) {
  switch (link_type) {
    case DLT_EN10MB:
      ++counters_.ethernet;
      return ethernet(bytes, context);
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
      ++counters_.raw;
      return ip(bytes, context);
    case DLT_NULL:  // the family in the byte order of who captured; its value differs by system for IPv6
    case DLT_LOOP:
      ++counters_.null_link;
      if (bytes.size() > 4) ip(bytes.subspan(4), context);
      return;
    case DLT_LINUX_SLL:
      ++counters_.sll;
      if (bytes.size() > 16) by_type(u16(bytes, 14), bytes.subspan(16), context);
      return;
    case DLT_LINUX_SLL2:
      ++counters_.sll;
      if (bytes.size() > 20) by_type(u16(bytes, 0), bytes.subspan(20), context);
      return;
    case DLT_PPP:
    case DLT_PPP_SERIAL:
      return ppp(bytes, context);
    case DLT_C_HDLC:
      if (bytes.size() > 4) by_type(u16(bytes, 2), bytes.subspan(4), context);
      return;
    default:
      ++counters_.invalid;
  }
}

void Decoder::ethernet(Bytes bytes, Context context) {
  const auto* eth = header_at<net::EthHeader>(bytes);
  if (eth == nullptr) return broken(PacketEvent::ethernet_pkt_too_small, context);
  by_type(eth->type.host(), bytes.subspan(sizeof *eth), context);
}

void Decoder::by_type(uint16_t type, Bytes bytes, Context context) {
  switch (type) {
    case net::kEtherIpv4:
      return ipv4(bytes, context);
    case net::kEtherIpv6:
      return ipv6(bytes, context);
    case net::kEtherVlan:
    case net::kEtherQinQ:
    case kEtherQinQOld:
      return vlan(bytes, context);
    case kEtherMpls:
    case kEtherMplsMulticast:
      return mpls(bytes, context);
    case kEtherPppoeSession:
      return pppoe(bytes, context);
    case net::kEtherBridged:
      if (context.level < kMaxLevel) ethernet(bytes, context);
      return;
    default:
      return;  // ARP and others: no IP packet
  }
}

void Decoder::vlan(Bytes bytes, Context context) {
  const auto* tag = header_at<net::VlanTag>(bytes);
  if (tag == nullptr) return broken(PacketEvent::vlan_header_too_small, context);
  if (context.vlan_count == 3) return broken(PacketEvent::vlan_too_many_layers, context);
  ++(context.vlan_count == 0 ? counters_.vlan : counters_.vlan_qinq);
  context.vlans[context.vlan_count++] = static_cast<uint16_t>(tag->tci.host() & 0xfff);
  by_type(tag->type.host(), bytes.subspan(sizeof *tag), context);
}

void Decoder::mpls(Bytes bytes, Context context) {
  ++counters_.mpls;
  for (;;) {
    if (bytes.size() < 4) return broken(PacketEvent::mpls_header_too_small, context);
    const bool bottom = (bytes[2] & 1) != 0;
    bytes = bytes.subspan(4);
    if (bottom) break;
  }
  // What is carried is not named (RFC 3032 section 2.2): told by its first nibble, as others do; a pseudowire
  // has a control word of zero (RFC 4385), or begins with the frame at once.
  if (bytes.empty()) return;
  const uint8_t first = bytes[0] >> 4;
  if (first == 4) return ipv4(bytes, context);
  if (first == 6) return ipv6(bytes, context);
  if (first == 0 && bytes.size() > 4 && u32(bytes, 0) == 0) return ethernet(bytes.subspan(4), context);
  ethernet(bytes, context);
}

void Decoder::ppp(Bytes bytes, Context context) {
  if (bytes.size() >= 2 && bytes[0] == 0xff && bytes[1] == 0x03) bytes = bytes.subspan(2);
  if (bytes.empty()) return;
  // A protocol field of one byte is odd (RFC 1661 section 6.5).
  const bool compressed = (bytes[0] & 1) != 0;
  if (!compressed && bytes.size() < 2) return;
  const uint16_t protocol = compressed ? bytes[0] : u16(bytes, 0);
  bytes = bytes.subspan(compressed ? 1 : 2);
  if (protocol == 0x0021 || protocol == 0x002d || protocol == 0x002f) return ipv4(bytes, context);
  if (protocol == 0x0057) return ipv6(bytes, context);
}

void Decoder::pppoe(Bytes bytes, const Context& context) {
  if (bytes.size() > 6) ppp(bytes.subspan(6), context);
}

void Decoder::ip(Bytes bytes, const Context& context) {
  if (bytes.empty()) return;
  const uint8_t version = bytes[0] >> 4;
  if (version == 4) return ipv4(bytes, context);
  if (version == 6) return ipv6(bytes, context);
  ++counters_.invalid;
}

EnginePacket Decoder::make(const Context& context) const {
  EnginePacket packet;
  packet.view.time_ns = time_ns_;
  packet.view.wall_seconds = time_ns_ / 1'000'000'000;
  packet.view.number = number_;
  packet.view.frame = frame_;
  std::copy_n(context.vlans, 3, packet.view.vlans);
  packet.view.vlan_count = context.vlan_count;
  packet.view.fragment_rebuilt = context.rebuilt;
  packet.source = context.rebuilt ? PacketSource::defrag : context.source;
  packet.level = context.level;
  packet.outer = context.outer;
  packet.link_type = static_cast<uint16_t>(link_type_);
  return packet;
}

void Decoder::broken(PacketEvent event, const Context& context) {
  ++counters_.invalid;
  EnginePacket packet = make(context);
  packet.view.invalid = true;
  packet.view.events.raise(event);
  taker_.take(packet);
}

void Decoder::ipv4(Bytes bytes, const Context& context) {
  const auto* header = header_at<net::Ipv4Header>(bytes);
  if (header == nullptr) return broken(PacketEvent::ipv4_pkt_too_small, context);
  if (header->version() != 4) return broken(PacketEvent::ipv4_wrong_ip_version, context);
  if (header->header_length() < sizeof *header) return broken(PacketEvent::ipv4_hlen_too_small, context);
  if (header->total_length.host() < header->header_length())
    return broken(PacketEvent::ipv4_iplen_smaller_than_hlen, context);
  if (header->total_length.host() > bytes.size()) return broken(PacketEvent::ipv4_trunc_pkt, context);
  ++counters_.ipv4;
  EnginePacket packet = make(context);
  PacketView& view = packet.view;
  view.ip = bytes.first(header->total_length.host());
  view.ip_header = view.ip.first(header->header_length());
  view.src = net::Ipv4{header->src.host()};
  view.dst = net::Ipv4{header->dst.host()};
  view.protocol = header->protocol;
  packet.ttl = header->ttl;
  packet.ip_id = header->id.host();
  if (header->is_fragment()) {
    FragmentPiece piece;
    piece.src = view.src;
    piece.dst = view.dst;
    piece.id = packet.ip_id;
    piece.protocol = piece.next_header = header->protocol;
    piece.offset = (header->fragment.host() & net::Ipv4Header::kOffsetMask) * 8u;
    piece.more = (header->fragment.host() & net::Ipv4Header::kMoreFragments) != 0;
    piece.header = view.ip_header;
    piece.data = view.ip.subspan(header->header_length());
    whole(packet, piece, context);
    return;
  }
  l4(packet, context);
}

void Decoder::ipv6(Bytes bytes, const Context& context) {
  const auto* header = header_at<net::Ipv6Header>(bytes);
  if (header == nullptr) return broken(PacketEvent::ipv6_pkt_too_small, context);
  if (header->version() != 6) return broken(PacketEvent::ipv6_wrong_ip_version, context);
  const size_t total = sizeof *header + header->payload_length.host();
  if (total > bytes.size()) return broken(PacketEvent::ipv6_trunc_pkt, context);
  const PacketEvents events = extension_events(bytes.first(total));
  net::IpView ip;
  if (net::parse_ipv6(bytes, ip) != net::ParseError::none) {
    // The addresses are there; the chain of headers behind them is not to be read.
    ++counters_.invalid;
    EnginePacket packet = make(context);
    packet.view.ip = packet.view.ip_header = bytes.first(total);
    packet.view.src = net::Ipv6::load(header->src);
    packet.view.dst = net::Ipv6::load(header->dst);
    packet.view.protocol = header->next_header;
    packet.view.events = events;
    packet.l4_broken = true;
    taker_.take(packet);
    return;
  }
  ++counters_.ipv6;
  EnginePacket packet = make(context);
  PacketView& view = packet.view;
  view.ip = bytes.first(ip.length);
  view.src = ip.src;
  view.dst = ip.dst;
  view.protocol = ip.protocol;
  view.events = events;
  packet.ttl = ip.ttl;
  view.ip_header = view.ip.first(std::min<size_t>(ip.l4_offset, view.ip.size()));
  if (ip.fragment && (ip.more_fragments || ip.fragment_offset != 0)) {
    FragmentPiece piece;
    piece.src = ip.src;
    piece.dst = ip.dst;
    piece.id = ip.fragment_id;
    piece.offset = ip.fragment_offset;
    piece.more = ip.more_fragments;
    if (ip.fragment_data > view.ip.size() || ip.fragment_data < 8) return;
    // What precedes the fragment header; the field that names it is overwritten when the datagram is built.
    piece.header = view.ip.first(ip.fragment_data - 8u);
    piece.next_header = view.ip[ip.fragment_data - 8u];
    piece.data = view.ip.subspan(ip.fragment_data);
    whole(packet, piece, context);
    return;
  }
  l4(packet, context);
}

bool Decoder::whole(EnginePacket& packet, const FragmentPiece& given, const Context& context) {
  FragmentPiece piece = given;
  piece.level = context.level;
  piece.vlan = context.vlan_count > 0 ? context.vlans[0] : uint16_t{0};
  std::vector<uint8_t> header, payload;
  uint8_t next_header = 0;
  bool overlap = false, too_large = false;
  const bool complete =
      defragmenter_.add(piece, time_ns_, {header, payload, next_header, overlap, too_large});
  const bool ipv4 = packet.view.src.is_v4();
  if (overlap)
    packet.view.events.raise(ipv4 ? PacketEvent::ipv4_frag_overlap : PacketEvent::ipv6_frag_overlap);
  if (too_large) {
    packet.view.events.raise(ipv4 ? PacketEvent::ipv4_frag_pkt_too_large
                                  : PacketEvent::ipv6_frag_pkt_too_large);
  }
  if (complete && context.level < kMaxLevel && header.size() + payload.size() <= 65'535) {
    net::make_whole(header, next_header, static_cast<uint32_t>(payload.size()));
    header.insert(header.end(), payload.begin(), payload.end());
    Context rebuilt = context;
    rebuilt.rebuilt = true;
    ipv4 ? this->ipv4(header, rebuilt) : ipv6(header, rebuilt);
  }
  packet.fragment = true;
  taker_.take(packet);
  return complete;
}

bool Decoder::checksum_right(const EnginePacket& packet, Bytes l4) const {
  if (!settings_.checksums) return true;
  return net::transport_checksum(packet.view.ip_header, packet.view.protocol, l4) == 0;
}

void Decoder::l4(EnginePacket& packet, const Context& context) {
  PacketView& view = packet.view;
  const Bytes l4 = view.ip.subspan(std::min(view.ip_header.size(), view.ip.size()));
  view.payload = l4;
  switch (view.protocol) {
    case net::kProtoTcp:
      ++counters_.tcp;
      tcp(packet);
      break;
    case net::kProtoUdp:
      ++counters_.udp;
      udp(packet, context);
      break;
    case net::kProtoIcmp:
    case net::kProtoIcmpv6: {
      if ((view.protocol == net::kProtoIcmp) != view.src.is_v4()) break;
      ++(view.src.is_v4() ? counters_.icmpv4 : counters_.icmpv6);
      const auto* icmp = header_at<net::IcmpHeader>(l4);
      packet.l4_broken = icmp == nullptr;
      if (icmp == nullptr) {
        view.events.raise(view.src.is_v4() ? PacketEvent::icmpv4_pkt_too_small
                                           : PacketEvent::icmpv6_pkt_too_small);
        break;
      }
      packet.checksum_bad = !checksum_right(packet, l4);
      packet.icmp_type = icmp->type;
      packet.icmp_code = icmp->code;
      view.l4_header = l4.first(std::min(icmp_header_size(view.src.is_v4(), l4), l4.size()));
      view.payload = l4.subspan(sizeof *icmp);
      break;
    }
    case kProtoSctp:
      ++counters_.sctp;
      packet.l4_broken = l4.size() < 12;
      if (packet.l4_broken) break;
      view.src_port = u16(l4, 0);
      view.dst_port = u16(l4, 2);
      view.l4_header = l4.first(12);
      view.payload = l4.subspan(12);
      break;
    default:
      carried(packet, context);
  }
  if (packet.l4_broken) {
    ++counters_.invalid;
    view.payload = {};
  }
  taker_.take(packet);
}

void Decoder::tcp(EnginePacket& packet) {
  PacketView& view = packet.view;
  const Bytes l4 = view.payload;
  const auto* header = header_at<net::TcpHeader>(l4);
  packet.l4_broken = true;
  if (header == nullptr) return view.events.raise(PacketEvent::tcp_pkt_too_small);
  // In this order, and by these names, Suricata tells of them.
  if (header->header_length() > l4.size()) return view.events.raise(PacketEvent::tcp_hlen_too_small);
  if (header->header_length() < sizeof *header) return view.events.raise(PacketEvent::tcp_invalid_optlen);
  packet.l4_broken = false;
  packet.checksum_bad = !checksum_right(packet, l4);
  view.src_port = header->src_port.host();
  view.dst_port = header->dst_port.host();
  view.seq = header->seq.host();
  view.ack = header->ack.host();
  view.window = header->window.host();
  view.tcp_flags = header->flags;
  packet.urgent = header->urgent.host();
  view.l4_header = l4.first(header->header_length());
  view.payload = l4.subspan(header->header_length());
  if (const auto at = net::find_tcp_option(view.l4_header, 8, 10)) {
    packet.has_timestamp = true;
    packet.timestamp = u32(view.l4_header, *at + 2);
    packet.timestamp_echo = u32(view.l4_header, *at + 6);
  }
  if (const auto at = net::find_tcp_option(view.l4_header, 3, 3)) {
    packet.has_wscale = true;
    packet.wscale = std::min<uint8_t>(view.l4_header[*at + 2], 14);  // RFC 7323 section 2.3
  }
}

void Decoder::udp(EnginePacket& packet, const Context& context) {
  PacketView& view = packet.view;
  const Bytes l4 = view.payload;
  const auto* header = header_at<net::UdpHeader>(l4);
  packet.l4_broken = header == nullptr;
  if (packet.l4_broken) return view.events.raise(PacketEvent::udp_pkt_too_small);
  const size_t length = header->length.host();
  packet.l4_broken = length < sizeof *header || length > l4.size();
  if (packet.l4_broken) return view.events.raise(PacketEvent::udp_len_invalid);
  packet.checksum_bad = header->checksum.raw() != 0 && !checksum_right(packet, l4.first(length));
  view.src_port = header->src_port.host();
  view.dst_port = header->dst_port.host();
  view.l4_header = l4.first(sizeof *header);
  view.payload = l4.subspan(sizeof *header, length - sizeof *header);
  udp_tunnel(packet, context);
}

Decoder::Context Decoder::inside(const EnginePacket& packet, const Context& context,
                                 PacketSource source) const {
  Context inner = context;
  inner.outer = &packet;
  inner.source = source;
  inner.rebuilt = false;
  inner.level = static_cast<uint8_t>(context.level + 1);
  return inner;
}

bool Decoder::udp_tunnel(const EnginePacket& packet, const Context& context) {
  const PacketView& view = packet.view;
  if (context.level >= kMaxLevel) return false;
  const auto port = [&](uint16_t wanted) { return view.dst_port == wanted || view.src_port == wanted; };
  const Bytes payload = view.payload;
  if (settings_.vxlan && view.dst_port == settings_.vxlan_port) {
    // Flags but the I bit are reserved; a wrong next protocol would not be an Ethernet frame.
    if (payload.size() < 8 + sizeof(net::EthHeader) || (payload[0] & net::VxlanHeader::kValidVni) == 0)
      return false;
    ++counters_.vxlan;
    ethernet(payload.subspan(8), inside(packet, context, PacketSource::vxlan));
    return true;
  }
  if (settings_.geneve && port(settings_.geneve_port)) {
    const auto* header = header_at<net::GeneveHeader>(payload);
    if (header == nullptr || header->version() != 0) return false;
    const size_t size = sizeof *header + header->options_length();
    if (size > payload.size()) return false;
    ++counters_.geneve;
    by_type(header->protocol.host(), payload.subspan(size), inside(packet, context, PacketSource::geneve));
    return true;
  }
  if (settings_.teredo && view.src.is_v4() && port(settings_.teredo_port))
    return teredo(packet, inside(packet, context, PacketSource::teredo));
  return false;
}

bool Decoder::teredo(const EnginePacket& packet, Context inner) {
  Bytes bytes = packet.view.payload;
  // Authentication and origin indications may stand before the packet (RFC 4380 section 5.1.1).
  if (bytes.size() > 4 && bytes[0] == 0 && bytes[1] == 1) {
    const size_t size = 13u + bytes[2] + bytes[3];
    if (size > bytes.size()) return false;
    bytes = bytes.subspan(size);
  }
  if (bytes.size() > 8 && bytes[0] == 0 && bytes[1] == 0) bytes = bytes.subspan(8);
  net::IpView ip;
  if (bytes.size() < 40 || bytes[0] >> 4 != 6 || net::parse_ipv6(bytes, ip) != net::ParseError::none)
    return false;
  // To be believed it has to be exactly the rest of the datagram.
  if (ip.length != bytes.size()) return false;
  ++counters_.teredo;
  ipv6(bytes, inner);
  return true;
}

void Decoder::carried(const EnginePacket& packet, const Context& context) {
  if (context.level >= kMaxLevel) return;
  const Bytes bytes = packet.view.payload;
  const bool v6 = !packet.view.src.is_v4();
  switch (packet.view.protocol) {
    case net::kProtoIpv4:
      if (v6) ++counters_.ipv4_in_ipv6;
      return ipv4(bytes, inside(packet, context, PacketSource::ipv4_in_ip));
    case net::kProtoIpv6:
      if (v6) ++counters_.ipv6_in_ipv6;
      return ipv6(bytes, inside(packet, context, PacketSource::ipv6_in_ip));
    case net::kProtoGre:
      return gre(packet, context);
    default:
      return;
  }
}

void Decoder::gre(const EnginePacket& packet, const Context& context) {
  const Bytes bytes = packet.view.payload;
  const auto* header = header_at<net::GreHeader>(bytes);
  if (header == nullptr) {
    ++counters_.invalid;
    return;
  }
  ++counters_.gre;
  const uint16_t flags = header->flags.host();
  Context inner = inside(packet, context, PacketSource::gre);
  if ((flags & net::GreHeader::kVersion) == 1) return gre_version1(bytes, inner);
  if ((flags & net::GreHeader::kVersion) != 0) return;
  size_t size = sizeof *header;
  constexpr uint16_t kRouting = 0x4000;
  if ((flags & (net::GreHeader::kChecksum | kRouting)) != 0) size += 4;
  if ((flags & net::GreHeader::kKey) != 0) size += 4;
  if ((flags & net::GreHeader::kSequence) != 0) size += 4;
  if ((flags & kRouting) != 0) {
    // Source route entries up to one of no length (RFC 1701).
    for (;;) {
      if (size + 4 > bytes.size()) return;
      const size_t entry = bytes[size + 3];
      const bool last = u16(bytes, size) == 0 && entry == 0;
      size += 4 + (last ? 0 : entry);
      if (last) break;
    }
  }
  if (size > bytes.size()) {
    ++counters_.invalid;
    return;
  }
  const Bytes rest = bytes.subspan(size);
  switch (header->protocol.host()) {
    case kEtherErspan2:
      // Type I has no sequence number and no header of its own; type II has both.
      inner.source = PacketSource::erspan;
      if ((flags & net::GreHeader::kSequence) == 0) {
        if (!settings_.erspan_type1) return;
        ++counters_.erspan;
        return ethernet(rest, inner);
      }
      if (rest.size() > 8) ++counters_.erspan, ethernet(rest.subspan(8), inner);
      return;
    case kEtherErspan3:
      inner.source = PacketSource::erspan;
      // An optional sub-header of 8 bytes is announced by the O bit.
      if (rest.size() > 12) {
        const size_t skip = 12u + ((rest[11] & 1) != 0 ? 8u : 0u);
        if (rest.size() > skip) ++counters_.erspan, ethernet(rest.subspan(skip), inner);
      }
      return;
    default:
      return by_type(header->protocol.host(), rest, inner);
  }
}

void Decoder::gre_version1(Bytes bytes, Context inner) {
  // PPTP (RFC 2637): key always, sequence and acknowledgement by their bits, PPP inside.
  constexpr uint16_t kAck = 0x0080;
  const uint16_t flags = u16(bytes, 0);
  size_t size = 8;
  if ((flags & net::GreHeader::kSequence) != 0) size += 4;
  if ((flags & kAck) != 0) size += 4;
  if (u16(bytes, 2) != kEtherGrePpp || bytes.size() <= size) return;
  ppp(bytes.subspan(size), inner);
}

}  // namespace weir::inspection::offline
