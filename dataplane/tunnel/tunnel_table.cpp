#include "dataplane/tunnel/tunnel_table.h"

#include <algorithm>

namespace weir::dataplane {

namespace {

TunnelKey make(const Tunnel& tunnel, uint16_t local_number, KeyKind kind, uint32_t id = 0,
               uint16_t port = 0) {
  if (tunnel.local.is_v4()) return TunnelKey::v4(kind, tunnel.local.v4(), tunnel.remote.v4(), id, port);
  return TunnelKey::v6(kind, local_number, tunnel.remote.v6(), id, port);
}

}  // namespace

std::string to_string(const TunnelKey& key) {
  const auto number = [](uint32_t v) { return std::to_string(v); };
  if (key.kind() == KeyKind::native) {
    return "port " + number(key.port()) + ", VLAN " + number(key.id() >> 16) + "." +
           number(key.id() & 0xffff);
  }
  std::string text =
      key.number() != 0
          ? "local " + number(key.number()) + ", remote " + net::to_string(net::Ipv6{key.hi, key.lo})
          : "local " + net::to_string(net::Ipv4{static_cast<uint32_t>(key.lo >> 32)}) + ", remote " +
                net::to_string(net::Ipv4{static_cast<uint32_t>(key.lo)});
  switch (key.kind()) {
    case KeyKind::vxlan:
      return text + ", VXLAN port " + number(key.port()) + ", VNI " + number(key.id());
    case KeyKind::geneve:
      return text + ", GENEVE port " + number(key.port()) + ", VNI " + number(key.id());
    case KeyKind::gre:
      return text + ", GRE without a key";
    case KeyKind::gre_keyed:
      return text + ", GRE key " + number(key.id());
    case KeyKind::ipip4:
      return text + ", IPv4 in IP";
    case KeyKind::ipip6:
      return text + ", IPv6 in IP";
    default:
      return text;
  }
}

std::vector<TunnelKey> keys_of(const Tunnel& tunnel, uint16_t local_number) {
  switch (tunnel.kind) {
    case TunnelKind::vxlan:
    case TunnelKind::geneve:
      return {make(tunnel, local_number, udp_kind(tunnel.kind), tunnel.id, tunnel.udp_port)};
    case TunnelKind::gre:
      return {make(tunnel, local_number, tunnel.keyed ? KeyKind::gre_keyed : KeyKind::gre, tunnel.id)};
    case TunnelKind::ipip: {
      std::vector<TunnelKey> keys;
      if (tunnel.inner != InnerFamilies::ipv6) keys.push_back(make(tunnel, local_number, KeyKind::ipip4));
      if (tunnel.inner != InnerFamilies::ipv4) keys.push_back(make(tunnel, local_number, KeyKind::ipip6));
      return keys;
    }
    case TunnelKind::native:
      return {TunnelKey::native(tunnel.port, tunnel.outer_vlan, tunnel.vlan)};
  }
  return {};
}

Result<TunnelTable> TunnelTable::build(const std::vector<Entry>& entries) {
  TunnelTable table(std::max(kLeastRoom, static_cast<uint32_t>(entries.size())));
  for (const Entry& entry : entries) {
    if (!entry.attachment.valid()) {
      return fail(ErrorCode::invalid, "no attachment for the tunnel with " + to_string(entry.key));
    }
    if (table.find(entry.key).valid()) {
      if (entry.key.kind() == KeyKind::peer) continue;
      return fail(ErrorCode::in_use, "two attachments have the same tunnel: " + to_string(entry.key));
    }
    table.set(entry.key, entry.attachment);
  }
  return table;
}

}  // namespace weir::dataplane
