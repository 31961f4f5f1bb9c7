// Base64 out of hostile bytes: decoded as far as it is valid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::inspection {

enum class Base64Rule : uint8_t {
  strict,       // RFC 4648, and nothing decoded if anything else stands in it
  stop,         // RFC 4648: decoded up to the first byte that is not of it
  skip_blanks,  // RFC 2045: bytes that are not of it are passed over
};

constexpr size_t base64_room(size_t size) { return size / 4 * 3 + 3; }

/// How many bytes were written to `out`, which has base64_room(in.size()).
size_t decode_base64(std::span<const uint8_t> in, std::span<uint8_t> out, Base64Rule rule);

}  // namespace weir::inspection
