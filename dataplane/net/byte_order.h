// Byte order as types: a be16 cannot be mistaken for a uint16_t.
//
// Wire structs hold be16/be32/be64; arithmetic happens on host(). The types are
// trivially copyable, alignment 1, so wire structs may be laid over packet bytes.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace weir::net {

namespace detail {
constexpr uint16_t swap(uint16_t v) { return __builtin_bswap16(v); }
constexpr uint32_t swap(uint32_t v) { return __builtin_bswap32(v); }
constexpr uint64_t swap(uint64_t v) { return __builtin_bswap64(v); }

template <typename T>
constexpr T to_or_from_big(T v) {
  if constexpr (std::endian::native == std::endian::little) return swap(v);
  return v;
}
}  // namespace detail

/// An unsigned integer kept in network order, without alignment requirement.
template <typename T>
class BigEndian {
 public:
  constexpr BigEndian() = default;
  /// Makes the network-order form of the host-order value `host`.
  static constexpr BigEndian of(T host) {
    return BigEndian(std::bit_cast<Bytes>(detail::to_or_from_big(host)));
  }
  /// Takes an integer whose memory already is in network order.
  static constexpr BigEndian raw(T network) { return BigEndian(std::bit_cast<Bytes>(network)); }

  /// The value in host order.
  constexpr T host() const { return detail::to_or_from_big(std::bit_cast<T>(bytes_)); }
  /// The value as it lies in memory (network order), for hashing, comparing and DPDK calls.
  constexpr T raw() const { return std::bit_cast<T>(bytes_); }

  friend constexpr bool operator==(const BigEndian& a, const BigEndian& b) { return a.raw() == b.raw(); }

 private:
  struct Bytes {
    uint8_t b[sizeof(T)] = {};
  };
  constexpr explicit BigEndian(Bytes bytes) : bytes_(bytes) {}
  Bytes bytes_;
};

using be16 = BigEndian<uint16_t>;
using be32 = BigEndian<uint32_t>;
using be64 = BigEndian<uint64_t>;
static_assert(sizeof(be16) == 2 && alignof(be16) == 1 && std::is_trivially_copyable_v<be16>);
static_assert(sizeof(be32) == 4 && alignof(be32) == 1 && std::is_trivially_copyable_v<be32>);

}  // namespace weir::net
