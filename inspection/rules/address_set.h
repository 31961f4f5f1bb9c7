// Addresses and ports as sets, with every variable resolved: what a packet is held against.
#pragma once

#include <cstdint>

#include "dataplane/net/address.h"
#include "inspection/rules/interval_set.h"

namespace weir::inspection {

using uint128 = unsigned __int128;
inline uint128 to_uint128(const net::Ipv6& a) { return static_cast<uint128>(a.hi) << 64 | a.lo; }

/// Addresses of both families.
struct AddressSet {
  IntervalSet<uint32_t> v4;
  IntervalSet<uint128> v6;

  static AddressSet all() { return {IntervalSet<uint32_t>::all(), IntervalSet<uint128>::all()}; }
  bool empty() const { return v4.empty() && v6.empty(); }
  bool is_all() const { return v4.is_all() && v6.is_all(); }
  bool contains(const net::IpAddress& a) const {
    return a.is_v4() ? v4.contains(a.v4().value) : v6.contains(to_uint128(a.v6()));
  }
  bool meets(const AddressSet& other) const { return v4.meets(other.v4) || v6.meets(other.v6); }
  void append(const AddressSet& other) {
    v4.append(other.v4);
    v6.append(other.v6);
  }
  void normalise() {
    v4.normalise();
    v6.normalise();
  }
  void subtract(const AddressSet& other) {
    v4.subtract(other.v4);
    v6.subtract(other.v6);
  }
};
using PortSet = IntervalSet<uint16_t>;

}  // namespace weir::inspection
