// The checksum of a packet's transport header, looked at where it matters what the receiver makes of the
// packet: it discards those that are wrong, so they move nothing and hide nothing.
//
// Worker thread. Costs a pass over the packet's bytes.
#pragma once

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// The checksum of `transport`, the whole segment or datagram, with the pseudo header of the packet's
/// addresses (RFC 9293 section 3.1, RFC 8200 section 8.1): what its field has to hold while that is 0, and 0
/// if what it holds is right.
inline uint16_t transport_checksum(rte_mbuf* mbuf, const PacketMeta& meta, net::Bytes transport) {
  const uint8_t* const ip = data_of(mbuf) + meta.ip_offset;
  const net::Bytes addresses = meta.is_v4() ? net::Bytes(ip + offsetof(net::Ipv4Header, src), 8)
                                            : net::Bytes(ip + offsetof(net::Ipv6Header, src), 32);
  const auto length = static_cast<uint32_t>(transport.size());
  const uint64_t pseudo = net::pseudo_header_sum(addresses, meta.protocol(), length);
  return net::checksum_finish(net::checksum_add(pseudo, transport));
}

/// Of TCP (RFC 9293 section 3.1), UDP (RFC 768), ICMP (RFC 792) and ICMPv6 (RFC 4443 section 2.3).
/// `transport` is the whole segment or datagram. True for protocols that have none here, and for UDP without
/// one.
inline bool transport_checksum_right(rte_mbuf* mbuf, const PacketMeta& meta, net::Bytes transport) {
  switch (meta.protocol()) {
    case net::kProtoIcmp:
      return net::checksum(transport) == 0;
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
    case net::kProtoIcmpv6:
      break;
    default:
      return true;
  }
  return transport_checksum(mbuf, meta, transport) == 0;
}

}  // namespace weir::dataplane
