// What a router changes in the packet: MTU and TTL are checked, TTL goes down by one, the MAC addresses are
// those of the next link (RFC 1812 section 5.3.1, RFC 8200 section 3).
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/stages/stages.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

namespace {

void decrement_ttl(uint8_t* packet, bool v4) {
  if (!v4) {
    --reinterpret_cast<net::Ipv6Header*>(packet)->hop_limit;
    return;
  }
  auto& ip = *reinterpret_cast<net::Ipv4Header*>(packet);
  const auto word = [&] { return net::be16::of(static_cast<uint16_t>(ip.ttl << 8 | ip.protocol)); };
  const net::be16 before = word();
  --ip.ttl;
  ip.checksum = net::checksum_update(ip.checksum, before, word());
}

/// A packet that came without an Ethernet header leaves with one. False: no room.
[[gnu::noinline]] bool add_ethernet(rte_mbuf* mbuf, PacketMeta& meta) {
  auto* eth = reinterpret_cast<net::EthHeader*>(rte_pktmbuf_prepend(mbuf, sizeof(net::EthHeader)));
  if (eth == nullptr) return false;
  eth->type = net::be16::of(meta.is_v4() ? net::kEtherIpv4 : net::kEtherIpv6);
  meta.ip_offset = sizeof(net::EthHeader);
  return true;
}

Next decide(const Snapshot& snapshot, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  AdjacencyTable::View next_hop;
  if (!snapshot.adjacencies->get(meta.adjacency, next_hop)) [[unlikely]]
    return Next::drop(DropReason::neighbor_unresolved);
  const Attachment* egress = snapshot.attachment(next_hop.attachment);
  if (egress == nullptr) [[unlikely]]
    return Next::drop(DropReason::stale_attachment);
  meta.egress = next_hop.attachment;
  if (meta.ttl <= 1) [[unlikely]]
    return Next::punt(PuntReason::ttl_exceeded);
  if (meta.ip_length > egress->mtu) [[unlikely]] {
    meta.punt_mtu = egress->mtu;
    return Next::punt(PuntReason::mtu_exceeded);
  }
  decrement_ttl(data_of(mbuf) + meta.ip_offset, meta.is_v4());
  if (!egress->ethernet) [[unlikely]]
    return Next::go_on();  // encap takes an Ethernet header off
  if (meta.ip_offset == 0 && !add_ethernet(mbuf, meta)) [[unlikely]]
    return Next::drop(DropReason::no_headroom);
  auto& eth = *reinterpret_cast<net::EthHeader*>(data_of(mbuf));
  eth.dst = next_hop.mac;
  eth.src = egress->hub_mac;
  return Next::go_on();
}

}  // namespace

void rewrite(WorkerContext& ctx, Burst& burst) {
  for_each_packet(ctx, burst, [&](rte_mbuf* mbuf) { return decide(*ctx.snapshot, mbuf); });
}

}  // namespace weir::dataplane
