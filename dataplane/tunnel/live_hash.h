// A hash table of ids by key that one thread changes in place while others look up.
//
// Open addressing, at most a quarter full, so that a look-up mostly touches one slot. Readers take no locks
// and see each entry before or after a change. A slot whose entry was removed stays taken until release(),
// which the writer calls when no reader can stand on it any more; then it is filled again, or is free if
// nothing was put behind it. Memory is set aside once.
//
// `Key`: next to it are `hash_of(key)` and `words_of(key)`, a std::array of 64-bit words that tell it from
// any other.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/core/prefetch.h"

namespace weir::dataplane {

template <typename Key, typename IdType>
class LiveHash {
 public:
  explicit LiveHash(uint32_t capacity)
      : capacity_(capacity),
        mask_(std::bit_ceil(size_t{capacity} * 4 + 4) - 1),
        free_(mask_ + 1),
        slots_(std::make_unique<Slot[]>(mask_ + 1)) {}

  // --- the writer's thread ---
  size_t size() const { return size_; }
  uint32_t capacity() const { return capacity_; }
  /// How many more entries have room. Slots that wait for release() take room too.
  size_t room() const {
    const size_t spare = (mask_ + 1) / 8;
    return std::min(capacity_ - size_, free_ - std::min(free_, spare));
  }

  /// Adds an entry, or makes the key's entry lead to `id`, which has to be valid. False if there is no room.
  bool set(const Key& key, IdType id) {
    if (const size_t known = slot_of(key); known != kNowhere) {
      slots_[known].id.store(id.value, std::memory_order_release);
      return true;
    }
    if (room() == 0) return false;
    size_t i = hash_of(key) & mask_;
    while (slots_[i].id.load(std::memory_order_relaxed) != kFree && !slots_[i].released) i = (i + 1) & mask_;
    Slot& slot = slots_[i];
    if (!slot.released) --free_;
    slot.released = false;
    const auto words = words_of(key);
    for (size_t w = 0; w < kWords; ++w) slot.words[w].store(words[w], std::memory_order_relaxed);
    slot.id.store(id.value, std::memory_order_release);
    ++size_;
    return true;
  }

  /// False: there was no such entry.
  bool remove(const Key& key) {
    const size_t i = slot_of(key);
    if (i == kNowhere) return false;
    slots_[i].id.store(kRemoved, std::memory_order_release);
    removed_.push_back(i);
    --size_;
    return true;
  }

  /// The slots whose entries were removed since the last call, for release().
  std::vector<size_t> take_removed() { return std::exchange(removed_, {}); }
  /// No reader has been in a look-up since before these were removed.
  void release(const std::vector<size_t>& removed) {
    for (const size_t i : removed) slots_[i].released = true;
    for (size_t i : removed) {
      while (slots_[i].released && is_free((i + 1) & mask_)) {
        slots_[i].released = false;
        slots_[i].id.store(kFree, std::memory_order_release);
        ++free_;
        i = (i - 1) & mask_;
      }
    }
  }

  // --- any thread ---
  /// What a look-up reads, for code that makes many of them: it stays in registers, which the table's own
  /// members do not. Good for the table's life.
  class Reader;
  Reader reader() const { return {slots_.get(), mask_}; }
  /// An invalid id if there is none.
  IdType find(const Key& key) const { return reader().find(key); }
  void prefetch(const Key& key) const { dataplane::prefetch(&slots_[hash_of(key) & mask_]); }

 private:
  using Words = decltype(words_of(std::declval<const Key&>()));
  static constexpr size_t kWords = std::tuple_size_v<Words>;
  static constexpr size_t kNowhere = ~size_t{0};
  // No valid id has one of these values: their generation is 0.
  static constexpr uint32_t kFree = 0;
  static constexpr uint32_t kRemoved = 1;

  struct alignas(32) Slot {
    std::array<std::atomic<uint64_t>, kWords> words{};
    std::atomic<uint32_t> id{kFree};
    bool released = false;  // removed, and may be filled again; the writer's
  };

  static bool same(const Slot& slot, const Words& words) {
    // Unrolled: a loop over the words would keep the key in memory.
    return [&]<size_t... w>(std::index_sequence<w...>) {
      return ((slot.words[w].load(std::memory_order_relaxed) ^ words[w]) | ...) == 0;
    }
    (std::make_index_sequence<kWords>());
  }
  bool is_free(size_t i) const { return slots_[i].id.load(std::memory_order_relaxed) == kFree; }
  size_t slot_of(const Key& key) const {
    const auto words = words_of(key);
    for (size_t i = hash_of(key) & mask_; !is_free(i); i = (i + 1) & mask_) {
      if (slots_[i].id.load(std::memory_order_relaxed) != kRemoved && same(slots_[i], words)) return i;
    }
    return kNowhere;
  }

  uint32_t capacity_;
  size_t mask_;
  size_t free_;
  size_t size_ = 0;
  std::unique_ptr<Slot[]> slots_;
  std::vector<size_t> removed_;  // not yet taken
};

template <typename Key, typename IdType>
class LiveHash<Key, IdType>::Reader {
 public:
  [[gnu::always_inline]] IdType find(const Key& key) const {
    const auto words = words_of(key);
    for (size_t i = hash_of(key) & mask_;; i = (i + 1) & mask_) {
      // The id first: behind one that is there stand its words.
      const uint32_t id = slots_[i].id.load(std::memory_order_acquire);
      if (same(slots_[i], words) && id > kRemoved) [[likely]]
        return {id};
      if (id == kFree) return {};
    }
  }

 private:
  friend class LiveHash;
  Reader(const Slot* slots, size_t mask) : slots_(slots), mask_(mask) {}

  const Slot* slots_;
  size_t mask_;
};

}  // namespace weir::dataplane
