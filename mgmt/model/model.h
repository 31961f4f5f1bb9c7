// What control knows of the last compilation: identities, names, and the tables that the next one may share.
//
// Plain values and shared tables. The control thread owns the current Model; a builder thread reads a copy of
// the pointer to it while it compiles the next one.
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
#include "mgmt/model/identities.h"

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
};

/// What only the machine can tell, fixed when the hub has started.
struct StartFacts {
  std::vector<PortFacts> ports;  // by PortIndex
  uint16_t workers = 1;
  dataplane::AdjacencyTable* adjacencies = nullptr;
  dataplane::AttachmentBoard* board = nullptr;
  dataplane::Routes* routes = nullptr;
};

/// The way of outer packets from one of the hub's addresses to a peer.
using UnderlayPath = std::pair<net::IpAddress, net::IpAddress>;  // local, remote
/// Where the underlay leads a path, where that differs from the port that has the local address.
struct PathFacts {
  dataplane::PortIndex port = 0;
  uint16_t mtu = 1500;
  friend bool operator==(const PathFacts&, const PathFacts&) = default;
};
using PathTable = std::map<UnderlayPath, PathFacts>;

/// Compiled rules by profile name.
using Rulesets = std::map<std::string, std::shared_ptr<const inspection::Ruleset>, std::less<>>;

/// One route with all that it leads to; a blackhole has no members.
struct RouteRecord {
  net::Prefix prefix;
  std::vector<dataplane::NextHop> members;
  dataplane::DomainId domain;  // whose route it is
  bool blackhole() const { return members.empty(); }
};

/// What one domain says of itself.
struct DomainRoutes {
  std::vector<RouteRecord> own;            // in the order of their prefixes
  std::vector<dataplane::DomainId> peers;  // the domains that it is connected to, in order
};

struct Model {
  Identities ids;
  std::vector<DomainRoutes> routes;  // by domain slot
  /// One hop per underlay path; attachments with the same peer share it. Kept alive until no worker sees it.
  std::map<UnderlayPath, std::shared_ptr<dataplane::UnderlayHop>> hops;

  // What the next compilation shares if it is unchanged.
  std::vector<dataplane::TunnelTable::Entry> tunnel_entries;
  dataplane::UdpTunnels udp_tunnels;
  std::shared_ptr<const dataplane::TunnelTable> tunnels;
  std::shared_ptr<const dataplane::AttachmentTable> attachments;
  std::vector<std::shared_ptr<const dataplane::Domain>> domains;
  std::shared_ptr<const dataplane::PolicyTable> policy;
  std::vector<dataplane::Profile> profiles;

  /// Empty for an id that is stale or unknown.
  std::string attachment_name(dataplane::AttachmentId id) const;
  std::string domain_name(dataplane::DomainId id) const;
};

}  // namespace weir::model
