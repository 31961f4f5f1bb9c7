// The life of sessions: limits, time-outs by state, the record at the end, tuples used again.
#include <gtest/gtest.h>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::DropReason;
using inspection::FlowEnd;

Counts ended(int64_t sessions) { return {{"sessions_expired", sessions}, {"sessions_live", -sessions}}; }

TEST(Sessions, TableFull) {
  TestHub hub(network().build(), {.sessions = 4});
  for (uint16_t i = 0; i < 4; ++i) EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(i))).size(), 1u);
  EXPECT_EQ(hub.moved(), started(4));
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(4))).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::session_table_full));
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(3))).size(), 1u) << "those that are there go on";
  EXPECT_EQ(hub.moved(), forwarded());
  hub.pass_seconds(61);
  hub.settle();
  EXPECT_EQ(hub.moved(), ended(4));
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(4))).size(), 1u);
  EXPECT_EQ(hub.moved(), started());
}

struct Segment {
  bool forward;
  uint8_t flags;
};

struct LifeRow {
  const char* name;
  std::vector<Segment> segments;  // empty: see `transport`
  double timeout_seconds;         // as in SnapshotBuilder
  FlowEnd end;
  Transport there = nullptr, back = nullptr;
};

const std::vector<Segment> kHandshake = {{true, kSyn}, {false, kSyn | kAck}, {true, kAck}};

std::vector<Segment> after_handshake(std::vector<Segment> more) {
  std::vector<Segment> all = kHandshake;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

const LifeRow kLives[] = {
    {"SYN", {{true, kSyn}}, 10, FlowEnd::timeout},
    {"SYN, SYN+ACK", {{true, kSyn}, {false, kSyn | kAck}}, 10, FlowEnd::timeout},
    {"established", kHandshake, 3'600, FlowEnd::timeout},
    {"FIN of the initiator", after_handshake({{true, kFin | kAck}}), 30, FlowEnd::timeout},
    {"FIN of the responder", after_handshake({{false, kFin | kAck}}), 30, FlowEnd::timeout},
    {"FIN of both", after_handshake({{true, kFin | kAck}, {false, kFin | kAck}, {true, kAck}}), 30,
     FlowEnd::closed},
    {"RST of the responder", {{true, kSyn}, {false, kRst | kAck}}, 30, FlowEnd::reset},
    {"RST when established", after_handshake({{true, kRst}}), 30, FlowEnd::reset},
    {"UDP", {}, 60, FlowEnd::timeout, udp(1, 2), udp(2, 1)},
    {"echo", {}, 15, FlowEnd::timeout, echo(5, 1), echo(5, 1, true)},
    {"another protocol",
     {},
     120,
     FlowEnd::timeout,
     [](PacketBuilder& b) { b.type(47).filler(8); },
     [](PacketBuilder& b) { b.type(47).filler(8); }},
};

/// Sends the row's packets, numbered as the ends would. Returns how many.
int64_t play(TestHub& hub, const LifeRow& row) {
  std::vector<Bytes> frames;
  uint32_t there = 100, back = 200;  // what each end sends next
  for (const Segment& segment : row.segments) {
    frames.push_back(segment.forward ? from_spoke(kA, kB, tcp(segment.flags, there, back))
                                     : from_spoke(kB, kA, tcp(segment.flags, back, there, "", 80, 1000)));
    (segment.forward ? there : back) += (segment.flags & (kSyn | kFin)) != 0;
  }
  if (row.there) frames = {from_spoke(kA, kB, row.there), from_spoke(kB, kA, row.back)};
  for (const Bytes& frame : frames) EXPECT_EQ(hub.pass_through(frame).size(), 1u);
  return static_cast<int64_t>(frames.size());
}

TEST(Sessions, IdleTimeOutByStateAndProtocol) {
  for (const LifeRow& row : kLives) {
    SCOPED_TRACE(row.name);
    TestHub hub(network().build(), {.flow_events = true});
    const int64_t packets = play(hub, row);
    EXPECT_EQ(hub.moved(), forwarded(packets) + Counts({{"sessions_created", 1}, {"sessions_live", 1}}));
    hub.pass_seconds(row.timeout_seconds - 1);
    hub.settle();
    EXPECT_EQ(hub.moved(), Counts()) << "not a second too early";
    hub.pass_seconds(1.3);  // a tick is 134 ms, and a time-out is rounded up
    hub.settle();
    EXPECT_EQ(hub.moved(), ended(1));
    const auto events = hub.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].flow_stats.end, row.end);
  }
}

TEST(Sessions, APacketKeepsASessionAlive) {
  TestHub hub(network().build());
  hub.pass_through(from_spoke(kA, kB, udp()));
  for (int i = 0; i < 10; ++i) {
    hub.pass_seconds(50);
    EXPECT_EQ(hub.pass_through(from_spoke(kB, kA, udp(2000, 1000))).size(), 1u) << i;
  }
  EXPECT_EQ(hub.moved(), started() + forwarded(10));
}

TEST(Sessions, TheRecordAtTheEnd) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    TestHub hub(network().build(), {.flow_events = true});
    const auto start = hub.now();
    const uint64_t header = ip == Ip::v4 ? 28 : 48;
    for (int i = 0; i < 3; ++i) hub.pass_through(from_spoke(kA, kB, udp(1000, 2000, "12345"), ip));
    for (int i = 0; i < 2; ++i) hub.pass_through(from_spoke(kB, kA, udp(2000, 1000, "123"), ip));
    hub.pass_seconds(61);
    hub.settle();
    const auto events = hub.events();
    ASSERT_EQ(events.size(), 1u);
    const inspection::Event& event = events[0];
    EXPECT_EQ(event.kind, inspection::EventKind::flow);
    EXPECT_EQ(event.time_ns, hub.now());
    EXPECT_EQ(net::to_string(event.flow.src), host_of(kA, ip));
    EXPECT_EQ(net::to_string(event.flow.dst), host_of(kB, ip));
    EXPECT_EQ(event.flow.src_port, 1000);
    EXPECT_EQ(event.flow.dst_port, 2000);
    EXPECT_EQ(event.flow.protocol, 17);
    EXPECT_EQ(event.flow.start_ns, start);
    EXPECT_EQ(event.flow.from_domain.view(), "red");
    EXPECT_EQ(event.flow.to_domain.view(), "blue");
    EXPECT_EQ(event.flow.policy_rule.view(), "red-to-blue");
    EXPECT_EQ(event.flow_stats.packets_to_server, 3u);
    EXPECT_EQ(event.flow_stats.packets_to_client, 2u);
    EXPECT_EQ(event.flow_stats.bytes_to_server, 3 * (header + 5));
    EXPECT_EQ(event.flow_stats.bytes_to_client, 2 * (header + 3));
    EXPECT_EQ(event.flow_stats.end, FlowEnd::timeout);
    EXPECT_FALSE(event.flow_stats.alerted);
  }
}

TEST(Sessions, ARecordOfIcmpHasItsType) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    TestHub hub(network().build(), {.flow_events = true});
    hub.pass_through(from_spoke(kA, kB, echo(0x1234), ip));
    hub.pass_through(from_spoke(kB, kA, echo(0x1234, 1, true), ip));
    hub.pass_seconds(16);
    hub.settle();
    const auto events = hub.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].flow.src_port, ip == Ip::v4 ? 8 : 128);
    EXPECT_EQ(events[0].flow.dst_port, 0);
  }
}

TEST(Sessions, RecordsOfASessionThatLasts) {
  const uint32_t minute = dataplane::Tick::duration(60 * dataplane::kNanosPerSecond);
  TestHub hub(network().build(), {.flow_events = true, .flow_interval = minute});
  const auto speak = [&] {
    hub.pass_through(from_spoke(kA, kB, udp()));
    hub.pass_through(from_spoke(kB, kA, udp(2000, 1000)));
  };
  speak();
  for (uint64_t records = 1; records <= 5; ++records) {
    hub.pass_seconds(40);
    speak();
    hub.settle();
    EXPECT_TRUE(hub.events().empty()) << "not yet";
    hub.pass_seconds(20.3);
    hub.settle();
    const auto events = hub.events();
    ASSERT_EQ(events.size(), 1u) << records;
    EXPECT_EQ(events[0].flow_stats.end, FlowEnd::none);
    EXPECT_EQ(events[0].flow_stats.packets_to_server, records + 1) << "until now";
    EXPECT_EQ(events[0].flow_stats.end_ns, hub.now());
    EXPECT_EQ(events[0].flow.policy_rule.view(), "red-to-blue");
  }
  hub.pass_seconds(61);
  hub.settle();
  const auto events = hub.events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].flow_stats.end, FlowEnd::timeout);
}

TEST(Sessions, RecordsGoOnWhileATcpSessionIsIdle) {
  const uint32_t interval =
      dataplane::Tick::duration(600 * dataplane::kNanosPerSecond);  // longer than the wheel
  TestHub hub(network().build(), {.flow_events = true, .flow_interval = interval});
  play(hub, {"", kHandshake, 0, FlowEnd::timeout});
  size_t records = 0, ends = 0;
  for (int minute = 0; minute < 61; ++minute) {
    hub.pass_seconds(60);
    hub.settle();
    for (const auto& event : hub.events()) (event.flow_stats.end == FlowEnd::none ? records : ends) += 1;
  }
  EXPECT_EQ(records, 5u);
  EXPECT_EQ(ends, 1u) << "after an hour, in place of the sixth";
}

TEST(Sessions, TcpFlagsOfEachDirectionAreInTheRecord) {
  TestHub hub(network().build(), {.flow_events = true});
  play(hub, {"", after_handshake({{true, kFin | kAck}, {false, kRst}}), 0, FlowEnd::reset});
  hub.pass_seconds(31);
  hub.settle();
  const auto events = hub.events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].flow_stats.tcp_flags_to_server, kSyn | kAck | kFin);
  EXPECT_EQ(events[0].flow_stats.tcp_flags_to_client, kSyn | kAck | kRst);
}

TEST(Sessions, ASynOnAClosedConversationStartsANewOne) {
  const std::pair<std::vector<Segment>, FlowEnd> closings[] = {
      {after_handshake({{true, kFin | kAck}, {false, kFin | kAck}, {true, kAck}}), FlowEnd::closed},
      {after_handshake({{false, kRst}}), FlowEnd::reset},
  };
  for (const auto& [segments, end] : closings) {
    TestHub hub(network().build(), {.flow_events = true});
    play(hub, {"", segments, 0, end});
    hub.moved();
    expect_forwarded(hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 9'000))), kA, kB, tcp(kSyn, 9'000));
    EXPECT_EQ(hub.moved(), started() + ended(1));
    const auto events = hub.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].flow_stats.end, end);
    EXPECT_EQ(hub.pass_through(from_spoke(kB, kA, tcp(kSyn | kAck, 1, 9'001, "", 80, 1000))).size(), 1u);
    EXPECT_EQ(hub.moved(), forwarded());
  }
}

TEST(Sessions, ASynInALiveConversationStartsNothing) {
  TestHub hub(network().build());
  play(hub, {"", kHandshake, 0, FlowEnd::timeout});
  hub.moved();
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 9'000))).size(), 1u);
  EXPECT_EQ(hub.moved(), forwarded() + Counts({{"tcp_ignored", 1}}));
}

TEST(Sessions, ASynFromTheResponderOfAClosedConversationNeedsARuleOfItsOwn) {
  TestHub hub(network().build());
  play(hub, {"", after_handshake({{true, kRst}}), 0, FlowEnd::reset});
  hub.moved();
  EXPECT_TRUE(hub.pass_through(from_spoke(kB, kA, tcp(kSyn, 1, 0, "", 80, 1000))).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::policy_default_deny) + ended(1));
}

TEST(Sessions, FullEventRingCountsWhatIsLost) {
  TestHub hub(network().build(), {.event_queue = 2, .flow_events = true});
  for (uint16_t i = 0; i < 5; ++i) hub.pass_through(from_spoke(kA, kB, udp(i)));
  hub.pass_seconds(61);
  hub.settle();
  EXPECT_EQ(hub.events().size(), 2u);
  EXPECT_EQ(hub.moved(), started(5) + ended(5) + Counts({{"events_lost", 3}}));
}

TEST(Sessions, Listing) {
  TestHub hub(network().build());
  for (uint16_t i = 0; i < 5; ++i) hub.pass_through(from_spoke(kA, kB, udp(1'000, i)));
  hub.pass_through(from_spoke(kB, kA, udp(4, 1'000)));
  for (const size_t max : {size_t{10}, size_t{3}}) {
    bool done = false;
    std::vector<dataplane::SessionRow> rows;
    hub.plane().list_sessions(max, [&](std::vector<dataplane::SessionRow> got) {
      rows = std::move(got);
      done = true;
    });
    hub.settle_until(done);
    ASSERT_EQ(rows.size(), std::min<size_t>(max, 5));
    for (const auto& row : rows) {
      EXPECT_EQ(net::to_string(row.tuple.src), kA.host4);
      EXPECT_EQ(row.packets[0], 1u);
      EXPECT_EQ(row.packets[1], row.tuple.dst_port == 4 ? 1u : 0u);
      EXPECT_EQ(row.bytes[0], 33u);
    }
  }
}

TEST(Sessions, TotalsGoOnWhereTheirLowPartsWrap) {
  constexpr uint64_t kAnswers = 65'536;  // so many that the low part says none
  TestHub hub(network().build());
  hub.pass_through(from_spoke(kA, kB, udp(1'000, 80)));
  for (uint64_t i = 1; i <= kAnswers; ++i) {
    hub.inject(from_spoke(kB, kA, udp(80, 1'000)));
    if (i % 32 != 0) continue;
    hub.settle();
    hub.port().collect();
  }
  std::vector<dataplane::SessionRow> rows;
  bool done = false;
  hub.plane().list_sessions(2, [&](std::vector<dataplane::SessionRow> got) {
    rows = std::move(got);
    done = true;
  });
  hub.settle_until(done);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].packets[0], 1u);
  EXPECT_EQ(rows[0].packets[1], kAnswers);
  EXPECT_EQ(rows[0].bytes[1], kAnswers * rows[0].bytes[0]);
  hub.moved();
  hub.pass_seconds(45);  // longer than it would last unanswered
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(1'000, 80))).size(), 1u);
  EXPECT_EQ(hub.moved(), forwarded());
}

TEST(Sessions, WhatStillComesByAnAttachmentThatIsDownPasses) {
  SnapshotBuilder b = network();
  b.route("red", "172.16.0.0/12", "a", kA.host4).route("red", "172.16.0.0/12", "d", kD.host4);
  TestHub hub(b.build());
  const auto there = [] {
    PacketBuilder p;
    p.ether(kA.hub_mac, kA.host_mac).ipv4("172.16.0.1", kB.host4).udp(1000, 2000);
    return tunnelled(kA, p.build());
  };
  EXPECT_EQ(hub.pass_through(there()).size(), 1u);
  const auto a = b.attachment_id("a");
  b.board().set_usable(a, false);  // and its next hops go, as control does it
  b.adjacencies().remove(b.adjacencies().find(a, *net::parse_ip(kA.host4)));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(hub.pass_through(there()).size(), 1u);
  PacketBuilder back;
  back.ether(kB.hub_mac, kB.host_mac).ipv4(kB.host4, "172.16.0.1").udp(2000, 1000);
  const auto got = hub.pass_through(tunnelled(kB, back.build()));
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(vni_of(got[0]), kD.vni) << "the answers take the other way";
  EXPECT_EQ(hub.moved(), started() + forwarded(3));
}

}  // namespace
}  // namespace weir::test
