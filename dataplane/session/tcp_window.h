// What both ends of a TCP session may send now, as seen from between (van Rooij, "Real stateful TCP packet
// filtering in IP Filter", with RFC 7323's scaling and RFC 5961's stricter view of RST).
//
// One half of a cache line per session, beside the session itself and touched for TCP only. Pure: time,
// packets and sessions are the caller's. Sequence numbers wrap; all comparisons are modulo 2^32.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/session/tcp_rules.h"
#include "dataplane/session/tcp_state.h"

namespace weir::dataplane {

/// Is sequence number `a` behind `b`, by less than half of the number space?
constexpr bool is_after(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) > 0; }
constexpr uint32_t later_of(uint32_t a, uint32_t b) { return is_after(a, b) ? a : b; }

/// What is read of a TCP header (RFC 9293 section 3.1), host order.
struct TcpSegment {
  uint32_t seq = 0;
  uint32_t ack = 0;     // means nothing without the flag
  uint32_t length = 0;  // in sequence numbers: payload, SYN, FIN
  uint16_t window = 0;  // as it stands in the header
  uint8_t flags = 0;
  std::optional<uint8_t> scale;  // SYN: the window scale option (RFC 7323), at most 14

  uint32_t end() const { return seq + length; }
};

/// `header`: the whole TCP header with its options; `payload`: bytes behind it. Options that make no sense
/// are passed over: they are the receiver's affair.
TcpSegment read_segment(std::span<const uint8_t> header, uint32_t payload);

/// One end, as a sender. `end`, `max_end` and `acked` are sequence numbers of its own data.
struct TcpSide {
  enum Flags : uint8_t {
    kOfferedScale = 0x0f,  // of its SYN's option; 15: there was none
    kKnown = 0x10,         // it has sent something
    kReopening = 0x20,     // the last that it sent is a SYN, while the session was live
    kTold = 0x40,          // not known yet, but its peer has acknowledged what it must have sent
    kClosely = 0x80,       // its segments are followed one by one: take() takes none
  };
  uint32_t end = 0;      // behind the last that it has sent
  uint32_t max_end = 0;  // behind the last that its peer has allowed
  uint32_t acked = 0;    // what its peer expects next
  uint16_t window = 0;   // the largest that it has announced, to be shifted by `scale`
  uint8_t scale = 0;
  uint8_t flags = kOfferedScale;

  bool known() const { return (flags & kKnown) != 0; }
  uint32_t scaled_window() const { return uint32_t{window} << scale; }
};
static_assert(sizeof(TcpSide) == 16);

struct alignas(32) TcpWindow {
  /// The scale that is assumed where no SYN was seen.
  static constexpr uint8_t kLooseScale = 14;
  /// An acknowledgement may come this late at least: what was under way when it was sent.
  static constexpr uint32_t kAckWindow = 66'000;

  TcpSide side[2];  // by direction in which it sends

  /// A segment with ACK and without SYN, FIN and RST of a session whose two ends are known: if it lies within
  /// the windows it moves them. False: it lies outside, or shows that a SYN was not its sender's; nothing has
  /// moved, and follow_tcp() has the answer; or it is of a side that is followed closely.
  bool take(Direction direction, uint32_t seq, uint32_t ack, uint32_t end, uint16_t window) {
    const bool closely =
        (side[static_cast<size_t>(direction)].flags & (TcpSide::kReopening | TcpSide::kClosely)) != 0;
    if (static_cast<int>(closely) | static_cast<int>(!contains(direction, seq, ack, end))) [[unlikely]]
      return false;
    note(direction, ack, end, window);
    return true;
  }
  bool contains(Direction direction, uint32_t seq, uint32_t ack, uint32_t end) const {
    const TcpSide& sender = side[static_cast<size_t>(direction)];
    const TcpSide& receiver = side[1 - static_cast<size_t>(direction)];
    // Each of them holds for nearly every segment, so they are or-ed, not branched over.
    return !(is_after(seq, sender.max_end) | is_after(sender.end - receiver.scaled_window(), end) |
             is_after(ack, receiver.end) |
             is_after(receiver.end - std::max(sender.scaled_window(), kAckWindow), ack));
  }
  void note(Direction direction, uint32_t ack, uint32_t end, uint16_t window) {
    TcpSide& sender = side[static_cast<size_t>(direction)];
    TcpSide& receiver = side[1 - static_cast<size_t>(direction)];
    // One byte is sent into a closed window, to find out whether it has opened (RFC 9293 section 3.8.6.1).
    const uint32_t open = std::max(uint32_t{window} << sender.scale, 1u);
    sender.end = later_of(end, sender.end);
    sender.window = std::max(window, sender.window);
    receiver.acked = later_of(ack, receiver.acked);
    receiver.max_end = later_of(ack + open, receiver.max_end);
  }

  /// Could the segment that begins at `seq` be under way from that end, or have been lately? For what an ICMP
  /// error quotes (RFC 5927 section 4.1).
  bool was_sent(Direction direction, uint32_t seq) const;
};
static_assert(sizeof(TcpWindow) == 32);

/// The first segment of a session, which may be any under rules.mid_stream.
/// Returns the session's first state; nothing: it cannot begin so.
std::optional<SessionState> begin_tcp(const TcpSegment& first, const TcpRules& rules, TcpWindow& window);

/// Any later segment: judges it, moves the windows if it passes, and says what becomes of session and
/// segment.
struct TcpOutcome {
  TcpStep step;
  TcpEvent event = TcpEvent::none;  // what the segment was
};
TcpOutcome follow_tcp(SessionState state, Direction direction, const TcpSegment& segment,
                      const TcpRules& rules, TcpWindow& window);

/// What the segment is to the session: the first half of follow_tcp().
TcpEvent judge_tcp(SessionState state, Direction direction, const TcpSegment& segment,
                   const TcpWindow& window);

}  // namespace weir::dataplane
