// Next hops inside attachments: (attachment, address) -> MAC.
//
// Large and long-lived, so changed in place: control is the only writer, any worker reads at any time and
// sees an entry before or after a change, never half of it. A MAC change moves no version: sessions name the
// adjacency, the MAC is one indirection away. Fixed capacity; memory is allocated once.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "dataplane/core/ids.h"
#include "dataplane/net/address.h"
#include "dataplane/net/result.h"

namespace weir::dataplane {

class AdjacencyTable {
 public:
  /// `capacity`: at most 2^20, else `invalid`.
  static Result<std::unique_ptr<AdjacencyTable>> create(uint32_t capacity);
  ~AdjacencyTable();

  // --- control thread ---
  /// Adds, or changes the MAC of, an entry. Fails with `exhausted` when full.
  Result<AdjacencyId> set(AttachmentId attachment, const net::IpAddress& address, net::Mac mac);
  /// The entry is no longer found, and a worker that still names it sees it unresolved. Its index stays taken
  /// until release(), which the caller makes after every worker purged what names it; until then a worker may
  /// still stand on the entry in the middle of a find(). A stale id does nothing in either.
  void remove(AdjacencyId id);
  void release(AdjacencyId id);
  void for_each(
      const std::function<void(AdjacencyId, AttachmentId, const net::IpAddress&, net::Mac)>& visit) const;
  uint32_t size() const;
  uint32_t capacity() const;

  // --- any thread ---
  /// An invalid id if there is none.
  AdjacencyId find(AttachmentId attachment, const net::IpAddress& address) const;
  struct View {
    AttachmentId attachment;
    net::Mac mac;
  };
  /// Nothing if `id` is stale or removed. One cache line.
  std::optional<View> get(AdjacencyId id) const;
  void prefetch(AdjacencyId id) const;

 private:
  AdjacencyTable() = default;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::dataplane
