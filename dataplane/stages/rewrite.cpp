#include "dataplane/stages/rewrite.h"

#include "dataplane/stages/mss.h"

namespace weir::dataplane {

void clamp_mss(const Snapshot& snapshot, rte_mbuf* mbuf, const Attachment& egress) {
  const PacketMeta& meta = meta_of(mbuf);
  uint8_t* tcp = data_of(mbuf) + meta.ip_offset + meta.l4_offset;
  const size_t header = meta.payload_offset - meta.l4_offset;
  lower_mss({tcp, header}, largest_segment(snapshot.attachment(meta.ingress), egress, meta.family));
}

bool add_ethernet(rte_mbuf* mbuf, PacketMeta& meta) {
  auto* eth = reinterpret_cast<net::EthHeader*>(rte_pktmbuf_prepend(mbuf, sizeof(net::EthHeader)));
  if (eth == nullptr) return false;
  eth->type = net::be16::of(meta.is_v4() ? net::kEtherIpv4 : net::kEtherIpv6);
  meta.ip_offset = sizeof(net::EthHeader);
  return true;
}

}  // namespace weir::dataplane
