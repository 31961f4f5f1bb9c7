// TCP's states as a middle box follows them (RFC 9293 section 3.3.2, seen from between), as one constexpr
// table.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/session/session.h"

namespace weir::dataplane {

/// TCP flag bits as in the header's 14th byte.
enum TcpFlags : uint8_t { kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16, kUrg = 32 };

/// `none`: neither SYN, FIN, RST nor ACK, which moves nothing.
enum class TcpEvent : uint8_t { syn, syn_ack, ack, fin, rst, none, count_ };

/// What these flags mean; RST before SYN before FIN before ACK.
constexpr TcpEvent event_of(uint8_t tcp_flags) {
  if ((tcp_flags & kRst) != 0) return TcpEvent::rst;
  if ((tcp_flags & kSyn) != 0) return (tcp_flags & kAck) != 0 ? TcpEvent::syn_ack : TcpEvent::syn;
  if ((tcp_flags & kFin) != 0) return TcpEvent::fin;
  return (tcp_flags & kAck) != 0 ? TcpEvent::ack : TcpEvent::none;
}

namespace detail {

inline constexpr size_t kStates = static_cast<size_t>(SessionState::count_);
inline constexpr size_t kEvents = static_cast<size_t>(TcpEvent::count_);

struct TcpTable {
  using enum SessionState;
  /// [state][direction][event]. A retransmitted segment leaves the state where it is. In a simultaneous open
  /// the responder's SYN takes the place of its SYN+ACK, and the initiator's SYN+ACK that of its ACK. A new
  /// SYN in `closing` or `reset` leaves the state alone: the caller starts a new session.
  static constexpr SessionState next[kStates][2][kEvents] = {
      // syn          syn_ack       ack           fin           rst    none
      {{free, free, free, free, free, free},  // free
       {free, free, free, free, free, free}},
      {{active, active, active, active, active, active},  // active: not TCP
       {active, active, active, active, active, active}},
      {{syn_sent, syn_sent, syn_sent, syn_sent, reset, syn_sent},  // syn_sent
       {syn_received, syn_received, syn_sent, syn_sent, reset, syn_sent}},
      {{syn_received, established, established, fin_forward, reset, syn_received},  // syn_received
       {syn_received, syn_received, syn_received, fin_reverse, reset, syn_received}},
      {{established, established, established, fin_forward, reset, established},  // established
       {established, established, established, fin_reverse, reset, established}},
      {{fin_forward, fin_forward, fin_forward, fin_forward, reset, fin_forward},  // fin_forward
       {fin_forward, fin_forward, fin_forward, closing, reset, fin_forward}},
      {{fin_reverse, fin_reverse, fin_reverse, closing, reset, fin_reverse},  // fin_reverse
       {fin_reverse, fin_reverse, fin_reverse, fin_reverse, reset, fin_reverse}},
      {{closing, closing, closing, closing, reset, closing},  // closing
       {closing, closing, closing, closing, reset, closing}},
      {{reset, reset, reset, reset, reset, reset},  // reset
       {reset, reset, reset, reset, reset, reset}},
  };
};

}  // namespace detail

/// The state after `event` from `direction`. Stays where it is when the event means nothing there.
constexpr SessionState next_state(SessionState state, Direction direction, TcpEvent event) {
  return detail::TcpTable::next[static_cast<size_t>(state)][static_cast<size_t>(direction)]
                               [static_cast<size_t>(event)];
}

}  // namespace weir::dataplane
