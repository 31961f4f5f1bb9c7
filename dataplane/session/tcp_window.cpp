#include "dataplane/session/tcp_window.h"

#include "dataplane/net/parse.h"

namespace weir::dataplane {

namespace {

constexpr uint8_t kMaxScale = 14;  // RFC 7323 section 2.3: more counts as this
/// Of a side whose peer has said nothing yet: a quarter of the number space, the largest window there is.
constexpr uint32_t kAnyWindow = 1u << 30;

std::optional<uint8_t> window_scale(std::span<const uint8_t> header) {
  constexpr uint8_t kScale = 3, kScaleLength = 3;
  const std::optional<size_t> at = net::find_tcp_option(header, kScale, kScaleLength);
  return at ? std::optional(std::min(header[*at + 2], kMaxScale)) : std::nullopt;
}

bool has(const TcpSegment& segment, uint8_t flag) { return (segment.flags & flag) != 0; }

/// A sender's SYN, with which its numbers begin. Windows of SYNs are never scaled.
void begin_side(TcpSide& sender, const TcpSegment& syn) {
  sender = {};
  sender.end = sender.max_end = syn.end();
  sender.acked = syn.seq;
  sender.window = syn.window;
  sender.flags = static_cast<uint8_t>(TcpSide::kKnown | syn.scale.value_or(TcpSide::kOfferedScale));
}

/// Both SYNs are known: windows are scaled from now on if both have asked for it (RFC 7323 section 2.2).
void agree_on_scales(TcpWindow& window) {
  const auto offered = [](const TcpSide& side) { return side.flags & TcpSide::kOfferedScale; };
  TcpSide(&side)[2] = window.side;
  if (offered(side[0]) == TcpSide::kOfferedScale || offered(side[1]) == TcpSide::kOfferedScale) return;
  for (TcpSide& s : side) {
    s.scale = static_cast<uint8_t>(offered(s));
    const uint32_t bytes = s.window;
    s.window = static_cast<uint16_t>((bytes + (1u << s.scale) - 1) >> s.scale);  // no less than before
  }
}

/// The SYN or SYN+ACK of an end that has sent nothing yet, to one that has.
void answer(TcpWindow& window, Direction direction, const TcpSegment& segment) {
  TcpSide& sender = window.side[static_cast<size_t>(direction)];
  TcpSide& receiver = window.side[1 - static_cast<size_t>(direction)];
  begin_side(sender, segment);
  sender.max_end = later_of(segment.seq + 1 + receiver.window, sender.end);
  if (has(segment, kAck)) {
    receiver.acked = segment.ack;
    receiver.max_end = later_of(segment.ack + std::max<uint32_t>(segment.window, 1), receiver.end);
  } else {
    receiver.max_end = receiver.end + segment.window;
  }
  agree_on_scales(window);
}

/// The receiver has lost the session, and answers a SYN that came while the hub still had it. What that SYN
/// offered was not kept.
void reopen(TcpWindow& window, Direction direction, const TcpSegment& segment) {
  TcpSide& sender = window.side[static_cast<size_t>(direction)];
  TcpSide& receiver = window.side[1 - static_cast<size_t>(direction)];
  receiver = {};
  receiver.end = receiver.acked = segment.ack;
  receiver.max_end = segment.ack + std::max<uint32_t>(segment.window, 1);
  receiver.window = UINT16_MAX;
  receiver.scale = TcpWindow::kLooseScale;
  receiver.flags = TcpSide::kKnown | TcpSide::kOfferedScale;
  begin_side(sender, segment);
  sender.max_end = segment.seq + 1 + UINT16_MAX;
  if (segment.scale) sender.scale = *segment.scale;
}

/// A sender that is first seen in the midst of the session.
void take_up(TcpSide& sender, const TcpSegment& segment) {
  const bool told = (sender.flags & TcpSide::kTold) != 0;
  sender.end = told ? later_of(segment.end(), sender.end) : segment.end();
  sender.max_end = told ? later_of(segment.end(), sender.max_end) : segment.end() + kAnyWindow;
  if (!told) sender.acked = segment.seq;
  sender.window = std::max<uint16_t>(segment.window, 1);
  sender.scale = TcpWindow::kLooseScale;
  sender.flags = TcpSide::kKnown | TcpSide::kOfferedScale;
}

/// In state `loose`: of the two ends at most one may be unknown.
bool contains_loose(const TcpWindow& window, Direction direction, const TcpSegment& segment) {
  const TcpSide& sender = window.side[static_cast<size_t>(direction)];
  const TcpSide& receiver = window.side[1 - static_cast<size_t>(direction)];
  if (sender.known() && receiver.known())
    return window.contains(direction, segment.seq, segment.ack, segment.end());
  if (sender.known()) {
    return !is_after(segment.seq, sender.end + kAnyWindow) &&
           !is_after(sender.end - kAnyWindow, segment.end());
  }
  return !is_after(segment.ack, receiver.end) && !is_after(receiver.end - kAnyWindow, segment.ack);
}

void note_loose(TcpWindow& window, Direction direction, const TcpSegment& segment) {
  TcpSide& sender = window.side[static_cast<size_t>(direction)];
  TcpSide& receiver = window.side[1 - static_cast<size_t>(direction)];
  if (!sender.known()) take_up(sender, segment);
  if (receiver.known()) return window.note(direction, segment.ack, segment.end(), segment.window);
  sender.end = later_of(segment.end(), sender.end);
  sender.max_end = sender.end + kAnyWindow;
  sender.window = std::max(segment.window, sender.window);
  sender.scale = TcpWindow::kLooseScale;  // whatever it offered: the answer was not seen
  if (has(segment, kAck)) {
    receiver.end = receiver.acked = segment.ack;
    receiver.max_end = segment.ack + std::max(uint32_t{segment.window} << sender.scale, 1u);
    receiver.flags |= TcpSide::kTold;
  }
}

/// All that is not the first answer to a SYN.
void note(TcpWindow& window, Direction direction, const TcpSegment& segment) {
  TcpSide& sender = window.side[static_cast<size_t>(direction)];
  TcpSegment in_units = segment;
  if (has(segment, kSyn)) in_units.window = static_cast<uint16_t>(segment.window >> sender.scale);
  if (sender.known() && window.side[1 - static_cast<size_t>(direction)].known()) {
    window.note(direction, segment.ack, segment.end(), in_units.window);
  } else {
    note_loose(window, direction, in_units);
  }
  // Who has sent a SYN says nothing else before it is answered, but RST (RFC 9293 section 3.10.7.3). So that
  // SYN was not its own, or an old one, and no SYN+ACK answers it.
  if (!has(segment, kSyn)) sender.flags &= static_cast<uint8_t>(~TcpSide::kReopening);
}

TcpEvent judge_reset(SessionState state, Direction direction, const TcpSegment& segment,
                     const TcpWindow& window) {
  const TcpSide& sender = window.side[static_cast<size_t>(direction)];
  const TcpSide& receiver = window.side[1 - static_cast<size_t>(direction)];
  if (state == SessionState::syn_sent && direction == Direction::reverse) {
    // The answer to a SYN: it has to acknowledge it (RFC 9293 section 3.10.7.3).
    const bool answers =
        has(segment, kAck) && is_after(segment.ack, receiver.acked) && !is_after(segment.ack, receiver.end);
    return answers ? TcpEvent::rst : TcpEvent::outside_control;
  }
  // Of an end that has said nothing, and whose peer has not either, nobody knows what is expected.
  if (!sender.known() && (sender.flags & TcpSide::kTold) == 0) return TcpEvent::outside_control;
  // Behind all that was sent, it is what the receiver expects as soon as that has arrived.
  if (segment.seq == sender.acked || segment.seq == sender.end) return TcpEvent::rst;
  // A challenge that it was sent in syn_sent is kept there (see follow_tcp()).
  if (state == SessionState::syn_sent && segment.seq == sender.max_end) return TcpEvent::rst;
  const bool within = !is_after(sender.acked, segment.seq) && !is_after(segment.seq, sender.max_end);
  return within ? TcpEvent::soft_rst : TcpEvent::outside_control;
}

}  // namespace

TcpSegment read_segment(std::span<const uint8_t> header, uint32_t payload) {
  const auto& tcp = *reinterpret_cast<const net::TcpHeader*>(header.data());
  TcpSegment segment;
  segment.seq = tcp.seq.host();
  segment.ack = tcp.ack.host();
  segment.flags = tcp.flags;
  segment.window = tcp.window.host();
  segment.length = payload + has(segment, kSyn) + has(segment, kFin);
  if (has(segment, kSyn)) segment.scale = window_scale(header);
  return segment;
}

bool TcpWindow::was_sent(Direction direction, uint32_t seq) const {
  const TcpSide& sender = side[static_cast<size_t>(direction)];
  const TcpSide& receiver = side[1 - static_cast<size_t>(direction)];
  if (!sender.known()) return false;
  const uint32_t before = std::max(receiver.scaled_window(), kAckWindow);
  return is_after(sender.end, seq) && !is_after(sender.acked - before, seq);
}

std::optional<SessionState> begin_tcp(const TcpSegment& first, const TcpRules& rules, TcpWindow& window) {
  window = {};
  switch (event_of(first.flags)) {
    case TcpEvent::syn:
      begin_side(window.side[0], first);
      return SessionState::syn_sent;
    case TcpEvent::syn_ack:
      if (!rules.one_sided && !rules.mid_stream) return std::nullopt;
      break;
    case TcpEvent::ack:
      if (!rules.mid_stream) return std::nullopt;
      break;
    default:
      return std::nullopt;
  }
  note_loose(window, Direction::forward, first);
  return SessionState::loose;
}

TcpEvent judge_tcp(SessionState state, Direction direction, const TcpSegment& segment,
                   const TcpWindow& window) {
  const TcpSide& receiver = window.side[1 - static_cast<size_t>(direction)];
  const TcpEvent event = event_of(segment.flags);
  if (event == TcpEvent::none || event == TcpEvent::syn) return event;
  if (event == TcpEvent::rst) return judge_reset(state, direction, segment, window);
  if (!has(segment, kAck)) return TcpEvent::outside_control;  // FIN: no receiver takes it
  if (state == SessionState::syn_sent) {
    if (direction == Direction::forward || event != TcpEvent::syn_ack) return event;
    const bool answers = is_after(segment.ack, receiver.acked) && !is_after(segment.ack, receiver.end);
    return answers ? event : TcpEvent::ack;
  }
  if (contains_loose(window, direction, segment)) return event;
  if (event == TcpEvent::ack) return TcpEvent::outside;
  const bool reopens = event == TcpEvent::syn_ack && (receiver.flags & TcpSide::kReopening) != 0;
  return reopens ? TcpEvent::reopen : TcpEvent::outside_control;
}

TcpOutcome follow_tcp(SessionState state, Direction direction, const TcpSegment& segment,
                      const TcpRules& rules, TcpWindow& window) {
  TcpSide& sender = window.side[static_cast<size_t>(direction)];
  TcpSide& receiver = window.side[1 - static_cast<size_t>(direction)];
  const TcpEvent event = judge_tcp(state, direction, segment, window);
  TcpStep step = tcp_step(state, direction, event);
  if (state == SessionState::syn_sent && direction == Direction::forward && event == TcpEvent::ack &&
      rules.one_sided) {
    step = {SessionState::loose, TcpVerdict::pass};  // the answer went another way
  }
  if (event == TcpEvent::outside && rules.strict) step.verdict = TcpVerdict::refuse;
  switch (step.verdict) {
    case TcpVerdict::refuse:
      break;
    case TcpVerdict::ignore:
      // The initiator resets what the responder remembers at the number that it was told.
      if (state == SessionState::syn_sent) receiver.max_end = segment.ack;
      if (event == TcpEvent::syn && direction == Direction::forward) sender.flags |= TcpSide::kReopening;
      break;
    case TcpVerdict::pass:
      if (event == TcpEvent::rst) break;
      if (event == TcpEvent::reopen) {
        reopen(window, direction, segment);
      } else if (state == SessionState::syn_sent && step.next == SessionState::syn_sent) {
        begin_side(sender, segment);
      } else if (state == SessionState::syn_sent && step.next == SessionState::syn_received) {
        answer(window, direction, segment);
      } else {
        note(window, direction, segment);
      }
      break;
  }
  if (step.next == SessionState::loose && sender.known() && receiver.known())
    step.next = SessionState::established;
  return {step, event};
}

}  // namespace weir::dataplane
