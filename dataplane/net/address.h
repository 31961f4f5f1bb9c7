// Addresses and prefixes: MAC, IPv4, IPv6, either, and prefixes of them.
//
// Values only: no I/O, no allocation but in the to_string/parse functions, which control code uses.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/net/byte_order.h"

namespace weir::net {

struct Mac {
  std::array<uint8_t, 6> bytes{};

  constexpr bool is_multicast() const { return (bytes[0] & 1) != 0; }  // broadcast included
  constexpr bool is_broadcast() const { return *this == Mac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}; }
  constexpr bool is_zero() const { return *this == Mac{}; }
  /// The six bytes, first one most significant, in the low 48 bits.
  constexpr uint64_t to_u64() const {
    uint64_t v = 0;
    for (uint8_t b : bytes) v = v << 8 | b;
    return v;
  }
  /// By one swap: a loop over bytes that are then read as words costs a failed store forwarding per packet.
  static constexpr Mac from_u64(uint64_t v) {
    const auto wide = std::bit_cast<std::array<uint8_t, 8>>(be64::of(v).raw());
    return {{wide[2], wide[3], wide[4], wide[5], wide[6], wide[7]}};
  }
  /// The six bytes as they lie in memory, in the low 48 bits: for code per packet, which moves and compares
  /// addresses in a register. By two loads, since the compiler copies six bytes through memory.
  uint64_t word() const {
    uint32_t low;
    uint16_t high;
    std::memcpy(&low, bytes.data(), sizeof low);
    std::memcpy(&high, bytes.data() + sizeof low, sizeof high);
    return static_cast<uint64_t>(high) << 32 | low;
  }
  static Mac from_word(uint64_t word) {
    Mac mac;
    std::memcpy(mac.bytes.data(), &word, sizeof mac.bytes);
    return mac;
  }
  friend constexpr auto operator<=>(const Mac&, const Mac&) = default;
};
static_assert(sizeof(Mac) == 6);

/// An IPv4 address. `value` is host order, so that ranges and masks are plain arithmetic.
struct Ipv4 {
  uint32_t value = 0;
  constexpr be32 be() const { return be32::of(value); }
  friend constexpr auto operator<=>(const Ipv4&, const Ipv4&) = default;
};

/// An IPv6 address as two host-order halves, most significant first.
struct Ipv6 {
  uint64_t hi = 0;
  uint64_t lo = 0;
  /// Reads 16 bytes in network order.
  static Ipv6 load(const void* bytes16) {
    uint64_t h, l;
    std::memcpy(&h, bytes16, 8);
    std::memcpy(&l, static_cast<const uint8_t*>(bytes16) + 8, 8);
    return {be64::raw(h).host(), be64::raw(l).host()};
  }
  /// Writes 16 bytes in network order.
  void store(void* bytes16) const {
    const uint64_t h = be64::of(hi).raw(), l = be64::of(lo).raw();
    std::memcpy(bytes16, &h, 8);
    std::memcpy(static_cast<uint8_t*>(bytes16) + 8, &l, 8);
  }
  friend constexpr auto operator<=>(const Ipv6&, const Ipv6&) = default;
};

enum class Family : uint8_t { ipv4 = 4, ipv6 = 6 };

/// Either family. An IPv4 address lies in `v6.lo`'s low 32 bits with `v6.hi` zero, so that equality and
/// hashing are the same for both families once the family is equal.
struct IpAddress {
  Family family = Family::ipv4;
  Ipv6 bits{};

  constexpr IpAddress() = default;
  constexpr IpAddress(Ipv4 a)
      : family(Family::ipv4), bits{0, a.value} {}                 // NOLINT(google-explicit-constructor)
  constexpr IpAddress(Ipv6 a) : family(Family::ipv6), bits(a) {}  // NOLINT(google-explicit-constructor)
  constexpr bool is_v4() const { return family == Family::ipv4; }
  /// Only meaningful if is_v4().
  constexpr Ipv4 v4() const { return {static_cast<uint32_t>(bits.lo)}; }
  constexpr Ipv6 v6() const { return bits; }
  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

/// A prefix with its host bits zero. `length` counts bits of its family: 0..32 or 0..128.
struct Prefix {
  IpAddress address;
  uint8_t length = 0;

  bool contains(const IpAddress& a) const;
  /// Every address of `other` lies in this prefix.
  bool contains(const Prefix& other) const { return other.length >= length && contains(other.address); }
  /// The lowest and highest address.
  IpAddress first() const { return address; }
  IpAddress last() const;
  friend auto operator<=>(const Prefix&, const Prefix&) = default;
};

/// An address with the length of its on-link prefix, as in `10.1.0.1/24`.
struct InterfaceAddress {
  IpAddress address;
  uint8_t length = 0;
  Prefix subnet() const;
  friend auto operator<=>(const InterfaceAddress&, const InterfaceAddress&) = default;
};

/// `address` with all bits after the first `length` cleared.
IpAddress masked(const IpAddress& address, uint8_t length);

/// Does `visit(prefix)` say yes to the prefix itself, or to one around it? Asked from the longest on, until
/// it does.
template <typename Visit>
bool any_around(const Prefix& prefix, Visit&& visit) {
  for (unsigned length = prefix.length + 1u; length-- > 0;) {
    const auto bits = static_cast<uint8_t>(length);
    if (visit(Prefix{masked(prefix.address, bits), bits})) return true;
  }
  return false;
}

std::optional<IpAddress> parse_ip(std::string_view text);
/// "10.0.0.0/8"; a plain address is a host prefix. Fails if host bits are set.
std::optional<Prefix> parse_prefix(std::string_view text);
/// "10.1.0.1/24"; the length is required.
std::optional<InterfaceAddress> parse_interface_address(std::string_view text);
std::optional<Mac> parse_mac(std::string_view text);

std::string to_string(const IpAddress&);
std::string to_string(const Prefix&);
std::string to_string(const InterfaceAddress&);
std::string to_string(const Mac&);

/// Addresses that never are the source or destination of a routed packet (RFC 6890: unspecified, loopback,
/// multicast, broadcast, link-local, 0/8, 240/4).
bool is_martian(const IpAddress& a);

}  // namespace weir::net
