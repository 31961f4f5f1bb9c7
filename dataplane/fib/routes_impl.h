// What Routes is made of. Internal to dataplane/fib.
//
// routes.cpp: changes. routes_versions.cpp: which versions a change moves. routes_exposed.cpp: what one
// domain sees of another, look-ups and conflicts.
#pragma once

#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

#include "dataplane/fib/route_trie.h"
#include "dataplane/fib/routes.h"

namespace weir::dataplane {

namespace fib {

/// Prefixes of which none lies in another one, in order: what a domain exposes to one peer. Null: all.
using Filter = std::shared_ptr<const std::vector<net::Prefix>>;
Filter make_filter(const Routes::Exposure& exposure);
/// Does one of them contain the prefix? One binary search.
bool lets_through(const Filter& filter, const net::Prefix& prefix);

struct Peer {
  DomainId domain;
  Filter exposes;  // what of its routes is seen
};
/// The domains that one is connected to, by slot. Immutable.
struct Peers {
  std::vector<Peer> list;
  const Peer* find(uint32_t slot) const;
};

/// A domain's route of the prefix that a group stands for.
struct Holder {
  uint32_t slot;
  RecordIndex route;
};
/// By slot. Immutable.
using Holders = std::vector<Holder>;
const Holder* find(const Holders& holders, uint32_t slot);

/// A domain as workers read it.
struct DomainEntry {
  std::atomic<uint32_t> id{0};
  std::atomic<uint32_t> root[2] = {0, 0};  // by family; 0: it has had no route yet
  std::atomic<const Peers*> peers{nullptr};
  // Control only.
  uint32_t routes = 0;
  uint32_t filtered = 0;  // peers that see only a part of them
};

/// Versions that lie next to one another and move together.
struct Cells {
  RouteCell first;
  uint32_t count;
};

/// A wide route gets this many cells, each for every 1,024th part of its addresses, once a more specific
/// route is put under it: a default route is not looked up again by all of its sessions whenever a spoke
/// comes.
inline constexpr uint32_t kBlockCells = 1'024;
inline constexpr uint32_t kBlocks = 8'192;
/// Parts are /24, and /48 of IPv6.
inline unsigned part_shift(net::Family family) { return family == net::Family::ipv4 ? 40 : 16; }
inline uint32_t part_of(net::Family family, uint64_t hi) {
  return static_cast<uint32_t>(hi >> part_shift(family)) % kBlockCells;
}

/// A look from a domain: who it is, and whom it sees.
struct Viewer {
  uint32_t slot;
  const Peers* peers;  // null: nobody
};

}  // namespace fib

class Routes::Pending {
 public:
  std::vector<fib::Cells> moved;
  std::vector<uint32_t> nodes, records, groups, targets, blocks, roots;
  std::vector<std::unique_ptr<const fib::Holders>> holders;
  std::vector<std::unique_ptr<const fib::Peers>> peers;

  bool empty() const {
    return moved.empty() && nodes.empty() && records.empty() && targets.empty() && roots.empty() &&
           holders.empty() && peers.empty();
  }
};

struct Routes::Impl {
  using Record = fib::Record;
  using RecordIndex = fib::RecordIndex;

  explicit Impl(const Limits& l) : limits(l), interned(0, TargetHash{this}, TargetEqual{this}) {}
  ~Impl();
  bool create();

  // --- any thread ---
  const fib::DomainEntry* domain(DomainId id) const {
    if (!id.valid() || id.index() >= limits.domains) return nullptr;
    const fib::DomainEntry& entry = domains[id.index() + 1];
    return entry.id.load(std::memory_order_acquire) == id.value ? &entry : nullptr;
  }
  Match match(RecordIndex route, net::Family family, const fib::Bits& address) const;
  RouteCell cell(RecordIndex route, net::Family family, const fib::Bits& address) const;
  const fib::Holders& holders(RecordIndex group) const {
    return *groups[store.records[group].target.load(std::memory_order_acquire)].load(
        std::memory_order_acquire);
  }
  /// The viewer's own route among what a record of the shared trie stands for, or 0.
  RecordIndex own_of(const fib::Viewer& viewer, RecordIndex shared) const;
  /// The route that one of its peers exposes to it; `elsewhere` is set if there is one of somebody else.
  /// `skip`: a peer that does not count.
  RecordIndex exposed_of(const fib::Viewer& viewer, RecordIndex shared, net::Family family, bool& elsewhere,
                         uint32_t skip = ~0u) const;

  // --- control thread ---
  fib::DomainEntry* entry(DomainId id) { return const_cast<fib::DomainEntry*>(domain(id)); }
  static fib::Viewer viewer(uint32_t slot, const fib::DomainEntry& d) {
    return {slot, d.peers.load(std::memory_order_acquire)};
  }
  fib::Trie own_trie(const fib::DomainEntry& d, size_t family) {
    return {store, fib::kOwn, store.roots[d.root[family].load(std::memory_order_relaxed)]};
  }
  fib::Trie shared_trie(size_t family) { return {store, fib::kShared, store.roots[shared_root[family]]}; }
  /// The route of just this prefix, or 0.
  RecordIndex own_route(const fib::DomainEntry& d, const net::Prefix& prefix) const;
  /// What the shared trie has of just this prefix, or 0.
  RecordIndex shared_of(const net::Prefix& prefix) const;
  net::Prefix prefix_of(RecordIndex index, net::Family family) const;
  /// What would be exposed twice to `to` if it saw `from` through `exposes`.
  std::optional<Conflict> conflict_in(DomainId to, DomainId from, const fib::Filter& exposes) const;
  /// Calls visit(route, family) for each of a domain's.
  template <typename Each>
  bool for_each_route(const fib::DomainEntry& d, Each&& visit) const;
  const RouteTarget& target_of(RecordIndex route) const {
    return *targets[store.records[route].target.load(std::memory_order_acquire)].load(
        std::memory_order_acquire);
  }

  bool reserve(const net::Prefix& prefix);
  uint32_t take_root();
  void retire_nodes();
  RecordIndex make_record(const net::Prefix& prefix, Record::Kind kind, uint32_t slot, uint32_t target);
  void share(RecordIndex route, const net::Prefix& prefix);
  void unshare(RecordIndex route, const net::Prefix& prefix);
  void set_holders(uint32_t group, std::unique_ptr<const fib::Holders> next);
  void withdraw(fib::DomainEntry& d, RecordIndex route, const net::Prefix& prefix);
  /// `to` sees what `peer` says, `from` is that peer.
  void set_peer(fib::DomainEntry& to, fib::DomainEntry& from, const fib::Peer& peer);
  void drop_peer(fib::DomainEntry& to, fib::DomainEntry& from, uint32_t from_slot);
  void set_peers(fib::DomainEntry& d, std::unique_ptr<const fib::Peers> next);

  // Interned lists of next hops. Index 1 is the blackhole.
  uint32_t use_target(std::span<const NextHop> members);
  void drop_target(uint32_t target);

  // Versions (routes_versions.cpp).
  /// A wide route's block of cells, counted from 1; 0: it has none.
  uint32_t block_of(RecordIndex route, net::Family family) const;
  /// The route leads elsewhere or is withdrawn.
  void moved(RecordIndex route, net::Family family);
  /// A more specific prefix was put under the route.
  void moved_within(RecordIndex route, const net::Prefix& prefix);
  /// Before the domain gets a route: moves what sessions of its addresses have been decided by.
  void prepare_route(DomainId id, const fib::DomainEntry& d, const net::Prefix& prefix);
  /// Before `to` sees what `from` exposes, or sees other routes of it.
  void prepare_view(uint32_t to_slot, const fib::DomainEntry& to, const fib::DomainEntry& from,
                    const fib::Peer* before, const fib::Filter& after);
  /// Moves the route that decides in `viewer` for addresses of a prefix.
  void move_decider(const fib::Viewer& viewer, const net::Prefix& prefix);

  struct TargetHash {
    using is_transparent = void;
    const Impl* impl;
    size_t operator()(std::span<const NextHop> members) const;
    size_t operator()(uint32_t target) const;
  };
  struct TargetEqual {
    using is_transparent = void;
    const Impl* impl;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(std::span<const NextHop> a, uint32_t b) const;
    bool operator()(uint32_t a, std::span<const NextHop> b) const { return (*this)(b, a); }
  };

  Limits limits;
  uint32_t size = 0;
  fib::RouteStore store;
  /// By record; those of blocks come after the last record's.
  fib::Pool<std::atomic<uint32_t>> cells;
  RouteCell first_block_cell = 0;
  uint32_t blocks_used = 0;
  std::vector<uint32_t> free_blocks;
  fib::Pool<std::atomic<const fib::Holders*>> groups;
  fib::Pool<std::atomic<const RouteTarget*>> targets;
  std::vector<uint32_t> target_uses;  // by target
  std::unordered_set<uint32_t, TargetHash, TargetEqual> interned;
  fib::Pool<fib::DomainEntry> domains;  // by slot + 1
  uint32_t domains_used = 0;            // slots
  uint32_t shared_root[2] = {0, 0};
  std::unique_ptr<Pending> pending = std::make_unique<Pending>();
  size_t list_bytes = 0;  // targets, holders, peers
};

inline net::Prefix Routes::Impl::prefix_of(RecordIndex index, net::Family family) const {
  const Record& r = store.records[index];
  if (family == net::Family::ipv4) return {net::Ipv4{static_cast<uint32_t>(r.hi >> 32)}, r.length};
  return {net::Ipv6{r.hi, r.length > 64 ? r.lo.load(std::memory_order_relaxed) : 0}, r.length};
}

template <typename Each>
bool Routes::Impl::for_each_route(const fib::DomainEntry& d, Each&& visit) const {
  for (const net::Family family : {net::Family::ipv4, net::Family::ipv6}) {
    const size_t f = fib::family_index(family);
    if (d.root[f].load(std::memory_order_relaxed) == 0) continue;
    fib::Trie trie = const_cast<Impl*>(this)->own_trie(d, f);
    if (!trie.for_each([&](RecordIndex route) { return visit(route, family); })) return false;
  }
  return true;
}

}  // namespace weir::dataplane
