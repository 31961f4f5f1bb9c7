#include "inspection/detect/numbers_in_bytes.h"

#include <bit>

namespace weir::inspection {

namespace {

int digit_of(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

bool is_blank(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// As C's strtoull reads it: blanks, a sign, digits up to the first byte that is none; all ones if it is too
/// large.
std::optional<uint64_t> read_text(std::span<const uint8_t> text, uint64_t base) {
  size_t i = 0;
  while (i < text.size() && is_blank(text[i])) ++i;
  bool minus = false;
  if (i < text.size() && (text[i] == '+' || text[i] == '-')) minus = text[i++] == '-';
  if (base == 16 && i + 2 < text.size() && text[i] == '0' && (text[i + 1] | 0x20) == 'x' &&
      digit_of(text[i + 2]) < 16) {
    i += 2;
  }
  const size_t first = i;
  uint64_t value = 0;
  bool too_large = false;
  for (; i < text.size() && static_cast<uint64_t>(digit_of(text[i])) < base; ++i) {
    const auto digit = static_cast<uint64_t>(digit_of(text[i]));
    too_large |= value > (UINT64_MAX - digit) / base;
    value = value * base + digit;
  }
  if (i == first) return std::nullopt;
  if (too_large) return UINT64_MAX;
  return minus ? uint64_t{0} - value : value;
}

}  // namespace

std::optional<uint64_t> read_number(std::span<const uint8_t> bytes, const ast::NumberFormat& format) {
  using Text = ast::NumberFormat::Text;
  switch (format.text) {
    case Text::decimal:
      return read_text(bytes, 10);
    case Text::hexadecimal:
      return read_text(bytes, 16);
    case Text::octal:
      return read_text(bytes, 8);
    case Text::binary:
      break;
  }
  if (bytes.size() > 8) return std::nullopt;
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const size_t at = format.endian == ast::Endian::big ? i : bytes.size() - 1 - i;
    value = value << 8 | bytes[at];
  }
  return value;
}

uint64_t apply_bitmask(uint64_t value, uint32_t mask) {
  if (mask == 0) return value;
  return (value & mask) >> std::countr_zero(mask);
}

}  // namespace weir::inspection
