// SipHash-2-4 of two words (Aumasson and Bernstein, 2012): a keyed function whose values tell nothing of the
// key or of one another.
#pragma once

#include <bit>
#include <cstdint>
#include <initializer_list>

namespace weir::control {

constexpr uint64_t siphash(const uint64_t (&key)[2], uint64_t first, uint64_t second) {
  uint64_t v0 = key[0] ^ 0x736f6d6570736575, v1 = key[1] ^ 0x646f72616e646f6d;
  uint64_t v2 = key[0] ^ 0x6c7967656e657261, v3 = key[1] ^ 0x7465646279746573;
  const auto round = [&] {
    v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
  };
  for (const uint64_t word : {first, second, uint64_t{16} << 56}) {  // the last: the length, 16 bytes
    v3 ^= word;
    round(), round();
    v0 ^= word;
  }
  v2 ^= 0xff;
  round(), round(), round(), round();
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace weir::control
