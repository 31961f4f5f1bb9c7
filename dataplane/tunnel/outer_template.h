// The outer header of an attachment, made once by control and patched per packet by vxlan_encap.
#pragma once

#include <array>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/tunnel/attachment.h"

namespace weir::dataplane {

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

}  // namespace weir::dataplane
