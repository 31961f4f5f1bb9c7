#include "dataplane/stages/mark.h"

#include "dataplane/net/ecn.h"
#include "dataplane/net/headers.h"

namespace weir::dataplane {

void mark(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  const uint8_t dscp = ctx.sessions->cold(meta.session).effects.dscp;
  const auto tos = static_cast<uint8_t>(dscp << 2 | (meta.tos & net::kEcnMask));
  if (tos == meta.tos) return;
  meta.tos = tos;
  uint8_t* ip = data_of(mbuf) + meta.ip_offset;
  if (meta.is_v4()) {
    net::set_tos(*reinterpret_cast<net::Ipv4Header*>(ip), tos);
  } else {
    net::set_tos(*reinterpret_cast<net::Ipv6Header*>(ip), tos);
  }
}

}  // namespace weir::dataplane
