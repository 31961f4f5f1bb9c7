// Other addresses and ports in a packet, with the checksums that cover them (RFC 1624, RFC 3022 section 4.1).
//
// Works in place on an IP packet that was parsed before (net/parse.h); nothing here reads a length. Checksums
// are changed by the difference, so what was wrong stays wrong and is the receiver's affair. A UDP checksum
// that is not there (zero over IPv4) stays so. Protocols other than TCP, UDP and ICMP get their addresses
// changed and nothing else. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/core/tuple.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/plain.h"

namespace weir::dataplane {

/// Gives a packet the ends of `to`, which has its family and protocol. `packet` begins at the IP header and
/// holds the packet. `transport`: its transport header begins at `l4_offset` and is there, as in every packet
/// but fragments other than the first. ICMP: `to.src_port` is the identifier, of messages that have one.
void rewrite_packet(std::span<uint8_t> packet, uint16_t l4_offset, bool transport, const Tuple& to);

/// The same as rewrite_packet() for IPv4 with TCP or UDP, whole or the first fragment, for code per packet.
[[gnu::always_inline]] inline void rewrite_ipv4(uint8_t* packet, uint16_t l4_offset, const WireEnds4& to) {
  // TTL, protocol and checksum as one word, as decrement_ttl() reads them next: a narrower store would not be
  // forwarded to it.
  static_assert(offsetof(net::Ipv4Header, dst) == offsetof(net::Ipv4Header, src) + 4);
  uint8_t* addresses = packet + offsetof(net::Ipv4Header, src);
  uint64_t change = net::checksum_change(net::detail::read<uint64_t>(addresses), to.addresses);
  std::memcpy(addresses, &to.addresses, sizeof to.addresses);
  uint8_t* at = packet + offsetof(net::Ipv4Header, ttl);
  auto word = net::detail::read<uint32_t>(at);
  const auto sum = net::be16::raw(static_cast<uint16_t>(word >> 16));
  word = (word & 0xffff) | uint32_t{net::checksum_changed(sum, change).raw()} << 16;
  std::memcpy(at, &word, sizeof word);
  uint8_t* l4 = packet + l4_offset;
  change += net::checksum_change(net::detail::read<uint32_t>(l4), to.ports);
  std::memcpy(l4, &to.ports, sizeof to.ports);
  if ((word >> 8 & 0xff) == net::kProtoTcp) {
    auto& tcp = *reinterpret_cast<net::TcpHeader*>(l4);
    tcp.checksum = net::checksum_changed(tcp.checksum, change);
    return;
  }
  auto& udp = *reinterpret_cast<net::UdpHeader*>(l4);
  udp.checksum = net::udp_checksum_changed(udp.checksum, change);
}

/// An ICMP error about a packet of a session that is translated (RFC 5508 section 4). The error travels to
/// where `to.dst` is: packets of the session that go the same way arrive as `from` and leave as `to`, and the
/// packet that it quotes went the other way. Both the error and the quote are changed. The error's own source
/// becomes `to.src` where that end is translated, since a router on that side has no other address that is
/// known on this one; else it stays. False: the quote does not hold what is to be changed; nothing was.
bool rewrite_icmp_error(std::span<uint8_t> packet, uint16_t l4_offset, const Tuple& from, const Tuple& to);

}  // namespace weir::dataplane
