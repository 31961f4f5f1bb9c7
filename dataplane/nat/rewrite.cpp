#include "dataplane/nat/rewrite.h"

#include <cstring>

#include "dataplane/net/headers.h"
#include "dataplane/net/parse.h"

namespace weir::dataplane {

namespace {

/// The one's complement sum of what came less what went, in words as they lie in memory.
class Change {
 public:
  /// `size` even; both as they lie in memory.
  void replace(uint8_t* at, const uint8_t* by, size_t size) {
    for (size_t i = 0; i < size; i += 2) {
      uint16_t before, after;
      std::memcpy(&before, at + i, 2);
      std::memcpy(&after, by + i, 2);
      sum_ += static_cast<uint16_t>(~before);
      sum_ += after;
    }
    std::memcpy(at, by, size);
  }
  void replace(net::be16& at, net::be16 by) {
    sum_ += static_cast<uint16_t>(~at.raw());
    sum_ += by.raw();
    at = by;
  }
  void add(const Change& other) { sum_ += other.sum_; }
  /// `checksum` after this change to what it covers (RFC 1624, equation 3).
  net::be16 applied_to(net::be16 checksum) const {
    uint64_t sum = sum_ + static_cast<uint16_t>(~checksum.raw());
    sum = (sum & 0xffff'ffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return net::be16::raw(static_cast<uint16_t>(~sum));
  }

 private:
  uint64_t sum_ = 0;
};

/// Of a UDP checksum: zero means none, so a sum that is zero is sent as all ones (RFC 768).
net::be16 udp_sum(net::be16 before, const Change& change) {
  if (before.raw() == 0) return before;
  const net::be16 after = change.applied_to(before);
  return after.raw() == 0 ? net::be16::raw(0xffff) : after;
}

bool is_echo(const net::IcmpHeader& icmp, net::Family family) {
  if (family == net::Family::ipv4) return icmp.type == net::kIcmpEcho || icmp.type == net::kIcmpEchoReply;
  return icmp.type == net::kIcmpv6Echo || icmp.type == net::kIcmpv6EchoReply;
}

/// The addresses of an IP header, and the sum of an IPv4 header. The change is of the addresses.
Change rewrite_addresses(uint8_t* ip, const net::IpAddress& src, const net::IpAddress& dst) {
  Change change;
  if (src.is_v4()) {
    auto& header = *reinterpret_cast<net::Ipv4Header*>(ip);
    const net::be32 ends[2] = {src.v4().be(), dst.v4().be()};
    change.replace(reinterpret_cast<uint8_t*>(&header.src), reinterpret_cast<const uint8_t*>(ends),
                   sizeof ends);
    header.checksum = change.applied_to(header.checksum);
  } else {
    auto& header = *reinterpret_cast<net::Ipv6Header*>(ip);
    uint8_t ends[32];
    src.v6().store(ends);
    dst.v6().store(ends + 16);
    change.replace(header.src, ends, sizeof ends);
  }
  return change;
}

/// Ports or identifier, and the transport's checksum as far as there are `size` bytes of its header. What it
/// changes, the checksum included, is added to `all`.
void rewrite_transport(uint8_t* l4, size_t size, const Change& addresses, const Tuple& to, Change& all) {
  Change change = addresses;
  switch (to.protocol) {
    case net::kProtoTcp: {
      auto& tcp = *reinterpret_cast<net::TcpHeader*>(l4);
      Change ports;
      ports.replace(tcp.src_port, net::be16::of(to.src_port));
      ports.replace(tcp.dst_port, net::be16::of(to.dst_port));
      change.add(ports);
      all.add(ports);
      if (size >= offsetof(net::TcpHeader, checksum) + sizeof tcp.checksum)
        all.replace(tcp.checksum, change.applied_to(tcp.checksum));
      break;
    }
    case net::kProtoUdp: {
      auto& udp = *reinterpret_cast<net::UdpHeader*>(l4);
      Change ports;
      ports.replace(udp.src_port, net::be16::of(to.src_port));
      ports.replace(udp.dst_port, net::be16::of(to.dst_port));
      change.add(ports);
      all.add(ports);
      all.replace(udp.checksum, udp_sum(udp.checksum, change));
      break;
    }
    case net::kProtoIcmp:
    case net::kProtoIcmpv6: {
      auto& icmp = *reinterpret_cast<net::IcmpHeader*>(l4);
      // ICMP's checksum has no pseudo header, ICMPv6's has one (RFC 4443 section 2.3).
      Change covered = to.src.is_v4() ? Change() : addresses;
      if (is_echo(icmp, to.src.family)) {
        Change id;
        id.replace(icmp.id, net::be16::of(to.src_port));
        covered.add(id);
        all.add(id);
      }
      all.replace(icmp.checksum, covered.applied_to(icmp.checksum));
      break;
    }
    default:
      break;
  }
}

/// So much of a transport header has to be in a quote for its ends to be changed.
size_t least_transport(uint8_t protocol) {
  switch (protocol) {
    case net::kProtoTcp:
    case net::kProtoUdp:
    case net::kProtoIcmp:
    case net::kProtoIcmpv6:
      return 8;  // RFC 792
    default:
      return 0;
  }
}

}  // namespace

void rewrite_packet(std::span<uint8_t> packet, uint16_t l4_offset, bool transport, const Tuple& to) {
  const Change addresses = rewrite_addresses(packet.data(), to.src, to.dst);
  if (!transport) return;
  Change all;
  rewrite_transport(packet.data() + l4_offset, packet.size() - l4_offset, addresses, to, all);
}

namespace {

/// By 32-bit words, which add up to the same in one's complement.
uint64_t replace(uint8_t* at, uint32_t by) {
  uint32_t before;
  std::memcpy(&before, at, sizeof before);
  std::memcpy(at, &by, sizeof by);
  return uint64_t{static_cast<uint32_t>(~before)} + by;
}

net::be16 applied(uint64_t change, net::be16 checksum) {
  uint64_t sum = change + static_cast<uint16_t>(~checksum.raw());  // some words of 32 bits: 35 bits at most
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return net::be16::raw(static_cast<uint16_t>(~sum));
}

}  // namespace

void rewrite_ipv4(uint8_t* packet, uint16_t l4_offset, uint32_t src, uint32_t dst, uint16_t src_port,
                  uint16_t dst_port) {
  auto& ip = *reinterpret_cast<net::Ipv4Header*>(packet);
  const uint64_t addresses = replace(packet + offsetof(net::Ipv4Header, src), net::be32::of(src).raw()) +
                             replace(packet + offsetof(net::Ipv4Header, dst), net::be32::of(dst).raw());
  ip.checksum = applied(addresses, ip.checksum);
  uint8_t* l4 = packet + l4_offset;
  const uint64_t change =
      addresses + replace(l4, net::be32::of(static_cast<uint32_t>(src_port) << 16 | dst_port).raw());
  if (ip.protocol == net::kProtoTcp) {
    auto& tcp = *reinterpret_cast<net::TcpHeader*>(l4);
    tcp.checksum = applied(change, tcp.checksum);
    return;
  }
  auto& udp = *reinterpret_cast<net::UdpHeader*>(l4);
  if (udp.checksum.raw() == 0) return;
  const net::be16 after = applied(change, udp.checksum);
  udp.checksum = after.raw() == 0 ? net::be16::raw(0xffff) : after;
}

bool rewrite_icmp_error(std::span<uint8_t> packet, uint16_t l4_offset, const Tuple& from, const Tuple& to) {
  const bool v4 = to.src.is_v4();
  const size_t quote_offset = l4_offset + sizeof(net::IcmpHeader);
  if (packet.size() < quote_offset) return false;
  const std::span<uint8_t> quote = packet.subspan(quote_offset);
  net::QuotedView quoted;
  if (net::parse_quoted(quote, to.src.family, quoted) != net::ParseError::none) return false;
  const Tuple inside = to.reversed();
  if (quoted.ip.protocol != inside.protocol ||
      quote.size() < quoted.ip.l4_offset + least_transport(inside.protocol))
    return false;

  // The quote first. Its checksums may be stale, and are then as stale as before.
  Change body;
  net::be16 quoted_sum{};
  if (v4) quoted_sum = reinterpret_cast<net::Ipv4Header*>(quote.data())->checksum;
  const Change quoted_addresses = rewrite_addresses(quote.data(), inside.src, inside.dst);
  body.add(quoted_addresses);
  if (v4) {
    auto& header = *reinterpret_cast<net::Ipv4Header*>(quote.data());
    const net::be16 after = header.checksum;
    header.checksum = quoted_sum;
    body.replace(header.checksum, after);
  }
  const size_t l4 = quoted.ip.l4_offset;
  rewrite_transport(quote.data() + l4, quote.size() - l4, quoted_addresses, inside, body);

  const auto& ip = *reinterpret_cast<const net::Ipv6Header*>(packet.data());
  const net::IpAddress own =
      v4 ? net::IpAddress(net::Ipv4{reinterpret_cast<const net::Ipv4Header*>(packet.data())->src.host()})
         : net::IpAddress(net::Ipv6::load(ip.src));
  const Change addresses = rewrite_addresses(packet.data(), from.src == to.src ? own : to.src, to.dst);
  if (!v4) body.add(addresses);
  auto& icmp = *reinterpret_cast<net::IcmpHeader*>(packet.data() + l4_offset);
  icmp.checksum = body.applied_to(icmp.checksum);
  return true;
}

}  // namespace weir::dataplane
