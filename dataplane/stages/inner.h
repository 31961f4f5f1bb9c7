// Inner headers: what the spoke sent.
#pragma once

#include "dataplane/net/ecn.h"
#include "dataplane/net/plain.h"
#include "dataplane/stages/outer.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// The complete reading: everything that is not plain, everything that is wrong, and what only first packets
/// have to be asked. Answers ARP, ND and echo for the hub's gateway addresses. (inner.cpp)
[[gnu::cold]] Next inner_rare(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& attachment);

/// The plain reading leaves out what no session can have, so what needs no look in a packet that finds its
/// session: addresses that never are routed, the hub's own. Without a session it is read again, completely.
[[gnu::always_inline]] inline Next inner(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& attachment,
                                         const Outer& outer) {
  PacketMeta& meta = meta_of(mbuf);
  meta.payload = outer.payload;
  meta.tos = outer.tos;
  const uint8_t* packet = data_of(mbuf);
  size_t size = mbuf->data_len;
  uint16_t eth_length = 0;
  net::Payload type = outer.payload;
  if (attachment.ethernet) [[likely]] {
    eth_length = sizeof(net::EthHeader);
    const auto& eth = *reinterpret_cast<const net::EthHeader*>(packet);
    if (size < sizeof eth || eth.dst.word() != attachment.hub_mac.word()) [[unlikely]]
      return inner_rare(ctx, mbuf, attachment);
    const bool v4 = eth.type.raw() == net::be16::of(net::kEtherIpv4).raw();
    type = v4 ? net::Payload::ipv4 : net::payload_of(eth.type.host());
    packet += sizeof eth;
    size -= sizeof eth;
  }
  // An outer header without a mark (not-ECT, ECT(0)) has nothing to tell, unless DSCP is to be taken over.
  if ((outer.tos & net::kEct1) != 0 || attachment.tos_mask != net::kEcnMask) [[unlikely]]
    return inner_rare(ctx, mbuf, attachment);
  const auto slot = static_cast<uint16_t>(attachment.domain.index());
  net::PlainView ip;
  if (type == net::Payload::ipv4) [[likely]] {
    uint64_t addresses;
    if (!net::parse_plain_ipv4(packet, size, ip, addresses)) [[unlikely]]
      return inner_rare(ctx, mbuf, attachment);
    meta.set_key(addresses, ip.ports, slot, ip.protocol);
  } else {
    net::Ipv6 src, dst;
    if (type != net::Payload::ipv6 || !net::parse_plain_ipv6(packet, size, ip, src, dst)) [[unlikely]]
      return inner_rare(ctx, mbuf, attachment);
    meta.set_key(src, dst, ip.ports, slot, ip.protocol);
  }
  meta.ip_offset = eth_length;
  meta.l4_offset = type == net::Payload::ipv4 ? sizeof(net::Ipv4Header) : sizeof(net::Ipv6Header);
  meta.payload_offset = ip.payload_offset;
  meta.ip_length = ip.length;
  meta.ttl = ip.ttl;
  meta.tos = ip.tos;
  meta.tcp_flags = ip.tcp_flags;
  meta.plain = true;
  // Padding of a short inner frame is not carried on.
  mbuf->data_len = static_cast<uint16_t>(eth_length + ip.length);
  mbuf->pkt_len = mbuf->data_len;
  return Next::go_on();
}

}  // namespace weir::dataplane
