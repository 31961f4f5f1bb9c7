// The chains of transforms of a ruleset; equal ones are one.
//
// Builder thread fills it, workers read.
#pragma once

#include <optional>
#include <vector>

#include "inspection/compile/pcre_code.h"
#include "inspection/rules/rule_ast.h"

namespace weir::inspection {

struct TransformStep {
  ast::Transform transform;
  std::optional<PcreCode> code;  // of pcre_capture
};

class TransformChains {
 public:
  /// The number of the chain; 0 for an empty one. An error says which transform is not evaluated.
  Result<uint16_t> intern(const std::vector<ast::Transform>& transforms);
  const std::vector<TransformStep>& operator[](uint16_t id) const { return chains_[id]; }
  size_t size() const { return chains_.size(); }

 private:
  std::vector<std::vector<ast::Transform>> sources_{{}};
  std::vector<std::vector<TransformStep>> chains_{{}};
};

}  // namespace weir::inspection
