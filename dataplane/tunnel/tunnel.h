// A tunnel, or a port in its place, as the configuration describes it: plain values.
#pragma once

#include <compare>
#include <cstdint>

#include "dataplane/core/ids.h"
#include "dataplane/net/address.h"

namespace weir::dataplane {

enum class TunnelKind : uint8_t { vxlan, geneve, gre, ipip, native };

/// Which families an IP-in-IP tunnel carries. IPv4 and IPv6 inside are two protocols outside (4 and 41), so
/// that two attachments may share a pair of endpoints.
enum class InnerFamilies : uint8_t { any, ipv4, ipv6 };

/// What becomes of DSCP (RFC 2983): `pipe` keeps the inner one from the underlay and the underlay's from the
/// inside; `uniform` carries one through both.
enum class DscpModel : uint8_t { pipe, uniform };

struct Tunnel {
  TunnelKind kind = TunnelKind::vxlan;
  bool ethernet = true;       // carries Ethernet frames; else IP packets
  bool keyed = false;         // gre: has a key
  bool udp_checksum = false;  // vxlan, geneve: sent, and over IPv6 insisted on when received (RFC 6935)
  DscpModel dscp_model = DscpModel::pipe;
  uint8_t dscp = 0;                          // pipe: of outer headers
  uint8_t ttl = 64;                          // of outer headers
  InnerFamilies inner = InnerFamilies::any;  // ipip
  uint16_t udp_port = 4789;                  // vxlan, geneve: destination, both ways; host order
  uint32_t id = 0;                           // VNI or key
  net::IpAddress local;                      // the hub's underlay address
  net::IpAddress remote;                     // the peer's, same family
  // native
  PortIndex port = 0;
  uint16_t vlan = 0;        // 0: untagged
  uint16_t outer_vlan = 0;  // QinQ (802.1ad): the service tag; 0: none

  friend constexpr auto operator<=>(const Tunnel&, const Tunnel&) = default;
};

inline constexpr uint16_t kVxlanPort = 4789, kGenevePort = 6081;

constexpr bool over_udp(TunnelKind kind) { return kind == TunnelKind::vxlan || kind == TunnelKind::geneve; }

/// Tunnel::udp_checksum if nobody says otherwise: over IPv6 receivers commonly insist on one (RFC 6936).
constexpr bool default_udp_checksum(const Tunnel& tunnel) {
  return over_udp(tunnel.kind) && !tunnel.local.is_v4();
}

}  // namespace weir::dataplane
