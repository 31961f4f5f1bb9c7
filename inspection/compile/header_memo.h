// Whether the ends of the packet at hand lie in the sets that headers of rules name: hundreds of rules name
// the same few.
//
// One for each worker and ruleset, of fixed size; forget() before each packet.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace weir::inspection {

class HeaderMemo {
 public:
  /// Who is asked about, of the packet as it came.
  enum class End : uint8_t { source, destination };

  HeaderMemo(size_t address_sets, size_t port_sets) : addresses_(address_sets), ports_(port_sets) {}

  void forget() {
    if (++packet_ != 0) return;
    std::ranges::fill(addresses_, Answer{});
    std::ranges::fill(ports_, Answer{});
    packet_ = 1;
  }
  /// `ask()` tells whether that end's address lies in the set; once for each packet.
  template <typename Ask>
  bool address(uint32_t set, End end, Ask&& ask) {
    return answer(addresses_[set], end, ask);
  }
  /// The same of its port.
  template <typename Ask>
  bool port(uint32_t set, End end, Ask&& ask) {
    return answer(ports_[set], end, ask);
  }

 private:
  struct Answer {
    uint32_t packet = 0;
    uint8_t known = 0, yes = 0;  // bits by End
  };
  template <typename Ask>
  bool answer(Answer& answer, End end, Ask& ask) {
    const auto bit = static_cast<uint8_t>(1U << static_cast<unsigned>(end));
    if (answer.packet != packet_) answer = {packet_, 0, 0};
    if ((answer.known & bit) == 0) {
      answer.known |= bit;
      if (ask()) answer.yes |= bit;
    }
    return (answer.yes & bit) != 0;
  }

  std::vector<Answer> addresses_, ports_;
  uint32_t packet_ = 0;
};

}  // namespace weir::inspection
