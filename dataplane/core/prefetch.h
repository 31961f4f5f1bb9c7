// Asks for a cache line, for a read or write that comes later.
//
// Volatile assembly, not __builtin_prefetch: GCC 12 takes a function that does nothing but prefetch for one
// without effects, and drops calls of it.
#pragma once

namespace weir::dataplane {

inline void prefetch(const void* at) {
  __asm__ volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(at)));
}

/// The same of a line that another core may have written and this one is going to write: it comes with the
/// right to, for which the first store would else go to the other core once more. A CPU that does not know
/// the instruction takes it for none.
inline void prefetch_to_write(const void* at) {
  __asm__ volatile("prefetchw %0" : : "m"(*static_cast<const char*>(at)));
}

}  // namespace weir::dataplane
