// Lines out of a stream in any portions, for protocols that speak in lines (SMTP, FTP). A line ends with LF,
// and a CR before it belongs to the end. Bounded; worker thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

class LineReader {
 public:
  enum class Take : uint8_t { line, more, no_memory };

  explicit LineReader(BytePool& pool) noexcept : held_(pool) {}

  /// Takes from the front of `bytes` up to the end of a line, of which `limit` bytes are kept. more: it is
  /// not over, all bytes are taken. line: content() is valid until the next call.
  Take take(std::span<const uint8_t>& bytes, size_t limit) {
    if (given_) forget();
    const void* const at = bytes.empty() ? nullptr : std::memchr(bytes.data(), '\n', bytes.size());
    const size_t size = at == nullptr
                            ? bytes.size()
                            : static_cast<size_t>(static_cast<const uint8_t*>(at) - bytes.data()) + 1;
    const std::span<const uint8_t> piece = bytes.first(size);
    bytes = bytes.subspan(size);
    cut_ = cut_ || held_.size() + size > limit;
    const std::span<const uint8_t> kept = piece.first(std::min(size, limit - std::min(limit, held_.size())));
    given_ = at != nullptr;
    if (given_ && held_.empty()) {
      content_ = kept;
    } else {
      if (!kept.empty() && !held_.append(kept)) return Take::no_memory;
      content_ = held_.view();
    }
    if (!given_) return Take::more;
    if (!content_.empty() && content_.back() == '\n') content_ = content_.first(content_.size() - 1);
    if (!content_.empty() && content_.back() == '\r') content_ = content_.first(content_.size() - 1);
    return Take::line;
  }
  /// The line without its end.
  std::span<const uint8_t> content() const { return content_; }
  /// It was longer than the limit.
  bool cut() const { return cut_; }
  /// Nothing of a line was taken yet.
  bool at_begin() const { return given_ || (held_.empty() && !cut_); }
  /// What was taken of a line is forgotten.
  void forget() {
    held_.reset();
    content_ = {};
    given_ = cut_ = false;
  }

 private:
  PoolBytes held_;
  std::span<const uint8_t> content_;
  bool given_ = false, cut_ = false;
};

}  // namespace weir::inspection
