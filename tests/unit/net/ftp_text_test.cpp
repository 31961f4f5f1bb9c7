// What FTP says of data connections.
#include "dataplane/net/ftp_text.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace weir::net {
namespace {

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
      {"229 (!!!5282!)", true, "!!!5282!", "|||5282|"},
      {"229 (|1|10.1.0.10|5282|)", true, "|1|10.1.0.10|5282|", "|1|10.1.0.10|5282|"},
      {"229 (|||52x|)", true, nullptr, nullptr},
      {"229 (||||)", true, nullptr, nullptr},
      {"EPRT |1|300.0.2.1|5282|", false, nullptr, nullptr},
      {"PORT", true, nullptr, nullptr},
      {"227 10,2,0,10,156,64", false, nullptr, nullptr},
      {"227 4 of 5, 6 (10,2,0,10,156,64)", true, "10,2,0,10,156,64", "10,2,0,10,156,64"},
      {"227 300,10,2,0,10,156,64", true, "10,2,0,10,156,64", "10,2,0,10,156,64"},
      {"227 100010,2,0,10,156,64", true, nullptr, nullptr},
      {"227 10,2,0,10,156,000064", true, nullptr, nullptr},
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

TEST(FtpText, WhatBeginsLateInItsLineIsNone) {
  const auto line = [](size_t spaces) { return "227 " + std::string(spaces, ' ') + "(10,0,0,1,4,5)"; };
  EXPECT_TRUE(read_ftp_reply(line(kFtpLine - 6)));
  EXPECT_FALSE(read_ftp_reply(line(kFtpLine - 5)));
  EXPECT_FALSE(read_ftp_reply(line(100'000)));
}

}  // namespace
}  // namespace weir::net
