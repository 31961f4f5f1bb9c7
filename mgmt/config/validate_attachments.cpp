// Domains and attachments.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "dataplane/tunnel/outer_template.h"
#include "dataplane/tunnel/tunnel_table.h"
#include "mgmt/config/choices.h"
#include "mgmt/config/validate.h"
#include "mgmt/config/values.h"

namespace weir::config {

namespace {

/// Sessions name a domain by a 16-bit slot.
constexpr size_t kMaxDomains = 65'535;
constexpr uint32_t kMinIpv6Mtu = 1'280;  // RFC 8200, 5

/// The hub's own ends of tunnels, as far as the file tells them.
struct Underlay {
  std::map<net::IpAddress, const Port*> addresses;
  bool complete =
      true;  // false: an af_xdp port takes its addresses from the kernel, or a port is wrong anyway
};

Underlay underlay_of(const Validation& v) {
  Underlay underlay;
  for (size_t i = 0; i < v.draft.ports.size(); ++i) {
    const Port& port = v.draft.config.ports[i];
    if (v.draft.ports[i]->bad || (port.driver == PortDriver::af_xdp && port.addresses.empty()))
      underlay.complete = false;
    for (const auto& a : port.addresses) underlay.addresses.emplace(a.address, &port);
  }
  if (v.draft.ports.empty()) underlay.complete = false;
  return underlay;
}

/// The attachment's tunnel: the table of its kind, and what the other keys of it have to do with that.
struct TunnelTables {
  const Node* table = nullptr;  // null: there is none, or one that is no table; reported
  std::string path;             // "attachment[].vxlan"
};

TunnelTables tunnel_of(const Validation& v, const Attachment& a, const Node& attachment) {
  TunnelTables found;
  std::string_view first;
  bool reported = false;
  for (const auto& kind : kTunnelKinds) {
    const Node* node = attachment.find(kind.name);
    if (node == nullptr) continue;
    const std::string path = "attachment[]." + std::string(kind.name);
    if (!first.empty()) {
      v.report.at(*node, path,
                  "the attachment has " + in_quotes(first) + " already; it can have one of them only");
      reported = true;
    }
    if (first.empty()) first = kind.name;
    if (node->kind == Node::Kind::table && kind.value == a.tunnel.kind) found = {node, path};
  }
  if (first.empty() && !reported) {
    v.report.at(
        attachment, "attachment[]",
        "no tunnel; one of the tables \"vxlan\", \"geneve\", \"gre\", \"ipip\" and \"native\" is needed");
  }
  return found;
}

/// The attachment inside of which the hub has the address, or null.
const Attachment* inside_of(const Validation& v, const net::IpAddress& address) {
  for (const Attachment& a : v.draft.config.attachments) {
    for (const net::InterfaceAddress& gateway : a.gateways) {
      if (gateway.address == address) return &a;
    }
  }
  return nullptr;
}

void check_ends(const Validation& v, const Attachment& a, const TunnelTables& tunnel,
                const Underlay& underlay) {
  const Node* local = tunnel.table->get("local");
  const Node* remote = tunnel.table->get("remote");
  const net::IpAddress& ours = a.tunnel.local;
  const net::IpAddress& theirs = a.tunnel.remote;
  const std::string local_path = tunnel.path + ".local", remote_path = tunnel.path + ".remote";
  if (local != nullptr) {
    if (net::is_martian(ours)) {
      v.report.at(*local, local_path, in_quotes(local->text) + " is not a routable unicast address");
    } else if (underlay.complete && !underlay.addresses.contains(ours)) {
      const Attachment* other = inside_of(v, ours);
      v.report.at(*local, local_path,
                  other == nullptr ? "no port has the address " + net::to_string(ours)
                                   : net::to_string(ours) + " is the hub's address inside attachment " +
                                         in_quotes(other->name) +
                                         "; a tunnel's outer packets do not go through another tunnel");
    }
  }
  if (remote == nullptr) return;
  if (net::is_martian(theirs)) {
    v.report.at(*remote, remote_path, in_quotes(remote->text) + " is not a routable unicast address");
  } else if (local != nullptr && theirs.family != ours.family) {
    v.report.at(*remote, remote_path, "of another family than local; outer packets are IPv4 or IPv6");
  } else if (local != nullptr && theirs == ours) {
    v.report.at(*remote, remote_path, "the same address as local; the remote end is the peer's");
  } else if (underlay.addresses.contains(theirs)) {
    v.report.at(*remote, remote_path,
                net::to_string(theirs) + " is an address of the hub itself; the remote end is the peer's");
  }
}

/// The keys beside the tunnel's own table that some kinds have no use for.
void check_outer_keys(const Validation& v, const Attachment& a, const Node& table) {
  const dataplane::Tunnel& t = a.tunnel;
  const auto refuse = [&](std::string_view key, const std::string& why) {
    if (const Node* node = table.find(key); node != nullptr)
      v.report.at(*node, "attachment[]." + std::string(key), why);
  };
  if (t.kind == dataplane::TunnelKind::native) {
    for (const std::string_view key : {"ttl", "dscp_model", "dscp", "udp_checksum"}) {
      refuse(key, "a native attachment has no outer header; leave the key out");
    }
    return refuse("mac", "a native attachment has its port's MAC; leave the key out");
  }
  if (!over_udp(t.kind))
    refuse("udp_checksum", "only VXLAN and GENEVE have an outer UDP header; leave the key out");
  if (t.dscp_model == dataplane::DscpModel::uniform)
    refuse("dscp", "with dscp_model \"uniform\" it is the inner packet's; leave the key out");
}

void check_native(const Validation& v, const Attachment& a, const TunnelTables& tunnel) {
  if (const Node* port = tunnel.table->get("port"))
    v.ports.resolve(a.port, *port, tunnel.path + ".port", v.report);
  if (a.tunnel.outer_vlan != 0 && a.tunnel.vlan == 0) {
    v.report.at(*tunnel.table, "outer_vlan", tunnel.path + ".outer_vlan",
                "an outer VLAN has an inner one; the key for a single tag is \"vlan\"");
  }
  const size_t* index = v.ports.find(a.port);
  if (index == nullptr) return;
  const Port& port = v.draft.config.ports[*index];
  if (a.tunnel.outer_vlan == 0 && a.tunnel.vlan == port.vlan && !port.addresses.empty()) {
    v.report.at(*tunnel.table, "vlan", tunnel.path + ".vlan",
                "the underlay of port " + in_quotes(port.name) +
                    " is there already, with the port's addresses; a native attachment takes all packets");
  }
}

void check_multicast(const Validation& v, const Attachment& a, const Node& table) {
  const Node* name = table.get("multicast_to");
  if (name == nullptr) return;
  const std::string path = "attachment[].multicast_to";
  v.ports.resolve(a.multicast_to, *name, path, v.report);
  const size_t* index = v.ports.find(a.multicast_to);
  if (index != nullptr && v.draft.config.ports[*index].driver != PortDriver::tap) {
    v.report.at(*name, path,
                "port " + in_quotes(a.multicast_to) +
                    " is no \"tap\" port, behind which a program of this "
                    "machine listens");
  }
  if (!a.tunnel.ethernet)
    v.report.at(*name, path, "the tunnel carries no Ethernet, and so no multicast frames");
  if (a.port == a.multicast_to)
    v.report.at(*name, path, "the attachment's own port: frames would go back where they come from");
}

/// The port that the attachment's packets leave by, as far as the file tells.
const Port* port_of(const Validation& v, const Attachment& a, const Underlay& underlay) {
  if (a.tunnel.kind == dataplane::TunnelKind::native) {
    const size_t* index = v.ports.find(a.port);
    return index != nullptr ? &v.draft.config.ports[*index] : nullptr;
  }
  const auto found = underlay.addresses.find(a.tunnel.local);
  return found != underlay.addresses.end() ? found->second : nullptr;
}

void check_mtu(const Validation& v, const Attachment& a, const Node& table, const Underlay& underlay) {
  if (a.mtu == 0) return;
  const bool ipv6 =
      std::any_of(a.gateways.begin(), a.gateways.end(), [](const auto& g) { return !g.address.is_v4(); });
  if (ipv6 && a.mtu < kMinIpv6Mtu) {
    v.report.at(table, "mtu", "attachment[].mtu",
                "IPv6 needs an MTU of at least " + std::to_string(kMinIpv6Mtu));
  }
  const Port* port = port_of(v, a, underlay);
  if (port == nullptr || port->mtu == 0) return;
  const uint32_t overhead = dataplane::overhead_of(a.tunnel);
  if (a.mtu + overhead > port->mtu) {
    v.report.at(table, "mtu", "attachment[].mtu",
                std::to_string(a.mtu) + " and " + std::to_string(overhead) +
                    " bytes of encapsulation are more than the MTU of port " + in_quotes(port->name) + " (" +
                    std::to_string(port->mtu) + ")");
  }
}

/// What packets of other attachments are told apart by: keys that have been used, and what for.
struct Used {
  /// With the local address beside the key, which has an IPv6 address only as a number.
  std::map<std::tuple<net::IpAddress, std::string, dataplane::TunnelKey>, size_t> keys;
  dataplane::UdpTunnels udp;
};

void check_keys(const Validation& v, size_t index, const TunnelTables& tunnel, Used& used) {
  const auto& attachments = v.draft.config.attachments;
  const dataplane::Tunnel& t = attachments[index].tunnel;
  const std::string& port = attachments[index].port;
  for (const dataplane::TunnelKey& key : dataplane::keys_of(t, 0)) {
    const auto [first, added] = used.keys.emplace(std::tuple(t.local, port, key), index);
    if (added) continue;
    const std::string what =
        t.kind == dataplane::TunnelKind::native ? "port and VLAN"
        : t.kind == dataplane::TunnelKind::ipip ? "local address, remote address and inner family"
        : t.kind == dataplane::TunnelKind::gre  ? "local address, remote address and key"
                                                : "local address, remote address, VNI and port";
    return v.report.at(*tunnel.table, tunnel.path,
                       "attachment " + in_quotes(attachments[first->second].name) + " on " +
                           at_line(*v.draft.attachments[first->second]) + " has the same " + what +
                           " already");
  }
  if (!over_udp(t.kind)) return;
  const auto kind =
      t.kind == dataplane::TunnelKind::vxlan ? dataplane::KeyKind::vxlan : dataplane::KeyKind::geneve;
  if (used.udp.add(t.udp_port, kind)) return;
  const bool other = used.udp.find(t.udp_port) != dataplane::KeyKind::none;
  v.report.at(
      *tunnel.table, "port", tunnel.path + ".port",
      other ? "UDP port " + std::to_string(t.udp_port) + " is another kind of tunnel's already"
            : "there are at most " + std::to_string(dataplane::UdpTunnels::kMax) + " different UDP ports");
}

/// One subnet that is on-link in an attachment.
struct OnLink {
  net::Prefix subnet;
  size_t attachment;
  const Node* value;
};

void check_gateways(const Validation& v, size_t index, std::vector<OnLink>& on_link) {
  const Attachment& a = v.draft.config.attachments[index];
  const Node* list = v.draft.attachments[index]->get("gateway");
  if (list == nullptr) return;
  std::set<net::Prefix> own;
  for (size_t i = 0; i < a.gateways.size(); ++i) {
    const Node& element = list->children[i];
    if (const std::string why = not_a_host_address(a.gateways[i]); !why.empty()) {
      v.report.at(element, "attachment[].gateway", in_quotes(element.text) + " " + why);
    } else if (!own.insert(a.gateways[i].subnet()).second) {
      v.report.at(element, "attachment[].gateway",
                  "the attachment has an address in " + net::to_string(a.gateways[i].subnet()) +
                      " already; one is enough");
    } else {
      on_link.push_back({a.gateways[i].subnet(), index, &element});
    }
  }
}

void check_health(const Validation& v, const Attachment& a, const Node& table) {
  const Node* health = table.find("health");
  if (health == nullptr || health->kind != Node::Kind::table) return;
  const Node* address = health->get("address");
  if (a.health.probe == HealthProbe::neighbor && !a.tunnel.ethernet) {
    v.report.at(*health, "probe", "attachment[].health.probe",
                "the attachment carries no Ethernet, so nobody answers ARP or ND there; \"icmp\" is for it");
  }
  if (address == nullptr) {
    if (a.health.probe == HealthProbe::none || health->bad) return;
    return v.report.at(*health, "attachment[].health.address",
                       "a probe needs the address of somebody to ask");
  }
  const net::IpAddress& asked = *a.health.address;
  for (const net::InterfaceAddress& gateway : a.gateways) {
    if (gateway.address == asked) {
      return v.report.at(*address, "attachment[].health.address",
                         net::to_string(asked) + " is the hub's own address; somebody else has to answer");
    }
  }
  for (const net::InterfaceAddress& gateway : a.gateways) {
    if (!gateway.subnet().contains(asked)) continue;
    const std::string why = not_a_host_address({asked, gateway.length});
    if (!why.empty()) {
      v.report.at(*address, "attachment[].health.address", in_quotes(net::to_string(asked)) + " " + why);
    }
    return;
  }
  v.report.at(*address, "attachment[].health.address",
              net::to_string(asked) + " lies in none of the attachment's gateway subnets");
}

/// Prefixes are nested or disjoint: sorted by first address, then length, each one that overlaps an earlier
/// one lies within the last prefix that was not itself inside another.
void check_overlaps(const Validation& v, std::vector<OnLink> on_link) {
  const auto& attachments = v.draft.config.attachments;
  const auto order = [&](const OnLink& x) {
    return std::tuple(std::string_view(attachments[x.attachment].domain), x.subnet.address, x.subnet.length,
                      x.attachment);
  };
  std::sort(on_link.begin(), on_link.end(),
            [&](const OnLink& a, const OnLink& b) { return order(a) < order(b); });
  const OnLink* outer = nullptr;
  for (const OnLink& x : on_link) {
    if (v.report.full()) return;
    const bool inside = outer != nullptr &&
                        attachments[outer->attachment].domain == attachments[x.attachment].domain &&
                        outer->subnet.contains(x.subnet);
    if (!inside) {
      outer = &x;
      continue;
    }
    if (outer->attachment == x.attachment) continue;
    // The later one in the file is the one to blame.
    const bool x_later = x.attachment > outer->attachment;
    const OnLink& later = x_later ? x : *outer;
    const OnLink& earlier = x_later ? *outer : x;
    v.report.at(*later.value, "attachment[].gateway",
                net::to_string(later.subnet) + " overlaps " + net::to_string(earlier.subnet) +
                    " of attachment " + in_quotes(attachments[earlier.attachment].name) +
                    " in the same domain, on " + at_line(*earlier.value));
  }
}

}  // namespace

void validate_attachments(const Validation& v) {
  const auto& attachments = v.draft.config.attachments;
  if (v.draft.domains.size() > kMaxDomains) {
    v.report.at(*v.draft.domains[kMaxDomains], "domain",
                "there are at most " + std::to_string(kMaxDomains) + " domains");
  }
  if (const size_t most = v.draft.config.limits.attachments; attachments.size() > most) {
    v.report.at(*v.draft.attachments[most], "attachment",
                "there are at most " + std::to_string(most) + " attachments (limits.attachments)");
  }
  const Underlay underlay = underlay_of(v);
  Used used;
  std::vector<OnLink> on_link;
  for (size_t i = 0; i < attachments.size() && !v.report.full(); ++i) {
    const Attachment& a = attachments[i];
    const Node& table = *v.draft.attachments[i];
    if (const Node* domain = table.get("domain")) {
      v.domains.resolve(a.domain, *domain, "attachment[].domain", v.report);
    }
    check_gateways(v, i, on_link);
    check_health(v, a, table);
    if (table.get("mtu") != nullptr) check_mtu(v, a, table, underlay);
    const TunnelTables tunnel = tunnel_of(v, a, table);
    if (tunnel.table == nullptr) continue;
    check_outer_keys(v, a, table);
    check_multicast(v, a, table);
    if (a.tunnel.kind == dataplane::TunnelKind::native) {
      check_native(v, a, tunnel);
    } else {
      check_ends(v, a, tunnel, underlay);
    }
    if (!tunnel.table->bad) check_keys(v, i, tunnel, used);
  }
  check_overlaps(v, std::move(on_link));
}

}  // namespace weir::config
