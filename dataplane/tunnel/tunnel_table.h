// Outer key -> attachment: which tunnel a received packet belongs to.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/net/address.h"
#include "dataplane/net/result.h"

namespace weir::dataplane {

/// As it lies in a received outer header.
struct TunnelKey {
  net::Ipv4 local;   // outer destination
  net::Ipv4 remote;  // outer source: it has to be the configured peer
  Vni vni;
  uint16_t udp_port = 0;  // outer destination port, host order
  friend constexpr auto operator<=>(const TunnelKey&, const TunnelKey&) = default;
};

/// Open addressing, at most half full, immutable once built.
class TunnelTable {
 public:
  struct Entry {
    TunnelKey key;
    AttachmentId attachment;
  };
  /// Control thread. Fails with `in_use` if two entries have the same key, with `invalid` if an attachment id
  /// is.
  static Result<TunnelTable> build(const std::vector<Entry>& entries);

  /// Worker. An invalid id if there is none.
  AttachmentId find(const TunnelKey& key) const;
  void prefetch(const TunnelKey& key) const;
  size_t size() const { return size_; }

 private:
  /// Two to a cache line. A free slot has an invalid attachment.
  struct alignas(32) Slot {
    TunnelKey key;
    AttachmentId attachment;
  };
  TunnelTable() = default;
  std::vector<Slot> slots_;  // a power of two
  size_t size_ = 0;
};

}  // namespace weir::dataplane
