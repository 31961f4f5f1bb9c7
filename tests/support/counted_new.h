// operator new and delete that count, for tests of what something costs in memory.
//
// Replaces them for the whole program: include it in one source file of a binary of its own. Each thread
// counts for itself.
#pragma once

#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace weir::test::counted_new {

thread_local uint64_t allocations = 0;  // so far
thread_local uint64_t frees = 0;
thread_local int64_t live = 0;  // bytes in use
thread_local int64_t most = 0;  // at a time, since somebody set it

namespace detail {

void* counted(size_t size) {
  void* p = std::malloc(size);
  if (p == nullptr) throw std::bad_alloc();
  ++allocations;
  live += static_cast<int64_t>(malloc_usable_size(p));
  if (live > most) most = live;
  return p;
}

void* counted(size_t size, std::align_val_t alignment) {
  void* p = std::aligned_alloc(static_cast<size_t>(alignment), (size + static_cast<size_t>(alignment) - 1) &
                                                                   ~(static_cast<size_t>(alignment) - 1));
  if (p == nullptr) throw std::bad_alloc();
  ++allocations;
  live += static_cast<int64_t>(malloc_usable_size(p));
  if (live > most) most = live;
  return p;
}

void uncounted(void* p) {
  if (p != nullptr) {
    live -= static_cast<int64_t>(malloc_usable_size(p));
    ++frees;
  }
  std::free(p);
}

}  // namespace detail
}  // namespace weir::test::counted_new

void* operator new(size_t size) { return weir::test::counted_new::detail::counted(size); }
void* operator new[](size_t size) { return weir::test::counted_new::detail::counted(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  try {
    return weir::test::counted_new::detail::counted(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void* operator new[](size_t size, const std::nothrow_t& tag) noexcept { return operator new(size, tag); }
void* operator new(size_t size, std::align_val_t a) {
  return weir::test::counted_new::detail::counted(size, a);
}
void* operator new[](size_t size, std::align_val_t a) {
  return weir::test::counted_new::detail::counted(size, a);
}
void* operator new(size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  try {
    return weir::test::counted_new::detail::counted(size, a);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void* operator new[](size_t size, std::align_val_t a, const std::nothrow_t& tag) noexcept {
  return operator new(size, a, tag);
}
void operator delete(void* p) noexcept { weir::test::counted_new::detail::uncounted(p); }
void operator delete[](void* p) noexcept { weir::test::counted_new::detail::uncounted(p); }
void operator delete(void* p, size_t) noexcept { weir::test::counted_new::detail::uncounted(p); }
void operator delete[](void* p, size_t) noexcept { weir::test::counted_new::detail::uncounted(p); }
void operator delete(void* p, std::align_val_t) noexcept { weir::test::counted_new::detail::uncounted(p); }
void operator delete[](void* p, std::align_val_t) noexcept { weir::test::counted_new::detail::uncounted(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept {
  weir::test::counted_new::detail::uncounted(p);
}
void operator delete[](void* p, size_t, std::align_val_t) noexcept {
  weir::test::counted_new::detail::uncounted(p);
}
