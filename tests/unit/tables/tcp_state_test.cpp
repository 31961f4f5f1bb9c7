#include "dataplane/session/tcp_state.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace weir::dataplane {
namespace {

using enum SessionState;

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

/// Every cell. A row: state, direction, then one cell for each event in the order of TcpEvent: a state's
/// letter for what passes and moves there, `i` ignored, `-` refused.
///   o loose  s syn_sent  r syn_received  e established  f fin_forward  b fin_reverse  c closing  x reset
///                              syn syn_ack ack fin rst soft_rst outside outside_control reopen none
constexpr const char* kWhole = R"(
  free          forward         -    -     -   -   -     -       -          -            -     -
  free          reverse         -    -     -   -   -     -       -          -            -     -
  active        forward         a    a     a   a   a     a       a          a            a     a
  active        reverse         a    a     a   a   a     a       a          a            a     a
  loose         forward         i    o     o   f   x     i       i          -            -     -
  loose         reverse         -    o     o   b   x     i       i          -            r     -
  syn_sent      forward         s    -     -   -   x     -       -          -            -     -
  syn_sent      reverse         r    r     i   -   x     -       -          -            -     -
  syn_received  forward         i    e     e   f   x     i       i          -            -     -
  syn_received  reverse         i    r     r   b   x     i       i          -            r     -
  established   forward         i    e     e   f   x     i       i          -            -     -
  established   reverse         -    e     e   b   x     i       i          -            r     -
  fin_forward   forward         i    f     f   f   x     i       i          -            -     -
  fin_forward   reverse         -    f     f   c   x     i       i          -            r     -
  fin_reverse   forward         i    b     b   c   x     i       i          -            -     -
  fin_reverse   reverse         -    b     b   b   x     i       i          -            r     -
  closing       forward         i    c     c   c   x     i       i          -            -     -
  closing       reverse         i    c     c   c   x     i       i          -            r     -
  reset         forward         i    i     i   i   i     i       i          -            -     -
  reset         reverse         i    i     i   i   i     i       i          -            -     -
)";

TEST(TcpState, TheWholeTable) {
  const std::map<std::string, SessionState> names = {{"free", free},
                                                     {"active", active},
                                                     {"loose", loose},
                                                     {"syn_sent", syn_sent},
                                                     {"syn_received", syn_received},
                                                     {"established", established},
                                                     {"fin_forward", fin_forward},
                                                     {"fin_reverse", fin_reverse},
                                                     {"closing", closing},
                                                     {"reset", reset}};
  const std::map<char, SessionState> letters = {{'a', active},       {'o', loose},       {'s', syn_sent},
                                                {'r', syn_received}, {'e', established}, {'f', fin_forward},
                                                {'b', fin_reverse},  {'c', closing},     {'x', reset}};
  std::istringstream text(kWhole);
  std::string state, direction;
  size_t cells = 0;
  while (text >> state >> direction) {
    const Direction d = direction == "forward" ? Direction::forward : Direction::reverse;
    for (int e = 0; e < static_cast<int>(TcpEvent::count_); ++e, ++cells) {
      char cell = 0;
      ASSERT_TRUE(text >> cell);
      TcpStep expected{names.at(state), cell == 'i' ? TcpVerdict::ignore : TcpVerdict::refuse};
      if (letters.contains(cell)) expected = {letters.at(cell), TcpVerdict::pass};
      EXPECT_EQ(tcp_step(names.at(state), d, static_cast<TcpEvent>(e)), expected)
          << state << ' ' << direction << " event " << e;
    }
  }
  EXPECT_EQ(cells, static_cast<size_t>(count_) * 2 * static_cast<size_t>(TcpEvent::count_));
}

}  // namespace
}  // namespace weir::dataplane
