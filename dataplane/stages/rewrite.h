// What a router changes in the packet: MTU and TTL are checked, TTL goes down by one, the MAC addresses are
// those of the next link (RFC 1812 section 5.3.1, RFC 8200 section 3).
#pragma once

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/session/tcp_state.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// Keeps the maximum segment size of a SYN within what both attachments carry (stages/mss.h). (rewrite.cpp)
[[gnu::cold]] void clamp_mss(const Snapshot& snapshot, rte_mbuf* mbuf, const Attachment& egress);
/// A packet that came without an Ethernet header leaves with one. False: no room. (rewrite.cpp)
bool add_ethernet(rte_mbuf* mbuf, PacketMeta& meta);

inline void decrement_ttl(uint8_t* packet, bool v4) {
  if (!v4) {
    --reinterpret_cast<net::Ipv6Header*>(packet)->hop_limit;
    return;
  }
  // The TTL is the high byte of its word, so the checksum grows by 0x0100 (RFC 1141); a carry goes around,
  // and 0xffff is zero (RFC 1624 section 3).
  auto& ip = *reinterpret_cast<net::Ipv4Header*>(packet);
  --ip.ttl;
  const uint32_t sum = ip.checksum.host() + 0x0100u;
  ip.checksum = net::be16::of(static_cast<uint16_t>(sum + (sum >= 0xffff)));
}

/// Where a packet goes that has waited since its session was looked up: control may have taken that away.
inline Next find_next_hop(const WorkerContext& ctx, rte_mbuf* mbuf, AdjacencyTable::View& next_hop) {
  const bool known = ctx.snapshot->adjacencies->get(meta_of(mbuf).adjacency, next_hop);
  return known ? Next::go_on() : Next::drop(DropReason::neighbor_unresolved);
}

/// `next_hop` is inside `egress`.
[[gnu::always_inline]] inline Next rewrite(WorkerContext& ctx, rte_mbuf* mbuf,
                                           const AdjacencyTable::View& next_hop, const Attachment& egress) {
  PacketMeta& meta = meta_of(mbuf);
  if (meta.ttl <= 1) [[unlikely]]
    return Next::punt(PuntReason::ttl_exceeded);
  if (meta.ip_length > egress.mtu) [[unlikely]] {
    meta.punt_mtu = egress.mtu;
    return Next::punt(PuntReason::mtu_exceeded);
  }
  if ((meta.tcp_flags & kSyn) != 0) [[unlikely]]
    clamp_mss(*ctx.snapshot, mbuf, egress);
  decrement_ttl(data_of(mbuf) + meta.ip_offset, meta.is_v4());
  if (!egress.ethernet) [[unlikely]]
    return Next::go_on();  // encap takes an Ethernet header off
  if (meta.ip_offset == 0 && !add_ethernet(mbuf, meta)) [[unlikely]]
    return Next::drop(DropReason::no_headroom);
  net::write_macs(data_of(mbuf), next_hop.mac_word, egress.hub_mac.word());
  return Next::go_on();
}

}  // namespace weir::dataplane
