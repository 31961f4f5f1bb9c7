// What every micro-benchmark here reports: cycles per operation, as median and MAD over repetitions.
#pragma once

#include <benchmark/benchmark.h>
#include <time.h>
#include <x86intrin.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <typeinfo>
#include <vector>

namespace weir::bench {

/// Median absolute deviation: how far a repetition usually is from the median.
inline double mad(const std::vector<double>& values) {
  const auto median = [](std::vector<double> v) {
    std::nth_element(v.begin(), v.begin() + static_cast<long>(v.size() / 2), v.end());
    return v[v.size() / 2];
  };
  const double middle = median(values);
  std::vector<double> distances;
  distances.reserve(values.size());
  for (const double v : values) distances.push_back(std::abs(v - middle));
  return median(distances);
}

/// CPU time that this thread has used, in cycles of the time-stamp counter. Not the counter itself, which
/// also counts while another process has the core.
class CpuCycles {
 public:
  static double now() { return seconds(CLOCK_THREAD_CPUTIME_ID) * hertz(); }

 private:
  static double seconds(clockid_t clock) {
    timespec t{};
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  }
  static double measure_hertz() {
    const double start = seconds(CLOCK_MONOTONIC);
    const uint64_t begin = __rdtsc();
    while (seconds(CLOCK_MONOTONIC) < start + 0.05) {
    }
    const uint64_t cycles = __rdtsc() - begin;
    return static_cast<double>(cycles) / (seconds(CLOCK_MONOTONIC) - start);
  }
  static double hertz() {
    static const double value = measure_hertz();
    return value;
  }
};

/// Times `operation(i)` for i = 0, 1, 2, ..., each of `items` items, and adds the counter `cycles`: CPU
/// cycles per item. Data is built before; nothing but the operation is in the loop.
template <typename Operation>
void run(benchmark::State& state, uint64_t items, Operation&& operation) {
  uint64_t i = 0;
  const double begin = CpuCycles::now();
  for (auto _ : state) operation(i++);
  state.counters["cycles"] = (CpuCycles::now() - begin) / static_cast<double>(i * items);
  state.SetItemsProcessed(static_cast<int64_t>(i * items));
}

/// What a case needs before it is timed, kept by name. Google Benchmark calls a case several times over, to
/// find out how often it has to run; what it needs is made once.
class Built {
 public:
  /// `make()` gives a std::unique_ptr<T>. Only the latest thing is kept: what another name stood for is gone
  /// before, as both may be large.
  template <typename T, typename Make>
  static T& get(const std::string& name, Make&& make) {
    const std::string full_name = typeid(T).name() + (" " + name);
    Built& built = the_one();
    if (built.name_ != full_name) {
      drop();
      built.thing_ = std::shared_ptr<T>(make());
      built.name_ = full_name;
    }
    return *static_cast<T*>(built.thing_.get());
  }
  static void drop() {
    the_one().name_.clear();
    the_one().thing_.reset();
  }

 private:
  static Built& the_one() {
    static Built one;
    return one;
  }
  std::shared_ptr<void> thing_;
  std::string name_;
};

/// Every case has this. How often and how long it runs is the command line's business (run_cases.h).
inline void common(benchmark::internal::Benchmark* b) { b->ComputeStatistics("mad", mad); }

}  // namespace weir::bench
