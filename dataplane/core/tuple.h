// The L4 tuple of one packet, in the direction in which it travels. For ICMP queries and replies the ports
// are both the identifier; for other ICMP both are 0; for protocols without ports both are 0.
#pragma once

#include "dataplane/net/address.h"

namespace weir::dataplane {

struct Tuple {
  net::IpAddress src;
  net::IpAddress dst;
  uint16_t src_port = 0;  // host order
  uint16_t dst_port = 0;
  uint8_t protocol = 0;

  constexpr Tuple reversed() const { return {dst, src, dst_port, src_port, protocol}; }
  friend constexpr auto operator<=>(const Tuple&, const Tuple&) = default;
};

/// IPv4 addresses and ports as they lie in a packet, source first, to be written into one that has others.
struct WireEnds4 {
  uint64_t addresses;
  uint32_t ports;
};

}  // namespace weir::dataplane
