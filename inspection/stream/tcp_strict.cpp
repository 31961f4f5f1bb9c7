// TcpTrack's strict mode: what is not to be sent although no receiver is known to refuse it, since it could
// be read otherwise than it was judged.
#include "inspection/stream/tcp_track.h"

namespace weir::inspection {

namespace {

bool before(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }
bool is(const EnginePacket& packet, uint8_t flag) { return (packet.view.tcp_flags & flag) != 0; }

/// Passes by itself, or waits for the handshake with what it carries.
TcpFate alone_or_early(const EnginePacket& packet) {
  return packet.view.payload.empty() ? TcpFate::untracked : TcpFate::early;
}

}  // namespace

TcpFate TcpTrack::guard(const EnginePacket& packet) {
  // Its receiver may not have believed it, so it ends nothing; its bytes are a diagnostic (RFC 9293, 3.5.3).
  if (is(packet, kTcpRst)) return TcpFate::untracked;
  if (is(packet, kTcpSyn)) return guard_syn(packet);
  if (state_ == TcpState::none) return TcpFate::tracked;
  if (begun_with_syn() && !confirmed_) {
    if (const TcpFate fate = guard_handshake(packet); fate != TcpFate::tracked) return fate;
  }
  const PacketView& view = packet.view;
  const Side& own = side(view.direction);
  const Side& other = side(opposite(view.direction));
  // Behind its FIN nobody reads anything, if the FIN was believed; if it was not, this must not pass.
  const uint32_t end = view.seq + static_cast<uint32_t>(view.payload.size());
  if (own.fin && !view.payload.empty() && before(own.fin_seq, end)) return TcpFate::early;
  // Of a session that was seen from its beginning, what fills the gap would have been judged here first.
  if (begun_with_syn() && is(packet, kTcpAck)) {
    const bool fin_next = other.fin && other.fin_seq == other.delivered;
    const uint32_t judged = other.delivered + (fin_next ? 1 : 0);
    if (before(judged, view.ack) && !before(other.next, view.ack)) return TcpFate::past_gap;
  }
  return TcpFate::tracked;
}

/// In state none and while only the client's SYN was seen, the ordinary way decides.
TcpFate TcpTrack::guard_syn(const EnginePacket& packet) {
  if (state_ == TcpState::none || state_ == TcpState::syn_sent) return TcpFate::tracked;
  // In the midst of a connection its receiver answers with an acknowledgement (RFC 5961 section 4); if it
  // does not know the connection any more, it answers with a SYN, and that one tells.
  if (!is(packet, kTcpAck)) return alone_or_early(packet);
  if (packet.view.direction == Direction::to_server) return TcpFate::bad_flags;
  const Side& server = side(Direction::to_client);
  const Side& client = side(Direction::to_server);
  const bool again = server.seen_syn && server.isn == packet.view.seq && client.seen_syn &&
                     client.isn + 1 == packet.view.ack;
  return again ? alone_or_early(packet) : TcpFate::reuse;
}

/// Before the handshake is complete, nobody knows where its receiver's stream begins.
TcpFate TcpTrack::guard_handshake(const EnginePacket& packet) {
  if (state_ == TcpState::syn_sent || packet.view.direction == Direction::to_client)
    return alone_or_early(packet);
  // The client confirms the SYN-ACK that was seen, not any number it likes.
  if (!is(packet, kTcpAck) || packet.view.ack != side(Direction::to_client).isn + 1)
    return alone_or_early(packet);
  confirmed_ = true;
  return TcpFate::tracked;
}

}  // namespace weir::inspection
