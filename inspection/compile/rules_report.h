// What a list of rules needs, what is refused and why, what is slow and why: for `weir rules check`.
//
// Builder thread or command. Pure but for Hyperscan, which compiles the rules as the hub would.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "inspection/compile/detection_ruleset.h"
#include "inspection/rules/rule_ast.h"

namespace weir::inspection {

/// One rule that was taken.
struct RuleNeeds {
  uint32_t gid = 1, sid = 0, rev = 0;
  std::string file;
  uint32_t line = 0;
  std::string message;
  std::string moment;                // "packet", "stream", "transaction", ...
  std::vector<std::string> buffers;  // by keyword, "(transformed)" behind those with a chain
  std::string literal;               // what proposes it, as a content is written; empty: nothing does
  std::string slow;                  // why it is slow, a sentence; empty: it is not
};

struct RulesReport {
  size_t loaded = 0, refused = 0, skipped = 0;
  std::vector<ast::Issue> issues;  // of the parser, then of the compiler
  std::vector<RuleNeeds> rules;    // in the order of the files
  /// By the lists of a profile: switched on, switched off, with another action, silent.
  size_t enabled = 0, disabled = 0, changed = 0, silenced = 0;
  std::vector<std::string> warnings;  // sentences, for the caller to fill in: of lists and other files
};

/// A literal shorter than this is found in most traffic.
inline constexpr size_t kShortLiteral = 3;

RulesReport make_rules_report(const ast::ParsedRuleset& parsed, const DetectionRuleset& compiled);

/// Tables for people. With `each` a line for every rule.
std::string print_rules_report(const RulesReport& report, const ast::ParsedRuleset& parsed, bool each);
/// All of it: {"loaded", "refused", "skipped", "enabled", "disabled", "changed", "suppressed",
/// "warnings": [...], "issues": [...], "rules": [...]}.
nlohmann::ordered_json rules_report_json(const RulesReport& report, const ast::ParsedRuleset& parsed);

}  // namespace weir::inspection
