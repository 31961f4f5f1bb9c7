// From an outer IP packet to the tunnel that it belongs to.
//
// Three readings of the same rules. PlainUdp takes what nearly every packet is, by comparing most of its
// headers at once. parse_plain4() and parse_plain6() take IPv4 without options and IPv6 without extension
// headers, whole, with a tunnel header without options; they are inline and branch little. What they do not
// take goes to parse_outer(), which takes everything and says what is wrong. Where an earlier one says yes
// the last one says the same (a test and a fuzzer hold them to it).
#pragma once

#include <immintrin.h>

#include <array>
#include <bit>
#include <cstring>

#include "dataplane/core/verdict.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/plain.h"
#include "dataplane/net/tunnel_headers.h"
#include "dataplane/tunnel/tunnel_table.h"

namespace weir::dataplane {

/// Offsets count from the start of the outer IP header.
struct OuterView {
  TunnelKey key;
  uint16_t payload = 0;  // what the tunnel carries begins here
  uint16_t length = 0;   // of the outer IP packet; what lies beyond is padding
  uint16_t udp = 0;      // of the UDP header; 0: there is none
  uint8_t tos = 0;       // outer DSCP and ECN
  net::Payload inner = net::Payload::ethernet;
  bool checksum_zero = false;  // the outer UDP checksum is zero
};

/// One of the hub's underlay addresses.
struct HubAddress {
  net::IpAddress address;
  PortIndex port = 0;
  /// The kernel owns this address too (af_xdp): it answers ARP, ND and echo itself.
  bool kernel_shared = false;
  /// IPv6: stands for the address in tunnel keys. From 1, unique, the same for the hub's life; IPv4: 0.
  uint16_t number = 0;
};

/// The number of an IPv6 address of the hub, or 0.
inline uint16_t number_of(std::span<const HubAddress> own, const net::Ipv6& address) {
  for (const HubAddress& a : own) {
    if (a.number != 0 && a.address.bits == address) return a.number;
  }
  return 0;
}

namespace detail {

/// The tunnel header at `at`, of which `size` bytes are there; `l4` is its offset. False: nothing plain.
[[gnu::always_inline]] inline bool plain_tunnel(const uint8_t* at, uint16_t size, uint8_t protocol,
                                                uint16_t l4, const UdpTunnels& udp_tunnels, OuterView& out,
                                                KeyKind& kind, uint32_t& id, uint16_t& port) {
  if (protocol == net::kProtoUdp) [[likely]] {
    constexpr uint16_t kHeaders = sizeof(net::UdpHeader) + sizeof(net::VxlanHeader);
    if (size < kHeaders) return false;
    const auto* udp = reinterpret_cast<const net::UdpHeader*>(at);
    const uint16_t length = udp->length.host();
    if (length < kHeaders || length > size) return false;
    port = udp->dst_port.host();
    kind = udp_tunnels.find(port);
    const uint8_t* header = at + sizeof(net::UdpHeader);
    if (kind == KeyKind::vxlan) [[likely]] {
      if ((header[0] & net::VxlanHeader::kValidVni) == 0) return false;
      out.inner = net::Payload::ethernet;
    } else {
      const auto* geneve = reinterpret_cast<const net::GeneveHeader*>(header);
      if (kind != KeyKind::geneve || geneve->version_length != 0 || geneve->flags != 0) return false;
      out.inner = net::payload_of(geneve->protocol.host());
      if (out.inner == net::Payload::other) return false;
    }
    id = reinterpret_cast<const net::VxlanHeader*>(header)->vni.host() >> 8;
    out.udp = l4;
    out.checksum_zero = udp->checksum.raw() == 0;
    out.payload = static_cast<uint16_t>(l4 + kHeaders);
    return true;
  }
  if (protocol == net::kProtoGre) {
    if (size < sizeof(net::GreHeader) + sizeof(net::be32))
      return false;  // room for a key, whether there is one
    const auto* gre = reinterpret_cast<const net::GreHeader*>(at);
    const uint16_t flags = gre->flags.host();
    out.inner = net::payload_of(gre->protocol.host());
    if ((flags & ~net::GreHeader::kKey) != 0 || out.inner == net::Payload::other) return false;
    const bool keyed = flags != 0;
    kind = keyed ? KeyKind::gre_keyed : KeyKind::gre;
    id = keyed ? reinterpret_cast<const net::be32*>(gre + 1)->host() : 0;
    out.payload = static_cast<uint16_t>(l4 + sizeof(net::GreHeader) + (keyed ? sizeof(net::be32) : 0));
    return true;
  }
  if (protocol != net::kProtoIpv4 && protocol != net::kProtoIpv6) return false;
  const bool v4 = protocol == net::kProtoIpv4;
  kind = v4 ? KeyKind::ipip4 : KeyKind::ipip6;
  out.inner = v4 ? net::Payload::ipv4 : net::Payload::ipv6;
  out.payload = l4;
  return true;
}

}  // namespace detail

/// `packet` starts with an outer IPv4 header, in a frame that says so, and 20 bytes of it are there. False:
/// not plain.
[[gnu::always_inline]] inline bool parse_plain4(const uint8_t* packet, size_t size,
                                                const UdpTunnels& udp_tunnels, OuterView& out) {
  const auto* ip = reinterpret_cast<const net::Ipv4Header*>(packet);
  constexpr uint16_t kHeader = sizeof(net::Ipv4Header);
  const uint16_t total = ip->total_length.host();
  if (ip->version_ihl != 0x45 || ip->is_fragment() || total < kHeader || total > size) return false;
  if (!net::detail::ipv4_sum_right(packet)) return false;
  KeyKind kind = KeyKind::none;
  uint32_t id = 0;
  uint16_t port = 0;
  if (!detail::plain_tunnel(packet + kHeader, static_cast<uint16_t>(total - kHeader), ip->protocol, kHeader,
                            udp_tunnels, out, kind, id, port)) {
    return false;
  }
  out.length = total;
  out.tos = ip->tos;
  out.key = TunnelKey::v4(kind, net::Ipv4{ip->dst.host()}, net::Ipv4{ip->src.host()}, id, port);
  return true;
}

/// The same for IPv6, of which 40 bytes are there.
[[gnu::always_inline]] inline bool parse_plain6(const uint8_t* packet, size_t size,
                                                const UdpTunnels& udp_tunnels,
                                                std::span<const HubAddress> own, OuterView& out) {
  const auto* ip = reinterpret_cast<const net::Ipv6Header*>(packet);
  constexpr uint16_t kHeader = sizeof(net::Ipv6Header);
  const uint32_t total = kHeader + ip->payload_length.host();
  const uint32_t word = ip->version_class_flow.host();
  if (word >> 28 != 6 || total > size || total > UINT16_MAX) return false;
  KeyKind kind = KeyKind::none;
  uint32_t id = 0;
  uint16_t port = 0;
  if (!detail::plain_tunnel(packet + kHeader, static_cast<uint16_t>(total - kHeader), ip->next_header,
                            kHeader, udp_tunnels, out, kind, id, port)) {
    return false;
  }
  const uint16_t number = number_of(own, net::Ipv6::load(ip->dst));
  if (number == 0) return false;
  out.length = static_cast<uint16_t>(total);
  out.tos = static_cast<uint8_t>(word >> 20);
  out.key = TunnelKey::v6(kind, number, net::Ipv6::load(ip->src), id, port);
  return true;
}

/// VXLAN, or GENEVE that carries Ethernet, over UDP without a checksum over IPv4 without options, to one of
/// the hub's ports: what these packets have in common, from the Ethernet header to the VNI. Made for a burst.
class PlainUdp {
 public:
  /// Ethernet, IPv4, UDP, VXLAN or GENEVE.
  static constexpr uint16_t kHeaders = 14 + 20 + 8 + 8;

  /// Takes nothing unless `usable`. Of several UDP ports for a kind it knows the first.
  PlainUdp(const net::Mac& port_mac, const UdpTunnels& tunnels, bool usable)
      : shortest_(usable ? kHeaders + uint32_t{sizeof(net::EthHeader)} : UINT32_MAX) {
    for (uint32_t i = tunnels.count; i-- > 0;) {
      const UdpTunnels::Entry& entry = tunnels.entries[i];
      Kind& kind = entry.kind == KeyKind::vxlan ? vxlan_ : geneve_;
      kind.port = net::be16::of(entry.port).raw();
      kind.key_rest = TunnelKey::pack(entry.kind, 0, entry.port, 0);
    }
    alignas(32) uint8_t bytes[kSecond + 32] = {};
    net::write_mac(bytes, port_mac.word());
    bytes[12] = net::kEtherIpv4 >> 8;
    bytes[14] = 0x45;
    bytes[23] = net::kProtoUdp;
    first_ = load(bytes);
    second_ = load(bytes + kSecond);
  }

  /// `frame` is `size` bytes, of which the first 50 may be read if there are fewer.
  [[gnu::always_inline]] bool parse(const uint8_t* frame, size_t size, OuterView& out) const {
    if (size < shortest_ || !matches(frame)) return false;
    const uint8_t* ip = frame + sizeof(net::EthHeader);
    const uint8_t* udp = ip + sizeof(net::Ipv4Header);
    const uint8_t* tunnel = udp + sizeof(net::UdpHeader);
    const uint16_t port = reinterpret_cast<const net::UdpHeader*>(udp)->dst_port.raw();
    uint64_t rest;
    if (port == vxlan_.port) [[likely]] {
      if ((tunnel[0] & net::VxlanHeader::kValidVni) == 0) return false;
      rest = vxlan_.key_rest;
    } else {
      // No options, no flags.
      const uint32_t bare = net::be32::of(net::kEtherBridged).raw();
      if (port != geneve_.port || net::detail::read<uint32_t>(tunnel) != bare) return false;
      rest = geneve_.key_rest;
    }
    const uint16_t total = reinterpret_cast<const net::Ipv4Header*>(ip)->total_length.host();
    const uint16_t udp_length = reinterpret_cast<const net::UdpHeader*>(udp)->length.host();
    if (total > size - sizeof(net::EthHeader) || udp_length + sizeof(net::Ipv4Header) != total ||
        total < kHeaders - sizeof(net::EthHeader) || !net::detail::ipv4_sum_right(ip) || rest == 0) {
      return false;
    }
    out.payload = kHeaders - sizeof(net::EthHeader);
    out.length = total;
    out.udp = sizeof(net::Ipv4Header);
    out.tos = ip[1];
    out.inner = net::Payload::ethernet;
    out.checksum_zero = true;
    const uint64_t addresses = net::detail::read<uint64_t>(ip + offsetof(net::Ipv4Header, src));
    const uint32_t vni = net::be32::raw(net::detail::read<uint32_t>(tunnel + 4)).host() >> 8;
    out.key = {0, std::rotl(net::be64::raw(addresses).host(), 32), rest | static_cast<uint64_t>(vni) << 32};
    return true;
  }

 private:
  static constexpr size_t kSecond = kHeaders - 32;  // the second piece reads up to the end

  struct Kind {
    uint16_t port = 0;      // network order
    uint64_t key_rest = 0;  // 0: the hub expects none
  };

  static __m256i load(const uint8_t* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }
  /// In the bits that the masks name, the frame is as it should be.
  bool matches(const uint8_t* frame) const {
    const __m256i first = _mm256_and_si256(_mm256_xor_si256(load(frame), first_), load(kFirstMask.data()));
    const __m256i second =
        _mm256_and_si256(_mm256_xor_si256(load(frame + kSecond), second_), load(kSecondMask.data()));
    const __m256i differs = _mm256_or_si256(first, second);
    return _mm256_testz_si256(differs, differs) != 0;
  }
  using Mask = std::array<uint8_t, 32>;
  alignas(32) static constexpr Mask kFirstMask = [] {
    Mask mask{};
    for (const int at : {0, 1, 2, 3, 4, 5, 12, 13, 14, 21, 23})
      mask[at] = 0xff;  // MAC, types, offset, protocol
    mask[20] = 0x3f;    // more fragments, and the offset's upper half
    return mask;
  }();
  alignas(32) static constexpr Mask kSecondMask = [] {
    Mask mask{};
    mask[40 - kSecond] = mask[41 - kSecond] = 0xff;  // UDP checksum
    return mask;
  }();

  __m256i first_, second_;
  uint32_t shortest_;
  Kind vxlan_, geneve_;
};

/// What a packet to the hub's underlay is, beside a tunnel's.
struct OuterJudgement {
  DropReason drop = DropReason::none;
  bool fragment = false;  // of a datagram for one of the hub's addresses: `ip` says which
  bool local = false;     // whole, for one of the hub's addresses, and no tunnel: `ip` says what
};

/// The complete reading of an outer IP packet of either family.
OuterJudgement parse_outer(net::Bytes packet, net::Family family, const UdpTunnels& udp_tunnels,
                           std::span<const HubAddress> own, OuterView& out, net::IpView& ip);

/// False: the outer UDP checksum of the packet, which is not zero, is wrong.
bool outer_checksum_right(net::Bytes packet, const OuterView& view);

}  // namespace weir::dataplane
