// Bytes by hand for tests of the engine.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::inspection::test {

using Octets = std::vector<uint8_t>;

inline Octets text(std::string_view t) { return {t.begin(), t.end()}; }
inline std::string as_text(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }
inline void put(Octets& to, const Octets& more) { to.insert(to.end(), more.begin(), more.end()); }
inline void put16(Octets& to, size_t value) {
  to.push_back(static_cast<uint8_t>(value >> 8));
  to.push_back(static_cast<uint8_t>(value));
}
inline void put24(Octets& to, size_t value) {
  to.push_back(static_cast<uint8_t>(value >> 16));
  put16(to, value & 0xffff);
}

}  // namespace weir::inspection::test
