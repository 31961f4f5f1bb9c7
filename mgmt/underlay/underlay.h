// The underlay as control sees it: which port, which MAC leads to a tunnel's peer.
//
// On ports that share their address with the kernel (af_xdp) routes, neighbours, link and MTU are the
// kernel's, read by netlink, and the kernel is asked to resolve. On ports that DPDK owns alone control speaks
// ARP and neighbour discovery itself. Control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/core/time.h"
#include "dataplane/net/address.h"
#include "dataplane/net/result.h"

namespace weir::underlay {

/// What an Underlay has to know of a port.
struct PortFacts {
  dataplane::PortIndex index = 0;
  std::string name;
  bool kernel_shared = false;  // af_xdp
  /// The interface that the port stands on, or a VLAN interface on that; tap: the one that it made. 0: none.
  uint32_t kernel_ifindex = 0;
  bool kernel_mac = false;  // the port's MAC is that interface's
  net::Mac mac;
  uint16_t mtu = 1500;
  /// With kernel_shared: what the port's buffers carry, should the kernel's MTU grow.
  uint16_t max_mtu = 1770;
  std::vector<net::InterfaceAddress> addresses;
  std::vector<net::IpAddress> gateways;  // without kernel_shared: at most one of each family
};

struct Hop {
  dataplane::PortIndex port = 0;
  std::optional<net::Mac> mac;  // absent: not resolved (yet)
  uint16_t mtu = 1500;          // of the path's first link
  bool link_up = true;
  friend bool operator==(const Hop&, const Hop&) = default;
};

/// Hands a whole Ethernet frame to a port; bounded, may lose it.
using SendFrame = std::function<void(dataplane::PortIndex, std::span<const uint8_t>)>;

class Underlay {
 public:
  /// Opens netlink sockets where a port needs them.
  static Result<std::unique_ptr<Underlay>> create(std::vector<PortFacts> ports, SendFrame send);
  virtual ~Underlay() = default;

  /// Addresses that the kernel has on a port's interface, link-local ones left out. Used when a config names
  /// none.
  virtual Result<std::vector<net::InterfaceAddress>> kernel_addresses(uint32_t ifindex) = 0;

  /// What is known now of the way from `local` to `remote`; starts to resolve what is not, and keeps watching
  /// it until forget(), however often it is called (a failure is watched too). Fails with `not_found` if no
  /// route or no port leads there.
  virtual Result<Hop> resolve(const net::IpAddress& local, const net::IpAddress& remote) = 0;
  virtual void forget(const net::IpAddress& local, const net::IpAddress& remote) = 0;

  /// File descriptors to poll for reading; call process() when one is ready.
  virtual std::vector<int> fds() const = 0;
  /// Reads what the kernel said. True if any resolve() may answer differently now.
  virtual bool process() = 0;
  /// A punted ARP or neighbour discovery packet (whole Ethernet frame) from a port that DPDK owns. True as
  /// for process().
  virtual bool on_neighbor_frame(dataplane::PortIndex port, std::span<const uint8_t> frame) = 0;
  /// A worker answered a question of `address` on a port that DPDK owns, and so learnt its MAC. True as for
  /// process().
  virtual bool on_neighbor_note(dataplane::PortIndex port, const net::IpAddress& address, net::Mac mac) = 0;
  /// The MAC of a port whose MAC is the kernel's, as it is now; absent: it is no such port.
  virtual std::optional<net::Mac> port_mac(dataplane::PortIndex port) const = 0;
  /// Retries and ageing; call about every 100 ms. True as for process().
  virtual bool tick(dataplane::NanoTime now) = 0;
};

}  // namespace weir::underlay
