// Suricata's classes of rules: what `classtype` names.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weir::inspection {

struct Classification {
  std::string_view name;      // as written in a rule
  std::string_view category;  // as written in an event
  uint8_t priority;           // 1 is the most severe
};

/// The class of that name, or nothing.
std::optional<Classification> find_classification(std::string_view name);

/// All classes that Suricata ships, by name.
std::span<const Classification> all_classifications();

}  // namespace weir::inspection
