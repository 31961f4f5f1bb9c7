// std::vector for tables that are read at random: large ones lie on huge pages, where the system gives them,
// since each look-up in one would miss the TLB. Any thread.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

namespace weir::dataplane {

/// Memory in whole lines, of 2 MiB and more in whole huge pages. Throws std::bad_alloc.
template <typename T>
struct HugeAllocator {
  using value_type = T;

  HugeAllocator() = default;
  template <typename Other>
  HugeAllocator(const HugeAllocator<Other>&) {}

  T* allocate(size_t count) {
    constexpr size_t kLine = 64, kHugePage = 2 << 20;
    const size_t bytes = count * sizeof(T);
    const size_t page = bytes < kHugePage ? kLine : kHugePage;
    void* memory = std::aligned_alloc(page, (bytes + page - 1) / page * page);
    if (memory == nullptr) throw std::bad_alloc();
    // Only advice: without huge pages it merely is slower.
    if (page == kHugePage) (void)madvise(memory, bytes, MADV_HUGEPAGE);
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, size_t) { std::free(memory); }

  template <typename Other>
  bool operator==(const HugeAllocator<Other>&) const {
    return true;
  }
};

template <typename T>
using HugeVector = std::vector<T, HugeAllocator<T>>;

}  // namespace weir::dataplane
