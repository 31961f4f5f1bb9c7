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

/// Outer IPv4, UDP and VXLAN headers and the inner Ethernet header: what a port's MTU has to hold besides an
/// inner packet.
constexpr uint16_t kInnerMtuLoss = 20 + 8 + 8 + 14;

const PortFacts* port_with_address(const StartFacts& facts, const net::IpAddress& address) {
  for (const PortFacts& port : facts.ports) {
    for (const auto& a : port.addresses) {
      if (a.address == address) return &port;
    }
  }
  return nullptr;
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
  const uint32_t room = link_mtu > kInnerMtuLoss ? link_mtu - kInnerMtuLoss : 0;
  if (a.mtu > room) {
    warnings.push_back({a.where, "",
                        "attachment " + config::in_quotes(a.name) + " has mtu " + std::to_string(a.mtu) +
                            ", but the underlay leaves room for " + std::to_string(room) +
                            ", which is used"});
  }
  return static_cast<uint16_t>(a.mtu == 0 ? room : std::min(a.mtu, room));
}

}  // namespace

std::vector<TunnelKey> keys_of(const config::Attachment& a) {
  return {{a.local, a.remote, a.vni, a.udp_port}};
}

UnderlayPath path_of(const config::Attachment& a) { return {a.local, a.remote}; }

std::string local_end_problem(const config::Attachment& a, const StartFacts& facts) {
  if (port_with_address(facts, net::IpAddress(a.local)) != nullptr) return "";
  return "attachment " + config::in_quotes(a.name) + ": its local address " +
         net::to_string(net::IpAddress(a.local)) + " is on no port; " + list_addresses(facts);
}

std::unique_ptr<Attachment> build_attachment(const config::Attachment& from, const StartFacts& facts,
                                             const AttachmentPlace& place, std::vector<Problem>& warnings) {
  const PortFacts* port = port_with_address(facts, net::IpAddress(from.local));
  uint16_t link_mtu = port->mtu;
  if (place.path != nullptr) {
    if (place.path->port < facts.ports.size()) port = &facts.ports[place.path->port];
    link_mtu = std::min(port->mtu, place.path->mtu);
  }
  auto to = std::make_unique<Attachment>();
  to->id = place.id;
  to->domain = place.domain;
  to->hub_mac = from.mac.value_or(default_hub_mac(from.name));
  to->underlay = place.hop;
  to->port = port->index;
  to->mtu = inner_mtu(from, link_mtu, warnings);
  to->vni = from.vni;
  to->local = from.local;
  to->remote = from.remote;
  to->udp_port = from.udp_port;
  to->gateways = from.gateways;
  to->name = from.name;
  to->outer = make_outer_template(*to, port->mac);
  return to;
}

}  // namespace weir::model
