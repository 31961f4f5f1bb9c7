// Protocols are told by their first bytes, in either direction, and what may still become one is asked again.
#include "inspection/app/recognise.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::inspection {
namespace {

using namespace std::string_literals;
using Answer = Recognition::Answer;

constexpr Direction kServer = Direction::to_server, kClient = Direction::to_client;

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

struct StreamRow {
  const char* name;
  Direction direction;
  std::string bytes;
  Answer answer;
  AppProtocol protocol = AppProtocol::unknown;
  std::string before = {};  // of the other direction, not told yet
  bool none_before = false;
};

std::vector<StreamRow> stream_rows() {
  constexpr AppProtocol kSsh = AppProtocol::ssh, kSmtp = AppProtocol::smtp, kFtp = AppProtocol::ftp,
                        kHttp2 = AppProtocol::http2;
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const std::string settings("\0\0\6\4\0\0\0\0\0\0\3\0\0\0\144", 15);
  return {
      {"a client's banner", kServer, "SSH-2.0-OpenSSH_9.2\r\n", Answer::yes, kSsh},
      {"a server's", kClient, "SSH-1.99-x\n", Answer::yes, kSsh},
      {"half of a banner", kServer, "SSH", Answer::more},
      {"another version", kServer, "SSH-X is something else\r\n", Answer::no},
      {"SMTP by its greeting", kClient, "220 mx.example ESMTP Postfix\r\n", Answer::yes, kSmtp},
      {"in two lines", kClient, "220-mx.example\r\n220 smtp ready\r\n", Answer::yes, kSmtp},
      {"FTP by its greeting", kClient, "220 (vsFTPd 3.0.3)\r\n", Answer::yes, kFtp},
      {"a greeting of either", kClient, "220 ready\r\n", Answer::more},
      {"another number", kClient, "221 closing the connection\r\n", Answer::no},
      {"EHLO", kServer, "ehlo me\r\n", Answer::yes, kSmtp},
      {"half of it", kServer, "EHL", Answer::more},
      {"in its midst", kServer, "MAIL FROM:<a@b>\r\n", Answer::yes, kSmtp},
      {"FEAT", kServer, "FEAT\r\n", Answer::yes, kFtp},
      {"AUTH TLS", kServer, "AUTH TLS\r\n", Answer::yes, kFtp},
      {"USER behind a greeting", kServer, "USER bob\r\n", Answer::yes, kFtp, "220 ready\r\n"},
      {"USER of one direction alone", kServer, "USER bob\r\n", Answer::yes, kFtp},
      {"IRC's USER", kServer, "USER bob 0 * :Bob\r\n", Answer::more},
      {"POP3's USER", kServer, "USER bob.the.builder\r\n", Answer::no, AppProtocol::unknown, "", true},
      {"POP3 by its greeting", kClient, "+OK ready\r\n", Answer::yes, AppProtocol::pop3},
      {"half of it", kClient, "+O", Answer::more},
      {"Redis's answer", kClient, "+OK with some words\r\n", Answer::no, AppProtocol::unknown,
       "SELECT 1\r\n"},
      {"and to what nobody knows", kClient, "+OK with some words\r\n", Answer::no, AppProtocol::unknown, "",
       true},
      {"IMAP by its greeting", kClient, "* OK IMAP4rev1 ready\r\n", Answer::yes, AppProtocol::imap},
      {"one that knows the client", kClient, "* PREAUTH hello\r\n", Answer::yes, AppProtocol::imap},
      {"an asterisk", kClient, "* hello, with some words\r\n", Answer::no},
      {"HTTP/2", kServer, preface, Answer::yes, kHttp2},
      {"half of its preface", kServer, preface.substr(0, 18), Answer::more},
      {"its server", kClient, settings, Answer::yes, kHttp2},
      {"PRI of something else", kServer, "PRI * HTTP/2.0\r\nHost: a\r\n", Answer::no},
      {"HTTP/1", kServer, "GET / HTTP/1.1\r\n", Answer::yes, AppProtocol::http1},
  };
}

TEST(Recognise, StreamsByTheirFirstBytes) {
  for (const StreamRow& row : stream_rows()) {
    const Recognition told =
        recognise_stream(row.direction, bytes_of(row.bytes), {bytes_of(row.before), row.none_before});
    EXPECT_EQ(told.answer, row.answer) << row.name;
    EXPECT_EQ(told.protocol, row.protocol) << row.name;
  }
}

/// A client's Initial: so many bytes behind its packet number, in a datagram of 1,200.
std::string initial(uint32_t version, uint8_t first = 0xc3) {
  std::string packet(1, static_cast<char>(first));
  for (int shift = 24; shift >= 0; shift -= 8) packet += static_cast<char>(version >> shift);
  packet +=
      "\x08"
      "12345678"
      "\0"s +
      std::string("\0\x44\x9e", 3);  // ids, token, length
  packet.resize(1'200, 'x');
  return packet;
}

TEST(Recognise, QuicByItsVersionAndLengths) {
  const auto told = [](const std::string& datagram) {
    return recognise_datagram(bytes_of(datagram), 40'000, 443);
  };
  for (const uint32_t version :
       {1u, 0x6b3343cfu, 0xff00001du, 0xff000016u, 0xfaceb002u, 0x51303530u, 0x1a2a3a4au}) {
    const Recognition answer = told(initial(version));
    EXPECT_EQ(answer.protocol, AppProtocol::quic) << std::hex << version;
    EXPECT_FALSE(answer.from_server);
  }
  EXPECT_EQ(told(initial(2)).protocol, AppProtocol::unknown) << "no version that anybody has";
  EXPECT_EQ(told(initial(1).substr(0, 600)).protocol, AppProtocol::unknown) << "shorter than it says";
  EXPECT_EQ(told(initial(1, 0x83)).protocol, AppProtocol::unknown) << "the fixed bit";
  const std::string google =
      "\x0d"
      "12345678Q043\x01" +
      std::string(12, 'h') + "\xa0";
  EXPECT_EQ(told(google).protocol, AppProtocol::quic);
  const std::string versions =
      "\x80" + std::string("\0\0\0\0\0\x08", 6) + "12345678" + std::string("\0\0\0\1", 4);
  EXPECT_TRUE(told(versions).from_server) << "version negotiation";
  EXPECT_EQ(told("\x40" + std::string(50, 'x')).protocol, AppProtocol::unknown)
      << "a short header says nothing";
}

}  // namespace
}  // namespace weir::inspection
