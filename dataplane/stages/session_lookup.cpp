// The slower side of the session lookup: sessions that begin, move or are decided again.
#include "dataplane/stages/session_lookup.h"

#include <algorithm>

#include "dataplane/nat/family_change.h"
#include "dataplane/net/parse.h"
#include "dataplane/stages/ftp.h"
#include "dataplane/stages/inner.h"
#include "dataplane/stages/session_slow.h"
#include "dataplane/stages/translate.h"
#include "dataplane/stages/transport_checksum.h"
#include "dataplane/worker/half_open.h"
#include "dataplane/worker/session_life.h"

namespace weir::dataplane {

TcpSegment segment_of(rte_mbuf* mbuf) {
  const PacketMeta& meta = meta_of(mbuf);
  const net::Bytes header = bytes_of(mbuf).subspan(meta.ip_offset + meta.l4_offset,
                                                   static_cast<size_t>(meta.payload_offset - meta.l4_offset));
  // Of a first fragment the length of the whole is not known, but its bound.
  const uint32_t payload =
      meta.fragment ? UINT16_MAX : static_cast<uint32_t>(meta.ip_length - meta.payload_offset);
  return read_segment(header, payload);
}

namespace {

/// A segment that can move more than the windows, or lies outside of them. (session/tcp_state.h)
Next tcp_rare(WorkerContext& ctx, rte_mbuf* mbuf, Session& session, PacketMeta& meta) {
  // Of a datagram in pieces the first is judged.
  if (!meta.has_transport() || (session.flags & Session::kDropped) != 0) {  // inspect drops it
    count(ctx, session, meta.direction, meta.ip_length);
    session.last_seen = ctx.tick;
    return Next::go_on();
  }
  // Its receiver discards it, whatever it says. Of a datagram in pieces the sum is not known yet.
  const net::Bytes transport =
      bytes_of(mbuf).subspan(meta.ip_offset + meta.l4_offset, meta.ip_length - meta.l4_offset);
  if (!meta.fragment && !transport_checksum_right(mbuf, meta, transport))
    return Next::drop(DropReason::tcp_checksum);
  SessionCold& cold = ctx.sessions->cold(meta.session);
  const TcpSegment segment = segment_of(mbuf);
  const TcpRules& rules = ctx.snapshot->tcp;
  const auto [step, event] =
      follow_tcp(session.state, meta.direction, segment, rules, ctx.sessions->tcp(meta.session));
  if ((session.flags & Session::kFtp) != 0) [[unlikely]]
    follow_ftp(ctx, meta.session, step.verdict == TcpVerdict::refuse ? TcpEvent::none : event);
  // What its receiver may take or not cannot be inspected: data of that kind would be a way past inspection,
  // or poison what is inspected.
  const bool inspected = (session.flags & Session::kInspected) != 0;
  const bool watched = inspected && ctx.snapshot->profiles[cold.profile].watches;
  const bool ignored = step.verdict == TcpVerdict::ignore;
  if (step.verdict == TcpVerdict::refuse ||
      (ignored && inspected && !watched && meta.ip_length > meta.payload_offset)) {
    const bool outside = event == TcpEvent::outside || event == TcpEvent::outside_control;
    return Next::drop(outside ? DropReason::tcp_outside_window : DropReason::tcp_unexpected);
  }
  cold.tcp_flags[static_cast<size_t>(meta.direction)] |= meta.tcp_flags;
  count(ctx, session, meta.direction, meta.ip_length);
  if (ignored) {
    meta.unseen = !watched;
    const bool retransmitted = session.state == SessionState::syn_received && event == TcpEvent::syn;
    if (!retransmitted) ctx.counters.tcp_ignored.add();
    return Next::go_on();
  }
  session.last_seen = ctx.tick;
  // Another connection between the same ends: what was found about the one before does not hold for it.
  if (event == TcpEvent::reopen && (session.flags & Session::kBypassed) != 0 &&
      !begin_inspection(ctx, meta.session))
    return Next::drop(DropReason::inspect_limit);
  if (step.next == session.state) return Next::go_on();
  session.state = step.next;
  if (!is_half_open(step.next)) end_half_open(ctx, meta.session);
  // A shorter time-out would be noticed too late by a timer that is only re-armed when it fires.
  arm_session(ctx, meta.session);
  return Next::go_on();
}

/// Could the session have sent what the error quotes? RFC 5927 section 4.1.
bool fits_quote(WorkerContext& ctx, rte_mbuf* mbuf, const PacketMeta& meta) {
  const net::Bytes quote = bytes_of(mbuf).subspan(meta.ip_offset + meta.payload_offset);
  net::QuotedView quoted;
  if (net::parse_quoted(quote, meta.family, quoted) != net::ParseError::none) return false;
  const uint32_t size = quoted.ip.length - std::min<uint32_t>(quoted.ip.length, quoted.ip.l4_offset);
  // The eight bytes of a transport header that parse_quoted() insists on.
  const auto* l4 = quote.data() + quoted.ip.l4_offset;
  if (quoted.ip.protocol == net::kProtoTcp) {
    const auto& tcp = *reinterpret_cast<const net::TcpHeader*>(l4);  // its first two words
    const Direction sender = opposite(meta.direction);
    return size >= sizeof tcp && ctx.sessions->tcp(meta.session).was_sent(sender, tcp.seq.host());
  }
  if (quoted.ip.protocol == net::kProtoUdp) {
    const uint16_t length = reinterpret_cast<const net::UdpHeader*>(l4)->length.host();
    return length >= sizeof(net::UdpHeader) && (quoted.ip.more_fragments || length <= size);
  }
  return true;
}

/// As of a first packet, policy and translation included.
FirstDecision ask(const WorkerContext& ctx, FirstPacket packet) {
  const BindingIndex sent_to = find_binding(ctx, packet.tuple, packet.ingress);
  if (sent_to != kNoBinding) packet.binding = &ctx.bindings->at(sent_to);
  return decide_first_packet(*ctx.snapshot, packet);
}

/// Queries of one identifier share a session, as do messages of other kinds that two hosts exchange. What its
/// first packet was decided for may pass, and the answers to that. Any other message is asked of policy like
/// a first packet; an answer by the query that it is to, which came the other way.
DropReason icmp_allowed(const WorkerContext& ctx, const PacketMeta& meta) {
  const SessionTable& sessions = *ctx.sessions;
  const SessionCold& cold = sessions.cold(meta.session);
  const uint8_t first = cold.tcp_flags[0];
  const bool forward = meta.direction == Direction::forward;
  FirstPacket packet{meta.ingress, meta.tuple()};
  packet.icmp_type = meta.icmp_type;
  if (meta.icmp == net::IcmpKind::reply) {
    uint8_t query = net::icmp_query_of(meta.family, meta.icmp_type);
    // An answer by IPv4 to one who asked by IPv6.
    if ((sessions.at(meta.session).flags & Session::kNat64) != 0 && meta.is_v4())
      query = echo_type6(query).value_or(query);
    if (query == first) return DropReason::none;
    packet.ingress = forward ? cold.egress : cold.ingress;
    packet.tuple = forward ? sessions.leaving(meta.session, Direction::forward).reversed()
                           : sessions.tuple(meta.session);
    packet.icmp_type = query;
    return ask(ctx, packet).drop == DropReason::none ? DropReason::none : DropReason::not_a_session_start;
  }
  if (meta.icmp_type == first && (forward || meta.icmp == net::IcmpKind::other)) return DropReason::none;
  return ask(ctx, packet).drop;
}

/// ICMP: an error has to fit what it quotes, anything else to be allowed.
Next icmp_rare(WorkerContext& ctx, rte_mbuf* mbuf, Session& session, const PacketMeta& meta) {
  if (meta.icmp == net::IcmpKind::error) {
    if (meta.has_transport() && !fits_quote(ctx, mbuf, meta)) return Next::drop(DropReason::icmp_error_quote);
    return Next::go_on();
  }
  if (const DropReason reason = icmp_allowed(ctx, meta); reason != DropReason::none)
    return Next::drop(reason);
  count(ctx, session, meta.direction, meta.ip_length);
  session.last_seen = ctx.tick;
  return Next::go_on();
}

/// The tuple is used again: a SYN on a conversation that is over.
bool starts_anew(const Session& session, const PacketMeta& meta) {
  return is_over(session.state) && (session.flags & Session::kDropped) == 0 &&
         event_of(meta.tcp_flags) == TcpEvent::syn && meta.icmp != net::IcmpKind::error;
}

/// A packet that found no session: may it start one? Then it is forwarded as was decided.
Next session_miss(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  if (meta.plain) {
    // Its attachment may have gone since it was looked up, as all that is changed in place.
    const Attachment* attachment = ctx.snapshot->attachment(meta.ingress);
    if (attachment == nullptr) return Next::drop(DropReason::stale_attachment);
    const Next next = inner_rare(ctx, mbuf, *attachment);
    if (!next.goes_on()) return next;
  }
  const Next next = create_session(ctx, mbuf);
  if (!next.goes_on()) return next;
  Session& session = ctx.sessions->at(meta.session);
  meta.adjacency = session.adjacency[0];
  count(ctx, session, meta.direction, meta.ip_length);
  log_start(ctx, meta.session);
  return next;
}

/// The packet passes, unless it is a TCP segment that cannot, and is counted as the session's; an ICMP error
/// belongs to it, but is none of its packets.
Next pass(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  Session& session = ctx.sessions->at(meta.session);
  meta.adjacency = session.adjacency[static_cast<size_t>(meta.direction)];
  if (meta.icmp != net::IcmpKind::none) return icmp_rare(ctx, mbuf, session, meta);
  if ((session.flags & Session::kFtp) != 0) [[unlikely]] {
    if (const Next next = ftp_receive(ctx, mbuf); !next.goes_on()) return next;
  }
  if (session.state != SessionState::active && !take_segment(*ctx.sessions, mbuf, session, meta.direction))
    return tcp_rare(ctx, mbuf, session, meta);
  count(ctx, session, meta.direction, meta.ip_length);
  session.last_seen = ctx.tick;
  return Next::go_on();
}

/// Something has changed for the session since it was decided, or the packet came in by another way.
Next session_changed(WorkerContext& ctx, PacketMeta& meta) {
  const Session& session = ctx.sessions->at(meta.session);
  const AdjacencyTable& adjacencies = *ctx.snapshot->adjacencies;
  const AdjacencyId& there = session.adjacency[static_cast<size_t>(meta.direction)];
  const AdjacencyId& back = session.adjacency[static_cast<size_t>(opposite(meta.direction))];
  if (!is_current(*ctx.snapshot, session) || !adjacencies.is_live(there) || !adjacencies.is_live(back)) {
    const Next next = redecide_session(ctx, meta, meta.session);
    if (!next.goes_on()) return next;
    if (!adjacencies.is_live(there)) return Next::drop(DropReason::neighbor_unresolved);
  }
  return adjacencies.belongs(back, meta.ingress) ? Next::go_on()
                                                 : accept_other_ingress(ctx, meta, meta.session);
}

}  // namespace

Next session_unsettled(WorkerContext& ctx, rte_mbuf* mbuf) {
  PacketMeta& meta = meta_of(mbuf);
  const SessionTable& sessions = *ctx.sessions;
  const SessionTable::Hit hit =
      meta.is_v4() ? sessions.find(meta.key4, meta.hash) : sessions.find(meta.key6, meta.hash);
  if (!hit) return session_miss(ctx, mbuf);
  meta.session = hit.index;
  meta.direction = hit.direction;
  if (const Session& session = sessions.at(hit.index); starts_anew(session, meta)) {
    const bool was_reset = session.state == SessionState::reset;
    end_session(ctx, hit.index, was_reset ? inspection::FlowEnd::reset : inspection::FlowEnd::closed);
    return session_miss(ctx, mbuf);
  }
  const Next next = session_changed(ctx, meta);
  return next.goes_on() ? pass(ctx, mbuf) : next;
}

}  // namespace weir::dataplane
