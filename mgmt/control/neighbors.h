// Hosts and routers inside attachments: who has which MAC, and the packets that wait for the answer.
//
// Learns from what workers saw (ARP, ND), asks where it has to, keeps the adjacency table current, and holds
// punted packets meanwhile, bounded per neighbour, per attachment and in all. Who does not answer is left
// alone for a while that grows. Control thread only; time is an input.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "dataplane/core/time.h"
#include "dataplane/fib/adjacency_table.h"
#include "dataplane/worker/dataplane.h"

namespace weir::control {

struct NeighborLimits {
  uint32_t held_packets = 1'024;  // in all; one attachment may use a quarter of it
  uint32_t held_per_neighbor = 16;
  uint32_t per_attachment = 4'096;  // neighbours; those that do not answer may be a quarter of them
};

struct NeighborCounters {
  uint64_t requests = 0;  // ARP requests and solicitations sent
  uint64_t learnt = 0;    // notes that made or confirmed an entry
  uint64_t refused = 0;  // notes about addresses or MACs that cannot be right, or over the attachment's share
  uint64_t ignored = 0;  // answers that nobody asked for, announcements of hosts that are not known
  uint64_t unresolved = 0;  // next hops that did not answer
  uint64_t lost = 0;        // known ones that ceased to answer
  uint64_t evicted = 0;     // known ones that gave way, since the adjacency table was full
};

class Neighbors {
 public:
  static constexpr dataplane::NanoTime kRetry = dataplane::kNanosPerSecond;
  static constexpr unsigned kTries = 3;
  static constexpr dataplane::NanoTime kProbeAge = 60 * dataplane::kNanosPerSecond;
  /// Who did not answer is not asked again for so long: at first, and at most, after it doubled each time.
  static constexpr dataplane::NanoTime kFirstBackOff = 2 * dataplane::kNanosPerSecond;
  static constexpr dataplane::NanoTime kLongestBackOff = 64 * dataplane::kNanosPerSecond;
  /// In a full table at most one neighbour gives way in this time: what it frees comes with a purge.
  static constexpr dataplane::NanoTime kEvictEvery = 10 * dataplane::kNanosPerMilli;

  /// A packet whose next hop does not answer, about to be discarded.
  using OnUnreachable = std::function<void(const dataplane::Punt&)>;

  Neighbors(dataplane::Dataplane& dataplane, dataplane::AdjacencyTable& adjacencies, NeighborLimits limits);
  /// Gives back what it holds.
  ~Neighbors();
  Neighbors(const Neighbors&) = delete;
  Neighbors& operator=(const Neighbors&) = delete;

  /// Takes over a packet that was punted with PuntReason::resolve.
  void on_punt(const dataplane::Punt& punt, dataplane::NanoTime now);
  /// Only addresses that are on-link in their attachment and unicast MACs are believed. A host that asks for
  /// the hub is learnt; an answer counts only if it was asked for; an announcement changes what is known and
  /// adds nothing.
  void on_note(const dataplane::NeighborNote& note, dataplane::NanoTime now);
  /// Retries, gives up, probes what is old; lets workers purge what was forgotten, all at once.
  void tick(dataplane::NanoTime now);
  /// The attachment is another one now, or gone: forgets neighbours that are not in it any more.
  void attachment_changed(dataplane::AttachmentId attachment);

  /// What has no Ethernet inside has one next hop, its peer, under no address and without a MAC. Nothing
  /// happens if it is there, or while the attachment is not usable. Fails with `exhausted` when the table is
  /// full.
  Status add_peer(dataplane::AttachmentId attachment);
  /// While an attachment is not usable workers find none of its next hops, so that sessions look for other
  /// ways; their MACs stay known and are probed as before.
  void set_usable(dataplane::AttachmentId attachment, bool usable);
  /// The MAC of a neighbour, if it is known.
  std::optional<net::Mac> mac_of(dataplane::AttachmentId attachment, const net::IpAddress& address) const;
  /// The same, and if it is not known it is asked for, also one who failed to answer a moment ago.
  std::optional<net::Mac> want(dataplane::AttachmentId attachment, const net::IpAddress& address,
                               dataplane::NanoTime now);
  void on_unreachable(OnUnreachable callback) { on_unreachable_ = std::move(callback); }

  void set_limits(NeighborLimits limits) { limits_ = limits; }
  size_t held() const { return held_; }
  const NeighborCounters& counters() const { return counters_; }

 private:
  enum class State : uint8_t {
    resolving,  // asked, nobody answered yet; packets wait
    reachable,
    probing,  // was reachable, and is asked whether it still is
    failed,   // did not answer; packets to it are dropped until `deadline`
    resting,  // may be asked again; remembered only for how long it failed
  };
  using Key = std::pair<dataplane::AttachmentId, net::IpAddress>;
  struct Neighbor {
    State state = State::resolving;
    unsigned tries = 0;
    net::Mac mac;  // reachable, probing
    dataplane::AdjacencyId adjacency;
    dataplane::NanoTime deadline = 0;
    dataplane::NanoTime back_off = 0;   // the last one; 0: it answered
    std::vector<dataplane::Punt> held;  // while resolving
  };
  using Map = std::map<Key, Neighbor>;
  struct Usage {  // of one attachment
    uint32_t held = 0;
    uint32_t neighbors = 0;
    uint32_t failed = 0;  // of them, or resting
  };

  static bool knows_mac(const Neighbor& n) {
    return n.state == State::reachable || n.state == State::probing;
  }
  static bool is_failed(State state) { return state == State::failed || state == State::resting; }

  Map::iterator enter(const Key& key, dataplane::NanoTime now);
  void ask(const Key& key, Neighbor& neighbor, dataplane::NanoTime now);
  void confirm(const Key& key, Neighbor& neighbor, net::Mac mac, dataplane::NanoTime now);
  bool publish(const Key& key, Neighbor& neighbor);
  void unpublish(Neighbor& neighbor);
  void set_peer_usable(dataplane::AttachmentId attachment, bool usable);
  void due(Map::iterator at, dataplane::NanoTime now);
  void give_up(Map::iterator at, dataplane::NanoTime now);
  void set_state(const Key& key, Neighbor& neighbor, State state);
  void schedule(const Key& key, Neighbor& neighbor, dataplane::NanoTime deadline);
  void discard_held(const Key& key, Neighbor& neighbor, dataplane::DropReason reason);
  void drop_unreachable(const dataplane::Punt& punt);
  void let_go_held(const Key& key, Neighbor& neighbor);
  void forget(Map::iterator at, dataplane::DropReason reason);
  void make_room(dataplane::AttachmentId wanted_by, dataplane::NanoTime now);
  void purge_forgotten();
  bool may_hold(const Key& key, const Neighbor* neighbor) const;
  bool over_share(dataplane::AttachmentId attachment) const;

  dataplane::Dataplane& dataplane_;
  dataplane::AdjacencyTable& adjacencies_;
  NeighborLimits limits_;
  OnUnreachable on_unreachable_;
  Map neighbors_;
  std::set<std::pair<dataplane::NanoTime, Key>> deadlines_;
  std::map<dataplane::AttachmentId, Usage> usage_;
  std::set<dataplane::AttachmentId> unusable_;
  size_t held_ = 0;
  std::vector<dataplane::AdjacencyId> forgotten_;  // removed; sessions may still name them
  bool purging_ = false;
  dataplane::NanoTime evicted_at_ = 0;
  NeighborCounters counters_;
};

/// The hub's address inside `attachment` from which `target` is on-link, if there is one.
std::optional<net::IpAddress> on_link_from(const dataplane::Attachment& attachment,
                                           const net::IpAddress& target);

}  // namespace weir::control
