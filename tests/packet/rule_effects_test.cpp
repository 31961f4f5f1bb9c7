// What policy rules do to the sessions that they let through, and what is told of those that they refuse.
#include <gtest/gtest.h>

#include <fstream>

#include "dataplane/tunnel/outer_template.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::DropReason;
using dataplane::PolicyAction;
using dataplane::RuleEffects;
using dataplane::Tick;
using inspection::EventKind;
using inspection::FlowEnd;

constexpr uint8_t kBoth = RuleEffects::kAtStart | RuleEffects::kAtEnd;

uint32_t seconds(uint32_t s) { return Tick::duration(s * dataplane::kNanosPerSecond); }

/// UDP 60 s and unanswered 30 s by the hub; by the rule "own" 10 s and 5 s.
SnapshotBuilder with_own_timeouts(RuleEffects effects = {.timeouts = 1}) {
  SnapshotBuilder b = network_without_rules();
  dataplane::Timeouts hub{seconds(10),  seconds(3'600), seconds(30), seconds(60), seconds(15),
                          seconds(120), seconds(2),     seconds(30), seconds(40), seconds(30)};
  dataplane::Timeouts own = hub;
  own.udp = seconds(10);
  own.udp_unanswered = seconds(5);
  own.tcp_established = seconds(7);
  b.timeouts(hub).rule_timeouts({own});
  b.rule({.id = "own", .action = PolicyAction::allow, .from = {"red"}, .to = {"blue"}, .effects = effects});
  return b;
}

/// How long the one session lives from now on, in seconds; it is looked at once a second.
int lives(TestHub& hub) {
  for (int s = 0; s < 4'000; ++s) {
    hub.pass_seconds(1);
    hub.settle();
    if (hub.plane().counters(0).sessions_live.get() == 0) return s;
  }
  return -1;
}

TEST(RuleTimeouts, AreThoseOfTheSessionsThatTheRuleDecides) {
  SnapshotBuilder b = with_own_timeouts();
  TestHub hub(b.build());
  hub.pass_through(from_spoke(kA, kB, udp()));
  EXPECT_NEAR(lives(hub), 5, 1) << "unanswered";
  hub.pass_through(from_spoke(kA, kB, udp()));
  hub.pass_through(from_spoke(kB, kA, udp(2000, 1000)));
  EXPECT_NEAR(lives(hub), 10, 1);
  hub.pass_through(from_spoke(kA, kB, tcp(kSyn)));
  EXPECT_NEAR(lives(hub), 10, 1) << "what the rule does not say is the hub's";
  hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 100)));
  hub.pass_through(from_spoke(kB, kA, tcp(kSyn | kAck, 500, 101, "", 80, 1000)));
  hub.pass_through(from_spoke(kA, kB, tcp(kAck, 101, 501)));
  EXPECT_NEAR(lives(hub), 7, 1);
}

TEST(RuleTimeouts, AreReadAgainWhenTheSessionIsDecidedAgain) {
  for (const bool shorter : {true, false}) {
    SnapshotBuilder b = with_own_timeouts({.timeouts = static_cast<uint8_t>(shorter ? 0 : 1)});
    TestHub hub(b.build());
    hub.pass_through(from_spoke(kA, kB, udp()));
    hub.pass_through(from_spoke(kB, kA, udp(2000, 1000)));
    SnapshotBuilder other = with_own_timeouts({.timeouts = static_cast<uint8_t>(shorter ? 1 : 0)});
    auto next = b.build();
    auto policy = other.build();
    while (policy->version <= next->version) policy = other.build();
    next->policy = policy->policy;
    hub.publish(std::move(next));
    hub.pass_through(from_spoke(kA, kB, udp()));
    EXPECT_NEAR(lives(hub), shorter ? 10 : 60, 1);
  }
}

TEST(RuleTimeouts, OfAPlaceThatIsGoneAreTheHubs) {
  SnapshotBuilder b = with_own_timeouts({.timeouts = 9});
  TestHub hub(b.build());
  hub.pass_through(from_spoke(kA, kB, udp()));
  hub.pass_through(from_spoke(kB, kA, udp(2000, 1000)));
  EXPECT_NEAR(lives(hub), 60, 1);
}

/// That of an open session may be shorter than what is left of its own.
TEST(RuleTimeouts, OfASessionThatInspectionDropsCountAtOnce) {
  const std::string path = testing::TempDir() + "weir_rule_effects_test.rules";
  std::ofstream(path) << "drop tcp any any -> any any (content:\"attack\"; sid:1;)\n";
  SnapshotBuilder b = with_own_timeouts();
  b.profile({.name = "ips",
             .on_drop = dataplane::OnDrop::silent,
             .ruleset = inspection::build_ruleset({path}, 1).value().ruleset});
  b.no_rules().rule({.id = "own",
                     .action = PolicyAction::inspect,
                     .from = {"red"},
                     .to = {"blue"},
                     .effects = {.timeouts = 1}});
  TestHub hub(b.build());
  hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 100)));
  hub.pass_through(from_spoke(kB, kA, tcp(kSyn | kAck, 500, 101, "", 80, 1000)));
  hub.pass_through(from_spoke(kA, kB, tcp(kAck, 101, 501)));
  EXPECT_EQ(hub.pass_through(from_spoke(kB, kA, tcp(kFin | kAck, 501, 101, "", 80, 1000))).size(), 1u);
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, tcp(kPsh | kAck, 101, 502, "an attack"))).empty());
  EXPECT_NEAR(lives(hub), 7, 1) << "as an open one, not half closed";
}

TEST(RuleLog, SaysWhichRecordsASessionGets) {
  struct Row {
    const char* name;
    uint8_t log;
    bool hub;
    bool start, end;
  };
  const Row rows[] = {{"as the hub: none", RuleEffects::kAsHub, false, false, false},
                      {"as the hub: at the end", RuleEffects::kAsHub, true, false, true},
                      {"start", RuleEffects::kAtStart, true, true, false},
                      {"end", RuleEffects::kAtEnd, false, false, true},
                      {"both", kBoth, false, true, true},
                      {"none", 0, true, false, false}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    SnapshotBuilder b = with_own_timeouts({.log = row.log});
    TestHub hub(b.build(), {.flow_events = row.hub});
    hub.pass_through(from_spoke(kA, kB, udp()));
    const auto begun = hub.events();
    ASSERT_EQ(begun.size(), row.start ? 1u : 0u);
    if (row.start) {
      EXPECT_EQ(begun[0].kind, EventKind::flow);
      EXPECT_EQ(begun[0].flow_stats.end, FlowEnd::begun);
      EXPECT_EQ(begun[0].flow_stats.packets_to_server, 1u);
      EXPECT_EQ(begun[0].flow.policy_rule.view(), "own");
    }
    hub.pass_seconds(61);
    hub.settle();
    const auto ended = hub.events();
    ASSERT_EQ(ended.size(), row.end ? 1u : 0u);
    if (row.end) {
      EXPECT_EQ(ended[0].flow_stats.end, FlowEnd::timeout);
    }
  }
}

TEST(RuleLog, WhatIsRefusedIsToldWithinABudgetOfEachRule) {
  SnapshotBuilder b = network_without_rules();
  b.rule({.id = "no-tcp",
          .action = PolicyAction::deny,
          .protocol = 6,
          .effects = {.log = RuleEffects::kAtStart}});
  b.rule({.id = "no-ping",
          .action = PolicyAction::deny,
          .protocol = 1,
          .effects = {.log = RuleEffects::kAtEnd}});
  b.rule({.id = "quiet", .action = PolicyAction::deny, .from = {"red"}});
  TestHub hub(b.build(), {.rule_events_per_second = 4});
  const auto refused = [&](const Transport& transport) { hub.pass_through(from_spoke(kA, kB, transport)); };
  for (uint16_t i = 0; i < 10; ++i) refused(tcp(kSyn, 1, 0, "", i));
  refused(echo());
  refused(udp());
  auto events = hub.events();
  ASSERT_EQ(events.size(), 5u) << "a second's worth at once; another rule has its own";
  EXPECT_EQ(events[0].kind, EventKind::drop);
  EXPECT_EQ(events[0].drop_reason.view(), "policy_deny");
  EXPECT_EQ(events[0].flow.policy_rule.view(), "no-tcp");
  EXPECT_EQ(events[0].flow.from_domain.view(), "red");
  EXPECT_EQ(events[0].flow.to_domain.view(), "blue");
  EXPECT_EQ(events[0].flow.dst_port, 80);
  EXPECT_EQ(events[0].flow.flow_id, 0u);
  EXPECT_EQ(events[0].packet_length, 40u);
  EXPECT_EQ(events[4].flow.policy_rule.view(), "no-ping");
  EXPECT_EQ(events[4].flow.src_port, 8u) << "the ICMP type";
  for (const auto& event : events) EXPECT_EQ(event.suppressed, 0u);
  EXPECT_EQ(hub.moved(), dropped(DropReason::policy_deny, 12) + Counts({{"rule_events_suppressed", 6}}));
  hub.pass_seconds(0.26);
  for (uint16_t i = 0; i < 2; ++i) refused(tcp(kSyn, 1, 0, "", i));
  events = hub.events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].suppressed, 6u);
  hub.pass_seconds(10);
  refused(tcp(kSyn));
  events = hub.events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].suppressed, 1u);
}

TEST(RuleLog, ARuleThatWatchesTellsWhatItWouldDo) {
  for (const bool allowed : {true, false}) {
    SnapshotBuilder b = network_without_rules();
    b.rule({.id = "trial",
            .action = PolicyAction::reject,
            .protocol = 17,
            .watch = true,
            .effects = {.log = RuleEffects::kAtStart}});
    b.rule({.id = "rest", .action = allowed ? PolicyAction::allow : PolicyAction::deny});
    TestHub hub(b.build());
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp())).size(), allowed ? 1u : 0u);
    const auto events = hub.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].kind, EventKind::watch);
    EXPECT_EQ(events[0].policy_action, PolicyAction::reject);
    EXPECT_EQ(events[0].flow.policy_rule.view(), "trial");
  }
}

TEST(RuleLog, WhatNoRuleMatchesIsToldIfItIsSaidSo) {
  for (const bool told : {false, true}) {
    SnapshotBuilder b = network_without_rules();
    b.rule({.id = "udp", .action = PolicyAction::allow, .protocol = 17});
    auto snapshot = b.build();
    snapshot->log_default_deny = told;
    TestHub hub(std::move(snapshot), {.rule_events_per_second = 4});
    for (uint16_t i = 0; i < 6; ++i) hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 1, 0, "", i)));
    const auto events = hub.events();
    ASSERT_EQ(events.size(), told ? 4u : 0u);
    EXPECT_EQ(hub.moved(), dropped(DropReason::policy_default_deny, 6) +
                               (told ? Counts({{"rule_events_suppressed", 2}}) : Counts()));
    if (!told) continue;
    EXPECT_EQ(events[0].kind, EventKind::drop);
    EXPECT_EQ(events[0].drop_reason.view(), "policy_default_deny");
    EXPECT_EQ(events[0].flow.policy_rule.view(), "");
    EXPECT_EQ(events[0].flow.from_domain.view(), "red");
    EXPECT_EQ(events[0].flow.dst_port, 80);
    hub.pass_seconds(1);
    hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 1, 0, "", 7)));
    EXPECT_EQ(hub.events().at(0).suppressed, 2u);
  }
}

TEST(RuleLog, ALiveSessionThatIsDeniedAfterAChangeIsToldToo) {
  struct Row {
    const char* name;
    PolicyAction action;
    uint8_t log;
    bool rule, told;
  };
  const Row rows[] = {{"denied", PolicyAction::deny, kBoth, true, true},
                      {"rejected", PolicyAction::reject, RuleEffects::kAtStart, true, true},
                      {"not logged", PolicyAction::deny, 0, true, false},
                      {"no rule", PolicyAction::deny, 0, false, true}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    SnapshotBuilder b = network_without_rules();
    b.rule({.id = "all", .action = PolicyAction::allow});
    TestHub hub(b.build());
    ASSERT_EQ(hub.pass_through(from_spoke(kA, kB, udp())).size(), 1u);
    ASSERT_EQ(hub.pass_through(from_spoke(kB, kA, udp(2000, 1000))).size(), 1u);
    SnapshotBuilder other = network_without_rules();
    if (row.rule) other.rule({.id = "no", .action = row.action, .effects = {.log = row.log}});
    auto next = later_than(hub, other);
    next->log_default_deny = !row.rule;
    hub.publish(std::move(next));
    hub.moved();
    EXPECT_TRUE(hub.pass_through(from_spoke(kB, kA, udp(2000, 1000))).empty());
    EXPECT_EQ(hub.moved().at("cut_policy"), 1);
    const auto events = hub.events();
    ASSERT_EQ(events.size(), row.told ? 1u : 0u);
    for (const auto& punt : hub.plane().take_punts(8)) hub.plane().discard(punt, DropReason::policy_reject);
    if (!row.told) continue;
    EXPECT_EQ(events[0].kind, EventKind::drop);
    EXPECT_EQ(events[0].drop_reason.view(), !row.rule                            ? "policy_default_deny"
                                            : row.action == PolicyAction::reject ? "policy_reject"
                                                                                 : "policy_deny");
    EXPECT_EQ(events[0].flow.policy_rule.view(), row.rule ? "no" : "");
    EXPECT_NE(events[0].flow.flow_id, 0u) << "that of its flow record";
    EXPECT_EQ(events[0].flow.src_port, 1'000u) << "the initiator's, whoever's packet it was";
    EXPECT_TRUE(events[0].alert.to_client);
    EXPECT_EQ(events[0].flow_stats.packets_to_client, 1u);
  }
}

TEST(RuleLog, WithoutABudgetNothingIsTold) {
  SnapshotBuilder b = network_without_rules();
  b.rule({.id = "no", .action = PolicyAction::deny, .effects = {.log = kBoth}});
  TestHub hub(b.build(), {.rule_events_per_second = 0});
  hub.pass_through(from_spoke(kA, kB, udp()));
  EXPECT_TRUE(hub.events().empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::policy_deny) + Counts({{"rule_events_suppressed", 1}}));
}

/// The inner frame with a traffic class.
Bytes with_class(const Spoke& from, const Spoke& to, Ip ip, uint8_t traffic_class, bool forwarded) {
  PacketBuilder b;
  b.ether(forwarded ? to.host_mac : from.hub_mac, forwarded ? to.hub_mac : from.host_mac);
  b.ip(host_of(from, ip), host_of(to, ip)).ttl(forwarded ? 63 : 64).traffic_class(traffic_class);
  udp()(b);
  return b.build();
}

TEST(RuleDscp, IsWrittenAndTheOuterHeaderFollowsAsItIsConfigured) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    for (const bool uniform : {false, true}) {
      SnapshotBuilder b = network_without_rules();
      b.rule({.id = "voice", .action = PolicyAction::allow, .from = {"red"}, .effects = {.dscp = 46}});
      b.change("b", [&](dataplane::Attachment& a) {
        a.tunnel.dscp_model = uniform ? dataplane::DscpModel::uniform : dataplane::DscpModel::pipe;
        a.tunnel.dscp = uniform ? 0 : 10;
        dataplane::make_outer_template(a, kPortMac, 0);
      });
      TestHub hub(b.build());
      for (int packet = 0; packet < 2; ++packet) {  // the first one, and one of a session that is there
        // CS1, ECT(0).
        const auto got = hub.pass_through(tunnelled(kA, with_class(kA, kB, ip, 8 << 2 | 2, false)));
        ASSERT_EQ(got.size(), 1u);
        EXPECT_EQ(inner_of(got[0]), with_class(kA, kB, ip, 46 << 2 | 2, true)) << "ECN stays";
        EXPECT_EQ(got[0][15], (uniform ? 46 : 10) << 2 | 2) << "type of service of the outer header";
      }
    }
  }
}

TEST(RuleDscp, IsForBothDirectionsAndGoesWithTheRule) {
  SnapshotBuilder b = network_without_rules();
  b.rule({.id = "bulk", .action = PolicyAction::allow, .from = {"red"}, .effects = {.dscp = 8}});
  TestHub hub(b.build());
  hub.pass_through(from_spoke(kA, kB, udp()));
  auto back = hub.pass_through(from_spoke(kB, kA, udp(2000, 1000)));
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(inner_of(back[0])[15], 8 << 2);
  SnapshotBuilder plain = network_without_rules();
  plain.rule({.id = "bulk", .action = PolicyAction::allow, .from = {"red"}});
  auto next = plain.build();
  while (next->version <= hub.plane().current().version) next = plain.build();
  hub.publish(std::move(next));
  back = hub.pass_through(from_spoke(kB, kA, udp(2000, 1000)));
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(inner_of(back[0])[15], 0);
}

}  // namespace
}  // namespace weir::test
