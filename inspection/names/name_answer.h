// What is known of the name that a policy rule asks for. A leaf.
#pragma once

#include <cstdint>

namespace weir::inspection {

enum class NameAnswer : uint8_t {
  yes,
  no,
  not_yet,   // it may still become known
  given_up,  // it never will
};

}  // namespace weir::inspection
