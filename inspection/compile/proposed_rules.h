// Rules that may match, as the prefilter says.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

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

}  // namespace weir::inspection
