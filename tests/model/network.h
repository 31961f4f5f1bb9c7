// What the hub of one run is configured to be, as plain values. Made by chance (random_network.cpp), turned
// into the hub's own configuration by the rig, and read by the model.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/model/packet.h"

namespace weir::model {

using Domain = int;      // a number; the same for the following
using Attachment = int;  // a spoke's tunnel

enum class TunnelKind { vxlan, geneve, geneve_ip, gre, gre_keyed, gre_ethernet, ipip, native };
constexpr bool carries_ethernet(TunnelKind kind) {
  return kind != TunnelKind::geneve_ip && kind != TunnelKind::gre && kind != TunnelKind::gre_keyed &&
         kind != TunnelKind::ipip;
}
struct TunnelConfig {
  TunnelKind kind = TunnelKind::vxlan;
  bool v6 = false;  // the underlay
};

using Mac = uint64_t;  // the lower 48 bits

struct AttachmentConfig {
  Domain domain = 0;
  TunnelConfig tunnel;
  std::vector<Address> gateways;  // the hub's own addresses in it
  std::vector<Prefix> subnets;    // of the gateways: on-link
  bool reverse_path = true;       // sources have to be reached through it
};

/// Where packets go next: to a router of that attachment, or to their destination in it.
struct Hop {
  Attachment attachment = 0;
  std::optional<Address> via;
  friend auto operator<=>(const Hop&, const Hop&) = default;
};
struct Route {
  Domain domain = 0;
  Prefix prefix;
  std::vector<Hop> hops;  // none: a blackhole
};

struct Group {
  std::vector<Domain> domains;
  std::vector<Attachment> attachments;
  std::vector<Prefix> prefixes;
  std::vector<std::pair<Domain, Prefix>> of_domains;
};
/// In one of `domains`, and in one of `prefixes` or `groups`; what is empty asks nothing.
struct RuleEnd {
  std::vector<Domain> domains;
  std::vector<Prefix> prefixes;
  std::vector<Group> groups;
};
struct Service {
  uint8_t protocol = 0;               // 0: any
  uint16_t first = 0, last = 65'535;  // destination ports, ICMP types
};
enum class Action { allow, deny, reject, inspect };
struct Rule {
  Action action = Action::allow;
  RuleEnd from, to;
  std::vector<Service> services;  // empty: any
  bool watch = false;             // decides nothing
  size_t timeouts = 0;            // 0: the hub's; else one of Network::rule_timeouts, from 1 on
  std::optional<uint8_t> dscp;    // that the sessions' packets get
};

/// Addresses of `domain` that are seen as others elsewhere, one for one.
struct StaticNat {
  Domain domain = 0;
  Prefix inside, outside;
  std::set<Domain> seen_by;
  bool neutral = false;  // NPTv6: no checksum changes by it
  std::optional<Address> outside_of(const Address& a) const {
    return neutral ? moved_neutrally(a, inside, outside) : moved(a, inside, outside);
  }
  std::optional<Address> inside_of(const Address& a) const {
    return neutral ? moved_neutrally(a, outside, inside) : moved(a, outside, inside);
  }
};
/// An address and port that is a server.
struct Published {
  std::set<Domain> seen_by;
  uint8_t protocol = 0;
  Address address;
  uint16_t port = 0;
  Domain domain = 0;
  Address server;
  uint16_t server_port = 0;
  std::map<Address, unsigned>
      servers;  // and weights; not empty: any of these that is reached and weighs something
};
/// Sources of sessions into `to` become addresses and ports of the pool.
struct Pool {
  std::set<Domain> from;
  Domain to = 0;
  std::vector<Prefix> sources;       // empty: private ones
  std::vector<Prefix> destinations;  // empty: all but private ones
  Address first, last;
  uint16_t low_port = 1'024, high_port = 65'535;
  unsigned ports_per_host = 0;  // not 0: each of `sources` has so many for itself
  /// NAT64: of IPv6 is who may use it (no `sources`: all), for what is sent to an address of this prefix.
  std::optional<Prefix> prefix64 = {};
  bool has(const Address& a) const { return a.v6 == first.v6 && first <= a && a <= last; }
};

struct Timeouts {  // in ticks, the hub's unit of idle time
  unsigned tcp_handshake = 8, tcp_established = 300, tcp_closing = 5, tcp_half_closed = 20, tcp_loose = 12;
  unsigned udp = 30, udp_unanswered = 9, icmp = 10, other = 25, fragment = 4;
};
struct TcpOptions {
  bool strict = false, mid_stream = false, one_sided = false, reset_idle = false;
};

/// What one host, attachment or domain may begin; 0: there is no bound.
struct Budget {
  unsigned per_second = 0;  // first packets; as many may come at once
  unsigned half_open = 0;
};

struct Network {
  unsigned workers = 1;
  unsigned domains = 0;
  std::vector<AttachmentConfig> attachments;
  std::vector<Route> routes;
  std::set<std::pair<Domain, Domain>> connections;  // both ways
  std::vector<Rule> rules;
  std::vector<StaticNat> fixed;
  std::vector<Published> published;
  std::vector<Pool> pools;
  Timeouts timeouts;
  std::vector<Timeouts> rule_timeouts;  // that rules may have instead
  TcpOptions tcp;
  unsigned sessions = 1'024;   // a worker's table
  unsigned half_open = 1'024;  // a worker's half-open sessions
  bool gives_way = true;       // limits.when_full
  unsigned bindings = 1'024;   // a worker's
  Budget of_host, of_attachment, of_domain;
  // What changes by itself.
  std::set<Attachment> down;
  std::set<std::pair<Attachment, Address>> neighbours;  // whose MAC is known

  bool connected(Domain a, Domain b) const { return a == b || connections.count({a, b}) != 0; }
  Domain domain_of(Attachment a) const { return attachments[static_cast<size_t>(a)].domain; }
  bool usable(Attachment a) const { return down.count(a) == 0; }
  const TunnelConfig& tunnel_of(Attachment a) const { return attachments[static_cast<size_t>(a)].tunnel; }
  bool translates() const { return !fixed.empty() || !published.empty() || !pools.empty(); }
  bool inspects() const;
  bool is_gateway(Attachment a, const Address& address) const;
  /// The hub's inside an attachment.
  Mac hub_mac(Attachment a) const;
};

/// Routes, and rules of every kind, as text: to see whether they are the same, and to be read.
std::string routes_of(const Network& network);
std::string rules_of(const Network& network);
/// These, what is down, and whose MACs are not known.
std::string to_string(const Network& network);

/// What tells its tunnel from another one: VNI, or key.
uint32_t vni_of(Attachment a);
/// Its end of the tunnel, and the hub's.
Address tunnel_end_of(Attachment a, bool v6);
Address hub_address(bool v6);
constexpr Mac kPortMac = 0x02'00'00'00'00'01;
Mac underlay_mac(Attachment a);
/// Of a host or router inside an attachment.
Mac mac_of(Attachment a, const Address& address);

}  // namespace weir::model
