// Numbers as rules read them out of bytes: binary of up to 8 bytes, or text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "inspection/rules/option_values.h"

namespace weir::inspection {

/// `bytes` is exactly what the rule asks for. nullopt: more than 8 binary bytes, or text that begins with no
/// number.
std::optional<uint64_t> read_number(std::span<const uint8_t> bytes, const ast::NumberFormat& format);

/// The masked value, shifted right by the mask's trailing zeros; as it is if the mask is 0.
uint64_t apply_bitmask(uint64_t value, uint32_t mask);

}  // namespace weir::inspection
