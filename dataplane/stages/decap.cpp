#include "dataplane/stages/decap.h"

#include "dataplane/net/headers.h"

namespace weir::dataplane {

Next unknown_tunnel(const Snapshot& snapshot, TunnelKey key) {
  if (key.kind() == KeyKind::native || snapshot.tunnels->find(key.peer()).valid())
    return Next::drop(DropReason::tunnel_unknown);
  net::IpAddress peer = net::Ipv6{key.hi, key.lo};
  if (key.number() == 0) {
    peer = net::Ipv4{static_cast<uint32_t>(key.lo)};
    const net::IpAddress local = net::Ipv4{static_cast<uint32_t>(key.lo >> 32)};
    bool ours = false;
    for (const HubAddress& own : snapshot.hub_addresses) ours |= own.address == local;
    if (!ours) return Next::drop(DropReason::outer_not_for_hub);
  }
  return Next::drop(net::is_martian(peer) ? DropReason::outer_martian : DropReason::tunnel_peer);
}

void strip_tags(rte_mbuf* mbuf, uint16_t length) {
  if (length == 0) return;
  uint8_t* data = data_of(mbuf);
  std::memmove(data + length, data, 2 * sizeof(net::Mac));
  rte_pktmbuf_adj(mbuf, length);
}

}  // namespace weir::dataplane
