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

/// Which way the addresses of a rule's header go. Of most rulesets one half is about what leaves the network
/// and the other about what comes into it, so one half cannot match in a session.
enum class RuleWay : uint8_t {
  outward,  // the pair of sets that most rules name
  inward,   // its second set is the source
  any,
};

/// Which ways are meant: bit 0 outward, bit 1 inward; `any` always is.
using RuleWays = uint8_t;
inline constexpr RuleWays kAllRuleWays = 3;

/// Which sets of ways sessions can have.
enum class WaysNeeded : uint8_t {
  any,
  not_both,  // nothing leaves and enters at once: the two sets of addresses have nothing in common
};

class PrefilterGroup {
 public:
  /// Builder: `rule` is proposed wherever the literal stands.
  void add(const std::string& bytes, bool nocase, uint32_t rule, RuleWay way);
  /// Builder: proposed whenever there is anything.
  void add_always(uint32_t rule, RuleWay way) { always_.push_back({rule, way}); }
  /// Builder: after the last add(). `cache` may be null. Ways that are not needed must not be asked for.
  Status compile(WaysNeeded needed = WaysNeeded::any, DatabaseCache* cache = nullptr);
  Status grow(ScratchPtr& scratch) const;

  /// No rule of those ways is in it.
  bool empty(RuleWays ways) const { return of(ways).empty(); }
  /// Adds the proposed rules. False: Hyperscan returned an error, and rules may be missing. Worker.
  [[nodiscard]] bool propose(RuleWays ways, std::span<const uint8_t> bytes, hs_scratch_t* scratch,
                             ProposedRules& proposed) const;
  /// The same for a whole value that may come again.
  [[nodiscard]] bool propose(RuleWays ways, std::span<const uint8_t> value, hs_scratch_t* scratch,
                             ScanMemo& memo, ProposedRules& proposed) const;
  /// All rules, for the reference.
  void propose_all(ProposedRules& proposed) const;
  /// Those without a literal.
  void propose_always(RuleWays ways, ProposedRules& proposed) const {
    for (const uint32_t rule : of(ways).always) proposed.add(rule);
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
    RuleWay way;
  };
  struct Pending {
    Literal literal;
    std::vector<Rule> rules;
  };
  /// The rules of some ways.
  struct Table {
    LiteralDatabase database;
    std::vector<uint32_t> first;  // literal -> index into rules; one more at the end
    std::vector<uint32_t> rules;
    std::vector<uint32_t> always;
    size_t literals = 0;
    bool empty() const { return literals == 0 && always.empty(); }
    void propose(uint32_t literal, ProposedRules& proposed) const {
      for (uint32_t i = first[literal]; i < first[literal + 1]; ++i) proposed.add(rules[i]);
    }
  };
  Result<std::unique_ptr<Table>> make_table(RuleWays ways, DatabaseCache* cache) const;
  const Table& of(RuleWays ways) const { return *by_ways_[ways]; }

  std::vector<Pending> pending_;
  std::unordered_map<std::string, size_t> by_literal_;
  std::vector<Rule> always_;
  std::vector<uint32_t> all_;
  std::vector<std::unique_ptr<Table>> tables_;  // those that differ
  std::array<const Table*, kAllRuleWays + 1> by_ways_{};
  size_t longest_ = 0, literals_ = 0;
};

}  // namespace weir::inspection
