// MD5 as fingerprints have it: 32 hexadecimal digits. Allocates nothing.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace weir::inspection {

void md5_text(std::span<const uint8_t> bytes, std::array<uint8_t, 32>& out);

}  // namespace weir::inspection
