// A hash of an L4 conversation that is the same in both directions.
//
// For choices that are made from a packet alone and must not depend on its direction: the owning worker, the
// ECMP member. The session index has a hash of its own (session.h); the finish by a multiplication keeps this
// one from being a linear image of that, so that the sessions of one worker spread over all of its buckets.
#pragma once

#include <nmmintrin.h>

#include <cstdint>

#include "dataplane/core/tuple.h"

namespace weir::dataplane {

namespace detail {

inline uint64_t crc(uint64_t seed, uint64_t word) { return _mm_crc32_u64(seed, word); }

/// All bits of the product's upper half depend on all bits of a CRC.
inline uint32_t finish(uint64_t crc32) {
  return static_cast<uint32_t>(crc32 * 0x9e37'79b9'7f4a'7c15ULL >> 32);
}

/// Address and port of one end. IPv4: as they are, in 48 bits. IPv6: 32 bits of CRC.
inline uint64_t end_word(uint32_t address, uint16_t port) {
  return static_cast<uint64_t>(address) << 16 | port;
}
inline uint64_t end_word(const net::Ipv6& address, uint16_t port) {
  return crc(crc(crc(0x9d1c, address.hi), address.lo), port);
}
inline uint64_t end_word(const net::IpAddress& address, uint16_t port) {
  return address.is_v4() ? end_word(static_cast<uint32_t>(address.bits.lo), port)
                         : end_word(address.bits, port);
}
inline uint32_t hash_of_ends(uint64_t a, uint64_t b, uint8_t protocol, uint32_t seed) {
  const uint64_t tail = static_cast<uint64_t>(protocol) << 56;
  // By words, since a compiler makes a branch of std::min() and std::max(), and a core guesses half of the
  // directions wrong.
  const uint64_t swap = (a ^ b) & (0 - static_cast<uint64_t>(b < a));
  return finish(crc(crc(seed, a ^ swap), b ^ swap ^ tail));
}

}  // namespace detail

/// Addresses, ports and protocol, not the domain. The two ends are ordered, not added or xored: hosts that
/// are numbered alike on both sides (10.1.0.k to 10.2.0.k) would all have one sum.
inline uint32_t symmetric_hash(const Tuple& tuple, uint32_t seed) {
  return detail::hash_of_ends(detail::end_word(tuple.src, tuple.src_port),
                              detail::end_word(tuple.dst, tuple.dst_port), tuple.protocol, seed);
}
/// The same of a session key: of its tuple. For code per packet.
template <typename Key>
inline uint32_t symmetric_hash_of(const Key& key, uint32_t seed) {
  return detail::hash_of_ends(detail::end_word(key.src, key.src_port),
                              detail::end_word(key.dst, key.dst_port), key.protocol, seed);
}

/// Of one end alone.
inline uint32_t end_hash(const net::IpAddress& address, uint16_t port, uint8_t protocol, uint32_t seed) {
  return detail::finish(detail::crc(detail::crc(seed, detail::end_word(address, port)), protocol));
}

}  // namespace weir::dataplane
