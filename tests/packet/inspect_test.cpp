// Inspected sessions: what passes, what is stopped, what the ends are told, what is written down.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "inspection/engine/ruleset_builder.h"
#include "tests/packet/conversation.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;
using inspection::EventKind;

constexpr const char* kRules =
    "drop tcp any any -> any any (msg:\"an attack\"; content:\"attack\"; classtype:web-application-attack; "
    "sid:1001; rev:3; priority:1;)\n"
    "alert tcp any any -> any any (msg:\"odd\"; content:\"strange\"; sid:1002; rev:1;)\n"
    "drop udp any any -> any any (msg:\"bad datagram\"; content:\"attack\"; sid:1003; rev:1;)\n";

std::shared_ptr<const inspection::Ruleset> ruleset(
    unsigned workers,
    const inspection::SessionSettings& settings = inspection::hub_settings(inspection::InspectMode::ips)) {
  const std::string path = testing::TempDir() + "weir_packet_tests.rules";
  std::ofstream(path) << kRules;
  inspection::ProfileSpec spec;
  spec.source.files = {path};
  spec.settings = settings;
  auto built = inspection::RulesetBuilder(workers).build(spec);
  if (!built) throw std::runtime_error(built.error().message);
  if (built->loaded != 3) throw std::runtime_error("a rule was refused");
  return built->ruleset;
}

SnapshotBuilder inspected(OnDrop on_drop = OnDrop::reset, FailMode fail = FailMode::closed,
                          uint16_t workers = 1) {
  SnapshotBuilder b = network_without_rules(true, workers);
  b.profile({.name = "ips", .on_drop = on_drop, .fail = fail, .ruleset = ruleset(workers)});
  b.rule({.id = "inspect", .action = PolicyAction::inspect, .from = {"red"}, .to = {"blue"}, .profile = 0});
  return b;
}

/// The same under a profile that says otherwise how.
SnapshotBuilder inspected(const inspection::SessionSettings& settings) {
  SnapshotBuilder b = network_without_rules();
  b.profile({.name = "other",
             .watches = settings.mode == inspection::InspectMode::ids,
             .enforces = settings.mode == inspection::InspectMode::ips,
             .ruleset = ruleset(1, settings)});
  b.rule({.id = "inspect", .action = PolicyAction::inspect, .from = {"red"}, .to = {"blue"}, .profile = 0});
  return b;
}

Counts inspected_forwarded(int64_t packets) {
  return forwarded(packets) + Counts({{"inspected_packets", packets}});
}
Counts new_session() { return {{"sessions_created", 1}, {"sessions_live", 1}}; }
Counts resets(int64_t n) { return {{"generated", n}, {"tx", n}, {"resets_sent", n}}; }

TEST(Inspect, WhatNoRuleMatchesPassesUnchanged) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    TestHub hub(inspected().build());
    Conversation talk(hub, ip);
    talk.handshake();
    const Transport request = talk.segment(true, kPsh | kAck, "GET / HTTP/1.1\r\n\r\n");
    expect_forwarded(talk.client("GET / HTTP/1.1\r\n\r\n"), kA, kB, request, ip);
    const Transport answer = talk.segment(false, kPsh | kAck, "HTTP/1.1 200 OK\r\n\r\n");
    expect_forwarded(talk.server("HTTP/1.1 200 OK\r\n\r\n"), kB, kA, answer, ip);
    EXPECT_EQ(hub.moved(), inspected_forwarded(5) + new_session());
    EXPECT_TRUE(hub.events().empty());
  }
}

TEST(Inspect, ADropRuleStopsTheSession) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    TestHub hub(inspected().build());
    Conversation talk(hub, ip);
    talk.handshake();
    talk.client("GET /at");
    hub.moved();

    // The packet that completes the attack is the one that is stopped; both ends are told.
    const std::string rest = "tack HTTP/1.1\r\n\r\n";
    const auto got = talk.client(rest);
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[0], hub_tunnelled(kB, talk.reset_for_server(0), got[0]));
    EXPECT_EQ(got[1], hub_tunnelled(kA, talk.reset_for_client(static_cast<uint32_t>(rest.size())), got[1]));
    EXPECT_EQ(hub.moved(),
              dropped(DropReason::inspect_drop) + resets(2) + Counts({{"inspected_packets", 1}}));

    // Nothing more passes, whoever sends; the sender is told again.
    const auto again = talk.client(rest);
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0],
              hub_tunnelled(kA, talk.reset_for_client(static_cast<uint32_t>(rest.size())), again[0]));
    const auto back = talk.server("HTTP/1.1 500\r\n");
    ASSERT_EQ(back.size(), 1u);
    EXPECT_EQ(back[0], hub_tunnelled(kB, talk.reset_for_server(14), back[0]));
    EXPECT_EQ(hub.moved(), dropped(DropReason::session_dropped, 2) + resets(2));

    // A reset is not answered by a reset.
    EXPECT_TRUE(talk.send(true, kRst | kAck).empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::session_dropped));
    // Nor does a SYN on the same ports revive it before its time-out.
    EXPECT_EQ(talk.send(true, kSyn).size(), 1u);
    EXPECT_EQ(hub.moved(), dropped(DropReason::session_dropped) + resets(1));
  }
}

/// The same frame with another TTL.
Bytes with_ttl(Bytes inner_frame, uint8_t ttl) {
  net::Ipv4Header ip;
  std::memcpy(&ip, inner_frame.data() + 14, sizeof ip);
  ip.ttl = ttl;
  ip.checksum = {};
  ip.checksum = net::be16::raw(net::checksum({reinterpret_cast<const uint8_t*>(&ip), sizeof ip}));
  std::memcpy(inner_frame.data() + 14, &ip, sizeof ip);
  return inner_frame;
}

// The first numbers behind a Conversation's handshake.
constexpr uint32_t kClientSeq = 0xffff'fff1, kServerSeq = 7'001;

TEST(Inspect, WhatItsReceiverDiscardsHidesNothingAndIsNotTold) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    TestHub hub(inspected().build());
    Conversation talk(hub, ip);
    talk.handshake();
    hub.moved();
    for (const char* const decoy : {"harmless", "an attack"}) {
      const Transport spoilt = [&](PacketBuilder& b) {
        b.tcp(1000, 80, kPsh | kAck, kClientSeq, kServerSeq).bad_checksum().payload(decoy);
      };
      EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, spoilt, ip)).empty());
      EXPECT_EQ(hub.moved(), dropped(DropReason::inspect_unsafe));
    }
    const auto events = hub.events();
    ASSERT_EQ(events.size(), 1u) << "the first drop of its direction, and no alert";
    EXPECT_EQ(events[0].kind, EventKind::drop);
    EXPECT_EQ(events[0].drop_reason.view(), "stream error");
    // Nor is it what the bytes that the receiver takes are compared with.
    const Transport request = talk.segment(true, kPsh | kAck, "GET / HTTP/1.1\r\n\r\n");
    expect_forwarded(talk.client("GET / HTTP/1.1\r\n\r\n"), kA, kB, request, ip);
  }
}

TEST(Inspect, UrgentBytesBecomeOrdinaryOnes) {
  constexpr uint8_t kUrgent = 32;
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    TestHub hub(inspected().build());
    Conversation talk(hub, ip);
    talk.handshake();
    const auto segment = [](uint8_t flags, uint8_t pointer) {
      return Transport([=](PacketBuilder& b) {
        b.tcp(1000, 80, flags, kClientSeq, kServerSeq).byte(19, pointer).payload("an attXack");
      });
    };
    // Without the X it would be the attack, and a receiver that takes the X out would read just that.
    const auto got = hub.pass_through(from_spoke(kA, kB, segment(kPsh | kAck | kUrgent, 7), ip));
    expect_forwarded(got, kA, kB, segment(kPsh | kAck, 0), ip);
  }
}

TEST(Inspect, WhatTheHubWillNotSendHidesNothing) {
  TestHub hub(inspected().build());
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  hub.moved();
  // Harmless bytes that end at the hub must not stand for the bytes that the server reads in their place.
  const Bytes decoy = with_ttl(inner(kA, kB, talk.segment(true, kPsh | kAck, "harmless")), 1);
  EXPECT_TRUE(hub.pass_through(tunnelled(kA, decoy)).empty());
  for (const Punt& punt : hub.plane().take_punts(8)) hub.plane().discard(punt, DropReason::ttl_exceeded);
  talk.client("attack..");
  EXPECT_EQ(
      hub.moved(),
      Counts({{"rx", 2}, {"punted", 1}, {"inspected_packets", 1}, {"drop inspect_drop", 1}}) + resets(2));
}

TEST(Inspect, AResetAndASynOfTheSameTupleHideNothing) {
  TestHub hub(inspected().build());
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  talk.send(true, kRst);
  // Before the numbers of the connection that lives on at the server, so that its bytes would lie behind a
  // gap.
  hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 0xffff'ff80, 0, "", 1000, 80)));
  hub.sent();
  for (const Bytes& frame : talk.send(true, kPsh | kAck, "attack")) {
    EXPECT_NE(vni_of(frame), kB.vni) << "data without a handshake reached the server";
  }
}

/// What the receiver will not take is not inspected, and carries no data past inspection either.
TEST(Inspect, WhatLiesOutsideOfTheWindowHidesNothing) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    TestHub hub(inspected(OnDrop::silent).build());
    Conversation talk(hub, ip);
    talk.handshake();
    const auto at = [&](uint32_t seq, uint8_t flags, const std::string& data) {
      return hub.pass_through(from_spoke(kA, kB, tcp(flags, 0xffff'fff1 + seq, 7'001, data), ip));
    };
    hub.moved();
    EXPECT_TRUE(at(1'000'000, kPsh | kAck, "an attack").empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::tcp_outside_window))
        << "its receiver may take it all the same";
    EXPECT_EQ(at(1'000'000, kAck, "").size(), 1u);
    EXPECT_EQ(at(100, kRst, "").size(), 1u) << "in the window: it is answered by a challenge ACK";
    EXPECT_EQ(hub.moved(), forwarded(2) + Counts({{"tcp_ignored", 2}})) << "neither was inspected";
    EXPECT_EQ(talk.client("an at").size(), 1u);
    EXPECT_TRUE(talk.client("tack").empty()) << "inspection goes on where it was";
    EXPECT_EQ(hub.moved()["drop inspect_drop"], 1);
  }
}

/// A table of one session, and a burst in which one ends while its packet waits for inspection.
TEST(Inspect, WhatWaitsForASessionThatEndsIsNotTakenForAnothers) {
  for (const bool reused : {true, false}) {
    TestHub hub(inspected(OnDrop::silent).build(), {.sessions = 1});
    Conversation talk(hub, Ip::v4);
    if (reused) {  // the same tuple again, after it was reset
      talk.handshake();
      EXPECT_EQ(talk.send(false, kRst | kAck).size(), 1u);
    }
    hub.moved();
    const Transport late = reused ? talk.segment(true, kAck, "") : tcp(kSyn, 1, 0, "", 999);
    hub.inject(from_spoke(kA, kB, late));
    hub.inject(from_spoke(kA, kB, tcp(kSyn, 5'000'000, 0)));
    hub.turn();
    expect_forwarded(hub.sent(), kA, kB, tcp(kSyn, 5'000'000, 0));
    Counts counts = hub.moved();
    EXPECT_EQ(counts["drop session_gone"], 1);
    EXPECT_EQ(counts["sessions_live"], reused ? 0 : 1);
    EXPECT_EQ(counts["sessions_given_way"], reused ? 0 : 1);
    EXPECT_EQ(hub.plane().inspection_counters(0).flows_open, 1u);
  }
}

/// Half-open sessions compete with each other, inspected or not.
TEST(Inspect, AFloodOfInspectedSessionsLeavesRoomForANewcomer) {
  TestHub hub(inspected(OnDrop::silent).build(), {.sessions = 48, .half_open = 16});
  Conversation before(hub, Ip::v4, 30'000);
  before.handshake();
  for (uint16_t i = 0; i < 200; ++i)
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 1, 0, "", i))).size(), 1u);
  EXPECT_EQ(hub.plane().counters(0).sessions_half_open.get(), 16u);
  EXPECT_EQ(before.client("still here").size(), 1u);
  Conversation newcomer(hub, Ip::v4, 40'000);
  newcomer.handshake();
  EXPECT_EQ(newcomer.client("hello").size(), 1u);
  EXPECT_EQ(hub.plane().inspection_counters(0).flows_open, 17u);
}

TEST(Inspect, AnotherUserGoesOn) {
  TestHub hub(inspected().build());
  Conversation bad(hub, Ip::v4, 1000), good(hub, Ip::v4, 1001);
  bad.handshake();
  good.handshake();
  EXPECT_EQ(bad.client("attack").size(), 2u);
  const Transport request = good.segment(true, kPsh | kAck, "hello");
  expect_forwarded(good.client("hello"), kA, kB, request);
}

TEST(Inspect, EventsOfADrop) {
  TestHub hub(inspected().build(), {.flow_events = true});
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  talk.client("an attack");
  auto events = hub.events();
  ASSERT_FALSE(events.empty());
  bool alert = false, drop = false;
  for (const auto& event : events) {
    alert |= event.kind == EventKind::alert;
    drop |= event.kind == EventKind::drop;
    EXPECT_EQ(event.time_ns, hub.now());
    EXPECT_EQ(event.alert.sid, 1001u);
    EXPECT_EQ(event.alert.rev, 3u);
    EXPECT_EQ(event.alert.priority, 1u);
    EXPECT_EQ(event.alert.signature.view(), "an attack");
    EXPECT_TRUE(event.alert.blocked);
    EXPECT_EQ(net::to_string(event.flow.src), kA.host4);
    EXPECT_EQ(net::to_string(event.flow.dst), kB.host4);
    EXPECT_EQ(event.flow.src_port, 1000);
    EXPECT_EQ(event.flow.dst_port, 80);
    EXPECT_EQ(event.flow.from_domain.view(), "red");
    EXPECT_EQ(event.flow.to_domain.view(), "blue");
    EXPECT_EQ(event.flow.policy_rule.view(), "inspect");
  }
  EXPECT_TRUE(alert);
  EXPECT_TRUE(drop);

  hub.pass_seconds(3'601);
  hub.settle();
  events = hub.events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, EventKind::flow);
  EXPECT_EQ(events[0].flow_stats.end, inspection::FlowEnd::dropped);
  EXPECT_TRUE(events[0].flow_stats.alerted);
}

TEST(Inspect, AnAlertRulePasses) {
  TestHub hub(inspected().build(), {.flow_events = true});
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  const Transport strange = talk.segment(false, kPsh | kAck, "how strange");
  expect_forwarded(talk.server("how strange"), kB, kA, strange);
  EXPECT_EQ(hub.moved(), inspected_forwarded(4) + new_session());
  const auto events = hub.events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, EventKind::alert);
  EXPECT_EQ(events[0].alert.sid, 1002u);
  EXPECT_FALSE(events[0].alert.blocked);
  EXPECT_TRUE(events[0].alert.to_client);
  EXPECT_EQ(net::to_string(events[0].flow.src), kA.host4) << "the initiator's tuple in both directions";
}

TEST(Inspect, SilentSendsNoResets) {
  TestHub hub(inspected(OnDrop::silent).build());
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  hub.moved();
  EXPECT_TRUE(talk.client("attack").empty());
  EXPECT_TRUE(talk.client("attack").empty());
  EXPECT_TRUE(talk.server("what?").empty());
  EXPECT_EQ(
      hub.moved(),
      Counts({{"rx", 3}, {"drop inspect_drop", 1}, {"drop session_dropped", 2}, {"inspected_packets", 1}}));
}

TEST(Inspect, UdpIsDroppedWithoutResets) {
  TestHub hub(inspected().build());
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(1, 2, "an attack"))).empty());
  EXPECT_EQ(hub.moved(),
            dropped(DropReason::inspect_drop) + new_session() + Counts({{"inspected_packets", 1}}));
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(1, 2, "harmless"))).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::session_dropped));
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(3, 2, "harmless"))).size(), 1u);
}

TEST(Inspect, FlowLimit) {
  for (const FailMode fail : {FailMode::closed, FailMode::open}) {
    TestHub hub(inspected(OnDrop::reset, fail).build(), {.inspection = {.flows = 1}});
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(1, 2))).size(), 1u);
    EXPECT_EQ(hub.moved(), inspected_forwarded(1) + new_session());
    const auto got = hub.pass_through(from_spoke(kA, kB, udp(2, 2, "an attack")));
    if (fail == FailMode::closed) {
      EXPECT_TRUE(got.empty());
      EXPECT_EQ(hub.moved(), dropped(DropReason::inspect_limit));
    } else {
      EXPECT_EQ(got.size(), 1u) << "passes uninspected";
      EXPECT_EQ(hub.moved(), started());
    }
    EXPECT_EQ(hub.plane().inspection_counters(0).flow_limit, 1u);
    // The first session's end makes room.
    hub.pass_seconds(61);
    hub.settle();
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(3, 2))).size(), 1u);
    EXPECT_EQ(hub.plane().inspection_counters(0).flows_open, 1u);
  }
}

TEST(Inspect, APolicyChangeStartsAndEndsInspection) {
  SnapshotBuilder plain = network_without_rules(), watched = plain;
  plain.rule({.id = "allow", .action = PolicyAction::allow, .from = {"red"}, .to = {"blue"}});
  watched.profile({.name = "ips", .ruleset = ruleset(1)});
  watched.rule(
      {.id = "inspect", .action = PolicyAction::inspect, .from = {"red"}, .to = {"blue"}, .profile = 0});
  TestHub hub(plain.build());
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(1, 2, "an attack"))).size(), 1u);
  hub.publish(later_than(hub, watched));
  hub.moved();
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(1, 2, "harmless"))).size(), 1u);
  EXPECT_EQ(hub.moved(), inspected_forwarded(1) + Counts({{"redecided_policy", 1}}));
  EXPECT_EQ(hub.plane().inspection_counters(0).flows_open, 1u);
  hub.publish(later_than(hub, plain));
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(1, 2, "an attack"))).size(), 1u);
  EXPECT_EQ(hub.moved(), forwarded() + Counts({{"redecided_policy", 1}}));
  EXPECT_EQ(hub.plane().inspection_counters(0).flows_open, 0u);
}

/// Neither mode drops; they differ in what they judge when.
TEST(Inspect, WhatOnlyTestsOrWatchesSendsAll) {
  for (const auto mode : {inspection::InspectMode::test, inspection::InspectMode::ids}) {
    const bool tests = mode == inspection::InspectMode::test;
    TestHub hub(inspected(inspection::hub_settings(mode)).build(), {.flow_events = true});
    Conversation talk(hub, Ip::v4);
    talk.handshake();
    const Transport attack = talk.segment(true, kPsh | kAck, "attack");
    expect_forwarded(talk.client("attack"), kA, kB, attack);
    EXPECT_EQ(hub.events().size(), tests ? 1u : 0u) << "it is not acknowledged yet";
    EXPECT_EQ(talk.send(false, kAck).size(), 1u);
    const Transport more = talk.segment(true, kPsh | kAck, "and more");
    expect_forwarded(talk.client("and more"), kA, kB, more);
    EXPECT_EQ(hub.moved(), inspected_forwarded(6) + new_session());
    EXPECT_EQ(hub.plane().inspection_counters(0).would_drop, tests ? 1u : 0u);
    if (!tests) {
      const auto events = hub.events();
      ASSERT_EQ(events.size(), 1u);
      EXPECT_EQ(events[0].alert.sid, 1001u);
      EXPECT_FALSE(events[0].alert.blocked || events[0].alert.would_block || events[0].alert.to_client);
    }
  }
}

TEST(Inspect, WatchingDropsNothingOutsideOfTheWindow) {
  TestHub hub(inspected(inspection::hub_settings(inspection::InspectMode::ids)).build());
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  hub.moved();
  const Transport far = tcp(kPsh | kAck, 0xffff'fff1 + 1'000'000, 7'001, "far away");
  expect_forwarded(hub.pass_through(from_spoke(kA, kB, far)), kA, kB, far);
  EXPECT_EQ(hub.moved(), inspected_forwarded(1) + Counts({{"tcp_ignored", 1}}));
}

TEST(Inspect, WhatContradictsEndsTheSessionIfItsProfileSaysSo) {
  auto settings = inspection::hub_settings(inspection::InspectMode::ips);
  settings.stream.on_conflict = inspection::OnConflict::drop_session;
  TestHub hub(inspected(settings).build());
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  const Transport first = talk.segment(true, kPsh | kAck, "good"),
                  other = talk.segment(true, kPsh | kAck, "evil");
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, first)).size(), 1u);
  hub.moved();
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, other)).size(), 2u) << "the resets";
  EXPECT_EQ(hub.moved(),
            dropped(DropReason::inspect_stream) + resets(2) + Counts({{"inspected_packets", 1}}));
}

TEST(Inspect, ATtlBelowTheProfilesLeastIsDropped) {
  auto settings = inspection::hub_settings(inspection::InspectMode::ips);
  settings.min_ttl = 10;
  TestHub hub(inspected(settings).build());
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  hub.moved();
  const Bytes low = with_ttl(inner(kA, kB, talk.segment(true, kPsh | kAck, "decoy")), 9);
  EXPECT_TRUE(hub.pass_through(tunnelled(kA, low)).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::inspect_ttl) + Counts({{"inspected_packets", 1}}));
  EXPECT_EQ(hub.plane().inspection_counters(0).low_ttl, 1u);
  EXPECT_EQ(talk.client("right").size(), 1u);
}

/// A decoy with a wrong checksum must not stand for what the receiver takes in its place.
TEST(Inspect, WhatTheReceiverWouldDiscardIsNotSent) {
  const auto wrong = [](Bytes frame) {
    frame.back() ^= 0xff;
    return frame;
  };
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    TestHub hub(inspected().build());
    Conversation talk(hub, ip);
    talk.handshake();
    hub.moved();
    const Bytes decoy = wrong(inner(kA, kB, talk.segment(true, kPsh | kAck, "harmless"), ip));
    EXPECT_TRUE(hub.pass_through(tunnelled(kA, decoy)).empty());
    EXPECT_TRUE(hub.pass_through(tunnelled(kA, wrong(inner(kA, kB, udp(1, 2, "x"), ip)))).empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::inspect_unsafe, 2) + new_session());
    EXPECT_EQ(hub.plane().inspection_counters(0).bad_checksum, 2u);
    EXPECT_EQ(talk.client("attack..").size(), 2u) << "the resets";
    EXPECT_EQ(hub.moved()["drop inspect_drop"], 1);
  }
}

TEST(Inspect, ChecksumsCanBeIgnored) {
  SnapshotBuilder b = network_without_rules();
  b.profile({.name = "lenient", .verify_checksums = false, .ruleset = ruleset(1)});
  b.rule({.id = "inspect", .action = PolicyAction::inspect, .from = {"red"}, .to = {"blue"}, .profile = 0});
  TestHub hub(b.build());
  Bytes frame = inner(kA, kB, udp(1, 2, "x"));
  frame.back() ^= 0xff;
  hub.inject(tunnelled(kA, frame));
  hub.settle();
  // Not by sent(): the judge of what is sent would rightly call it wrong.
  EXPECT_EQ(hub.port().collect().size(), 1u);
  EXPECT_EQ(hub.plane().inspection_counters(0).bad_checksum, 0u);
}

/// Nothing but one packet in a turn.
InspectLimits one_a_turn(uint32_t room) { return {.packets = room, .packet_work = 1, .turn_work = 1}; }

/// Segments of one session in one burst: "0...", "1...", ...
void inject_segments(TestHub& hub, int count, uint32_t first = 0xffff'fff1) {
  for (int i = 0; i < count; ++i)
    hub.inject(from_spoke(kA, kB, tcp(kAck, first + 5 * i, 7'001, std::to_string(i) + "text")));
}

TEST(Inspect, WhatIsOverTheBudgetWaitsAndGoesOnInOrder) {
  SnapshotBuilder b = inspected();
  b.rule({.id = "plain", .action = PolicyAction::allow, .from = {"blue"}, .to = {"red"}});
  TestHub hub(b.build(), {.inspect = one_a_turn(16)});
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  hub.moved();
  inject_segments(hub, 3);
  hub.inject(from_spoke(kB, kA, udp(5, 6, "not inspected")));
  hub.turn();
  const auto first = hub.sent();
  ASSERT_EQ(first.size(), 2u) << "one of the inspected session, and who is not inspected waits for nobody";
  EXPECT_EQ(vni_of(first[1]), kA.vni);
  EXPECT_EQ(hub.moved(), Counts({{"rx", 4},
                                 {"tx", 2},
                                 {"forwarded", 2},
                                 {"inspected_packets", 1},
                                 {"inspect_held", 2},
                                 {"inspect_waited", 2}}) +
                             new_session());
  for (int i = 1; i < 3; ++i) {
    hub.turn();
    const auto got = hub.sent();
    ASSERT_EQ(got.size(), 1u);
    const Transport segment = tcp(kAck, 0xffff'fff1 + 5 * i, 7'001, std::to_string(i) + "text");
    EXPECT_EQ(got[0], hub_tunnelled(kB, inner_forwarded(kA, kB, segment), got[0]));
    EXPECT_EQ(hub.moved(),
              Counts({{"tx", 1}, {"forwarded", 1}, {"inspected_packets", 1}, {"inspect_held", -1}}));
  }
}

TEST(Inspect, AnAttackThatWaitsIsStoppedWithAllBehindIt) {
  TestHub hub(inspected().build(), {.inspect = one_a_turn(16)});
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  hub.moved();
  inject_segments(hub, 1);
  hub.inject(from_spoke(kA, kB, tcp(kAck, 0xffff'fff1 + 5, 7'001, "an attack")));
  hub.inject(from_spoke(kA, kB, tcp(kAck, 0xffff'fff1 + 14, 7'001, "more")));
  hub.settle();
  EXPECT_EQ(hub.moved(), Counts({{"rx", 3},
                                 {"tx", 4},
                                 {"forwarded", 1},
                                 {"generated", 3},
                                 {"resets_sent", 3},
                                 {"inspected_packets", 2},
                                 {"inspect_waited", 2},
                                 {"drop inspect_drop", 1},
                                 {"drop session_dropped", 1}}));
}

TEST(Inspect, WithoutRoomToWaitTheProfileDecides) {
  for (const auto policy : {inspection::ExceptionPolicy::drop_packet, inspection::ExceptionPolicy::drop_flow,
                            inspection::ExceptionPolicy::bypass}) {
    SCOPED_TRACE(std::string(name_of(policy)));
    SnapshotBuilder b = network_without_rules();
    b.profile({.name = "ips", .on_drop = OnDrop::silent, .when_full = policy, .ruleset = ruleset(1)});
    b.rule({.id = "inspect", .action = PolicyAction::inspect, .from = {"red"}, .to = {"blue"}, .profile = 0});
    TestHub hub(b.build(), {.inspect = one_a_turn(2)});
    Conversation talk(hub, Ip::v4);
    talk.handshake();
    hub.moved();
    inject_segments(hub, 4);
    hub.settle();
    Counts counts = hub.moved();
    const bool passes = policy == inspection::ExceptionPolicy::bypass;
    const bool ends = policy == inspection::ExceptionPolicy::drop_flow;
    EXPECT_EQ(counts["inspect_full"], 1);
    EXPECT_EQ(counts["inspect_unseen"], passes ? 1 : 0);
    EXPECT_EQ(counts["drop inspect_full"], passes ? 0 : 1);
    EXPECT_EQ(counts["drop session_dropped"], ends ? 2 : 0);
    EXPECT_EQ(counts["forwarded"], passes ? 4 : ends ? 1 : 3);
    EXPECT_EQ(hub.plane().inspection_counters(0).flows_open, passes || ends ? 0u : 1u);
  }
}

TEST(Inspect, WhoWatchesNeverWaits) {
  TestHub hub(inspected(inspection::hub_settings(inspection::InspectMode::ids)).build(),
              {.inspect = one_a_turn(16)});
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  hub.moved();
  inject_segments(hub, 3);
  hub.turn();
  EXPECT_EQ(hub.sent().size(), 3u);
  Counts counts = hub.moved();
  EXPECT_EQ(counts["inspect_waited"], 0);
  EXPECT_EQ(counts["inspected_packets"] + counts["inspect_unseen"], 3);
  EXPECT_GE(counts["inspect_unseen"], 1);
}

TEST(Inspect, WhatWaitsEndsWithItsSession) {
  TestHub hub(inspected().build(), {.inspect = one_a_turn(16)});
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  hub.moved();
  inject_segments(hub, 4);
  hub.turn();
  hub.pass_seconds(3'601);
  hub.settle();
  Counts counts = hub.moved();
  EXPECT_EQ(counts["sessions_live"], -1);
  EXPECT_EQ(counts["inspect_held"], 0);
  EXPECT_GE(counts["drop session_gone"], 1);
  EXPECT_EQ(counts["forwarded"] + counts["drop session_gone"], 4);
}

TEST(Inspect, AnOverloadEndsNotBeforeItsThreshold) {
  InspectLimits limits = one_a_turn(3);
  limits.overload_begin = 50;
  limits.overload_end = 33;  // one of three is more
  TestHub hub(inspected(OnDrop::silent, FailMode::closed).build(), {.inspect = limits});
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  inject_segments(hub, 4);
  hub.settle();
  const auto events = hub.events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].overload.waiting, 2u);
  EXPECT_FALSE(events[1].overload.begins);
  EXPECT_EQ(events[1].overload.waiting, 0u);
}

TEST(Inspect, AnOverloadedWorkerTakesNoNewSessions) {
  for (const FailMode fail : {FailMode::closed, FailMode::open}) {
    InspectLimits limits = one_a_turn(4);
    limits.overload_begin = 50;
    limits.overload_end = 25;
    TestHub hub(inspected(OnDrop::silent, fail).build(), {.inspect = limits});
    Conversation talk(hub, Ip::v4);
    talk.handshake();
    hub.moved();
    inject_segments(hub, 4);
    hub.turn();  // three wait
    EXPECT_EQ(hub.moved()["overloads"], 1);
    auto events = hub.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].kind, EventKind::overload);
    EXPECT_TRUE(events[0].overload.begins);
    EXPECT_EQ(events[0].overload.waiting, 2u);
    hub.inject(from_spoke(kA, kB, udp(1, 2, "an attack")));
    hub.turn();  // two wait: still above the lower threshold
    Counts counts = hub.moved();
    EXPECT_EQ(counts["overload_refused"], 1);
    EXPECT_EQ(counts["drop inspect_limit"], fail == FailMode::closed ? 1 : 0);
    EXPECT_EQ(counts["forwarded"], fail == FailMode::closed ? 1 : 2);
    EXPECT_TRUE(hub.events().empty());
    hub.settle();
    events = hub.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_FALSE(events[0].overload.begins);
    EXPECT_EQ(events[0].overload.waiting, 1u);
    hub.sent();
    EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(3, 2, "an attack"))).empty()) << "inspected again";
    EXPECT_EQ(hub.moved()["overloads"], 0);
  }
}

TEST(Inspect, ABurstIsStoppedInTheMiddle) {
  TestHub hub(inspected().build());
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  hub.moved();
  // Three segments of one burst; the second completes the attack. What was before it goes out before the
  // resets.
  for (const auto& [data, offset] : {std::pair{"one ", 0u}, {"attack ", 4u}, {"three", 11u}}) {
    hub.inject(from_spoke(kA, kB, tcp(kAck, 0xffff'fff1 + offset, 7'001, data)));
  }
  hub.settle();
  const auto got = hub.sent();
  ASSERT_EQ(got.size(), 4u);
  EXPECT_EQ(got[0],
            hub_tunnelled(kB, inner_forwarded(kA, kB, tcp(kAck, 0xffff'fff1, 7'001, "one ")), got[0]));
  EXPECT_EQ(vni_of(got[1]), kB.vni);
  EXPECT_EQ(vni_of(got[2]), kA.vni);
  EXPECT_EQ(vni_of(got[3]), kA.vni);
  EXPECT_EQ(hub.moved(), Counts({{"rx", 3},
                                 {"forwarded", 1},
                                 {"drop inspect_drop", 1},
                                 {"drop session_dropped", 1},
                                 {"generated", 3},
                                 {"resets_sent", 3},
                                 {"tx", 4},
                                 {"inspected_packets", 2}}));
}

}  // namespace
}  // namespace weir::test
