#include "dataplane/stages/tcp_reset.h"

#include "dataplane/net/checksum.h"
#include "dataplane/net/parse.h"
#include "dataplane/session/tcp_state.h"

namespace weir::dataplane {

namespace {

using net::be16;
using net::be32;
using net::EthHeader;
using net::Ipv4Header;
using net::Ipv6Header;
using net::TcpHeader;

struct Numbers {
  uint32_t seq;
  uint32_t ack;
};

/// How much sequence space the dropped packet takes.
uint32_t segment_length(const PacketMeta& meta) {
  const uint32_t payload = static_cast<uint32_t>(meta.ip_length - meta.payload_offset);
  return payload + ((meta.tcp_flags & kSyn) != 0) + ((meta.tcp_flags & kFin) != 0);
}

Numbers numbers_for(ResetTo to, const TcpHeader& dropped, const PacketMeta& meta) {
  if (to == ResetTo::receiver) return {dropped.seq.host(), dropped.ack.host()};
  return {dropped.ack.host(), dropped.seq.host() + segment_length(meta)};
}

void write_tcp(uint8_t* at, const Tuple& tuple, Numbers numbers, net::Bytes addresses) {
  TcpHeader tcp{};
  tcp.src_port = be16::of(tuple.src_port);
  tcp.dst_port = be16::of(tuple.dst_port);
  tcp.seq = be32::of(numbers.seq);
  tcp.ack = be32::of(numbers.ack);
  tcp.data_offset = sizeof(TcpHeader) / 4 << 4;
  tcp.flags = kRst | kAck;
  const net::Bytes bytes(reinterpret_cast<const uint8_t*>(&tcp), sizeof tcp);
  const uint64_t pseudo = net::pseudo_header_sum(addresses, net::kProtoTcp, sizeof tcp);
  tcp.checksum = be16::raw(net::checksum_finish(net::checksum_add(pseudo, bytes)));
  std::memcpy(at, &tcp, sizeof tcp);
}

constexpr uint8_t kTtl = 65;  // rewrite() takes one off

/// IP and TCP headers of a packet that travels as `tuple` says. Returns the IP packet's length.
uint16_t write_packet(uint8_t* at, const Tuple& tuple, Numbers numbers) {
  if (tuple.src.is_v4()) {
    Ipv4Header ip{};
    ip.version_ihl = 0x45;
    ip.total_length = be16::of(sizeof ip + sizeof(TcpHeader));
    ip.fragment = be16::of(Ipv4Header::kDontFragment);
    ip.ttl = kTtl;
    ip.protocol = net::kProtoTcp;
    ip.src = tuple.src.v4().be();
    ip.dst = tuple.dst.v4().be();
    ip.checksum = be16::raw(net::checksum({reinterpret_cast<const uint8_t*>(&ip), sizeof ip}));
    std::memcpy(at, &ip, sizeof ip);
    write_tcp(at + sizeof ip, tuple, numbers, {at + 12, 8});
    return sizeof ip + sizeof(TcpHeader);
  }
  Ipv6Header ip{};
  ip.version_class_flow = be32::of(6u << 28);
  ip.payload_length = be16::of(sizeof(TcpHeader));
  ip.next_header = net::kProtoTcp;
  ip.hop_limit = kTtl;
  tuple.src.v6().store(ip.src);
  tuple.dst.v6().store(ip.dst);
  std::memcpy(at, &ip, sizeof ip);
  write_tcp(at + sizeof ip, tuple, numbers, {at + 8, 32});
  return sizeof ip + sizeof(TcpHeader);
}

/// A reset that travels in `direction` of the session as `tuple` says. False: no next hop, no room, no
/// buffer.
bool make_reset(WorkerContext& ctx, Burst& burst, SessionIndex session, Direction direction,
                const Tuple& tuple, uint32_t hash, Numbers numbers) {
  if (burst.size == Burst::kCapacity) return false;
  const AdjacencyId adjacency = ctx.sessions->at(session).adjacency[static_cast<size_t>(direction)];
  if (!ctx.snapshot->adjacencies->is_live(adjacency)) return false;
  rte_mbuf* mbuf = rte_pktmbuf_alloc(ctx.pool);
  if (mbuf == nullptr) return false;

  const uint16_t length = write_packet(data_of(mbuf) + sizeof(EthHeader), tuple, numbers);
  mbuf->data_len = static_cast<uint16_t>(sizeof(EthHeader) + length);
  mbuf->pkt_len = mbuf->data_len;

  EthHeader& eth = *reinterpret_cast<EthHeader*>(data_of(mbuf));
  eth.type = be16::of(tuple.src.is_v4() ? net::kEtherIpv4 : net::kEtherIpv6);
  PacketMeta& made = *new (&meta_of(mbuf)) PacketMeta();
  made.set_key(tuple, 0);  // it is not looked up: its session is known
  made.hash = hash;
  made.session = session;
  made.direction = direction;
  made.adjacency = adjacency;
  made.ip_offset = sizeof(EthHeader);
  made.ip_length = length;
  made.l4_offset = static_cast<uint16_t>(length - sizeof(TcpHeader));
  made.ttl = kTtl;
  made.origin = Origin::generated;
  burst.push(mbuf);
  ctx.counters.generated.add();
  ctx.counters.resets_sent.add();
  return true;
}

}  // namespace

void add_reset(WorkerContext& ctx, Burst& burst, rte_mbuf* dropped, ResetTo to) {
  const PacketMeta& meta = meta_of(dropped);
  if (meta.protocol() != net::kProtoTcp || meta.icmp == IcmpUse::error || (meta.tcp_flags & kRst) != 0)
    return;
  const Direction direction = to == ResetTo::receiver ? meta.direction : opposite(meta.direction);
  const auto& tcp = *reinterpret_cast<const TcpHeader*>(data_of(dropped) + meta.ip_offset + meta.l4_offset);
  const Tuple tuple = to == ResetTo::receiver ? meta.tuple() : meta.tuple().reversed();
  make_reset(ctx, burst, meta.session, direction, tuple, meta.hash, numbers_for(to, tcp, meta));
}

void add_idle_resets(WorkerContext& ctx, SessionIndex index) {
  const TcpWindow& window = ctx.sessions->tcp(index);
  for (const Direction direction : {Direction::forward, Direction::reverse}) {
    const TcpSide& sender = window.side[static_cast<size_t>(direction)];
    const TcpSide& receiver = window.side[1 - static_cast<size_t>(direction)];
    // As it leaves: when it is sent nobody remembers the session's translation any more.
    make_reset(ctx, ctx.resets, index, direction, ctx.sessions->leaving(index, direction),
               ctx.sessions->cold(index).hash[static_cast<size_t>(direction)], {sender.acked, receiver.end});
  }
}

}  // namespace weir::dataplane
