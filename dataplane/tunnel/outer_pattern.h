// The quick reading of outer headers: what the packets of one kind of tunnel have in common, from the
// EtherType to the tunnel's header, as bytes that are compared at once, under a mask.
//
// A pattern takes whole IPv4 without options and IPv6 without extension headers, marked not-ECT or ECT(0),
// which has nothing to tell, and behind it a tunnel header without options. Where it says yes parse_outer()
// says the same (a test and a fuzzer hold it to that), but for addresses, which are left to the tunnel table.
// What none takes is for parse_outer(), which says what it is.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "dataplane/net/plain.h"
#include "dataplane/tunnel/outer_parse.h"

namespace weir::dataplane {

/// 32 bytes at once. As __m256i, but half of the tree includes this, and <immintrin.h> takes a compiler half
/// a second.
using Vector32 [[gnu::vector_size(32)]] = long long;

inline Vector32 load_vector(const uint8_t* at) {
  using Unaligned [[gnu::vector_size(32), gnu::may_alias, gnu::aligned(1)]] = long long;
  return *reinterpret_cast<const Unaligned*>(at);
}

class OuterPattern {
 public:
  /// For the hub's IPv4 addresses, or for one IPv6 address. `udp_port`: in host order, of kinds over UDP.
  static OuterPattern v4(KeyKind kind, uint16_t udp_port = 0) { return {kind, udp_port, nullptr}; }
  static OuterPattern v6(KeyKind kind, const HubAddress& own, uint16_t udp_port = 0) {
    return {kind, udp_port, &own};
  }

  /// VXLAN over IPv4, of which parse_vxlan4() takes what parse() does.
  bool is_vxlan4() const { return is_vxlan4_; }
  static constexpr uint32_t kVxlan4Headers = 14 + 20 + 8 + 8;

  /// `frame` is `size` bytes, from the Ethernet header on, whose addresses do not matter.
  [[gnu::always_inline]] bool parse_vxlan4(const uint8_t* frame, uint32_t size, OuterView& out) const {
    if (size < kVxlan4Headers || !matches_first(frame)) return false;
    constexpr uint32_t kVni = kVxlan4Headers - sizeof(net::be32);
    const uint64_t vni = net::be32::raw(net::detail::read<uint32_t>(frame + kVni)).host() >> 8;
    out.inner = net::Payload::ethernet;
    return read_v4<true>(frame, size, kVxlan4Headers, key_rest_ | vni << 32, out);
  }
  [[gnu::always_inline]] bool parse(const uint8_t* frame, uint32_t size, OuterView& out) const {
    if (size < shortest_ || !matches_first(frame) || (v6_ && !matches_second(frame))) return false;
    out.inner = inner_;
    if (type_at_ != 0) {
      out.inner = net::payload_of(net::be16::raw(net::detail::read<uint16_t>(frame + type_at_)).host());
      if (out.inner == net::Payload::other) return false;
    }
    const uint32_t id = net::be32::raw(net::detail::read<uint32_t>(frame + id_at_)).host() >> id_shift_;
    const uint64_t rest = key_rest_ | static_cast<uint64_t>(id & id_mask_) << 32;
    if (v6_) return read_v6(frame, size, rest, out);
    return udp_ ? read_v4<true>(frame, size, headers_, rest, out)
                : read_v4<false>(frame, size, headers_, rest, out);
  }

 private:
  OuterPattern(KeyKind kind, uint16_t udp_port, const HubAddress* v6);

  static constexpr uint32_t kEth = sizeof(net::EthHeader);
  /// The first vector: from the EtherType on. Of IPv6 a second one reaches to the end of the tunnel's header.
  static constexpr uint32_t kFirst = 12, kVector = sizeof(Vector32);

  /// Whether they are the same under the mask.
  static bool matches(Vector32 read, Vector32 want, Vector32 mask) {
    return __builtin_ia32_ptestz256(read ^ want, mask) != 0;
  }
  bool matches_first(const uint8_t* frame) const {
    return matches(load_vector(frame + kFirst), want_[0], mask_[0]);
  }
  bool matches_second(const uint8_t* frame) const {
    return matches(load_vector(frame + headers_ - kVector), want_[1], mask_[1]);
  }

  template <bool udp>
  [[gnu::always_inline]] static bool read_v4(const uint8_t* frame, uint32_t size, uint32_t headers,
                                             uint64_t rest, OuterView& out) {
    const uint8_t* ip = frame + kEth;
    const auto& header = *reinterpret_cast<const net::Ipv4Header*>(ip);
    const uint32_t total = header.total_length.host();
    if (total > size - kEth || total < headers - kEth || !net::detail::ipv4_sum_right(ip)) return false;
    if constexpr (udp) {
      const auto& l4 = *reinterpret_cast<const net::UdpHeader*>(ip + sizeof header);
      if (l4.length.host() + sizeof header != total) return false;
    }
    const uint64_t addresses = net::detail::read<uint64_t>(ip + offsetof(net::Ipv4Header, src));
    out.key = {0, std::rotl(net::be64::raw(addresses).host(), 32), rest};
    out.payload = static_cast<uint16_t>(headers - kEth);
    out.length = static_cast<uint16_t>(total);
    out.udp = udp ? sizeof header : 0;
    out.checksum_zero = udp;
    out.tos = header.tos;
    return true;
  }
  [[gnu::always_inline]] bool read_v6(const uint8_t* frame, uint32_t size, uint64_t rest,
                                      OuterView& out) const {
    const uint8_t* ip = frame + kEth;
    const auto& header = *reinterpret_cast<const net::Ipv6Header*>(ip);
    const uint32_t carried = header.payload_length.host(), total = carried + sizeof header;
    if (total > size - kEth || total < headers_ - kEth || total > UINT16_MAX) return false;
    if (udp_ && reinterpret_cast<const net::UdpHeader*>(ip + sizeof header)->length.host() != carried)
      return false;
    const net::Ipv6 peer = net::Ipv6::load(header.src);
    out.key = {peer.hi, peer.lo, rest};
    out.payload = static_cast<uint16_t>(headers_ - kEth);
    out.length = static_cast<uint16_t>(total);
    out.udp = udp_ ? sizeof header : 0;
    out.checksum_zero = udp_;
    out.tos = static_cast<uint8_t>(header.version_class_flow.host() >> 20);
    return true;
  }

  Vector32 want_[2], mask_[2];
  uint64_t key_rest_ = 0;             // but for the id
  uint32_t headers_ = 0;              // from the frame's start to what the tunnel carries
  uint32_t shortest_ = 0;             // frame: they, and what the comparison reads
  uint32_t id_mask_ = 0;              // 0: the tunnel has no id
  uint8_t id_at_ = 0, id_shift_ = 0;  // in the frame: 32 bits, of which the upper ones are the id
  uint8_t type_at_ = 0;               // EtherType of what the tunnel carries; 0: it is `inner_`
  net::Payload inner_ = net::Payload::ethernet;
  bool v6_ = false;
  bool udp_ = false;
  bool is_vxlan4_ = false;
};

/// All patterns of a hub, at most kMaxPatterns: those over UDP and IPv4 first, in the order of `udp_tunnels`.
inline constexpr size_t kMaxPatterns = 64;
std::vector<OuterPattern> outer_patterns(const UdpTunnels& udp_tunnels, std::span<const HubAddress> own);

}  // namespace weir::dataplane
