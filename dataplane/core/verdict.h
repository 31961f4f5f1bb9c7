// What becomes of a packet. Each packet leaves the data path with a verdict exactly once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::dataplane {

enum class DropReason : uint8_t {
  none = 0,
#define WEIR_DROP(name, stage, help) name,
#include "dataplane/core/drop_reasons.def"
#undef WEIR_DROP
  count_
};
inline constexpr size_t kDropReasonCount = static_cast<size_t>(DropReason::count_);

struct DropReasonInfo {
  std::string_view name;
  std::string_view stage;
  std::string_view help;
};
/// Name, stage and help of every reason, by its number; entry 0 is "none".
inline constexpr DropReasonInfo kDropReasons[kDropReasonCount] = {
    {"none", "", ""},
#define WEIR_DROP(name, stage, help) {#name, #stage, help},
#include "dataplane/core/drop_reasons.def"
#undef WEIR_DROP
};
constexpr const DropReasonInfo& info(DropReason reason) { return kDropReasons[static_cast<size_t>(reason)]; }

}  // namespace weir::dataplane
