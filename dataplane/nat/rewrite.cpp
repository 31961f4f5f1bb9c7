#include "dataplane/nat/rewrite.h"

#include <algorithm>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/parse.h"

namespace weir::dataplane {

namespace {

/// The one's complement sum of what came less what went (net::checksum_change()).
class Change {
 public:
  /// `size` even; both as they lie in memory.
  void replace(uint8_t* at, const uint8_t* by, size_t size) {
    for (size_t i = 0; i < size; i += 2) {
      uint16_t before, after;
      std::memcpy(&before, at + i, 2);
      std::memcpy(&after, by + i, 2);
      sum_ += net::checksum_change(before, after);
    }
    std::memcpy(at, by, size);
  }
  void replace(net::be16& at, net::be16 by) {
    sum_ += net::checksum_change(at.raw(), by.raw());
    at = by;
  }
  void add(const Change& other) { sum_ += other.sum_; }
  uint64_t sum() const { return sum_; }

 private:
  uint64_t sum_ = 0;
};

/// Both ports of a TCP or UDP header, which begin it.
template <typename Header>
Change replace_ports(Header& header, const Tuple& to) {
  Change ports;
  ports.replace(header.src_port, net::be16::of(to.src_port));
  ports.replace(header.dst_port, net::be16::of(to.dst_port));
  return ports;
}

/// The addresses of an IP header, and the sum of an IPv4 header. The change is of the addresses.
Change rewrite_addresses(uint8_t* ip, const net::IpAddress& src, const net::IpAddress& dst) {
  Change change;
  if (src.is_v4()) {
    auto& header = *reinterpret_cast<net::Ipv4Header*>(ip);
    const net::be32 ends[2] = {src.v4().be(), dst.v4().be()};
    change.replace(reinterpret_cast<uint8_t*>(&header.src), reinterpret_cast<const uint8_t*>(ends),
                   sizeof ends);
    header.checksum = net::checksum_changed(header.checksum, change.sum());
  } else {
    auto& header = *reinterpret_cast<net::Ipv6Header*>(ip);
    uint8_t ends[32];
    src.v6().store(ends);
    dst.v6().store(ends + 16);
    change.replace(header.src, ends, sizeof ends);
  }
  return change;
}

/// The checksum that `icmp`, of `size` bytes with what it carries, has after it changed by `change`. Zero has
/// two forms in ones' complement, and a message of nothing but zeros, as an echo reply may be, has the one
/// that changes do not lead to (RFC 1624 section 3).
net::be16 icmp_checksum(const net::IcmpHeader& icmp, size_t size, uint64_t change) {
  const net::be16 sum = net::checksum_changed(icmp.checksum, change);
  if (sum.raw() != 0) return sum;
  const auto* bytes = reinterpret_cast<const uint8_t*>(&icmp);
  const uint8_t* rest = bytes + offsetof(net::IcmpHeader, id);
  const auto is_zero = [](uint8_t byte) { return byte == 0; };
  const bool nothing = icmp.type == 0 && icmp.code == 0 && std::all_of(rest, bytes + size, is_zero);
  return nothing ? net::be16::raw(0xffff) : sum;
}

/// Ports or identifier, and the transport's checksum as far as there are `size` bytes of its header. What it
/// changes, the checksum included, is added to `all`.
void rewrite_transport(uint8_t* l4, size_t size, const Change& addresses, const Tuple& to, Change& all) {
  Change change = addresses;
  switch (to.protocol) {
    case net::kProtoTcp: {
      auto& tcp = *reinterpret_cast<net::TcpHeader*>(l4);
      const Change ports = replace_ports(tcp, to);
      change.add(ports);
      all.add(ports);
      if (size >= offsetof(net::TcpHeader, checksum) + sizeof tcp.checksum)
        all.replace(tcp.checksum, net::checksum_changed(tcp.checksum, change.sum()));
      break;
    }
    case net::kProtoUdp: {
      auto& udp = *reinterpret_cast<net::UdpHeader*>(l4);
      const Change ports = replace_ports(udp, to);
      change.add(ports);
      all.add(ports);
      all.replace(udp.checksum, net::udp_checksum_changed(udp.checksum, change.sum()));
      break;
    }
    case net::kProtoIcmp:
    case net::kProtoIcmpv6: {
      auto& icmp = *reinterpret_cast<net::IcmpHeader*>(l4);
      // ICMP's checksum has no pseudo header, ICMPv6's has one (RFC 4443 section 2.3).
      Change covered = to.src.is_v4() ? Change() : addresses;
      if (net::has_icmp_identifier(to.src.family, icmp.type)) {
        Change id;
        id.replace(icmp.id, net::be16::of(to.src_port));
        covered.add(id);
        all.add(id);
      }
      all.replace(icmp.checksum, icmp_checksum(icmp, size, covered.sum()));
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
  icmp.checksum = net::checksum_changed(icmp.checksum, body.sum());
  return true;
}

}  // namespace weir::dataplane
