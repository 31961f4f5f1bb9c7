// SMTP: commands and replies as transactions, mail by DATA and BDAT, what pipelining and refusals make of it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "inspection/app/smtp/smtp_parser.h"
#include "inspection/app/smtp/smtp_transaction.h"
#include "tests/unit/inspection/engine/bytes.h"
#include "tests/unit/inspection/engine/dialog.h"

namespace weir::inspection {
namespace {

using namespace test;

/// What is told of a transaction, as text: "helo|from|to,to|subject|file:content|EVENT,EVENT".
std::string line_of(SmtpTransaction& tx) {
  std::string out = std::string(tx.helo()) + '|' + std::string(tx.mail_from()) + '|';
  for (size_t i = 0; i < tx.recipient_count(); ++i) out += (i > 0 ? "," : "") + std::string(tx.recipient(i));
  out += '|';
  if (tx.message() != nullptr) out += tx.message()->field("subject").value_or("");
  out += '|';
  if (tx.file_count(Direction::to_server) > 0) {
    out += std::string(tx.file(Direction::to_server, 0).name) + ':' +
           as_text(tx.buffer(BufferId::file_data, Direction::to_server, 0)->bytes);
  }
  out += '|';
  for (unsigned bit = 0; bit < smtp_event_names().size(); ++bit) {
    if ((tx.app_events >> bit & 1) == 0) continue;
    out += (out.back() == '|' ? "" : ",") + std::string(smtp_event_names()[bit]);
  }
  return out;
}

class Smtp : public testing::TestWithParam<size_t> {
 protected:
  Smtp() { dialog_.piece = GetParam(); }
  void greet() {
    dialog_.server("220 mail ESMTP\r\n");
    dialog_.client("EHLO c\r\n");
    dialog_.server("250-mail\r\n250 PIPELINING\r\n");
  }
  std::vector<std::string> told() {
    dialog_.end();
    EXPECT_EQ(pool_.used(), 0u);
    return told_;
  }

  BytePool pool_{4 << 20};
  HttpLimits limits_;
  MimeSettings settings_;
  std::vector<std::string> told_;
  Dialog dialog_{make_smtp_parser(pool_, limits_, settings_, 0),
                 [this](Transaction& tx) { told_.push_back(line_of(static_cast<SmtpTransaction&>(tx))); }};
};

using Lines = std::vector<std::string>;
constexpr const char* kFile = "Subject: s\r\nContent-Type: a; name=f\r\n\r\n..dot\r\nline\r\n.\r\n";

TEST_P(Smtp, AMailIsATransaction) {
  greet();
  dialog_.client("MAIL FROM:<a@x> SIZE=3\r\n");
  dialog_.server("250 ok\r\n");
  dialog_.client("RCPT TO: <b@x>\r\nrcpt to:<c@x>\r\n");
  dialog_.server("250 ok\r\n250 ok\r\n");
  dialog_.client("DATA\r\n");
  dialog_.server("354 go\r\n");
  dialog_.client(kFile);
  EXPECT_TRUE(told_.empty());
  dialog_.server("250 queued\r\n");
  EXPECT_EQ(told_, Lines{"c|<a@x>|<b@x>,<c@x>|s|f:.dot\r\nline|"});
  dialog_.client("QUIT\r\n");
  dialog_.server("221 bye\r\n");
  EXPECT_EQ(told().size(), 1u);
}

TEST_P(Smtp, MailBehindDataIsReadBeforeTheServerAnswers) {
  greet();
  dialog_.client(std::string("MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n") + kFile + "QUIT\r\n");
  dialog_.server("250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n221 bye\r\n");
  EXPECT_EQ(told(), Lines{"c|<a@x>|<b@x>|s|f:.dot\r\nline|INVALID_PIPELINED_SEQUENCE"});
}

TEST_P(Smtp, ARefusedDataIsFollowedByCommands) {
  greet();
  dialog_.client("MAIL FROM:<a@x>\r\nDATA\r\n");
  dialog_.server("250 ok\r\n503 no recipient\r\n");
  dialog_.client("RCPT TO:<b@x>\r\nDATA\r\n");
  dialog_.server("250 ok\r\n354 go\r\n");
  dialog_.client(kFile);
  dialog_.server("250 queued\r\n");
  EXPECT_EQ(told(), Lines{"c|<a@x>|<b@x>|s|f:.dot\r\nline|DATA_COMMAND_REJECTED"});
}

TEST_P(Smtp, ChunksAreCountedInBytes) {
  greet();
  dialog_.client(
      "MAIL FROM:<a@x>\r\nBDAT 14\r\nSubject: chunkBDAT 36 LAST\r\ned\nContent-Type: a; "
      "name=f\n\n.\nbytes!MAIL FROM:<n@x>\r\n");
  dialog_.server("250 ok\r\n250 ok\r\n250 queued\r\n250 ok\r\n");
  dialog_.client("BDAT 5 X\r\nBDAT\r\nBDAT 0 LAST\r\n");
  dialog_.server("501 no\r\n501 no\r\n250 queued\r\n");
  EXPECT_EQ(told(), (Lines{"c|<a@x>||chunked|f:.\nbytes!|", "c|<n@x>||||INVALID_BDAT"}));
}

TEST_P(Smtp, AResetEndsWhatWasBegun) {
  greet();
  dialog_.client("MAIL FROM:<a@x>\r\nRSET\r\nMAIL FROM:<b@x>\r\nEHLO d\r\nMAIL FROM:<c@x>\r\n");
  dialog_.server("250 ok\r\n250 ok\r\n250 ok\r\n250 d\r\n250 ok\r\n");
  EXPECT_EQ(told(), (Lines{"c|<a@x>||||", "c|<b@x>||||DUPLICATE_FIELDS", "d|<c@x>||||"}));
}

TEST_P(Smtp, BehindStarttlsAnotherProtocolBegins) {
  greet();
  dialog_.client("STARTTLS\r\n");
  dialog_.server("220 ready\r\n\x16\x03\x03");
  EXPECT_EQ(dialog_.last, Next::other);
  EXPECT_EQ(told(), Lines{"c|||||"});
}

TEST_P(Smtp, WhatIsOddIsTold) {
  dialog_.client("EHLO c\r\n");  // before the server's greeting
  dialog_.server("220 hi\r\n250 ok\r\n");
  dialog_.client("STARTTLS\r\n");
  dialog_.server("454 not now\r\n");
  dialog_.client("MAIL FROM:<a@x>\r\nMAIL FROM:<b@x>\r\n" + std::string(5'000, 'x') + "\r\n");
  dialog_.server("250 ok\r\nxyz\r\n" + std::string("250 ") + std::string(600, 'x') + "\r\n");
  EXPECT_EQ(told(),
            Lines{"c|<a@x>||||INVALID_REPLY,MAX_REPLY_LINE_LEN_EXCEEDED,NO_SERVER_WELCOME_MESSAGE,TLS_"
                  "REJECTED,DUPLICATE_FIELDS,TRUNCATED_LINE"});
}

TEST_P(Smtp, AGapInTheMailIsAGapInTheFile) {
  greet();
  dialog_.client("MAIL FROM:<a@x>\r\nDATA\r\nContent-Type: a; name=f\r\n\r\nbegin\r\n");
  dialog_.server("250 ok\r\n354 go\r\n");
  dialog_.gap(Direction::to_server, 100);
  // The line of one dot was in it; what the server says shows that the mail is over.
  dialog_.server("250 queued\r\n");
  dialog_.client("MAIL FROM:<b@x>\r\n");
  EXPECT_EQ(told().size(), 2u);
}

TEST_P(Smtp, ALargeFileGoesThroughItsWindow) {
  greet();
  limits_.file_hashes = http::kHashMd5;
  size_t seen = 0;
  dialog_.between = [&] {
    for (Transaction* const tx : dialog_.parser().transactions()) {
      const auto view = tx->buffer(BufferId::file_data, Direction::to_server, 0);
      if (!view) continue;
      seen += view->bytes.size() - view->old_size;
      tx->judged(BufferId::file_data, Direction::to_server);
    }
  };
  std::string lines;
  for (int i = 0; i < 3'000; ++i) lines += "a line of text, number " + std::to_string(i) + "\r\n";
  dialog_.client("MAIL FROM:<a@x>\r\nDATA\r\nContent-Type: a; name=f\r\n\r\n" + lines +
                 std::string(100'000, 'l') + "\r\n.\r\n");
  dialog_.server("250 ok\r\n354 go\r\n250 queued\r\n");
  EXPECT_EQ(seen, lines.size() + 100'000);
  dialog_.end();
  EXPECT_EQ(pool_.used(), 0u);
}

TEST_P(Smtp, CommandsThatNobodyAnswersAreBounded) {
  greet();
  for (int i = 0; i < 200 && dialog_.error == AppError::none; ++i)
    dialog_.client("RSET\r\nMAIL FROM:<a@x>\r\n");
  EXPECT_EQ(dialog_.error, AppError::transactions);
  dialog_.client("anything\r\n");
  EXPECT_EQ(dialog_.last, Next::more);
}

INSTANTIATE_TEST_SUITE_P(InPieces, Smtp, testing::Values(1, 7, 1'000'000));

}  // namespace
}  // namespace weir::inspection
