// The routes of all domains: longest-prefix match of one domain's own routes, and of what the domains that it
// is connected to expose to it.
//
// One for the hub's life. Control alone changes it, in place and one route at a time; workers read it without
// locks and see each route before a change or after it. A change costs what it touches, whatever the number
// of routes, domains and connections: a few words in one trie node, and as many versions as sessions may have
// been decided by.
//
// Every domain's routes lie in a trie of the domain's own and in one trie that all domains share. A look-up
// of exposed routes walks the shared one and takes the longest prefix whose domain is connected to the asking
// one, so that memory grows with prefixes and connections, never with their product.
//
// Versions: who decides by a route keeps the match's `cell` and what version(cell) was then. When they differ
// the answer may be another now. A cell belongs to one route, or to a part of a wide one, so a change moves
// only what it may affect: the route itself if its target changes or it is withdrawn, and the next wider
// route where a more specific one comes (also one that a connected domain exposes). A withdrawn connection
// moves none: the version of the policy between the two domains does that.
//
// What a change frees, and the versions that it moves, wait until no worker is in the middle of a look-up
// that began before: after changes, control hands take_pending() to Dataplane::after_quiescence() and there
// calls finish(). Many changes share one such turn.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/fib/next_hop.h"
#include "dataplane/net/address.h"
#include "dataplane/net/result.h"

namespace weir::dataplane {

/// Where a version lies. 0 is none: its version is always 0.
using RouteCell = uint32_t;

class Routes {
 public:
  struct Limits {
    uint32_t routes = 2'000'000;  // of all domains; at most 2^24
    uint32_t domains = 65'535;    // slots
  };
  /// Address space is set aside for the worst case; memory is taken as routes come.
  static Result<std::unique_ptr<Routes>> create(const Limits& limits);
  ~Routes();
  Routes(const Routes&) = delete;
  Routes& operator=(const Routes&) = delete;

  // --- control thread: changes ---
  // Names of domains that are not there make a change fail with `not_found`; nothing is changed by a call
  // that fails. Conflicts are not looked for: see conflict() and RouteChanges.

  Status add_domain(DomainId domain);
  /// With its routes and connections. A domain that is not there: does nothing.
  void remove_domain(DomainId domain);

  /// Adds a route, or changes what it leads to. No members: a blackhole. `exhausted` when the hub is full of
  /// routes (room() was 0) or the machine of memory.
  Status set(DomainId domain, const net::Prefix& prefix, std::span<const NextHop> members);
  /// False: there was no such route.
  bool remove(DomainId domain, const net::Prefix& prefix);

  /// Which routes of a domain one connected domain sees: all, or those that lie within one of the prefixes.
  using Exposure = std::optional<std::vector<net::Prefix>>;
  /// From now on each sees what the other exposes to it. Connected before: only the exposures change.
  Status connect(DomainId a, DomainId b, const Exposure& a_exposes = {}, const Exposure& b_exposes = {});
  void disconnect(DomainId a, DomainId b);

  /// What is left to do once every worker has passed a quiescent state.
  class Pending;
  using PendingPtr = std::unique_ptr<Pending, void (*)(Pending*)>;
  /// Of all changes since the last call; null if there is nothing.
  PendingPtr take_pending();
  /// Moves the versions, frees what was withdrawn. In the order in which they were taken.
  void finish(PendingPtr pending);

  // --- control thread: questions ---
  /// Two domains that expose an equal prefix to a third one, which cannot know which of them is meant. Two
  /// blackholes are none, since they mean the same.
  struct Conflict {
    DomainId seen_by;
    DomainId first;
    DomainId second;
    net::Prefix prefix;
  };
  /// What would stand against set(domain, prefix, ...).
  std::optional<Conflict> conflict(DomainId domain, const net::Prefix& prefix, bool blackhole) const;
  /// What would stand against connect(a, b, a_exposes, b_exposes).
  std::optional<Conflict> conflict_if_connected(DomainId a, DomainId b, const Exposure& a_exposes,
                                                const Exposure& b_exposes) const;

  bool has_domain(DomainId domain) const;
  /// What the domain's own route of just this prefix leads to; null if there is none.
  const RouteTarget* find(DomainId domain, const net::Prefix& prefix) const;
  /// Routes of one domain, in the order of addresses, wider ones first; false from `visit` ends it.
  using Visit = std::function<bool(const net::Prefix&, const RouteTarget&)>;
  void for_each(DomainId domain, const Visit& visit) const;
  /// The domains that have a route of just this prefix.
  void for_each_holder(const net::Prefix& prefix,
                       const std::function<void(DomainId domain, bool blackhole)>& visit) const;
  /// Whom it is connected to, and what of the peer's it sees.
  void for_each_connection(
      DomainId domain, const std::function<void(DomainId peer, const Exposure& peer_exposes)>& visit) const;
  /// Does `peer` expose routes within `prefix` to `domain`?
  bool is_exposed(DomainId domain, DomainId peer, const net::Prefix& prefix) const;

  uint32_t size() const;
  uint32_t size(DomainId domain) const;
  /// How many routes more there may be.
  uint32_t room() const;
  /// Memory that workers read: tries, routes, targets, connections.
  size_t bytes() const;
  /// Memory that only control reads.
  size_t control_bytes() const;

  // --- any thread ---
  struct Match {
    /// Null: nothing matched. May be kept until the thread's next quiescent state.
    const RouteTarget* target = nullptr;
    RouteCell cell = 0;
    DomainId domain;  // whose route it is
    uint8_t length = 0;
    explicit operator bool() const { return target != nullptr; }
  };
  /// The longest of the domain's own routes.
  Match lookup_own(DomainId domain, const net::IpAddress& address) const;

  struct ExposedMatch : Match {
    /// Nothing matched, but a domain that is not connected has a route to the address.
    bool elsewhere = false;
  };
  /// The longest of the routes that connected domains expose to `domain`, if it is longer than
  /// `longer_than` bits (-1: any).
  ExposedMatch lookup_exposed(DomainId domain, const net::IpAddress& address, int longer_than = -1) const;

  /// Of a match's cell. Never the same again for the same cell but after 2^32 changes.
  uint32_t version(RouteCell cell) const { return versions_[cell].load(std::memory_order_acquire); }
  /// Grows with each change, before any look-up can see it. What was looked up between two equal numbers saw
  /// at most one change under way, so it is what holds before it or after it. Else changes may have been seen
  /// in part (one route already gone, one that came before not yet there), the answer be none that ever held,
  /// and no version of it move: whoever keeps it has to ask again.
  uint64_t changes() const { return changes_.load(std::memory_order_acquire); }
  /// All of them, by cell, for code per packet.
  const std::atomic<uint32_t>* versions() const { return versions_; }

 private:
  struct Impl;
  explicit Routes(std::unique_ptr<Impl> impl);

  void begin_change() {
    changes_.store(changes_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  const std::atomic<uint32_t>* versions_;  // of impl_
  std::unique_ptr<Impl> impl_;
  alignas(64) std::atomic<uint64_t> changes_{0};  // apart from what look-ups read
};

}  // namespace weir::dataplane
