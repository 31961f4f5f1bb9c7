#include "dataplane/stages/inspect.h"

#include <algorithm>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/stages/fragments.h"
#include "dataplane/stages/tcp_reset.h"
#include "dataplane/stages/translate.h"
#include "dataplane/stages/transport_checksum.h"
#include "dataplane/worker/leave.h"
#include "dataplane/worker/session_life.h"

namespace weir::dataplane {

namespace {

/// A whole IP packet, or a datagram that was put together of its fragments. Places count from its start.
struct Whole {
  net::Bytes ip;
  uint16_t transport = 0, payload = 0;

  net::Bytes message() const { return ip.subspan(transport); }
};

Whole whole_of(rte_mbuf* mbuf) {
  const PacketMeta& meta = meta_of(mbuf);
  return {bytes_of(mbuf).subspan(meta.ip_offset, meta.ip_length), meta.l4_offset, meta.payload_offset};
}

inspection::Packet packet_of(const PacketMeta& meta, const Whole& whole, NanoTime now) {
  inspection::Packet packet;
  packet.direction = meta.direction == Direction::forward ? inspection::Direction::to_server
                                                          : inspection::Direction::to_client;
  packet.now_ns = now;
  packet.ip = whole.ip;
  packet.ip_header = whole.ip.first(whole.transport);
  packet.l4_header = whole.ip.subspan(whole.transport, whole.payload - whole.transport);
  packet.payload = whole.ip.subspan(whole.payload);
  if (meta.protocol() == net::kProtoTcp) {
    const auto& tcp = *reinterpret_cast<const net::TcpHeader*>(packet.l4_header.data());
    packet.seq = tcp.seq.host();
    packet.ack = tcp.ack.host();
    packet.tcp_flags = tcp.flags;
  } else if (meta.protocol() == net::kProtoUdp) {
    // What lies behind the datagram is not of it.
    const auto& udp = *reinterpret_cast<const net::UdpHeader*>(packet.l4_header.data());
    const size_t length = std::max<size_t>(udp.length.host(), sizeof udp) - sizeof udp;
    packet.payload = packet.payload.first(std::min(length, packet.payload.size()));
  }
  return packet;
}

/// The TCP checksum of a segment whose payload was changed (RFC 9293 section 3.1).
void fill_tcp_checksum(rte_mbuf* mbuf, const PacketMeta& meta) {
  uint8_t* const segment = data_of(mbuf) + meta.ip_offset + meta.l4_offset;
  auto& tcp = *reinterpret_cast<net::TcpHeader*>(segment);
  tcp.checksum = net::be16();
  const net::Bytes whole(segment, meta.ip_length - meta.l4_offset);
  tcp.checksum = net::be16::raw(transport_checksum(mbuf, meta, whole));
}

/// A receiver takes the urgent byte out of the stream, or does not, as it was told to (RFC 6093): whoever
/// inspects the stream could not know what is read. So it is made an ordinary byte.
void clear_urgent(rte_mbuf* mbuf, const PacketMeta& meta) {
  auto& tcp = *reinterpret_cast<net::TcpHeader*>(data_of(mbuf) + meta.ip_offset + meta.l4_offset);
  tcp.flags = static_cast<uint8_t>(tcp.flags & ~kUrg);
  tcp.urgent = net::be16();
  fill_tcp_checksum(mbuf, meta);
}

/// False: rewrite() is going to refuse it. What the receiver never gets is no part of the stream that it
/// reads, and must not be taken for it.
bool will_be_sent(const Snapshot& snapshot, rte_mbuf* mbuf, const Session& session) {
  const PacketMeta& meta = meta_of(mbuf);
  AdjacencyTable::View next_hop;
  if (!snapshot.adjacencies->get(meta.adjacency, next_hop)) return false;
  const Attachment* egress = snapshot.attachment(next_hop.attachment);
  return egress != nullptr && meta.ttl > 1 && leaving_length(mbuf, session) <= egress->mtu;
}

/// Nothing of a dropped session passes any more, either way. An end that goes on sending is told so.
Next drop_rest(WorkerContext& ctx, Burst& resets, rte_mbuf* mbuf, const Session& session) {
  if ((session.flags & Session::kResetOnDrop) != 0 && !meta_of(mbuf).fragment)
    add_reset(ctx, resets, mbuf, ResetTo::sender);
  log_dropped(ctx, meta_of(mbuf));
  return Next::drop(DropReason::session_dropped);
}

uint8_t flags_of(net::Bytes tcp) { return tcp[offsetof(net::TcpHeader, flags)]; }

/// Length of the transport header of a datagram that came in pieces; its first piece had the whole of it.
size_t transport_header(uint8_t protocol, net::Bytes transport) {
  switch (protocol) {
    case net::kProtoTcp:
      return reinterpret_cast<const net::TcpHeader*>(transport.data())->header_length();
    case net::kProtoUdp:
      return sizeof(net::UdpHeader);
    case net::kProtoIcmp:
    case net::kProtoIcmpv6:
      return sizeof(net::IcmpHeader);
    default:
      return 0;
  }
}

Whole whole_of(const PacketMeta& meta, const WholeDatagram& datagram) {
  const net::Bytes message = datagram.ip.subspan(datagram.transport);
  const size_t header = std::min(transport_header(meta.protocol(), message), message.size());
  return {datagram.ip, datagram.transport, static_cast<uint16_t>(datagram.transport + header)};
}

DropReason reason_of(inspection::Refused why) {
  switch (why) {
    case inspection::Refused::rule:
      return DropReason::inspect_drop;
    case inspection::Refused::limit:
      return DropReason::inspect_limit;
    case inspection::Refused::stream:
      return DropReason::inspect_stream;
    case inspection::Refused::ttl:
      return DropReason::inspect_ttl;
    case inspection::Refused::checksum:
      return DropReason::inspect_unsafe;
  }
  return DropReason::inspect_limit;
}

/// What was decided for the datagram goes for the pieces that waited for this one.
void settle_fragments(WorkerContext& ctx, const Profile& profile, const inspection::Verdict& verdict) {
  if (!profile.watches && verdict.action == inspection::Action::pass) return pass_inspected(ctx);
  drop_inspected(ctx, reason_of(verdict.why));
}

/// Nothing of the session passes from here on.
Next end_session_by(WorkerContext& ctx, Burst& resets, rte_mbuf* mbuf, bool tell, DropReason reason) {
  const PacketMeta& meta = meta_of(mbuf);
  drop_session(ctx, meta.session);
  if (!tell) return Next::drop(reason);
  ctx.sessions->at(meta.session).flags |= Session::kResetOnDrop;
  // Of a datagram in pieces the transport header need not be in this one; who goes on sending is told then.
  if (!meta.fragment) {
    add_reset(ctx, resets, mbuf, ResetTo::receiver);
    add_reset(ctx, resets, mbuf, ResetTo::sender);
  }
  return Next::drop(reason);
}

bool has_bad_checksum(rte_mbuf* mbuf, const Whole& whole, const Profile& profile) {
  return profile.verify_checksums && whole.payload != whole.transport &&
         !transport_checksum_right(mbuf, meta_of(mbuf), whole.message());
}

inspection::Verdict judge(WorkerContext& ctx, SessionIndex session, const Profile& profile,
                          inspection::Packet& packet) {
  if (!packet.checksum_bad) ctx.counters.inspected_packets.add();
  packet.wall_seconds = wall_seconds(ctx);
  SessionSink sink(ctx, session);
  const inspection::FlowHandle flow{ctx.sessions->cold(session).flow};
  const inspection::Verdict verdict = ctx.inspector->inspect(flow, rules_in_use(ctx, profile), packet, sink);
  ctx.inspect_work_left -= std::min(ctx.inspect_work_left, verdict.work);
  return verdict;
}

Next inspect_now(WorkerContext& ctx, Burst& resets, rte_mbuf* mbuf, const Profile& profile) {
  const PacketMeta& meta = meta_of(mbuf);
  Whole whole = whole_of(mbuf);
  if (meta.fragment) [[unlikely]] {
    WholeDatagram datagram;
    if (profile.watches) {
      if (!watch_fragment(ctx, mbuf, datagram)) return Next::go_on();
    } else if (const Next next = gather_inspected(ctx, mbuf, datagram); !next.goes_on()) {
      return next;
    }
    whole = whole_of(meta, datagram);
  }
  const bool urgent = meta.protocol() == net::kProtoTcp && (flags_of(whole.message()) & kUrg) != 0;
  const bool checksum_bad = has_bad_checksum(mbuf, whole, profile);
  if (urgent && profile.enforces) [[unlikely]] {
    if (meta.fragment) {
      drop_inspected(ctx, DropReason::inspect_unsafe);
      return Next::drop(DropReason::inspect_unsafe);
    }
    if (!checksum_bad) clear_urgent(mbuf, meta);
  }
  inspection::Packet packet = packet_of(meta, whole, ctx.now);
  packet.rebuilt = meta.fragment;
  if (!meta.fragment && meta.protocol() == net::kProtoTcp) {
    packet.writable = {data_of(mbuf) + meta.ip_offset + meta.payload_offset, packet.payload.size()};
  }
  // A datagram that was put together lies in memory that the next one needs; who watches holds nothing.
  if (!meta.fragment && !profile.watches)
    packet.work_budget = std::min(ctx.inspect_limits.packet_work, ctx.inspect_work_left);
  packet.checksum_bad = checksum_bad;
  const inspection::Verdict verdict = judge(ctx, meta.session, profile, packet);
  if (verdict.action == inspection::Action::wait) return Next::kept();
  if (verdict.rewritten) fill_tcp_checksum(mbuf, meta);
  if (meta.fragment) [[unlikely]]
    settle_fragments(ctx, profile, verdict);
  switch (verdict.action) {
    case inspection::Action::pass:
      if (verdict.bypass) bypass_session(ctx, meta.session);
      return Next::go_on();
    case inspection::Action::drop_session:
      return end_session_by(ctx, resets, mbuf, profile.on_drop == OnDrop::reset || verdict.reject,
                            reason_of(verdict.why));
    case inspection::Action::drop_packet:
    case inspection::Action::wait:
      break;
  }
  return Next::drop(reason_of(verdict.why));
}

/// The queue has no room for it.
Next without_room(WorkerContext& ctx, Burst& resets, rte_mbuf* mbuf, const Profile& profile) {
  using enum inspection::ExceptionPolicy;
  ctx.counters.inspect_full.add();
  switch (profile.when_full) {
    case drop_flow:
    case reject:
      return end_session_by(ctx, resets, mbuf,
                            profile.when_full == reject || profile.on_drop == OnDrop::reset,
                            DropReason::inspect_full);
    case bypass:
      // With bytes missing the rest of it cannot be answered for.
      ctx.counters.inspect_unseen.add();
      bypass_session(ctx, meta_of(mbuf).session);
      return Next::go_on();
    default:
      return Next::drop(DropReason::inspect_full);
  }
}

void note_queue(WorkerContext& ctx) {
  const InspectQueue& queue = ctx.inspect_queue;
  ctx.counters.inspect_held.set(queue.size());
  // Multiplied, not divided: 7 of 64 are more than 10 percent.
  const uint64_t waiting = uint64_t{queue.size()} * 100;
  const uint64_t capacity = queue.capacity();
  const bool overloaded = ctx.inspect_overloaded ? waiting > ctx.inspect_limits.overload_end * capacity
                                                 : waiting >= ctx.inspect_limits.overload_begin * capacity;
  if (overloaded == ctx.inspect_overloaded) return;
  ctx.inspect_overloaded = overloaded;
  if (overloaded) ctx.counters.overloads.add();
  inspection::Event event;
  event.kind = inspection::EventKind::overload;
  event.time_ns = ctx.now;
  event.overload = {overloaded, ctx.id, queue.size()};
  ctx.events.push(event);
}

/// Takes the packet for a later turn.
Next wait(WorkerContext& ctx, Burst& resets, rte_mbuf* mbuf, const Profile& profile) {
  if (profile.watches) {
    ctx.counters.inspect_unseen.add();
    return Next::go_on();
  }
  if (!ctx.inspect_queue.push(mbuf)) return without_room(ctx, resets, mbuf, profile);
  ctx.counters.inspect_waited.add();
  note_queue(ctx);
  return Next::kept();
}

/// `waited`: it is the first of the queue, and kept() leaves it there.
Next decide(WorkerContext& ctx, Burst& resets, rte_mbuf* mbuf, bool waited) {
  const PacketMeta& meta = meta_of(mbuf);
  if (!is_session_there(ctx, meta)) [[unlikely]]
    return Next::drop(DropReason::session_gone);
  Session& session = ctx.sessions->at(meta.session);
  if ((session.flags & (Session::kInspected | Session::kDropped)) == 0) [[likely]]
    return Next::go_on();
  if ((session.flags & Session::kDropped) != 0) return drop_rest(ctx, resets, mbuf, session);
  // The payload of an error is a quote, not data of the session.
  if (meta.icmp == net::IcmpKind::error || meta.unseen) return Next::go_on();
  // One that waited may be in the midst of it.
  if (!waited && !will_be_sent(*ctx.snapshot, mbuf, session)) return Next::go_on();
  const Profile& profile = ctx.snapshot->profiles[ctx.sessions->cold(meta.session).profile];
  if (!waited && (!ctx.inspect_queue.empty() || ctx.inspect_work_left == 0))
    return wait(ctx, resets, mbuf, profile);
  const Next next = inspect_now(ctx, resets, mbuf, profile);
  // A fragment that waits for others is kept too, by who has it.
  if (waited || next.kind() != Next::Kind::kept || meta.fragment) return next;
  return wait(ctx, resets, mbuf, profile);
}

void append_resets(WorkerContext& ctx, Burst& burst) {
  Burst& resets = ctx.resets;
  // After what was sent before the drop, in order.
  for (uint16_t i = 0; i < resets.size; ++i) {
    if (!burst.push(resets.packets[i])) leave(ctx, resets.packets[i], Next::drop(DropReason::tx_full));
  }
  resets.size = 0;
}

}  // namespace

inspection::Packet packet_of(rte_mbuf* mbuf, NanoTime now) {
  return packet_of(meta_of(mbuf), whole_of(mbuf), now);
}

void inspect_sent(WorkerContext& ctx, rte_mbuf* mbuf) {
  const PacketMeta& meta = meta_of(mbuf);
  Session& session = ctx.sessions->at(meta.session);
  if ((session.flags & (Session::kInspected | Session::kDropped)) != Session::kInspected) return;
  const Profile& profile = ctx.snapshot->profiles[ctx.sessions->cold(meta.session).profile];
  const Whole whole = whole_of(mbuf);
  inspection::Packet packet = packet_of(meta, whole, ctx.now);
  packet.checksum_bad = has_bad_checksum(mbuf, whole, profile);
  const inspection::Verdict verdict = judge(ctx, meta.session, profile, packet);
  if (verdict.action == inspection::Action::pass) {
    if (verdict.bypass) bypass_session(ctx, meta.session);
  } else if (verdict.action == inspection::Action::drop_session) {
    // Its ends are told as they go on: the place of this packet in the stream is one that they have passed.
    drop_session(ctx, meta.session);
    if (profile.on_drop == OnDrop::reset || verdict.reject) session.flags |= Session::kResetOnDrop;
  }
}

void inspect(WorkerContext& ctx, Burst& burst) {
  for_each_packet(ctx, burst, [&](rte_mbuf* mbuf) { return decide(ctx, ctx.resets, mbuf, false); });
  append_resets(ctx, burst);
}

void inspect_waiting(WorkerContext& ctx, Burst& burst) {
  InspectQueue& queue = ctx.inspect_queue;
  burst.size = 0;
  while (!queue.empty() && ctx.inspect_work_left != 0 && burst.size < kMaxRxBurst) {
    rte_mbuf* const mbuf = queue.front();
    PacketMeta& meta = meta_of(mbuf);
    if (is_session_there(ctx, meta))  // it may have moved meanwhile
      meta.adjacency = ctx.sessions->at(meta.session).adjacency[static_cast<size_t>(meta.direction)];
    const bool fragment = meta.fragment;
    const Next next = decide(ctx, ctx.resets, mbuf, true);
    if (next.kind() == Next::Kind::kept && !fragment) break;  // the rest of it in another turn
    queue.pop();
    if (next.goes_on()) {
      burst.push(mbuf);
    } else {
      leave(ctx, mbuf, next);
    }
  }
  note_queue(ctx);
  append_resets(ctx, burst);
}

}  // namespace weir::dataplane
