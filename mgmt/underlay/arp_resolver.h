// ARP (RFC 826) for a port that DPDK owns alone: who has a tunnel's next hop, asked and kept fresh by
// control.
//
// Requests for the hub's own addresses are answered by the workers, not here. Time comes in by tick() only.
// Control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "mgmt/underlay/underlay.h"

namespace weir::underlay {

class ArpResolver {
 public:
  static constexpr dataplane::NanoTime kFirstRetry = dataplane::kNanosPerSecond;
  static constexpr dataplane::NanoTime kSlowestRetry = 30 * dataplane::kNanosPerSecond;
  /// A known neighbour is asked again, by unicast, this long after it last answered.
  static constexpr dataplane::NanoTime kRefresh = 30 * dataplane::kNanosPerSecond;
  /// So many unanswered questions, one a kFirstRetry, and its address is forgotten.
  static constexpr unsigned kMisses = 3;
  /// Requests between two ticks: many peers at once must not become a burst of broadcasts.
  static constexpr unsigned kRequestsPerTick = 64;

  /// `port` is not shared with the kernel. `send` outlives the resolver.
  ArpResolver(PortFacts port, const SendFrame& send) : port_(std::move(port)), send_(send) {}

  /// Whether `local` is one of the port's addresses.
  bool owns(net::Ipv4 local) const;
  /// As Underlay::resolve(). `local` is owned.
  Result<Hop> resolve(net::Ipv4 local, net::Ipv4 remote);
  void forget(net::Ipv4 local, net::Ipv4 remote);
  /// As Underlay::on_arp(). `frame` may hold anything.
  bool on_arp(std::span<const uint8_t> frame);
  bool tick(dataplane::NanoTime now);

 private:
  struct Neighbor {
    net::Ipv4 ask_from;  // sender address of our questions
    std::optional<net::Mac> mac;
    unsigned unanswered = 0;      // questions since the last answer
    bool due_known = false;       // `due` counts; set by the first tick after a change
    dataplane::NanoTime due = 0;  // when to ask next
    dataplane::NanoTime retry = kFirstRetry;
    bool asked = false;                                   // at least once since it is watched
    std::set<std::pair<net::Ipv4, net::Ipv4>> watches{};  // (local, remote) that lead over it
  };

  Result<net::Ipv4> next_hop(net::Ipv4 local, net::Ipv4 remote) const;
  net::Ipv4 question_source(net::Ipv4 local, net::Ipv4 target) const;
  void ask(net::Ipv4 target, const Neighbor& neighbor);
  bool expire(net::Ipv4 target, Neighbor& neighbor, dataplane::NanoTime now);

  PortFacts port_;
  const SendFrame& send_;
  std::map<net::Ipv4, Neighbor> neighbors_;  // by next hop
  unsigned budget_ = kRequestsPerTick;
};

}  // namespace weir::underlay
