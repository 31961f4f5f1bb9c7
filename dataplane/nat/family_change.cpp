#include "dataplane/nat/family_change.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace weir::dataplane {

namespace {

using net::be16;
using net::be32;

constexpr uint16_t kFragmentHeader = 8;
constexpr uint16_t kMaxError4 = 576;  // RFC 1812 section 4.3.2.3
/// An IPv4 packet of this size and less may be cut: its IPv6 sender will not be told of a smaller MTU than
/// kLeastMtu6 (RFC 7915 section 5.1).
constexpr uint32_t kMayBeCut = kLeastMtu6 - kFamilyDifference;

/// Where what goes along begins: the transport header, or a fragment's piece.
uint16_t start_of(const net::IpView& ip) { return ip.fragment ? ip.fragment_data : ip.l4_offset; }

/// The one's complement sum of what came less what went (net::checksum_change()).
class Change {
 public:
  void came(std::span<const uint8_t> bytes) { sum_ = net::checksum_add(sum_, bytes); }
  void came(uint32_t word) { sum_ += be32::of(word).raw(); }
  void went(std::span<const uint8_t> bytes) {
    for (size_t i = 0; i < bytes.size(); i += 2) {
      uint16_t word;
      std::memcpy(&word, &bytes[i], sizeof word);
      sum_ += static_cast<uint16_t>(~word);
    }
  }
  void went(uint32_t word) { sum_ += static_cast<uint32_t>(~be32::of(word).raw()); }
  void replace(be16& at, uint16_t by) {
    sum_ += net::checksum_change(at.raw(), be16::of(by).raw());
    at = be16::of(by);
  }
  uint64_t sum() const { return sum_; }

 private:
  uint64_t sum_ = 0;
};

std::span<const uint8_t> addresses_of(const uint8_t* header) {
  const bool v4 = header[0] >> 4 == 4;
  return v4 ? std::span(header + offsetof(net::Ipv4Header, src), 8)
            : std::span(header + offsetof(net::Ipv6Header, src), 32);
}

void write_header4(const net::IpView& ip, uint32_t payload, const Tuple& to, uint16_t id, OtherHeader& out) {
  net::Ipv4Header header{};
  const uint32_t total = sizeof header + payload;
  header.version_ihl = 0x45;
  header.tos = ip.tos;
  header.total_length = be16::of(static_cast<uint16_t>(total));
  if (ip.fragment) {
    header.id = be16::of(static_cast<uint16_t>(ip.fragment_id));
    header.fragment = be16::of(static_cast<uint16_t>(
        ip.fragment_offset / 8 | (ip.more_fragments ? net::Ipv4Header::kMoreFragments : 0)));
  } else if (total <= kMayBeCut) {
    header.id = be16::of(id);
  } else {
    header.fragment = be16::of(net::Ipv4Header::kDontFragment);
  }
  header.ttl = ip.ttl;
  header.protocol = to.protocol;
  header.src = to.src.v4().be();
  header.dst = to.dst.v4().be();
  std::memcpy(out.bytes.data(), &header, sizeof header);
  header.checksum = be16::raw(net::checksum({out.bytes.data(), sizeof header}));
  std::memcpy(out.bytes.data(), &header, sizeof header);
  out.length = sizeof header;
}

void write_header6(const net::IpView& ip, uint32_t payload, const Tuple& to, OtherHeader& out) {
  net::Ipv6Header header{};
  out.length = static_cast<uint16_t>(sizeof header + (ip.fragment ? kFragmentHeader : 0));
  header.version_class_flow = be32::of(6u << 28 | uint32_t{ip.tos} << 20);
  header.payload_length = be16::of(static_cast<uint16_t>(payload + out.length - sizeof header));
  header.next_header = ip.fragment ? uint8_t{net::kProtoFragment} : to.protocol;
  header.hop_limit = ip.ttl;
  to.src.v6().store(header.src);
  to.dst.v6().store(header.dst);
  std::memcpy(out.bytes.data(), &header, sizeof header);
  if (!ip.fragment) return;
  uint8_t* fragment = out.bytes.data() + sizeof header;
  const be16 place = be16::of(static_cast<uint16_t>(ip.fragment_offset | (ip.more_fragments ? 1 : 0)));
  const be32 id = be32::of(ip.fragment_id);
  fragment[0] = to.protocol;
  fragment[1] = 0;
  std::memcpy(fragment + 2, &place, sizeof place);
  std::memcpy(fragment + 4, &id, sizeof id);
}

OtherHeader other_header(const net::IpView& ip, const Tuple& to, uint16_t id) {
  OtherHeader out;
  out.replaces = start_of(ip);
  const uint32_t payload = ip.length - std::min<uint32_t>(ip.length, out.replaces);
  if (to.src.is_v4()) {
    write_header4(ip, payload, to, id, out);
  } else {
    write_header6(ip, payload, to, out);
  }
  return out;
}

/// ICMPv6's sum has a pseudo header, of the whole message's `length` (RFC 4443 section 2.3); ICMP's has none.
void change_echo(net::IcmpHeader& icmp, uint8_t type, const Tuple& to, std::span<const uint8_t> addresses6,
                 uint32_t length) {
  Change change;
  if (to.src.is_v4()) {
    change.went(addresses6);
    change.went(length);
    change.went(uint32_t{net::kProtoIcmpv6});
  } else {
    change.came(addresses6);
    change.came(length);
    change.came(uint32_t{net::kProtoIcmpv6});
  }
  change.replace(icmp.id, to.src_port);
  change.went(uint32_t{icmp.type} << 8);
  change.came(uint32_t{type} << 8);
  icmp.type = type;
  icmp.checksum = net::checksum_changed(icmp.checksum, change.sum());
}

/// Ports and checksum of TCP and UDP, as far as they are within `size` bytes.
template <typename Header>
Change change_ports(Header& header, const Tuple& to, std::span<const uint8_t> before,
                    std::span<const uint8_t> after) {
  Change change;
  change.went(before);
  change.came(after);
  change.replace(header.src_port, to.src_port);
  change.replace(header.dst_port, to.dst_port);
  return change;
}

std::optional<uint8_t> echo_type(const Tuple& to, uint8_t type) {
  return to.src.is_v4() ? echo_type4(type) : echo_type6(type);
}

/// The transport header of a whole packet or first fragment. `header` replaces that of `packet`.
bool change_transport(std::span<uint8_t> packet, const net::IpView& ip, const Tuple& to,
                      const OtherHeader& header) {
  const std::span<uint8_t> message = packet.subspan(header.replaces);
  const std::span<const uint8_t> before = addresses_of(packet.data());
  const std::span<const uint8_t> after = addresses_of(header.bytes.data());
  switch (to.protocol) {
    case net::kProtoTcp: {
      auto& tcp = *reinterpret_cast<net::TcpHeader*>(message.data());
      tcp.checksum = net::checksum_changed(tcp.checksum, change_ports(tcp, to, before, after).sum());
      return true;
    }
    case net::kProtoUdp: {
      auto& udp = *reinterpret_cast<net::UdpHeader*>(message.data());
      const bool has_sum = udp.checksum.raw() != 0;
      // Without one there is no UDP over IPv6 (RFC 7915 section 4.5).
      const size_t length = udp.length.host();
      const bool makes_sum = !has_sum && !to.src.is_v4();
      if (makes_sum && (ip.fragment || length < sizeof udp || length > message.size())) return false;
      const Change change = change_ports(udp, to, before, after);
      udp.checksum = net::udp_checksum_changed(udp.checksum, change.sum());
      if (!makes_sum) return true;
      const uint16_t sum = net::transport_checksum(header.bytes, net::kProtoUdp, message.first(length));
      udp.checksum = be16::raw(sum == 0 ? uint16_t{0xffff} : sum);
      return true;
    }
    case net::kProtoIcmp:
    case net::kProtoIcmpv6: {
      auto& icmp = *reinterpret_cast<net::IcmpHeader*>(message.data());
      const auto type = echo_type(to, icmp.type);
      if (!type || ip.fragment) return false;  // nobody knows the length of the whole
      change_echo(icmp, *type, to, to.src.is_v4() ? before : after, static_cast<uint32_t>(message.size()));
      return true;
    }
    default:
      return false;
  }
}

/// What an ICMP error says.
struct Said {
  uint8_t type = 0, code = 0;
  uint32_t rest = 0;  // MTU, or where the problem is
};

struct PointerPair {
  uint8_t from, to;
};
/// RFC 7915 figures 3 and 6: fields that both headers have, by their first byte and the one behind their
/// last.
std::optional<uint8_t> pointer6(uint8_t pointer4) {
  constexpr PointerPair kPairs[] = {{0, 0},  {1, 1},  {2, 4},  {3, 4},   {8, 7},   {9, 6},   {12, 8},
                                    {13, 8}, {14, 8}, {15, 8}, {16, 24}, {17, 24}, {18, 24}, {19, 24}};
  for (const PointerPair& pair : kPairs) {
    if (pair.from == pointer4) return pair.to;
  }
  return {};
}
std::optional<uint8_t> pointer4(uint32_t pointer6) {
  if (pointer6 >= 8 && pointer6 < 40) return pointer6 < 24 ? uint8_t{12} : uint8_t{16};
  constexpr PointerPair kPairs[] = {{0, 0}, {1, 1}, {4, 2}, {5, 2}, {6, 9}, {7, 8}};
  for (const PointerPair& pair : kPairs) {
    if (pair.from == pointer6) return pair.to;
  }
  return {};
}

/// What a router that says no MTU may have meant: the next smaller of those that are usual (RFC 1191
/// section 7.1).
uint32_t plateau_below(uint32_t length) {
  for (const uint32_t plateau : {32'000u, 17'914u, 8'166u, 4'352u, 2'002u, 1'492u, 1'006u, 508u, 296u}) {
    if (plateau < length) return plateau;
  }
  return 68;
}

std::optional<Said> said6(const Said& said, uint32_t quoted_length, const ErrorWay& way) {
  switch (said.type) {
    case net::kIcmpUnreachable:
      switch (said.code) {
        case 2: {  // protocol: at the next header field
          return Said{net::kIcmpv6Parameter, 1, offsetof(net::Ipv6Header, next_header)};
        }
        case 3:
          return Said{net::kIcmpv6Unreachable, 4, 0};
        case net::kIcmpCodeFragNeeded: {
          uint32_t mtu = said.rest & 0xffff;
          if (mtu == 0) mtu = plateau_below(quoted_length);
          mtu = std::min(
              {mtu + kFamilyDifference, uint32_t{way.mtu_out}, uint32_t{way.mtu_in} + kFamilyDifference});
          return Said{net::kIcmpv6TooBig, 0, std::max<uint32_t>(mtu, kLeastMtu6)};
        }
        case 9:
        case 10:
        case 13:
        case 15:
          return Said{net::kIcmpv6Unreachable, 1, 0};
        case 14:
          return {};
        default:
          if (said.code > 12) return {};
          return Said{net::kIcmpv6Unreachable, 0, 0};
      }
    case net::kIcmpTimeExceeded:
      return Said{net::kIcmpv6TimeExceeded, said.code, 0};
    case net::kIcmpParameter: {
      if (said.code != 0 && said.code != 2) return {};
      const auto pointer = pointer6(static_cast<uint8_t>(said.rest >> 24));
      if (!pointer) return {};
      return Said{net::kIcmpv6Parameter, 0, *pointer};
    }
    default:
      return {};
  }
}

std::optional<Said> said4(const Said& said, const ErrorWay& way) {
  constexpr uint8_t kHost = 1, kProtocol = 2, kPort = 3, kHostProhibited = 10;
  switch (said.type) {
    case net::kIcmpv6Unreachable: {
      constexpr uint8_t kCodes[] = {kHost, kHostProhibited, kHost, kHost, kPort};
      if (said.code >= std::size(kCodes)) return {};
      return Said{net::kIcmpUnreachable, kCodes[said.code], 0};
    }
    case net::kIcmpv6TooBig: {
      const auto less = [](uint32_t mtu) { return mtu - std::min<uint32_t>(mtu, kFamilyDifference); };
      const uint32_t mtu = std::min({less(said.rest), less(way.mtu_in), uint32_t{way.mtu_out}});
      return Said{net::kIcmpUnreachable, net::kIcmpCodeFragNeeded, std::max<uint32_t>(mtu, 68)};
    }
    case net::kIcmpv6TimeExceeded:
      return Said{net::kIcmpTimeExceeded, said.code, 0};
    case net::kIcmpv6Parameter: {
      if (said.code == 1) return Said{net::kIcmpUnreachable, kProtocol, 0};
      if (said.code != 0) return {};
      const auto pointer = pointer4(said.rest);
      if (!pointer) return {};
      return Said{net::kIcmpParameter, 0, uint32_t{*pointer} << 24};
    }
    default:
      return {};
  }
}

/// The quoted transport header, which may be cut behind its first 8 bytes. Its sum may be as stale as it was.
bool change_quoted_transport(std::span<uint8_t> message, const Tuple& to, std::span<const uint8_t> before,
                             std::span<const uint8_t> after, uint32_t length) {
  if (message.size() < sizeof(net::UdpHeader)) return false;
  switch (to.protocol) {
    case net::kProtoTcp: {
      auto& tcp = *reinterpret_cast<net::TcpHeader*>(message.data());
      const Change change = change_ports(tcp, to, before, after);
      if (message.size() >= offsetof(net::TcpHeader, checksum) + sizeof tcp.checksum)
        tcp.checksum = net::checksum_changed(tcp.checksum, change.sum());
      return true;
    }
    case net::kProtoUdp: {
      auto& udp = *reinterpret_cast<net::UdpHeader*>(message.data());
      udp.checksum = net::udp_checksum_changed(udp.checksum, change_ports(udp, to, before, after).sum());
      return true;
    }
    case net::kProtoIcmp:
    case net::kProtoIcmpv6: {
      auto& icmp = *reinterpret_cast<net::IcmpHeader*>(message.data());
      const auto type = echo_type(to, icmp.type);
      if (!type) return false;
      change_echo(icmp, *type, to, to.src.is_v4() ? before : after, length);
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

std::optional<uint8_t> echo_type6(uint8_t type4) {
  if (type4 == net::kIcmpEcho) return net::kIcmpv6Echo;
  if (type4 == net::kIcmpEchoReply) return net::kIcmpv6EchoReply;
  return {};
}
std::optional<uint8_t> echo_type4(uint8_t type6) {
  if (type6 == net::kIcmpv6Echo) return net::kIcmpEcho;
  if (type6 == net::kIcmpv6EchoReply) return net::kIcmpEchoReply;
  return {};
}

uint32_t length_in_other_family(const net::IpView& ip) {
  const uint32_t payload = ip.length - start_of(ip);
  if (ip.family == net::Family::ipv6) return static_cast<uint32_t>(sizeof(net::Ipv4Header)) + payload;
  return static_cast<uint32_t>(sizeof(net::Ipv6Header)) + (ip.fragment ? kFragmentHeader : 0) + payload;
}

std::optional<OtherHeader> change_family(std::span<uint8_t> packet, const net::IpView& ip, const Tuple& to,
                                         uint16_t id) {
  const OtherHeader header = other_header(ip, to, id);
  if (!ip.first_fragment) {
    if (net::is_icmp(to.protocol)) return {};
    return header;
  }
  if (ip.l4_offset != header.replaces || !change_transport(packet, ip, to, header)) return {};
  return header;
}

size_t change_error_family(std::span<const uint8_t> packet, const net::IpView& ip, const Tuple& to,
                           const ErrorWay& way, std::span<uint8_t> out) {
  const bool v4 = to.src.is_v4();
  if (ip.fragment || packet.size() < ip.l4_offset + sizeof(net::IcmpHeader)) return 0;
  net::IcmpHeader icmp;
  std::memcpy(&icmp, &packet[ip.l4_offset], sizeof icmp);
  const std::span<const uint8_t> quote = packet.subspan(ip.l4_offset + sizeof icmp);
  net::QuotedView quoted;
  if (net::parse_quoted(quote, ip.family, quoted) != net::ParseError::none) return 0;
  const Said said{icmp.type, icmp.code, uint32_t{icmp.id.host()} << 16 | icmp.seq.host()};
  const std::optional<Said> says = v4 ? said4(said, way) : said6(said, quoted.ip.length, way);
  if (!says || quoted.ip.l4_offset != start_of(quoted.ip) || quote.size() < quoted.ip.l4_offset) return 0;

  // The quoted packet went the other way, and is made anew behind the headers of the error. Which
  // identification it had nobody knows any more.
  const Tuple inside = to.reversed();
  const OtherHeader inner = other_header(quoted.ip, inside, 0);
  const size_t outer_length = v4 ? sizeof(net::Ipv4Header) : sizeof(net::Ipv6Header);
  const size_t most = std::min<size_t>(out.size(), v4 ? kMaxError4 : kLeastMtu6);
  const size_t headers = outer_length + sizeof icmp + inner.length;
  const size_t kept = std::min(quote.size() - inner.replaces, most - headers);
  uint8_t* at = out.data() + outer_length + sizeof icmp;
  std::memcpy(at, inner.bytes.data(), inner.length);
  std::memcpy(at + inner.length, &quote[inner.replaces], kept);
  const uint32_t message = quoted.ip.length - std::min<uint32_t>(quoted.ip.length, inner.replaces);
  if (!change_quoted_transport({at + inner.length, kept}, inside, addresses_of(quote.data()),
                               addresses_of(inner.bytes.data()), message))
    return 0;

  icmp.type = says->type;
  icmp.code = says->code;
  icmp.id = be16::of(static_cast<uint16_t>(says->rest >> 16));
  icmp.seq = be16::of(static_cast<uint16_t>(says->rest));
  icmp.checksum = be16();
  std::memcpy(out.data() + outer_length, &icmp, sizeof icmp);
  net::IpView error = ip;
  const size_t size = headers + kept;
  error.length = static_cast<uint32_t>(error.l4_offset + size - outer_length);
  const OtherHeader outer = other_header(
      error, {way.source, to.dst, 0, 0, v4 ? uint8_t{net::kProtoIcmp} : uint8_t{net::kProtoIcmpv6}}, way.id);
  std::memcpy(out.data(), outer.bytes.data(), outer.length);
  const std::span<const uint8_t> body(out.data() + outer_length, size - outer_length);
  icmp.checksum = be16::raw(net::transport_checksum(
      {out.data(), outer_length}, v4 ? uint8_t{net::kProtoIcmp} : uint8_t{net::kProtoIcmpv6}, body));
  std::memcpy(out.data() + outer_length, &icmp, sizeof icmp);
  return size;
}

}  // namespace weir::dataplane
