// Outer headers of what a port received: whose tunnel is it? (tunnel/outer_parse.h)
#pragma once

#include "dataplane/tunnel/outer_parse.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// What decapsulation needs of a received packet. Lives in registers, for as long as the packet is looked at
/// for the first time.
struct Outer {
  TunnelKey key;
  uint16_t payload_offset = 0;  // what the tunnel carries: from the start of the data. Native: length of tags
  uint16_t payload_length = 0;  // without the padding of a short frame
  uint8_t tos = 0;              // outer DSCP and ECN
  net::Payload payload = net::Payload::ethernet;
  bool no_checksum = false;  // its outer UDP checksum was zero
};

/// The complete reading: everything that is not plain (stages/receive_plain.h), and everything that is wrong.
/// Answers ARP, ND and echo on ports that DPDK owns alone. (outer.cpp)
Next outer(WorkerContext& ctx, rte_mbuf* mbuf, Outer& out);

/// The outer UDP checksum, as the port or we find it. (outer.cpp)
bool outer_checksum_right(const rte_mbuf* mbuf, net::Bytes packet, const OuterView& view);

/// What decap needs of an outer IP packet that lies at `ip_offset`.
[[gnu::always_inline]] inline void take_view(const OuterView& view, uint16_t ip_offset, Outer& out) {
  out.key = view.key;
  out.payload_offset = static_cast<uint16_t>(ip_offset + view.payload);
  out.payload_length = static_cast<uint16_t>(view.length - view.payload);
  out.tos = view.tos;
  out.payload = view.inner;
  out.no_checksum = view.udp != 0 && view.checksum_zero;
}

/// The packet belongs to a tunnel: the same, if its UDP checksum is right.
[[gnu::always_inline]] inline Next take_tunnel(rte_mbuf* mbuf, net::Bytes packet, uint16_t ip_offset,
                                               const OuterView& view, Outer& out) {
  if (view.udp != 0 && !view.checksum_zero) [[unlikely]] {
    if (!outer_checksum_right(mbuf, packet, view)) return Next::drop(DropReason::outer_udp_checksum);
  }
  take_view(view, ip_offset, out);
  return Next::go_on();
}

}  // namespace weir::dataplane
