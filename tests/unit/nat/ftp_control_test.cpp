// FTP's control connections through translation: what is replaced, and the sequence numbers of who gets other
// text.
#include "dataplane/nat/ftp_control.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

using test::RandomInput;

TEST(SequenceEdits, AreExactThereAndBackWhereTheyReach) {
  RandomInput random(7);
  for (int round = 0; round < 500; ++round) {
    SequenceEdits edits;
    auto seq = static_cast<uint32_t>(random.word());  // wraps now and then
    if (round % 3 == 0) seq = 0xffff'fff0;
    uint32_t shift = 0;
    for (int i = 0; i < 12; ++i) {
      const uint32_t begin = seq + static_cast<uint32_t>(random.below(50));
      const auto was = static_cast<uint16_t>(1 + random.below(30));
      const std::string text(1 + random.below(kFtpEndpointText), 'x');
      // Before it: as until now. Inside of it: no more than was sent, no more than was received.
      edits.add(begin, was, text);
      EXPECT_EQ(edits.to_peer(begin), begin + shift);
      EXPECT_EQ(edits.from_peer(begin + shift), begin);
      for (uint32_t inside = 1; inside < text.size(); ++inside)
        EXPECT_EQ(edits.from_peer(begin + shift + inside), begin);
      for (uint32_t inside = 1; inside < was; ++inside)
        EXPECT_LE(edits.to_peer(begin + inside) - (begin + shift), text.size());
      shift += static_cast<uint32_t>(text.size()) - was;
      for (uint32_t behind = 0; behind < 40; behind += 7) {
        const uint32_t at = begin + was + behind;
        EXPECT_EQ(edits.to_peer(at), at + shift);
        EXPECT_EQ(edits.from_peer(at + shift), at);
      }
      seq = begin + was;
    }
    EXPECT_EQ(edits.size(), SequenceEdits::kKept);
  }
}

/// One end as it sends.
FtpSide side_at(uint32_t next, bool reply = false) {
  FtpSide side;
  side.begin(next, reply);
  return side;
}

size_t as_zs(const FtpEndpoint&, std::span<char, kFtpEndpointText> out) {
  std::fill_n(out.begin(), 3, 'z');
  return 3;
}

/// What a segment becomes.
std::string applied(std::string payload, const FtpPlan& plan) {
  for (size_t i = plan.count; i-- > 0;)
    payload.replace(plan.places[i].at, plan.places[i].size, plan.places[i].as_text());
  return payload;
}

/// A segment behind what was seen before: what its peer gets of it.
std::string sent(FtpSide& side, const std::string& payload, FtpPlan& plan) {
  plan = {};
  EXPECT_EQ(plan_lines(side, payload, 0, plan, as_zs), FtpSegment::good) << payload;
  note_segment(side, side.next, payload.size(), payload.back(), plan);
  return applied(payload, plan);
}
std::string sent(FtpSide& side, const std::string& payload) {
  FtpPlan plan;
  return sent(side, payload, plan);
}

TEST(FtpPlan, FindsLinesThatBeginWhereOneEnded) {
  FtpSide side = side_at(1'000);
  FtpPlan plan;
  EXPECT_EQ(sent(side, "NOOP\r\nPORT 10,0,0,1,4,5\r\nLIST\r\nQ", plan), "NOOP\r\nPORT zzz\r\nLIST\r\nQ");
  EXPECT_EQ(plan.rewritten, 1u);
  EXPECT_EQ(plan.gathered, 0u);
  EXPECT_EQ(sent(side, "PORT 10,0,0,1,4,5\r\nNOO"), "PORT 10,0,0,1,4,5\r\nNOO")
      << "the rest of a line of another kind";
  EXPECT_EQ(sent(side, "P\r\n"), "P\r\n");

  std::string many;
  for (int i = 0; i < 5; ++i) many += "PORT 10,0,0,1,4,5\r\n";
  plan = {};
  EXPECT_EQ(plan_lines(side, many, 0, plan, as_zs), FtpSegment::full);
  plan = {};
  EXPECT_EQ(plan_lines(side, many.substr(0, many.size() - 4), 0, plan, as_zs), FtpSegment::full);
}

TEST(FtpPlan, WhatComesInSeveralSegmentsGoesWithItsLast) {
  FtpSide side = side_at(0xffff'fff0);
  FtpPlan plan;
  EXPECT_EQ(sent(side, "PO"), "PO");
  EXPECT_EQ(sent(side, "RT 1", plan), "RT ");
  EXPECT_FALSE(plan.leaves_nothing_of(4));
  EXPECT_EQ(sent(side, "0,0,0", plan), "");
  EXPECT_TRUE(plan.leaves_nothing_of(5));
  EXPECT_EQ(plan.places[0].before, ' ');
  EXPECT_EQ(sent(side, ",1,4,5"), "") << "further digits may follow";
  EXPECT_EQ(plan.rewritten, 0u);
  EXPECT_EQ(sent(side, "\r\nNOOP\r\n", plan), "zzz\r\nNOOP\r\n");
  EXPECT_EQ(plan.rewritten, 1u);
  EXPECT_EQ(plan.gathered, 1u);
  EXPECT_EQ(side.edits.size(), 2u) << "what is taken out, and what stands for it";

  EXPECT_EQ(sent(side, "EPRT |1|10.0"), "EPRT ");
  EXPECT_EQ(sent(side, ".0.1|5|\r"), "zzz\r");
  EXPECT_EQ(sent(side, "\n"), "\n");

  EXPECT_EQ(sent(side, "PORT 1,2"), "PORT ");
  EXPECT_EQ(sent(side, " or so\r\n", plan), "1,2 or so\r\n") << "it was none";
  EXPECT_EQ(plan.gathered, 0u);

  FtpSide server = side_at(7, true);
  EXPECT_EQ(sent(server, "227 I am 4 you (10,0"), "227 I am 4 you (");
  EXPECT_EQ(sent(server, ",0,1,4,5)\r\n229 ("), "zzz)\r\n229 (");
  EXPECT_EQ(sent(server, "|", plan), "");
  EXPECT_EQ(plan.places[0].before, '(');
  EXPECT_EQ(sent(server, "||5"), "");
  EXPECT_EQ(sent(server, "|)\r\n"), "zzz)\r\n");
}

TEST(FtpPlan, NoMoreIsHeldThanAnEndpointIsLong) {
  FtpSide side = side_at(1);
  std::string got;
  const std::string line = "EPRT |" + std::string(200, '1') + "|\r\n";
  size_t held = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    got += sent(side, line.substr(i, 1));
    held = std::max(held, i + 1 - got.size());
  }
  EXPECT_EQ(got, line);
  EXPECT_EQ(held, kFtpEndpointText - 1);
}

TEST(FtpPlan, WhatIsSentAgainIsReplacedAgain) {
  FtpSide side = side_at(1'040);
  side.edits.add(1'005, 12, "abc");
  FtpPlan plan;
  ASSERT_EQ(plan_again(side, 1'000, 40, plan), FtpSegment::good);
  ASSERT_EQ(plan.count, 1u);
  EXPECT_EQ(plan.known, 1u);
  EXPECT_EQ(plan.places[0].at, 5);
  EXPECT_EQ(plan.places[0].size, 12);
  EXPECT_EQ(plan.places[0].as_text(), "abc");
  plan = {};
  EXPECT_EQ(plan_again(side, 1'017, 20, plan), FtpSegment::good);
  EXPECT_EQ(plan.count, 0u);
  EXPECT_EQ(plan_again(side, 1'006, 20, plan), FtpSegment::early);
  EXPECT_EQ(plan_again(side, 1'000, 10, plan), FtpSegment::early);
}

TEST(FtpPlan, WhatIsHeldIsTakenOutAgainWhereverItIsCut) {
  FtpSide side = side_at(0xffff'fffa);
  sent(side, "PORT 10,0");
  sent(side, ",0,1");
  FtpPlan plan;
  const std::string line = "PORT 10,0,0,1,4,5\r\n";
  for (size_t from = 0; from < 13; ++from) {
    for (size_t end = from + 1; end <= 13; ++end) {
      plan = {};
      const std::string piece = line.substr(from, end - from);
      ASSERT_EQ(plan_again(side, 0xffff'fffa + static_cast<uint32_t>(from), piece.size(), plan),
                FtpSegment::good);
      EXPECT_EQ(applied(piece, plan), from < 5 ? line.substr(from, std::min(end, size_t{5}) - from) : "");
      EXPECT_TRUE(plan.count == 0 || plan.places[0].before == ' ');
    }
  }
  // Again with the rest, of which nothing was seen.
  plan = {};
  const uint32_t begin = 0xffff'fffa;
  ASSERT_EQ(plan_again(side, begin, line.size(), plan), FtpSegment::good);
  ASSERT_EQ(plan_lines(side, line, 13, plan, as_zs), FtpSegment::good);
  EXPECT_EQ(applied(line, plan), "PORT zzz\r\n");
  note_segment(side, begin, line.size(), '\n', plan);
  // And as a whole, or the last byte of what was held alone.
  plan = {};
  ASSERT_EQ(plan_again(side, begin, line.size(), plan), FtpSegment::good);
  EXPECT_EQ(applied(line, plan), "PORT zzz\r\n");
  plan = {};
  ASSERT_EQ(plan_again(side, begin + 17, 1, plan), FtpSegment::good);
  EXPECT_EQ(applied("\r", plan), "zzz\r");
}

TEST(FtpPlan, InWhateverSegmentsThePeerGetsTheSame) {
  const std::string client =
      "USER x\r\nPORT 10,0,0,1,4,5\r\nLIST\r\neprt |1|10.0.0.1|1029|\r\nPORT 1,2\r\n"
      "PORT 300,10,0,0,1,4,5,6\r\nPORTS 10,0,0,1,4,5\r\nQUIT\r\n";
  const std::string server =
      "220-227 (10,0,0,1,4,5)\r\n220 x\r\n227 ok 12,3 (10,0,0,1,4,5).\r\n"
      "229 x (|||1029|)\r\n227 10,0,0,1,4,5\r\n229 (|||x|)\r\n221 (1,2\r\n";
  RandomInput random(11);
  for (int round = 0; round < 400; ++round) {
    const bool reply = round % 2 != 0;
    const std::string& stream = reply ? server : client;
    FtpSide whole = side_at(0, reply);
    std::string wanted, got;
    for (size_t at = 0; at < stream.size();) {
      const size_t end = stream.find('\n', at) + 1;
      wanted += sent(whole, stream.substr(at, end - at));
      at = end;
    }
    FtpSide side = side_at(0xffff'ff80, reply);
    for (size_t at = 0; at < stream.size();) {
      const size_t size = std::min(1 + random.below(round < 20 ? 1 : 9), stream.size() - at);
      got += sent(side, stream.substr(at, size));
      at += size;
      EXPECT_EQ(side.edits.to_peer(side.next), 0xffff'ff80 + got.size());
      EXPECT_EQ(side.edits.from_peer(0xffff'ff80 + static_cast<uint32_t>(got.size())), side.next);
    }
    ASSERT_EQ(got, wanted);
  }
}

}  // namespace
}  // namespace weir::dataplane
