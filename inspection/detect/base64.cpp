#include "inspection/detect/base64.h"

#include <array>

namespace weir::inspection {

namespace {

constexpr uint8_t kNone = 0xff;

constexpr std::array<uint8_t, 256> kValue = [] {
  std::array<uint8_t, 256> table{};
  table.fill(kNone);
  for (uint8_t i = 0; i < 26; ++i) {
    table[static_cast<size_t>('A' + i)] = i;
    table[static_cast<size_t>('a' + i)] = static_cast<uint8_t>(26 + i);
  }
  for (uint8_t i = 0; i < 10; ++i) table[static_cast<size_t>('0' + i)] = static_cast<uint8_t>(52 + i);
  table['+'] = 62;
  table['/'] = 63;
  return table;
}();

}  // namespace

size_t decode_base64(std::span<const uint8_t> in, std::span<uint8_t> out, Base64Rule rule) {
  uint32_t bits = 0;
  unsigned count = 0;
  size_t written = 0, padding = 0;
  for (const uint8_t c : in) {
    if (c == '=') {
      ++padding;
      if (rule != Base64Rule::strict) break;
      continue;
    }
    if (kValue[c] == kNone || padding > 0) {
      if (rule == Base64Rule::strict) return 0;
      if (rule == Base64Rule::stop) break;
      continue;
    }
    bits = bits << 6 | kValue[c];
    if (++count == 4) {
      out[written++] = static_cast<uint8_t>(bits >> 16);
      out[written++] = static_cast<uint8_t>(bits >> 8);
      out[written++] = static_cast<uint8_t>(bits);
      bits = count = 0;
    }
  }
  if (rule == Base64Rule::strict && (count == 1 || (count > 0 ? count + padding != 4 : padding > 0)))
    return 0;
  if (count == 2) {
    out[written++] = static_cast<uint8_t>(bits >> 4);
  } else if (count == 3) {
    out[written++] = static_cast<uint8_t>(bits >> 10);
    out[written++] = static_cast<uint8_t>(bits >> 2);
  }
  return written;
}

}  // namespace weir::inspection
