// Outer headers of what a port received: whose tunnel is it? (tunnel/outer_parse.h)
#pragma once

#include "dataplane/tunnel/outer_parse.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// Everything that is not plain, and everything that is wrong. Answers ARP, ND and echo on ports that DPDK
/// owns alone. (outer.cpp)
[[gnu::cold]] Next outer_rare(WorkerContext& ctx, rte_mbuf* mbuf);

/// The outer UDP checksum, as the port or we find it. (outer.cpp)
bool outer_checksum_right(const rte_mbuf* mbuf, net::Bytes packet, const OuterView& view);

/// The packet belongs to a tunnel: what decap needs of it.
[[gnu::always_inline]] inline Next take_tunnel(rte_mbuf* mbuf, PacketMeta& meta, net::Bytes packet,
                                               uint16_t ip_offset, const OuterView& view) {
  if (view.udp != 0 && !view.checksum_zero) [[unlikely]] {
    const OuterView copy = view;  // else the view itself has to lie in memory, for all packets
    if (!outer_checksum_right(mbuf, packet, copy)) return Next::drop(DropReason::outer_udp_checksum);
  }
  meta.tunnel = view.key;
  meta.ip_offset = ip_offset;
  meta.payload_offset = static_cast<uint16_t>(ip_offset + view.payload);
  meta.ip_length = view.length;
  meta.tos = view.tos;
  meta.payload = view.inner;
  meta.no_checksum = view.udp != 0 && view.checksum_zero;
  return Next::go_on();
}

[[gnu::always_inline]] inline Next outer(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  const Snapshot& snapshot = *ctx.snapshot;
  const PortInfo& port = snapshot.ports[meta.port];
  const net::Bytes frame = bytes_of(mbuf);
  constexpr uint16_t kEth = sizeof(net::EthHeader);
  if (frame.size() < kEth + sizeof(net::Ipv6Header) || mbuf->nb_segs != 1 || port.native) [[unlikely]]
    return outer_rare(ctx, mbuf);
  const auto& eth = *reinterpret_cast<const net::EthHeader*>(frame.data());
  if (eth.dst != port.mac) [[unlikely]]
    return outer_rare(ctx, mbuf);
  const net::Bytes packet = frame.subspan(kEth);
  OuterView view;
  if (eth.type.raw() == net::be16::of(net::kEtherIpv4).raw()) [[likely]] {
    if (!parse_plain4(packet.data(), packet.size(), snapshot.udp_tunnels, view)) [[unlikely]]
      return outer_rare(ctx, mbuf);
  } else if (eth.type.raw() != net::be16::of(net::kEtherIpv6).raw() ||
             !parse_plain6(packet.data(), packet.size(), snapshot.udp_tunnels, snapshot.hub_addresses,
                           view)) {
    return outer_rare(ctx, mbuf);
  }
  return take_tunnel(mbuf, meta, packet, kEth, view);
}

}  // namespace weir::dataplane
