// Longest-prefix match of one domain: addresses of both families -> index of a target.
//
// The prefixes are cut into disjoint ranges, kept sorted; a lookup is a branch-free binary search. It costs
// 12 bytes per IPv4 range, 24 per IPv6 range (at most 2n + 1 ranges for n prefixes) and nothing for an empty
// domain, where rte_lpm and rte_fib take 64 MiB a table before the first route. Lookups happen on a session's
// first packet and when routes have changed, not on every packet. Immutable once built; any worker reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/net/address.h"

namespace weir::dataplane {

using TargetIndex = uint32_t;

class RouteTable {
 public:
  struct Entry {
    net::Prefix prefix;
    TargetIndex target = 0;
  };
  RouteTable() = default;
  /// Control or builder thread. Of two entries with an equal prefix the later one counts; callers refuse that
  /// before. No target is ~0.
  static RouteTable build(std::span<const Entry> entries);

  struct Match {
    TargetIndex target;
    uint8_t length;  // of the prefix that matched
  };
  /// The longest matching prefix, or nothing.
  std::optional<Match> lookup(const net::IpAddress& address) const;
  size_t bytes() const;

 private:
  static constexpr uint32_t kNone = ~0u;
  struct Value {  // of one range
    uint32_t target = kNone;
    uint8_t length = 0;
    friend bool operator==(const Value&, const Value&) = default;
  };
  template <typename Address>
  struct RangeCutter;
  // Each range goes from its start to the next one's; the first starts at address 0. No ranges: no prefixes.
  std::vector<uint32_t> start4_;
  std::vector<Value> value4_;
  std::vector<net::Ipv6> start6_;
  std::vector<Value> value6_;
};

}  // namespace weir::dataplane
