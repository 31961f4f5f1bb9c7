// The exact check of one rule's contents in one buffer.
//
// A chain is matched if positions can be chosen such that every content lies within its own bounds and, where
// it has distance or within, within its bounds after the content before it. Instead of trying positions and
// going back, the checker carries the set of all ends that the contents so far can have: one pass per
// content, whatever the bytes are.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "inspection/rules/rule.h"

namespace weir::inspection {

/// A content as the data path reads it.
struct CompiledContent {
  std::string pattern;  // lower case if nocase
  bool negated = false;
  bool nocase = false;
  bool relative = false;
  bool ends_with = false;
  bool bounded = false;     // `last_end` counts
  int64_t first_start = 0;  // relative: distance; else offset
  int64_t last_end = 0;     // relative: distance + within; else offset + depth
};

/// The contents of one rule that look into the same buffer, in the order of the file.
struct ContentChain {
  Buffer buffer = Buffer::payload;
  uint32_t min_size = 0;  // of the buffer
  uint32_t max_size = std::numeric_limits<uint32_t>::max();
  bool anchored = false;  // has a content with a position from the beginning or end of the buffer
  std::vector<CompiledContent> contents;
};

CompiledContent compile_content(const Content& content);

/// Working memory of one worker: ends of matches.
class MatchScratch {
 public:
  /// For buffers of up to `largest_buffer` bytes.
  explicit MatchScratch(size_t largest_buffer)
      : capacity_(largest_buffer + 1),
        current_(std::make_unique_for_overwrite<int64_t[]>(capacity_)),
        next_(std::make_unique_for_overwrite<int64_t[]>(capacity_)) {}

 private:
  friend class ChainMatcher;
  size_t capacity_;
  std::unique_ptr<int64_t[]> current_;
  std::unique_ptr<int64_t[]> next_;
};

/// `data` are the bytes from `base` on of a buffer whose first `base` bytes are gone; positions count from
/// the buffer's beginning. `data` must not be longer than the scratch allows.
bool chain_matches(const ContentChain& chain, std::span<const uint8_t> data, uint64_t base,
                   MatchScratch& scratch);

}  // namespace weir::inspection
