// A set of integers as sorted, disjoint, closed intervals: ports and address ranges of a rule's header.
//
// Control code builds it with unions and differences; the data path only asks contains(), a binary search.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace weir::inspection {

template <typename T>
class IntervalSet {
 public:
  struct Interval {
    T first;
    T last;
  };
  static constexpr T kLowest = T{0};
  static constexpr T kHighest = static_cast<T>(~T{0});

  static IntervalSet all() { return of(kLowest, kHighest); }
  /// The closed interval [first, last]; needs first <= last.
  static IntervalSet of(T first, T last) {
    IntervalSet set;
    set.intervals_.push_back({first, last});
    return set;
  }

  bool empty() const { return intervals_.empty(); }
  bool is_all() const {
    return intervals_.size() == 1 && intervals_[0].first == kLowest && intervals_[0].last == kHighest;
  }
  const std::vector<Interval>& intervals() const { return intervals_; }
  bool contains(T value) const {
    auto after = std::upper_bound(intervals_.begin(), intervals_.end(), value,
                                  [](T v, const Interval& i) { return v < i.first; });
    return after != intervals_.begin() && value <= std::prev(after)->last;
  }

  /// Some value is in both.
  bool meets(const IntervalSet& other) const {
    auto a = intervals_.begin();
    auto b = other.intervals_.begin();
    while (a != intervals_.end() && b != other.intervals_.end()) {
      if (a->first <= b->last && b->first <= a->last) return true;
      a->last < b->last ? static_cast<void>(++a) : static_cast<void>(++b);
    }
    return false;
  }

  /// Adds the members of `other`. normalise() has to follow before anything else is asked of the set.
  void append(const IntervalSet& other) {
    intervals_.insert(intervals_.end(), other.intervals_.begin(), other.intervals_.end());
  }
  void subtract(const IntervalSet& other) {
    const IntervalSet keep = other.complement();
    std::vector<Interval> result;
    auto a = intervals_.begin();
    auto b = keep.intervals_.begin();
    while (a != intervals_.end() && b != keep.intervals_.end()) {
      const T first = std::max(a->first, b->first), last = std::min(a->last, b->last);
      if (first <= last) result.push_back({first, last});
      a->last < b->last ? static_cast<void>(++a) : static_cast<void>(++b);
    }
    intervals_ = std::move(result);
  }
  IntervalSet complement() const {
    IntervalSet result;
    T next = kLowest;
    for (const Interval& i : intervals_) {
      if (i.first > next) result.intervals_.push_back({next, static_cast<T>(i.first - 1)});
      if (i.last == kHighest) return result;
      next = static_cast<T>(i.last + 1);
    }
    result.intervals_.push_back({next, kHighest});
    return result;
  }

  /// Sorts, and joins what overlaps or touches.
  void normalise() {
    std::sort(intervals_.begin(), intervals_.end(),
              [](const Interval& a, const Interval& b) { return a.first < b.first; });
    std::vector<Interval> joined;
    for (const Interval& i : intervals_) {
      const bool touches =
          !joined.empty() && (joined.back().last == kHighest || i.first <= joined.back().last + 1);
      if (touches) {
        joined.back().last = std::max(joined.back().last, i.last);
      } else {
        joined.push_back(i);
      }
    }
    intervals_ = std::move(joined);
  }

 private:
  std::vector<Interval> intervals_;
};

}  // namespace weir::inspection
