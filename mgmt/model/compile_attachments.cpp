#include <algorithm>

#include "dataplane/tunnel/outer_template.h"
#include "mgmt/model/compile_parts.h"

namespace weir::model {

using namespace dataplane;

namespace {

/// Outer IPv4, UDP and VXLAN headers and the inner Ethernet header: what a port's MTU has to hold besides an
/// inner packet.
constexpr uint16_t kInnerMtuLoss = 20 + 8 + 8 + 14;

const PortFacts* port_with_address(const StartFacts& facts, net::Ipv4 address) {
  for (const PortFacts& port : facts.ports) {
    for (const auto& a : port.addresses) {
      if (a.address == net::IpAddress(address)) return &port;
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

uint16_t inner_mtu(CompileState& state, const config::Attachment& a, uint16_t link_mtu) {
  const uint32_t room = link_mtu > kInnerMtuLoss ? link_mtu - kInnerMtuLoss : 0;
  if (a.mtu > room) {
    state.out.warnings.push_back({a.where, "",
                                  "attachment " + config::in_quotes(a.name) + " has mtu " +
                                      std::to_string(a.mtu) + ", but the underlay leaves room for " +
                                      std::to_string(room) + ", which is used"});
  }
  return static_cast<uint16_t>(a.mtu == 0 ? room : std::min(a.mtu, room));
}

bool same_entry(const TunnelTable::Entry& a, const TunnelTable::Entry& b) {
  return a.key == b.key && a.attachment == b.attachment;
}

/// The hop of a path: the one that workers know already, or a new one.
UnderlayHop* hop_for(CompileState& state, const UnderlayPath& path) {
  auto& hop = state.out.model.hops[path];
  if (hop == nullptr) {
    const auto before = state.input.before.hops.find(path);
    hop = before != state.input.before.hops.end() ? before->second : std::make_shared<UnderlayHop>();
  }
  return hop.get();
}

/// False if the port of its local address does not exist; a problem is noted.
bool fill(CompileState& state, const config::Attachment& from, Attachment& to) {
  const StartFacts& facts = state.input.facts;
  const PortFacts* port = port_with_address(facts, from.local);
  if (port == nullptr) {
    state.problem(from.local_where, "attachment " + config::in_quotes(from.name) + ": its local address " +
                                        net::to_string(net::IpAddress(from.local)) + " is on no port; " +
                                        list_addresses(facts));
    return false;
  }
  uint16_t link_mtu = port->mtu;
  const UnderlayPath path{from.local, from.remote};
  if (const auto known = state.input.paths.find(path); known != state.input.paths.end()) {
    if (known->second.port < facts.ports.size()) port = &facts.ports[known->second.port];
    link_mtu = std::min(port->mtu, known->second.mtu);
  }
  to.hub_mac = from.mac.value_or(default_hub_mac(from.name));
  to.underlay = hop_for(state, path);
  to.port = port->index;
  to.mtu = inner_mtu(state, from, link_mtu);
  to.vni = from.vni;
  to.local = from.local;
  to.remote = from.remote;
  to.udp_port = from.udp_port;
  to.gateways = from.gateways;
  to.name = from.name;
  to.outer = make_outer_template(to, port->mac);
  return true;
}

}  // namespace

void compile_attachments(CompileState& state) {
  const config::Config& config = state.input.config;
  const Model& before = state.input.before;
  Model& model = state.out.model;
  std::vector<Attachment> slots(model.ids.attachments.slots());
  for (const config::Attachment& a : config.attachments) {
    const AttachmentId id = *model.ids.attachments.find(attachment_key(a.domain, a.name));
    const auto domain = model.ids.domains.find(a.domain);
    if (!domain) {
      state.problem(a.where, "attachment " + config::in_quotes(a.name) + ": there is no domain " +
                                 config::in_quotes(a.domain));
      continue;
    }
    Attachment& slot = slots[id.index()];
    slot.id = id;
    slot.domain = *domain;
    if (!fill(state, a, slot)) continue;
    model.tunnel_entries.push_back({{a.local, a.remote, a.vni, a.udp_port}, id});
  }
  if (!state.problems.empty()) return;

  const auto& old = before.tunnel_entries;
  if (before.tunnels != nullptr && std::equal(old.begin(), old.end(), model.tunnel_entries.begin(),
                                              model.tunnel_entries.end(), same_entry)) {
    model.tunnels = before.tunnels;
  } else if (auto table = TunnelTable::build(model.tunnel_entries)) {
    model.tunnels = std::make_shared<const TunnelTable>(std::move(*table));
  } else {
    state.problem({config.file, 0, 0}, table.error().message);
  }
  model.attachments = std::make_shared<const AttachmentTable>(std::move(slots));
}

}  // namespace weir::model
