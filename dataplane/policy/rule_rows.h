// Rows of bits, one bit per rule, each with a summary of a bit per word.
//
// A row says which rules one fact about a session allows: its source's addresses, its port, its domain. Where
// the rows of all facts have a bit, that rule matches. The summaries are intersected first, so that the words
// themselves are read only where all rows have something; and eight words at a time, so that rows that are
// made to defeat the summaries cost 40 steps for 10,000 rules.
//
// Rows are made plain. There are many rows of addresses, each with few bits; of those only the words with a
// bit are kept (PackedRows), which takes a tenth of the memory and of the cache misses. So words are short: a
// row of scattered bits takes less, and fewer words have bits in two rows that have nothing in common.
// Internal to dataplane/policy.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/core/huge_memory.h"

namespace weir::dataplane {

using RuleWord = uint32_t;
/// Eight words: what is intersected at once.
using RuleBlock = RuleWord __attribute__((vector_size(32), may_alias));
/// A bit for each word that is not 0.
inline uint32_t words_with_bits(RuleBlock block) {
  const __m256i none = _mm256_cmpeq_epi32(reinterpret_cast<__m256i>(block), _mm256_setzero_si256());
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(none))) ^ 0xff;
}
inline constexpr uint32_t kRulesPerWord = 32;
inline constexpr uint32_t kWordsPerBlock = 8;
inline constexpr uint32_t kWordsPerLine = 16;
inline constexpr uint32_t kWordsPerSummary = 64;  // a bit for each in one Summary

/// The words of a block that are in `some`, all bits of them.
inline RuleBlock whole_words(uint32_t some) {
  const __m256i each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return reinterpret_cast<RuleBlock>(
      _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int>(some)), each), each));
}

/// A row in memory: its summary, then its words, a whole number of blocks each. Aligned to 32 bytes.
using Summary = uint64_t;
using Row = const Summary*;

class RowShape {
 public:
  explicit RowShape(uint32_t rules = 0) : words_(in_blocks((rules + kRulesPerWord - 1) / kRulesPerWord)) {}

  uint32_t words() const { return words_; }
  uint32_t summaries() const { return (words_ + kWordsPerSummary - 1) / kWordsPerSummary; }
  uint32_t size() const { return before_words() + words_; }  // in words
  const RuleWord* words_of(Row row) const { return reinterpret_cast<const RuleWord*>(row) + before_words(); }
  RuleWord* words_of(Summary* row) const { return reinterpret_cast<RuleWord*>(row) + before_words(); }
  const RuleBlock& block_of(Row row, uint32_t index) const { return block(words_of(row), index); }
  static const RuleBlock& block(const RuleWord* words, uint32_t index) {
    return *reinterpret_cast<const RuleBlock*>(words + index * kWordsPerBlock);
  }

 private:
  static uint32_t in_blocks(uint32_t words) {
    return std::max(1u, (words + kWordsPerBlock - 1) / kWordsPerBlock) * kWordsPerBlock;
  }
  uint32_t before_words() const { return in_blocks(summaries() * (sizeof(Summary) / sizeof(RuleWord))); }
  uint32_t words_;
};

/// Memory that only grows and stays where it is, in chunks of up to a huge page.
class RowMemory {
 public:
  /// Not initialised; in as few lines as it fits. A block more may be read behind it. Throws std::bad_alloc.
  Summary* take(size_t words) {
    words += words % kAlign;
    const size_t in_line = next_ % kWordsPerLine;
    if (in_line + words > kWordsPerLine) next_ += (kWordsPerLine - in_line) % kWordsPerLine;
    if (chunks_.empty() || next_ + words + kWordsPerBlock > size_) add_chunk(words + kWordsPerBlock);
    auto* at = reinterpret_cast<Summary*>(chunks_.back().get() + next_);
    next_ += words;
    return at;
  }
  size_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kAlign = sizeof(Summary) / sizeof(RuleWord);
  static constexpr size_t kLeastChunk = 4'096;

  void add_chunk(size_t least) {
    size_t bytes = std::max({least * sizeof(RuleWord), kLeastChunk, std::min(bytes_, kHugePageBytes)});
    if (bytes > kHugePageBytes / 2) bytes = std::max(bytes, kHugePageBytes);
    chunks_.emplace_back(static_cast<RuleWord*>(allocate_huge(bytes)), &std::free);
    next_ = 0;
    size_ = huge_bytes(bytes) / sizeof(RuleWord);
    bytes_ += huge_bytes(bytes);
  }

  std::vector<std::unique_ptr<RuleWord, void (*)(void*)>> chunks_;
  size_t next_ = 0, size_ = 0;  // of the last chunk, in words
  size_t bytes_ = 0;
};

/// Rows of one shape.
class Rows {
 public:
  explicit Rows(RowShape shape) : shape_(shape) {}

  const RowShape& shape() const { return shape_; }
  /// All zero.
  Summary* make() {
    Summary* row = memory_.take(shape_.size());
    std::memset(row, 0, shape_.size() * sizeof(RuleWord));
    all_.push_back(row);
    return row;
  }
  void set_bit(Summary* row, uint32_t rule) const {
    shape_.words_of(row)[rule / kRulesPerWord] |= RuleWord{1} << rule % kRulesPerWord;
  }
  void add(Summary* row, Row other) const {
    for (uint32_t w = 0; w < shape_.words(); ++w) shape_.words_of(row)[w] |= shape_.words_of(other)[w];
  }
  void keep(Summary* row, Row other) const {
    for (uint32_t w = 0; w < shape_.words(); ++w) shape_.words_of(row)[w] &= shape_.words_of(other)[w];
  }
  /// Writes the summaries of all rows, once their words are there.
  void summarize() {
    for (Summary* row : all_) {
      const RuleWord* words = shape_.words_of(row);
      for (uint32_t w = 0; w < shape_.words(); ++w)
        row[w / kWordsPerSummary] |= Summary{words[w] != 0} << w % kWordsPerSummary;
    }
  }
  size_t bytes() const { return memory_.bytes(); }

 private:
  RowShape shape_;
  RowMemory memory_;
  std::vector<Summary*> all_;
};

/// A row's summary, then the words with a bit, in order.
struct PackedRow {
  Row summary = nullptr;

  const RuleWord* words(const RowShape& shape) const {
    return reinterpret_cast<const RuleWord*>(summary + shape.summaries());
  }
  /// Asks for its summary. Which of its words are read is known only when the other rows' are there; they are
  /// few, and lines that are asked for in vain take more from the cache than they save.
  void prefetch() const {
    const auto* all = reinterpret_cast<const RuleWord*>(summary);
    __builtin_prefetch(all);
    __builtin_prefetch(all + kWordsPerLine);
  }
};

namespace detail {
/// Where the words of a block come from, for each set of them that is there; of the others negative. In
/// bytes, since each of its lines is one more to wait for.
inline constexpr auto kSpread = [] {
  std::array<std::array<int8_t, kWordsPerBlock>, 1u << kWordsPerBlock> all{};
  for (unsigned there = 0; there < all.size(); ++there) {
    int8_t next = 0;
    for (unsigned w = 0; w < kWordsPerBlock; ++w) all[there][w] = (there >> w & 1) != 0 ? next++ : -1;
  }
  return all;
}();
}  // namespace detail

class PackedRows {
 public:
  /// Copies a row whose summary is written.
  PackedRow add(const RowShape& shape, Row row) {
    const PackedRow packed = take(shape, {&row, 1});
    RuleWord* to = first_word_;
    for (uint32_t w = 0; w < shape.words(); ++w) {
      if (const RuleWord word = shape.words_of(row)[w]; word != 0) *to++ = word;
    }
    return packed;
  }
  /// The bits of all these, two at least and none of them null.
  PackedRow unite(const RowShape& shape, std::span<const PackedRow> rows) {
    summaries_.clear();
    next_.clear();
    for (const PackedRow& row : rows) {
      summaries_.push_back(row.summary);
      next_.push_back(row.words(shape));
    }
    const PackedRow packed = take(shape, summaries_);
    RuleWord* to = first_word_;
    for (uint32_t i = 0; i < shape.summaries(); ++i) {
      for (Summary left = packed.summary[i]; left != 0; left &= left - 1) {
        *to = 0;
        for (size_t r = 0; r < rows.size(); ++r) {
          if ((rows[r].summary[i] & left & -left) != 0) *to |= *next_[r]++;
        }
        ++to;
      }
    }
    return packed;
  }
  /// A block of a packed row: of the words that `summary`, one word of its summary, stands for, the `byte`-th
  /// eight. `words`: the first word that is kept for `summary`.
  static RuleBlock block(Summary summary, const RuleWord* words, unsigned byte) {
    const unsigned shift = byte * kWordsPerBlock;
    const unsigned there = static_cast<unsigned>(summary >> shift) & 0xff;
    words += std::popcount(summary & ((Summary{1} << shift) - 1));
    const __m256i loaded = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
    const __m256i from = _mm256_cvtepi8_epi32(_mm_loadu_si64(detail::kSpread[there].data()));
    const __m256i spread = _mm256_permutevar8x32_epi32(loaded, from);
    return reinterpret_cast<RuleBlock>(_mm256_andnot_si256(_mm256_srai_epi32(from, 31), spread));
  }
  size_t bytes() const { return memory_.bytes(); }

 private:
  /// Room for a row with all that these summaries have: its own is written, words from first_word_ on are
  /// not.
  PackedRow take(const RowShape& shape, std::span<const Row> summaries) {
    const auto all = [&](uint32_t i) {
      Summary some = 0;
      for (const Row summary : summaries) some |= summary[i];
      return some;
    };
    auto size = static_cast<uint32_t>(shape.summaries() * sizeof(Summary) / sizeof(RuleWord));
    for (uint32_t i = 0; i < shape.summaries(); ++i) size += static_cast<uint32_t>(std::popcount(all(i)));
    Summary* row = memory_.take(size);
    for (uint32_t i = 0; i < shape.summaries(); ++i) row[i] = all(i);
    first_word_ = reinterpret_cast<RuleWord*>(row + shape.summaries());
    return {row};
  }

  RowMemory memory_;
  // Of the row that is being made:
  RuleWord* first_word_ = nullptr;
  std::vector<Row> summaries_;
  std::vector<const RuleWord*> next_;  // of each of the others the first word that was not taken
};

}  // namespace weir::dataplane
