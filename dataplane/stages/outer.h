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

/// Everything that is not plain, and everything that is wrong. Answers ARP, ND and echo on ports that DPDK
/// owns alone. (outer.cpp)
[[gnu::cold]] Next outer_rare(WorkerContext& ctx, rte_mbuf* mbuf, Outer& out);

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
    const OuterView copy = view;  // else the view itself has to lie in memory, for all packets
    if (!outer_checksum_right(mbuf, packet, copy)) return Next::drop(DropReason::outer_udp_checksum);
  }
  take_view(view, ip_offset, out);
  return Next::go_on();
}

/// For a burst that the port received.
inline PlainUdp plain_udp(const Snapshot& snapshot, PortIndex port) {
  const PortInfo& info = snapshot.ports[port];
  return {info.mac, snapshot.udp_tunnels, !info.native};
}

/// Whether it is what `plain` takes: of the port that the packet came in by. Whole fragments that another
/// worker received may be of another port; those it does not take.
[[gnu::always_inline]] inline bool outer_plain(rte_mbuf* mbuf, const PlainUdp& plain, Outer& out) {
  const net::Bytes frame = bytes_of(mbuf);
  OuterView view;
  if (mbuf->nb_segs != 1 || !plain.parse(frame.data(), frame.size(), view)) return false;
  take_view(view, sizeof(net::EthHeader), out);
  return true;
}

/// What `outer_plain` did not take: other tunnels, and the rest.
[[gnu::always_inline]] inline Next outer_other(WorkerContext& ctx, rte_mbuf* mbuf, Outer& out) {
  const Snapshot& snapshot = *ctx.snapshot;
  const PortInfo& port = snapshot.ports[meta_of(mbuf).port];
  const net::Bytes frame = bytes_of(mbuf);
  constexpr uint16_t kEth = sizeof(net::EthHeader);
  const auto rare = [&] {
    Outer found;  // else `out` itself has to lie in memory, for all packets
    const Next next = outer_rare(ctx, mbuf, found);
    out = found;
    return next;
  };
  if (frame.size() < kEth + sizeof(net::Ipv6Header) || mbuf->nb_segs != 1 || port.native) [[unlikely]]
    return rare();
  const auto& eth = *reinterpret_cast<const net::EthHeader*>(frame.data());
  if (eth.dst.word() != port.mac.word()) [[unlikely]]
    return rare();
  const net::Bytes packet = frame.subspan(kEth);
  OuterView view;
  if (eth.type.raw() == net::be16::of(net::kEtherIpv4).raw()) {
    if (!parse_plain4(packet.data(), packet.size(), snapshot.udp_tunnels, view)) [[unlikely]]
      return rare();
  } else if (eth.type.raw() != net::be16::of(net::kEtherIpv6).raw() ||
             !parse_plain6(packet.data(), packet.size(), snapshot.udp_tunnels, snapshot.hub_addresses,
                           view)) {
    return rare();
  }
  return take_tunnel(mbuf, packet, kEth, view, out);
}

}  // namespace weir::dataplane
