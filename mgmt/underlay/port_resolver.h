// ARP (RFC 826) and neighbour discovery (RFC 4861) for a port that DPDK owns alone: who has a tunnel's next
// hop, asked and kept fresh by control.
//
// Questions about the hub's own addresses are answered by the workers, not here. Time comes in by tick()
// only. Control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "mgmt/underlay/neighbor_frames.h"
#include "mgmt/underlay/underlay.h"

namespace weir::underlay {

class PortResolver {
 public:
  static constexpr dataplane::NanoTime kFirstRetry = dataplane::kNanosPerSecond;
  static constexpr dataplane::NanoTime kSlowestRetry = 30 * dataplane::kNanosPerSecond;
  /// A known neighbour is asked again, by unicast, this long after it last answered.
  static constexpr dataplane::NanoTime kRefresh = 30 * dataplane::kNanosPerSecond;
  /// So many unanswered questions, one a kFirstRetry, and its MAC is forgotten.
  static constexpr unsigned kMisses = 3;
  /// Requests between two ticks: many peers at once must not become a burst of broadcasts.
  static constexpr unsigned kRequestsPerTick = 64;
  /// Neighbours that a tick looks at; of more, each comes the later.
  static constexpr size_t kLooksPerTick = 1'024;

  /// `port` is not shared with the kernel. `send` outlives the resolver.
  PortResolver(PortFacts port, const SendFrame& send) : port_(std::move(port)), send_(send) {}

  /// Whether `local` is one of the port's addresses.
  bool owns(const net::IpAddress& local) const;
  /// The port's interface has another MAC now. IPv4 neighbours are told (RFC 5227 section 3); IPv6 ones find
  /// out when they ask.
  void use_mac(net::Mac mac);
  /// As Underlay::resolve(). `local` is owned.
  Result<Hop> resolve(const net::IpAddress& local, const net::IpAddress& remote);
  void forget(const net::IpAddress& local, const net::IpAddress& remote);
  /// As Underlay::on_neighbor_frame(). `frame` may hold anything. Learns only about next hops that are
  /// watched: from answers to us, from questions to us (they tell as much), and from announcements of a
  /// change.
  bool on_frame(std::span<const uint8_t> frame);
  /// As Underlay::on_neighbor_note().
  bool on_note(const net::IpAddress& address, net::Mac mac);
  bool tick(dataplane::NanoTime now);

 private:
  struct Neighbor {
    net::IpAddress ask_from;  // sender address of our questions
    std::optional<net::Mac> mac;
    unsigned unanswered = 0;      // questions since the last answer
    bool due_known = false;       // `due` counts; set by the first tick after a change
    dataplane::NanoTime due = 0;  // when to ask next
    dataplane::NanoTime retry = kFirstRetry;
    bool asked = false;                                             // at least once since it is watched
    std::set<std::pair<net::IpAddress, net::IpAddress>> watches{};  // (local, remote) that lead over it
  };

  Result<net::IpAddress> next_hop(const net::IpAddress& local, const net::IpAddress& remote) const;
  net::IpAddress question_source(const net::IpAddress& local, const net::IpAddress& target) const;
  void ask(const net::IpAddress& target, const Neighbor& neighbor);
  bool confirm(Neighbor& neighbor, net::Mac mac);
  bool expire(const net::IpAddress& target, Neighbor& neighbor, dataplane::NanoTime now);

  PortFacts port_;
  const SendFrame& send_;
  std::map<net::IpAddress, Neighbor> neighbors_;  // by next hop
  unsigned budget_ = kRequestsPerTick;
  net::IpAddress last_looked_at_;  // by tick()
};

}  // namespace weir::underlay
