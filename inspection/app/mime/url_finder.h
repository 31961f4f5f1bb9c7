// The addresses in the text of mail ("http://a.example/b"), as they come, line by line. Bounded; all memory
// from the worker's pool. Worker thread.
#pragma once

#include <optional>
#include <span>

#include "inspection/app/mime/settings.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

class UrlFinder {
 public:
  /// No more are kept of one message; a line is looked at to kLine bytes at a time.
  static constexpr size_t kMost = 256, kLine = 4'096;

  UrlFinder(BytePool& pool, const MimeSettings& settings) noexcept
      : settings_(settings), line_(pool), text_(pool), ends_(pool) {}

  /// The next bytes of text. False: the pool is at its ceiling.
  [[nodiscard]] bool take(std::span<const uint8_t> text);
  /// The text is over.
  [[nodiscard]] bool finish();

  size_t count() const { return ends_.size() / sizeof(uint32_t); }
  /// In the order of the text; `index` is below count().
  std::span<const uint8_t> url(size_t index) const;

 private:
  bool search(std::span<const uint8_t> line);
  bool keep(std::span<const uint8_t> url);
  uint32_t end_of(size_t index) const;

  const MimeSettings& settings_;
  PoolBytes line_;  // the beginning of a line that is not over
  PoolBytes text_;  // all found, one behind the other
  PoolBytes ends_;  // uint32_t: where each ends
};

}  // namespace weir::inspection
