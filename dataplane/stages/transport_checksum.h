// The checksum of a packet's transport header, looked at where it matters what the receiver makes of the
// packet: it discards those that are wrong (RFC 9293 section 3.1, RFC 768), so they move nothing and hide
// nothing.
//
// Worker thread. Costs a pass over the packet's bytes.
#pragma once

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// `transport` is the whole segment or datagram. True for protocols that have none here, and for UDP without
/// one.
inline bool transport_checksum_right(rte_mbuf* mbuf, const PacketMeta& meta, net::Bytes transport) {
  const uint8_t protocol = meta.protocol();
  if (protocol != net::kProtoTcp && protocol != net::kProtoUdp) return true;
  if (protocol == net::kProtoUdp &&
      reinterpret_cast<const net::UdpHeader*>(transport.data())->checksum.raw() == 0) {
    return true;
  }
  const uint8_t* const ip = data_of(mbuf) + meta.ip_offset;
  const net::Bytes addresses = meta.is_v4() ? net::Bytes(ip + offsetof(net::Ipv4Header, src), 8)
                                            : net::Bytes(ip + offsetof(net::Ipv6Header, src), 32);
  const auto length = static_cast<uint32_t>(transport.size());
  return net::checksum_finish(
             net::checksum_add(net::pseudo_header_sum(addresses, protocol, length), transport)) == 0;
}

}  // namespace weir::dataplane
