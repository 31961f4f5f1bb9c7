// Which rules on addresses may hold for a packet: thousands of rules name lists of addresses, and a packet
// has two.
//
// A rule is kept by the ranges of its narrower end, in an interval tree: sorted by where a range begins, and
// each node knows how far any range below it reaches. So memory grows with the ranges alone, however they
// overlap, and a look-up takes a logarithm and what it finds. Rules that any address may meet are in a list
// of their own.
//
// Builder thread makes it; immutable afterwards, read by all workers.
#pragma once

#include <cstdint>
#include <vector>

#include "inspection/rules/header_sets.h"

namespace weir::inspection {

class AddressRules {
 public:
  /// In any order; build() has to follow. `both_ways`: the ends may be the other way round.
  void add(uint32_t rule, const AddressSet& source, const AddressSet& destination, bool both_ways);
  void build();

  bool empty() const { return anywhere_.empty() && by_source_.empty() && by_destination_.empty(); }
  /// Calls each(rule) once for each rule that may hold from `source` to `destination`, in no order, some more
  /// than once. Those that are left out do not hold.
  template <typename Visit>
  void visit(const net::IpAddress& source, const net::IpAddress& destination, Visit&& each) const {
    for (const uint32_t rule : anywhere_) each(rule);
    by_source_.visit(source, each);
    by_destination_.visit(destination, each);
  }

 private:
  template <typename T>
  struct Range {
    T first, last;
    T reach;  // the greatest `last` of the half of the array that this is the middle of
    uint32_t rule;
  };
  template <typename T>
  class Tree {
   public:
    void add(const IntervalSet<T>& set, uint32_t rule) {
      for (const auto& i : set.intervals()) ranges_.push_back({i.first, i.last, {}, rule});
    }
    void build();
    bool empty() const { return ranges_.empty(); }
    template <typename Visit>
    void visit(T value, Visit& each) const {
      this->visit(value, 0, ranges_.size(), each);
    }

   private:
    T build(size_t begin, size_t end);
    template <typename Visit>
    void visit(T value, size_t begin, size_t end, Visit& each) const {
      while (begin < end) {
        const size_t middle = begin + (end - begin) / 2;
        const Range<T>& range = ranges_[middle];
        if (range.reach < value) return;
        this->visit(value, begin, middle, each);
        if (value < range.first) return;
        if (value <= range.last) each(range.rule);
        begin = middle + 1;
      }
    }
    std::vector<Range<T>> ranges_;
  };
  struct Trees {
    Tree<uint32_t> v4;
    Tree<uint128> v6;

    bool empty() const { return v4.empty() && v6.empty(); }
    template <typename Visit>
    void visit(const net::IpAddress& a, Visit& each) const {
      a.is_v4() ? v4.visit(a.v4().value, each) : v6.visit(to_uint128(a.v6()), each);
    }
  };
  Trees by_source_, by_destination_;
  std::vector<uint32_t> anywhere_;
};

}  // namespace weir::inspection
