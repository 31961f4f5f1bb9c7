// Names out of the first packets of sessions, put together as a receiver would: what is known when, what may
// pass before, and what makes nobody know.
#include "inspection/names/name_finder.h"

#include <gtest/gtest.h>

#include "inspection/app/tls/identities.h"
#include "tests/unit/inspection/engine/keyword_traffic.h"
#include "tests/unit/inspection/support.h"

namespace weir::inspection {
namespace {

using namespace test;

NameQuestion asks(NameKind kind, std::string_view pattern) {
  NameQuestion question;
  question.of(kind).push_back(*read_name_pattern(kind, pattern).pattern);
  return question;
}

/// One session of one worker, by stream offset.
class Asked {
 public:
  explicit Asked(NameFinder& finder, uint8_t protocol = 6)
      : finder_(finder), protocol_(protocol), handle_(finder.open(flow_info(protocol))) {}
  ~Asked() {
    if (handle_.valid()) finder_.close(handle_);
  }
  Asked(const Asked&) = delete;
  Asked& operator=(const Asked&) = delete;

  bool valid() const { return handle_.valid(); }
  void handshake() {
    say(Direction::to_server, kSyn, kClientIsn, 0, {});
    say(Direction::to_client, kSyn | kAck, kServerIsn, kClientIsn + 1, {});
    say(Direction::to_server, kAck, kClientIsn + 1, kServerIsn + 1, {});
  }
  Asked& client(std::string_view bytes) { return next(Direction::to_server, bytes); }
  Asked& server(std::string_view bytes) { return next(Direction::to_client, bytes); }
  /// Not where it comes next, but there.
  Asked& client_at(uint32_t offset, std::string_view bytes, bool damaged = false) {
    say(Direction::to_server, kAck, kClientIsn + 1 + offset, kServerIsn + 1 + sent_[1], bytes, damaged);
    return *this;
  }
  NameAnswer ask(NameKind kind, std::string_view pattern) {
    return finder_.ask(handle_, asks(kind, pattern));
  }
  bool passes() { return finder_.passes(handle_); }

 private:
  static constexpr uint32_t kClientIsn = 1'000, kServerIsn = 9'000;

  Asked& next(Direction way, std::string_view bytes) {
    const bool to_server = way == Direction::to_server;
    uint32_t& mine = sent_[to_server ? 0 : 1];
    const uint32_t seq = (to_server ? kClientIsn : kServerIsn) + 1 + mine;
    const uint32_t ack = to_server ? kServerIsn + 1 + sent_[1] : kClientIsn + 1 + sent_[0];
    mine += static_cast<uint32_t>(bytes.size());
    say(way, kAck, seq, ack, bytes);
    return *this;
  }
  void say(Direction way, uint8_t flags, uint32_t seq, uint32_t ack, std::string_view bytes,
           bool damaged = false) {
    WholePacket whole(protocol_, flags, bytes);
    Packet packet = whole.packet;
    packet.direction = way;
    packet.now_ns = now_ += 1'000;
    packet.seq = seq;
    packet.ack = ack;
    packet.tcp_flags = flags;
    packet.checksum_bad = damaged;
    finder_.read(handle_, packet);
  }

  NameFinder& finder_;
  uint8_t protocol_;
  NameHandle handle_;
  uint32_t sent_[2] = {};
  uint64_t now_ = 1;
};

class Names : public testing::Test {
 protected:
  Names() {
    auto memory = RuleMemory::create({.host_marks = 1'024, .dataset_values = 1'024}, 1).value();
    finder = (*make_name_finders(1, {.sessions = 4}))(0, std::move(memory)).value();
  }
  std::unique_ptr<NameFinder> finder;
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: www.Example.org:8080\r\n\r\n";

TEST_F(Names, OfHttpWithItsFirstHead) {
  Asked s(*finder);
  s.handshake();
  EXPECT_EQ(s.ask(NameKind::http_host, "*.example.org"), NameAnswer::not_yet);
  s.client(kGet.substr(0, 30));
  EXPECT_EQ(s.ask(NameKind::http_host, "*.example.org"), NameAnswer::not_yet);
  EXPECT_FALSE(s.passes());
  s.client(kGet.substr(30));
  EXPECT_EQ(s.ask(NameKind::http_host, "*.example.org"), NameAnswer::yes);
  EXPECT_EQ(s.ask(NameKind::http_host, "example.org"), NameAnswer::no);
  EXPECT_EQ(s.ask(NameKind::app, "http"), NameAnswer::yes);
  EXPECT_EQ(s.ask(NameKind::app, "tls"), NameAnswer::no);
  EXPECT_EQ(s.ask(NameKind::sni, "*"), NameAnswer::given_up);
}

TEST_F(Names, OfTlsWithItsHello) {
  const std::string hello = tls_bytes(true);
  for (const size_t piece : {size_t{1}, size_t{7}, hello.size()}) {
    Asked s(*finder);
    s.handshake();
    for (size_t at = 0; at < hello.size(); at += piece) {
      EXPECT_EQ(s.ask(NameKind::sni, "www.example.org"), NameAnswer::not_yet) << at;
      EXPECT_FALSE(s.passes()) << at;
      s.client(std::string_view(hello).substr(at, piece));
    }
    EXPECT_EQ(s.ask(NameKind::sni, "www.example.org"), NameAnswer::yes);
    EXPECT_EQ(s.ask(NameKind::app, "tls"), NameAnswer::yes);
    EXPECT_EQ(s.ask(NameKind::kuma_service, "*"), NameAnswer::given_up);
    // Who it is stands behind it.
    EXPECT_EQ(s.ask(NameKind::spiffe, "spiffe://*"), NameAnswer::not_yet);
    EXPECT_TRUE(s.passes());
    s.server(tls_bytes(false));
    EXPECT_EQ(s.ask(NameKind::spiffe, "spiffe://*"), NameAnswer::given_up);
  }
}

TEST_F(Names, BehindConnectAndWhatAProxySays) {
  Asked s(*finder);
  s.handshake();
  s.client("CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\n\r\n");
  EXPECT_EQ(s.ask(NameKind::http_host, "far.example"), NameAnswer::yes);
  EXPECT_EQ(s.ask(NameKind::sni, "www.example.org"), NameAnswer::not_yet);
  EXPECT_TRUE(s.passes());
  s.server("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_TRUE(s.passes());
  const std::string hello = tls_bytes(true);
  s.client(std::string_view(hello).substr(0, 3));
  EXPECT_FALSE(s.passes());
  s.client(std::string_view(hello).substr(3));
  EXPECT_EQ(s.ask(NameKind::sni, "www.example.org"), NameAnswer::yes);
  EXPECT_EQ(s.ask(NameKind::app, "tls"), NameAnswer::yes);

  Asked forwarded(*finder);
  forwarded.handshake();
  forwarded.client("PROXY TCP4 192.0.2.1 192.0.2.2 1024 443\r\n");
  EXPECT_FALSE(forwarded.passes());
  forwarded.client(hello);
  EXPECT_EQ(forwarded.ask(NameKind::sni, "www.example.org"), NameAnswer::yes);
}

TEST_F(Names, OutOfOrderAndAgain) {
  Asked s(*finder);
  s.handshake();
  s.client_at(20, kGet.substr(20));
  EXPECT_EQ(s.ask(NameKind::app, "http"), NameAnswer::not_yet);
  s.client_at(0, kGet.substr(0, 10));
  s.client_at(0, kGet.substr(0, 10));
  EXPECT_EQ(s.ask(NameKind::app, "http"), NameAnswer::not_yet);
  s.client_at(10, kGet.substr(10, 10));
  EXPECT_EQ(s.ask(NameKind::http_host, "www.example.org"), NameAnswer::yes);
}

TEST_F(Names, NobodyKnowsWhatContradictsItself) {
  Asked s(*finder);
  s.handshake();
  s.client_at(0, kGet.substr(0, 30));
  std::string other(kGet.substr(0, 30));
  other[26] = 'x';
  s.client_at(0, other);
  s.client_at(30, kGet.substr(30));
  EXPECT_EQ(s.ask(NameKind::http_host, "*"), NameAnswer::given_up);
  EXPECT_FALSE(s.passes());
}

TEST_F(Names, WhatItsReceiverDiscardsSaysNothing) {
  Asked s(*finder);
  s.handshake();
  std::string decoy(kGet);
  decoy.replace(decoy.find("www"), 3, "bad");
  s.client_at(0, decoy, true);
  EXPECT_EQ(s.ask(NameKind::http_host, "*"), NameAnswer::not_yet);
  s.client_at(0, kGet);
  EXPECT_EQ(s.ask(NameKind::http_host, "www.example.org"), NameAnswer::yes);
}

TEST_F(Names, OfWhatHasNone) {
  struct Row {
    const char* bytes;
    const char* app;  // null: unknown
  };
  for (const Row& row : {Row{"\x01\x02\x03\x04nothing that anybody knows of\r\n", nullptr},
                         Row{"SSH-2.0-OpenSSH_9.2p1\r\n", "ssh"}}) {
    Asked s(*finder);
    s.handshake();
    s.client(row.bytes);
    EXPECT_EQ(s.ask(NameKind::sni, "*"), NameAnswer::given_up) << row.bytes;
    EXPECT_EQ(s.ask(NameKind::app, "ssh"), row.app != nullptr ? NameAnswer::yes : NameAnswer::given_up);
  }
  EXPECT_FALSE(Asked(*finder, 1).valid()) << "ICMP has none";
}

TEST_F(Names, BeforeHttp2AsksThereAreFrames) {
  using namespace std::string_literals;
  Asked s(*finder);
  s.handshake();
  s.client("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(4, 0, 0, ""));
  EXPECT_EQ(s.ask(NameKind::http_host, "www.example.org"), NameAnswer::not_yet);
  EXPECT_TRUE(s.passes());
  s.server(http2_frame(4, 0, 0, ""));
  EXPECT_TRUE(s.passes());
  s.client(http2_frame(1, 5, 1,
                       http2_block({{":method", "GET"}, {":path", "/"}, {":authority", "www.example.org"}})));
  EXPECT_EQ(s.ask(NameKind::http_host, "www.example.org"), NameAnswer::yes);
  EXPECT_EQ(s.ask(NameKind::app, "http2"), NameAnswer::yes);
}

TEST_F(Names, AsManySessionsAsThereIsRoomFor) {
  {
    Asked a(*finder), b(*finder), c(*finder), d(*finder), e(*finder);
    EXPECT_TRUE(d.valid());
    EXPECT_FALSE(e.valid());
    EXPECT_FALSE(e.passes());
    e.client(kGet);  // nobody listens
  }
  EXPECT_TRUE(Asked(*finder).valid());
}

}  // namespace
}  // namespace weir::inspection
