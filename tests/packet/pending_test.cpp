// Sessions whose policy rule depends on a name that is not known yet: with a stand-in for who finds names.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::DropReason;
using dataplane::IfUnknown;
using dataplane::PolicyAction;
using inspection::NameAnswer;
using inspection::NameHandle;

using inspection::NameKind;
using inspection::NamePattern;
using inspection::NameQuestion;

/// What the stand-in is asked: for a name of the server.
NameQuestion question(const char* name) {
  NameQuestion asked;
  asked.of(NameKind::sni).push_back({NamePattern::Form::exact, name});
  return asked;
}
const NameQuestion kOne = question("one"), kTwo = question("two");

/// Reads what a session sends: "one" and "two" are names, with "none" it is neither, with "hopeless" it will
/// never be known. What begins with "shake" is a handshake until "data" comes.
class StandIn final : public inspection::NameFinder {
 public:
  struct Log {
    int open = 0, read = 0;
    int room = 100;
  };
  explicit StandIn(Log& log) : log_(log) {}

  NameHandle open(const inspection::FlowInfo&) override {
    if (log_.open >= log_.room) return {};
    ++log_.open;
    said_[++last_];
    return {last_};
  }
  void read(NameHandle handle, const inspection::Packet& packet) override {
    ++log_.read;
    said_.at(handle.value).append(packet.payload.begin(), packet.payload.end());
  }
  NameAnswer ask(NameHandle handle, const NameQuestion& question) const override {
    const std::string& said = said_.at(handle.value);
    const auto has = [&](const char* word) { return said.find(word) != std::string::npos; };
    if (has("one") && !has("none")) return question == kOne ? NameAnswer::yes : NameAnswer::no;
    if (has("two")) return question == kTwo ? NameAnswer::yes : NameAnswer::no;
    if (has("none")) return NameAnswer::no;
    return has("hopeless") ? NameAnswer::given_up : NameAnswer::not_yet;
  }
  bool passes(NameHandle handle) const override {
    const std::string& said = said_.at(handle.value);
    return said.starts_with("shake") && said.find("data") == std::string::npos;
  }
  void close(NameHandle handle) override {
    --log_.open;
    said_.erase(handle.value);
  }

 private:
  Log& log_;
  std::map<uint32_t, std::string> said_;
  uint32_t last_ = 0;
};

struct Pending : testing::Test {
  /// red to blue: "one" by `action`, then "two" rejected if `reject_two`, all else by `rest`.
  SnapshotBuilder rules(PolicyAction action = PolicyAction::allow, PolicyAction rest = PolicyAction::deny,
                        IfUnknown unknown = IfUnknown::next, uint16_t workers = 1) {
    SnapshotBuilder b = network_without_rules(true, workers);
    b.rule({.id = "one",
            .action = action,
            .from = {"red"},
            .to = {"blue"},
            .names = kOne,
            .if_unknown = unknown});
    b.rule({.id = "two",
            .action = PolicyAction::reject,
            .from = {"red"},
            .to = {"blue"},
            .names = kTwo,
            .if_unknown = IfUnknown::next});
    b.rule({.id = "rest", .action = rest, .from = {"red"}, .to = {"blue"}});
    return b;
  }
  HubOptions options() {
    HubOptions o;
    o.names = [this](unsigned, const std::shared_ptr<inspection::RuleMemory>&)
        -> Result<std::unique_ptr<inspection::NameFinder>> { return std::make_unique<StandIn>(log); };
    return o;
  }
  StandIn::Log log;
};

Bytes data(uint32_t seq, const std::string& payload, bool back = false) {
  return back ? from_spoke(kB, kA, tcp(kAck, seq, 101, payload, 80, 1000))
              : from_spoke(kA, kB, tcp(kAck, seq, 501, payload));
}

/// The reset of the hub that `to` gets in the name of `from`.
Bytes reset(const Spoke& from, const Spoke& to, uint16_t src_port, uint16_t dst_port, uint32_t seq,
            uint32_t ack) {
  PacketBuilder b;
  b.ether(to.host_mac, to.hub_mac).ip(from.host4, to.host4).dont_fragment();
  return b.tcp(src_port, dst_port, kRst | kAck, seq, ack).window(0).build();
}

void handshake(TestHub& hub) {
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, tcp(kSyn))).size(), 1u);
  EXPECT_EQ(hub.pass_through(from_spoke(kB, kA, tcp(kSyn | kAck, 500, 101, "", 80, 1000))).size(), 1u);
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, tcp(kAck, 101, 501))).size(), 1u);
  EXPECT_EQ(hub.moved(), started() + forwarded(2) + Counts({{"pending_sessions", 1}}));
}

/// The same where some profile inspects: copies of the SYNs are kept.
void handshake_kept(TestHub& hub) {
  hub.pass_through(from_spoke(kA, kB, tcp(kSyn)));
  hub.pass_through(from_spoke(kB, kA, tcp(kSyn | kAck, 500, 101, "", 80, 1000)));
  hub.pass_through(from_spoke(kA, kB, tcp(kAck, 101, 501)));
  EXPECT_EQ(hub.moved(), started() + forwarded(2) + Counts({{"pending_sessions", 1}, {"pending_held", 2}}));
}

Counts held(int64_t packets) { return {{"rx", packets}, {"pending_held", packets}}; }
/// The session is decided.
Counts decided(int64_t packets) { return {{"pending_sessions", -1}, {"pending_held", -packets}}; }

TEST_F(Pending, AHandshakePassesAndWhatFollowsWaitsUntilTheNameIsKnown) {
  TestHub hub(rules().build(), options());
  handshake(hub);
  EXPECT_TRUE(hub.pass_through(data(101, "abc")).empty());
  EXPECT_TRUE(hub.pass_through(data(501, "banner", true)).empty()) << "nor does the responder say anything";
  EXPECT_EQ(hub.moved(), held(2));
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, tcp(kAck, 104, 501))).size(), 1u) << "there is nothing in it";
  EXPECT_EQ(hub.moved(), forwarded());
  const auto got = hub.pass_through(data(104, "one"));
  ASSERT_EQ(got.size(), 3u) << "in the order in which they came";
  expect_sent({got[0]}, kB, inner_forwarded(kA, kB, tcp(kAck, 101, 501, "abc")));
  expect_sent({got[1]}, kA, inner_forwarded(kB, kA, tcp(kAck, 501, 101, "banner", 80, 1000)));
  expect_sent({got[2]}, kB, inner_forwarded(kA, kB, tcp(kAck, 104, 501, "one")));
  EXPECT_EQ(hub.moved(), Counts({{"rx", 1}, {"tx", 3}, {"forwarded", 3}}) + decided(2));
  EXPECT_EQ(hub.plane().rule_hits(0).sessions, 1u);
  EXPECT_EQ(log.open, 0);
  const int read = log.read;
  EXPECT_EQ(hub.pass_through(data(107, "more")).size(), 1u);
  EXPECT_EQ(log.read, read) << "it is a session like any other now";
  EXPECT_EQ(hub.moved(), forwarded());
}

TEST_F(Pending, WhatIsAHandshakePassesWithAllThatWaitedBeforeIt) {
  TestHub hub(rules().build(), options());
  handshake(hub);
  // Its beginning is not known to be one yet.
  EXPECT_TRUE(hub.pass_through(data(101, "sha")).empty());
  EXPECT_EQ(hub.moved(), held(1));
  auto got = hub.pass_through(data(104, "ke"));
  ASSERT_EQ(got.size(), 2u);
  expect_sent({got[0]}, kB, inner_forwarded(kA, kB, tcp(kAck, 101, 501, "sha")));
  expect_sent({got[1]}, kB, inner_forwarded(kA, kB, tcp(kAck, 104, 501, "ke")));
  EXPECT_EQ(hub.moved(), Counts({{"rx", 1}, {"tx", 2}, {"forwarded", 2}, {"pending_held", -1}}));
  EXPECT_EQ(hub.pass_through(data(501, "hands", true)).size(), 1u);
  EXPECT_EQ(hub.moved(), forwarded());
  // What is none any more waits.
  EXPECT_TRUE(hub.pass_through(data(106, "data")).empty());
  EXPECT_EQ(hub.moved(), held(1));
  got = hub.pass_through(data(110, "one"));
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(hub.moved(), Counts({{"rx", 1}, {"tx", 2}, {"forwarded", 2}}) + decided(1));
}

TEST_F(Pending, OfASessionThatIsRefusedNothingPasses) {
  TestHub hub(rules().build(), options());
  handshake(hub);
  hub.pass_through(data(101, "abc"));
  EXPECT_TRUE(hub.pass_through(data(104, "none")).empty());
  EXPECT_EQ(hub.moved(),
            held(1) + dropped(DropReason::policy_deny, 1) + decided(1) + Counts({{"drop policy_deny", 1}}));
  EXPECT_EQ(hub.plane().rule_hits(2).sessions, 1u);
  EXPECT_TRUE(hub.pass_through(data(501, "late", true)).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::session_dropped));
  EXPECT_EQ(log.open, 0);
}

TEST_F(Pending, WhoIsRejectedIsTold) {
  TestHub hub(rules().build(), options());
  handshake(hub);
  hub.pass_through(data(101, "abc"));
  const auto resets = hub.pass_through(data(104, "two"));
  ASSERT_EQ(resets.size(), 2u) << "each end gets a reset";
  expect_sent({resets[0]}, kB, reset(kA, kB, 1000, 80, 101, 501));
  expect_sent({resets[1]}, kA, reset(kB, kA, 80, 1000, 501, 104));
  hub.moved();
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp())).empty());
  hub.moved();
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(1000, 2000, "two"))).empty());
  const auto punts = hub.plane().take_punts(8);
  ASSERT_EQ(punts.size(), 1u) << "control answers the first packet that waited";
  EXPECT_EQ(punts[0].reason, dataplane::PuntReason::reject);
  hub.plane().discard(punts[0], DropReason::policy_reject);
}

TEST_F(Pending, AFirstPacketWithSomethingInItWaitsAtOnce) {
  TestHub hub(rules().build(), options());
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp())).empty());
  EXPECT_EQ(hub.moved(),
            held(1) + Counts({{"sessions_created", 1}, {"sessions_live", 1}, {"pending_sessions", 1}}));
  const auto got = hub.pass_through(from_spoke(kA, kB, udp(1000, 2000, "one")));
  ASSERT_EQ(got.size(), 2u);
  expect_sent({got[0]}, kB, inner_forwarded(kA, kB, udp()));
  hub.moved();
  // A name that is known at once: nothing waits.
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(1001, 2000, "one"))).size(), 1u);
  EXPECT_EQ(hub.moved(), started());
  // And one that is refused at once leaves nothing behind.
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(1002, 2000, "none"))).empty());
  EXPECT_EQ(hub.moved(),
            dropped(DropReason::policy_deny) + Counts({{"sessions_created", 1}, {"sessions_expired", 1}}));
}

TEST_F(Pending, WithTheTimeUpItIsDecidedWithoutTheName) {
  struct Row {
    IfUnknown unknown;
    PolicyAction rest;
    bool passes;
  };
  const Row rows[] = {{IfUnknown::allow, PolicyAction::deny, true},
                      {IfUnknown::deny, PolicyAction::allow, false},
                      {IfUnknown::next, PolicyAction::allow, true},
                      {IfUnknown::next, PolicyAction::deny, false}};
  for (const Row& row : rows) {
    HubOptions o = options();
    o.pending.time_ns = dataplane::kNanosPerSecond;
    TestHub hub(rules(PolicyAction::allow, row.rest, row.unknown).build(), o);
    hub.pass_through(from_spoke(kA, kB, udp()));
    hub.pass_seconds(0.9);
    hub.settle();
    EXPECT_TRUE(hub.sent().empty());
    hub.moved();
    hub.pass_seconds(0.2);
    hub.settle();
    EXPECT_EQ(hub.sent().size(), row.passes ? 1u : 0u);
    const Counts up = decided(1) + Counts({{"pending_timed_out", 1}});
    EXPECT_EQ(hub.moved(),
              row.passes
                  ? up + Counts({{"tx", 1}, {"forwarded", 1}})
                  : up + Counts({{"drop policy_deny", 1}, {"sessions_expired", 1}, {"sessions_live", -1}}));
  }
}

TEST_F(Pending, WhatWaitsIsBounded) {
  struct Row {
    const char* name;
    dataplane::PendingLimits limits;
    int packets;  // that fit
  };
  const dataplane::PendingLimits open = {8, 100, 100, 100'000};
  dataplane::PendingLimits packets = open, bytes = open, all = open;
  packets.packets_per_session = 3;
  bytes.bytes_per_session = 4 * (20 + 8 + 5) + 1;
  all.packets = 5;
  for (const Row& row : {Row{"packets", packets, 3}, Row{"bytes", bytes, 4}, Row{"all", all, 5}}) {
    SCOPED_TRACE(row.name);
    HubOptions o = options();
    o.pending = row.limits;
    TestHub hub(rules(PolicyAction::deny, PolicyAction::allow).build(), o);
    for (int i = 0; i < row.packets; ++i) EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp())).empty());
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp())).size(), static_cast<size_t>(row.packets) + 1)
        << "decided without the name: the next rule";
    EXPECT_EQ(hub.moved().at("pending_given_up"), 1);
    EXPECT_EQ(log.open, 0);
  }
}

TEST_F(Pending, SoAreTheSessions) {
  for (const bool finder : {false, true}) {
    HubOptions o = options();
    o.pending.sessions = finder ? 10 : 1;
    log = {.room = finder ? 1 : 10};
    TestHub hub(rules(PolicyAction::deny, PolicyAction::allow).build(), o);
    EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(1))).empty());
    hub.moved();
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(2))).size(), 1u) << "without the name";
    EXPECT_EQ(hub.moved(), finder ? started() : started() + Counts({{"pending_full", 1}}));
  }
}

TEST_F(Pending, WhereNoRuleCouldLetItPassItIsRefusedAtOnce) {
  TestHub hub(rules(PolicyAction::deny, PolicyAction::deny).build(), options());
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, tcp(kSyn))).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::policy_deny));
}

TEST_F(Pending, WithNobodyToFindNamesTheyAreGivenUp) {
  TestHub hub(rules(PolicyAction::deny, PolicyAction::allow).build());
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp())).size(), 1u);
  EXPECT_EQ(hub.moved(), started());
}

TEST_F(Pending, ItIsDecidedByThePolicyThatThereIsThen) {
  for (const bool allow : {true, false}) {
    SnapshotBuilder b = rules();
    TestHub hub(b.build(), options());
    hub.pass_through(from_spoke(kA, kB, udp()));
    SnapshotBuilder other = rules(allow ? PolicyAction::allow : PolicyAction::deny, PolicyAction::deny);
    auto next = other.build();
    while (next->version <= hub.plane().current().version) next = other.build();
    hub.publish(std::move(next));
    hub.moved();
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(1000, 2000, "one"))).size(), allow ? 2u : 0u);
    EXPECT_EQ(log.open, 0);
  }
}

/// A reload while sessions are pending: they are asked for the names that the new rules want, of which they
/// may have told some already; or for none.
TEST_F(Pending, ItIsAskedForTheNamesThatThereAreThen) {
  struct Row {
    const char* name;
    std::optional<NameQuestion> asked;  // by the new rule; nothing: it takes all
    const char* said;                   // by the next packet
    size_t sent;
  };
  for (const Row& row : {Row{"another name", kTwo, "two", 3}, Row{"no more that one", kTwo, "one", 0},
                         Row{"none", std::nullopt, "anything", 3}, Row{"the same", kOne, "one", 3}}) {
    SCOPED_TRACE(row.name);
    SnapshotBuilder b = rules();
    TestHub hub(b.build(), options());
    hub.pass_through(from_spoke(kA, kB, udp()));
    hub.pass_through(from_spoke(kB, kA, udp(2000, 1000)));
    EXPECT_EQ(hub.plane().counters(0).pending_held.get(), 2u);
    SnapshotBuilder other = network_without_rules(true, 1);
    dataplane::NameQuestion names;
    if (row.asked) names = *row.asked;
    other.rule({.id = "new",
                .action = PolicyAction::allow,
                .from = {"red"},
                .to = {"blue"},
                .names = names,
                .if_unknown = IfUnknown::next});
    other.rule({.id = "rest", .action = PolicyAction::deny, .from = {"red"}, .to = {"blue"}});
    hub.publish(later_than(hub, other));
    EXPECT_TRUE(hub.sent().empty()) << "who waits is decided by its next packet, or when its time is up";
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(1000, 2000, row.said))).size(), row.sent);
    EXPECT_EQ(hub.plane().counters(0).pending_held.get(), 0u);
    EXPECT_EQ(hub.plane().counters(0).pending_sessions.get(), 0u);
    EXPECT_EQ(log.open, 0);
  }
}

TEST_F(Pending, AnEndTakesWhatWaitsAlong) {
  SnapshotBuilder b = rules();
  TestHub hub(b.build(), options());
  hub.pass_through(from_spoke(kA, kB, udp()));
  hub.moved();
  bool done = false;
  hub.plane().purge({b.attachment_id("b")}, {}, [&] { done = true; });
  hub.settle_until(done);
  EXPECT_EQ(hub.moved(),
            decided(1) + Counts({{"drop pending_ended", 1}, {"sessions_expired", 1}, {"sessions_live", -1}}));
  EXPECT_EQ(log.open, 0);
}

TEST_F(Pending, NobodyIsOvertakenWithinABurst) {
  TestHub hub(rules().build(), options());
  hub.pass_through(from_spoke(kA, kB, udp(1)));
  hub.pass_through(from_spoke(kA, kB, udp(2)));
  hub.pass_through(from_spoke(kA, kB, udp(3, 2000, "one")));  // a session that is there
  // Of two that wait one goes on; in the same burst another one of it and of others.
  hub.inject(from_spoke(kA, kB, udp(3, 2000, "a")));
  hub.inject(from_spoke(kA, kB, udp(1, 2000, "one")));
  hub.inject(from_spoke(kA, kB, udp(1, 2000, "b")));
  hub.inject(from_spoke(kA, kB, udp(2, 2000, "c")));
  hub.inject(from_spoke(kA, kB, udp(3, 2000, "d")));
  hub.settle();
  const auto got = hub.sent();
  ASSERT_EQ(got.size(), 5u);
  const std::pair<uint16_t, const char*> order[] = {{3, "a"}, {1, "hello"}, {1, "one"}, {1, "b"}, {3, "d"}};
  for (size_t i = 0; i < 5; ++i)
    expect_sent({got[i]}, kB, inner_forwarded(kA, kB, udp(order[i].first, 2000, order[i].second)));
  EXPECT_EQ(hub.plane().counters(0).pending_held.get(), 2u);
}

/// Each worker holds what is its own, wherever packets arrive, and answers arrive elsewhere than requests.
TEST_F(Pending, EachOfSeveralWorkersDecidesItsOwn) {
  constexpr uint16_t kSessions = 64;
  for (const dataplane::WorkerIndex workers : std::vector<dataplane::WorkerIndex>{2, 3, 4}) {
    SCOPED_TRACE(workers);
    HubOptions o = options();
    o.workers = workers;
    TestHub hub(rules(PolicyAction::allow, PolicyAction::deny, IfUnknown::next, workers).build(), o);
    const auto queue = [&](int n) { return static_cast<uint16_t>(n % workers); };
    for (uint16_t s = 0; s < kSessions; ++s)
      hub.inject(from_spoke(kA, kB, udp(1000 + s, 2000, "first")), queue(s));
    hub.settle();
    for (uint16_t s = 0; s < kSessions; ++s)
      hub.inject(from_spoke(kB, kA, udp(2000, 1000 + s, "answer")), queue(s + 1));
    hub.settle();
    EXPECT_TRUE(hub.sent().empty());
    unsigned held = 0;
    for (dataplane::WorkerIndex w = 0; w < workers; ++w) {
      const auto of_worker = hub.plane().counters(w).pending_held.get();
      EXPECT_GT(of_worker, 0u) << "worker " << unsigned{w} << " has none: this run shows nothing";
      held += static_cast<unsigned>(of_worker);
    }
    EXPECT_EQ(held, 2u * kSessions);
    EXPECT_EQ(log.open, kSessions);
    hub.moved();
    for (uint16_t s = 0; s < kSessions; ++s) {
      SCOPED_TRACE(s);
      const bool passes = s % 2 == 0;
      hub.inject(from_spoke(kA, kB, udp(1000 + s, 2000, passes ? "one" : "none")), queue(s + 2));
      hub.settle();
      const auto got = hub.sent();
      ASSERT_EQ(got.size(), passes ? 3u : 0u);
      if (!passes) continue;
      expect_sent({got[0]}, kB, inner_forwarded(kA, kB, udp(1000 + s, 2000, "first")));
      expect_sent({got[1]}, kA, inner_forwarded(kB, kA, udp(2000, 1000 + s, "answer")));
      expect_sent({got[2]}, kB, inner_forwarded(kA, kB, udp(1000 + s, 2000, "one")));
    }
    const Counts moved = hub.moved();
    EXPECT_EQ(moved.at("pending_sessions"), -kSessions);
    EXPECT_EQ(moved.at("pending_held"), -2 * kSessions);
    EXPECT_EQ(moved.at("drop policy_deny"), kSessions / 2 * 3);
    EXPECT_EQ(hub.plane().rule_hits(0).sessions, kSessions / 2u);
    EXPECT_EQ(hub.plane().rule_hits(2).sessions, kSessions / 2u);
    EXPECT_EQ(log.open, 0);
    // What is decided goes on as ever, both ways.
    EXPECT_EQ(hub.pass_through(from_spoke(kB, kA, udp(2000, 1000, "more")), queue(3)).size(), 1u);
  }
}

/// A rule that asks for a name and inspects: what waited is inspected before it goes on.
TEST_F(Pending, WhatWaitedIsInspectedOnceItsRuleIsKnown) {
  const std::string path = testing::TempDir() + "weir_pending_tests.rules";
  std::ofstream(path)
      << "drop udp any any -> any any (msg:\"an attack\"; content:\"attack\"; sid:1; rev:1;)\n";
  const auto built = inspection::build_ruleset({path}, 1);
  ASSERT_TRUE(built.has_value());
  ASSERT_EQ(built->loaded, 1u);
  SnapshotBuilder b = rules(PolicyAction::inspect);
  b.profile({.name = "ips",
             .on_drop = dataplane::OnDrop::silent,
             .fail = dataplane::FailMode::closed,
             .ruleset = built->ruleset});
  HubOptions o = options();
  o.inspection.flows = 2;
  TestHub hub(b.build(), o);
  const auto say = [&](uint16_t port, const char* text) {
    return hub.pass_through(from_spoke(kA, kB, udp(port, 2000, text)));
  };
  EXPECT_TRUE(say(1, "abc").empty());
  hub.moved();
  EXPECT_EQ(say(1, "one").size(), 2u);
  EXPECT_EQ(hub.moved().at("inspected_packets"), 2);
  EXPECT_EQ(say(1, "harmless").size(), 1u);
  EXPECT_TRUE(hub.events().empty());
  EXPECT_TRUE(say(1, "an attack").empty()) << "it is inspected as any other from then on";
  EXPECT_EQ(hub.events().size(), 2u) << "an alert and a drop";
  // The packet that waits is the attack.
  EXPECT_TRUE(say(2, "an attack").empty());
  EXPECT_TRUE(hub.events().empty()) << "nobody has looked at it yet";
  EXPECT_TRUE(say(2, "one").empty());
  const auto events = hub.events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].alert.sid, 1u);
  EXPECT_EQ(events[0].flow.policy_rule.view(), "one");
  // Another rule decides, which does not inspect.
  EXPECT_TRUE(say(3, "an attack").empty());
  EXPECT_TRUE(say(3, "none").empty());
  EXPECT_TRUE(hub.events().empty());
  EXPECT_EQ(log.open, 0);
}

/// A ruleset of these rules.
std::shared_ptr<const inspection::Ruleset> ruleset(const char* rules) {
  const std::string path = testing::TempDir() + "weir_pending_tests.rules";
  std::ofstream(path) << rules;
  return inspection::build_ruleset({path}, 1).value().ruleset;
}

/// What went on before the rule was known is inspected once it is, from the first SYN on; what comes after it
/// is one stream with it.
TEST_F(Pending, WhatPassedAsAHandshakeIsInspectedOnceItsRuleIsKnown) {
  SnapshotBuilder b = rules(PolicyAction::inspect);
  b.profile({.name = "ips",
             .on_drop = dataplane::OnDrop::silent,
             .fail = dataplane::FailMode::closed,
             .ruleset = ruleset(
                 "drop tcp any any -> any any (msg:\"an attack\"; content:\"attack\"; sid:1; rev:1;)\n"
                 "alert tcp any any -> any any (msg:\"both\"; content:\"shake me\"; content:\"later\"; "
                 "distance:0; sid:2; rev:1;)\n"
                 "alert tcp any any -> any any (msg:\"back\"; flow:to_client; content:\"hands\"; sid:3; "
                 "rev:1;)\n")});
  HubOptions o = options();
  o.inspection.flows = 4;
  TestHub hub(b.build(), o);
  uint32_t at = 101;
  const auto begin = [&](uint16_t port, const std::string& shake) {
    at = 101;
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 100, 0, "", port))).size(), 1u);
    EXPECT_EQ(hub.pass_through(from_spoke(kB, kA, tcp(kSyn | kAck, 500, 101, "", 80, port))).size(), 1u);
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, tcp(kAck, 101, 501, "", port))).size(), 1u);
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, tcp(kAck, at, 501, shake, port))).size(), 1u);
    at += static_cast<uint32_t>(shake.size());
    EXPECT_EQ(hub.pass_through(from_spoke(kB, kA, tcp(kAck, 501, at, "hands", 80, port))).size(), 1u);
    EXPECT_TRUE(hub.events().empty()) << "nobody has looked at it yet";
  };
  const auto say = [&](uint16_t port, const std::string& text) {
    const auto got = hub.pass_through(from_spoke(kA, kB, tcp(kAck, at, 506, text, port))).size();
    at += static_cast<uint32_t>(text.size());
    return got;
  };
  const auto sids = [&] {
    std::vector<uint32_t> found;
    for (const auto& event : hub.events()) {
      if (event.kind == inspection::EventKind::alert) found.push_back(event.alert.sid);
    }
    return found;
  };
  begin(1, "shake me");
  hub.moved();
  EXPECT_EQ(say(1, "data one"), 1u);
  const Counts moved = hub.moved();
  EXPECT_EQ(moved.at("inspected_packets"), 5) << "two SYNs, two of the handshake, this one";
  EXPECT_EQ(moved.at("pending_held"), -4);
  EXPECT_EQ(sids(), std::vector<uint32_t>{3});
  EXPECT_EQ(say(1, "later"), 1u);
  EXPECT_EQ(sids(), std::vector<uint32_t>{2});
  // A rule that drops takes back nothing, but nothing more passes.
  begin(2, "shake, attack");
  hub.moved();
  EXPECT_EQ(say(2, "data one"), 0u);
  EXPECT_EQ(hub.moved().at("drop session_dropped"), 1);
  EXPECT_EQ(sids(), std::vector<uint32_t>{1});
  // A rule decides that does not inspect.
  begin(3, "shake, attack");
  EXPECT_EQ(say(3, "data none"), 0u);
  EXPECT_TRUE(sids().empty());
  EXPECT_EQ(hub.plane().counters(0).pending_held.get(), 0u);
  EXPECT_EQ(log.open, 0);
}

/// Copies of what passes take room as what is held does.
TEST_F(Pending, AHandshakeThatFindsNoRoomToBeKeptIsTheLastThatPasses) {
  SnapshotBuilder b = rules(PolicyAction::inspect, PolicyAction::deny);
  b.profile({.name = "ips",
             .on_drop = dataplane::OnDrop::silent,
             .fail = dataplane::FailMode::closed,
             .ruleset = ruleset("alert tcp any any -> any any (content:\"x\"; sid:1;)\n")});
  HubOptions o = options();
  o.inspection.flows = 4;
  o.pending.packets_per_session = 3;
  TestHub hub(b.build(), o);
  handshake_kept(hub);
  EXPECT_EQ(hub.pass_through(data(101, "shake")).size(), 1u);
  EXPECT_EQ(hub.moved(), forwarded() + Counts({{"pending_held", 1}}));
  EXPECT_EQ(hub.pass_through(data(106, "shake")).size(), 1u);
  EXPECT_EQ(hub.moved(), forwarded() + Counts({{"pending_given_up", 1}}));
  EXPECT_TRUE(hub.pass_through(data(111, "one")).empty()) << "decided without the name";
  EXPECT_EQ(hub.moved(),
            dropped(DropReason::policy_deny) + Counts({{"pending_sessions", -1}, {"pending_held", -3}}));
  EXPECT_EQ(log.open, 0);
}

/// Inspection has no room for the session by the time that its rule is known.
TEST_F(Pending, WithoutRoomForInspectionTheProfileDecides) {
  const std::string path = testing::TempDir() + "weir_pending_tests.rules";
  std::ofstream(path)
      << "drop udp any any -> any any (msg:\"an attack\"; content:\"attack\"; sid:1; rev:1;)\n";
  for (const auto fail : {dataplane::FailMode::closed, dataplane::FailMode::open}) {
    SnapshotBuilder b = rules(PolicyAction::inspect);
    b.profile({.name = "ips",
               .on_drop = dataplane::OnDrop::silent,
               .fail = fail,
               .ruleset = inspection::build_ruleset({path}, 1).value().ruleset});
    HubOptions o = options();
    o.inspection.flows = 1;
    TestHub hub(b.build(), o);
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(1, 2000, "one"))).size(), 1u);
    EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(2, 2000, "abc"))).empty());
    hub.moved();
    const bool open = fail == dataplane::FailMode::open;
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(2, 2000, "one"))).size(), open ? 2u : 0u);
    const Counts moved = hub.moved();
    EXPECT_EQ(moved.at("pending_held"), -1);
    if (!open) {
      EXPECT_EQ(moved.at("drop inspect_limit"), 2);
    }
    EXPECT_EQ(log.open, 0);
  }
}

TEST_F(Pending, IcmpErrorsAboutItPass) {
  TestHub hub(rules().build(), options());
  handshake(hub);
  hub.pass_through(data(101, "abc"));
  hub.moved();
  PacketBuilder b;
  b.ether(kB.hub_mac, kB.host_mac).ip(kB.host4, kA.host4);
  const Bytes quoted = inner_forwarded(kA, kB, tcp(kSyn));
  b.icmp_error(3, 4, Bytes(quoted.begin() + 14, quoted.end()), 1'400);
  EXPECT_EQ(hub.pass_through(tunnelled(kB, b.build())).size(), 1u);
  EXPECT_EQ(hub.moved(), forwarded());
}

}  // namespace
}  // namespace weir::test
