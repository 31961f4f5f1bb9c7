// Memory for tables that are read at random: large ones lie on huge pages, where the system gives them, since
// each look-up in one would miss the TLB. Any thread.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

namespace weir::dataplane {

inline constexpr size_t kHugePageBytes = 2 << 20;

namespace detail {
/// What memory of `bytes` is whole ones of, and aligned to: cache lines, or huge pages.
constexpr size_t huge_unit(size_t bytes) { return bytes < kHugePageBytes ? 64 : kHugePageBytes; }
}  // namespace detail

/// What allocate_huge() allocates for `bytes`.
constexpr size_t huge_bytes(size_t bytes) {
  const size_t unit = detail::huge_unit(bytes);
  return (bytes + unit - 1) / unit * unit;
}

/// At least `bytes`, not zeroed; of 2 MiB and more in whole huge pages, else in whole lines. For std::free().
/// Throws std::bad_alloc.
inline void* allocate_huge(size_t bytes) {
  const size_t size = huge_bytes(bytes);
  void* memory = std::aligned_alloc(detail::huge_unit(bytes), size);
  if (memory == nullptr) throw std::bad_alloc();
  // Only advice: without huge pages it merely is slower.
  if (size >= kHugePageBytes) (void)madvise(memory, size, MADV_HUGEPAGE);
  return memory;
}

template <typename T>
struct HugeAllocator {
  using value_type = T;

  HugeAllocator() = default;
  template <typename Other>
  HugeAllocator(const HugeAllocator<Other>&) {}

  T* allocate(size_t count) { return static_cast<T*>(allocate_huge(count * sizeof(T))); }
  void deallocate(T* memory, size_t) { std::free(memory); }

  template <typename Other>
  bool operator==(const HugeAllocator<Other>&) const {
    return true;
  }
};

template <typename T>
using HugeVector = std::vector<T, HugeAllocator<T>>;

}  // namespace weir::dataplane
