// What the kernel knows of a network interface, and the few things that ports ask it to change.
//
// Plain ioctls and sysfs; no DPDK, no root for reading. Control thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/net/result.h"

namespace weir::dataplane {

struct InterfaceFacts {
  uint32_t index = 0;
  net::Mac mac;
  uint32_t mtu = 0;
  bool up = false;       // by the administrator
  bool running = false;  // up, and there is a carrier
};

/// Facts of the interface `name`. `not_found` names the interface that is spelt most like it, if one is near.
Result<InterfaceFacts> find_interface(const std::string& name);

/// Hardware queues from which packets arrive: each needs an AF_XDP socket of its own.
struct InterfaceQueues {
  uint32_t receive = 1;
  /// The kernel counts them as "combined" channels (else rx and tx apart, as on veth).
  bool combined = true;
};
Result<InterfaceQueues> interface_queues(const std::string& name);

/// Sets the interface's MTU in the kernel. Needs CAP_NET_ADMIN.
Status set_interface_mtu(const std::string& name, uint32_t mtu);
/// Gives the interface a MAC and brings it up. Needs CAP_NET_ADMIN.
Status set_interface_mac(const std::string& name, net::Mac mac);
Status set_interface_up(const std::string& name);

/// The one of `candidates` nearest to `wanted` by edit distance, or "" if none is near enough to be meant.
std::string nearest_name(const std::string& wanted, const std::vector<std::string>& candidates);

}  // namespace weir::dataplane
