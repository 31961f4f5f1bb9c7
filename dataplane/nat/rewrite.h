// Other addresses and ports in a packet, with the checksums that cover them (RFC 1624, RFC 3022 section 4.1).
//
// Works in place on an IP packet that was parsed before (net/parse.h); nothing here reads a length. Checksums
// are changed by the difference, so what was wrong stays wrong and is the receiver's affair. A UDP checksum
// that is not there (zero over IPv4) stays so. Protocols other than TCP, UDP and ICMP get their addresses
// changed and nothing else. Any thread.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/core/tuple.h"

namespace weir::dataplane {

/// Gives a packet the ends of `to`, which has its family and protocol. `packet` begins at the IP header and
/// holds the packet. `transport`: its transport header begins at `l4_offset` and is there, as in every packet
/// but fragments other than the first. ICMP: `to.src_port` is the identifier, of messages that have one.
void rewrite_packet(std::span<uint8_t> packet, uint16_t l4_offset, bool transport, const Tuple& to);

/// For code per packet: other ends, and by what they change the checksums (net::checksum_folded()), which is
/// known when a session begins. In host order, source before destination from the top.
struct NewEnds4 {
  uint64_t addresses;
  uint32_t ports;
  uint16_t address_change;  // of the IP header
  uint16_t ends_change;     // of TCP and UDP: addresses and ports
};
/// The same as rewrite_packet() for IPv4 with TCP or UDP, whole or the first fragment, with the ends that the
/// changes were counted from. Not to be done twice.
void rewrite_ipv4(uint8_t* packet, uint16_t l4_offset, const NewEnds4& to);

/// An ICMP error about a packet of a session that is translated (RFC 5508 section 4). The error travels to
/// where `to.dst` is: packets of the session that go the same way arrive as `from` and leave as `to`, and the
/// packet that it quotes went the other way. Both the error and the quote are changed. The error's own source
/// becomes `to.src` where that end is translated, since a router on that side has no other address that is
/// known on this one; else it stays. False: the quote does not hold what is to be changed; nothing was.
bool rewrite_icmp_error(std::span<uint8_t> packet, uint16_t l4_offset, const Tuple& from, const Tuple& to);

}  // namespace weir::dataplane
