// The outer header of an attachment, made once by control, and what is patched in it per packet.
#pragma once

#include <immintrin.h>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/parse.h"
#include "dataplane/tunnel/attachment.h"

namespace weir::dataplane {

/// Sets what `attachment` needs for encapsulation from its `tunnel`: template, lengths, shape, sums.
/// `port_mac` is the source; `port_vlan` the underlay's VLAN, 0 for none.
///
/// IPv4: don't-fragment set with IP id 0 (RFC 6864 section 4.1): the hub tells senders what fits. DSCP: the
/// tunnel's own (pipe), or the inner packet's (uniform); ECN always the inner packet's (RFC 6040
/// section 4.1).
void make_outer_template(Attachment& attachment, net::Mac port_mac, uint16_t port_vlan = 0);

/// What encapsulation takes of the IP MTU of a link: outer headers without Ethernet, and the inner Ethernet
/// header where there is one.
uint16_t overhead_of(const Tunnel& tunnel);

/// RFC 7348 section 5, RFC 8926 section 3.3: from the dynamic range, by a hash of the inner flow, so that the
/// underlay can spread flows over paths.
inline net::be16 entropy_port(uint32_t hash) {
  return net::be16::of(static_cast<uint16_t>(0xc000 | ((hash ^ hash >> 14) & 0x3fff)));
}

/// The template to the `length` bytes before `inner`, of which kLeast are there at least; no others are
/// touched, as they may lie in a line that nothing else needs. By vectors that overlap: memcpy() is `rep
/// movs` wherever the compiler takes the caller for cold, which costs 70 cycles and more.
template <size_t kLeast>
[[gnu::always_inline]] inline void copy_template(uint8_t* inner, const Attachment& attachment,
                                                 size_t length) {
  constexpr size_t kVector = sizeof(__m256i);
  static_assert(kLeast >= kVector);
  const uint8_t* end = attachment.outer.data() + kMaxOuterLength;
  const auto copy = [&](size_t from_end) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(inner - from_end),
                        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(end - from_end)));
  };
  copy(length);
  if (kLeast > 2 * kVector || length > 2 * kVector) copy(2 * kVector);
  copy(kVector);
}

/// Writes the outer header of a packet that lies at `inner`, `inner_length` bytes (at most 65,535), to the
/// attachment.outer_length bytes before it; which have to be there. Any worker.
/// `next_hop`: Mac::word() in the underlay. `hash`: of the flow. `tos`: the inner packet's traffic class. UDP
/// checksums are left zero.
template <bool kV6, bool kUdp>
inline void write_outer(uint8_t* inner, const Attachment& attachment, uint64_t next_hop,
                        uint32_t inner_length, uint32_t hash, uint8_t tos) {
  constexpr size_t kLeast = sizeof(net::EthHeader) +
                            (kV6 ? sizeof(net::Ipv6Header) : sizeof(net::Ipv4Header)) +
                            (kUdp ? sizeof(net::UdpHeader) + sizeof(net::VxlanHeader) : 0);
  copy_template<kLeast>(inner, attachment, attachment.outer_length);
  uint8_t* at = inner - attachment.outer_length;
  net::write_mac(at, next_hop);
  at += attachment.link_length;
  const uint8_t taken = tos & attachment.tos_mask;
  const uint32_t ip_length = inner_length + attachment.outer_length - attachment.link_length;
  if constexpr (kV6) {
    auto& ip = *reinterpret_cast<net::Ipv6Header*>(at);
    // The flow label carries the entropy too, for routers that look no further (RFC 6438).
    ip.version_class_flow =
        net::be32::of((attachment.base_word + (static_cast<uint32_t>(taken) << 20)) | (hash & 0xf'ffff));
    ip.payload_length = net::be16::of(static_cast<uint16_t>(ip_length - sizeof ip));
  } else {
    auto& ip = *reinterpret_cast<net::Ipv4Header*>(at);
    ip.tos = static_cast<uint8_t>(attachment.base_tos + taken);
    ip.total_length = net::be16::of(static_cast<uint16_t>(ip_length));
    // The sum is one's complement: what the template's words and the two that are filled in now add up to.
    const uint32_t sum = attachment.base_sum + ip_length + taken;  // base_sum is folded: one carry
    ip.checksum = net::be16::of(static_cast<uint16_t>(~(sum + (sum >> 16))));
  }
  if constexpr (kUdp) {
    constexpr size_t kIpLength = kV6 ? sizeof(net::Ipv6Header) : sizeof(net::Ipv4Header);
    auto& udp = *reinterpret_cast<net::UdpHeader*>(at + kIpLength);
    udp.src_port = entropy_port(hash);
    udp.length = net::be16::of(static_cast<uint16_t>(ip_length - kIpLength));
  }
}

/// The same for the shape that the attachment has, which is not native.
[[gnu::always_inline]] inline void write_outer_of(uint8_t* inner, const Attachment& attachment,
                                                  uint64_t next_hop, uint32_t inner_length, uint32_t hash,
                                                  uint8_t tos) {
  if (attachment.shape == OuterShape::v4_udp) {
    write_outer<false, true>(inner, attachment, next_hop, inner_length, hash, tos);
  } else if (attachment.shape == OuterShape::v4_ip) {
    write_outer<false, false>(inner, attachment, next_hop, inner_length, hash, tos);
  } else if (attachment.shape == OuterShape::v6_udp) {
    write_outer<true, true>(inner, attachment, next_hop, inner_length, hash, tos);
  } else {
    write_outer<true, false>(inner, attachment, next_hop, inner_length, hash, tos);
  }
}

/// Ethernet, IPv4, UDP, VXLAN or GENEVE without options.
inline constexpr uint16_t kPlainOuterLength = 50;

/// The same for an attachment that is plain, whose header has one length and one layout.
[[gnu::always_inline]] inline void write_plain_outer(uint8_t* inner, const Attachment& attachment,
                                                     uint64_t next_hop, uint32_t inner_length, uint32_t hash,
                                                     uint8_t tos) {
  copy_template<kPlainOuterLength>(inner, attachment, kPlainOuterLength);
  uint8_t* eth = inner - kPlainOuterLength;
  net::write_mac(eth, next_hop);
  auto& ip = *reinterpret_cast<net::Ipv4Header*>(eth + sizeof(net::EthHeader));
  const uint32_t taken = tos & attachment.tos_mask;
  const uint32_t ip_length = inner_length + uint32_t{kPlainOuterLength - sizeof(net::EthHeader)};
  ip.tos = static_cast<uint8_t>(attachment.base_tos + taken);
  ip.total_length = net::be16::of(static_cast<uint16_t>(ip_length));
  const uint32_t sum = attachment.base_sum + ip_length + taken;  // base_sum is folded: one carry
  ip.checksum = net::be16::of(static_cast<uint16_t>(~(sum + (sum >> 16))));
  auto& udp = *reinterpret_cast<net::UdpHeader*>(&ip + 1);
  udp.src_port = entropy_port(hash);
  udp.length = net::be16::of(static_cast<uint16_t>(ip_length - sizeof ip));
}

/// The pseudo header's sum of an outer UDP datagram, folded but not complemented: where the port computes the
/// checksum, it wants this in the field. `ip` is the outer IP header.
uint16_t outer_pseudo_sum(const uint8_t* ip, bool v6);
/// The whole checksum, as it is stored; never zero (RFC 768).
net::be16 outer_udp_checksum(const uint8_t* ip, bool v6);

}  // namespace weir::dataplane
