// Next hops inside attachments: (attachment, address) -> MAC.
//
// Large and long-lived, so changed in place: control is the only writer, any worker reads at any time and
// sees an entry before or after a change, never half of it. A MAC change moves no version: sessions name the
// adjacency, the MAC is one indirection away. Fixed capacity; memory is allocated once.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>

#include "dataplane/core/ids.h"
#include "dataplane/core/prefetch.h"
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
    uint64_t mac_word = 0;  // Mac::word()
    net::Mac mac() const { return net::Mac::from_word(mac_word); }
  };
  /// Nothing if `id` is stale or removed. One cache line.
  std::optional<View> get(AdjacencyId id) const;
  /// The same for code per packet: the compiler keeps a plain struct in registers where it copies an optional
  /// through memory, which costs three times as much. False: `view` is left as it was.
  bool get(AdjacencyId id, View& view) const;
  /// `id` is neither stale nor removed, and a next hop inside `attachment`. Eight bytes of a dense array: for
  /// who needs nothing else of it.
  bool belongs(AdjacencyId id, AttachmentId attachment) const;
  /// `id` is neither stale nor removed. Reads the line that get() reads.
  bool is_live(AdjacencyId id) const;
  void prefetch(AdjacencyId id) const;
  /// What code per packet reads, to be kept in registers over a burst.
  class Reader;
  Reader reader() const;

 private:
  /// What lines that are not valid have for an id: no valid one, and not that of nothing either.
  static constexpr uint32_t kDead = 1;
  static_assert(!AdjacencyId{kDead}.valid());
  /// All that a worker reads of one next hop. `id` is kDead while the line is not valid. The writer clears it
  /// before it changes anything else but the MAC and sets it last, each with a release store; a reader loads
  /// it first and again at the end, and all loads acquire. So what lies between two equal, valid loads
  /// belongs to that id.
  struct alignas(64) Line {
    std::atomic<uint32_t> id{kDead};
    std::atomic<uint32_t> attachment{0};
    std::atomic<uint64_t> mac{0};  // Mac::word()
    std::atomic<uint64_t> hi{0};
    std::atomic<uint64_t> lo{0};
    std::atomic<uint32_t> family{0};
    /// Next line of the hash chain. A removed line keeps it until its index is released, so that a reader
    /// that stands on it finds the rest of the chain.
    std::atomic<uint32_t> next{0};
  };
  static_assert(sizeof(Line) == 64);
  static bool is_live(const Line& line, AdjacencyId id) {
    return line.id.load(std::memory_order_acquire) == id.value && id.valid();
  }
  struct Key;
  struct Impl;

  explicit AdjacencyTable(uint32_t capacity);
  AdjacencyId find(const Key& key) const;

  static constexpr uint64_t owner_word(AdjacencyId id, AttachmentId attachment) {
    return static_cast<uint64_t>(attachment.value) << 32 | id.value;
  }

  std::unique_ptr<Line[]> lines_;
  std::unique_ptr<std::atomic<uint64_t>[]> owners_;  // owner_word() of each line that is live, else 0
  uint32_t capacity_;
  std::unique_ptr<Impl> impl_;
};

/// For a worker between two quiescent states, and for ids that this table gave out, or nothing's: it checks
/// no bounds, and once for an id, since a line that is removed meanwhile is not filled again (release()).
class AdjacencyTable::Reader {
 public:
  /// As AdjacencyTable::get().
  [[gnu::always_inline]] bool get(AdjacencyId id, View& view) const {
    const Line& line = lines_[id.index()];
    if (line.id.load(std::memory_order_acquire) != id.value) return false;
    view = {{line.attachment.load(std::memory_order_acquire)}, line.mac.load(std::memory_order_acquire)};
    return true;
  }
  /// As AdjacencyTable::belongs(). `attachment` is valid.
  [[gnu::always_inline]] bool belongs(AdjacencyId id, AttachmentId attachment) const {
    return owners_[id.index()].load(std::memory_order_acquire) == owner_word(id, attachment);
  }

 private:
  friend class AdjacencyTable;
  Reader(const Line* lines, const std::atomic<uint64_t>* owners) : lines_(lines), owners_(owners) {}
  const Line* lines_;
  const std::atomic<uint64_t>* owners_;
};
inline AdjacencyTable::Reader AdjacencyTable::reader() const { return {lines_.get(), owners_.get()}; }

inline bool AdjacencyTable::get(AdjacencyId id, View& view) const {
  if (id.index() >= capacity_) return false;
  const Line& line = lines_[id.index()];
  if (!is_live(line, id)) return false;
  const uint32_t attachment = line.attachment.load(std::memory_order_acquire);
  const uint64_t mac = line.mac.load(std::memory_order_acquire);
  if (line.id.load(std::memory_order_acquire) != id.value) return false;
  view = {{attachment}, mac};
  return true;
}
inline std::optional<AdjacencyTable::View> AdjacencyTable::get(AdjacencyId id) const {
  View view;
  if (!get(id, view)) return std::nullopt;
  return view;
}
inline bool AdjacencyTable::belongs(AdjacencyId id, AttachmentId attachment) const {
  return id.index() < capacity_ && id.valid() &&
         owners_[id.index()].load(std::memory_order_acquire) == owner_word(id, attachment);
}
inline bool AdjacencyTable::is_live(AdjacencyId id) const {
  return id.index() < capacity_ && is_live(lines_[id.index()], id);
}
inline void AdjacencyTable::prefetch(AdjacencyId id) const {
  if (id.index() < capacity_) dataplane::prefetch(&lines_[id.index()]);
}

}  // namespace weir::dataplane
