// TCP's states as a middle box follows them (RFC 9293 section 3.3.2, seen from between), as one constexpr table.
#pragma once

#include <cstdint>

#include "dataplane/session/session.h"

namespace weir::dataplane {

/// TCP flag bits as in the header's 14th byte.
enum TcpFlags : uint8_t { kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16, kUrg = 32 };

enum class TcpEvent : uint8_t { syn, syn_ack, ack, fin, rst, count_ };

/// What these flags mean; RST before SYN before FIN before ACK.
TcpEvent event_of(uint8_t tcp_flags);

/// The state after `event` from `direction`. Stays where it is when the event means nothing there.
SessionState next_state(SessionState state, Direction direction, TcpEvent event);

}  // namespace weir::dataplane
