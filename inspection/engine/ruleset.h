// The rules of one profile, compiled, with its variables bound, and how its sessions are inspected: what
// Inspector::inspect() is given.
//
// Builder thread makes it; immutable afterwards, read by all workers.
#pragma once

#include <memory>

#include "inspection/detect/detection_profile.h"
#include "inspection/engine/session_settings.h"

namespace weir::inspection {

class Ruleset {
 public:
  Ruleset(std::shared_ptr<const DetectionProfile> profile, const SessionSettings& settings);
  const DetectionProfile& profile() const { return *profile_; }
  const SessionSettings& settings() const { return settings_; }
  /// No other one has it, nor had it.
  uint64_t serial() const { return serial_; }

 private:
  std::shared_ptr<const DetectionProfile> profile_;
  SessionSettings settings_;
  uint64_t serial_;
};

}  // namespace weir::inspection
