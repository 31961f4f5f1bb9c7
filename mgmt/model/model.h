// What a model is made for: the machine, as it was found at the start, and the underlay.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/core/snapshot.h"
#include "mgmt/config/config.h"
#include "mgmt/config/problem.h"

namespace weir::model {

using config::Problem;

/// A port as it is after it was opened.
struct PortFacts {
  std::string name;
  dataplane::PortIndex index = 0;
  net::Mac mac;
  uint16_t mtu = 1500;
  bool kernel_shared = false;  // af_xdp: the kernel has the addresses too
  uint16_t vlan = 0;           // of the underlay; 0: untagged
  bool tx_checksums = false;   // the device fills in UDP checksums
  std::vector<net::InterfaceAddress> addresses;
  bool tap = false;  // a program of this machine listens behind it
};

/// What only the machine can tell, fixed when the hub has started.
struct StartFacts {
  std::vector<PortFacts> ports;  // by PortIndex
  uint16_t workers = 1;
  uint32_t policy_rules = 16'384;  // limits.policy_rules
};

/// The way of outer packets from one of the hub's addresses to a peer.
using UnderlayPath = std::pair<net::IpAddress, net::IpAddress>;  // local, remote
/// Where the underlay leads a path, where that differs from the port that has the local address.
struct PathFacts {
  dataplane::PortIndex port = 0;
  uint16_t mtu = 1500;
  friend bool operator==(const PathFacts&, const PathFacts&) = default;
};

/// Compiled rules by profile name.
using Rulesets = std::map<std::string, std::shared_ptr<const inspection::Ruleset>, std::less<>>;

}  // namespace weir::model
