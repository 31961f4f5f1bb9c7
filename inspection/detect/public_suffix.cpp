#include "inspection/detect/public_suffix.h"

#include <libpsl.h>

#include <array>
#include <cstring>

namespace weir::inspection {

namespace {

constexpr size_t kLongestName = 255;

std::optional<std::span<const uint8_t>> end_of(std::span<const uint8_t> name,
                                               const char* (*find)(const psl_ctx_t*, const char*)) {
  if (name.empty() || name.size() > kLongestName) return std::nullopt;
  // The library wants lower case, and would take memory to look names up that are not ASCII.
  std::array<char, kLongestName + 1> text{};
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == 0 || name[i] >= 0x80) return std::nullopt;
    text[i] = static_cast<char>(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
  }
  const char* const found = find(psl_builtin(), text.data());
  if (found == nullptr) return std::nullopt;
  return name.last(std::strlen(found));
}

}  // namespace

std::optional<std::span<const uint8_t>> registered_domain(std::span<const uint8_t> name) {
  return end_of(name, psl_registrable_domain);
}

std::optional<std::span<const uint8_t>> public_suffix(std::span<const uint8_t> name) {
  return end_of(name, psl_unregistrable_domain);
}

}  // namespace weir::inspection
