// The rules of one profile, compiled, with its variables bound, and how its sessions are inspected: what
// Inspector::inspect() is given.
//
// Builder thread makes it; immutable afterwards, read by all workers.
#pragma once

#include <memory>

#include "inspection/detect/detection_profile.h"
#include "inspection/engine/session_settings.h"
#include "inspection/magic/file_magic.h"

namespace weir::inspection {

class Ruleset {
 public:
  /// `magic`: started, where the rules ask what files are; else null.
  Ruleset(std::shared_ptr<const DetectionProfile> profile, const SessionSettings& settings,
          std::shared_ptr<FileMagic> magic = nullptr);
  const DetectionProfile& profile() const { return *profile_; }
  const SessionSettings& settings() const { return settings_; }
  /// Null: nobody asks what files are, or nobody can say.
  const std::shared_ptr<FileMagic>& magic() const { return magic_; }
  /// No other one has it, nor had it.
  uint64_t serial() const { return serial_; }

 private:
  std::shared_ptr<const DetectionProfile> profile_;
  SessionSettings settings_;
  std::shared_ptr<FileMagic> magic_;
  uint64_t serial_;
};

}  // namespace weir::inspection
