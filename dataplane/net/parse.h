// From bytes to header views: the only code that turns offsets into headers.
//
// Every parser takes the bytes it may read and returns a view, or says what is wrong. No allocation, no DPDK;
// fuzzed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/net/address.h"
#include "dataplane/net/headers.h"

namespace weir::net {

using Bytes = std::span<const uint8_t>;

enum class ParseError : uint8_t {
  none,
  truncated,          // a header or its announced length runs past the end
  bad_header,         // version, header length, total length or checksum contradict themselves
  extension_headers,  // an IPv6 chain that is too long or not walked
};

/// Ethernet with up to two VLAN tags skipped.
struct EthView {
  uint16_t type = 0;    // host order, after tags
  uint16_t offset = 0;  // of what follows
  bool tagged = false;
};
ParseError parse_ethernet(Bytes frame, EthView& out);

/// The VLAN tags of a frame: at most two.
struct VlanView {
  uint16_t outer = 0;   // VLAN id of a service tag (802.1ad) before another; 0: none
  uint16_t inner = 0;   // VLAN id of the last tag; 0: none
  uint16_t length = 0;  // of the tags
};
ParseError parse_vlan_tags(Bytes frame, VlanView& out);

/// An IP packet's headers. Offsets count from the start of the IP header.
struct IpView {
  Family family = Family::ipv4;
  uint8_t protocol = 0;  // of the upper layer, after IPv6 extension headers
  uint8_t ttl = 0;
  uint8_t tos = 0;             // DSCP and ECN (RFC 2474, RFC 3168); IPv6: the traffic class
  bool fragment = false;       // any fragment, the first one included
  bool first_fragment = true;  // the L4 header is in this packet
  bool source_route =
      false;  // the destination is not the last one: LSRR, SSRR (RFC 791), segments left (RFC 8200)
  bool more_fragments = false;
  uint16_t l4_offset = 0;
  uint16_t fragment_data = 0;    // fragments: where the datagram's piece begins
  uint16_t fragment_offset = 0;  // fragments: where it lies in the datagram's payload, bytes
  uint32_t length = 0;           // of the whole IP packet; what lies beyond it in the frame is padding
  uint32_t fragment_id = 0;
  IpAddress src;
  IpAddress dst;
};
/// At most this many IPv6 extension headers are walked.
inline constexpr unsigned kMaxExtensionHeaders = 8;

/// Checks version, header length, total length against `packet` and the IPv4 header checksum.
ParseError parse_ipv4(Bytes packet, IpView& out);
/// Walks hop-by-hop, routing, destination options and fragment headers; others end the chain as the upper
/// layer.
ParseError parse_ipv6(Bytes packet, IpView& out);

/// What an ICMP or ICMPv6 message is by its type.
enum class IcmpKind : uint8_t {
  none,   // no ICMP
  query,  // echo, timestamp, information, address mask (RFC 792, RFC 950); ICMPv6 echo, node information
  reply,  // to one of these
  error,  // quotes another packet
  other,
};
IcmpKind icmp_kind(Family family, uint8_t type);
/// The type of the queries that a reply of that type answers.
uint8_t icmp_query_of(Family family, uint8_t reply);
/// Has the message an identifier, where IcmpHeader::id is? Queries and replies have, but for node
/// information.
bool has_icmp_identifier(Family family, uint8_t type);

/// The L4 header of an unfragmented packet or first fragment.
struct L4View {
  uint16_t src_port = 0;  // host order; ICMP: the identifier, if it has one, in both
  uint16_t dst_port = 0;
  uint16_t payload_offset = 0;  // from the start of the IP header
  uint8_t tcp_flags = 0;
  uint8_t icmp_type = 0;  // both families
  uint8_t icmp_code = 0;
  IcmpKind icmp = IcmpKind::none;
};
/// `packet` is the IP packet that `ip` describes. TCP, UDP, ICMP and ICMPv6; others are accepted as they are.
/// Lengths are checked; L4 checksums are not.
ParseError parse_l4(Bytes packet, const IpView& ip, L4View& out);

/// The packet that an ICMP error quotes: its IP header and the first 8 bytes after it (RFC 792, RFC 4443).
/// Less strict than a real packet: the quote may be cut and its checksum stale.
struct QuotedView {
  IpView ip;
  uint16_t src_port = 0;  // as in L4View
  uint16_t dst_port = 0;
};
ParseError parse_quoted(Bytes quote, Family family, QuotedView& out);

/// Where in `header`, a whole TCP header, the first option of that kind and length begins (RFC 9293
/// section 3.1). Options behind one whose length makes no sense are not looked for.
std::optional<size_t> find_tcp_option(Bytes header, uint8_t kind, uint8_t length);

}  // namespace weir::net
