#include "dataplane/stages/tcp_reset.h"

#include "dataplane/net/tcp_reset.h"
#include "dataplane/stages/ftp.h"
#include "dataplane/stages/session_slow.h"

namespace weir::dataplane {

namespace {

struct Numbers {
  uint32_t seq;
  uint32_t ack;
};

Numbers numbers_for(ResetTo to, const TcpSegment& dropped) {
  if (to == ResetTo::receiver) return {dropped.seq, dropped.ack};
  return {dropped.ack, dropped.end()};
}

constexpr uint8_t kTtl = 65;  // rewrite() takes one off

/// A reset that travels in `direction` of the session, with the ends that its packets leave with: the session
/// may be gone before it is sent. Nothing happens without a next hop, room, or a buffer.
void make_reset(WorkerContext& ctx, Burst& burst, SessionIndex session, Direction direction, uint32_t hash,
                Numbers numbers) {
  if (burst.size == Burst::kCapacity) return;
  const AdjacencyId adjacency = ctx.sessions->at(session).adjacency[static_cast<size_t>(direction)];
  if (!ctx.snapshot->adjacencies->is_live(adjacency)) return;
  rte_mbuf* mbuf = rte_pktmbuf_alloc(ctx.pool);
  if (mbuf == nullptr) return;

  constexpr uint16_t kEth = sizeof(net::EthHeader);
  const Tuple tuple = ctx.sessions->leaving(session, direction);
  const uint16_t length = net::tcp_reset_length(tuple.src.family);
  net::write_tcp_reset(data_of(mbuf) + kEth, {.src = tuple.src,
                                              .dst = tuple.dst,
                                              .src_port = tuple.src_port,
                                              .dst_port = tuple.dst_port,
                                              .seq = ftp_sequence(ctx, session, direction, numbers.seq),
                                              .ack = numbers.ack,
                                              .flags = kRst | kAck,
                                              .ttl = kTtl});
  mbuf->data_len = static_cast<uint16_t>(kEth + length);
  mbuf->pkt_len = mbuf->data_len;

  auto& eth = *reinterpret_cast<net::EthHeader*>(data_of(mbuf));
  eth.type = net::be16::of(tuple.src.is_v4() ? net::kEtherIpv4 : net::kEtherIpv6);
  PacketMeta& made = *new (&meta_of(mbuf)) PacketMeta();
  made.set_key(tuple, 0);  // it is not looked up, and has no session: it leaves as it is
  made.hash = hash;
  made.direction = direction;
  made.adjacency = adjacency;
  made.ip_offset = kEth;
  made.ip_length = length;
  made.l4_offset = static_cast<uint16_t>(length - sizeof(net::TcpHeader));
  made.payload_offset = length;
  made.ttl = kTtl;
  made.origin = Origin::generated;
  burst.push(mbuf);
  ctx.counters.generated.add();
  ctx.counters.resets_sent.add();
}

}  // namespace

void add_reset(WorkerContext& ctx, Burst& burst, rte_mbuf* dropped, ResetTo to) {
  const PacketMeta& meta = meta_of(dropped);
  if (meta.protocol() != net::kProtoTcp || meta.icmp == net::IcmpKind::error || (meta.tcp_flags & kRst) != 0)
    return;
  const Direction direction = to == ResetTo::receiver ? meta.direction : opposite(meta.direction);
  make_reset(ctx, burst, meta.session, direction, meta.hash, numbers_for(to, segment_of(dropped)));
}

void add_idle_resets(WorkerContext& ctx, SessionIndex index) {
  const TcpWindow& window = ctx.sessions->tcp(index);
  for (const Direction direction : {Direction::forward, Direction::reverse}) {
    const TcpSide& sender = window.side[static_cast<size_t>(direction)];
    const TcpSide& receiver = window.side[1 - static_cast<size_t>(direction)];
    make_reset(ctx, ctx.resets, index, direction,
               ctx.sessions->cold(index).hash[static_cast<size_t>(direction)], {sender.acked, receiver.end});
  }
}

}  // namespace weir::dataplane
