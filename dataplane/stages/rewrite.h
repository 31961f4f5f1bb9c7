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

[[gnu::always_inline]] inline void decrement_ttl(uint8_t* packet, bool v4) {
  if (!v4) {
    --reinterpret_cast<net::Ipv6Header*>(packet)->hop_limit;
    return;
  }
  // The TTL is the high byte of its word, so the checksum grows by 0x0100 (RFC 1141): at the third byte of
  // this little-endian word, whence a carry goes on to the fourth, which is where one's complement wants it.
  uint8_t* at = packet + offsetof(net::Ipv4Header, ttl);
  auto word = net::detail::read<uint32_t>(at);
  word += 0x1'0000 - 1;
  std::memcpy(at, &word, sizeof word);
  // But for the carry out of the fourth, and that 0xffff is zero (RFC 1624 section 3).
  const uint32_t sum = word >> 16;
  if (((sum + 1) & 0xfffe) == 0) [[unlikely]]
    reinterpret_cast<net::Ipv4Header*>(packet)->checksum = net::be16::of(sum == 0 ? 0x0100 : 0);
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
