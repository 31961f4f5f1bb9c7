// A list of small plain values in a worker's pool: match state of sessions and transactions.
#pragma once

#include <cstring>
#include <span>
#include <type_traits>

#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

template <typename T>
class PoolList {
 public:
  static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= BytePool::kSmallest);
  explicit PoolList(BytePool& pool) noexcept : bytes_(pool) {}

  std::span<T> items() { return {reinterpret_cast<T*>(bytes_.bytes().data()), bytes_.size() / sizeof(T)}; }
  std::span<const T> items() const {
    return {reinterpret_cast<const T*>(bytes_.view().data()), bytes_.size() / sizeof(T)};
  }
  size_t size() const { return bytes_.size() / sizeof(T); }
  bool empty() const { return bytes_.empty(); }

  /// False: the pool is at its ceiling; nothing has changed.
  [[nodiscard]] bool push_back(const T& value) {
    return bytes_.append({reinterpret_cast<const uint8_t*>(&value), sizeof value});
  }
  /// Keeps the first `count`.
  void shrink(size_t count) { bytes_.shrink(count * sizeof(T)); }
  /// Keeps the order of the rest.
  template <typename Predicate>
  void remove_if(Predicate predicate) {
    const std::span<T> all = items();
    size_t kept = 0;
    for (const T& value : all) {
      if (!predicate(value)) all[kept++] = value;
    }
    shrink(kept);
  }
  /// Gives the memory back.
  void reset() { bytes_.reset(); }

 private:
  PoolBytes bytes_;
};

}  // namespace weir::inspection
