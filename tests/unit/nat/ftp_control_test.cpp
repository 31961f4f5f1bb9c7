// What FTP says of data connections, and the sequence numbers of who gets other text.
#include "dataplane/nat/ftp_control.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

using test::RandomInput;

std::string text_of(const FtpEndpoint& e) {
  std::array<char, kFtpEndpointText> out{};
  return {out.data(), write_ftp_endpoint(e.form, e.address, e.port, out)};
}

TEST(FtpText, ReadsWhatNamesAnEndpoint) {
  const struct {
    const char* line;
    bool reply;
    const char* place;  // of the line; null: it names none
    const char* written;
  } rows[] = {
      {"PORT 10,1,0,10,4,5", false, "10,1,0,10,4,5", "10,1,0,10,4,5"},
      {"port  010,1,0, 10,156,64\r", false, "010,1,0, 10,156,64", "10,1,0,10,156,64"},
      {"EPRT |1|10.1.0.10|1029|", false, "|1|10.1.0.10|1029|", "|1|10.1.0.10|1029|"},
      {"EPRT !2!2001:db8::1!5282!", false, "!2!2001:db8::1!5282!", "|2|2001:db8::1|5282|"},
      {"227 Entering Passive Mode (10,2,0,10,156,64).", true, "10,2,0,10,156,64", "10,2,0,10,156,64"},
      {"227 10,2,0,10,156,64", true, "10,2,0,10,156,64", "10,2,0,10,156,64"},
      {"229 Extended Passive Mode (|||40000|)", true, "|||40000|", "|||40000|"},
      {"PORT 10,1,0,256,4,5", false, nullptr, nullptr},
      {"PORT 10,1,0,10,0,0", false, nullptr, nullptr},
      {"PORT 10,1,0,10,4", false, nullptr, nullptr},
      {"PORT", false, nullptr, nullptr},
      {"EPRT |1|10.1.0.10|0|", false, nullptr, nullptr},
      {"EPRT |||1029|", false, nullptr, nullptr},
      {"EPRT |1|10.1.0.10|1029", false, nullptr, nullptr},
      {"STOR 227 (10,2,0,10,156,64)", false, nullptr, nullptr},
      {"227-Entering (10,2,0,10,156,64)", true, nullptr, nullptr},
      {"229 (|||70000|)", true, nullptr, nullptr},
      {"229 no parenthesis |||40000|", true, nullptr, nullptr},
      {"229 (", true, nullptr, nullptr},
      {"227", true, nullptr, nullptr},
  };
  for (const auto& row : rows) {
    const std::string_view line = row.line;
    const auto found = row.reply ? read_ftp_reply(line) : read_ftp_command(line);
    ASSERT_EQ(found.has_value(), row.place != nullptr) << line;
    if (!found) continue;
    EXPECT_EQ(line.substr(found->begin, found->size), row.place);
    EXPECT_EQ(text_of(*found), row.written);
  }
}

TEST(FtpText, ALineWhoseRestIsMissingMayNameOne) {
  for (const char* begin : {"", "P", "por", "PORT 10,1", "e", "EPRT |1"})
    EXPECT_TRUE(may_name_endpoint(begin, false)) << begin;
  for (const char* begin : {"STOR x", "PORTS", "PASV", "227"})
    EXPECT_FALSE(may_name_endpoint(begin, false)) << begin;
  for (const char* begin : {"2", "22", "229 Ent"}) EXPECT_TRUE(may_name_endpoint(begin, true)) << begin;
  for (const char* begin : {"226", "220 ", "PORT "}) EXPECT_FALSE(may_name_endpoint(begin, true)) << begin;
}

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

FtpSide side_at(uint32_t next) {
  FtpSide side;
  side.begun = true;
  side.next = next;
  return side;
}

size_t as_is(const FtpEndpoint&, std::span<char, kFtpEndpointText> out) {
  std::fill_n(out.begin(), 3, 'z');
  return 3;
}

TEST(FtpPlan, FindsLinesThatBeginWhereOneEnded) {
  FtpSide side = side_at(1'000);
  FtpPlan plan;
  const std::string payload = "NOOP\r\nPORT 10,0,0,1,4,5\r\nLIST\r\n";
  ASSERT_EQ(plan_lines(side, false, payload, 0, plan, as_is), FtpSegment::good);
  ASSERT_EQ(plan.count, 1u);
  EXPECT_EQ(payload.substr(plan.places[0].at, plan.places[0].size), "10,0,0,1,4,5");
  EXPECT_TRUE(plan.line_begins);

  side.line_begins = false;  // the rest of a line of another kind
  plan = {};
  ASSERT_EQ(plan_lines(side, false, "PORT 10,0,0,1,4,5\r\nNOO", 0, plan, as_is), FtpSegment::good);
  EXPECT_EQ(plan.count, 0u);
  EXPECT_FALSE(plan.line_begins);

  side.line_begins = true;
  plan = {};
  EXPECT_EQ(plan_lines(side, false, "PORT 10,0,0", 0, plan, as_is), FtpSegment::cut);
  std::string many;
  for (int i = 0; i < 5; ++i) many += "PORT 10,0,0,1,4,5\r\n";
  plan = {};
  EXPECT_EQ(plan_lines(side, false, many, 0, plan, as_is), FtpSegment::cut);
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
  EXPECT_EQ(std::string(plan.places[0].text.data(), plan.places[0].text_size), "abc");
  plan = {};
  EXPECT_EQ(plan_again(side, 1'017, 20, plan), FtpSegment::good);
  EXPECT_EQ(plan.count, 0u);
  EXPECT_EQ(plan_again(side, 1'006, 20, plan), FtpSegment::early);
  EXPECT_EQ(plan_again(side, 1'000, 10, plan), FtpSegment::early);
}

}  // namespace
}  // namespace weir::dataplane
