// Rules that look for their literal in the same bytes: one Hyperscan database, and the rules without one.
//
// Builder fills and compiles it; workers scan.
#pragma once

#include <algorithm>
#include <cstdint>
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
  /// In the order of judgement.
  std::span<const uint32_t> sorted() {
    std::sort(list_.begin(), list_.end());
    return list_;
  }
  /// As they came.
  std::span<const uint32_t> all() const { return list_; }
  bool has(uint32_t rule) const { return marks_[rule] == epoch_; }

 private:
  std::vector<uint32_t> marks_;
  std::vector<uint32_t> list_;
  uint32_t epoch_ = 1;
};

class PrefilterGroup {
 public:
  /// Builder: `rule` is proposed wherever the literal stands.
  void add(const std::string& bytes, bool nocase, uint32_t rule);
  /// Builder: proposed whenever there is anything.
  void add_always(uint32_t rule) { always_.push_back(rule); }
  /// Builder: after the last add().
  Status compile();
  Status grow(ScratchPtr& scratch) const { return database_.grow(scratch); }

  bool empty() const { return literals_ == 0 && always_.empty(); }
  /// Adds the proposed rules. False: Hyperscan returned an error, and rules may be missing. Worker.
  [[nodiscard]] bool propose(std::span<const uint8_t> bytes, hs_scratch_t* scratch,
                             ProposedRules& proposed) const;
  /// The same for a whole value that may come again.
  [[nodiscard]] bool propose(std::span<const uint8_t> value, hs_scratch_t* scratch, ScanMemo& memo,
                             ProposedRules& proposed) const;
  /// All rules, for the reference.
  void propose_all(ProposedRules& proposed) const;
  std::span<const uint32_t> always() const { return always_; }

  /// Of the longest literal; what lies that far before new bytes has to be scanned again.
  size_t longest() const { return longest_; }
  size_t literals() const { return literals_; }
  size_t rules() const { return rules_.size() + always_.size(); }
  size_t database_bytes() const { return database_.bytes(); }

 private:
  void propose_rules_of(uint32_t literal, ProposedRules& proposed) const {
    for (uint32_t i = first_[literal]; i < first_[literal + 1]; ++i) proposed.add(rules_[i]);
  }

  struct Pending {
    Literal literal;
    std::vector<uint32_t> rules;
  };
  std::vector<Pending> pending_;
  std::unordered_map<std::string, size_t> by_literal_;
  LiteralDatabase database_;
  std::vector<uint32_t> first_;  // literal -> index into rules_; one more at the end
  std::vector<uint32_t> rules_;
  std::vector<uint32_t> always_;
  size_t longest_ = 0, literals_ = 0;
};

}  // namespace weir::inspection
