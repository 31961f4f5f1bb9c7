#include "dataplane/fib/route_store.h"

#include <sys/mman.h>

#include <cstring>

#include "dataplane/core/huge_memory.h"

namespace weir::dataplane::fib {

namespace {
constexpr size_t kPage = 4'096;

/// Of a large pool in huge ones: a look-up goes from place to place, and would miss the TLB at each.
size_t whole_pages(size_t bytes) {
  const size_t page = bytes > kHugePageBytes ? kHugePageBytes : kPage;
  return (bytes + page - 1) / page * page;
}
}  // namespace

bool PoolMemory::create(uint32_t capacity, size_t object_bytes) {
  object_bytes_ = object_bytes;
  capacity_ = capacity;
  set_aside_ = whole_pages((size_t{capacity} + 1) * object_bytes) + kHugePageBytes;
  // Not accessible yet, so that it counts as nobody's memory.
  space_ = mmap(nullptr, set_aside_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space_ == MAP_FAILED) {
    space_ = nullptr;
    return false;
  }
  const auto at =
      (reinterpret_cast<uintptr_t>(space_) + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  base_ = reinterpret_cast<void*>(at);
  // As it may: without, look-ups in large tables are slower and nothing else is different.
  (void)madvise(base_, set_aside_ - kHugePageBytes, MADV_HUGEPAGE);
  return true;
}

PoolMemory::~PoolMemory() {
  if (space_ != nullptr) munmap(space_, set_aside_);
}

bool PoolMemory::reserve(uint32_t count) {
  if (free_.size() >= count) return true;
  const uint64_t last = uint64_t{next_} + (count - free_.size()) - 1;
  if (last > capacity_) return false;
  const size_t needed = (last + 1) * object_bytes_;
  if (needed <= mapped_) return true;
  // By half of what is there, so that small hubs stay small and large ones do not ask often.
  const size_t step = std::clamp(mapped_ / 2, kPage, kHugePageBytes);
  const size_t size = std::min(whole_pages(std::max(needed, mapped_ + step)), set_aside_ - kHugePageBytes);
  auto* from = static_cast<char*>(base_) + mapped_;
  if (mprotect(from, size - mapped_, PROT_READ | PROT_WRITE) != 0) return false;
  mapped_ = size;
  return true;
}

uint32_t PoolMemory::take() {
  if (free_.empty()) return next_++;
  const uint32_t index = free_.back();
  free_.pop_back();
  return index;
}

}  // namespace weir::dataplane::fib
