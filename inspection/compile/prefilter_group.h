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

#include "inspection/compile/literal_database.h"
#include "inspection/compile/scan_memo.h"

namespace weir::inspection {

/// Rules that were proposed, each once. One for each worker; it never grows after it was made.
class ProposedRules {
 public:
  explicit ProposedRules(size_t rules) : marks_(rules, 0) { list_.reserve(rules); }
  void clear() {
    list_.clear();
    if (++epoch_ == 0) {
      std::fill(marks_.begin(), marks_.end(), 0U);
      epoch_ = 1;
    }
  }
  void add(uint32_t rule) {
    if (marks_[rule] == epoch_) return;
    marks_[rule] = epoch_;
    list_.push_back(rule);
  }
  /// In the order of judgement. Those of which `may_match(rule)` is false are left out.
  template <typename MayMatch>
  std::span<const uint32_t> sorted(MayMatch&& may_match) {
    std::erase_if(list_, [&](uint32_t rule) { return !may_match(rule); });
    std::sort(list_.begin(), list_.end());
    return list_;
  }
  std::span<const uint32_t> sorted() {
    return sorted([](uint32_t) { return true; });
  }
  /// As they came.
  std::span<const uint32_t> all() const { return list_; }
  bool has(uint32_t rule) const { return marks_[rule] == epoch_; }
  size_t size() const { return list_.size(); }

 private:
  std::vector<uint32_t> marks_;
  std::vector<uint32_t> list_;
  uint32_t epoch_ = 1;
};

/// What a session is, in one direction, as far as many rules need it. Of most rulesets one half is about what
/// leaves the network and the other about what comes into it, so one half cannot match in a session, and it
/// is not searched for those. Most sessions are of the web, and many rules about other ports alone, above all
/// those without a literal, which each packet would be held against.
using SessionTraits = uint8_t;               // of these bits
inline constexpr SessionTraits kLeaves = 1;  // between the two sets of addresses that most rules name
inline constexpr SessionTraits kEnters = 2;  // its source lies in the second of those
inline constexpr SessionTraits kOffWeb = 4;  // not HTTP or TLS on one of the web's ports, or not known to be
inline constexpr SessionTraits kAllTraits = kLeaves | kEnters | kOffWeb;

/// Which traits sessions can have at once.
enum class TraitsNeeded : uint8_t {
  any,
  one_way,  // nothing leaves and enters at once: the two sets of addresses have nothing in common
};

class PrefilterGroup {
 public:
  /// Builder: `rule` is proposed wherever the literal stands, in sessions that go the ways that it needs, of
  /// kLeaves and kEnters. In those of the web it may be proposed though it needs others: a database of few
  /// literals is not a quicker one (docs/performance.md).
  void add(const std::string& bytes, bool nocase, uint32_t rule, SessionTraits needs);
  /// Builder: proposed whenever there is anything, in sessions that have all traits that it needs.
  void add_always(uint32_t rule, SessionTraits needs) { always_.push_back({rule, needs}); }
  /// Builder: after the last add(). `cache` may be null. Traits that sessions cannot have must not be asked
  /// for.
  Status compile(TraitsNeeded needed = TraitsNeeded::any, DatabaseCache* cache = nullptr);
  Status grow(ScratchPtr& scratch) const;

  /// No rule is in it for sessions with those traits.
  bool empty(SessionTraits traits) const { return of(traits).literals == 0 && always_of_[traits].empty(); }
  /// Adds the proposed rules. False: Hyperscan returned an error, and rules may be missing. Worker.
  [[nodiscard]] bool propose(SessionTraits traits, std::span<const uint8_t> bytes, hs_scratch_t* scratch,
                             ProposedRules& proposed) const;
  /// The same for a whole value that may come again.
  [[nodiscard]] bool propose(SessionTraits traits, std::span<const uint8_t> value, hs_scratch_t* scratch,
                             ScanMemo& memo, ProposedRules& proposed) const;
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
  struct Rule {
    uint32_t number;
    SessionTraits needs;
  };
  struct Pending {
    Literal literal;
    std::vector<Rule> rules;
  };
  /// The rules with literals for sessions of some traits.
  struct Table {
    LiteralDatabase database;
    std::vector<uint32_t> first;  // literal -> index into rules; one more at the end
    std::vector<uint32_t> rules;
    size_t literals = 0;
    void propose(uint32_t literal, ProposedRules& proposed) const {
      for (uint32_t i = first[literal]; i < first[literal + 1]; ++i) proposed.add(rules[i]);
    }
  };
  size_t literals_for(SessionTraits traits) const;
  Result<std::unique_ptr<Table>> make_table(SessionTraits traits, DatabaseCache* cache) const;
  const Table& of(SessionTraits traits) const { return *by_traits_[traits]; }

  std::vector<Pending> pending_;
  std::unordered_map<std::string, size_t> by_literal_;
  std::vector<Rule> always_;
  std::vector<uint32_t> all_;
  std::vector<std::unique_ptr<Table>> tables_;  // those that differ
  std::array<const Table*, kAllTraits + 1> by_traits_{};
  std::array<std::vector<uint32_t>, kAllTraits + 1> always_of_;  // rules without a literal, by traits
  size_t longest_ = 0, literals_ = 0;
};

}  // namespace weir::inspection
