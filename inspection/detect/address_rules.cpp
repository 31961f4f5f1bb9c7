#include "inspection/detect/address_rules.h"

#include <algorithm>

namespace weir::inspection {

namespace {

template <typename T>
double share(const IntervalSet<T>& set) {
  double count = 0;
  for (const auto& i : set.intervals()) count += static_cast<double>(i.last - i.first) + 1;
  return count / (static_cast<double>(IntervalSet<T>::kHighest) + 1);
}

/// Of all addresses of both families.
double share(const AddressSet& set) { return share(set.v4) + share(set.v6); }

/// What every second address meets is as well looked at each time.
constexpr double kNarrow = 0.5;

}  // namespace

void AddressRules::add(uint32_t rule, const AddressSet& source, const AddressSet& destination,
                       bool both_ways) {
  const double from = share(source), to = share(destination);
  if (both_ways || std::min(from, to) > kNarrow) return anywhere_.push_back(rule);
  const AddressSet& narrow = from <= to ? source : destination;
  Trees& trees = from <= to ? by_source_ : by_destination_;
  trees.v4.add(narrow.v4, rule);
  trees.v6.add(narrow.v6, rule);
}

void AddressRules::build() {
  for (Trees* trees : {&by_source_, &by_destination_}) {
    trees->v4.build();
    trees->v6.build();
  }
}

template <typename T>
void AddressRules::Tree<T>::build() {
  ranges_.shrink_to_fit();
  std::sort(ranges_.begin(), ranges_.end(),
            [](const Range<T>& a, const Range<T>& b) { return a.first < b.first; });
  build(0, ranges_.size());
}

template <typename T>
T AddressRules::Tree<T>::build(size_t begin, size_t end) {
  if (begin == end) return T{};
  const size_t middle = begin + (end - begin) / 2;
  Range<T>& range = ranges_[middle];
  range.reach = std::max({build(begin, middle), range.last, build(middle + 1, end)});
  return range.reach;
}

}  // namespace weir::inspection
