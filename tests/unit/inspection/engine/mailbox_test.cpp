// POP3 and IMAP up to STARTTLS: where TLS begins, and where it does not.
#include "inspection/app/mailbox/mailbox_parser.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/inspection/engine/dialog.h"

namespace weir::inspection {
namespace {

using test::Dialog;

constexpr const char* kHello = "\x16\x03\x01 a hello";

class Mailbox : public ::testing::TestWithParam<size_t> {
 protected:
  /// What both ends say in turns, the server first; whether TLS begins in the client's last words.
  bool leads_to_tls(AppProtocol protocol, const std::vector<std::string>& turns) {
    BytePool pool(size_t{1} << 20);
    bool found = false;
    {
      Dialog dialog(make_mailbox_parser(pool, protocol), [](Transaction&) {});
      dialog.piece = GetParam();
      for (size_t i = 0; i < turns.size(); ++i) {
        EXPECT_NE(dialog.last, Next::other) << "before its time";
        i % 2 == 0 ? dialog.server(turns[i]) : dialog.client(turns[i]);
      }
      found = dialog.last == Next::other;
      EXPECT_EQ(dialog.error, AppError::none);
    }
    EXPECT_EQ(pool.used(), 0u);
    return found;
  }
};

TEST_P(Mailbox, TlsBeginsWithTheRecordBehindWhatWasGranted) {
  EXPECT_TRUE(leads_to_tls(AppProtocol::pop3, {"+OK hi\r\n", "STLS\r\n", "+OK begin\r\n", kHello}));
  EXPECT_TRUE(leads_to_tls(AppProtocol::pop3, {"+OK hi\r\n", "capa\r\n", "+OK\r\nSTLS\r\n.\r\n", "stls\r\n",
                                               "+OK begin\r\n", kHello}));
  // Both in one segment: the answer to the last of them counts.
  EXPECT_TRUE(leads_to_tls(AppProtocol::pop3,
                           {"+OK hi\r\n", "CAPA\r\nSTLS\r\n", "+OK\r\nSTLS\r\n.\r\n+OK begin\r\n", kHello}));
  EXPECT_TRUE(leads_to_tls(AppProtocol::imap, {"* OK hi\r\n", "a1 STARTTLS\r\n", "a1 OK begin\r\n", kHello}));
  EXPECT_TRUE(leads_to_tls(AppProtocol::imap,
                           {"* OK hi\r\n", "a1 CAPABILITY\r\n", "* CAPABILITY STARTTLS\r\na1 OK\r\n",
                            "a2 starttls\r\n", "* a note\r\na2 ok\r\n", kHello}));
  // Refused, and asked for again.
  EXPECT_TRUE(leads_to_tls(AppProtocol::pop3, {"+OK hi\r\n", "STLS\r\n", "-ERR later\r\n", "NOOP\r\n",
                                               "+OK\r\n", "STLS\r\n", "+OK begin\r\n", kHello}));
}

TEST_P(Mailbox, AndNowhereElse) {
  const AppProtocol pop3 = AppProtocol::pop3, imap = AppProtocol::imap;
  EXPECT_FALSE(leads_to_tls(pop3, {"+OK hi\r\n", "STLS\r\n", "-ERR no\r\n", kHello})) << "refused";
  EXPECT_FALSE(leads_to_tls(pop3, {"+OK hi\r\n", std::string("STLS\r\n") + kHello, "+OK\r\n", "x"}))
      << "sent before it was granted";
  EXPECT_FALSE(leads_to_tls(pop3, {"+OK hi\r\n", "NOOP\r\n", "+OK\r\n", kHello})) << "not asked for";
  EXPECT_FALSE(leads_to_tls(pop3, {"+OK hi\r\n", "STLS\r\n", "+OK\r\n", "NOOP\r\n", "+OK\r\n", kHello}))
      << "the client went on in clear";
  EXPECT_FALSE(leads_to_tls(pop3, {"+OK hi\r\n", "USER bob\r\n", "+OK\r\n", "STLS\r\n", "+OK\r\n", kHello}))
      << "behind the first word of a login";
  EXPECT_FALSE(leads_to_tls(imap, {"* OK hi\r\n", "a1 STARTTLS\r\n", "a2 OK\r\n", kHello})) << "of another";
  EXPECT_FALSE(leads_to_tls(imap, {"* OK hi\r\n", "a1 LOGIN x y\r\na2 APPEND box {99}\r\n", "a1 OK\r\n+\r\n",
                                   "a3 STARTTLS\r\n", "a3 OK\r\n", kHello}))
      << "in somebody's mail";
  EXPECT_FALSE(
      leads_to_tls(imap, {"* OK hi\r\n", "a1 ID {14}\r\n", "+\r\n", "a2 STARTTLS\r\n", "a2 OK\r\n", kHello}))
      << "in a literal";
  EXPECT_FALSE(leads_to_tls(
      imap, {"* OK hi\r\n", std::string(5'000, 'x') + "\r\na2 STARTTLS\r\n", "a2 OK\r\n", kHello}))
      << "behind a line that is none";
}

INSTANTIATE_TEST_SUITE_P(Pieces, Mailbox, ::testing::Values(size_t{1}, size_t{7}, size_t{1'000'000}));

}  // namespace
}  // namespace weir::inspection
