// Literals in one database, each with the rules that look for it.
//
// Built by the builder thread, read by any number of workers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "inspection/compile/literal_database.h"
#include "inspection/compile/proposed_rules.h"
#include "inspection/compile/session_traits.h"

namespace weir::inspection {

/// What rules look for, and in which sessions.
struct WantedLiteral {
  struct Rule {
    uint32_t number;
    SessionTraits needs;
  };
  Literal literal;
  std::vector<Rule> rules;

  bool is_wanted(SessionTraits traits) const {
    return std::ranges::any_of(rules, [&](const Rule& rule) { return is_meant(rule.needs, traits); });
  }
};

/// All traits that any rule needs.
SessionTraits needed_by(std::span<const WantedLiteral> wanted);

/// Literals by number, in the order in which they were added.
class LiteralTable {
 public:
  /// Builder: those of `wanted` that any rule wants in sessions of these traits get the next numbers.
  void add(std::span<const WantedLiteral> wanted, SessionTraits traits);
  /// Builder: after the last add(). `cache` may be null.
  Status compile(DatabaseCache* cache);

  const LiteralDatabase& database() const { return database_; }
  size_t literals() const { return first_.size() - 1; }
  /// Adds the rules of a literal, by its number.
  void propose(uint32_t literal, ProposedRules& proposed) const {
    for (uint32_t i = first_[literal]; i < first_[literal + 1]; ++i) proposed.add(rules_[i]);
  }

 private:
  std::vector<Literal> pending_;
  LiteralDatabase database_;
  std::vector<uint32_t> first_{0};  // literal -> index into rules_; one more at the end
  std::vector<uint32_t> rules_;
};

}  // namespace weir::inspection
