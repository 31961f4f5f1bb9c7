#include "dataplane/fib/route_table.h"

#include <algorithm>

namespace weir::dataplane {

namespace {

__extension__ using Wide = unsigned __int128;

bool at_or_before(uint32_t a, uint32_t b) { return a <= b; }
/// As one wide comparison (sub, sbb), so that the search has no branch to mispredict.
bool at_or_before(const net::Ipv6& a, const net::Ipv6& b) {
  return (static_cast<Wide>(a.hi) << 64 | a.lo) <= (static_cast<Wide>(b.hi) << 64 | b.lo);
}

/// Index of the last start that is not after `address`; starts[0] is address 0.
template <typename Address>
size_t range_of(const std::vector<Address>& starts, const Address& address) {
  const Address* base = starts.data();
  for (size_t n = starts.size(); n > 1;) {
    const size_t half = n / 2;
    base += half * static_cast<size_t>(at_or_before(base[half], address));
    n -= half;
  }
  return static_cast<size_t>(base - starts.data());
}

template <typename Address>
Address address_as(const net::IpAddress& a);
template <>
uint32_t address_as<uint32_t>(const net::IpAddress& a) {
  return a.v4().value;
}
template <>
net::Ipv6 address_as<net::Ipv6>(const net::IpAddress& a) {
  return a.v6();
}

/// The address after `a`; 0 after the highest one.
uint32_t next(uint32_t a) { return a + 1; }
net::Ipv6 next(const net::Ipv6& a) { return {a.hi + (a.lo == ~0ULL ? 1 : 0), a.lo + 1}; }

}  // namespace

/// Walks prefixes in order of address, then length, with the prefixes that are open at that address on a
/// stack, and writes down where the innermost one changes.
template <typename Address>
struct RouteTable::RangeCutter {
  struct Open {
    Address last;
    Value value;
  };
  std::vector<Address>& starts;
  std::vector<Value>& values;
  std::vector<Open> open = {};

  void add(const Entry& entry) {
    const Address first = address_as<Address>(entry.prefix.first());
    if (starts.empty()) emit(Address{}, Value{});
    close_before(first);
    open.push_back({address_as<Address>(entry.prefix.last()), {entry.target, entry.prefix.length}});
    emit(first, open.back().value);
  }

  void close_before(const Address& first) {
    while (!open.empty() && open.back().last < first) close_one();
  }

  void close_one() {
    const Address after = next(open.back().last);
    open.pop_back();
    if (after == Address{}) return;  // it reached the highest address
    emit(after, open.empty() ? Value{} : open.back().value);
  }

  /// From `start` on the innermost prefix is `value`. Overrules an earlier word on the same address.
  void emit(const Address& start, const Value& value) {
    if (!starts.empty() && starts.back() == start) {
      starts.pop_back();
      values.pop_back();
    }
    if (!values.empty() && values.back() == value) return;
    starts.push_back(start);
    values.push_back(value);
  }

  void finish() {
    while (!open.empty()) close_one();
    starts.shrink_to_fit();
    values.shrink_to_fit();
  }
};

RouteTable RouteTable::build(std::span<const Entry> entries) {
  std::vector<Entry> sorted(entries.begin(), entries.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Entry& a, const Entry& b) { return a.prefix < b.prefix; });
  RouteTable table;
  RangeCutter<uint32_t> cut4{table.start4_, table.value4_};
  RangeCutter<net::Ipv6> cut6{table.start6_, table.value6_};
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (i + 1 < sorted.size() && sorted[i + 1].prefix == sorted[i].prefix) continue;  // the later one counts
    if (sorted[i].prefix.address.is_v4()) {
      cut4.add(sorted[i]);
    } else {
      cut6.add(sorted[i]);
    }
  }
  cut4.finish();
  cut6.finish();
  return table;
}

std::optional<RouteTable::Match> RouteTable::lookup(const net::IpAddress& address) const {
  Value value;
  if (address.is_v4()) {
    if (!start4_.empty()) value = value4_[range_of(start4_, address.v4().value)];
  } else {
    if (!start6_.empty()) value = value6_[range_of(start6_, address.v6())];
  }
  if (value.target == kNone) return std::nullopt;
  return Match{value.target, value.length};
}

size_t RouteTable::bytes() const {
  return start4_.capacity() * sizeof(uint32_t) + start6_.capacity() * sizeof(net::Ipv6) +
         (value4_.capacity() + value6_.capacity()) * sizeof(Value);
}

}  // namespace weir::dataplane
