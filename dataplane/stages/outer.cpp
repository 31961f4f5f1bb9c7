// Outer headers of what a port received.
#include "dataplane/net/checksum.h"
#include "dataplane/net/parse.h"
#include "dataplane/stages/fragments.h"
#include "dataplane/stages/hub_answers.h"
#include "dataplane/stages/stages.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

namespace {

constexpr int kPrefetchAhead = 4;

DropReason reason_of(net::ParseError error) {
  return error == net::ParseError::truncated ? DropReason::outer_truncated : DropReason::outer_bad_header;
}

const HubAddress* find_hub_address(const Snapshot& snapshot, net::Ipv4 address) {
  for (const HubAddress& hub : snapshot.hub_addresses) {
    if (hub.address == address) return &hub;
  }
  return nullptr;
}

/// What is sent to the hub's own underlay address without a tunnel. On ports shared with the kernel it does
/// not come here.
Next decide_local(rte_mbuf* mbuf, PacketMeta& meta, const net::IpView& ip) {
  if (ip.protocol == net::kProtoIcmp && answer_echo(mbuf, meta.ip_offset, ip)) return Next::answer_outer();
  return Next::drop(DropReason::outer_protocol);
}

Next decide(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  if (mbuf->nb_segs != 1) return Next::drop(DropReason::port_rx_error);
  const net::Bytes frame = bytes_of(mbuf);
  net::EthView eth;
  if (net::parse_ethernet(frame, eth) != net::ParseError::none)
    return Next::drop(DropReason::outer_truncated);
  const net::Mac& dst = reinterpret_cast<const net::EthHeader*>(frame.data())->dst;
  if (eth.type == net::kEtherArp) return answer_underlay_arp(ctx, mbuf, eth.offset);
  if (eth.type != net::kEtherIpv4) return Next::drop(DropReason::outer_protocol);
  if (dst != ctx.snapshot->ports[meta.port].mac) return Next::drop(DropReason::outer_not_for_hub);

  const net::Bytes packet = frame.subspan(eth.offset);
  net::IpView ip;
  if (const auto error = net::parse_ipv4(packet, ip); error != net::ParseError::none) {
    return Next::drop(reason_of(error));
  }
  if (find_hub_address(*ctx.snapshot, ip.dst.v4()) == nullptr)
    return Next::drop(DropReason::outer_not_for_hub);
  if (ip.fragment) [[unlikely]] {
    const Next next = gather_outer(ctx, mbuf, eth.offset, ip);
    return next.kind == Next::Kind::go_on ? decide(ctx, mbuf) : next;  // whole now
  }
  meta.ip_offset = eth.offset;
  if (ip.protocol != net::kProtoUdp) return decide_local(mbuf, meta, ip);

  net::L4View udp;
  if (const auto error = net::parse_l4(packet, ip, udp); error != net::ParseError::none) {
    return Next::drop(reason_of(error));
  }
  if (ip.length < udp.payload_offset + sizeof(net::VxlanHeader))
    return Next::drop(DropReason::vxlan_bad_header);
  const auto* vxlan = reinterpret_cast<const net::VxlanHeader*>(packet.data() + udp.payload_offset);
  if ((vxlan->flags & net::VxlanHeader::kValidVni) == 0) return Next::drop(DropReason::vxlan_bad_header);
  meta.tunnel = {ip.dst.v4(), ip.src.v4(), Vni{vxlan->vni.host() >> 8}, udp.dst_port};
  meta.payload_offset = static_cast<uint16_t>(eth.offset + udp.payload_offset + sizeof(net::VxlanHeader));
  meta.ip_length = static_cast<uint16_t>(ip.length);
  return Next::go_on();
}

}  // namespace

void outer(WorkerContext& ctx, Burst& burst) {
  const uint16_t size = burst.size;
  for (uint16_t i = 0; i < size && i < kPrefetchAhead; ++i) rte_prefetch0(data_of(burst.packets[i]));
  uint16_t i = 0;
  for_each_packet(ctx, burst, [&](rte_mbuf* mbuf) {
    if (++i + kPrefetchAhead <= size) {
      // for_each_packet compacts behind the reading position only, so what lies ahead is still there.
      rte_mbuf* ahead = burst.packets[i + kPrefetchAhead - 1];
      rte_prefetch0(data_of(ahead));
      rte_prefetch0(data_of(ahead) + 64);
    }
    return decide(ctx, mbuf);
  });
}

}  // namespace weir::dataplane
