// The chunked framing of a body (RFC 9112 7.1), in any spelling that some receiver takes.
//
// A size is the first hexadecimal number of its line: white space, empty lines, leading zeros before it and
// anything short behind it do not matter. Where the first line cannot be a size, the body is not chunked: its
// bytes come back by unread().
#pragma once

#include <cstdint>

#include "inspection/app/http/text.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection::http {

class ChunkReader {
 public:
  enum class Take : uint8_t {
    more,         // all bytes are taken
    data,         // data(): the next bytes of the body, still in `bytes`; take them with took()
    last,         // the last chunk was read; trailer and empty line follow
    not_chunked,  // from the first line on: unread() comes before `bytes`
    invalid,      // a later size line is none: what follows has no framing
    no_memory,
  };

  explicit ChunkReader(BytePool& pool) : line_(pool) {}

  Take take(Bytes& bytes);
  /// Of the chunk under way, after Take::data.
  Bytes data(Bytes bytes) const {
    return bytes.first(left_ < bytes.size() ? static_cast<size_t>(left_) : bytes.size());
  }
  void took(size_t size) { left_ -= size; }
  Bytes unread() const { return line_.view(); }
  /// Bytes of the chunk's data that are still to come.
  uint64_t left() const { return part_ == Part::data ? left_ : 0; }
  bool extension() const { return extension_; }

 private:
  enum class Part : uint8_t { before, digits, after, data, data_end };
  static constexpr size_t kLine = 256;  // of a size line, or of what stands before the first
  static constexpr size_t kJunk = 4;    // behind the first size, without ';'

  Take size_byte(char c);
  Take wrong() { return first_ ? Take::not_chunked : Take::invalid; }

  PoolBytes line_;  // the first size line, as far as it is read
  Part part_ = Part::before;
  bool first_ = true, extension_ = false, huge_ = false;
  uint16_t line_size_ = 0, junk_ = 0;
  uint64_t left_ = 0;
};

}  // namespace weir::inspection::http
