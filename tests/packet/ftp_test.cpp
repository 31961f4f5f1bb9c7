// FTP's control connections through address translation: what they name is translated, sequence numbers
// follow, and the data connections come through.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "dataplane/net/checksum.h"
#include "dataplane/net/ftp_text.h"
#include "tests/packet/fragments.h"
#include "tests/packet/nat_spokes.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;
using net::FtpEndpoint;
using net::read_ftp_command;
using net::read_ftp_reply;

/// A TCP segment over IPv4 as one end gets it.
struct Got {
  bool any = false;
  std::string src, dst;
  uint16_t src_port = 0, dst_port = 0;
  uint32_t seq = 0, ack = 0;
  uint8_t flags = 0;
  std::string payload;
};

Got got_of(const std::vector<Bytes>& sent, const Spoke& spoke) {
  Got got;
  if (sent.size() != 1 || vni_of(sent[0]) != spoke.vni) return got;
  const Bytes f = inner_of(sent[0]);
  const auto word = [&f](size_t at) { return uint32_t{port_at(f, at)} << 16 | port_at(f, at + 2); };
  got.any = true;
  got.src = source_address(sent[0]);
  got.dst = destination_address(sent[0]);
  got.src_port = port_at(f, 34);
  got.dst_port = port_at(f, 36);
  got.seq = word(38);
  got.ack = word(42);
  got.flags = f[47];
  const size_t begin = 34 + static_cast<size_t>(f[46] >> 4) * 4, end = 14 + size_t{port_at(f, 16)};
  got.payload.assign(f.begin() + static_cast<ptrdiff_t>(begin), f.begin() + static_cast<ptrdiff_t>(end));
  return got;
}

/// A control connection between two spokes, each end in its own numbers, and as it knows the other.
class Control {
 public:
  Control(TestHub& hub, const Spoke& client, std::string client_calls, const Spoke& server)
      : hub_(hub), spokes_{&client, &server}, dst_{std::move(client_calls), ""}, port_{4'000, 21} {}

  void handshake() {
    const Got syn = send(0, kSyn);
    ASSERT_TRUE(syn.any);
    dst_[1] = syn.src;
    port_[0] = syn.src_port;  // the server's view; the client sends from 4,000
    ++next_[0];
    ASSERT_TRUE(send(1, kSyn | kAck).any);
    ++next_[1];
    ASSERT_TRUE(send(0, kAck).any);
  }
  /// `from` 0: the client. What the other end gets; what it gets next is acknowledged by its next segment.
  Got say(size_t from, const std::string& text) {
    const Got got = send(from, kPsh | kAck, text);
    if (got.any) next_[from] += static_cast<uint32_t>(text.size());
    return got;
  }
  Got send(size_t from, uint8_t flags, const std::string& text = "", std::optional<uint32_t> seq = {},
           const Bytes& options = {}, std::optional<uint32_t> ack = {}) {
    const Got got =
        got_of(hub_.pass_through(frame(from, flags, text, seq, options, ack)), *spokes_[1 - from]);
    if (got.any) {
      const bool one = (got.flags & (kSyn | kFin)) != 0;
      const uint32_t end = got.seq + static_cast<uint32_t>(got.payload.size()) + one;
      if (!known_[1 - from] || static_cast<int32_t>(end - seen_[1 - from]) > 0) seen_[1 - from] = end;
      known_[1 - from] = true;
    }
    return got;
  }
  Bytes frame(size_t from, uint8_t flags, const std::string& text, std::optional<uint32_t> seq = {},
              const Bytes& options = {}, std::optional<uint32_t> ack = {}) const {
    const uint16_t src_port = from == 0 ? uint16_t{4'000} : port_[1];
    const uint16_t dst_port = port_[1 - from];
    const Transport transport = [&, this](PacketBuilder& b) {
      b.tcp(src_port, dst_port, flags, seq.value_or(next_[from]),
            (flags & kAck) != 0 ? ack.value_or(seen_[from]) : 0);
      if (!options.empty()) b.tcp_options(options);
      b.payload(text);
    };
    return sent_by(*spokes_[from], {spokes_[from]->host4, dst_[from]}, transport);
  }
  uint32_t next(size_t from) const { return next_[from]; }
  /// What that end has received, in the numbers that it sees.
  uint32_t seen(size_t at) const { return seen_[at]; }

 private:
  TestHub& hub_;
  const Spoke* spokes_[2];
  std::string dst_[2];
  uint16_t port_[2];
  uint32_t next_[2] = {0xffff'fff0, 7'000};  // the client's numbers wrap
  uint32_t seen_[2] = {0, 0};
  bool known_[2] = {};
};

/// The one endpoint that a line names.
FtpEndpoint named(const std::string& line, bool reply) {
  const auto found = reply ? read_ftp_reply(line) : read_ftp_command(line);
  EXPECT_TRUE(found) << line;
  return found.value_or(FtpEndpoint{});
}

std::string with_commas(std::string address, uint16_t port) {
  std::replace(address.begin(), address.end(), '.', ',');
  return address + "," + std::to_string(port >> 8) + "," + std::to_string(port & 255);
}

std::unique_ptr<Snapshot> behind_a_pool(bool ftp = true, uint16_t low = 1'024, uint16_t high = 65'535) {
  SnapshotBuilder b = open_network(1);
  NatRules rules = pool_rules(b, 1, "10.2.0.100", "10.2.0.103", low, high);
  rules.pools[0].ftp = ftp;
  b.nat(rules);
  return b.build();
}
std::unique_ptr<Snapshot> published(bool ftp = true) {
  SnapshotBuilder b = open_network(1);
  NatRules rules = web_rules(b);
  rules.published[0].port = rules.published[0].server_port = 21;
  rules.published[0].ftp = ftp;
  rules.published.push_back(rules.published[0]);  // another one at the same address
  rules.published[1].name = "other";
  rules.published[1].port = 40'001;
  rules.published[1].server = ip_of(kD.host4);
  rules.published[1].ftp = false;
  b.nat(rules);
  return b.build();
}

TEST(Ftp, AnActiveClientBehindAPool) {
  TestHub hub(behind_a_pool());
  Control control(hub, kA, kB.host4, kB);
  control.handshake();
  EXPECT_EQ(control.say(1, "220 ready\r\n").payload, "220 ready\r\n");
  const std::string port = "PORT " + with_commas(kA.host4, 1'029) + "\r\n";
  const uint32_t at = control.next(0);
  const Got got = control.say(0, port);
  ASSERT_TRUE(got.any);
  const FtpEndpoint there = named(got.payload, false);
  EXPECT_EQ(got.src, net::to_string(there.address)) << "the address of the control connection";
  EXPECT_EQ(got.payload, "PORT " + with_commas(got.src, there.port) + "\r\n");
  ASSERT_NE(got.payload.size(), port.size()) << "this test wants another length";

  // What the server acknowledges is what the client has sent.
  EXPECT_EQ(control.say(1, "200 fine\r\n").ack, control.next(0));
  EXPECT_EQ(control.send(1, kAck, "", {}, {}, got.seq + 8).ack, at + 5) << "half of it: none of it";
  EXPECT_EQ(control.send(1, kAck, "", {}, {}, got.seq).ack, at);

  // Sent again it is the same, alone and with what follows.
  const Got again = control.send(0, kPsh | kAck, port, at);
  EXPECT_EQ(again.payload, got.payload);
  EXPECT_EQ(again.seq, got.seq);
  const Got both = control.send(0, kPsh | kAck, port + "LIST\r\n", at);
  EXPECT_EQ(both.payload, got.payload + "LIST\r\n");
  EXPECT_EQ(both.seq, got.seq);
  EXPECT_EQ(control.send(0, kPsh | kAck, "LIST\r\n", at + static_cast<uint32_t>(port.size())).seq,
            got.seq + static_cast<uint32_t>(got.payload.size()));

  // The data connection, and its answers.
  const Got syn =
      got_of(hub.pass_through(sent_by(kB, {kB.host4, got.src}, tcp(kSyn, 1, 0, "", 20, there.port))), kA);
  ASSERT_TRUE(syn.any);
  EXPECT_EQ(syn.dst, kA.host4);
  EXPECT_EQ(syn.dst_port, 1'029);
  EXPECT_EQ(syn.src_port, 20);
  const Got answer =
      got_of(hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, tcp(kSyn | kAck, 9, 2, "", 1'029, 20))), kB);
  EXPECT_EQ(answer.src, got.src);
  EXPECT_EQ(answer.src_port, there.port);
  const Counts moved = hub.moved();
  EXPECT_EQ(moved.at("ftp_controls"), 1u);
  EXPECT_EQ(moved.at("ftp_rewritten"), 1u);
  EXPECT_FALSE(moved.contains("ftp_untracked"));
}

TEST(Ftp, BlocksThatArrivedAheadAreNumberedBack) {
  TestHub hub(behind_a_pool());
  Control control(hub, kA, kB.host4, kB);
  control.handshake();
  const uint32_t at = control.next(0);
  const std::string port = "PORT " + with_commas(kA.host4, 1'029) + "\r\n";
  const Got first = control.say(0, port);
  const Got second = control.say(0, "LIST\r\n");
  ASSERT_TRUE(first.any && second.any);
  Bytes sack = {1, 1, 5, 10};
  for (const uint32_t border : {second.seq, second.seq + 6}) {
    for (int shift = 24; shift >= 0; shift -= 8) sack.push_back(static_cast<uint8_t>(border >> shift));
  }
  const auto sent = hub.pass_through(control.frame(1, kAck, "", {}, sack, first.seq));
  const Got got = got_of(sent, kA);
  ASSERT_TRUE(got.any);
  EXPECT_EQ(got.ack, at);
  const Bytes f = inner_of(sent[0]);
  const auto word = [&f](size_t i) { return uint32_t{port_at(f, i)} << 16 | port_at(f, i + 2); };
  const uint32_t behind = at + static_cast<uint32_t>(port.size());
  EXPECT_EQ(word(34 + 24), behind);
  EXPECT_EQ(word(34 + 28), behind + 6);
}

TEST(Ftp, WhatCannotBeTranslatedIsDroppedByName) {
  TestHub hub(behind_a_pool());
  Control control(hub, kA, kB.host4, kB);
  control.handshake();
  hub.moved();
  std::string many;
  for (int i = 0; i < 5; ++i) many += "PORT " + with_commas(kA.host4, 1'029) + "\r\n";
  EXPECT_FALSE(control.send(0, kPsh | kAck, many).any);
  EXPECT_EQ(hub.moved(), dropped(DropReason::ftp_line));
  EXPECT_FALSE(control.send(0, kPsh | kAck, "LIST\r\n", control.next(0) + 6).any);
  EXPECT_EQ(hub.moved(), dropped(DropReason::ftp_order));
  EXPECT_TRUE(control.say(0, "NOOP\r\nQU").any) << "begins nothing that is looked for";
  EXPECT_TRUE(control.say(0, "IT\r\n").any);
  const std::string port = "PORT " + with_commas(kA.host4, 1'029) + "\r\n";
  const uint32_t at = control.next(0);
  ASSERT_TRUE(control.say(0, port).any);
  hub.moved();
  EXPECT_FALSE(control.send(0, kPsh | kAck, port.substr(8), at + 8).any) << "half of it again";
  EXPECT_EQ(hub.moved(), dropped(DropReason::ftp_order));
}

/// Two commands in one segment, which comes in pieces.
class FtpFragments : public testing::Test {
 protected:
  FtpFragments() {
    control_.handshake();
    hub_.moved();
  }
  std::string commands(size_t before) const {
    return "NOOP " + std::string(before, 'x') + "\r\nPORT " + with_commas(kA.host4, 1'029) + "\r\n";
  }
  std::vector<Bytes> pieces(const std::string& text, size_t size, uint32_t id, uint8_t tos = 0) const {
    Bytes whole = inner_of(control_.frame(0, kPsh | kAck, text));
    whole[15] = tos;
    const net::be16 sum = net::checksum_update(net::be16::of(port_at(whole, 24)), net::be16::of(0x4500),
                                               net::be16::of(0x4500 | tos));
    whole[24] = static_cast<uint8_t>(sum.host() >> 8);
    whole[25] = static_cast<uint8_t>(sum.host());
    return fragments_of(whole, size, id);
  }
  TestHub hub_{behind_a_pool()};
  Control control_{hub_, kA, kB.host4, kB};
};

TEST_F(FtpFragments, ASegmentInPiecesIsPutTogetherAndTranslated) {
  const std::string text = commands(20);
  std::vector<size_t> order = {0, 1, 2};
  uint32_t id = 1;
  Got first;
  do {  // what comes again is the same again
    const auto sent = pieces(text, 32, id++);
    ASSERT_EQ(sent.size(), order.size());
    for (const size_t i : {order[0], order[1]})
      EXPECT_TRUE(hub_.pass_through(tunnelled(kA, sent[i])).empty());
    const Got got = got_of(hub_.pass_through(tunnelled(kA, sent[order[2]])), kB);
    ASSERT_TRUE(got.any);
    if (!first.any) {
      EXPECT_EQ(hub_.moved(), forwarded() + Counts({{"rx", 2}, {"consumed", 2}, {"ftp_rewritten", 1}}));
      first = got;
    }
    EXPECT_EQ(got.seq, first.seq);
    EXPECT_EQ(got.payload, first.payload);
  } while (std::next_permutation(order.begin(), order.end()));
  const size_t port = first.payload.find("PORT");
  ASSERT_NE(port, std::string::npos);
  EXPECT_EQ(first.payload.substr(0, port), text.substr(0, text.find("PORT")));
  const FtpEndpoint there = named(first.payload.substr(port), false);
  EXPECT_EQ(first.src, net::to_string(there.address));
  const Got syn =
      got_of(hub_.pass_through(sent_by(kB, {kB.host4, first.src}, tcp(kSyn, 1, 0, "", 20, there.port))), kA);
  EXPECT_EQ(syn.dst_port, 1'029);
  EXPECT_EQ(hub_.plane().counters(0).fragments_held.get(), 0U);
}

TEST_F(FtpFragments, OneThatMetCongestionMarksTheWhole) {
  const std::string text = commands(20);
  for (const bool met : {false, true}) {
    auto sent = pieces(text, 40, met, 2);
    ASSERT_EQ(sent.size(), 2U);
    if (met) sent[1] = pieces(text, 40, met, 3)[1];
    EXPECT_TRUE(hub_.pass_through(tunnelled(kA, sent[1])).empty());
    const auto got = hub_.pass_through(tunnelled(kA, sent[0]));
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(inner_of(got[0])[15], met ? 3 : 2);
  }
}

TEST_F(FtpFragments, OfWhichOneIsMissingNothingPasses) {
  const auto sent = pieces(commands(20), 32, 1);
  EXPECT_TRUE(hub_.pass_through(tunnelled(kA, sent[0])).empty());
  EXPECT_TRUE(hub_.pass_through(tunnelled(kA, sent[2])).empty());
  EXPECT_EQ(hub_.moved(), Counts({{"rx", 2}, {"fragments_held", 2}}));
  hub_.pass_seconds(3);
  hub_.settle();
  EXPECT_EQ(hub_.moved(), Counts({{"fragments_held", -2}, {"drop fragment_timeout", 2}}));
  EXPECT_TRUE(control_.say(0, commands(20)).any) << "sent again, whole";
}

TEST_F(FtpFragments, OfMoreThanABufferNothingPasses) {
  for (const Bytes& piece : pieces(commands(2'500), 1'200, 1)) hub_.inject(tunnelled(kA, piece));
  hub_.settle();
  EXPECT_TRUE(hub_.sent().empty());
  EXPECT_EQ(hub_.moved(), Counts({{"rx", 3}, {"consumed", 2}, {"drop fragment_no_room", 1}}));
  EXPECT_TRUE(control_.say(0, commands(20)).any);
}

/// What an end gets of a stream: each byte once, wherever it comes again.
class Stream {
 public:
  explicit Stream(uint32_t first) : first_(first) {}
  void take(const Got& got) {
    ASSERT_TRUE(got.any);
    ASSERT_FALSE(got.payload.empty()) << "nobody would answer";
    for (uint32_t i = 0; i < got.payload.size(); ++i) {
      const auto at = static_cast<int32_t>(got.seq + i - first_);
      ASSERT_LE(at, static_cast<int32_t>(text_.size())) << "a gap";
      if (at == static_cast<int32_t>(text_.size())) text_ += got.payload[i];
      if (at >= 0) {
        EXPECT_EQ(text_[static_cast<size_t>(at)], got.payload[i]) << "other text at a place than before";
      }
    }
  }
  const std::string& text() const { return text_; }

 private:
  uint32_t first_;
  std::string text_;
};

TEST(Ftp, ACommandThatComesByteByByte) {
  TestHub hub(behind_a_pool());
  Control control(hub, kA, kB.host4, kB);
  control.handshake();
  const std::string port = "PORT " + with_commas(kA.host4, 1'029) + "\r\n";
  Stream server(control.next(0));
  for (size_t i = 0; i < port.size(); ++i) {
    const uint32_t at = control.next(0);
    const Got got = control.say(0, port.substr(i, 1));
    server.take(got);
    // What is held is acknowledged by whoever has got what is before it, so that the client may send on.
    EXPECT_EQ(control.send(1, kAck).ack, at + 1) << i;
    if (i % 3 == 0) {
      const Got again = control.send(0, kPsh | kAck, port.substr(i, 1), at);
      EXPECT_EQ(again.seq, got.seq);
      EXPECT_EQ(again.payload, got.payload);
    }
  }
  const FtpEndpoint there = named(server.text(), false);
  EXPECT_EQ(server.text(), "PORT " + with_commas(net::to_string(there.address), there.port) + "\r\n");
  EXPECT_NE(net::to_string(there.address), kA.host4);
  // All of it at once, as it would be sent after a time-out.
  const uint32_t begin = control.next(0) - static_cast<uint32_t>(port.size());
  EXPECT_EQ(control.send(0, kPsh | kAck, port + "LIST\r\n", begin).payload, server.text() + "LIST\r\n");

  const Got syn = got_of(hub.pass_through(sent_by(kB, {kB.host4, net::to_string(there.address)},
                                                  tcp(kSyn, 1, 0, "", 20, there.port))),
                         kA);
  EXPECT_EQ(syn.dst, kA.host4);
  EXPECT_EQ(syn.dst_port, 1'029);
  const Counts moved = hub.moved();
  EXPECT_EQ(moved.at("ftp_rewritten"), 1u);
  EXPECT_EQ(moved.at("ftp_gathered"), 1u);
}

TEST(Ftp, AnEndInTheMiddleOfALine) {
  TestHub hub(behind_a_pool());
  Control control(hub, kA, kB.host4, kB);
  control.handshake();
  const uint32_t first = control.next(0);
  ASSERT_TRUE(control.say(0, "PORT 10,").any);
  const Got end = control.send(0, kFin | kAck, "1,");
  ASSERT_TRUE(end.any);
  EXPECT_EQ(end.seq, first + 5);
  EXPECT_EQ(end.payload, "");
  EXPECT_EQ(control.send(1, kAck).ack, first + 11) << "text and FIN";
}

TEST(Ftp, AReplyThatComesByteByByte) {
  TestHub hub(published());
  Control control(hub, kB, "10.2.0.80", kA);
  control.handshake();
  const std::string own =
      "227 Entering Passive Mode (" + with_commas(kA.host4, 40'000) + ").\r\n229 x (|||40001|)\r\n";
  Stream client(control.next(1));
  for (const char c : own) {
    client.take(control.say(1, std::string(1, c)));
    EXPECT_EQ(control.send(0, kAck).ack, control.next(1));
  }
  EXPECT_EQ(client.text(), "227 Entering Passive Mode (10,2,0,80,156,64).\r\n229 x (|||40002|)\r\n");
}

TEST(Ftp, WithoutAPortItWaits) {
  // The pool has 4 ports for all; the control connections take them.
  TestHub hub(behind_a_pool(true, 4'000, 4'000));
  Control control(hub, kA, kB.host4, kB);
  control.handshake();
  for (const uint16_t port : std::initializer_list<uint16_t>{1, 2, 3})
    hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, tcp(kSyn, 1, 0, "", port, 80)));
  hub.moved();
  EXPECT_FALSE(control.send(0, kPsh | kAck, "PORT " + with_commas(kA.host4, 1'029) + "\r\n").any);
  EXPECT_EQ(hub.moved(), dropped(DropReason::ftp_room));
}

TEST(Ftp, WhatIsNotAskedForIsNotTranslated) {
  const std::string port = "PORT " + with_commas(kA.host4, 1'029) + "\r\n";
  {
    TestHub hub(behind_a_pool(false));
    Control control(hub, kA, kB.host4, kB);
    control.handshake();
    EXPECT_EQ(control.say(0, port).payload, port);
    EXPECT_FALSE(hub.moved().contains("ftp_controls"));
  }
  TestHub hub(behind_a_pool());
  Control control(hub, kA, kB.host4, kB);
  control.handshake();
  const std::string bounce = "PORT 10,9,9,9,4,5\r\n";
  EXPECT_EQ(control.say(0, bounce).payload, bounce) << "another host's address";
  const std::string reply = "227 Entering Passive Mode (10,2,0,5,156,64)\r\n";
  EXPECT_EQ(control.say(1, reply).payload, reply) << "the server is where it says";
}

TEST(Ftp, APassiveServerThatIsPublished) {
  TestHub hub(published());
  Control control(hub, kB, "10.2.0.80", kA);
  control.handshake();
  const std::string own = "227 Entering Passive Mode (" + with_commas(kA.host4, 40'000) + ").\r\n";
  const uint32_t at = control.next(1);
  const Got got = control.say(1, own);
  EXPECT_EQ(got.payload, "227 Entering Passive Mode (10,2,0,80,156,64).\r\n");
  EXPECT_EQ(control.say(0, "RETR x\r\n").ack, at + own.size());
  const auto data = [&](uint16_t port) {
    return got_of(hub.pass_through(sent_by(kB, {kB.host4, "10.2.0.80"}, tcp(kSyn, 1, 0, "", 5'000, port))),
                  kA);
  };
  const Got syn = data(40'000);
  ASSERT_TRUE(syn.any);
  EXPECT_EQ(syn.dst, kA.host4);
  EXPECT_EQ(syn.dst_port, 40'000);
  const Got answer = got_of(
      hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, tcp(kSyn | kAck, 9, 2, "", 40'000, 5'000))), kB);
  EXPECT_EQ(answer.src, "10.2.0.80");
  EXPECT_EQ(answer.src_port, 40'000);

  // A port that is another server's already: the next one stands for it. Its address is the control
  // connection's.
  const Got extended = control.say(1, "229 Extended Passive Mode (|||40001|)\r\n");
  EXPECT_EQ(extended.payload, "229 Extended Passive Mode (|||40002|)\r\n");
  const Got second = data(40'002);
  ASSERT_TRUE(second.any);
  EXPECT_EQ(second.dst_port, 40'001);
  hub.moved();
  EXPECT_FALSE(data(40'003).any);
  EXPECT_EQ(hub.moved(), dropped(DropReason::nat_closed));

  // With the control connection what it has announced goes.
  ASSERT_TRUE(control.say(1, "229 Extended Passive Mode (|||40010|)\r\n").any);
  control.send(0, kRst | kAck);
  hub.moved();
  EXPECT_FALSE(data(40'010).any);
  EXPECT_EQ(hub.moved(), dropped(DropReason::nat_closed));
}

TEST(Ftp, WhatAServerHasAnnouncedIsOpenWhileItIsPublished) {
  for (const bool at_a_pool : {false, true}) {
    SCOPED_TRACE(at_a_pool);
    SnapshotBuilder b = open_network(1);
    NatRules rules = web_rules(b);
    rules.published[0].port = rules.published[0].server_port = 21;
    rules.published[0].ftp = true;
    if (at_a_pool) {  // whose addresses the server itself does not get
      rules.pools = pool_rules(b, 1).pools;
      rules.pools[0].from = {b.domain_id("green")};
      rules.published[0].address = ip_of("10.2.0.100");
    }
    TestHub hub(b.nat(rules).build());
    const std::string seen = net::to_string(rules.published[0].address);
    Control control(hub, kB, seen, kA);
    control.handshake();
    const Got got = control.say(1, "229 Extended Passive Mode (|||40000|)\r\n");
    const uint16_t port = named(got.payload, true).port;
    const auto data = [&](uint16_t from) {
      return hub.pass_through(sent_by(kB, {kB.host4, seen}, tcp(kSyn, 1, 0, "", from, port)));
    };
    EXPECT_EQ(data(5'000).size(), 1u);
    NatRules changed = rules;
    changed.published[0].ftp = false;
    hub.publish(b.nat(changed).build());
    hub.moved();
    EXPECT_TRUE(data(5'001).empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::nat_closed));
  }
}

TEST(Ftp, AResetOfTheHubHasTheNumberThatItsReceiverWaitsFor) {
  SnapshotBuilder b = open_network(1);
  NatRules rules = pool_rules(b, 1);
  rules.pools[0].ftp = true;
  b.nat(rules);
  TestHub hub(b.tcp({.reset_idle = true}).build());
  Control control(hub, kA, kB.host4, kB);
  control.handshake();
  ASSERT_TRUE(control.say(0, "PORT " + with_commas(kA.host4, 1'029) + "\r\n").any);
  ASSERT_TRUE(control.send(1, kAck).any);
  hub.pass_seconds(3'602);
  hub.settle();
  bool to_server = false, to_client = false;
  for (const Bytes& sent : hub.sent()) {
    const Got at_server = got_of({sent}, kB), at_client = got_of({sent}, kA);
    if (at_server.any) to_server = at_server.seq == control.seen(1);
    if (at_client.any) to_client = at_client.seq == control.next(1) && at_client.ack == control.next(0);
  }
  EXPECT_TRUE(to_server);
  EXPECT_TRUE(to_client);
}

TEST(Ftp, StaticAddressesBothWays) {
  SnapshotBuilder b = open_network(1);
  NatRules rules;
  StaticRule rule;
  rule.domain = b.domain_id("red");
  rule.inside = *net::parse_prefix("10.1.0.0/24");
  rule.outside = *net::parse_prefix("100.64.1.0/24");
  rule.seen_by = {b.domain_id("blue")};
  rule.ftp = true;
  rules.fixed.push_back(rule);
  b.nat(rules);
  TestHub hub(b.build());
  const std::string seen = "100.64.1." + std::string(kA.host4).substr(std::string(kA.host4).rfind('.') + 1);
  {
    Control control(hub, kA, kB.host4, kB);
    control.handshake();
    EXPECT_EQ(control.say(0, "PORT " + with_commas(kA.host4, 1'029) + "\r\n").payload,
              "PORT " + with_commas(seen, 1'029) + "\r\n");
    EXPECT_EQ(control.say(0, std::string("EPRT |1|") + kA.host4 + "|1029|\r\n").payload,
              "EPRT |1|" + seen + "|1029|\r\n");
    EXPECT_EQ(control.say(1, "200 fine\r\n").ack, control.next(0));
  }
  Control control(hub, kB, seen, kA);
  control.handshake();
  EXPECT_EQ(control.say(1, "227 (" + with_commas(kA.host4, 40'000) + ")\r\n").payload,
            "227 (" + with_commas(seen, 40'000) + ")\r\n");
  EXPECT_EQ(control.say(0, "LIST\r\n").ack, control.next(1));
}

TEST(Ftp, OverIpv6) {
  SnapshotBuilder b = open_network(1);
  NatRules rules;
  StaticRule rule;
  rule.domain = b.domain_id("red");
  rule.inside = *net::parse_prefix("2001:db8:1::/64");
  rule.outside = *net::parse_prefix("2001:db8:6464:1::/64");
  rule.seen_by = {b.domain_id("blue")};
  rule.ftp = true;
  rules.fixed.push_back(rule);
  b.nat(rules);
  TestHub hub(b.build());
  const auto client = [&](uint8_t flags, uint32_t seq, const std::string& text) {
    return hub.pass_through(sent_by(kA, {kA.host6, kB.host6}, tcp(flags, seq, 7'001, text, 4'000, 21)));
  };
  ASSERT_EQ(client(kSyn, 100, "").size(), 1u);
  const std::string seen = "2001:db8:6464:1::5";
  ASSERT_EQ(
      hub.pass_through(sent_by(kB, {kB.host6, seen}, tcp(kSyn | kAck, 7'000, 101, "", 21, 4'000))).size(),
      1u);
  ASSERT_EQ(client(kAck, 101, "").size(), 1u);
  const std::string own = std::string("EPRT |2|") + kA.host6 + "|1029|\r\n",
                    other = "EPRT |2|" + seen + "|1029|\r\n";
  expect_at(client(kPsh | kAck, 101, own), kB, {seen, kB.host6},
            tcp(kPsh | kAck, 101, 7'001, other, 4'000, 21));
  // Again, in fragments, the last one first.
  auto pieces = fragments_of(
      inner_of(sent_by(kA, {kA.host6, kB.host6}, tcp(kPsh | kAck, 101, 7'001, own, 4'000, 21))), 24);
  ASSERT_GT(pieces.size(), 2U);
  for (; pieces.size() > 1; pieces.pop_back())
    EXPECT_TRUE(hub.pass_through(tunnelled(kA, pieces.back())).empty());
  expect_at(hub.pass_through(tunnelled(kA, pieces[0])), kB, {seen, kB.host6},
            tcp(kPsh | kAck, 101, 7'001, other, 4'000, 21));
  const auto next = static_cast<uint32_t>(101 + own.size()),
             received = static_cast<uint32_t>(101 + other.size());
  expect_at(hub.pass_through(
                sent_by(kB, {kB.host6, seen}, tcp(kPsh | kAck, 7'001, received, "200 fine\r\n", 21, 4'000))),
            kA, {kB.host6, kA.host6}, tcp(kPsh | kAck, 7'001, next, "200 fine\r\n", 21, 4'000));
}

TEST(Ftp, BeyondTheLimitNothingIsTranslated) {
  TestHub hub(behind_a_pool(), {.ftp_controls = 1});
  Control first(hub, kA, kB.host4, kB);
  first.handshake();
  hub.moved();
  Control second(hub, kD, kB.host4, kB);
  second.handshake();
  EXPECT_EQ(hub.moved().at("ftp_untracked"), 1u);
  const std::string port = "PORT " + with_commas(kD.host4, 1'029) + "\r\n";
  EXPECT_EQ(second.say(0, port).payload, port);
}

}  // namespace
}  // namespace weir::test
