// From an outer IP packet to the tunnel that it belongs to: the complete reading. outer_pattern.h has the
// quick one.
#pragma once

#include <span>

#include "dataplane/core/verdict.h"
#include "dataplane/net/parse.h"
#include "dataplane/net/tunnel_headers.h"
#include "dataplane/tunnel/tunnel_table.h"

namespace weir::dataplane {

/// Offsets count from the start of the outer IP header.
struct OuterView {
  TunnelKey key;
  uint16_t payload = 0;  // what the tunnel carries begins here
  uint16_t length = 0;   // of the outer IP packet; what lies beyond is padding
  uint16_t udp = 0;      // of the UDP header; 0: there is none
  uint8_t tos = 0;       // outer DSCP and ECN
  net::Payload inner = net::Payload::ethernet;
  bool checksum_zero = false;  // the outer UDP checksum is zero
};

/// One of the hub's underlay addresses.
struct HubAddress {
  net::IpAddress address;
  PortIndex port = 0;
  /// The kernel owns this address too (af_xdp): it answers ARP, ND and echo itself.
  bool kernel_shared = false;
  /// IPv6: stands for the address in tunnel keys. From 1, unique, the same for the hub's life; IPv4: 0.
  uint16_t number = 0;
};

/// The number of an IPv6 address of the hub, or 0.
inline uint16_t number_of(std::span<const HubAddress> own, const net::Ipv6& address) {
  for (const HubAddress& a : own) {
    if (a.number != 0 && a.address.bits == address) return a.number;
  }
  return 0;
}

/// What a packet to the hub's underlay is, beside a tunnel's.
struct OuterJudgement {
  DropReason drop = DropReason::none;
  bool fragment = false;  // of a datagram for one of the hub's addresses: `ip` says which
  bool local = false;     // whole, for one of the hub's addresses, and no tunnel: `ip` says what
};

/// The complete reading of an outer IP packet of either family.
OuterJudgement parse_outer(net::Bytes packet, net::Family family, const UdpTunnels& udp_tunnels,
                           std::span<const HubAddress> own, OuterView& out, net::IpView& ip);

/// False: the outer UDP checksum of the packet, which is not zero, is wrong.
bool outer_checksum_right(net::Bytes packet, const OuterView& view);

}  // namespace weir::dataplane
