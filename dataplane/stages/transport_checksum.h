// The checksum of a packet's transport header, looked at where it matters what the receiver makes of the
// packet: it discards those that are wrong, so they move nothing and hide nothing.
//
// Worker thread. Costs a pass over the packet's bytes.
#pragma once

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// net::transport_checksum() of `transport`, the whole segment or datagram, with the packet's addresses.
inline uint16_t transport_checksum(rte_mbuf* mbuf, const PacketMeta& meta, net::Bytes transport) {
  const net::Bytes ip(data_of(mbuf) + meta.ip_offset,
                      meta.is_v4() ? sizeof(net::Ipv4Header) : sizeof(net::Ipv6Header));
  return net::transport_checksum(ip, meta.protocol(), transport);
}

/// Of TCP (RFC 9293 section 3.1), UDP (RFC 768), ICMP (RFC 792) and ICMPv6 (RFC 4443 section 2.3).
/// `transport` is the whole segment or datagram. True for protocols that have none here, and for UDP without
/// one.
inline bool transport_checksum_right(rte_mbuf* mbuf, const PacketMeta& meta, net::Bytes transport) {
  switch (meta.protocol()) {
    case net::kProtoUdp: {
      const auto& udp = *reinterpret_cast<const net::UdpHeader*>(transport.data());
      if (udp.checksum.raw() == 0) return true;
      // What lies behind the datagram is not of it.
      const size_t length = udp.length.host();
      if (length < sizeof udp || length > transport.size()) return false;
      transport = transport.first(length);
      break;
    }
    case net::kProtoTcp:
    case net::kProtoIcmp:
    case net::kProtoIcmpv6:
      break;
    default:
      return true;
  }
  return transport_checksum(mbuf, meta, transport) == 0;
}

}  // namespace weir::dataplane
