// Next hops of ports that share their address with the kernel: its routes, its neighbours, its links.
//
// What the kernel steers past itself (XDP) never confirms its neighbours, so this asks it to check the ones
// in use again and again; otherwise they would age out under traffic. Control thread only.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "mgmt/underlay/netlink_socket.h"
#include "mgmt/underlay/underlay.h"

namespace weir::underlay {

class KernelResolver {
 public:
  /// How often the kernel is asked to make sure of a neighbour in use, and how often of one that does not
  /// answer.
  static constexpr dataplane::NanoTime kRefresh = 15 * dataplane::kNanosPerSecond;
  static constexpr dataplane::NanoTime kFirstRetry = dataplane::kNanosPerSecond;
  static constexpr dataplane::NanoTime kSlowestRetry = 30 * dataplane::kNanosPerSecond;
  /// Requests to the kernel at most in one tick.
  static constexpr unsigned kRequestsPerTick = 256;
  /// Neighbours that a tick looks at; of more, each comes the later.
  static constexpr size_t kLooksPerTick = 1'024;

  /// `ports` are those with kernel_shared, `others` all others.
  static Result<std::unique_ptr<KernelResolver>> create(std::vector<PortFacts> ports,
                                                        std::vector<PortFacts> others);

  Result<Hop> resolve(const net::IpAddress& local, const net::IpAddress& remote);
  void forget(const net::IpAddress& local, const net::IpAddress& remote);
  int fd() const { return events_->fd(); }
  bool process();
  bool tick(dataplane::NanoTime now);

 private:
  using Way = std::pair<net::IpAddress, net::IpAddress>;    // (local, remote)
  using NeighborKey = std::pair<uint32_t, net::IpAddress>;  // (ifindex, address)
  struct RoutedHop {
    size_t port = 0;  // index into ports_
    net::IpAddress next;
    uint32_t mtu = 0;  // of the route; 0: the link's
  };
  struct Watch {
    bool stale = true;             // the route has to be asked for again
    std::optional<RoutedHop> hop;  // absent: there was no way, and `failure` says why
    Error failure{};
  };
  struct Neighbor {
    std::optional<net::Mac> mac;
    unsigned watches = 0;
    bool due_known = false;
    dataplane::NanoTime due = 0;
    dataplane::NanoTime retry = kFirstRetry;
  };

  KernelResolver(std::vector<PortFacts> ports, std::vector<PortFacts> others,
                 std::unique_ptr<netlink::Socket> events, std::unique_ptr<netlink::Socket> questions)
      : ports_(std::move(ports)),
        others_(std::move(others)),
        events_(std::move(events)),
        questions_(std::move(questions)) {}

  Result<RoutedHop> ask_route(const net::IpAddress& local, const net::IpAddress& remote);
  Error no_way(int error, const net::IpAddress& local, const net::IpAddress& remote);
  bool kernel_has(const net::IpAddress& address);
  Error no_port(uint32_t ifindex, const net::IpAddress& remote);
  void set_hop(Watch& watch, std::optional<RoutedHop> hop);
  void watch_neighbor(const NeighborKey& key);
  void unwatch_neighbor(const NeighborKey& key);
  NeighborKey key_of(const RoutedHop& hop) const { return {ports_[hop.port].kernel_ifindex, hop.next}; }

  bool on_event(const nlmsghdr& message);
  bool on_link(const netlink::Link& link);
  bool on_neighbor(const netlink::Neighbor& neighbor);
  bool mark_stale(const net::Prefix& prefix);
  bool mark_all_stale();
  void read_everything();

  std::vector<PortFacts> ports_;
  std::vector<PortFacts> others_;
  std::unique_ptr<netlink::Socket> events_;
  std::unique_ptr<netlink::Socket> questions_;
  std::map<uint32_t, netlink::Link> links_;  // of the ports, by ifindex
  std::map<Way, Watch> watches_;
  std::map<NeighborKey, Neighbor> neighbors_;  // next hops of the watches
  NeighborKey last_looked_at_{};               // by tick()
};

/// Addresses of an interface, IPv6 link-local ones left out: they name no host beyond the link.
Result<std::vector<net::InterfaceAddress>> read_kernel_addresses(uint32_t ifindex);

}  // namespace weir::underlay
