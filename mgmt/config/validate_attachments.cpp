// Domains and attachments.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "mgmt/config/validate.h"
#include "mgmt/config/values.h"

namespace weir::config {

namespace {

/// Sessions name a domain by a 16-bit slot.
constexpr size_t kMaxDomains = 65'535;
/// Outer Ethernet's payload less inner Ethernet's: IPv4, UDP, VXLAN and the inner Ethernet header (RFC 7348).
constexpr uint32_t kVxlanOverheadBytes = 20 + 8 + 8 + 14;
constexpr uint32_t kMinIpv6Mtu = 1'280;  // RFC 8200, 5

std::string ip_text(net::Ipv4 a) { return net::to_string(net::IpAddress(a)); }

/// The hub's own ends of tunnels, as far as the file tells them.
struct Underlay {
  std::map<net::Ipv4, const Port*> addresses;
  bool complete =
      true;  // false: an af_xdp port takes its addresses from the kernel, or a port is wrong anyway
};

Underlay underlay_of(const Validation& v) {
  Underlay underlay;
  for (size_t i = 0; i < v.draft.ports.size(); ++i) {
    const Port& port = v.draft.config.ports[i];
    if (v.draft.ports[i]->bad || (port.driver == PortDriver::af_xdp && port.addresses.empty()))
      underlay.complete = false;
    for (const auto& a : port.addresses) underlay.addresses.emplace(a.address.v4(), &port);
  }
  if (v.draft.ports.empty()) underlay.complete = false;
  return underlay;
}

const Node* vxlan_of(const Node& table) {
  const Node* vxlan = table.find("vxlan");
  return vxlan != nullptr && vxlan->kind == Node::Kind::table ? vxlan : nullptr;
}

void check_ends(const Validation& v, const Attachment& a, const Node& vxlan, const Underlay& underlay) {
  const Node* local = vxlan.get("local");
  const Node* remote = vxlan.get("remote");
  constexpr std::string_view kLocal = "attachment[].vxlan.local", kRemote = "attachment[].vxlan.remote";
  if (local != nullptr) {
    if (net::is_martian(a.local)) {
      v.report.at(*local, kLocal, in_quotes(local->text) + " is not a routable unicast address");
    } else if (underlay.complete && !underlay.addresses.contains(a.local)) {
      v.report.at(*local, kLocal, "no port has the address " + ip_text(a.local));
    }
  }
  if (remote == nullptr) return;
  if (net::is_martian(a.remote)) {
    v.report.at(*remote, kRemote, in_quotes(remote->text) + " is not a routable unicast address");
  } else if (local != nullptr && a.remote == a.local) {
    v.report.at(*remote, kRemote, "the same address as local; the remote end is the peer's");
  } else if (underlay.addresses.contains(a.remote)) {
    v.report.at(*remote, kRemote,
                ip_text(a.remote) + " is an address of the hub itself; the remote end is the peer's");
  }
}

void check_mtu(const Validation& v, const Attachment& a, const Node& table, const Underlay& underlay) {
  if (a.mtu == 0) return;
  const bool ipv6 =
      std::any_of(a.gateways.begin(), a.gateways.end(), [](const auto& g) { return !g.address.is_v4(); });
  if (ipv6 && a.mtu < kMinIpv6Mtu) {
    v.report.at(table, "mtu", "attachment[].mtu",
                "IPv6 needs an MTU of at least " + std::to_string(kMinIpv6Mtu));
  }
  const auto port = underlay.addresses.find(a.local);
  if (port == underlay.addresses.end() || port->second->mtu == 0) return;
  if (a.mtu + kVxlanOverheadBytes > port->second->mtu) {
    v.report.at(table, "mtu", "attachment[].mtu",
                std::to_string(a.mtu) + " and " + std::to_string(kVxlanOverheadBytes) +
                    " bytes of encapsulation are more than the MTU of port " + in_quotes(port->second->name) +
                    " (" + std::to_string(port->second->mtu) + ")");
  }
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
  std::map<std::tuple<net::Ipv4, net::Ipv4, uint32_t, uint16_t>, size_t> outer_keys;
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
    const Node* vxlan = vxlan_of(table);
    if (vxlan == nullptr) continue;
    check_ends(v, a, *vxlan, underlay);
    if (vxlan->bad) continue;
    const auto [first, added] = outer_keys.emplace(std::tuple(a.local, a.remote, a.vni.value, a.udp_port), i);
    if (!added) {
      v.report.at(*vxlan, "attachment[].vxlan",
                  "attachment " + in_quotes(attachments[first->second].name) + " on " +
                      at_line(*v.draft.attachments[first->second]) +
                      " has the same local address, remote address, VNI and port already");
    }
  }
  check_overlaps(v, std::move(on_link));
}

}  // namespace weir::config
