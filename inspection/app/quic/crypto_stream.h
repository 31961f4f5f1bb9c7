// The handshake's bytes of one direction, put together from CRYPTO frames in any order (RFC 9000
// section 19.6). What came first stays: a frame that contradicts it changes nothing. Bounded in bytes and in
// pieces.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

class CryptoStream {
 public:
  /// A hello is far shorter, whatever keys it has to share.
  static constexpr uint64_t kMaxBytes = 16'384;
  static constexpr size_t kMaxPieces = 32;

  enum class Added : uint8_t { taken, too_long, too_many, no_memory };

  explicit CryptoStream(BytePool& pool) noexcept : bytes_(pool) {}

  Added add(uint64_t offset, std::span<const uint8_t> data);
  /// The bytes from the beginning on that are all there.
  std::span<const uint8_t> begin() const;
  /// The first handshake message with its header, once it is whole; else empty.
  std::span<const uint8_t> message() const;
  bool empty() const { return count_ == 0; }
  void reset();

 private:
  struct Piece {
    uint32_t begin = 0, end = 0;
  };
  PoolBytes bytes_;                         // with zeros where nothing came
  std::array<Piece, kMaxPieces> pieces_{};  // sorted, apart from each other
  size_t count_ = 0;
};

}  // namespace weir::inspection
