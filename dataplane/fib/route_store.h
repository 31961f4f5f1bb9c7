// The memory behind Routes: what tries are made of, in pools that hand out indices and never move.
//
// Internal to dataplane/fib. Control takes and gives back; workers read what control has linked to.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "dataplane/fib/next_hop.h"
#include "dataplane/net/address.h"

namespace weir::dataplane::fib {

/// Addresses of both families from their first bit on, so that one piece of code walks both.
struct Bits {
  uint64_t hi = 0;
  uint64_t lo = 0;
  friend bool operator==(const Bits&, const Bits&) = default;
};
inline Bits bits_of(const net::IpAddress& a) {
  return a.is_v4() ? Bits{a.bits.lo << 32, 0} : Bits{a.bits.hi, a.bits.lo};
}
/// Which of a pair of roots: 0 for IPv4, 1 for IPv6.
inline size_t family_index(net::Family family) { return family == net::Family::ipv4 ? 0 : 1; }

/// Index of a record; 0 is none.
using RecordIndex = uint32_t;
/// One trie entry: nothing (0), a record, or a child node.
using Word = uint32_t;
inline constexpr Word kChild = 1u << 31;

/// A record may be linked into two tries at once.
enum Link : uint8_t { kOwn = 0, kShared = 1 };

/// A route; or, in the shared trie, a group: a prefix that several domains have.
struct Record {
  enum Kind : uint8_t { route, group };

  // Written before the record is linked to, then constant.
  uint64_t hi = 0;
  /// The rest of a prefix. Of a wide route (is_wide()), which has no bits here, its block of cells, or 0.
  std::atomic<uint64_t> lo{0};
  uint8_t length = 0;
  Kind kind = route;
  uint16_t slot = 0;  // the route's domain
  /// Of a route: what it leads to. Of a group: its list of routes.
  std::atomic<uint32_t> target{0};
  /// The next shorter prefix around this one in the same node of that trie, or none.
  std::atomic<RecordIndex> cover[2] = {0, 0};

  /// Wide routes have many versions: see RouteCell.
  static bool is_wide(net::Family family, unsigned length) {
    return length <= (family == net::Family::ipv4 ? 12 : 16);
  }
  bool covers(const Bits& a) const {
    if (length <= 64) return length == 0 || (a.hi ^ hi) >> (64 - length) == 0;
    return a.hi == hi && (a.lo ^ lo.load(std::memory_order_relaxed)) >> (128 - length) == 0;
  }
};
static_assert(sizeof(Record) == 32);

struct alignas(64) Node {
  std::array<std::atomic<Word>, 16> entries{};
};
struct alignas(64) Root {
  std::array<std::atomic<Word>, 256> entries{};
};

/// Address space for `capacity` objects at once, memory as they are taken. Index 0 is never taken. What was
/// taken before comes back as it was left; memory that is new is zero.
class PoolMemory {
 public:
  PoolMemory() = default;
  ~PoolMemory();
  PoolMemory(const PoolMemory&) = delete;
  PoolMemory& operator=(const PoolMemory&) = delete;

  bool create(uint32_t capacity, size_t object_bytes);
  /// `count` objects can be taken after this without failing.
  bool reserve(uint32_t count);
  /// Precondition: reserved.
  uint32_t take();
  void give(uint32_t index) { free_.push_back(index); }
  uint32_t in_use() const { return next_ - 1 - static_cast<uint32_t>(free_.size()); }
  /// One more than the highest index that was ever taken.
  uint32_t end() const { return next_; }
  /// All that was ever taken.
  size_t bytes() const { return size_t{next_} * object_bytes_; }
  size_t control_bytes() const { return free_.capacity() * sizeof(uint32_t); }

 protected:
  void* base_ = nullptr;

 private:
  void* space_ = nullptr;
  size_t object_bytes_ = 0;
  size_t mapped_ = 0;     // usable bytes
  size_t set_aside_ = 0;  // bytes of address space
  uint32_t capacity_ = 0;
  uint32_t next_ = 1;
  std::vector<uint32_t> free_;
};

/// Objects of T are valid when zeroed, so there are no constructors to run.
template <typename T>
class Pool : public PoolMemory {
 public:
  bool create(uint32_t capacity) { return PoolMemory::create(capacity, sizeof(T)); }
  T& operator[](uint32_t index) { return static_cast<T*>(base_)[index]; }
  const T& operator[](uint32_t index) const { return static_cast<const T*>(base_)[index]; }
  const T* data() const { return static_cast<const T*>(base_); }
};

/// What all tries share.
struct RouteStore {
  Pool<Record> records;
  Pool<Node> nodes;
  /// By node: the record of the node above that covers all of it, or none. Apart from the node, which then is
  /// one cache line; read only when nothing in the node matches.
  Pool<std::atomic<RecordIndex>> above;
  Pool<Root> roots;
  std::vector<uint32_t> retired_nodes;
};

}  // namespace weir::dataplane::fib
