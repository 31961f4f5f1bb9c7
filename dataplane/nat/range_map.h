// Address -> value through disjoint ranges: what small sets of prefixes say of an address, by binary search.
//
// Built once, then read by any thread. For some thousands of prefixes at most; routes have a trie (fib/).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/net/address.h"

namespace weir::dataplane {

/// `Address` is uint32_t (IPv4, host order) or net::Ipv6.
template <typename Address, typename Value>
class RangeMap {
 public:
  struct Range {
    Address first, last;
    Value value;
  };

  RangeMap() = default;
  /// Where ranges overlap, `join(a, b)` says what holds.
  template <typename Join>
  RangeMap(const std::vector<Range>& ranges, Join&& join) {
    std::vector<Address> edges{Address{}};
    for (const Range& range : ranges) {
      edges.push_back(range.first);
      if (const Address next = after(range.last); next != Address{}) edges.push_back(next);
    }
    std::sort(edges.begin(), edges.end());
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
    std::vector<Value> values(edges.size());
    for (const Range& range : ranges) {
      auto at = std::lower_bound(edges.begin(), edges.end(), range.first);
      for (; at != edges.end() && *at <= range.last; ++at) {
        Value& value = values[static_cast<size_t>(at - edges.begin())];
        value = join(value, range.value);
      }
    }
    for (size_t i = 0; i < edges.size(); ++i) {
      if (!values_.empty() && values_.back() == values[i]) continue;
      starts_.push_back(edges[i]);
      values_.push_back(values[i]);
    }
  }

  /// Value{} where no range is.
  Value find(const Address& address) const {
    if (values_.empty()) return Value{};
    // Without a branch on the outcome of a comparison, which a core would guess wrong half of the time.
    const Address* at = starts_.data();
    for (size_t n = starts_.size(); n > 1;) {
      const size_t half = n / 2;
      at += static_cast<size_t>(at[half] <= address) * half;
      n -= half;
    }
    return values_[static_cast<size_t>(at - starts_.data())];
  }

 private:
  static uint32_t after(uint32_t a) { return a + 1; }
  static net::Ipv6 after(const net::Ipv6& a) { return {a.hi + (a.lo == UINT64_MAX), a.lo + 1}; }

  std::vector<Address> starts_;  // ascending; the first is the lowest address there is
  std::vector<Value> values_;
};

/// The same of both families.
template <typename Value>
class AddressMap {
 public:
  struct Entry {
    net::IpAddress first, last;
    Value value;
  };

  AddressMap() = default;
  template <typename Join>
  AddressMap(const std::vector<Entry>& entries, Join&& join) {
    std::vector<typename RangeMap<uint32_t, Value>::Range> v4;
    std::vector<typename RangeMap<net::Ipv6, Value>::Range> v6;
    for (const Entry& e : entries) {
      if (e.first.is_v4()) {
        v4.push_back({e.first.v4().value, e.last.v4().value, e.value});
      } else {
        v6.push_back({e.first.v6(), e.last.v6(), e.value});
      }
    }
    v4_ = {v4, join};
    v6_ = {v6, join};
  }
  Value find(const net::IpAddress& a) const { return a.is_v4() ? v4_.find(a.v4().value) : v6_.find(a.v6()); }

 private:
  RangeMap<uint32_t, Value> v4_;
  RangeMap<net::Ipv6, Value> v6_;
};

}  // namespace weir::dataplane
