// The headers that nearly every packet has, read in one go: IPv4 without options or IPv6 without extension
// headers, whole, with TCP or UDP behind it.
//
// A second reading of the rules in parse.h, for code per packet: inline, few branches, no view to be filled.
// It says yes or no: what it does not take is read by parse.h, which says what is wrong. Where it says yes,
// parse.h says the same (a test holds it to that).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/net/headers.h"

namespace weir::net {

/// Offsets count from the start of the IP header.
struct PlainView {
  uint32_t ports = 0;  // source in the low half, host order
  uint16_t length = 0;
  uint16_t payload_offset = 0;
  uint8_t protocol = 0;
  uint8_t ttl = 0;
  uint8_t tos = 0;
  uint8_t tcp_flags = 0;
};

namespace detail {

template <typename T>
T read(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// The sum of an IPv4 header without options is right, of one that is not all zero (its version is set).
inline bool ipv4_sum_right(const uint8_t* ip) {
  // One's complement adds modulo 65535, and so does adding in words of any width with carries brought back.
  // The carries by the instruction for it, which the compiler does not find. Then the sum is a multiple of
  // 65535, an odd number: times its inverse it is the quotient, and nothing else is as small (Warren,
  // Hacker's Delight, section 10-17).
  uint64_t sum = read<uint64_t>(ip);
  asm("addq %1, %0\n\tadcq %2, %0\n\tadcq $0, %0"
      : "+r"(sum)
      : "rm"(read<uint64_t>(ip + 8)), "r"(uint64_t{read<uint32_t>(ip + 16)})
      : "cc");
  constexpr uint64_t kInverse = 0xfffe'fffe'fffe'ffff;
  static_assert(kInverse * 0xffff == 1);
  return sum * kInverse <= UINT64_MAX / 0xffff;
}

/// TCP or UDP at `offset` of an IP packet of view.length bytes.
[[gnu::always_inline]] inline bool plain_l4(const uint8_t* packet, uint16_t offset, PlainView& view) {
  const uint8_t* l4 = packet + offset;
  const unsigned size = view.length - offset;
  if (view.protocol == kProtoUdp) {
    if (size < sizeof(UdpHeader)) return false;
    const uint16_t length = reinterpret_cast<const UdpHeader*>(l4)->length.host();
    if (length < sizeof(UdpHeader) || length > size) return false;
    view.payload_offset = static_cast<uint16_t>(offset + sizeof(UdpHeader));
    view.tcp_flags = 0;
  } else {
    if (view.protocol != kProtoTcp || size < sizeof(TcpHeader)) return false;
    const auto& tcp = *reinterpret_cast<const TcpHeader*>(l4);
    const uint8_t header = tcp.header_length();
    if (header < sizeof(TcpHeader) || header > size) return false;
    view.payload_offset = static_cast<uint16_t>(offset + header);
    view.tcp_flags = tcp.flags;
  }
  view.ports = std::rotl(__builtin_bswap32(read<uint32_t>(l4)), 16);
  return true;
}

}  // namespace detail

/// `addresses`: the source in the low half, host order.
[[gnu::always_inline]] inline bool parse_plain_ipv4(const uint8_t* packet, size_t size, PlainView& view,
                                                    uint64_t& addresses) {
  if (size < sizeof(Ipv4Header)) return false;
  const auto& ip = *reinterpret_cast<const Ipv4Header*>(packet);
  view.length = ip.total_length.host();
  view.protocol = ip.protocol;
  view.ttl = ip.ttl;
  view.tos = ip.tos;
  if (ip.version_ihl != 0x45 || ip.is_fragment() || view.length > size || view.length < sizeof ip ||
      !detail::ipv4_sum_right(packet)) {
    return false;
  }
  addresses = std::rotl(__builtin_bswap64(detail::read<uint64_t>(packet + offsetof(Ipv4Header, src))), 32);
  return detail::plain_l4(packet, sizeof ip, view);
}

[[gnu::always_inline]] inline bool parse_plain_ipv6(const uint8_t* packet, size_t size, PlainView& view,
                                                    Ipv6& src, Ipv6& dst) {
  if (size < sizeof(Ipv6Header)) return false;
  const auto& ip = *reinterpret_cast<const Ipv6Header*>(packet);
  const uint32_t word = ip.version_class_flow.host();
  const uint32_t length = sizeof ip + ip.payload_length.host();
  if (word >> 28 != 6 || length > size || length > UINT16_MAX) return false;
  view.length = static_cast<uint16_t>(length);
  view.protocol = ip.next_header;
  view.ttl = ip.hop_limit;
  view.tos = static_cast<uint8_t>(word >> 20);
  src = Ipv6::load(ip.src);
  dst = Ipv6::load(ip.dst);
  return detail::plain_l4(packet, sizeof ip, view);
}

}  // namespace weir::net
