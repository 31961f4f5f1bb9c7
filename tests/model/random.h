// Chance that is the same for the same seed on every machine.
#pragma once

#include <cstdint>
#include <vector>

namespace weir::model {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  /// splitmix64.
  uint64_t next() {
    uint64_t x = state_ += 0x9e37'79b9'7f4a'7c15ULL;
    x = (x ^ x >> 30) * 0xbf58'476d'1ce4'e5b9ULL;
    x = (x ^ x >> 27) * 0x94d0'49bb'1331'11ebULL;
    return x ^ x >> 31;
  }
  /// From 0 to `n` - 1; `n` is at least 1.
  uint64_t below(uint64_t n) { return next() % n; }
  /// Both included.
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
  }
  bool percent(unsigned p) { return below(100) < p; }
  template <typename T>
  const T& of(const std::vector<T>& list) {
    return list[below(list.size())];
  }

 private:
  uint64_t state_;
};

}  // namespace weir::model
