// Benchmarks of two threads at once, each on a core of its own.
#pragma once

#include <pthread.h>
#include <sched.h>
#include <x86intrin.h>

#include <atomic>
#include <vector>

namespace weir::bench {

/// The first two cores that this process may use; fewer if there are fewer.
inline std::vector<unsigned> own_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::vector<unsigned> cores;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return cores;
  for (unsigned core = 0; core < CPU_SETSIZE && cores.size() < 2; ++core) {
    if (CPU_ISSET(core, &allowed)) cores.push_back(core);
  }
  return cores;
}

/// The calling thread runs on that core alone.
inline void stay_on(unsigned core) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}

/// All threads wait until each has come.
class Barrier {
 public:
  explicit Barrier(unsigned threads) : threads_(threads) {}
  void wait() {
    const unsigned round = round_.load(std::memory_order_acquire);
    if (came_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      came_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    while (round_.load(std::memory_order_acquire) == round) _mm_pause();
  }

 private:
  unsigned threads_;
  std::atomic<unsigned> came_{0}, round_{0};
};

}  // namespace weir::bench
