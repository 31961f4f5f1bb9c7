// Random input with a fixed seed, so that a failure repeats itself.
#pragma once

#include <random>

#include "dataplane/core/tuple.h"

namespace weir::test {

class RandomInput {
 public:
  explicit RandomInput(uint64_t seed) : engine_(seed) {}

  /// 0 .. n - 1.
  uint64_t below(uint64_t n) { return engine_() % n; }
  uint64_t word() { return engine_(); }
  bool one_in(uint64_t n) { return below(n) == 0; }
  template <typename List>
  const auto& pick(const List& list) {
    return list[below(list.size())];
  }

  net::IpAddress address(bool ipv4) {
    if (ipv4) return net::Ipv4{static_cast<uint32_t>(word())};
    return net::Ipv6{word(), word()};
  }
  dataplane::Tuple tuple(bool ipv4) {
    return {address(ipv4), address(ipv4), static_cast<uint16_t>(word()), static_cast<uint16_t>(word()),
            static_cast<uint8_t>(one_in(2) ? 6 : 17)};
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace weir::test
