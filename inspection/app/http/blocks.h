// Text in blocks of 32 bytes, a bit for each byte that is looked for. Pure.
#pragma once

#include <immintrin.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "inspection/app/http/text.h"

namespace weir::inspection::http {

/// The 32 bytes that begin at `at`; zeros where `bytes` end.
inline __m256i block_at(Bytes bytes, size_t at) {
  if (bytes.size() - at >= sizeof(__m256i))
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes.data() + at));
  alignas(32) std::array<uint8_t, sizeof(__m256i)> rest{};
  std::memcpy(rest.data(), bytes.data() + at, bytes.size() - at);
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(rest.data()));
}

/// Bit i: byte i of the block is `c`.
inline uint32_t equal_bits(__m256i bytes, char c) {
  return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(c))));
}

}  // namespace weir::inspection::http
