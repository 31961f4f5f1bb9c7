// TCP's states as a middle box follows them (RFC 9293 section 3.3.2, seen from between), as one constexpr
// table. What a segment means is judged by its flags and by the windows (tcp_window.h); the table then says
// what becomes of the session and of the segment.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/session/session.h"

namespace weir::dataplane {

/// TCP flag bits as in the header's 14th byte.
enum TcpFlags : uint8_t { kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16, kUrg = 32 };

/// What a segment is to its session.
enum class TcpEvent : uint8_t {
  syn,              // SYN without ACK, wherever it lies
  syn_ack,          // within the windows, as are ack and fin; in syn_sent: it acknowledges the SYN
  ack,              // in syn_sent: also a SYN+ACK that acknowledges something else
  fin,              //
  rst,              // at the very number that the receiver expects (RFC 5961 section 3.2)
  soft_rst,         // elsewhere within the window: the receiver answers by a challenge ACK, and goes on
  outside,          // outside of the windows, and nothing but ACK
  outside_control,  // the same with SYN+ACK, FIN or RST
  reopen,           // SYN+ACK outside of the windows that answers a SYN which came while the session was live
  none,             // neither SYN, FIN, RST nor ACK: no stack sends that
  count_
};

/// By its flags alone, as if it lay within the windows; RST before SYN before FIN before ACK.
constexpr TcpEvent event_of(uint8_t tcp_flags) {
  if ((tcp_flags & kRst) != 0) return TcpEvent::rst;
  if ((tcp_flags & kSyn) != 0) return (tcp_flags & kAck) != 0 ? TcpEvent::syn_ack : TcpEvent::syn;
  if ((tcp_flags & kFin) != 0) return TcpEvent::fin;
  return (tcp_flags & kAck) != 0 ? TcpEvent::ack : TcpEvent::none;
}

/// What becomes of the segment.
enum class TcpVerdict : uint8_t {
  pass,    // it is part of the conversation
  ignore,  // it passes, since its receiver knows best what to do with it, but moves nothing and keeps nothing
           // alive
  refuse,  // it is dropped
};

struct TcpStep {
  SessionState next = SessionState::free;
  TcpVerdict verdict = TcpVerdict::refuse;
  friend constexpr bool operator==(const TcpStep&, const TcpStep&) = default;
};

namespace detail {

inline constexpr size_t kStates = static_cast<size_t>(SessionState::count_);
inline constexpr size_t kEvents = static_cast<size_t>(TcpEvent::count_);

struct TcpTable {
  using Row = TcpStep[kEvents];
  static constexpr TcpStep to(SessionState next) { return {next, TcpVerdict::pass}; }
  static constexpr TcpStep ignore(SessionState stay) { return {stay, TcpVerdict::ignore}; }
  static constexpr TcpStep refuse(SessionState stay) { return {stay, TcpVerdict::refuse}; }

  struct Table {
    Row rows[kStates][2];
  };

  /// Of a session that both ends know of, so from syn_received on: what is the same in all states. A SYN of
  /// the initiator goes to the responder, who answers by a challenge ACK (RFC 5961 section 4.2), or by
  /// SYN+ACK if it has lost the session. One of the responder could only open a conversation that nobody
  /// allowed.
  static constexpr void fill_synchronised(Table& table, SessionState state) {
    for (const Direction d : {Direction::forward, Direction::reverse}) {
      auto& row = table.rows[static_cast<size_t>(state)][static_cast<size_t>(d)];
      const auto set = [&row](TcpEvent event, TcpStep step) { row[static_cast<size_t>(event)] = step; };
      set(TcpEvent::syn, d == Direction::forward ? ignore(state) : refuse(state));
      set(TcpEvent::syn_ack, to(state));
      set(TcpEvent::ack, to(state));
      set(TcpEvent::fin, to(state));
      set(TcpEvent::rst, to(SessionState::reset));
      set(TcpEvent::soft_rst, ignore(state));
      set(TcpEvent::outside, ignore(state));
      set(TcpEvent::outside_control, refuse(state));
      set(TcpEvent::reopen, d == Direction::forward ? refuse(state) : to(SessionState::syn_received));
      set(TcpEvent::none, refuse(state));
    }
  }

  static constexpr Table make() {
    using enum SessionState;
    using E = TcpEvent;
    Table table{};
    const auto set = [&table](SessionState state, Direction d, TcpEvent event, TcpStep step) {
      table.rows[static_cast<size_t>(state)][static_cast<size_t>(d)][static_cast<size_t>(event)] = step;
    };
    const auto set_all = [&](SessionState state, TcpStep step) {
      for (size_t e = 0; e < kEvents; ++e) {
        set(state, Direction::forward, static_cast<TcpEvent>(e), step);
        set(state, Direction::reverse, static_cast<TcpEvent>(e), step);
      }
    };
    constexpr Direction kForward = Direction::forward, kReverse = Direction::reverse;

    set_all(free, refuse(free));
    set_all(active, to(active));  // not TCP

    // Nobody has answered yet. The initiator may say SYN again, also with other numbers, or give up.
    set_all(syn_sent, refuse(syn_sent));
    set(syn_sent, kForward, E::syn, to(syn_sent));
    set(syn_sent, kForward, E::rst, to(reset));
    set(syn_sent, kReverse, E::syn_ack, to(syn_received));
    set(syn_sent, kReverse, E::syn, to(syn_received));  // simultaneous open (RFC 9293 section 3.5)
    // Of an older conversation that only the responder remembers: the initiator resets that (section 3.5.1).
    set(syn_sent, kReverse, E::ack, ignore(syn_sent));
    set(syn_sent, kReverse, E::rst, to(reset));

    for (const SessionState state :
         {loose, syn_received, established, fin_forward, fin_reverse, closing, reset}) {
      fill_synchronised(table, state);
    }
    set(syn_received, kForward, E::syn_ack, to(established));  // simultaneous open: in place of the ACK
    set(syn_received, kForward, E::ack, to(established));
    set(syn_received, kReverse, E::syn, ignore(syn_received));  // simultaneous open, said again
    for (const SessionState state : {loose, syn_received, established}) {
      set(state, kForward, E::fin, to(fin_forward));
      set(state, kReverse, E::fin, to(fin_reverse));
    }
    set(fin_forward, kReverse, E::fin, to(closing));
    set(fin_reverse, kForward, E::fin, to(closing));

    // What is still under way arrives; nothing of it keeps the session. A SYN starts a new one: the caller.
    for (const E event : {E::syn_ack, E::ack, E::fin, E::rst}) {
      set(reset, kForward, event, ignore(reset));
      set(reset, kReverse, event, ignore(reset));
    }
    set(reset, kReverse, E::reopen, refuse(reset));
    for (const SessionState state : {closing, reset}) set(state, kReverse, E::syn, ignore(state));
    return table;
  }
};

inline constexpr TcpTable::Table kTcpTable = TcpTable::make();

}  // namespace detail

/// What `event` from `direction` does.
constexpr TcpStep tcp_step(SessionState state, Direction direction, TcpEvent event) {
  return detail::kTcpTable
      .rows[static_cast<size_t>(state)][static_cast<size_t>(direction)][static_cast<size_t>(event)];
}

}  // namespace weir::dataplane
