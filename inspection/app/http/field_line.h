// A line of a head that is as nearly all are, "Name: value" and CRLF, found 32 bytes at a time. Pure.
#pragma once

#include <immintrin.h>

#include <array>
#include <bit>
#include <cstdint>

#include "inspection/app/http/blocks.h"
#include "inspection/app/http/text.h"

namespace weir::inspection::http {

/// Sizes in bytes. Between name and value stand a colon and a space, behind the value CR and LF.
struct FieldLine {
  size_t name = 0, value = 0;
  size_t size() const { return name + value + 4; }
};

namespace detail {

/// Bits of the bytes that may stand in a name (RFC 9110 5.6.2). Each half of a byte looks up which of eight
/// rows of the ASCII table it may be in; both have to agree on one.
inline uint32_t token_bits(__m256i bytes) {
  // Row r is bit r: what the low half is allowed to be in rows 2 to 7, and none above.
  static constexpr auto kColumns = [] {
    std::array<uint8_t, 16> columns{};
    for (unsigned c = 0; c < 128; ++c) {
      if (kTokenCharacters[c]) columns[c & 15] |= static_cast<uint8_t>(1U << (c >> 4));
    }
    return columns;
  }();
  const __m128i low_table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(kColumns.data()));
  const __m256i columns = _mm256_broadcastsi128_si256(low_table);
  const __m256i rows =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0));
  const __m256i half = _mm256_set1_epi8(0x0f);
  const __m256i allowed = _mm256_shuffle_epi8(columns, _mm256_and_si256(bytes, half));
  const __m256i row = _mm256_shuffle_epi8(rows, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half));
  const __m256i none = _mm256_cmpeq_epi8(_mm256_and_si256(allowed, row), _mm256_setzero_si256());
  return ~static_cast<uint32_t>(_mm256_movemask_epi8(none));
}

}  // namespace detail

/// The line that `bytes` begin with, if it is whole, its name is a token of at most 32 bytes, one space
/// stands behind the colon, the value is not empty, neither begins nor ends with white space or NUL, and no
/// other CR is in it. A size of 0 for the name: it is not, or not yet, and says nothing else.
inline FieldLine field_line(Bytes bytes) {
  if (bytes.empty()) return {};
  __m256i block = block_at(bytes, 0);
  const auto name = static_cast<size_t>(std::countr_one(detail::token_bits(block)));
  if (name == 0 || name + 2 >= bytes.size() || bytes[name] != ':' || bytes[name + 1] != ' ') return {};
  size_t at = 0;
  uint32_t ends = equal_bits(block, '\r') | equal_bits(block, '\n');
  while (ends == 0) {
    at += sizeof block;
    if (at >= bytes.size()) return {};
    block = block_at(bytes, at);
    ends = equal_bits(block, '\r') | equal_bits(block, '\n');
  }
  const size_t end = at + static_cast<size_t>(std::countr_zero(ends)), begin = name + 2;
  if (end <= begin || end + 1 >= bytes.size() || bytes[end] != '\r' || bytes[end + 1] != '\n') return {};
  const auto is_white = [&](size_t i) { return is_space(static_cast<char>(bytes[i])) || bytes[i] == '\0'; };
  if (is_white(begin) || is_white(end - 1)) return {};
  return {name, end - begin};
}

}  // namespace weir::inspection::http
