// Rules that look for their literal in the same bytes: Hyperscan databases, and the rules without a literal.
//
// Builder fills and compiles it; workers scan.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "inspection/compile/literal_table.h"
#include "inspection/compile/scan_memo.h"

namespace weir::inspection {

class PrefilterGroup {
 public:
  /// Builder: `rule` is proposed wherever the literal stands, in sessions that go the ways that it needs, of
  /// kLeaves and kEnters. In those of the web it may be proposed though it needs others: a database of few
  /// literals is not a quicker one (docs/performance.md).
  /// `from` and `reach`: it begins so many bytes from the begin at least and ends so many at most, or the
  /// rule does not match; a reach of 0: anywhere. What is short and stands at the front has to be looked for
  /// by propose_front().
  void add(const std::string& bytes, bool nocase, uint32_t rule, SessionTraits needs, uint32_t from = 0,
           uint32_t reach = 0);
  /// Builder: proposed whenever there is anything, in sessions that have all traits that it needs.
  void add_always(uint32_t rule, SessionTraits needs) { always_.push_back({rule, needs}); }
  /// Builder: after the last add(). `cache` may be null. Traits that sessions cannot have must not be asked
  /// for.
  Status compile(TraitsNeeded needed = TraitsNeeded::any, DatabaseCache* cache = nullptr);
  Status grow(ScratchPtr& scratch) const;
  /// Builder, before compile().
  std::span<const WantedLiteral> wanted() const { return wanted_; }

  /// No rule is in it for sessions with those traits.
  bool empty(SessionTraits traits) const {
    return of(traits).literals() == 0 && always_of_[traits].empty() && fronts_of_[traits].empty();
  }
  /// Adds the proposed rules. False: Hyperscan returned an error, and rules may be missing. Worker.
  [[nodiscard]] bool propose(SessionTraits traits, std::span<const uint8_t> bytes, hs_scratch_t* scratch,
                             ProposedRules& proposed) const;
  /// The same for a whole value that may come again.
  [[nodiscard]] bool propose(SessionTraits traits, std::span<const uint8_t> value, hs_scratch_t* scratch,
                             ScanMemo& memo, ProposedRules& proposed) const;
  /// How far propose_front() looks, and for literals of how many bytes: such short ones spoil a database for
  /// the others.
  static constexpr size_t kFront = 64, kShort = 3;
  /// Adds the rules whose short literal stands at the front of what begins `before` bytes before `bytes`.
  void propose_front(SessionTraits traits, std::span<const uint8_t> bytes, uint64_t before,
                     ProposedRules& proposed) const;
  /// All rules, for the reference.
  void propose_all(ProposedRules& proposed) const;
  /// Those without a literal.
  void propose_always(SessionTraits traits, ProposedRules& proposed) const {
    for (const uint32_t rule : always_of_[traits]) proposed.add(rule);
  }

  /// Of the longest literal; what lies that far before new bytes has to be scanned again.
  size_t longest() const { return longest_; }
  /// Of all rules.
  size_t literals() const { return literals_; }
  size_t databases() const;
  size_t database_bytes() const;

 private:
  const LiteralTable& of(SessionTraits traits) const { return *by_traits_[traits]; }

  /// A literal as a word, its first byte the lowest.
  struct Front {
    uint32_t bytes = 0, mask = 0, small = 0;  // `small` makes letters small
    uint32_t from, last;                      // it may begin there
    uint32_t rule;
  };
  std::vector<WantedLiteral> wanted_;
  std::unordered_map<std::string, size_t> by_literal_;
  std::vector<WantedLiteral::Rule> always_;
  std::vector<uint32_t> all_;
  std::vector<std::unique_ptr<LiteralTable>> tables_;  // those that differ
  std::array<const LiteralTable*, kAllTraits + 1> by_traits_{};
  std::array<std::vector<uint32_t>, kAllTraits + 1> always_of_;  // rules without a literal, by traits
  std::array<std::vector<Front>, kAllTraits + 1> fronts_of_;     // by traits
  size_t fronts_ = 0;
  size_t longest_ = 0, literals_ = 0;
};

}  // namespace weir::inspection
