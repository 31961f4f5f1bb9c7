// Text of rule files -> rules and issues. Pure: no files, no matcher.
//
// Builder thread, the offline tool, `weir rules check`. The text is hostile: every rule that is wrong or not
// supported becomes issues with their places, and the others stand.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "inspection/rules/class_table.h"
#include "inspection/rules/reference_table.h"
#include "inspection/rules/rule_ast.h"
#include "inspection/rules/rule_lists.h"

namespace weir::inspection::ast {

/// The longest rule, continuation lines included.
inline constexpr size_t kMaxRuleBytes = 65'536;

/// Reads files one after the other into one ruleset. It remembers the numbers of rules: of two rules with the
/// same gid and sid the one with the higher rev stands, of equal ones the first.
class RuleReader {
 public:
  explicit RuleReader(ClassTable classes = ClassTable::defaults(), RuleLists lists = {},
                      ReferenceTable references = {})
      : classes_(std::move(classes)), lists_(std::move(lists)), references_(std::move(references)) {}

  /// Appends the rules of one file's `text`. `file` is only a name for issues and events.
  void read(std::string_view file, std::string_view text, ParsedRuleset& out);

  /// The lists, and what of them no rule has met so far.
  const RuleLists& lists() const { return lists_; }

 private:
  struct Line;
  RuleLists::Effect effect_of(const Line& line, std::string_view file);
  void read_line(const Line& line, uint32_t file, ParsedRuleset& out);
  void take(Rule rule, ParsedRuleset& out);

  ClassTable classes_;
  RuleLists lists_;
  ReferenceTable references_;
  std::map<std::pair<uint32_t, uint32_t>, size_t> by_number_;  // gid, sid -> place in rules
};

/// "FILE:LINE:COLUMN: KEYWORD: SENTENCE", for people.
std::string to_string(const Issue& issue, const ParsedRuleset& rules);

}  // namespace weir::inspection::ast
