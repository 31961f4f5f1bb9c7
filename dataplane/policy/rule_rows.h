// Rows of bits, one bit per rule, each with a summary of a bit per word.
//
// A row says which rules one fact about a session allows: its source's addresses, its port, its domain. Where
// the rows of all facts have a bit, that rule matches. The summaries are intersected first, so that the words
// themselves are read only where all rows have something; and four words at a time, so that rows that are
// made to defeat the summaries cost 40 steps for 10,000 rules.
//
// Rows are made plain. There are many rows of addresses, each with few bits; of those only the words with a
// bit are kept (PackedRows), which takes a fifth of the memory and of the cache misses. Internal to
// dataplane/policy.
#pragma once

#include <immintrin.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace weir::dataplane {

/// Four words: what is intersected at once.
using RuleBlock = uint64_t __attribute__((vector_size(32), may_alias));
/// A bit for each word that is not 0.
inline uint32_t words_with_bits(RuleBlock block) {
  const __m256i none = _mm256_cmpeq_epi64(reinterpret_cast<__m256i>(block), _mm256_setzero_si256());
  return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(none))) ^ 0xf;
}
inline constexpr uint32_t kRulesPerWord = 64;
inline constexpr uint32_t kWordsPerBlock = 4;
inline constexpr uint32_t kWordsPerLine = 8;

/// A row in memory: its summary, then its words, each a whole number of blocks. Aligned to 32 bytes.
using Row = const uint64_t*;

class RowShape {
 public:
  explicit RowShape(uint32_t rules = 0)
      : words_(in_blocks((rules + kRulesPerWord - 1) / kRulesPerWord)),
        summary_(in_blocks((words_ + kRulesPerWord - 1) / kRulesPerWord)) {}

  uint32_t words() const { return words_; }
  /// Words of a summary that may have a bit.
  uint32_t summaries() const { return (words_ + kRulesPerWord - 1) / kRulesPerWord; }
  uint32_t size() const { return summary_ + words_; }  // in words
  const uint64_t* words_of(Row row) const { return row + summary_; }
  uint64_t* words_of(uint64_t* row) const { return row + summary_; }
  const RuleBlock& block_of(Row row, uint32_t index) const { return block(words_of(row), index); }
  static const RuleBlock& block(const uint64_t* words, uint32_t index) {
    return *reinterpret_cast<const RuleBlock*>(words + index * kWordsPerBlock);
  }

 private:
  static uint32_t in_blocks(uint32_t words) {
    return std::max(1u, (words + kWordsPerBlock - 1) / kWordsPerBlock) * kWordsPerBlock;
  }
  uint32_t words_, summary_;
};

/// Memory that only grows and stays where it is, in chunks of up to a huge page.
class RowMemory {
 public:
  /// Of 8-byte words, not initialised; one or more lines if `whole_lines`, else not across a line if it fits
  /// one. Four words behind it may be read, too. Throws std::bad_alloc.
  uint64_t* take(size_t words, bool whole_lines) {
    const size_t in_line = next_ % kWordsPerLine;
    if (whole_lines || (words <= kWordsPerLine && in_line + words > kWordsPerLine))
      next_ += (kWordsPerLine - in_line) % kWordsPerLine;
    if (chunks_.empty() || next_ + words + kBehind > size_) add_chunk(words + kBehind);
    uint64_t* at = chunks_.back().get() + next_;
    next_ += words;
    return at;
  }
  size_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kBehind = 4;
  static constexpr size_t kHugePage = 2 << 20;

  void add_chunk(size_t least) {
    size_t bytes = std::max(least * sizeof(uint64_t), std::min(bytes_, kHugePage));
    const size_t page = bytes > kHugePage / 2 ? kHugePage : 4'096;
    bytes = (bytes + page - 1) / page * page;
    chunks_.emplace_back(static_cast<uint64_t*>(std::aligned_alloc(page, bytes)), &std::free);
    if (chunks_.back() == nullptr) throw std::bad_alloc();
    // As it may: without, look-ups in large policies miss the TLB at each row.
    if (page == kHugePage) (void)madvise(chunks_.back().get(), bytes, MADV_HUGEPAGE);
    next_ = 0;
    size_ = bytes / sizeof(uint64_t);
    bytes_ += bytes;
  }

  std::vector<std::unique_ptr<uint64_t, void (*)(void*)>> chunks_;
  size_t next_ = 0, size_ = 0;  // of the last chunk, in words
  size_t bytes_ = 0;
};

/// Rows of one shape.
class Rows {
 public:
  explicit Rows(RowShape shape) : shape_(shape) {}

  const RowShape& shape() const { return shape_; }
  /// All zero.
  uint64_t* make() {
    uint64_t* row = memory_.take(shape_.size(), true);
    std::fill_n(row, shape_.size(), 0);
    all_.push_back(row);
    return row;
  }
  static void set(uint64_t* words, uint32_t rule) {
    words[rule / kRulesPerWord] |= uint64_t{1} << rule % kRulesPerWord;
  }
  void set_bit(uint64_t* row, uint32_t rule) const { set(shape_.words_of(row), rule); }
  void add(uint64_t* row, Row other) const {
    for (uint32_t w = 0; w < shape_.words(); ++w) shape_.words_of(row)[w] |= shape_.words_of(other)[w];
  }
  void keep(uint64_t* row, Row other) const {
    for (uint32_t w = 0; w < shape_.words(); ++w) shape_.words_of(row)[w] &= shape_.words_of(other)[w];
  }
  /// Writes the summaries of all rows, once their words are there.
  void summarize() {
    for (uint64_t* row : all_) {
      const uint64_t* words = shape_.words_of(row);
      for (uint32_t w = 0; w < shape_.words(); ++w) {
        if (words[w] != 0) set(row, w);
      }
    }
  }
  size_t bytes() const { return memory_.bytes(); }

 private:
  RowShape shape_;
  RowMemory memory_;
  std::vector<uint64_t*> all_;
};

/// A row's summary, as many words as RowShape::summaries(), then the words with a bit, in order.
struct PackedRow {
  const uint64_t* summary = nullptr;
  uint32_t size = 0;  // in words

  /// Asks for all its lines: which of them are read is known only when the other rows are there.
  void prefetch() const {
    __builtin_prefetch(summary);
    __builtin_prefetch(summary + kWordsPerLine);
    for (uint32_t w = 2 * kWordsPerLine; w < size; w += kWordsPerLine) __builtin_prefetch(summary + w);
  }
};

namespace detail {
/// Where the four words of a block come from, for each set of them that is there.
struct alignas(64) Spread {
  uint32_t from[8] = {};
  uint64_t mask[4] = {};
};
inline constexpr std::array<Spread, 16> kSpread = [] {
  std::array<Spread, 16> all{};
  for (unsigned there = 0; there < 16; ++there) {
    uint32_t next = 0;
    for (unsigned w = 0; w < 4; ++w) {
      if ((there >> w & 1) == 0) continue;
      all[there].from[2 * w] = 2 * next;
      all[there].from[2 * w + 1] = 2 * next + 1;
      all[there].mask[w] = ~uint64_t{0};
      ++next;
    }
  }
  return all;
}();
}  // namespace detail

class PackedRows {
 public:
  /// Copies a row whose summary is written.
  PackedRow add(const RowShape& shape, Row row) {
    uint32_t words = 0;
    for (uint32_t i = 0; i < shape.summaries(); ++i) words += static_cast<uint32_t>(std::popcount(row[i]));
    const uint32_t size = shape.summaries() + words;
    uint64_t* packed = memory_.take(size, false);
    uint64_t* to = std::copy_n(row, shape.summaries(), packed);
    for (uint32_t w = 0; w < shape.words(); ++w) {
      if (const uint64_t word = shape.words_of(row)[w]; word != 0) *to++ = word;
    }
    return {packed, size};
  }
  /// Four words of a packed row: of those that `summary`, one word of its summary, stands for, the
  /// `nibble`-th four. `words`: the first word that is kept for `summary`.
  static RuleBlock block(uint64_t summary, const uint64_t* words, unsigned nibble) {
    const unsigned shift = nibble * kWordsPerBlock;
    const unsigned there = static_cast<unsigned>(summary >> shift) & 0xf;
    words += std::popcount(summary & ((uint64_t{1} << shift) - 1));
    const detail::Spread& spread = detail::kSpread[there];
    const __m256i loaded = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
    const __m256i from = _mm256_load_si256(reinterpret_cast<const __m256i*>(spread.from));
    const __m256i mask = _mm256_load_si256(reinterpret_cast<const __m256i*>(spread.mask));
    return reinterpret_cast<RuleBlock>(_mm256_and_si256(_mm256_permutevar8x32_epi32(loaded, from), mask));
  }
  size_t bytes() const { return memory_.bytes(); }

 private:
  RowMemory memory_;
};

}  // namespace weir::dataplane
