// Reads big-endian fields of hostile bytes, one after the other, and never beyond. Pure.
#pragma once

#include <cstdint>
#include <span>

namespace weir::inspection {

class ByteCursor {
 public:
  using Bytes = std::span<const uint8_t>;

  explicit ByteCursor(Bytes bytes) : bytes_(bytes) {}

  // Each says false, and moves nowhere it could be read from again, where so much is not left.
  bool u8(uint8_t& out) {
    if (bytes_.empty()) return false;
    out = bytes_[0];
    bytes_ = bytes_.subspan(1);
    return true;
  }
  bool u16(uint16_t& out) {
    if (bytes_.size() < 2) return false;
    out = static_cast<uint16_t>(bytes_[0] << 8 | bytes_[1]);
    bytes_ = bytes_.subspan(2);
    return true;
  }
  bool u32(uint32_t& out) {
    uint16_t high = 0, low = 0;
    if (bytes_.size() < 4 || !u16(high) || !u16(low)) return false;
    out = static_cast<uint32_t>(high) << 16 | low;
    return true;
  }
  /// RFC 9000 section 16: the top two bits say how many bytes it has.
  bool varint(uint64_t& out) {
    if (bytes_.empty()) return false;
    const size_t size = size_t{1} << (bytes_[0] >> 6);
    if (bytes_.size() < size) return false;
    out = bytes_[0] & 0x3f;
    for (size_t i = 1; i < size; ++i) out = out << 8 | bytes_[i];
    bytes_ = bytes_.subspan(size);
    return true;
  }
  bool take(uint64_t size, Bytes& out) {
    if (bytes_.size() < size) return false;
    out = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return true;
  }
  /// So many bytes as the 8 or 16 bits before them say.
  bool vector8(Bytes& out) {
    uint8_t size = 0;
    return u8(size) && take(size, out);
  }
  bool vector16(Bytes& out) {
    uint16_t size = 0;
    return u16(size) && take(size, out);
  }

  Bytes rest() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }

 private:
  Bytes bytes_;
};

}  // namespace weir::inspection
