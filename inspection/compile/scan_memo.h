// What was found in short values that come again and again: methods, hosts, names of programs, lists of
// languages.
//
// A scan's outcome hangs on the group of literals and the bytes alone, and Hyperscan takes some hundred
// cycles to begin with, so what is short is looked up by its bytes first, all of which are compared. One for
// each worker and ruleset, of fixed size; a new value takes the place of what lies where it belongs.
#pragma once

#include <nmmintrin.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace weir::inspection {

class ScanMemo {
 public:
  static constexpr size_t kLongestValue = 160;
  static constexpr size_t kMostFound = 11;

  /// The literals that stand in a value, by number.
  class Entry {
   public:
    std::span<const uint16_t> found() const { return {found_.data(), found_count_}; }

   private:
    friend class ScanMemo;
    const void* group_ = nullptr;
    uint8_t size_ = 0, found_count_ = 0;
    std::array<uint16_t, kMostFound> found_;
    std::array<uint8_t, kLongestValue> bytes_;
  };
  static_assert(sizeof(Entry) == 192);

  ScanMemo() : entries_(std::make_unique<Entry[]>(kEntries)) {}

  /// What is known of `value`, of at most kLongestValue bytes and not empty, in `group`; null: nothing. Until
  /// the next call of remember().
  const Entry* find(const void* group, std::span<const uint8_t> value) const {
    const Entry& entry = entries_[place(group, value)];
    return entry.group_ == group && entry.size_ == value.size() &&
                   std::memcmp(entry.bytes_.data(), value.data(), value.size()) == 0
               ? &entry
               : nullptr;
  }
  /// `found` are at most kMostFound.
  void remember(const void* group, std::span<const uint8_t> value, std::span<const uint16_t> found) {
    Entry& entry = entries_[place(group, value)];
    entry.group_ = group;
    entry.size_ = static_cast<uint8_t>(value.size());
    entry.found_count_ = static_cast<uint8_t>(found.size());
    std::copy(found.begin(), found.end(), entry.found_.begin());
    std::copy(value.begin(), value.end(), entry.bytes_.begin());
  }

 private:
  static constexpr size_t kEntries = 1'024;  // 192 KiB

  static uint64_t word(const uint8_t* bytes, size_t size = 8) {
    uint64_t out = 0;
    std::memcpy(&out, bytes, size);
    return out;
  }
  /// CRC-32C of the group and the value: who makes values that share a place only loses what this saves.
  static size_t place(const void* group, std::span<const uint8_t> value) {
    const uint8_t* const at = value.data();
    const size_t size = value.size();
    uint64_t even = reinterpret_cast<uintptr_t>(group), odd = size;
    if (size < 8) {
      odd = _mm_crc32_u64(odd, word(at, size));
    } else {
      size_t i = 0;
      for (; i + 16 <= size; i += 16) {  // two chains, since each step waits for the one before it
        even = _mm_crc32_u64(even, word(at + i));
        odd = _mm_crc32_u64(odd, word(at + i + 8));
      }
      if (i + 8 <= size) even = _mm_crc32_u64(even, word(at + i));
      odd = _mm_crc32_u64(odd, word(at + size - 8));
    }
    return _mm_crc32_u64(even, odd) % kEntries;
  }

  std::unique_ptr<Entry[]> entries_;
};

}  // namespace weir::inspection
