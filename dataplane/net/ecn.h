// Explicit congestion notification across tunnels (RFC 6040), and DSCP in both families' headers.
#pragma once

#include <cstdint>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace weir::net {

/// The low two bits of the traffic class (RFC 3168 section 5).
enum Ecn : uint8_t { kNotEct = 0, kEct1 = 1, kEct0 = 2, kCe = 3 };
inline constexpr uint8_t kEcnMask = 3;
inline constexpr uint8_t kEcnDrop = 0xff;

/// What the packet goes on with when the outer header of a decapsulated packet has `outer` and its own has
/// `inner`; kEcnDrop: congestion was met by a packet whose ends do not understand the mark (RFC 6040 section
/// 4.2).
constexpr uint8_t ecn_decapsulated(uint8_t inner, uint8_t outer) {
  constexpr uint8_t kTable[4][4] = {
      // outer: not-ECT, ECT(1), ECT(0), CE
      {kNotEct, kNotEct, kNotEct, kEcnDrop},  // inner not-ECT
      {kEct1, kEct1, kEct1, kCe},             // inner ECT(1)
      {kEct0, kEct1, kEct0, kCe},             // inner ECT(0)
      {kCe, kCe, kCe, kCe},                   // inner CE
  };
  return kTable[inner & kEcnMask][outer & kEcnMask];
}

/// Writes the traffic class of an IPv4 header and keeps its checksum right.
inline void set_tos(Ipv4Header& ip, uint8_t tos) {
  const be16 before = be16::of(static_cast<uint16_t>(ip.version_ihl << 8 | ip.tos));
  ip.tos = tos;
  ip.checksum =
      checksum_update(ip.checksum, before, be16::of(static_cast<uint16_t>(ip.version_ihl << 8 | tos)));
}
inline void set_tos(Ipv6Header& ip, uint8_t tos) {
  const uint32_t word = ip.version_class_flow.host();
  ip.version_class_flow = be32::of((word & 0xf00f'ffff) | static_cast<uint32_t>(tos) << 20);
}

}  // namespace weir::net
