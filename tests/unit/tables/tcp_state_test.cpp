#include "dataplane/session/tcp_state.h"

#include <gtest/gtest.h>

#include <map>
#include <tuple>
#include <vector>

namespace weir::dataplane {
namespace {

using enum SessionState;
constexpr Direction kForward = Direction::forward, kReverse = Direction::reverse;

TEST(TcpState, EventOfEveryFlagByte) {
  for (unsigned flags = 0; flags < 256; ++flags) {
    TcpEvent expected = TcpEvent::none;
    if ((flags & kAck) != 0) expected = TcpEvent::ack;
    if ((flags & kFin) != 0) expected = TcpEvent::fin;
    if ((flags & kSyn) != 0) expected = (flags & kAck) != 0 ? TcpEvent::syn_ack : TcpEvent::syn;
    if ((flags & kRst) != 0) expected = TcpEvent::rst;
    EXPECT_EQ(event_of(static_cast<uint8_t>(flags)), expected) << flags;
  }
}

/// Every cell of the table: these transitions happen, RST ends any TCP state, and nothing else moves.
TEST(TcpState, TheWholeTable) {
  const std::map<std::tuple<SessionState, Direction, TcpEvent>, SessionState> moves = {
      {{syn_sent, kReverse, TcpEvent::syn_ack}, syn_received},
      {{syn_sent, kReverse, TcpEvent::syn}, syn_received},  // simultaneous open
      {{syn_received, kForward, TcpEvent::ack}, established},
      {{syn_received, kForward, TcpEvent::syn_ack}, established},  // simultaneous open
      {{syn_received, kForward, TcpEvent::fin}, fin_forward},
      {{syn_received, kReverse, TcpEvent::fin}, fin_reverse},
      {{established, kForward, TcpEvent::fin}, fin_forward},
      {{established, kReverse, TcpEvent::fin}, fin_reverse},
      {{fin_forward, kReverse, TcpEvent::fin}, closing},
      {{fin_reverse, kForward, TcpEvent::fin}, closing},
  };
  for (int s = 0; s < static_cast<int>(SessionState::count_); ++s) {
    for (const Direction direction : {kForward, kReverse}) {
      for (int e = 0; e < static_cast<int>(TcpEvent::count_); ++e) {
        const auto state = static_cast<SessionState>(s);
        const auto event = static_cast<TcpEvent>(e);
        SessionState expected = state;
        if (event == TcpEvent::rst && state != free && state != active) expected = reset;
        if (const auto move = moves.find({state, direction, event}); move != moves.end()) {
          expected = move->second;
        }
        EXPECT_EQ(next_state(state, direction, event), expected)
            << "state " << s << " direction " << static_cast<int>(direction) << " event " << e;
      }
    }
  }
}

struct Segment {
  Direction direction;
  uint8_t flags;
};

SessionState run(const std::vector<Segment>& segments) {
  SessionState state = syn_sent;  // the first SYN made the session
  for (const Segment& s : segments) state = next_state(state, s.direction, event_of(s.flags));
  return state;
}

TEST(TcpState, Conversations) {
  EXPECT_EQ(run({{kForward, kSyn}, {kReverse, kSyn | kAck}, {kReverse, kSyn | kAck}, {kForward, kAck}}),
            established)
      << "retransmitted SYN and SYN+ACK";
  EXPECT_EQ(run({{kReverse, kSyn}, {kForward, kSyn | kAck}, {kReverse, kSyn | kAck}}), established)
      << "simultaneous open";
  EXPECT_EQ(run({{kReverse, kRst | kAck}}), reset) << "refused";
  EXPECT_EQ(run({{kReverse, kSyn | kAck},
                 {kForward, kAck},
                 {kForward, kFin | kAck},
                 {kReverse, kAck},
                 {kReverse, kPsh | kAck}}),
            fin_forward)
      << "half closed: the responder may go on sending";
  EXPECT_EQ(run({{kReverse, kSyn | kAck},
                 {kForward, kAck},
                 {kReverse, kFin | kAck},
                 {kReverse, kFin | kAck},
                 {kForward, kFin | kAck},
                 {kReverse, kAck}}),
            closing)
      << "closed by both, with a retransmitted FIN";
  EXPECT_EQ(run({{kForward, kAck}, {kForward, kFin | kAck}, {kReverse, 0}}), syn_sent)
      << "nothing but the responder's SYN moves a session that nobody answered";
}

}  // namespace
}  // namespace weir::dataplane
