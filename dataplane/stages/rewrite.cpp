#include "dataplane/stages/rewrite.h"

namespace weir::dataplane {

bool add_ethernet(rte_mbuf* mbuf, PacketMeta& meta) {
  auto* eth = reinterpret_cast<net::EthHeader*>(rte_pktmbuf_prepend(mbuf, sizeof(net::EthHeader)));
  if (eth == nullptr) return false;
  eth->type = net::be16::of(meta.is_v4() ? net::kEtherIpv4 : net::kEtherIpv6);
  meta.ip_offset = sizeof(net::EthHeader);
  return true;
}

}  // namespace weir::dataplane
