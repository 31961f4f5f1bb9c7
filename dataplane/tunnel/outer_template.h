// The outer header of an attachment, made once by control, and what is patched in it per packet.
#pragma once

#include <array>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/tunnel/attachment.h"

namespace weir::dataplane {

struct OuterHeader {
  net::EthHeader eth;
  net::Ipv4Header ip;
  net::UdpHeader udp;
  net::VxlanHeader vxlan;
};
static_assert(sizeof(OuterHeader) == kVxlanOverhead);

/// Ethernet + IPv4 + UDP + VXLAN from `attachment`'s local, remote, udp_port and vni (RFC 7348 section 5):
/// don't-fragment set with IP id 0 (RFC 6864 section 4.1), UDP checksum 0, and left zero: destination MAC,
/// lengths, UDP source port. The IPv4 checksum is right for a total length of zero, so that it can be updated
/// by the real length alone.
inline std::array<uint8_t, kVxlanOverhead> make_outer_template(const Attachment& attachment,
                                                               net::Mac port_mac) {
  net::EthHeader eth{};
  eth.src = port_mac;
  eth.type = net::be16::of(net::kEtherIpv4);
  net::Ipv4Header ip{};
  ip.version_ihl = 0x45;
  ip.fragment = net::be16::of(net::Ipv4Header::kDontFragment);
  ip.ttl = 64;
  ip.protocol = net::kProtoUdp;
  ip.src = attachment.local.be();
  ip.dst = attachment.remote.be();
  ip.checksum = net::be16::raw(net::checksum({reinterpret_cast<const uint8_t*>(&ip), sizeof ip}));
  net::UdpHeader udp{};
  udp.dst_port = net::be16::of(attachment.udp_port);
  net::VxlanHeader vxlan{};
  vxlan.flags = net::VxlanHeader::kValidVni;
  vxlan.vni = net::be32::of(attachment.vni.value << 8);

  std::array<uint8_t, kVxlanOverhead> bytes;
  uint8_t* at = bytes.data();
  const auto put = [&](const auto& header) {
    std::memcpy(at, &header, sizeof header);
    at += sizeof header;
  };
  put(eth);
  put(ip);
  put(udp);
  put(vxlan);
  return bytes;
}

/// RFC 7348 section 5: from the dynamic range, by a hash of the inner flow, so that the underlay can spread
/// flows over paths.
inline net::be16 entropy_port(uint32_t hash) {
  return net::be16::of(static_cast<uint16_t>(0xc000 | ((hash ^ hash >> 14) & 0x3fff)));
}

/// Writes the outer header of a packet whose inner frame has `inner_length` bytes to the kVxlanOverhead bytes
/// at `out`. Any worker.
inline void write_outer(uint8_t* out, const std::array<uint8_t, kVxlanOverhead>& outer_template,
                        net::Mac next_hop, uint16_t inner_length, uint32_t hash) {
  auto* at = reinterpret_cast<OuterHeader*>(out);
  std::memcpy(at, outer_template.data(), kVxlanOverhead);
  const uint16_t udp_length =
      static_cast<uint16_t>(sizeof(net::UdpHeader) + sizeof(net::VxlanHeader) + inner_length);
  const net::be16 total = net::be16::of(static_cast<uint16_t>(sizeof(net::Ipv4Header) + udp_length));
  at->eth.dst = next_hop;
  // The template's checksum holds for its total length of zero.
  at->ip.checksum = net::checksum_update(at->ip.checksum, at->ip.total_length, total);
  at->ip.total_length = total;
  at->udp.src_port = entropy_port(hash);
  at->udp.length = net::be16::of(udp_length);
}

}  // namespace weir::dataplane
