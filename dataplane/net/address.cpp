#include "dataplane/net/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace weir::net {

namespace {

constexpr uint8_t max_length(const IpAddress& a) { return a.is_v4() ? 32 : 128; }

/// The low `n` bits set; n <= 64.
constexpr uint64_t low_bits(unsigned n) { return n == 0 ? 0 : ~0ULL >> (64 - n); }

/// A mask of the host part: all bits after the first `length`.
Ipv6 host_mask(Family family, uint8_t length) {
  const unsigned host = (family == Family::ipv4 ? 32u : 128u) - length;
  return {host > 64 ? low_bits(host - 64) : 0, low_bits(host > 64 ? 64 : host)};
}

struct Split {
  IpAddress address;
  std::optional<uint8_t> length;
};

std::optional<Split> split(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = parse_ip(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return Split{*address, std::nullopt};
  const std::string_view digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc{} || end != digits.data() + digits.size() || length > max_length(*address)) {
    return std::nullopt;
  }
  return Split{*address, static_cast<uint8_t>(length)};
}

}  // namespace

IpAddress masked(const IpAddress& address, uint8_t length) {
  const Ipv6 mask = host_mask(address.family, length);
  IpAddress result = address;
  result.bits.hi &= ~mask.hi;
  result.bits.lo &= ~mask.lo;
  return result;
}

bool Prefix::contains(const IpAddress& a) const {
  return a.family == address.family && masked(a, length) == address;
}

IpAddress Prefix::last() const {
  const Ipv6 mask = host_mask(address.family, length);
  IpAddress result = address;
  result.bits.hi |= mask.hi;
  result.bits.lo |= mask.lo;
  return result;
}

Prefix InterfaceAddress::subnet() const { return {masked(address, length), length}; }

/// Takes no memory: workers call it, too.
std::optional<IpAddress> parse_ip(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> copy{};  // inet_pton wants a terminated string; a longer one is none
  if (text.size() >= copy.size()) return std::nullopt;
  std::copy(text.begin(), text.end(), copy.begin());
  in_addr v4{};
  if (inet_pton(AF_INET, copy.data(), &v4) == 1) return Ipv4{be32::raw(v4.s_addr).host()};
  in6_addr v6{};
  if (inet_pton(AF_INET6, copy.data(), &v6) == 1) return Ipv6::load(&v6);
  return std::nullopt;
}

std::optional<Prefix> parse_prefix(std::string_view text) {
  const auto parts = split(text);
  if (!parts) return std::nullopt;
  const uint8_t length = parts->length.value_or(max_length(parts->address));
  if (masked(parts->address, length) != parts->address) return std::nullopt;
  return Prefix{parts->address, length};
}

std::optional<InterfaceAddress> parse_interface_address(std::string_view text) {
  const auto parts = split(text);
  if (!parts || !parts->length) return std::nullopt;
  return InterfaceAddress{parts->address, *parts->length};
}

std::optional<Mac> parse_mac(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  Mac mac;
  for (size_t i = 0; i < 6; ++i) {
    const char* at = text.data() + i * 3;
    if (i < 5 && at[2] != ':') return std::nullopt;
    const auto [end, error] = std::from_chars(at, at + 2, mac.bytes[i], 16);
    if (error != std::errc{} || end != at + 2) return std::nullopt;
  }
  return mac;
}

std::string to_string(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN];
  if (address.is_v4()) {
    const uint32_t raw = address.v4().be().raw();
    inet_ntop(AF_INET, &raw, text, sizeof text);
  } else {
    uint8_t raw[16];
    address.v6().store(raw);
    inet_ntop(AF_INET6, raw, text, sizeof text);
  }
  return text;
}

std::string to_string(const Prefix& prefix) {
  return to_string(prefix.address) + "/" + std::to_string(prefix.length);
}

std::string to_string(const InterfaceAddress& a) {
  return to_string(a.address) + "/" + std::to_string(a.length);
}

std::string to_string(const Mac& mac) {
  char text[18];
  const auto& b = mac.bytes;
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
  return text;
}

bool is_martian(const IpAddress& a) {
  if (a.is_v4()) {
    const uint32_t v = a.v4().value;
    return v >> 24 == 0 || v >> 24 == 127 || v >> 28 >= 0xe || v >> 16 == 0xa9fe;
  }
  const Ipv6 v = a.v6();
  if (v.hi == 0 && v.lo <= 1) return true;                        // unspecified, loopback
  if (v.hi == 0 && v.lo >> 32 == 0xffff) return true;             // v4-mapped never is on a wire
  return v.hi >> 56 == 0xff || (v.hi >> 54) == (0xfe80ULL >> 6);  // multicast, link-local
}

}  // namespace weir::net
