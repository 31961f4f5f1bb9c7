// Suricata's classes of rules: what `classtype` names.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::inspection {

struct Classification {
  std::string_view name;      // as written in a rule
  std::string_view category;  // as written in an event
  uint8_t priority;           // 1 is the most severe
};

/// The class of that name, or nothing.
std::optional<Classification> find_classification(std::string_view name);

}  // namespace weir::inspection
