// Numbers for the names of flow bits: the same name has the same number in every ruleset of the process, so
// that a session's bits survive a change of its ruleset.
//
// Any builder thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::inspection {

class FlowBitNames {
 public:
  static constexpr size_t kMost = 0xffff;
  /// nullopt: there are kMost names already.
  std::optional<uint16_t> intern(std::string_view name) {
    const std::lock_guard lock(mutex_);
    const auto known = ids_.find(std::string(name));
    if (known != ids_.end()) return known->second;
    if (ids_.size() >= kMost) return std::nullopt;
    const auto id = static_cast<uint16_t>(ids_.size());
    ids_.emplace(name, id);
    return id;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, uint16_t> ids_;
};

}  // namespace weir::inspection
