// TCP through the hub: windows, resets, openings and closings as RFC 9293 and RFC 5961 have them. The table
// and the windows themselves: tests/unit/tables/tcp_*_test.cpp.
#include <gtest/gtest.h>

#include "dataplane/session/session.h"
#include "tests/packet/fragments.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::DropReason;
using dataplane::SessionState;
using inspection::FlowEnd;

Counts ignored(int64_t segments = 1) { return forwarded(segments) + Counts({{"tcp_ignored", segments}}); }

/// A conversation of a's host with b's, numbered as the ends would.
class Talk {
 public:
  Talk(TestHub& hub, Ip ip = Ip::v4, uint32_t client = 1'000, uint32_t server = 50'000)
      : hub_(hub), ip_(ip), next_{client, server} {}

  /// The next segment of one end.
  std::vector<Bytes> client(uint8_t flags, std::string payload = "") {
    return send(0, flags, std::move(payload));
  }
  std::vector<Bytes> server(uint8_t flags, std::string payload = "") {
    return send(1, flags, std::move(payload));
  }
  void handshake() {
    EXPECT_EQ(client(kSyn).size(), 1u);
    EXPECT_EQ(server(kSyn | kAck).size(), 1u);
    EXPECT_EQ(client(kAck).size(), 1u);
    EXPECT_EQ(hub_.moved(), started() + forwarded(2));
  }
  /// Any segment, numbered from what the ends would send next.
  std::vector<Bytes> client_at(uint8_t flags, int64_t seq, int64_t ack = 0, std::string payload = "") {
    return hub_.pass_through(frame(0, flags, seq, ack, std::move(payload)));
  }
  std::vector<Bytes> server_at(uint8_t flags, int64_t seq, int64_t ack = 0, std::string payload = "") {
    return hub_.pass_through(frame(1, flags, seq, ack, std::move(payload)));
  }
  Bytes frame(size_t from, uint8_t flags, int64_t seq, int64_t ack, std::string payload) const {
    const uint32_t s = next_[from] + static_cast<uint32_t>(seq),
                   a = next_[1 - from] + static_cast<uint32_t>(ack);
    return from == 0 ? from_spoke(kA, kB, tcp(flags, s, a, std::move(payload)), ip_)
                     : from_spoke(kB, kA, tcp(flags, s, a, std::move(payload), 80, 1000), ip_);
  }
  uint32_t next(size_t end) const { return next_[end]; }

 private:
  std::vector<Bytes> send(size_t from, uint8_t flags, std::string payload) {
    const uint32_t length = static_cast<uint32_t>(payload.size()) + ((flags & (kSyn | kFin)) != 0);
    auto sent = hub_.pass_through(frame(from, flags, 0, 0, std::move(payload)));
    next_[from] += length;
    return sent;
  }

  TestHub& hub_;
  Ip ip_;
  uint32_t next_[2];
};

SessionState only_state(TestHub& hub) {
  bool done = false;
  std::vector<dataplane::SessionRow> rows;
  hub.plane().list_sessions(10, [&](std::vector<dataplane::SessionRow> got) {
    rows = std::move(got);
    done = true;
  });
  hub.settle_until(done);
  EXPECT_EQ(rows.size(), 1u);
  return rows.empty() ? SessionState::free : rows[0].state;
}

TEST(Tcp, AWrongChecksumClosesNothing) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    TestHub hub(network().build());
    Talk talk(hub, ip);
    talk.handshake();
    for (const uint8_t flags : {uint8_t{kRst}, uint8_t{kFin | kAck}}) {
      const Transport spoilt = [&](PacketBuilder& b) {
        b.tcp(1000, 80, flags, talk.next(0), talk.next(1)).bad_checksum();
      };
      EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, spoilt, ip)).empty());
      EXPECT_EQ(hub.moved(), dropped(DropReason::tcp_checksum));
      EXPECT_EQ(only_state(hub), SessionState::established);
    }
    EXPECT_EQ(talk.client(kAck, "on it goes").size(), 1u);
  }
}

TEST(Tcp, OutsideOfTheWindowsNothingCloses) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    TestHub hub(network().build());
    Talk talk(hub, ip);
    talk.handshake();
    talk.client(kAck, "request");
    talk.server(kAck, "answer");
    hub.moved();
    for (const int64_t far : {-100'000, 100'000, 1'000'000'000, -1'000'000'000}) {
      EXPECT_TRUE(talk.client_at(kRst, far).empty());
      EXPECT_TRUE(talk.server_at(kRst | kAck, far).empty());
      EXPECT_TRUE(talk.client_at(kFin | kAck, far).empty());
      EXPECT_TRUE(talk.server_at(kFin | kAck, far).empty());
      EXPECT_TRUE(talk.server_at(kSyn | kAck, far).empty());
    }
    EXPECT_EQ(hub.moved(), dropped(DropReason::tcp_outside_window, 20));
    // Within the window, but not the number expected: the receiver answers by a challenge ACK.
    EXPECT_EQ(talk.client_at(kRst, 500).size(), 1u);
    EXPECT_EQ(talk.server_at(kRst, 500).size(), 1u);
    EXPECT_EQ(hub.moved(), ignored(2));
    EXPECT_EQ(only_state(hub), SessionState::established);
    EXPECT_EQ(talk.client(kAck, "more").size(), 1u);
    EXPECT_EQ(hub.moved(), forwarded());
    EXPECT_EQ(talk.server(kRst | kAck).size(), 1u);
    EXPECT_EQ(only_state(hub), SessionState::reset);
    EXPECT_EQ(hub.moved(), forwarded());
  }
}

TEST(Tcp, AStormOfResetsClosesNothing) {
  TestHub hub(network().build());
  Talk talk(hub);
  talk.handshake();
  constexpr uint32_t kStorm = 3'000;
  for (uint32_t i = 0; i < kStorm; ++i) {
    // Spread over the number space, as one would guess, the numbers that are expected left out.
    const int64_t seq = int64_t{i} * (0xffff'ffff / kStorm) + 7;
    (i % 2 == 0 ? talk.client_at(kRst, seq) : talk.server_at(kRst, seq));
  }
  Counts counts = hub.moved();
  EXPECT_EQ(counts["drop tcp_outside_window"] + counts["tcp_ignored"], kStorm);
  EXPECT_LE(counts["tcp_ignored"], 1) << "the window is less than a step";
  EXPECT_EQ(counts["sessions_live"], 0);
  EXPECT_EQ(only_state(hub), SessionState::established);
  EXPECT_EQ(talk.client(kAck, "data").size(), 1u);
}

TEST(Tcp, DataOutsidePassesUnlessStrict) {
  for (const bool strict : {false, true}) {
    TestHub hub(network().tcp({.strict = strict}).build());
    Talk talk(hub);
    talk.handshake();
    for (const int64_t far : {-200'000, 200'000}) {
      EXPECT_EQ(talk.client_at(kAck, far, 0, "data").empty(), strict);
      EXPECT_EQ(talk.server_at(kAck, 0, far, "data").empty(), strict);
    }
    EXPECT_EQ(hub.moved(), strict ? dropped(DropReason::tcp_outside_window, 4) : ignored(4));
    EXPECT_EQ(talk.server(kAck, "data").size(), 1u);
    EXPECT_EQ(hub.moved(), forwarded()) << "nothing has moved the windows";
  }
}

TEST(Tcp, WhatIsIgnoredKeepsNothingAlive) {
  TestHub hub(network().build());
  Talk talk(hub);
  talk.handshake();
  for (int minute = 0; minute < 59; ++minute) {
    hub.pass_seconds(60);
    EXPECT_EQ(talk.server_at(kAck, 500'000, 0, "x").size(), 1u);
  }
  hub.pass_seconds(61);
  hub.settle();
  EXPECT_EQ(hub.moved(), ignored(59) + Counts({{"sessions_expired", 1}, {"sessions_live", -1}}));
}

TEST(Tcp, NumbersWrap) {
  for (const uint32_t start : {0xffff'ffffu, 0xffff'fff0u, 0x7fff'fff0u}) {
    TestHub hub(network().build());
    Talk talk(hub, Ip::v4, start, ~start);
    talk.handshake();
    for (int i = 0; i < 40; ++i) {
      EXPECT_EQ(talk.client(kAck, std::string(1'000, 'c')).size(), 1u);
      EXPECT_EQ(talk.server(kAck, std::string(900, 's')).size(), 1u);
    }
    EXPECT_EQ(hub.moved(), forwarded(80));
    EXPECT_TRUE(talk.client_at(kRst, 100'000).empty());
    EXPECT_EQ(talk.client(kRst).size(), 1u);
    EXPECT_EQ(only_state(hub), SessionState::reset);
  }
}

TEST(Tcp, SimultaneousOpen) {
  TestHub hub(network().build());
  Talk talk(hub);
  EXPECT_EQ(talk.client_at(kSyn, 0).size(), 1u);
  EXPECT_EQ(talk.server_at(kSyn, 0).size(), 1u);
  EXPECT_EQ(talk.client_at(kSyn | kAck, 0, 1).size(), 1u);
  EXPECT_EQ(talk.server_at(kSyn | kAck, 0, 1).size(), 1u);
  EXPECT_EQ(hub.moved(), started() + forwarded(3));
  EXPECT_EQ(only_state(hub), SessionState::established);
}

TEST(Tcp, SynWithData) {
  TestHub hub(network().build());
  Talk talk(hub);
  EXPECT_EQ(talk.client_at(kSyn, 0, 0, "early").size(), 1u);
  EXPECT_EQ(talk.server_at(kSyn | kAck, 0, 6).size(), 1u);
  EXPECT_EQ(talk.client_at(kAck, 6, 1, "late").size(), 1u);
  EXPECT_EQ(hub.moved(), started() + forwarded(2));
  EXPECT_EQ(only_state(hub), SessionState::established);
}

TEST(Tcp, NothingButSynBeforeTheAnswer) {
  TestHub hub(network().build());
  Talk talk(hub);
  talk.client(kSyn);
  hub.moved();
  EXPECT_TRUE(talk.client_at(kAck, 0, 0, "data").empty());
  EXPECT_TRUE(talk.client_at(kFin | kAck, 0).empty());
  EXPECT_TRUE(talk.server_at(kFin | kAck, 0).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::tcp_unexpected, 3));
  EXPECT_TRUE(talk.server_at(kRst | kAck, 0, 5).empty()) << "it acknowledges what was not sent";
  EXPECT_EQ(hub.moved(), dropped(DropReason::tcp_outside_window));
  EXPECT_EQ(only_state(hub), SessionState::syn_sent);
}

TEST(Tcp, ASynOfTheResponderOpensNothing) {
  TestHub hub(network().build());
  Talk talk(hub);
  talk.handshake();
  EXPECT_TRUE(talk.server_at(kSyn, 70'000).empty());
  EXPECT_TRUE(talk.client_at(kSyn | kAck, 80'000, 70'001).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::tcp_unexpected) + dropped(DropReason::tcp_outside_window));
  EXPECT_EQ(only_state(hub), SessionState::established);
}

/// A host that has lost its state comes back with the same port (RFC 9293 section 3.5.1, RFC 5961 section 4).
TEST(Tcp, AHostThatRestarted) {
  TestHub hub(network().build());
  Talk talk(hub);
  talk.handshake();
  EXPECT_EQ(talk.client_at(kSyn, 900'000).size(), 1u);
  EXPECT_EQ(hub.moved(), ignored());
  EXPECT_EQ(talk.server_at(kAck, 0).size(), 1u) << "the challenge";
  EXPECT_EQ(talk.client_at(kRst, 0).size(), 1u) << "its answer, at the number that it was told";
  EXPECT_EQ(only_state(hub), SessionState::reset);
  EXPECT_EQ(talk.client_at(kSyn, 900'000).size(), 1u);
  EXPECT_EQ(hub.moved(), forwarded(2) + started() + Counts({{"sessions_expired", 1}, {"sessions_live", -1}}));
  EXPECT_EQ(only_state(hub), SessionState::syn_sent);
}

TEST(Tcp, BothHostsHaveLostTheSession) {
  TestHub hub(network().build());
  Talk talk(hub);
  talk.handshake();
  EXPECT_EQ(talk.client_at(kSyn, 900'000).size(), 1u);
  EXPECT_EQ(talk.server_at(kSyn | kAck, 800'000, 900'001).size(), 1u);
  EXPECT_EQ(talk.client_at(kAck, 900'001, 800'001).size(), 1u);
  EXPECT_EQ(talk.server_at(kAck, 800'001, 900'001, "data").size(), 1u);
  EXPECT_EQ(hub.moved(), ignored() + forwarded(3));
  EXPECT_EQ(only_state(hub), SessionState::established);
}

/// Somebody else says SYN and SYN+ACK in their names, and sees nothing of what they send.
TEST(Tcp, ASynInTheInitiatorsNameIsForgottenWhenItGoesOn) {
  TestHub hub(network().build());
  Talk talk(hub);
  talk.handshake();
  EXPECT_EQ(talk.client_at(kSyn, 900'000).size(), 1u);
  EXPECT_EQ(talk.client(kAck, "data").size(), 1u);
  EXPECT_EQ(hub.moved(), ignored() + forwarded());
  EXPECT_TRUE(talk.server_at(kSyn | kAck, 800'000, 900'001).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::tcp_outside_window));
  EXPECT_EQ(talk.server(kAck, "data").size(), 1u);
  EXPECT_EQ(hub.moved(), forwarded());
}

/// In TIME-WAIT and after a reset, whoever begins anew is judged anew.
TEST(Tcp, AReusedTuple) {
  TestHub hub(network().build(), {.flow_events = true});
  Talk talk(hub);
  talk.handshake();
  talk.client(kFin | kAck);
  talk.server(kFin | kAck);
  talk.client(kAck);
  EXPECT_EQ(only_state(hub), SessionState::closing);
  EXPECT_EQ(talk.client(kAck).size(), 1u) << "the last ACK again";
  hub.moved();
  EXPECT_EQ(talk.client_at(kSyn, 300'000).size(), 1u);
  EXPECT_EQ(hub.moved(), started() + Counts({{"sessions_expired", 1}, {"sessions_live", -1}}));
  EXPECT_EQ(talk.server_at(kAck, 0, 0).size(), 1u)
      << "a host in TIME-WAIT may answer for the old one (RFC 6191)";
  EXPECT_EQ(hub.moved(), ignored());
  EXPECT_EQ(talk.client_at(kRst, 0).size(), 1u);
  EXPECT_EQ(only_state(hub), SessionState::reset);
  EXPECT_TRUE(talk.server_at(kSyn, 400'000).empty()) << "no rule allows that";
  EXPECT_EQ(hub.moved(), forwarded() + dropped(DropReason::policy_default_deny) +
                             Counts({{"sessions_expired", 1}, {"sessions_live", -1}}));
}

TEST(Tcp, TakenUpInItsMidst) {
  for (const bool allowed : {false, true}) {
    TestHub hub(network().tcp({.mid_stream = allowed}).build());
    Talk talk(hub);
    EXPECT_TRUE(talk.client_at(kRst, 0).empty());
    EXPECT_TRUE(talk.client_at(kFin | kAck, 0).empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::not_a_session_start, 2));
    EXPECT_EQ(talk.client(kAck, "data").size(), allowed ? 1u : 0u);
    EXPECT_EQ(hub.moved(), allowed ? started() : dropped(DropReason::not_a_session_start));
    if (!allowed) continue;
    EXPECT_EQ(only_state(hub), SessionState::loose);
    EXPECT_EQ(talk.server(kAck, "data").size(), 1u);
    EXPECT_EQ(only_state(hub), SessionState::established);
    EXPECT_TRUE(talk.server_at(kRst, -200'000).empty());
    EXPECT_EQ(hub.moved(), forwarded() + dropped(DropReason::tcp_outside_window));
    EXPECT_TRUE(hub.pass_through(from_spoke(kC, kB, tcp(kAck, 1, 1))).empty())
        << "policy is asked all the same";
    EXPECT_EQ(hub.moved(), dropped(DropReason::no_connection));
  }
}

TEST(Tcp, SeenInOneDirection) {
  TestHub hub(network().tcp({.one_sided = true}).build());
  Talk talk(hub);
  talk.client(kSyn);
  EXPECT_EQ(talk.client_at(kAck, 0, 0).size(), 1u);
  EXPECT_EQ(only_state(hub), SessionState::loose);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(talk.client(kAck, std::string(1'000, 'x')).size(), 1u);
  EXPECT_EQ(hub.moved(), started() + forwarded(101));
  EXPECT_EQ(talk.client(kFin | kAck).size(), 1u);
  EXPECT_EQ(only_state(hub), SessionState::fin_forward);
}

TEST(Tcp, AnIdleSessionsEndsAreTold) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    TestHub hub(network().tcp({.reset_idle = true}).build());
    Talk talk(hub, ip);
    talk.handshake();
    talk.client(kAck, "request");
    talk.server(kAck, "answer");
    talk.client(kAck);
    hub.moved();
    hub.pass_seconds(3'602);
    hub.settle();
    const auto sent = hub.sent();
    ASSERT_EQ(sent.size(), 2u);
    const auto reset = [&](const Spoke& from, const Spoke& to, size_t end, uint16_t src, uint16_t dst) {
      PacketBuilder b;
      b.ether(to.host_mac, to.hub_mac).ip(host_of(from, ip), host_of(to, ip)).ttl(64);
      if (ip == Ip::v4) b.dont_fragment();
      return b.tcp(src, dst, kRst | kAck, talk.next(end), talk.next(1 - end)).window(0).build();
    };
    EXPECT_EQ(sent[0], hub_tunnelled(kB, reset(kA, kB, 0, 1000, 80), sent[0]));
    EXPECT_EQ(sent[1], hub_tunnelled(kA, reset(kB, kA, 1, 80, 1000), sent[1]));
    EXPECT_EQ(hub.moved(), Counts({{"generated", 2},
                                   {"resets_sent", 2},
                                   {"tx", 2},
                                   {"sessions_expired", 1},
                                   {"sessions_live", -1}}));
  }
}

TEST(Tcp, NobodyIsToldOfWhatWasNeverOpenOrIsClosed) {
  TestHub hub(network().tcp({.reset_idle = true}).build());
  Talk talk(hub);
  talk.client(kSyn);
  hub.pass_seconds(12);
  hub.settle();
  talk.client_at(kSyn, 5'000);
  talk.server_at(kRst | kAck, 0, 5'001);
  hub.pass_seconds(40);
  hub.settle();
  EXPECT_EQ(hub.moved(), started(2) + forwarded() + Counts({{"sessions_expired", 2}, {"sessions_live", -2}}));
}

TEST(Tcp, OfWhatIsNoLongerConnectedNobodyIsTold) {
  SnapshotBuilder apart;
  apart.domain("red").domain("blue");
  apart.attachment("a", "red", kA.vni, kA.tunnel_end, "10.1.0.1/24,2001:db8:1::1/64");
  apart.attachment("b", "blue", kB.vni, kB.tunnel_end, "10.2.0.1/24,2001:db8:2::1/64");
  apart.rule({.id = "all", .action = dataplane::PolicyAction::allow}).tcp({.reset_idle = true});
  know_host(apart, kA);
  know_host(apart, kB);
  SnapshotBuilder joined = apart;
  joined.connection("red", "blue");
  TestHub hub(joined.build());
  Talk(hub).handshake();
  hub.publish(later_than(hub, apart));
  hub.moved();
  hub.pass_seconds(3'602);
  hub.settle();
  EXPECT_TRUE(hub.sent().empty());
  EXPECT_EQ(hub.moved(), Counts({{"sessions_expired", 1}, {"sessions_live", -1}}));
}

TEST(Tcp, FragmentsAreFollowedAsFarAsTheySay) {
  TestHub hub(network().build());
  Talk talk(hub);
  talk.handshake();
  const Bytes whole = PacketBuilder()
                          .ether(kA.hub_mac, kA.host_mac)
                          .ip(kA.host4, kB.host4)
                          .tcp(1000, 80, kAck, talk.next(0), talk.next(1))
                          .filler(144)
                          .build();
  const auto piece = [&](uint16_t offset, uint16_t size, bool more) {
    PacketBuilder b;
    b.ether(kA.hub_mac, kA.host_mac).ip(kA.host4, kB.host4).ip_id(7).fragment(offset, more).type(6);
    const auto from = whole.begin() + 14 + 20 + offset;
    return tunnelled(kA, b.payload(Bytes(from, from + size)).build());
  };
  EXPECT_EQ(hub.pass_through(piece(0, 64, true)).size(), 1u);
  EXPECT_EQ(hub.pass_through(piece(64, 100, false)).size(), 1u);
  EXPECT_EQ(hub.moved(), forwarded(2));
  EXPECT_EQ(talk.server_at(kAck, 0, 144).size(), 1u) << "acknowledges all of it";
  EXPECT_EQ(hub.moved(), forwarded());
}

TEST(Tcp, AFirstFragmentIsJudgedWhateverItsFlags) {
  TestHub hub(network().build());
  Talk talk(hub);
  talk.handshake();
  const Bytes whole = inner(kA, kB, tcp(0, talk.next(0), talk.next(1), std::string(100, 'x')));
  const auto pieces = fragments_of(whole, 48);
  EXPECT_TRUE(hub.pass_through(tunnelled(kA, pieces[0])).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::tcp_unexpected)) << "no stack sends that";
}

TEST(Tcp, TimeOutsByState) {
  constexpr auto s = dataplane::kNanosPerSecond;
  dataplane::Timeouts t;
  const auto ticks = [](uint64_t seconds) { return dataplane::Tick::duration(seconds * s); };
  t.tcp_handshake = ticks(5);
  t.tcp_established = ticks(2'000);  // longer than the wheel
  t.tcp_half_closed = ticks(900);
  t.tcp_closing = ticks(7);
  t.tcp_loose = ticks(40);
  t.udp_unanswered = ticks(11);
  t.udp = ticks(700);
  struct Row {
    const char* name;
    std::function<void(TestHub&, Talk&)> play;
    double seconds;
  };
  const Row rows[] = {
      {"half closed", [](TestHub&, Talk& talk) { talk.handshake(), talk.server(kFin | kAck); }, 900},
      {"closed",
       [](TestHub&, Talk& talk) { talk.handshake(), talk.server(kFin | kAck), talk.client(kFin | kAck); }, 7},
      {"loose", [](TestHub&, Talk& talk) { talk.client(kAck, "x"); }, 40},
      {"loose, then seen both ways",
       [](TestHub&, Talk& talk) { talk.client(kAck, "x"), talk.server(kAck, "x"); }, 2'000},
      {"UDP, unanswered", [](TestHub& hub, Talk&) { hub.pass_through(from_spoke(kA, kB, udp(1, 2))); }, 11},
      {"UDP, answered",
       [](TestHub& hub, Talk&) {
         hub.pass_through(from_spoke(kA, kB, udp(1, 2)));
         hub.pass_through(from_spoke(kB, kA, udp(2, 1)));
       },
       700},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TestHub hub(network().timeouts(t).tcp({.mid_stream = true}).build());
    Talk talk(hub);
    row.play(hub, talk);
    hub.moved();
    hub.pass_seconds(row.seconds - 1);
    hub.settle();
    EXPECT_EQ(hub.moved(), Counts()) << "not too early";
    hub.pass_seconds(1.3);
    hub.settle();
    EXPECT_EQ(hub.moved(), Counts({{"sessions_expired", 1}, {"sessions_live", -1}}));
  }
}

TEST(Udp, AnAnswerMayMakeItsTimeOutShorter) {
  dataplane::Timeouts t;
  t.udp_unanswered = dataplane::Tick::duration(30 * dataplane::kNanosPerSecond);
  t.udp = dataplane::Tick::duration(2 * dataplane::kNanosPerSecond);
  TestHub hub(network().timeouts(t).build());
  hub.pass_through(from_spoke(kA, kB, udp(1, 2)));
  hub.pass_through(from_spoke(kA, kB, udp(3, 4)));
  hub.pass_through(from_spoke(kB, kA, udp(4, 3)));
  hub.moved();
  hub.pass_seconds(2.3);
  hub.settle();
  EXPECT_EQ(hub.moved(), Counts({{"sessions_expired", 1}, {"sessions_live", -1}}))
      << "the one that was answered";
  hub.pass_seconds(26.5);
  hub.settle();
  EXPECT_EQ(hub.moved(), Counts()) << "the other one waits";
  hub.pass_seconds(1.5);
  hub.settle();
  EXPECT_EQ(hub.moved(), Counts({{"sessions_expired", 1}, {"sessions_live", -1}}));
}

}  // namespace
}  // namespace weir::test
