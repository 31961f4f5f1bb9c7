#include "tests/model/tcp.h"

#include <algorithm>

namespace weir::model {

namespace {

/// An acknowledgement may be this late at least.
constexpr int64_t kLate = 66'000;
/// The largest window that there is, for an end of which nothing is known.
constexpr int64_t kAnyWindow = 1 << 30;
constexpr unsigned kLargestScale = 14;
/// Where numbers begin: far from both ends of what 64 bits hold.
constexpr int64_t kFar = int64_t{1} << 40;

/// Is `a` behind `b`? What lies more than half of all numbers behind is before, to everybody who sees 32
/// bits.
bool after(int64_t a, int64_t b) {
  constexpr int64_t kHalf = int64_t{1} << 31;
  const int64_t distance = a - b;
  return distance < 0 ? distance < -kHalf : distance > 0 && distance < kHalf;
}

int64_t later(int64_t a, int64_t b) { return after(a, b) ? a : b; }

/// The number that is `low` in its lower 32 bits and lies nearest to `reference`.
int64_t nearest(uint32_t low, int64_t reference) {
  const int64_t base = (reference & ~int64_t{0xffff'ffff}) | low;
  int64_t best = base;
  for (const int64_t other : {base - (int64_t{1} << 32), base + (int64_t{1} << 32)}) {
    if (std::abs(other - reference) < std::abs(best - reference)) best = other;
  }
  return best;
}

}  // namespace

const char* name_of(TcpState state) {
  switch (state) {
    case TcpState::loose:
      return "loose";
    case TcpState::syn_sent:
      return "syn_sent";
    case TcpState::syn_received:
      return "syn_received";
    case TcpState::established:
      return "established";
    case TcpState::fin_forward:
      return "fin_forward";
    case TcpState::fin_reverse:
      return "fin_reverse";
    case TcpState::closing:
      return "closing";
    case TcpState::reset:
      return "reset";
  }
  return "?";
}

/// A segment with its numbers where they lie in the connection.
struct TcpConnection::Segment {
  Number seq = 0, ack = 0, end = 0;
  int64_t window = 0;
  bool syn = false, has_ack = false, fin = false, rst = false;
  std::optional<unsigned> scale;
};

TcpConnection::Segment TcpConnection::placed(Side from, const Packet& p, size_t bytes) const {
  Segment s;
  s.syn = (p.flags & kSyn) != 0;
  s.has_ack = (p.flags & kAck) != 0;
  s.fin = (p.flags & kFin) != 0;
  s.rst = (p.flags & kRst) != 0;
  const End& sender = end(from);
  const End& receiver = end(1 - from);
  s.seq = nearest(p.seq, sender.known || sender.told ? sender.sent : kFar);
  s.ack = nearest(p.ack, receiver.known || receiver.told ? receiver.sent : kFar);
  s.end = s.seq + static_cast<int64_t>(bytes) + (s.syn ? 1 : 0) + (s.fin ? 1 : 0);
  s.window = p.window;
  if (s.syn && p.scale) s.scale = std::min<unsigned>(*p.scale, kLargestScale);
  return s;
}

std::optional<TcpConnection> TcpConnection::begin(const Packet& first, size_t bytes,
                                                  const TcpOptions& options) {
  TcpConnection c;
  const Segment s = c.placed(0, first, bytes);
  if (s.rst || (s.fin && !s.syn)) return {};
  if (s.syn && !s.has_ack) {
    c.begin_end(c.end(0), s);
    c.state = TcpState::syn_sent;
    return c;
  }
  if (!s.has_ack) return {};
  if (!options.mid_stream && !(s.syn && options.one_sided)) return {};
  c.state = TcpState::loose;
  c.note_loose(0, s);
  return c;
}

void TcpConnection::begin_end(End& e, const Segment& syn) {
  e = {};
  e.known = true;
  e.sent = e.allowed = syn.end;
  e.acked = syn.seq;
  e.window = syn.window;
  e.offered = syn.scale;
}

/// Both SYNs are known from now on.
void TcpConnection::answer(Side from, const Segment& s) {
  End& sender = end(from);
  End& receiver = end(1 - from);
  begin_end(sender, s);
  sender.allowed = later(s.seq + 1 + receiver.window, sender.sent);
  if (s.has_ack) {
    receiver.acked = s.ack;
    receiver.allowed = later(s.ack + std::max<int64_t>(s.window, 1), receiver.sent);
  } else {
    receiver.allowed = receiver.sent + s.window;
  }
  if (!sender.offered || !receiver.offered) return;  // RFC 7323: both, or none
  for (End* e : {&sender, &receiver}) {
    e->scale = *e->offered;
    e->window = (e->window + (int64_t{1} << e->scale) - 1) >> e->scale;
    e->window &= 0xffff;
  }
}

void TcpConnection::reopen(Side from, const Segment& s) {
  End& sender = end(from);
  End& receiver = end(1 - from);
  receiver = {};
  receiver.known = true;
  receiver.sent = receiver.acked = s.ack;
  receiver.allowed = s.ack + std::max<int64_t>(s.window, 1);
  receiver.window = 65'535;
  receiver.scale = kLargestScale;
  begin_end(sender, s);
  sender.allowed = s.seq + 1 + 65'535;
  if (s.scale) sender.scale = *s.scale;
}

void TcpConnection::note_known(Side from, const Segment& s) {
  End& sender = end(from);
  End& receiver = end(1 - from);
  const int64_t open =
      std::max<int64_t>(s.window << sender.scale, 1);  // a closed window is probed by one byte
  sender.sent = later(s.end, sender.sent);
  sender.window = std::max(sender.window, s.window);
  receiver.acked = later(s.ack, receiver.acked);
  receiver.allowed = later(s.ack + open, receiver.allowed);
}

void TcpConnection::note_loose(Side from, const Segment& s) {
  End& sender = end(from);
  End& receiver = end(1 - from);
  if (!sender.known) {  // first seen in the midst
    const bool told = sender.told;
    sender.sent = told ? later(s.end, sender.sent) : s.end;
    sender.allowed = told ? later(s.end, sender.allowed) : s.end + kAnyWindow;
    if (!told) sender.acked = s.seq;
    sender.window = std::max<int64_t>(s.window, 1);
    sender.scale = kLargestScale;
    sender.known = true;
    sender.told = false;
    sender.offered = {};
    sender.reopening = false;
  }
  if (receiver.known) return note_known(from, s);
  sender.sent = later(s.end, sender.sent);
  sender.allowed = sender.sent + kAnyWindow;
  sender.window = std::max(sender.window, s.window);
  sender.scale = kLargestScale;
  if (s.has_ack) {
    receiver.sent = receiver.acked = s.ack;
    receiver.allowed = s.ack + std::max<int64_t>(s.window << sender.scale, 1);
    receiver.told = true;
  }
}

void TcpConnection::note(Side from, const Segment& segment) {
  Segment s = segment;
  if (s.syn) s.window >>= end(from).scale;  // a SYN's window is in bytes
  if (end(0).known && end(1).known) {
    note_known(from, s);
  } else {
    note_loose(from, s);
  }
}

bool TcpConnection::within(Side from, const Segment& s) const {
  const End& sender = end(from);
  const End& receiver = end(1 - from);
  if (sender.known && receiver.known) {
    return !after(s.seq, sender.allowed) && !after(sender.sent - receiver.bytes(), s.end) &&
           !after(s.ack, receiver.sent) && !after(receiver.sent - std::max(sender.bytes(), kLate), s.ack);
  }
  if (sender.known) return !after(s.seq, sender.sent + kAnyWindow) && !after(sender.sent - kAnyWindow, s.end);
  return !after(s.ack, receiver.sent) && !after(receiver.sent - kAnyWindow, s.ack);
}

TcpConnection::Fate TcpConnection::follow(Side from, const Packet& packet, size_t bytes,
                                          const TcpOptions& options) {
  End& sender = end(from);
  End& receiver = end(1 - from);
  const Segment s = placed(from, packet, bytes);
  const bool initiator = from == 0;
  const bool within_window = !after(sender.acked, s.seq) && !after(s.seq, sender.allowed);
  if (!s.rst && !s.syn && !s.fin && !s.has_ack) return Fate::refused;

  if (state == TcpState::syn_sent) {
    if (s.rst) {
      bool right = false;
      if (initiator) {
        right = s.seq == sender.acked || s.seq == sender.sent || s.seq == sender.allowed;
      } else {
        right = s.has_ack && s.ack > receiver.acked && s.ack <= receiver.sent;
      }
      if (!right) {
        const bool soft = initiator && within_window;
        return soft ? Fate::refused : Fate::outside;
      }
      state = TcpState::reset;
      return Fate::passes;
    }
    if (s.syn && !s.has_ack) {
      if (initiator) {
        begin_end(sender, s);
      } else {  // both at once
        answer(from, s);
        state = TcpState::syn_received;
      }
      return Fate::passes;
    }
    if (s.fin && !s.syn) return s.has_ack ? Fate::refused : Fate::outside;
    if (initiator) {
      if (s.syn || !options.one_sided) return Fate::refused;
      state = TcpState::loose;  // the answer went another way
      note(from, s);
      if (end(1).known) state = TcpState::established;
      return Fate::passes;
    }
    if (s.syn && s.ack > receiver.acked && s.ack <= receiver.sent) {
      answer(from, s);
      state = TcpState::syn_received;
      return Fate::passes;
    }
    // Of an older connection, which the initiator will reset at this very number.
    receiver.allowed = s.ack;
    return Fate::ignored;
  }

  if (s.rst) {
    if (s.seq == sender.acked || s.seq == sender.sent) {
      if (state == TcpState::reset) return Fate::ignored;
      state = TcpState::reset;
      return Fate::passes;
    }
    return within_window ? Fate::ignored : Fate::outside;
  }
  if (s.syn && !s.has_ack) {
    if (initiator) {
      sender.reopening = true;
      return Fate::ignored;
    }
    return state == TcpState::syn_received || is_over(state) ? Fate::ignored : Fate::refused;
  }
  if (!s.has_ack) return Fate::outside;  // a bare FIN
  if (!within(from, s)) {
    if (!s.syn && !s.fin) return options.strict ? Fate::outside : Fate::ignored;
    if (!s.syn || !receiver.reopening) return Fate::outside;
    // The responder has lost the connection, and answers the initiator's new SYN.
    if (initiator) return Fate::refused;
    if (state == TcpState::reset) return Fate::refused;
    reopen(from, s);
    state = TcpState::syn_received;
    return Fate::passes;
  }
  if (state == TcpState::reset) return Fate::ignored;

  note(from, s);
  if (!s.syn) sender.reopening = false;  // it goes on with the connection, so the SYN was not its own
  if (s.fin && !s.syn) {
    const TcpState own = initiator ? TcpState::fin_forward : TcpState::fin_reverse;
    const TcpState other = initiator ? TcpState::fin_reverse : TcpState::fin_forward;
    if (is_half_open(state) || state == TcpState::established) {
      state = own;
    } else if (state == other) {
      state = TcpState::closing;
    }
  } else if (state == TcpState::syn_received && initiator) {
    state = TcpState::established;
  }
  if (state == TcpState::loose && end(0).known && end(1).known) state = TcpState::established;
  return Fate::passes;
}

bool TcpConnection::was_sent(Side from, uint32_t low) const {
  const End& sender = end(from);
  if (!sender.known) return false;
  const Number seq = nearest(low, sender.sent);
  return after(sender.sent, seq) && !after(sender.acked - std::max(end(1 - from).bytes(), kLate), seq);
}

}  // namespace weir::model
