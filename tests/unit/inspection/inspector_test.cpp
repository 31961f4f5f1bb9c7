#include "inspection/inspector.h"

#include <cstring>

#include "support.h"

namespace weir::inspection::test {
namespace {

using Sids = std::vector<uint32_t>;

TEST(Inspector, RefusesImpossibleLimits) {
  for (const InspectorLimits& limits :
       {InspectorLimits{.flows = 0}, InspectorLimits{.flows = 1U << 24},
        InspectorLimits{.stream_window = 100}, InspectorLimits{.out_of_order_segments = 100'000}}) {
    const auto inspector = Inspector::create(
        0, limits, RuleMemory::create({.host_marks = 1'024, .dataset_values = 1'024}, 1).value());
    ASSERT_FALSE(inspector.has_value());
    EXPECT_EQ(inspector.error().code, ErrorCode::invalid);
  }
}

TEST(Inspector, SessionsHaveACeiling) {
  const auto inspector = make_inspector({.flows = 2});
  const FlowHandle a = inspector->open(flow_info());
  const FlowHandle b = inspector->open(flow_info());
  EXPECT_TRUE(a.valid() && b.valid());
  EXPECT_FALSE(inspector->open(flow_info()).valid());
  EXPECT_EQ(inspector->counters().flow_limit, 1U);
  inspector->close(a);
  inspector->close(a);  // a handle that is gone closes nothing
  EXPECT_EQ(inspector->counters().flows_open, 1U);
  const FlowHandle c = inspector->open(flow_info());
  EXPECT_TRUE(c.valid());
  EXPECT_NE(c.value, a.value);
  EXPECT_FALSE(inspector->open(flow_info()).valid());
  RecordingSink sink;
  EXPECT_EQ(inspector->inspect(a, *compile(""), Packet{}, sink).action, Action::drop_packet);
}

TEST(Inspector, EachPacketWithAMatchAlertsOnce) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile("alert tcp any any -> any any (content:\"evil\"; sid:1;)"), sink);
  session.handshake();
  EXPECT_EQ(session.client(0, "evil"), Action::pass);
  EXPECT_EQ(sink.alerts(), Sids{1});
  EXPECT_EQ(session.client(4, " and evil, evil"), Action::pass);
  EXPECT_EQ(sink.alerts(), (Sids{1, 1}));
  EXPECT_EQ(session.client(19, "more"), Action::pass);
  EXPECT_EQ(sink.alerts(), (Sids{1, 1}));
  session.server(0, "evil");
  EXPECT_EQ(sink.alerts(), (Sids{1, 1, 1}));
  EXPECT_TRUE(sink.events[2].alert.to_client);
}

TEST(Inspector, ARuleIsWatchedInOneSession) {
  const auto memory = RuleMemory::create({.host_marks = 1'024, .dataset_values = 1'024}, 1).value();
  const auto inspector = Inspector::create(0, {.flows = 4}, memory, alerts_and_drops()).value();
  RecordingSink sink;
  const auto rules = compile("alert tcp any any -> any any (content:\"evil\"; content:\"more\"; sid:1;)");
  FlowInfo other_info = flow_info();
  other_info.flow_id = 8;
  Session session(*inspector, rules, sink), other(*inspector, rules, sink, other_info);
  session.handshake();
  other.handshake();
  const uint64_t watch = memory->watch->ask({1, 1}, 7);
  other.client(0, "evil and more");
  EXPECT_EQ(memory->watch->answer(watch)->packets, 0U);
  session.client(0, "nothing");
  auto seen = *memory->watch->answer(watch);
  EXPECT_EQ(seen.packets, 1U);
  EXPECT_EQ(seen.fired, 0U);
  ASSERT_TRUE(seen.furthest);
  EXPECT_EQ(seen.furthest->at, RuleStep::At::literal);
  EXPECT_EQ(seen.furthest->bytes, 7U);
  session.client(7, "evil and more");
  seen = *memory->watch->answer(watch);
  EXPECT_EQ(seen.packets, 2U);
  EXPECT_EQ(seen.fired, 1U);
  EXPECT_EQ(seen.furthest->at, RuleStep::At::fired);
  EXPECT_EQ(sink.alerts(), (Sids{1, 1}));  // nothing else is judged otherwise for it

  memory->watch->end(watch);
  session.client(20, "evil and more");
  EXPECT_FALSE(memory->watch->answer(watch));
  EXPECT_EQ(sink.alerts(), (Sids{1, 1, 1}));
}

TEST(Inspector, DropEndsTheSessionInBothDirections) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(
      *inspector,
      compile(
          "drop tcp any any -> any 80 (msg:\"no\"; content:\"evil\"; classtype:misc-attack; sid:5; rev:2;)"),
      sink);
  session.handshake();
  EXPECT_EQ(session.client(0, "ev"), Action::pass);
  EXPECT_EQ(session.client(2, "il"), Action::drop_session);
  EXPECT_EQ(session.last_sid, 5U);
  EXPECT_EQ(session.server(0, "answer"), Action::drop_session);
  EXPECT_EQ(session.client(4, ""), Action::drop_session);
  EXPECT_EQ(session.last_sid, 5U);
  ASSERT_EQ(sink.events.size(), 2U);
  const Event &alert = sink.events[0], &drop = sink.events[1];
  EXPECT_EQ(alert.kind, EventKind::alert);
  EXPECT_TRUE(alert.alert.blocked);
  EXPECT_EQ(alert.alert.signature.view(), "no");
  EXPECT_EQ(alert.alert.category.view(), "Misc Attack");
  EXPECT_EQ(alert.alert.priority, 2U);
  EXPECT_EQ(alert.alert.rev, 2U);
  EXPECT_EQ(alert.flow.flow_id, 7U);
  EXPECT_EQ(drop.kind, EventKind::drop);
  EXPECT_EQ(drop.drop_reason.view(), "rules");
  EXPECT_EQ(drop.packet_length, 42U) << "headers and payload";
  EXPECT_EQ(inspector->counters().drops, 1U);
}

TEST(Inspector, HeaderDecides) {
  struct Row {
    const char* rule;
    uint8_t protocol;
    Sids client, server;  // alerts by one packet each way
  };
  const Row rows[] = {
      {"alert udp any any -> any 80 (sid:1;)", 17, {1}, {}},
      {"alert udp any any <> any 80 (sid:1;)", 17, {1}, {1}},
      {"alert udp 10.2.0.0/16 80 -> any any (sid:1;)", 17, {}, {1}},
      {"alert udp any any -> any any (flow:to_client; sid:1;)", 17, {}, {1}},
      {"alert udp any any -> any any (flow:established; sid:1;)", 17, {}, {1}},
      {"alert udp any any -> any any (flow:not_established; sid:1;)", 17, {1}, {}},
      {"alert tcp any any -> any any (sid:1;)", 17, {}, {}},
      {"alert ip any any -> any any (sid:1;)", 17, {1}, {1}},
      {"alert ip any any -> any any (content:\"x\"; sid:1;)", 17, {1}, {1}},
      {"alert udp any any -> any any (content:!\"y\"; sid:1;)", 17, {1}, {1}},
      {"alert udp any any -> any any (content:!\"x\"; sid:1;)", 17, {}, {}},
      {"alert icmp any any -> any any (sid:1;)", 1, {1}, {1}},
      {"alert icmp any any -> any any (content:\"x\"; sid:1;)", 58, {1}, {1}},
      {"alert icmp any any -> any any (sid:1;)", 47, {}, {}},
      {"alert ip any 40000 -> any any (sid:1;)", 1, {}, {}},
  };
  const auto inspector = make_inspector();
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    RecordingSink sink;
    Session session(*inspector, compile(row.rule), sink, flow_info(row.protocol));
    session.client(0, "x");
    EXPECT_EQ(sink.alerts(), row.client);
    sink.clear();
    session.server(0, "x");
    EXPECT_EQ(sink.alerts(), row.server);
  }
}

TEST(Inspector, DatagramsAlertEachAndDrop) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  const auto ruleset = compile(
      "alert udp any any -> any any (content:\"bad\"; sid:1;)\ndrop udp any any -> any any "
      "(content:\"worse\"; sid:2;)");
  Session session(*inspector, ruleset, sink, flow_info(17));
  EXPECT_EQ(session.client(0, "bad"), Action::pass);
  EXPECT_EQ(session.client(0, "bad"), Action::pass);
  EXPECT_EQ(session.client(0, "ba"), Action::pass);
  EXPECT_EQ(session.client(0, "d"), Action::pass);  // each datagram by itself
  EXPECT_EQ(sink.alerts(), (Sids{1, 1}));
  EXPECT_EQ(session.client(0, "worse than bad"), Action::drop_session);
  EXPECT_EQ(sink.alerts(), (Sids{1, 1, 2, 1}));
}

TEST(Inspector, EstablishedNeedsTheHandshake) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  const auto ruleset =
      compile("alert tcp any any -> any any (flow:established,to_server; content:\"x\"; sid:1;)");
  Session session(*inspector, ruleset, sink);
  EXPECT_EQ(session.send(Direction::to_server, UINT32_MAX, "x", 0, kSyn), Action::drop_packet);
  EXPECT_EQ(sink.alerts(), Sids{});
  sink.clear();
  EXPECT_EQ(session.raw(Direction::to_client, 9000, 1001, kSyn | kAck, ""), Action::pass);
  EXPECT_EQ(session.client(0, "x"), Action::pass);
  EXPECT_EQ(sink.alerts(), Sids{1});
}

const char* const kNoEvil = "drop tcp any any -> any any (content:\"evil\"; sid:1;)";

TEST(Inspector, NoDataBeforeTheHandshakeIsComplete) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile(kNoEvil), sink);
  session.raw(Direction::to_server, 1000, 0, kSyn, "");
  EXPECT_EQ(session.client(0, "hello"), Action::drop_packet);
  EXPECT_EQ(session.server(0, "hello"), Action::drop_packet);
  session.raw(Direction::to_client, 9000, 1001, kSyn | kAck, "");
  EXPECT_EQ(session.server(0, "hello"), Action::drop_packet);
  session.raw(Direction::to_server, 1001, 8001, kAck, "");  // not of that SYN-ACK
  EXPECT_EQ(session.server(0, "hello"), Action::drop_packet);
  EXPECT_EQ(inspector->counters().segment_conflicts, 4U);
  session.client(0, "");
  EXPECT_EQ(session.server(0, "hello"), Action::pass);
  EXPECT_EQ(session.client(0, "hello"), Action::pass);
}

TEST(Inspector, SynWithDataDoesNotPinTheBeginning) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile(kNoEvil), sink);
  session.raw(Direction::to_server, 500'000, 0, kSyn, "decoy");
  session.raw(Direction::to_server, 500'001, 0, kAck, "decoy");
  session.handshake();
  EXPECT_EQ(session.client(0, "evil"), Action::drop_session);
}

TEST(Inspector, SynAfterResetWhoseHandshakeNeverEndsCarriesNoData) {
  const auto inspector = make_inspector();
  const auto ruleset = compile(kNoEvil);
  RecordingSink sink;
  {
    Session first(*inspector, ruleset, sink);
    first.handshake();
    first.send(Direction::to_server, 0, "", 0, kRst | kAck);
  }
  Session again(*inspector, ruleset, sink);           // while the server still has the first connection
  again.raw(Direction::to_server, 500, 0, kSyn, "");  // so that what follows lies behind a gap
  EXPECT_EQ(again.client(0, "ev"), Action::drop_packet);
  EXPECT_EQ(again.client(2, "il"), Action::drop_packet);
}

TEST(Inspector, NewSynAckBeginsTheStreamsAnew) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile(kNoEvil), sink);
  session.handshake();
  EXPECT_EQ(session.client(0, "good"), Action::pass);
  session.server(0, "", 4);
  session.send(Direction::to_server, 4, "", 0, kRst | kAck);
  session.start_at(1000, 77'000);  // the same beginning, but the server's is another
  session.handshake();
  EXPECT_EQ(session.client(0, "evil"), Action::drop_session);

  Session moved(*inspector, compile(kNoEvil), sink);
  moved.handshake();
  moved.start_at(900'000, 9000);  // the first one was given up before any data
  moved.handshake();
  EXPECT_EQ(moved.client(0, "evil"), Action::drop_session);
}

TEST(Inspector, DataWithoutAckIsNotSent) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile(kNoEvil), sink);
  session.handshake();
  EXPECT_EQ(session.send(Direction::to_server, 0, "good", 0, 0), Action::drop_packet);
  EXPECT_EQ(session.client(0, "evil"), Action::drop_session);  // and was not taken for what the server reads
}

TEST(Inspector, ReceiverWithBytesBehindAGapEndsTheSession) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile(kNoEvil), sink);
  session.handshake();
  EXPECT_EQ(session.client(4, "evil"), Action::pass);  // recorded
  EXPECT_EQ(session.server(0, "", 0), Action::pass);
  EXPECT_EQ(session.server(0, "", 8), Action::drop_session);
  EXPECT_EQ(session.client(8, "x"), Action::drop_session);
  EXPECT_EQ(inspector->counters().segment_conflicts, 1U);
  EXPECT_EQ(session.last_sid, 0U);
}

TEST(Inspector, GapBeforeThePickUpIsLeftOut) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile(kNoEvil), sink);
  EXPECT_EQ(session.client(500, "again"), Action::pass);
  EXPECT_EQ(session.client(600, "first e"), Action::pass);  // recorded
  EXPECT_EQ(session.server(0, "", 607), Action::pass);
  EXPECT_EQ(session.client(607, "vil"), Action::drop_session);
  Session late(*inspector, compile(kNoEvil), sink);
  late.client(500, "again");
  EXPECT_EQ(late.client(600, "evil"), Action::pass);
  EXPECT_EQ(late.server(0, "", 604), Action::drop_session);
  EXPECT_EQ(late.last_sid, 1U);
  ASSERT_FALSE(sink.events.empty());
  EXPECT_TRUE(sink.events.back().turned) << "the packet that was not sent";
  EXPECT_FALSE(sink.events.at(sink.events.size() - 2).alert.to_client) << "whose bytes matched";
}

TEST(Inspector, RuleThatAlertedDropsAfterAChangeOfRules) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile("alert tcp any any -> any any (content:\"evil\"; sid:1;)"), sink);
  session.handshake();
  EXPECT_EQ(session.client(0, "evil"), Action::pass);
  session.use(compile(kNoEvil));
  EXPECT_EQ(session.client(4, "evil"), Action::drop_session);
  EXPECT_EQ(sink.alerts(), (Sids{1, 1}));
  EXPECT_EQ(sink.count(EventKind::drop), 1U);
}

TEST(Inspector, RulesSeeTheLastWindowOfAStream) {
  constexpr uint32_t kWindow = 1'024;
  const auto ruleset =
      compile("alert tcp any any -> any any (content:\"begin\"; content:\"final\"; distance:0; sid:1;)");
  // Also while what is not seen any more still lies in memory, and when it has been dropped several times.
  for (const size_t between : {0U, 900U, 1'000U, 1'100U, 1'400U, 1'500U, 1'700U, 2'600U, 4'000U}) {
    const auto inspector = make_inspector({.flows = 1, .stream_window = kWindow});
    RecordingSink sink;
    Session session(*inspector, ruleset, sink);
    session.handshake();
    session.client(0, "begin");
    uint32_t at = 5;
    for (; at < 5 + between; at += 100) session.client(at, std::string(100, 'x'));
    session.client(at, "final");
    EXPECT_EQ(sink.alerts(), at <= kWindow ? Sids{1} : Sids{}) << between;
  }
}

TEST(Inspector, PicksUpInTheMiddle) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  const auto ruleset = compile(
      "alert tcp any any -> any any (flow:established; content:\"evil\"; sid:1;)\n"
      "alert http any any -> any any (http.uri; content:\"/late\"; sid:2;)");
  Session session(*inspector, ruleset, sink);
  session.client(500, "rest of a body ev");
  EXPECT_EQ(session.client(480, "older bytes"), Action::pass);
  session.client(517, "il\r\nGET /late HTTP/1.1\r\n");
  EXPECT_EQ(sink.alerts(), Sids{1});  // where requests begin nobody knows
  RecordingSink other;
  Session before(*inspector, ruleset, other);
  before.client(500, "x");
  before.client(480, "evil");  // before the pick-up: by itself
  EXPECT_EQ(other.alerts(), Sids{1});
}

TEST(Inspector, SegmentsThatCannotBeRecordedAreNotSent) {
  const auto inspector = make_inspector({.flows = 1, .out_of_order_segments = 2});
  RecordingSink sink;
  Session session(*inspector, compile("drop tcp any any -> any any (content:\"evil\"; sid:1;)"), sink);
  session.handshake();
  const std::string full(1'460, 'a');
  EXPECT_EQ(session.client(10, full), Action::pass);
  EXPECT_EQ(session.client(1'480, full), Action::pass);
  EXPECT_EQ(session.client(2'950, full), Action::drop_packet);
  EXPECT_EQ(inspector->counters().segment_limit, 1U);
  EXPECT_EQ(session.client(0, "0123456789"), Action::pass);  // gives room again
  EXPECT_EQ(session.client(2'950, full), Action::pass);
}

TEST(Inspector, ClosedSessionsGiveTheirSegmentsBack) {
  const auto inspector = make_inspector({.flows = 1, .out_of_order_segments = 1});
  const auto ruleset = compile("");
  for (int i = 0; i < 20; ++i) {
    RecordingSink sink;
    Session session(*inspector, ruleset, sink);
    ASSERT_TRUE(session.opened());
    session.handshake();
    EXPECT_EQ(session.client(10, "a"), Action::pass);
    EXPECT_EQ(session.server(10, "a"), Action::pass);
  }
}

TEST(Inspector, ContradictionsAreNotSent) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile("drop tcp any any -> any any (content:\"evil\"; sid:1;)"), sink);
  session.handshake();
  EXPECT_EQ(session.client(0, "good"), Action::pass);
  EXPECT_EQ(session.client(0, "evil"), Action::drop_packet);
  EXPECT_EQ(session.client(0, "good"), Action::pass);
  EXPECT_EQ(session.client(6, "zz"), Action::pass);
  EXPECT_EQ(session.client(4, "evil"), Action::drop_packet);
  EXPECT_EQ(inspector->counters().segment_conflicts, 2U);
  EXPECT_TRUE(sink.events.empty());
}

TEST(Inspector, KeepAliveAndFinAndResetPass) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile("drop tcp any any -> any any (content:\"evil\"; sid:1;)"), sink);
  session.handshake();
  EXPECT_EQ(session.client(0, "abc"), Action::pass);
  EXPECT_EQ(session.server(0, "", 3), Action::pass);
  session.mends = true;
  EXPECT_EQ(session.client(2, std::string_view("\0", 1)), Action::pass);
  EXPECT_EQ(inspector->counters().rewritten, 1U);
  EXPECT_EQ(session.client(2, ""), Action::pass);
  EXPECT_EQ(session.send(Direction::to_server, 3, "end", 0, kAck | kFin), Action::pass);
  EXPECT_EQ(session.send(Direction::to_client, 0, "", 7, kRst), Action::pass);
  EXPECT_EQ(session.send(Direction::to_client, 0, "evil", 7, kRst), Action::drop_session);
}

TEST(Inspector, ForgedResetHidesNothing) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile("drop tcp any any -> any any (content:\"evil\"; sid:1;)"), sink);
  session.handshake();
  session.client(0, "ev");
  session.send(Direction::to_server, 50'000, "", 0, kRst);
  session.send(Direction::to_server, 49'999, "", 0, kSyn);
  EXPECT_EQ(session.client(2, "il"), Action::drop_session);
}

TEST(Inspector, NewRulesetHoldsForTheRestOfTheSession) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile("alert tcp any any -> any any (content:\"first\"; sid:1;)"), sink);
  session.handshake();
  session.client(0, "first sec");
  session.use(
      compile("alert tcp any any -> any any (content:\"first\"; sid:1;)\n"
              "drop tcp any any -> any any (content:\"second\"; sid:2;)"));
  EXPECT_EQ(session.client(9, "ond"), Action::drop_session);
  EXPECT_EQ(sink.alerts(), (Sids{1, 2}));  // 1 is not told twice; 2 began under the old ruleset
}

TEST(Inspector, HttpRulesAlertOncePerRequest) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  const auto ruleset = compile(
      "alert http any any -> any any (http.uri; content:\"/bad path\"; sid:1;)\n"
      "alert http any any -> any any (http.method; content:\"POST\"; http.user_agent; content:\"curl\"; "
      "sid:2;)\n"
      "alert http any any -> any any (http.uri; bsize:2; content:\"/\"; sid:3;)\n"
      "alert http any any -> any any (flow:to_server; http.header; content:\"X-A|3a| b\"; sid:4;)\n"
      "alert http any any -> any any (content:\"HTTP/1.1 500\"; flow:to_client; sid:5;)");
  Session session(*inspector, ruleset, sink);
  session.handshake();
  const std::string first =
      "GET /bad%20path HTTP/1.1\r\nHost: Example.org:80\r\n\r\nGET /x/bad%20path HTTP/1.1\r\nX-A: b\r\n\r\n";
  session.client(0, first);
  EXPECT_EQ(sink.alerts(), (Sids{1, 1, 4}));
  EXPECT_EQ(sink.text(0, Field::http_method), "GET");
  EXPECT_EQ(sink.text(0, Field::http_url), "/bad%20path");
  EXPECT_EQ(sink.text(2, Field::http_url), "/x/bad%20path");
  EXPECT_EQ(sink.events[0].tx_id, 0u);
  EXPECT_EQ(sink.events[2].tx_id, 1u);
  sink.clear();
  session.client(static_cast<uint32_t>(first.size()),
                 "POST /a HTTP/1.1\r\nHost: Example.org:80\r\nUser-Agent: curl/8\r\n\r\n");
  EXPECT_EQ(sink.alerts(), (Sids{2, 3}));
  EXPECT_EQ(sink.text(1, Field::http_hostname), "example.org");
  session.server(0, "HTTP/1.1 500 no\r\n\r\n");
  EXPECT_EQ(sink.alerts(), (Sids{2, 3, 5}));
}

TEST(Inspector, FalseLengthInDoubtHidesNoRequest) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector,
                  compile("drop http any any -> any any (http.uri; content:\"/etc/passwd\"; sid:1;)"), sink);
  session.handshake();
  const std::string body = "POST /b HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n";
  const std::string first =
      "POST /a HTTP/1.1\r\nUpgrade: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  EXPECT_EQ(session.client(0, first), Action::pass);
  EXPECT_EQ(session.client(static_cast<uint32_t>(first.size()), "GET /etc/passwd HTTP/1.1\r\n\r\n"),
            Action::drop_session);
}

TEST(Inspector, WhatCannotBeScannedIsNotSent) {
  const auto inspector = make_inspector({.flows = 2}, 3);  // the ruleset has scratch for one worker only
  RecordingSink sink;
  const auto ruleset = compile("alert tcp any any -> any any (content:\"x\"; sid:1;)", 1);
  Session session(*inspector, ruleset, sink);
  EXPECT_EQ(session.client(0, "x"), Action::drop_packet);
  EXPECT_EQ(inspector->counters().scan_errors, 1U);
}

/// Takes the scratch away for one packet: Hyperscan then returns HS_INVALID.
TEST(Inspector, HyperscanErrorIsCountedAndThePacketJudgedWhenItComesAgain) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  const auto ruleset = compile("drop tcp any any -> any any (content:\"evil\"; sid:1;)");
  Session session(*inspector, ruleset, sink);
  session.handshake();
  session.client(0, "ev");
  ScratchPtr& scratch = ruleset->profile().ruleset().scratch(0)->hyperscan;
  const ScratchPtr kept = std::move(scratch);
  EXPECT_EQ(session.client(2, "il"), Action::drop_packet);
  EXPECT_EQ(inspector->counters().scan_errors, 1U);
  hs_scratch_t* clone = nullptr;
  ASSERT_EQ(hs_clone_scratch(kept.get(), &clone), HS_SUCCESS);
  scratch.reset(clone);
  EXPECT_EQ(session.client(2, "il"), Action::drop_session);
}

TEST(Inspector, FullSinkIsCountedAndStillDrops) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  sink.room = 0;
  Session session(*inspector, compile("drop tcp any any -> any any (content:\"evil\"; sid:1;)"), sink);
  session.handshake();
  EXPECT_EQ(session.client(0, "evil"), Action::drop_session);
  EXPECT_EQ(inspector->counters().events_lost, 2U);
}

TEST(Inspector, AlertsOfOnePacketAreBoundedButDropsAreNot) {
  std::string rules;
  for (int i = 1; i <= 40; ++i) {
    rules += "alert tcp any any -> any any (content:\"evil\"; sid:" + std::to_string(i) + ";)\n";
  }
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile(rules + "drop tcp any any -> any any (content:\"worse\"; sid:99;)"),
                  sink);
  session.handshake();
  EXPECT_EQ(session.client(0, "evil"), Action::pass);
  EXPECT_EQ(sink.alerts().size(), 15U);
  EXPECT_EQ(session.client(4, "worse"), Action::drop_session);
  EXPECT_EQ(sink.alerts().back(), 99U);
}

/// What must not be there is known not to be there when nothing follows.
TEST(Inspector, WhatOnlyTheEndOfASessionDecides) {
  struct Row {
    const char* rule;
    const char* request;
    Sids at_end;
  };
  const Row rows[] = {
      {"alert http any any -> any any (http.request_body; content:!\"x\"; sid:1;)",
       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
       {1}},
      {"alert http any any -> any any (http.request_body; content:!\"b\"; sid:1;)",
       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
       {}},
      {"alert http any any -> any any (http.request_body; content:\"abc\"; endswith; sid:1;)",
       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
       {1}},
      {"drop http any any -> any any (http.request_body; bsize:3; sid:1;)",
       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
       {1}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    for (const InspectMode mode : {InspectMode::ids, InspectMode::test, InspectMode::ips}) {
      const auto inspector = make_inspector();
      RecordingSink sink;
      ProfileSpec spec;
      spec.settings = hub_settings(mode);
      Session session(*inspector, compile(row.rule, 1, spec), sink);
      session.handshake();
      EXPECT_EQ(session.client(0, row.request), Action::pass);
      session.server(0, "", static_cast<uint32_t>(std::strlen(row.request)));
      EXPECT_EQ(sink.alerts(), Sids{});
      session.end();
      EXPECT_EQ(sink.alerts(), row.at_end);
      session.end();
      EXPECT_EQ(sink.alerts(), row.at_end) << "once";
      EXPECT_EQ(sink.count(EventKind::drop), 0U) << "there is no packet";
    }
  }
}

TEST(Inspector, ASessionThatBeginsAnewEndsFirst) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector,
                  compile("alert http any any -> any any (http.request_body; content:!\"x\"; sid:1;)"), sink);
  session.handshake();
  session.client(0, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
  session.send(Direction::to_client, 0, "", 57, kRst | kAck);
  session.start_at(70'000, 80'000);
  session.handshake();
  EXPECT_EQ(sink.alerts(), Sids{1});
}

TEST(Inspector, PacketsAreCountedWhole) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile("alert udp any any -> any any (flow.bytes_toserver:=33; sid:1;)"), sink,
                  flow_info(17));
  session.client(0, "12345");  // 20 of IP, 8 of UDP
  EXPECT_EQ(sink.alerts(), Sids{1});
}

}  // namespace
}  // namespace weir::inspection::test
