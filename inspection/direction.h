// Which way a packet of a session goes.
#pragma once

#include <cstdint>

namespace weir::inspection {

enum class Direction : uint8_t { to_server = 0, to_client = 1 };

constexpr Direction opposite(Direction direction) {
  return direction == Direction::to_server ? Direction::to_client : Direction::to_server;
}

}  // namespace weir::inspection
