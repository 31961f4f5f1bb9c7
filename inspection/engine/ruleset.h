// The rules of one profile, compiled, with its variables bound: what Inspector::inspect() is given.
//
// Builder thread makes it; immutable afterwards, read by all workers.
#pragma once

#include <memory>
#include <utility>

#include "inspection/detect/detection_profile.h"
#include "inspection/inspector.h"

namespace weir::inspection {

class Ruleset {
 public:
  explicit Ruleset(std::shared_ptr<const DetectionProfile> profile) : profile_(std::move(profile)) {}
  const DetectionProfile& profile() const { return *profile_; }

 private:
  std::shared_ptr<const DetectionProfile> profile_;
};

/// What build_ruleset() does once the files are read and parsed. Builder thread.
Result<RulesetBuild> compile_rules(const ast::ParsedRuleset& rules, unsigned workers,
                                   std::shared_ptr<FlowBitNames> names = nullptr);

}  // namespace weir::inspection
