// Prefix -> number by longest match, for both families: made once, then only read.
//
// The same tries as those of Routes, in memory of their own that grows with the number of prefixes; see
// route_trie.h for what a look-up costs. Use it for what is compiled (policy, NAT), not for routes: they
// change one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/net/address.h"

namespace weir::dataplane {

class PrefixMap {
 public:
  struct Entry {
    net::Prefix prefix;
    uint32_t value = 0;  // not kNone
  };
  static constexpr uint32_t kNone = ~0u;

  /// Any thread. Each prefix stands in `entries` once. Null: there is no memory for it.
  static std::unique_ptr<const PrefixMap> build(std::span<const Entry> entries);
  ~PrefixMap();
  PrefixMap(const PrefixMap&) = delete;
  PrefixMap& operator=(const PrefixMap&) = delete;

  /// The value of the longest prefix around `address`, or kNone. Any thread.
  uint32_t find(const net::IpAddress& address) const;
  /// The same of two addresses, in hardly more time than one takes: the lines of both are waited for
  /// together.
  std::array<uint32_t, 2> find(const net::IpAddress& a, const net::IpAddress& b) const;
  /// Memory of the tries.
  size_t bytes() const;

 private:
  PrefixMap();
  struct Tries;
  class Walk;
  std::unique_ptr<Tries> tries_;
};

}  // namespace weir::dataplane
