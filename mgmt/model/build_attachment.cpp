#include "mgmt/model/build_attachment.h"

#include <algorithm>

#include "dataplane/tunnel/outer_template.h"

namespace weir::model {

using namespace dataplane;

net::Mac default_hub_mac(std::string_view attachment_name) {
  uint32_t hash = 0x811c9dc5;  // FNV-1a
  for (const char c : attachment_name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x01000193;
  return net::Mac::from_u64(0x0257ULL << 32 | hash);
}

namespace {

const PortFacts* port_with_address(const StartFacts& facts, const net::IpAddress& address) {
  for (const PortFacts& port : facts.ports) {
    for (const auto& a : port.addresses) {
      if (a.address == address) return &port;
    }
  }
  return nullptr;
}

const PortFacts* port_called(const StartFacts& facts, std::string_view name) {
  for (const PortFacts& port : facts.ports) {
    if (port.name == name) return &port;
  }
  return nullptr;
}

bool is_native(const config::Attachment& a) { return a.tunnel.kind == TunnelKind::native; }

/// The port at which the attachment's packets come in, as far as the configuration tells. Null: none.
const PortFacts* port_of(const config::Attachment& a, const StartFacts& facts) {
  return is_native(a) ? port_called(facts, a.port) : port_with_address(facts, a.tunnel.local);
}

/// With the port's number filled in.
Tunnel tunnel_of(const config::Attachment& a, const StartFacts& facts) {
  Tunnel tunnel = a.tunnel;
  const PortFacts* port = is_native(a) ? port_of(a, facts) : nullptr;
  if (port != nullptr) tunnel.port = port->index;
  return tunnel;
}

std::string list_addresses(const StartFacts& facts) {
  std::string text;
  for (const PortFacts& port : facts.ports) {
    for (const auto& a : port.addresses) {
      text += (text.empty() ? "" : ", ") + net::to_string(a.address) + " on " + port.name;
    }
  }
  return text.empty() ? "no port has any address" : "there is " + text;
}

uint16_t inner_mtu(const config::Attachment& a, uint16_t link_mtu, std::vector<Problem>& warnings) {
  const uint32_t overhead = overhead_of(a.tunnel);
  const uint32_t room = link_mtu > overhead ? link_mtu - overhead : 0;
  if (a.mtu > room) {
    warnings.push_back({a.where, "",
                        "attachment " + config::in_quotes(a.name) + " has mtu " + std::to_string(a.mtu) +
                            ", but the underlay leaves room for " + std::to_string(room) +
                            ", which is used"});
  }
  return static_cast<uint16_t>(a.mtu == 0 ? room : std::min(a.mtu, room));
}

}  // namespace

uint16_t hub_address_number(const StartFacts& facts, const net::IpAddress& address) {
  if (address.is_v4()) return 0;
  uint16_t number = 0;
  for (const PortFacts& port : facts.ports) {
    for (const auto& a : port.addresses) {
      ++number;
      if (a.address == address) return number;
    }
  }
  return 0;
}

std::vector<HubAddress> hub_addresses(const StartFacts& facts) {
  std::vector<HubAddress> all;
  for (const PortFacts& port : facts.ports) {
    for (const auto& a : port.addresses)
      all.push_back({a.address, port.index, port.kernel_shared, hub_address_number(facts, a.address)});
  }
  return all;
}

std::vector<TunnelKey> keys_of(const config::Attachment& a, const StartFacts& facts) {
  return dataplane::keys_of(tunnel_of(a, facts), hub_address_number(facts, a.tunnel.local));
}

TunnelKey peer_key_of(const UnderlayPath& path, const StartFacts& facts) {
  Tunnel any;
  any.local = path.first;
  any.remote = path.second;
  return dataplane::keys_of(any, hub_address_number(facts, path.first)).front().peer();
}

std::optional<UnderlayPath> path_of(const config::Attachment& a) {
  if (is_native(a)) return std::nullopt;
  return UnderlayPath{a.tunnel.local, a.tunnel.remote};
}

std::string local_end_problem(const config::Attachment& a, const StartFacts& facts) {
  const std::string who = "attachment " + config::in_quotes(a.name) + ": ";
  const PortFacts* listener = port_called(facts, a.multicast_to);
  if (!a.multicast_to.empty() && (listener == nullptr || !listener->tap))
    return who + "there is no tap port " + config::in_quotes(a.multicast_to);
  if (port_of(a, facts) != nullptr) return "";
  if (is_native(a)) return who + "there is no port " + config::in_quotes(a.port);
  return who + "its local address " + net::to_string(a.tunnel.local) + " is on no port; " +
         list_addresses(facts);
}

std::unique_ptr<Attachment> build_attachment(const config::Attachment& from, const StartFacts& facts,
                                             const AttachmentPlace& place, std::vector<Problem>& warnings) {
  const PortFacts* port = port_of(from, facts);
  uint16_t link_mtu = port->mtu;
  if (place.path != nullptr) {
    if (place.path->port < facts.ports.size()) port = &facts.ports[place.path->port];
    link_mtu = std::min(port->mtu, place.path->mtu);
  }
  auto to = std::make_unique<Attachment>();
  to->id = place.id;
  to->domain = place.domain;
  to->hub_mac = is_native(from) ? port->mac : from.mac.value_or(default_hub_mac(from.name));
  to->underlay = place.hop;
  to->port = port->index;
  to->mtu = inner_mtu(from, link_mtu, warnings);
  to->tunnel = tunnel_of(from, facts);
  to->gateways = from.gateways;
  to->police = {from.max_packets_per_second, from.max_bytes_per_second};
  to->policed = from.max_packets_per_second != 0 || from.max_bytes_per_second != 0;
  if (const PortFacts* listener = port_called(facts, from.multicast_to)) to->multicast_port = listener->index;
  to->reverse_path = from.reverse_path;
  to->mss_clamp = from.mss_clamp;
  to->name = from.name;
  make_outer_template(*to, port->mac, port->vlan);
  return to;
}

}  // namespace weir::model
