// Lists beside files of rules: which of their rules are switched on or off, act otherwise, or stay silent.
//
// Entries are those of suricata-update's enable.conf, disable.conf and drop.conf (its documentation, "Example
// Configuration File"): `2019401`, `1:2019401`, several with commas, `group:emerging-scan.rules`,
// `filename:*/scan.rules`, `re:heartbleed`, `metadata:deployment perimeter`, `*`; and ranges,
// `2019401-2019499`. Builder thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "inspection/rules/rule_ast.h"

namespace weir::inspection::ast {

/// What a list does with the rules that it names.
enum class RuleChange : uint8_t { enable, disable, to_alert, to_drop, to_reject, to_pass, suppress };
inline constexpr std::array<std::string_view, 7> kRuleChangeNames{
    "enable", "disable", "to_alert", "to_drop", "to_reject", "to_pass", "suppress"};
inline std::string_view name_of(RuleChange change) { return kRuleChangeNames[static_cast<size_t>(change)]; }

/// One entry of a list as it was written.
struct RuleListEntry {
  RuleChange change = RuleChange::disable;
  std::string pattern;
  friend auto operator<=>(const RuleListEntry&, const RuleListEntry&) = default;
};

/// A rule of a file, as a pattern sees it.
struct RuleIdentity {
  uint32_t gid = 1, sid = 0;
  std::string_view file;  // with its path
  std::string_view text;  // the logical line
};

/// Rules by one entry's words.
class RulePattern {
 public:
  /// The error is a sentence.
  static tl::expected<RulePattern, std::string> parse(std::string_view text);
  /// Notes which of its numbers were met.
  bool meets(const RuleIdentity& rule);
  /// What of it no rule has met yet, as words: "2019401", "1:5-9", "group:x.rules".
  std::vector<std::string> unmet() const;

 private:
  enum class By : uint8_t { numbers, all, group, filename, expression, metadata };
  struct Numbers {
    uint32_t gid = 1, first = 0, last = 0;
    std::string text;
    bool met = false;
  };
  RulePattern() = default;
  bool holds(const RuleIdentity& rule) const;  // unless by numbers
  std::optional<std::string> read_numbers(std::string_view text);
  std::optional<std::string> read_expression(std::string_view text);

  By by_ = By::numbers;
  std::string text_;
  std::vector<Numbers> numbers_;
  std::shared_ptr<void> code_;  // pcre2_code
  bool met_ = false;
};

/// All lists of a profile.
class RuleLists {
 public:
  /// What becomes of a rule.
  struct Effect {
    bool on = false;               // some entry enables it; that goes before `off`, as in suricata-update
    bool off = false;              // some entry disables it
    bool silent = false;           // no alert, its action is taken all the same
    std::optional<Action> action;  // of the list that comes last in RuleChange
  };
  /// What no rule of any file met.
  struct Unmet {
    size_t entry = 0;  // index into what make() was given
    std::string what;
    friend auto operator<=>(const Unmet&, const Unmet&) = default;
  };

  RuleLists() = default;
  /// The error is a sentence that names the entry.
  static tl::expected<RuleLists, std::string> make(const std::vector<RuleListEntry>& entries);
  bool empty() const { return entries_.empty(); }
  /// Comments may hold rules that an entry switches on.
  bool enables() const { return enables_; }
  Effect of(const RuleIdentity& rule);
  std::vector<Unmet> unmet() const;

 private:
  struct Entry {
    RuleChange change;
    RulePattern pattern;
  };
  std::vector<Entry> entries_;
  bool enables_ = false;
};

}  // namespace weir::inspection::ast
