// A TCP reset as a whole IP packet (RFC 9293 section 3.5.2). Any thread.
#pragma once

#include <cstdint>

#include "dataplane/net/headers.h"

namespace weir::net {

struct TcpReset {
  IpAddress src, dst;  // of one family
  uint16_t src_port = 0, dst_port = 0;
  uint32_t seq = 0, ack = 0;
  uint8_t flags = 0;  // RST, and ACK if `ack` means something
  uint8_t ttl = 64;
};

/// Length of the packet with headers of that family.
constexpr uint16_t tcp_reset_length(Family family) {
  return static_cast<uint16_t>((family == Family::ipv4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header)) +
                               sizeof(TcpHeader));
}
/// Writes tcp_reset_length() bytes, with both checksums.
void write_tcp_reset(uint8_t* at, const TcpReset& reset);

}  // namespace weir::net
