// Text of rule files -> rules and issues. Pure: no files, no matcher.
//
// Builder thread or `weir check`. The text is hostile: every rule that is wrong becomes one RuleIssue with
// the place of the first thing that is wrong in it, and the others stand.
#pragma once

#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "inspection/inspector.h"
#include "inspection/rules/rule.h"

namespace weir::inspection {

/// The longest pattern of one content, in bytes: a longer one would not fit a stream window with its context.
inline constexpr size_t kMaxPatternBytes = 1'024;
/// The longest rule, continuation lines included.
inline constexpr size_t kMaxRuleBytes = 65'536;

struct ParsedRules {
  std::vector<Rule> rules;
  std::vector<RuleIssue> issues;
};

/// Parses files one after the other; it remembers the signature ids, which must differ over all files.
class RuleParser {
 public:
  /// Appends the rules of one file's `text` to `out`. `file` is only for the issues.
  void parse_file(const std::string& file, std::string_view text, ParsedRules& out);

 private:
  std::set<std::pair<uint32_t, uint32_t>> seen_;  // gid, sid
};

}  // namespace weir::inspection
