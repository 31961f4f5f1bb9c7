// The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
#pragma once

#include <bit>
#include <concepts>
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

/// The checksum of a TCP, UDP, ICMP or ICMPv6 message (RFC 9293 section 3.1, RFC 768, RFC 792, RFC 8200
/// section 8.1), with the pseudo header where there is one: what its field has to hold while that is 0, and 0
/// if what it holds is right. `ip_header` is the fixed part of an IPv4 or IPv6 header at least.
inline uint16_t transport_checksum(std::span<const uint8_t> ip_header, uint8_t protocol,
                                   std::span<const uint8_t> message) {
  constexpr uint8_t kIcmp = 1;  // ICMPv6 has one, unlike it
  if (protocol == kIcmp) return checksum(message);
  const auto addresses = ip_header[0] >> 4 == 4 ? ip_header.subspan(12, 8) : ip_header.subspan(8, 32);
  const uint64_t pseudo = pseudo_header_sum(addresses, protocol, static_cast<uint32_t>(message.size()));
  return checksum_finish(checksum_add(pseudo, message));
}

/// What it adds to a change of a checksum that one word went from `from` to `to`, as they lie in memory. A
/// word of 32 or 64 bits counts as its halves or quarters.
template <std::unsigned_integral Word>
constexpr uint64_t checksum_change(Word from, Word to) {
  return uint64_t{static_cast<Word>(~from)} + to;
}
constexpr uint64_t checksum_change(uint64_t from, uint64_t to) {
  uint64_t sum = ~from + to;
  sum += static_cast<uint64_t>(sum < to);    // the carry, brought back
  return (sum & 0xffff'ffff) + (sum >> 32);  // leaves room for others to be added
}
/// A change in 16 bits. The halves of a word are added to each other twice, so that the carry of the lower
/// sum is in the higher one already.
constexpr uint16_t checksum_folded(uint64_t change) {
  const auto half = static_cast<uint32_t>((change + std::rotl(change, 32)) >> 32);
  return static_cast<uint16_t>((half + std::rotl(half, 16)) >> 16);
}
/// `sum` after what it covers has changed by `change`, a sum of checksum_change() (RFC 1624, equation 3).
[[gnu::always_inline]] inline be16 checksum_changed(be16 sum, uint64_t change) {
  return be16::raw(static_cast<uint16_t>(~checksum_folded(change + static_cast<uint16_t>(~sum.raw()))));
}
/// The same of a UDP checksum: zero says that there is none, so one that comes to zero is sent as all ones
/// (RFC 768).
[[gnu::always_inline]] inline be16 udp_checksum_changed(be16 sum, uint64_t change) {
  if (sum.raw() == 0) [[unlikely]]
    return sum;
  const uint16_t after = checksum_changed(sum, change).raw();
  return be16::raw(after == 0 ? uint16_t{0xffff} : after);
}

/// `sum` after one 16-bit word that it covers went from `from` to `to`; all as they lie in memory (RFC 1624,
/// equation 3).
inline be16 checksum_update(be16 sum, be16 from, be16 to) {
  return checksum_changed(sum, checksum_change(from.raw(), to.raw()));
}

}  // namespace weir::net
