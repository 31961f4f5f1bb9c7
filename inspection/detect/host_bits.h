// Named bits of hosts and of pairs of hosts (`hostbits`, `xbits`), each with its time.
//
// A table of fixed size; a full bucket gives way to a bit whose time is over, else to the one that ends
// first, which is told. One worker.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/net/address.h"

namespace weir::inspection {

class HostBitTable {
 public:
  /// A bit of one host, or, with `other`, of two in either order.
  struct Key {
    uint16_t bit = 0;
    bool pair = false;
    net::IpAddress one, other;
    bool operator==(const Key&) const = default;
  };
  static Key of_host(uint16_t bit, const net::IpAddress& host) { return {bit, false, host, {}}; }
  static Key of_pair(uint16_t bit, const net::IpAddress& a, const net::IpAddress& b) {
    return a < b ? Key{bit, true, a, b} : Key{bit, true, b, a};
  }

  explicit HostBitTable(uint32_t entries);
  bool has(const Key& key, uint64_t now_ns) const;
  /// Sets it, or sets its time anew. False: another one had to go before its time.
  bool set(const Key& key, uint64_t now_ns, uint64_t until_ns);
  void unset(const Key& key);

 private:
  struct Entry {
    Key key;
    uint64_t until_ns = 0;  // 0: free
  };
  static constexpr size_t kWays = 8;
  size_t bucket_of(const Key& key) const;

  size_t buckets_;
  std::vector<Entry> entries_;
};

}  // namespace weir::inspection
