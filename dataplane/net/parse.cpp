#include "dataplane/net/parse.h"

#include "dataplane/net/checksum.h"

namespace weir::net {

namespace {

template <typename Header>
const Header* header_at(Bytes bytes, size_t offset) {
  if (bytes.size() < offset + sizeof(Header)) return nullptr;
  return reinterpret_cast<const Header*>(bytes.data() + offset);
}

void fill_ipv4(const Ipv4Header& ip, IpView& out) {
  const uint16_t fragment = ip.fragment.host();
  out.family = Family::ipv4;
  out.protocol = ip.protocol;
  out.ttl = ip.ttl;
  out.tos = ip.tos;
  out.fragment = ip.is_fragment();
  out.first_fragment = (fragment & Ipv4Header::kOffsetMask) == 0;
  out.more_fragments = (fragment & Ipv4Header::kMoreFragments) != 0;
  out.fragment_id = ip.id.host();
  out.fragment_offset = static_cast<uint16_t>((fragment & Ipv4Header::kOffsetMask) * 8);
  out.fragment_data = out.l4_offset = ip.header_length();
  out.length = ip.total_length.host();
  out.src = Ipv4{ip.src.host()};
  out.dst = Ipv4{ip.dst.host()};
}

/// Walks the extension headers from `out.protocol` at `out.l4_offset` on, within `packet`.
ParseError walk_extensions(Bytes packet, IpView& out) {
  for (unsigned walked = 0;; ++walked) {
    switch (out.protocol) {
      case kProtoHopByHop:
        if (walked != 0) return ParseError::bad_header;  // RFC 8200 section 4.1: only first
        [[fallthrough]];
      case kProtoRouting:
      case kProtoDestOptions: {
        if (packet.size() < out.l4_offset + 8u) return ParseError::truncated;
        const uint8_t* header = packet.data() + out.l4_offset;
        const uint32_t size = (header[1] + 1u) * 8u;
        if (packet.size() < out.l4_offset + size) return ParseError::truncated;
        out.source_route |= out.protocol == kProtoRouting && header[3] != 0;
        out.protocol = header[0];
        out.l4_offset = static_cast<uint16_t>(out.l4_offset + size);
        break;
      }
      case kProtoFragment: {
        if (packet.size() < out.l4_offset + 8u) return ParseError::truncated;
        const uint8_t* header = packet.data() + out.l4_offset;
        const uint16_t offset_more = static_cast<uint16_t>(header[2] << 8 | header[3]);
        out.fragment = (offset_more & ~6u) != 0;  // an atomic fragment (RFC 6946) is a whole packet
        out.first_fragment = (offset_more >> 3) == 0;
        out.more_fragments = (offset_more & 1) != 0;
        out.fragment_offset = offset_more & 0xfff8;
        out.fragment_id = static_cast<uint32_t>(header[4]) << 24 | static_cast<uint32_t>(header[5]) << 16 |
                          static_cast<uint32_t>(header[6]) << 8 | header[7];
        out.protocol = header[0];
        out.fragment_data = out.l4_offset = static_cast<uint16_t>(out.l4_offset + 8);
        if (!out.first_fragment) return ParseError::none;  // what follows is data, not a header
        break;
      }
      default:
        return ParseError::none;
    }
    if (walked + 1 == kMaxExtensionHeaders) return ParseError::extension_headers;
  }
}

/// Walks the options of an IPv4 header (RFC 791 section 3.1). False: an option's length is wrong.
bool walk_options(Bytes options, IpView& out) {
  constexpr uint8_t kEnd = 0, kNop = 1, kLooseSourceRoute = 131, kStrictSourceRoute = 137;
  while (!options.empty() && options[0] != kEnd) {
    if (options[0] == kNop) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) return false;
    out.source_route |= options[0] == kLooseSourceRoute || options[0] == kStrictSourceRoute;
    options = options.subspan(options[1]);
  }
  return true;
}

bool has_ports(uint8_t protocol) { return protocol == kProtoTcp || protocol == kProtoUdp; }
bool is_icmp_of(Family family, uint8_t protocol) {
  return family == Family::ipv4 ? protocol == kProtoIcmp : protocol == kProtoIcmpv6;
}

ParseError parse_icmp(Bytes packet, const IpView& ip, L4View& out) {
  const auto* icmp = header_at<IcmpHeader>(packet, ip.l4_offset);
  if (icmp == nullptr) return ParseError::truncated;
  out.icmp_type = icmp->type;
  out.icmp_code = icmp->code;
  out.icmp = icmp_kind(ip.family, icmp->type);
  if (has_icmp_identifier(ip.family, icmp->type)) out.src_port = out.dst_port = icmp->id.host();
  out.payload_offset = static_cast<uint16_t>(ip.l4_offset + sizeof(IcmpHeader));
  return ParseError::none;
}

}  // namespace

IcmpKind icmp_kind(Family family, uint8_t type) {
  if (family == Family::ipv6) {
    if (type < 128) return IcmpKind::error;  // RFC 4443 section 2.1
    if (type == kIcmpv6Echo || type == kIcmpv6NodeQuery) return IcmpKind::query;
    return type == kIcmpv6EchoReply || type == kIcmpv6NodeReply ? IcmpKind::reply : IcmpKind::other;
  }
  constexpr uint8_t kSourceQuench = 4;  // long dead, still an error
  switch (type) {
    case kIcmpUnreachable:
    case kSourceQuench:
    case kIcmpRedirect:
    case kIcmpTimeExceeded:
    case kIcmpParameter:
      return IcmpKind::error;
    case kIcmpEcho:
    case kIcmpTimestamp:
    case kIcmpInformation:
    case kIcmpAddressMask:
      return IcmpKind::query;
    case kIcmpEchoReply:
    case kIcmpTimestampReply:
    case kIcmpInformationReply:
    case kIcmpAddressMaskReply:
      return IcmpKind::reply;
    default:
      return IcmpKind::other;
  }
}

uint8_t icmp_query_of(Family family, uint8_t reply) {
  if (family == Family::ipv4 && reply == kIcmpEchoReply) return kIcmpEcho;
  return static_cast<uint8_t>(reply - 1);
}

bool has_icmp_identifier(Family family, uint8_t type) {
  const IcmpKind kind = icmp_kind(family, type);
  const bool node_information = family == Family::ipv6 && type >= kIcmpv6NodeQuery;
  return (kind == IcmpKind::query || kind == IcmpKind::reply) && !node_information;
}

std::optional<size_t> find_tcp_option(Bytes header, uint8_t kind, uint8_t length) {
  constexpr uint8_t kEnd = 0, kNop = 1;
  for (size_t at = sizeof(TcpHeader); at < header.size() && header[at] != kEnd;) {
    if (header[at] == kNop) {
      ++at;
      continue;
    }
    if (at + 2 > header.size()) return std::nullopt;
    const uint8_t size = header[at + 1];
    if (size < 2 || at + size > header.size()) return std::nullopt;
    if (header[at] == kind && size == length) return at;
    at += size;
  }
  return std::nullopt;
}

ParseError parse_ethernet(Bytes frame, EthView& out) {
  const auto* eth = header_at<EthHeader>(frame, 0);
  if (eth == nullptr) return ParseError::truncated;
  out = {eth->type.host(), sizeof(EthHeader), false};
  for (int tags = 0; tags < 2 && (out.type == kEtherVlan || out.type == kEtherQinQ); ++tags) {
    const auto* tag = header_at<VlanTag>(frame, out.offset);
    if (tag == nullptr) return ParseError::truncated;
    out.type = tag->type.host();
    out.offset = static_cast<uint16_t>(out.offset + sizeof(VlanTag));
    out.tagged = true;
  }
  return ParseError::none;
}

ParseError parse_vlan_tags(Bytes frame, VlanView& out) {
  EthView eth;
  if (const auto error = parse_ethernet(frame, eth); error != ParseError::none) return error;
  out = {};
  out.length = static_cast<uint16_t>(eth.offset - sizeof(EthHeader));
  const auto id_at = [&](size_t tag) {
    const auto* header =
        reinterpret_cast<const VlanTag*>(frame.data() + sizeof(EthHeader) + tag * sizeof(VlanTag));
    return static_cast<uint16_t>(header->tci.host() & 0xfff);
  };
  if (out.length == 2 * sizeof(VlanTag)) out.outer = id_at(0);
  if (out.length != 0) out.inner = id_at(out.length / sizeof(VlanTag) - 1);
  return ParseError::none;
}

ParseError parse_ipv4(Bytes packet, IpView& out) {
  const auto* ip = header_at<Ipv4Header>(packet, 0);
  if (ip == nullptr) return ParseError::truncated;
  const uint8_t header = ip->header_length();
  if (ip->version() != 4 || header < sizeof(Ipv4Header)) return ParseError::bad_header;
  const uint16_t total = ip->total_length.host();
  if (total < header) return ParseError::bad_header;
  if (packet.size() < total) return ParseError::truncated;
  if (checksum(packet.first(header)) != 0) return ParseError::bad_header;
  out = {};
  fill_ipv4(*ip, out);
  return walk_options(packet.subspan(sizeof(Ipv4Header), header - sizeof(Ipv4Header)), out)
             ? ParseError::none
             : ParseError::bad_header;
}

ParseError parse_ipv6(Bytes packet, IpView& out) {
  const auto* ip = header_at<Ipv6Header>(packet, 0);
  if (ip == nullptr) return ParseError::truncated;
  if (ip->version() != 6) return ParseError::bad_header;
  const uint32_t total = sizeof(Ipv6Header) + ip->payload_length.host();
  if (packet.size() < total) return ParseError::truncated;
  out = {};
  out.family = Family::ipv6;
  out.protocol = ip->next_header;
  out.ttl = ip->hop_limit;
  out.tos = static_cast<uint8_t>(ip->version_class_flow.host() >> 20);
  out.l4_offset = sizeof(Ipv6Header);
  out.length = total;
  out.src = Ipv6::load(ip->src);
  out.dst = Ipv6::load(ip->dst);
  return walk_extensions(packet.first(total), out);
}

ParseError parse_l4(Bytes packet, const IpView& ip, L4View& out) {
  out = {};
  const Bytes whole = packet.first(ip.length);
  out.payload_offset = ip.l4_offset;
  if (ip.protocol == kProtoTcp) {
    const auto* tcp = header_at<TcpHeader>(whole, ip.l4_offset);
    if (tcp == nullptr) return ParseError::truncated;
    const uint8_t size = tcp->header_length();
    if (size < sizeof(TcpHeader)) return ParseError::bad_header;
    if (whole.size() < ip.l4_offset + size) return ParseError::truncated;
    out.src_port = tcp->src_port.host();
    out.dst_port = tcp->dst_port.host();
    out.tcp_flags = tcp->flags;
    out.payload_offset = static_cast<uint16_t>(ip.l4_offset + size);
  } else if (ip.protocol == kProtoUdp) {
    const auto* udp = header_at<UdpHeader>(whole, ip.l4_offset);
    if (udp == nullptr) return ParseError::truncated;
    const uint16_t length = udp->length.host();
    if (length < sizeof(UdpHeader)) return ParseError::bad_header;
    // A first fragment holds less than the datagram's length.
    if (!ip.fragment && whole.size() < ip.l4_offset + size_t{length}) return ParseError::truncated;
    out.src_port = udp->src_port.host();
    out.dst_port = udp->dst_port.host();
    out.payload_offset = static_cast<uint16_t>(ip.l4_offset + sizeof(UdpHeader));
  } else if (is_icmp_of(ip.family, ip.protocol)) {
    return parse_icmp(whole, ip, out);
  }
  return ParseError::none;
}

ParseError parse_quoted(Bytes quote, Family family, QuotedView& out) {
  out = {};
  if (family == Family::ipv4) {
    const auto* ip = header_at<Ipv4Header>(quote, 0);
    if (ip == nullptr) return ParseError::truncated;
    if (ip->version() != 4 || ip->header_length() < sizeof(Ipv4Header)) return ParseError::bad_header;
    if (quote.size() < ip->header_length()) return ParseError::truncated;
    fill_ipv4(*ip, out.ip);
  } else {
    const auto* ip = header_at<Ipv6Header>(quote, 0);
    if (ip == nullptr) return ParseError::truncated;
    if (ip->version() != 6) return ParseError::bad_header;
    out.ip.family = Family::ipv6;
    out.ip.protocol = ip->next_header;
    out.ip.ttl = ip->hop_limit;
    out.ip.tos = static_cast<uint8_t>(ip->version_class_flow.host() >> 20);
    out.ip.l4_offset = sizeof(Ipv6Header);
    out.ip.length = sizeof(Ipv6Header) + ip->payload_length.host();
    out.ip.src = Ipv6::load(ip->src);
    out.ip.dst = Ipv6::load(ip->dst);
    if (const ParseError error = walk_extensions(quote, out.ip); error != ParseError::none) return error;
  }
  if (!out.ip.first_fragment) return ParseError::bad_header;  // an error about it names no session
  if (has_ports(out.ip.protocol)) {
    const auto* udp = header_at<UdpHeader>(quote, out.ip.l4_offset);
    if (udp == nullptr) return ParseError::truncated;
    out.src_port = udp->src_port.host();
    out.dst_port = udp->dst_port.host();
  } else if (is_icmp_of(family, out.ip.protocol)) {
    const auto* icmp = header_at<IcmpHeader>(quote, out.ip.l4_offset);
    if (icmp == nullptr) return ParseError::truncated;
    if (icmp_kind(family, icmp->type) == IcmpKind::error)
      return ParseError::bad_header;  // RFC 1122: no errors about errors
    if (has_icmp_identifier(family, icmp->type)) out.src_port = out.dst_port = icmp->id.host();
  }
  return ParseError::none;
}

}  // namespace weir::net
