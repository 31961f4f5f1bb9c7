// Hosts and routers inside attachments: who has which MAC, and the packets that wait for the answer.
//
// Learns from what workers saw (ARP, ND), asks where it has to, keeps the adjacency table current, and holds
// punted packets meanwhile, bounded per neighbour, per attachment and in all. Control thread only; time is an
// input.
#pragma once

#include <cstdint>
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
};

struct NeighborCounters {
  uint64_t requests = 0;  // ARP requests and solicitations sent
  uint64_t learnt = 0;    // notes that made or confirmed an entry
  uint64_t refused = 0;  // notes about addresses or MACs that cannot be right, or over the attachment's share
  uint64_t unresolved = 0;  // next hops that did not answer
  uint64_t lost = 0;        // known ones that ceased to answer
};

class Neighbors {
 public:
  static constexpr dataplane::NanoTime kRetry = dataplane::kNanosPerSecond;
  static constexpr unsigned kTries = 3;
  static constexpr dataplane::NanoTime kProbeAge = 60 * dataplane::kNanosPerSecond;

  Neighbors(dataplane::Dataplane& dataplane, dataplane::AdjacencyTable& adjacencies, NeighborLimits limits);
  /// Gives back what it holds.
  ~Neighbors();
  Neighbors(const Neighbors&) = delete;
  Neighbors& operator=(const Neighbors&) = delete;

  /// Takes over a packet that was punted with PuntReason::resolve.
  void on_punt(const dataplane::Punt& punt, dataplane::NanoTime now);
  /// Only addresses that are on-link in their attachment and unicast MACs are believed.
  void on_note(const dataplane::NeighborNote& note, dataplane::NanoTime now);
  /// Retries, gives up, probes what is old; lets workers purge what was forgotten, all at once.
  void tick(dataplane::NanoTime now);
  /// After a snapshot was published: forgets neighbours whose attachment or subnet is gone.
  void on_snapshot();

  void set_limits(NeighborLimits limits) { limits_ = limits; }
  size_t held() const { return held_; }
  const NeighborCounters& counters() const { return counters_; }

 private:
  enum class State : uint8_t { resolving, reachable, probing };
  using Key = std::pair<dataplane::AttachmentId, net::IpAddress>;
  struct Neighbor {
    State state = State::resolving;
    unsigned tries = 0;
    net::Mac mac;  // unless resolving
    dataplane::AdjacencyId adjacency;
    dataplane::NanoTime deadline = 0;
    std::vector<dataplane::Punt> held;  // while resolving
  };
  using Map = std::map<Key, Neighbor>;
  struct Usage {  // of one attachment
    uint32_t held = 0;
    uint32_t neighbors = 0;
  };

  void ask(const Key& key, Neighbor& neighbor, dataplane::NanoTime now);
  void confirm(const Key& key, Neighbor& neighbor, net::Mac mac, dataplane::NanoTime now);
  void due(Map::iterator at, dataplane::NanoTime now);
  void schedule(const Key& key, Neighbor& neighbor, dataplane::NanoTime deadline);
  void discard_held(const Key& key, Neighbor& neighbor, dataplane::DropReason reason);
  void let_go_held(const Key& key, Neighbor& neighbor);
  void forget(Map::iterator at, dataplane::DropReason reason);
  void purge_forgotten();
  bool may_hold(const Key& key, const Neighbor* neighbor) const;
  bool over_share(dataplane::AttachmentId attachment) const;

  dataplane::Dataplane& dataplane_;
  dataplane::AdjacencyTable& adjacencies_;
  NeighborLimits limits_;
  Map neighbors_;
  std::set<std::pair<dataplane::NanoTime, Key>> deadlines_;
  std::map<dataplane::AttachmentId, Usage> usage_;
  size_t held_ = 0;
  std::vector<dataplane::AdjacencyId> forgotten_;  // removed; sessions may still name them
  bool purging_ = false;
  NeighborCounters counters_;
};

/// The hub's address inside `attachment` from which `target` is on-link, if there is one.
std::optional<net::IpAddress> on_link_from(const dataplane::Attachment& attachment,
                                           const net::IpAddress& target);

}  // namespace weir::control
