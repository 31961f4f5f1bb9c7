// Asks for a cache line, for a read or write that comes later.
//
// Volatile assembly, not __builtin_prefetch: GCC 12 takes a function that does nothing but prefetch for one
// without effects, and drops calls of it.
#pragma once

namespace weir::dataplane {

inline void prefetch(const void* at) {
  __asm__ volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(at)));
}

}  // namespace weir::dataplane
