// rtnetlink messages as values: what the kernel says about links, neighbours, addresses and routes, and what
// we ask.
//
// Pure: bytes in, values out; no sockets. Every length is checked by libmnl's attribute walk and here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/net/address.h"

struct nlmsghdr;

namespace weir::underlay::netlink {

struct Link {
  uint32_t index = 0;
  std::string name;
  bool up = false;                // by the administrator, with a carrier
  uint32_t mtu = 0;               // 0: the message did not say
  uint32_t parent = 0;            // of a VLAN or the like; 0: none
  bool gone = false;              // deleted
  std::optional<net::Mac> mac{};  // absent: it has none that Ethernet knows, or the message did not say
  uint16_t vlan = 0;              // of a VLAN interface (802.1Q) on `parent`; 0: it is none
  std::string kind{};             // "vxlan", "gre", "vlan" and the like; empty: hardware, or not said
};

struct Neighbor {
  uint32_t ifindex = 0;
  net::IpAddress address;
  std::optional<net::Mac> mac;  // absent: deleted, failed or not yet resolved
};

struct Address {
  uint32_t ifindex = 0;
  net::InterfaceAddress address;
};

/// The kernel's answer to "how does one get there".
struct Route {
  bool unicast = false;                   // else the destination is local, multicast or the like
  bool refused = false;                   // a blackhole, unreachable or prohibit route
  uint32_t ifindex = 0;                   // outgoing interface
  std::optional<net::IpAddress> gateway;  // absent: the destination is on-link
  uint32_t mtu = 0;                       // of the route; 0: the link's
};

/// A change to a prefix in some routing table.
struct RouteChange {
  net::Prefix prefix;
};

// Each returns nothing if the message is of another type, another family than IPv4 and IPv6, or malformed.
std::optional<Link> parse_link(const nlmsghdr& message);
std::optional<Neighbor> parse_neighbor(const nlmsghdr& message);
std::optional<Address> parse_address(const nlmsghdr& message);
std::optional<Route> parse_route(const nlmsghdr& message);
std::optional<RouteChange> parse_route_change(const nlmsghdr& message);

/// A request as bytes, to be sent with the sequence number that it was built with.
using Request = std::vector<uint8_t>;

Request dump_links(uint32_t sequence);
Request dump_neighbors(uint32_t sequence);
Request dump_addresses(uint32_t sequence);
Request get_link(uint32_t sequence, uint32_t ifindex);
Request get_neighbor(uint32_t sequence, uint32_t ifindex, const net::IpAddress& address);
Request get_route(uint32_t sequence, const net::IpAddress& source, const net::IpAddress& destination);
/// Asks the kernel to resolve the neighbour, or to make sure that it still knows it, as if it had a packet to
/// send there.
Request use_neighbor(uint32_t sequence, uint32_t ifindex, const net::IpAddress& address);

}  // namespace weir::underlay::netlink
