// The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/net/address.h"

namespace weir::net {

/// Adds `data` to a running 64-bit sum of native-order 16-bit words. Only the last piece of a message may
/// have an odd length.
inline uint64_t checksum_add(uint64_t sum, std::span<const uint8_t> data) {
  const uint8_t* p = data.data();
  size_t n = data.size();
  for (; n >= 4; n -= 4, p += 4) {
    uint32_t word;
    std::memcpy(&word, p, 4);
    sum += word;
  }
  if (n >= 2) {
    uint16_t half;
    std::memcpy(&half, p, 2);
    sum += half;
    n -= 2;
    p += 2;
  }
  if (n != 0) {
    uint16_t last = 0;
    std::memcpy(&last, p, 1);  // the missing byte is zero
    sum += last;
  }
  return sum;
}

/// Folds a running sum into the 16 bits to be stored, as they lie in memory.
inline uint16_t checksum_finish(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

/// The checksum of a header; 0 if the stored one (included in `data`) is right.
inline uint16_t checksum(std::span<const uint8_t> data) { return checksum_finish(checksum_add(0, data)); }

/// The pseudo header's part of a TCP, UDP or ICMPv6 checksum: `addresses` are source and destination as they
/// lie in the IP header (8 or 32 bytes), `length` is that of the upper-layer packet.
inline uint64_t pseudo_header_sum(std::span<const uint8_t> addresses, uint8_t protocol, uint32_t length) {
  const uint32_t rest[2] = {be32::of(length).raw(), be32::of(protocol).raw()};
  uint64_t sum = checksum_add(0, addresses);
  return checksum_add(sum, {reinterpret_cast<const uint8_t*>(rest), sizeof rest});
}

/// `sum` after one 16-bit word that it covers went from `from` to `to`; all as they lie in memory (RFC 1624,
/// equation 3).
inline be16 checksum_update(be16 sum, be16 from, be16 to) {
  uint32_t v = static_cast<uint16_t>(~sum.raw());
  v += static_cast<uint16_t>(~from.raw());
  v += to.raw();
  v = (v & 0xffff) + (v >> 16);
  v = (v & 0xffff) + (v >> 16);
  return be16::raw(static_cast<uint16_t>(~v));
}

}  // namespace weir::net
