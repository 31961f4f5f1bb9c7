// Headers of tunnels: what stands between the outer IP or UDP header and what is carried.
//
// As in parse.h: every parser takes the bytes it may read, and says what is wrong. No DPDK; fuzzed.
#pragma once

#include <cstdint>

#include "dataplane/net/headers.h"
#include "dataplane/net/parse.h"

namespace weir::net {

enum class TunnelError : uint8_t {
  none,
  bad_header,       // cut short, another version, or contradicting itself
  bad_option,       // GENEVE: an option runs past the options' end
  critical_option,  // GENEVE: an option that has to be known and is not
  control,          // GENEVE: not data, but for the endpoint's control (O bit)
  bad_checksum,     // GRE
};

/// What a tunnel carries.
enum class Payload : uint8_t { ethernet, ipv4, ipv6, other };
constexpr Payload payload_of(uint16_t protocol) {
  switch (protocol) {
    case kEtherBridged:
      return Payload::ethernet;
    case kEtherIpv4:
      return Payload::ipv4;
    case kEtherIpv6:
      return Payload::ipv6;
    default:
      return Payload::other;
  }
}

struct TunnelView {
  uint32_t id = 0;  // VNI or key
  bool keyed = true;
  Payload payload = Payload::ethernet;
  uint16_t length = 0;  // of the header with its options
};

/// RFC 7348 section 5. Reserved bits are ignored.
TunnelError parse_vxlan(Bytes bytes, TunnelView& out);
/// RFC 8926 section 3.4 and 3.5: options are walked, none is known, so a critical one refuses the packet.
TunnelError parse_geneve(Bytes bytes, TunnelView& out);
/// RFC 2784, RFC 2890. `bytes`: all that the outer IP packet carries, for the checksum. A sequence number is
/// skipped: order is the spoke's own affair (RFC 2890 section 2.2 makes reordering optional).
TunnelError parse_gre(Bytes bytes, TunnelView& out);

}  // namespace weir::net
