// What becomes of inspected sessions: those of which nothing later matters take the fast path, dropped ones
// stay dropped, and all of them live through a change of their rules.
#include <gtest/gtest.h>

#include <fstream>

#include "dataplane/net/headers.h"
#include "inspection/compile/flowbit_names.h"
#include "tests/packet/conversation.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;

using Names = std::shared_ptr<inspection::FlowBitNames>;

std::shared_ptr<const inspection::Ruleset> rules(const std::string& text, const Names& names = nullptr) {
  const std::string path = testing::TempDir() + "weir_packet_life.rules";
  std::ofstream(path) << text;
  auto built = inspection::build_ruleset({path}, 1, names);
  if (!built) throw std::runtime_error(built.error().message);
  if (!built->refused.empty()) throw std::runtime_error(built->refused[0].message);
  return built->ruleset;
}

constexpr const char* kDrop = "drop tcp any any -> any any (content:\"attack\"; sid:1;)\n";

SnapshotBuilder inspected(std::shared_ptr<const inspection::Ruleset> ruleset) {
  SnapshotBuilder b = network_without_rules(true, 1);
  b.profile({.name = "ips", .on_drop = OnDrop::silent, .ruleset = std::move(ruleset)});
  b.rule({.id = "inspect", .action = PolicyAction::inspect, .from = {"red"}, .to = {"blue"}, .profile = 0});
  return b;
}

const inspection::InspectorCounters& inspection_of(TestHub& hub) {
  return hub.plane().inspection_counters(0);
}

std::string number(size_t bytes, size_t value) {
  std::string out;
  while (bytes-- > 0) out += static_cast<char>(value >> 8 * bytes);
  return out;
}
std::string record(uint8_t type, const std::string& body) {
  return std::string(1, static_cast<char>(type)) + "\x03\x03" + number(2, body.size()) + body;
}
std::string hello(uint8_t type, const std::string& body) {
  return record(22, std::string(1, static_cast<char>(type)) + number(3, body.size()) + body);
}

/// TLS from its hellos to its first encrypted records.
void tls_handshake(Conversation& talk) {
  const std::string random(32, 'r'), none = number(1, 0);
  talk.client(hello(1, "\x03\x03" + random + none + number(2, 2) + "\x13\x01" + number(1, 1) + none));
  talk.server(hello(2, "\x03\x03" + random + none + "\x13\x01" + none) + record(20, "\x01") +
              record(23, "secret"));
  talk.client(record(20, "\x01") + record(23, "secret"));
}

TEST(InspectLife, WhatIsEncryptedAfterItsHandshakeTakesTheFastPath) {
  TestHub hub(inspected(rules(kDrop)).build());
  const uint64_t before = inspection_of(hub).memory;
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  tls_handshake(talk);
  EXPECT_EQ(inspection_of(hub).bypassed, 1u);
  EXPECT_EQ(inspection_of(hub).flows_open, 0u);
  EXPECT_EQ(inspection_of(hub).memory, before) << "all of it went back";
  hub.moved();
  const uint64_t seen = inspection_of(hub).packets;
  EXPECT_EQ(talk.client(record(23, "attack")).size(), 1u);
  EXPECT_EQ(talk.server(record(23, "attack")).size(), 1u);
  EXPECT_EQ(hub.moved(), forwarded(2)) << "no counter of inspection moves";
  EXPECT_EQ(inspection_of(hub).packets, seen);
}

TEST(InspectLife, WhatOnlyLooksLikeTlsDoesNot) {
  TestHub hub(inspected(rules(kDrop)).build());
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  const std::string random(32, 'r'), none = number(1, 0);
  talk.client(hello(1, "\x03\x03" + random + none + number(2, 2) + "\x13\x01" + number(1, 1) + none) +
              record(20, "\x01"));
  talk.server("HTTP/1.1 400 what?\r\n\r\n");
  talk.client("an attack");
  EXPECT_EQ(inspection_of(hub).bypassed, 0u);
  EXPECT_EQ(hub.moved()["drop inspect_drop"], 1);
}

TEST(InspectLife, APassRuleEndsInspection) {
  TestHub hub(
      inspected(rules(std::string("pass tcp any any -> any any (content:\"friend\"; sid:2;)\n") + kDrop))
          .build());
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  EXPECT_EQ(talk.client("a friend").size(), 1u);
  hub.moved();
  EXPECT_EQ(talk.client("an attack").size(), 1u);
  EXPECT_EQ(hub.moved(), forwarded());
  EXPECT_EQ(inspection_of(hub).bypassed, 1u);
  EXPECT_EQ(inspection_of(hub).flows_open, 0u);
}

TEST(InspectLife, ABypassedSessionIsNotTakenUpAgainUnlessAnotherProfileWantsIt) {
  const std::string friends =
      std::string("pass tcp any any -> any any (content:\"friend\"; sid:2;)\n") + kDrop;
  SnapshotBuilder first = inspected(rules(friends)), same = first, other = first;
  TestHub hub(first.build());
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  talk.client("a friend");
  same.rule({.id = "more", .action = PolicyAction::deny, .from = {"red"}, .to = {"blue"}, .ports = {{9, 9}}});
  hub.publish(later_than(hub, same));
  talk.client("hello");
  EXPECT_EQ(inspection_of(hub).flows_open, 0u) << "the same profile";
  SnapshotBuilder strict = network_without_rules(true, 1);
  strict.profile({.name = "none", .ruleset = rules(kDrop)});
  strict.profile({.name = "strict", .on_drop = OnDrop::silent, .ruleset = rules(kDrop)});
  strict.rule(
      {.id = "inspect", .action = PolicyAction::inspect, .from = {"red"}, .to = {"blue"}, .profile = 1});
  hub.publish(later_than(hub, strict));
  hub.moved();
  EXPECT_TRUE(talk.client("an attack").empty());
}

/// The responder has lost the connection; what begins now was never seen.
TEST(InspectLife, AConnectionThatBeginsAnewIsInspectedAgain) {
  TestHub hub(
      inspected(rules(std::string("pass tcp any any -> any any (content:\"friend\"; sid:2;)\n") + kDrop))
          .build());
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  talk.client("a friend");
  EXPECT_EQ(inspection_of(hub).flows_open, 0u);
  const auto from_client = [&](uint32_t seq, uint32_t ack, uint8_t flags, const std::string& data) {
    return hub.pass_through(from_spoke(kA, kB, tcp(flags, seq, ack, data, 1000, 80)));
  };
  EXPECT_EQ(from_client(5'000'000, 0, kSyn, "").size(), 1u);
  EXPECT_EQ(hub.pass_through(from_spoke(kB, kA, tcp(kSyn | kAck, 9'000'000, 5'000'001, "", 80, 1000))).size(),
            1u);
  EXPECT_EQ(from_client(5'000'001, 9'000'001, kAck, "").size(), 1u);
  EXPECT_EQ(inspection_of(hub).flows_open, 1u);
  hub.moved();
  EXPECT_TRUE(from_client(5'000'001, 9'000'001, kPsh | kAck, "an attack").empty());
  EXPECT_EQ(hub.moved()["drop inspect_drop"], 1);
}

SnapshotBuilder picks_up() {
  SnapshotBuilder b = inspected(rules(kDrop));
  b.tcp({.mid_stream = true});
  return b;
}

TEST(InspectLife, ATombstoneCostsItsEntryAlone) {
  TestHub hub(inspected(rules(kDrop)).build(), {.inspection = {.flows = 1}});
  const uint64_t before = inspection_of(hub).memory;
  for (uint16_t port = 1'000; port < 1'020; ++port) {
    Conversation talk(hub, Ip::v4, port);
    talk.handshake();
    EXPECT_TRUE(talk.client("an attack").empty());
    EXPECT_EQ(inspection_of(hub).flows_open, 0u);
    EXPECT_EQ(inspection_of(hub).memory, before);
  }
  EXPECT_EQ(inspection_of(hub).drops, 20u) << "with room for one inspected session";
}

TEST(InspectLife, ATombstoneDoesNotComeBackByExpiryWhateverItsState) {
  for (const bool picked_up : {false, true}) {
    TestHub hub(picks_up().build());
    Conversation talk(hub, Ip::v4);
    if (!picked_up) talk.handshake();
    EXPECT_TRUE(talk.client("an attack").empty());
    hub.pass_seconds(3'000);  // longer than one of which one end was seen would stay
    hub.settle();
    hub.moved();
    EXPECT_TRUE(talk.client("hello").empty()) << picked_up;
    EXPECT_EQ(hub.moved(), dropped(DropReason::session_dropped))
        << "a segment is enough to pick a session up";
  }
}

TEST(InspectLife, ATombstoneThatWasPickedUpDoesNotGiveWay) {
  TestHub hub(picks_up().build(), {.sessions = 48, .half_open = 16});
  Conversation talk(hub, Ip::v4, 30'000);
  EXPECT_TRUE(talk.client("an attack").empty()) << "begins in its midst";
  EXPECT_EQ(hub.plane().counters(0).sessions_half_open.get(), 0u);
  for (uint16_t i = 0; i < 200; ++i) hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 1, 0, "", i)));
  hub.pass_seconds(1'000);
  hub.settle();
  hub.moved();
  EXPECT_TRUE(talk.client("hello").empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::session_dropped));
}

TEST(InspectLife, PolicyDoesNotOpenATombstone) {
  SnapshotBuilder first = inspected(rules(kDrop)), allowing = network_without_rules(true, 1);
  allowing.rule({.id = "allow", .action = PolicyAction::allow, .from = {"red"}, .to = {"blue"}});
  TestHub hub(first.build());
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  talk.client("an attack");
  hub.publish(later_than(hub, first));
  EXPECT_TRUE(talk.client("hello").empty());
  EXPECT_EQ(inspection_of(hub).flows_open, 0u) << "it is not inspected again either";
  hub.publish(later_than(hub, allowing));
  EXPECT_TRUE(talk.client("hello").empty());
}

TEST(InspectLife, AReloadLosesNoPacketAndNoBit) {
  const auto names = std::make_shared<inspection::FlowBitNames>();
  const auto before = rules(
      "alert http any any -> any any (http.uri; content:\"/login\"; flowbits:set,logged.in; "
      "flowbits:noalert; sid:1;)\n"
      "alert http any any -> any any (http.stat_code; content:\"200\"; sid:2;)\n",
      names);
  const auto after = rules(
      "alert http any any -> any any (http.uri; content:\"/zero\"; flowbits:set,another; sid:8;)\n"
      "drop http any any -> any any (http.uri; content:\"/delete\"; flowbits:isset,logged.in; sid:3;)\n"
      "drop http any any -> any any (http.uri; content:\"/delete\"; flowbits:isset,another; sid:4;)\n",
      names);
  SnapshotBuilder b = inspected(before);
  TestHub hub(b.build());
  Conversation talk(hub, Ip::v4), idle(hub, Ip::v4, 1'001);
  talk.handshake();
  idle.handshake();
  EXPECT_EQ(talk.client("GET /login HTTP/1.1\r\nHost: a\r\n\r\n").size(), 1u);
  EXPECT_EQ(inspection_of(hub).in_transaction[0], 1u);

  auto next = later_than(hub, b);
  next->profiles[0].ruleset = after;
  next->profiles[0].ruleset_before = before;
  next->rules_generation = 1;
  hub.publish(std::move(next));
  EXPECT_EQ(talk.server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").size(), 1u);
  auto events = hub.events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].alert.sid, 2u) << "the exchange ends by the rules that it began with";
  EXPECT_EQ(inspection_of(hub).in_transaction[0], 0u) << "now those may go";

  next = later_than(hub, b);
  next->profiles[0].ruleset = after;
  next->rules_generation = 1;
  hub.publish(std::move(next));
  EXPECT_EQ(idle.client("GET /delete HTTP/1.1\r\nHost: a\r\n\r\n").size(), 1u)
      << "this one has not logged in";
  EXPECT_EQ(talk.client("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").size(), 1u);
  EXPECT_EQ(talk.server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").size(), 1u);
  EXPECT_TRUE(talk.client("GET /delete HTTP/1.1\r\nHost: a\r\n\r\n").empty());
  events = hub.events();
  ASSERT_FALSE(events.empty());
  for (const auto& event : events) EXPECT_EQ(event.alert.sid, 3u);
  EXPECT_EQ(inspection_of(hub).rules_moved, 2u);
  EXPECT_EQ(inspection_of(hub).rules_moved_midst, 0u);
}

/// Nothing follows, so what must not be there is not there.
TEST(InspectLife, WhatOnlyTheEndOfASessionDecides) {
  SnapshotBuilder b =
      inspected(rules("drop http any any -> any any (http.request_body; content:!\"friend\"; sid:3;)\n"));
  b.timeouts(
      {.tcp_handshake = 40, .tcp_established = 80, .tcp_closing = 40, .udp = 40, .icmp = 40, .other = 40});
  TestHub hub(b.build());
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  EXPECT_EQ(talk.client("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc").size(), 1u);
  EXPECT_TRUE(hub.events().empty());
  hub.pass_seconds(30);
  hub.settle();
  const auto events = hub.events();
  ASSERT_EQ(events.size(), 1u) << "an alert, and no drop: there is no packet";
  EXPECT_EQ(events[0].alert.sid, 3u);
  EXPECT_TRUE(events[0].alert.blocked);
  EXPECT_EQ(events[0].flow.policy_rule.view(), "inspect");
  EXPECT_EQ(inspection_of(hub).flows_open, 0u);
}

/// The same, but policy no longer inspects it: it was not judged by those rules to its end.
TEST(InspectLife, AProfileThatIsGoneDecidesNothingMore) {
  SnapshotBuilder b =
      inspected(rules("alert http any any -> any any (http.request_body; content:!\"friend\"; sid:3;)\n"));
  b.timeouts(
      {.tcp_handshake = 40, .tcp_established = 80, .tcp_closing = 40, .udp = 40, .icmp = 40, .other = 40});
  SnapshotBuilder none = network_without_rules(true, 1);
  none.timeouts(
      {.tcp_handshake = 40, .tcp_established = 80, .tcp_closing = 40, .udp = 40, .icmp = 40, .other = 40});
  TestHub hub(b.build());
  Conversation talk(hub, Ip::v4);
  talk.handshake();
  talk.client("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
  hub.publish(later_than(hub, none));
  hub.pass_seconds(30);
  hub.settle();
  EXPECT_TRUE(hub.events().empty());
  EXPECT_EQ(inspection_of(hub).flows_open, 0u);
}

}  // namespace
}  // namespace weir::test
