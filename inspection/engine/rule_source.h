// Where a profile's rules come from. What is equal for two profiles is compiled once.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "inspection/rules/rule_lists.h"

namespace weir::inspection {

struct RuleSource {
  std::vector<std::string> files = {};
  std::vector<ast::RuleListEntry> lists = {};  // what of them is on, off, acts otherwise, stays silent
  std::string thresholds = {};                 // a threshold.config; empty: none
  std::string classes = {};                    // a classification.config, beside the usual classes
  std::string references = {};  // a reference.config: what events write for a kind of reference
  friend auto operator<=>(const RuleSource&, const RuleSource&) = default;
};

}  // namespace weir::inspection
