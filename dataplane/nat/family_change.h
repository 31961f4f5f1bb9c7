// An IPv4 packet becomes an IPv6 one, or the other way round (RFC 7915), at the ends of NAT64 (RFC 6146).
//
// Works on IP packets that were parsed before (net/parse.h). Extension headers and options do not go along. A
// fragment stays a fragment. Checksums of TCP and UDP are changed by the difference, so what was wrong stays
// wrong. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/core/tuple.h"
#include "dataplane/net/parse.h"

namespace weir::dataplane {

/// What an IP header, its extension headers and options included, gives way to.
struct OtherHeader {
  static constexpr size_t kMax = sizeof(net::Ipv6Header) + 8;  // with a fragment header
  std::array<uint8_t, kMax> bytes;
  uint16_t length = 0;    // of `bytes`
  uint16_t replaces = 0;  // so many bytes of the packet
};

/// What IPv6 headers are longer by.
inline constexpr uint16_t kFamilyDifference = sizeof(net::Ipv6Header) - sizeof(net::Ipv4Header);
/// Every link carries IPv6 packets of this size (RFC 8200 section 5).
inline constexpr uint16_t kLeastMtu6 = 1'280;

/// Length of the IP packet once it has changed.
uint32_t length_in_other_family(const net::IpView& ip);

/// Changes the transport header of `packet`, which `ip` describes, to the ends and the protocol of `to`, of
/// the other family, and says what its IP header becomes. `id`: the identification of an IPv4 packet that had
/// none and may be cut on its way. Nothing: it has no counterpart, and is as it was: an ICMP message other
/// than echo, a fragment of one, a fragment of a UDP datagram without a checksum towards IPv6, headers for
/// the destination behind a fragment's.
std::optional<OtherHeader> change_family(std::span<uint8_t> packet, const net::IpView& ip, const Tuple& to,
                                         uint16_t id);

/// Of an ICMP error, what is beside its packet: the MTU of the attachment that it came by, and of the one
/// that it leaves by; the identification of what is made of it towards IPv4.
struct ErrorWay {
  net::IpAddress source;  // as which its sender is seen
  uint16_t mtu_in = 0, mtu_out = 0;
  uint16_t id = 0;
};
/// An ICMP error about a packet of a session, and the packet that it quotes, in the other family (RFC 7915
/// sections 4.2, 4.3, 5.2, 5.3). It travels to `to.dst`, as rewrite_icmp_error() says; `packet` is the whole
/// error, `l4_offset` where ICMP begins. Written to `out`, of kLeastMtu6 bytes at least; as much is quoted as
/// an error may be long. Its length; 0: it has no counterpart.
size_t change_error_family(std::span<const uint8_t> packet, const net::IpView& ip, const Tuple& to,
                           const ErrorWay& way, std::span<uint8_t> out);

/// The type of ICMPv6 echo messages of that type of ICMP; nothing for others. And back.
std::optional<uint8_t> echo_type6(uint8_t type4);
std::optional<uint8_t> echo_type4(uint8_t type6);

}  // namespace weir::dataplane
