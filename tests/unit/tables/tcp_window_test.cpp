#include "dataplane/session/tcp_window.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace weir::dataplane {
namespace {

using enum SessionState;
constexpr Direction F = Direction::forward, R = Direction::reverse;
constexpr TcpVerdict kPass = TcpVerdict::pass, kIgnore = TcpVerdict::ignore, kRefuse = TcpVerdict::refuse;

struct Step {
  Direction from;
  uint8_t flags;
  int64_t seq;  // from the sender's initial number
  int64_t ack;  // from the receiver's
  uint32_t payload = 0;
  TcpVerdict verdict = kPass;
  SessionState state = established;
  uint16_t window = 1'000;
  std::optional<uint8_t> scale = {};
};

TcpSegment segment(const Step& step, const uint32_t (&first)[2]) {
  const size_t d = static_cast<size_t>(step.from);
  TcpSegment s;
  s.seq = first[d] + static_cast<uint32_t>(step.seq);
  s.ack = (step.flags & kAck) != 0 ? first[1 - d] + static_cast<uint32_t>(step.ack) : 0;
  s.length = step.payload + ((step.flags & kSyn) != 0) + ((step.flags & kFin) != 0);
  s.window = step.window;
  s.flags = step.flags;
  s.scale = step.scale;
  return s;
}

struct Row {
  const char* name;
  std::vector<Step> steps;
  TcpRules rules = {};
};

const std::vector<Step> kHandshake = {
    {F, kSyn, 0, 0, 0, kPass, syn_sent},
    {R, kSyn | kAck, 0, 1, 0, kPass, syn_received},
    {F, kAck, 1, 1},
};

std::vector<Step> established_then(std::vector<Step> more) {
  std::vector<Step> all = kHandshake;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

const Row kRows[] = {
    {"data both ways, acknowledged, closed by both",
     established_then({{F, kAck | kPsh, 1, 1, 500},
                       {R, kAck, 1, 501},
                       {R, kAck, 1, 501, 800},
                       {F, kAck, 501, 801},
                       {F, kFin | kAck, 501, 801, 0, kPass, fin_forward},
                       {R, kAck, 801, 502, 0, kPass, fin_forward},
                       {R, kAck, 801, 502, 100, kPass, fin_forward},
                       {F, kAck, 502, 901, 0, kPass, fin_forward},
                       {R, kFin | kAck, 901, 502, 0, kPass, closing},
                       {F, kAck, 502, 902, 0, kPass, closing}})},
    {"retransmissions of every kind",
     {{F, kSyn, 0, 0, 0, kPass, syn_sent},
      {F, kSyn, 0, 0, 0, kPass, syn_sent},
      {R, kSyn | kAck, 0, 1, 0, kPass, syn_received},
      {F, kSyn, 0, 0, 0, kIgnore, syn_received},
      {R, kSyn | kAck, 0, 1, 0, kPass, syn_received},
      {F, kAck, 1, 1, 100},
      {F, kAck, 1, 1, 100},
      {R, kSyn | kAck, 0, 1},
      {R, kAck, 1, 101}}},
    {"a keep-alive is one number behind",
     established_then({{F, kAck, 0, 1}, {F, kAck, 0, 1, 1}, {R, kAck, 1, 1}})},
    {"one byte into a closed window", established_then({{F, kAck, 1, 1, 100},
                                                        {R, kAck, 1, 101, 0, kPass, established, 0},
                                                        {F, kAck, 101, 1, 1},
                                                        {R, kAck, 1, 101, 0, kPass, established, 0}})},
    {"data outside moves nothing", established_then({{F, kAck, 100'000, 1, 10, kIgnore},
                                                     {F, kAck, 1, 5'000, 10, kIgnore},
                                                     {F, kAck, -80'000, 1, 10, kIgnore},
                                                     {F, kAck, 1, -80'000, 10, kIgnore},
                                                     {F, kAck, 1, 1, 100}})},
    {"strict: it is dropped",
     established_then({{F, kAck, 100'000, 1, 10, kRefuse}, {F, kAck, 1, 1, 100}}),
     {.strict = true}},
    {"a FIN outside closes nothing", established_then({{F, kFin | kAck, 100'000, 1, 0, kRefuse},
                                                       {R, kFin | kAck, 100'000, 1, 0, kRefuse},
                                                       {R, kFin | kAck, 1, 70'000, 0, kRefuse},
                                                       {R, kFin, 1, 0, 0, kRefuse},
                                                       {F, kAck, 1, 1, 100}})},
    {"a reset outside closes nothing; within, only at the number expected (RFC 5961)",
     established_then({{F, kRst, 2'000, 0, 0, kRefuse},
                       {R, kRst, 2'000, 0, 0, kRefuse},
                       {F, kRst, 0, 0, 0, kRefuse},
                       {F, kRst, 500, 0, 0, kIgnore},
                       {R, kRst | kAck, 500, 1, 0, kIgnore},
                       {R, kRst, 1, 0, 0, kPass, reset}})},
    {"a reset behind data that is still under way",
     established_then({{F, kAck, 1, 1, 700}, {F, kRst | kAck, 701, 1, 0, kPass, reset}})},
    {"a reset at what was acknowledged",
     established_then({{F, kAck, 1, 1, 700}, {R, kAck, 1, 301}, {F, kRst | kAck, 301, 1, 0, kPass, reset}})},
    {"refused",
     {{F, kSyn, 0, 0, 0, kPass, syn_sent},
      {R, kRst, 0, 0, 0, kRefuse, syn_sent},
      {R, kRst | kAck, 0, 0, 0, kRefuse, syn_sent},
      {R, kRst | kAck, 0, 2, 0, kRefuse, syn_sent},
      {R, kRst | kAck, 0, 1, 0, kPass, reset}}},
    {"given up by the initiator",
     {{F, kSyn, 0, 0, 0, kPass, syn_sent},
      {F, kRst, 5'000, 0, 0, kRefuse, syn_sent},
      {F, kRst, 1, 0, 0, kPass, reset}}},
    {"SYN with data (RFC 7413): acknowledged in part or whole",
     {{F, kSyn, 0, 0, 300, kPass, syn_sent},
      {R, kSyn | kAck, 0, 302, 0, kIgnore, syn_sent},
      {R, kSyn | kAck, 0, 301, 40, kPass, syn_received},
      {F, kAck, 301, 41}}},
    {"simultaneous open",
     {{F, kSyn, 0, 0, 0, kPass, syn_sent},
      {R, kSyn, 0, 0, 0, kPass, syn_received},
      {R, kSyn, 0, 0, 0, kIgnore, syn_received},
      {R, kSyn | kAck, 0, 1, 0, kPass, syn_received},
      {F, kSyn | kAck, 0, 1},
      {F, kAck, 1, 1, 50},
      {R, kAck, 1, 51}}},
    {"the responder remembers an older conversation: challenge, reset, again (RFC 9293 section 3.5.1)",
     {{F, kSyn, 0, 0, 0, kPass, syn_sent},
      {R, kAck, 7'000, 90'000, 0, kIgnore, syn_sent},
      {F, kRst, 90'000, 0, 0, kPass, reset}}},
    {"nothing but SYN or RST of the initiator before the answer",
     {{F, kSyn, 0, 0, 0, kPass, syn_sent},
      {F, kAck, 1, 1, 10, kRefuse, syn_sent},
      {F, kFin | kAck, 1, 1, 0, kRefuse, syn_sent},
      {F, kSyn | kAck, 0, 1, 0, kRefuse, syn_sent},
      {R, kFin | kAck, 0, 1, 0, kRefuse, syn_sent},
      {F, 0, 1, 0, 10, kRefuse, syn_sent},
      {R, kSyn | kAck, 0, 1, 0, kPass, syn_received}}},
    {"a new attempt with other numbers",
     {{F, kSyn, 0, 0, 0, kPass, syn_sent},
      {F, kSyn, 900'000, 0, 0, kPass, syn_sent},
      {R, kSyn | kAck, 0, 1, 0, kIgnore, syn_sent},
      {R, kSyn | kAck, 0, 900'001, 0, kPass, syn_received}}},
    {"a SYN on a live session is the receiver's affair; its challenge ACK is answered by a reset",
     established_then(
         {{F, kSyn, 900'000, 0, 0, kIgnore}, {R, kAck, 1, 1}, {F, kRst, 1, 0, 0, kPass, reset}})},
    {"the responder has lost the session: SYN+ACK opens it again",
     established_then({{R, kSyn | kAck, 700'000, 1, 0, kRefuse},
                       {F, kSyn, 900'000, 0, 0, kIgnore},
                       {R, kSyn | kAck, 700'000, 900'001, 0, kPass, syn_received},
                       {F, kAck, 900'001, 700'001},
                       {F, kAck, 900'001, 700'001, 100},
                       {R, kAck, 700'001, 900'101, 100},
                       {F, kRst, 2, 0, 0, kRefuse}})},
    {"a SYN of the initiator is over when it goes on as before",
     established_then({{F, kSyn, 900'000, 0, 0, kIgnore},
                       {F, kAck, 1, 1, 10},
                       {R, kSyn | kAck, 700'000, 900'001, 0, kRefuse}})},
    {"a SYN of the responder opens nothing",
     established_then({{R, kSyn, 900'000, 0, 0, kRefuse}, {F, kSyn | kAck, 5, 900'001, 0, kRefuse}})},
    {"no flags", established_then({{F, 0, 1, 0, 10, kRefuse}, {R, kPsh, 1, 0, 10, kRefuse}})},
    {"scaled windows",
     {{F, kSyn, 0, 0, 0, kPass, syn_sent, 1'000, 7},
      {R, kSyn | kAck, 0, 1, 0, kPass, syn_received, 1'000, 3},
      {F, kAck, 1, 1, 0, kPass, established, 1'000},
      {R, kAck, 1, 1, 1'400, kPass},
      {R, kAck, 120'000, 1, 1'400, kPass},
      {R, kAck, 130'000, 1, 1'400, kIgnore},
      {F, kAck, 7'900, 1, 100, kPass},
      {F, kAck, 8'002, 1, 100, kIgnore}}},
    {"a scale that one end offers alone counts for neither",
     {{F, kSyn, 0, 0, 0, kPass, syn_sent, 1'000, 7},
      {R, kSyn | kAck, 0, 1, 0, kPass, syn_received},
      {F, kAck, 1, 1},
      {R, kAck, 120'000, 1, 10, kIgnore},
      {R, kAck, 900, 1, 10, kPass}}},
    {"taken up in its midst",
     {{F, kAck, 5'000, 7'000, 100, kPass, loose},
      {F, kAck, 5'100, 7'000, 100, kPass, loose},
      {F, kRst, 400'000, 0, 0, kIgnore, loose},
      {R, kAck, 7'000, 5'200, 900},
      {F, kAck, 5'200, 7'900, 100},
      {R, kRst, 4'000, 0, 0, kRefuse},
      {R, kRst, 7'900, 0, 0, kPass, reset}},
     {.mid_stream = true}},
    {"taken up at the other end's data: what the first has acknowledged is known",
     {{F, kAck, 5'000, 7'000, 0, kPass, loose},
      {R, kAck, 7'000, 6'000, 0, kIgnore, loose},
      {R, kRst, 6'000, 0, 0, kRefuse, loose},
      {R, kRst, 7'000, 0, 0, kPass, reset}},
     {.mid_stream = true}},
    {"one way only, after the SYN",
     {{F, kSyn, 0, 0, 0, kPass, syn_sent, 1'000, 7},
      {F, kAck, 1, 1, 0, kPass, loose},
      {F, kAck, 1, 1, 1'400, kPass, loose},
      {F, kAck, 100'000, 90'000, 1'400, kPass, loose},
      {F, kFin | kAck, 101'400, 90'000, 0, kPass, fin_forward}},
     {.one_sided = true}},
    {"one way only, from the answer on",
     {{F, kSyn | kAck, 0, 1, 0, kPass, loose}, {F, kAck, 1, 500, 1'000, kPass, loose}},
     {.one_sided = true}},
};

/// Plays a row with sequence numbers that begin at these.
void play(const Row& row, const uint32_t (&first)[2]) {
  TcpWindow window;
  SessionState state = free;
  for (size_t i = 0; i < row.steps.size(); ++i) {
    const Step& step = row.steps[i];
    const TcpSegment s = segment(step, first);
    if (i == 0) {
      const auto begun = begin_tcp(s, row.rules, window);
      ASSERT_TRUE(begun);
      state = *begun;
    } else {
      const TcpWindow before = window;
      const TcpOutcome outcome = follow_tcp(state, step.from, s, row.rules, window);
      state = outcome.step.next;
      ASSERT_EQ(outcome.step.verdict, step.verdict) << "step " << i;
      if (step.verdict == kRefuse) {
        EXPECT_EQ(std::memcmp(&before, &window, sizeof window), 0) << "what is refused moves nothing: " << i;
      }
    }
    ASSERT_EQ(state, step.state) << "step " << i;
  }
}

TEST(TcpWindow, ConversationsWhereverTheNumbersBegin) {
  for (const Row& row : kRows) {
    for (const uint32_t forward : {1'000'000u, 0u, 0xffff'ffffu, 0xffff'ff00u, 0x7fff'fff0u, 0x8000'0000u}) {
      for (const uint32_t reverse : {50'000u, 0xffff'ffffu, 0x7fff'ffffu, forward}) {
        SCOPED_TRACE(std::string(row.name) + ", from " + std::to_string(forward) + " and " +
                     std::to_string(reverse));
        play(row, {forward, reverse});
      }
    }
  }
}

/// Plain segments take a shorter way, which must not pass over what they prove.
TEST(TcpWindow, ASegmentOfTheInitiatorEndsWhatItsSynBegan) {
  const uint32_t first[2] = {1'000, 9'000};
  TcpWindow window;
  SessionState state = *begin_tcp(segment(kHandshake[0], first), {}, window);
  for (const Step& step : {kHandshake[1], kHandshake[2]})
    state = follow_tcp(state, step.from, segment(step, first), {}, window).step.next;
  ASSERT_TRUE(window.take(F, 1'001, 9'001, 1'101, 1'000));
  follow_tcp(state, F, segment({F, kSyn, 900'000, 0}, first), {}, window);
  EXPECT_TRUE(window.take(R, 9'001, 1'101, 9'001, 1'000)) << "the responder's challenge proves nothing";
  EXPECT_FALSE(window.take(F, 1'101, 9'001, 1'101, 1'000)) << "to be followed";
  EXPECT_EQ(follow_tcp(state, F, segment({F, kAck, 101, 1}, first), {}, window).step.verdict, kPass);
  EXPECT_TRUE(window.take(F, 1'101, 9'001, 1'101, 1'000));
  const Step opens{R, kSyn | kAck, 700'000, 900'001};
  EXPECT_EQ(follow_tcp(state, R, segment(opens, first), {}, window).step.verdict, kRefuse);
}

TEST(TcpWindow, WhatBeginsASession) {
  for (unsigned flags = 0; flags < 64; ++flags) {
    for (const TcpRules& rules : {TcpRules{}, TcpRules{.mid_stream = true}, TcpRules{.one_sided = true}}) {
      const TcpEvent event = event_of(static_cast<uint8_t>(flags));
      bool expected = event == TcpEvent::syn;
      expected |= event == TcpEvent::ack && rules.mid_stream;
      expected |= event == TcpEvent::syn_ack && (rules.mid_stream || rules.one_sided);
      TcpWindow window;
      TcpSegment first;
      first.flags = static_cast<uint8_t>(flags);
      const auto state = begin_tcp(first, rules, window);
      EXPECT_EQ(state.has_value(), expected) << flags;
      EXPECT_EQ(state.value_or(free), !expected ? free : event == TcpEvent::syn ? syn_sent : loose);
    }
  }
}

/// The quick way of a packet and the complete one judge alike.
TEST(TcpWindow, TakeAgreesWithFollow) {
  const uint32_t first[2] = {0xffff'fe00, 77};
  TcpWindow begun;
  SessionState state = *begin_tcp(segment(kHandshake[0], first), {}, begun);
  for (size_t i = 1; i < kHandshake.size(); ++i)
    state = follow_tcp(state, kHandshake[i].from, segment(kHandshake[i], first), {}, begun).step.next;
  ASSERT_EQ(state, established);
  size_t taken = 0, left = 0;
  for (const Direction from : {F, R}) {
    for (int64_t seq = -70'000; seq < 70'000; seq += 331) {
      for (int64_t ack = -70'000; ack < 70'000; ack += 977) {
        const TcpSegment s = segment({from, kAck, seq, ack, 100}, first);
        TcpWindow quick = begun, complete = begun;
        const bool inside = quick.take(from, s.seq, s.ack, s.end(), s.window);
        const TcpOutcome outcome = follow_tcp(established, from, s, {}, complete);
        ASSERT_EQ(outcome.step.verdict, inside ? kPass : kIgnore);
        ASSERT_EQ(std::memcmp(&quick, &complete, sizeof quick), 0);
        ++(inside ? taken : left);
      }
    }
  }
  EXPECT_GT(taken, 100u);
  EXPECT_GT(left, 100u);
}

TEST(TcpWindow, WhatCanBeQuoted) {
  for (const uint32_t base : {10'000u, 0xffff'fff0u}) {
    const uint32_t first[2] = {base, base};
    TcpWindow window;
    begin_tcp(segment(kHandshake[0], first), {}, window);
    EXPECT_TRUE(window.was_sent(F, base));
    EXPECT_FALSE(window.was_sent(F, base + 1));
    EXPECT_FALSE(window.was_sent(F, base - 100'000));
    EXPECT_FALSE(window.was_sent(R, base)) << "nothing was sent yet";
    SessionState state = syn_sent;
    for (const Step& step : established_then({{F, kAck, 1, 1, 800}}))
      state = follow_tcp(state, step.from, segment(step, first), {}, window).step.next;
    EXPECT_TRUE(window.was_sent(F, base + 1));
    EXPECT_TRUE(window.was_sent(F, base + 800));
    EXPECT_FALSE(window.was_sent(F, base + 801));
    EXPECT_TRUE(window.was_sent(R, base));
    EXPECT_FALSE(window.was_sent(R, base + 1));
  }
}

TEST(TcpWindow, ReadsHeadersWithOptions) {
  const auto read = [](std::vector<uint8_t> options, uint8_t flags = kSyn) {
    std::vector<uint8_t> header = {0, 1, 0,    2,     0xde, 0xad, 0xbe, 0xef, 1, 2,
                                   3, 4, 0x50, flags, 0xab, 0xcd, 0,    0,    0, 0};
    header.insert(header.end(), options.begin(), options.end());
    return read_segment(header, 10);
  };
  const TcpSegment s = read({2, 4, 5, 0xb4, 1, 3, 3, 7, 0});
  EXPECT_EQ(s.seq, 0xdead'beefu);
  EXPECT_EQ(s.ack, 0x0102'0304u);
  EXPECT_EQ(s.window, 0xabcd);
  EXPECT_EQ(s.length, 11u);
  EXPECT_EQ(s.scale, 7);
  EXPECT_EQ(read({3, 3, 200}).scale, 14) << "more than 14 counts as 14 (RFC 7323 section 2.3)";
  EXPECT_EQ(read({3, 3, 7}, kAck).scale, std::nullopt) << "in a SYN only";
  const std::vector<uint8_t> without[] = {{},  {0, 3, 3, 7},    {3, 2},           {3, 3},
                                          {3}, {8, 0, 3, 3, 7}, {8, 200, 3, 3, 7}};
  for (const auto& options : without) EXPECT_EQ(read(options).scale, std::nullopt);
  EXPECT_EQ(read({}, kFin | kAck).length, 11u);
}

}  // namespace
}  // namespace weir::dataplane
