// Isolation and policy: of first packets, and of live sessions after a change.
#include <gtest/gtest.h>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::DropReason;
using dataplane::PolicyAction;

TEST(Isolation, TheSameFramesPassOnceConnectedAndAllowed) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    SnapshotBuilder b = network();
    TestHub hub(b.build());
    const std::vector<Bytes> frames = {from_spoke(kA, kC, udp(), ip), from_spoke(kA, kC, tcp(kSyn), ip),
                                       from_spoke(kA, kC, echo(), ip)};
    for (const Bytes& frame : frames) EXPECT_TRUE(hub.pass_through(frame).empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::no_connection, 3));

    b.connection("red", "green");
    hub.publish(b.build());
    for (const Bytes& frame : frames)
      EXPECT_TRUE(hub.pass_through(frame).empty()) << "connected, but no rule yet";
    EXPECT_EQ(hub.moved(), dropped(DropReason::policy_default_deny, 3));

    b.rule({.id = "to-green", .action = PolicyAction::allow, .from = {"red"}, .to = {"green"}});
    hub.publish(b.build());
    for (const Bytes& frame : frames) EXPECT_EQ(hub.pass_through(frame).size(), 1u);
    EXPECT_EQ(hub.moved(), started(3));
  }
}

TEST(Isolation, AReplyNeedsItsSessionNotARule) {
  TestHub hub(network().build());
  EXPECT_TRUE(hub.pass_through(from_spoke(kB, kA, udp(2000, 1000))).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::policy_default_deny));
  hub.pass_through(from_spoke(kA, kB, udp(1000, 2000)));
  expect_forwarded(hub.pass_through(from_spoke(kB, kA, udp(2000, 1000))), kB, kA, udp(2000, 1000));
  EXPECT_TRUE(hub.pass_through(from_spoke(kB, kA, udp(2001, 1000))).empty())
      << "another port is another session";
  EXPECT_EQ(hub.moved(), started() + forwarded() + dropped(DropReason::policy_default_deny));
}

TEST(Policy, FirstMatchDecides) {
  SnapshotBuilder b = network();
  TestHub hub(b.build());
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 1, 0, "", 5, 23))).empty());
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 1, 0, "", 5, 22))).size(), 1u);
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(5, 23))).size(), 1u) << "UDP port 23 is not telnet";
  EXPECT_EQ(hub.moved(), dropped(DropReason::policy_deny) + started(2));
}

TEST(Policy, ARejectedSessionGoesToControlWhichTellsItsSender) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    SnapshotBuilder b = network_without_rules();
    b.rule({.id = "reject", .action = PolicyAction::reject, .from = {"red"}, .to = {"blue"}, .protocol = 6});
    b.rule({.id = "rest", .action = PolicyAction::allow, .from = {"red"}, .to = {"blue"}});
    TestHub hub(b.build());
    EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, tcp(kSyn), ip)).empty());
    EXPECT_EQ(hub.moved(), punted());
    const auto punts = hub.plane().take_punts(8);
    ASSERT_EQ(punts.size(), 1u);
    EXPECT_EQ(punts[0].reason, dataplane::PuntReason::reject);
    EXPECT_EQ(punts[0].attachment, b.attachment_id("a"));
    hub.plane().discard(punts[0], DropReason::policy_reject);
    EXPECT_EQ(hub.plane().control_dropped(DropReason::policy_reject), 1u);
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(), ip)).size(), 1u);
    EXPECT_EQ(hub.plane().rule_hits(0).sessions, 1u) << "refused ones count too";
    EXPECT_EQ(hub.plane().rule_hits(1).sessions, 1u);
  }
}

TEST(Policy, RulesCountTheSessionsThatTheyDecide) {
  SnapshotBuilder b = network_without_rules();
  b.rule(
      {.id = "deny-22", .action = PolicyAction::deny, .from = {"red"}, .protocol = 6, .ports = {{22, 22}}});
  b.rule({.id = "watch", .action = PolicyAction::deny, .from = {"red"}, .protocol = 6, .watch = true});
  b.rule({.id = "allow", .action = PolicyAction::allow, .from = {"red"}, .to = {"blue"}});
  TestHub hub(b.build());
  const auto sessions = [&](dataplane::RuleIndex rule) { return hub.plane().rule_hits(rule).sessions; };
  EXPECT_EQ(hub.plane().rule_hits(2).last_ns, 0u);
  hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 1, 0, "", 5, 80)));
  hub.pass_through(from_spoke(kB, kA, tcp(kSyn | kAck, 9, 2, "", 80, 5)));
  hub.pass_through(from_spoke(kA, kB, tcp(kAck, 2, 10, "", 5, 80)));
  EXPECT_EQ(sessions(1), 1u) << "it watches";
  EXPECT_EQ(sessions(2), 1u) << "a session counts once, and only the rule that let it through decided";
  const auto last = hub.plane().rule_hits(2).last_ns;
  EXPECT_NE(last, 0u);
  hub.pass_seconds(1);
  hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 1, 0, "", 6, 22)));
  EXPECT_EQ(sessions(0), 1u);
  EXPECT_EQ(sessions(1), 1u) << "another rule decided before";
  hub.pass_through(from_spoke(kA, kB, udp()));
  EXPECT_EQ(sessions(2), 2u);
  EXPECT_GE(hub.plane().rule_hits(2).last_ns, last + 1'000'000'000);
  hub.pass_through(from_spoke(kB, kA, udp(1, 1)));
  EXPECT_EQ(sessions(dataplane::kDefaultDeny), 1u);
  EXPECT_EQ(sessions(12'345'678), 0u) << "there are no counters beyond the limit";
}

TEST(Policy, IcmpIsToldApartByItsTypeAndStaysSoAfterAChange) {
  const SnapshotBuilder base = network_without_rules();
  SnapshotBuilder pings = base, stamps = base;
  const auto types = [](SnapshotBuilder& b, uint16_t type) {
    b.rule({.id = "icmp",
            .action = PolicyAction::allow,
            .from = {"red"},
            .to = {"blue"},
            .protocol = 1,
            .ports = {{type, type}}});
  };
  types(pings, 8);
  types(stamps, 13);
  TestHub hub(pings.build());
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, echo())).size(), 1u);
  EXPECT_EQ(hub.moved(), started());
  pings.rule({.id = "more", .action = PolicyAction::allow, .from = {"blue"}});
  auto next = pings.build();
  while (next->version <= hub.plane().current().version) next = pings.build();
  hub.publish(std::move(next));
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, echo(77, 2))).size(), 1u) << "an echo session still";
  EXPECT_EQ(hub.moved(), forwarded() + Counts({{"redecided_policy", 1}}));
  next = stamps.build();
  while (next->version <= hub.plane().current().version) next = stamps.build();
  hub.publish(std::move(next));
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, echo(77, 3))).empty());
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, echo(78, 1))).empty());
}

TEST(Policy, ASessionThatComesByAnotherAttachmentIsDecidedAgain) {
  Spoke elsewhere = kD;  // A's host, reached through spoke D of the same domain too
  elsewhere.host4 = kA.host4;
  for (const bool both : {true, false}) {
    SnapshotBuilder b = network_without_rules();
    know_host(b, elsewhere);
    b.route("red", "10.1.0.5/32", "a").route("red", "10.1.0.5/32", "d");
    b.rule({.id = "behind",
            .action = PolicyAction::allow,
            .to = {"blue"},
            .from_attachments = both ? std::vector<std::string>{"a", "d"} : std::vector<std::string>{"a"}});
    TestHub hub(b.build());
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp())).size(), 1u);
    EXPECT_EQ(hub.moved(), started());
    EXPECT_EQ(hub.pass_through(from_spoke(elsewhere, kB, udp())).size(), both ? 1u : 0u);
    const Counts expected =
        both ? forwarded()
             : dropped(DropReason::policy_default_deny) +
                   Counts({{"cut_route", 1}, {"sessions_expired", 1}, {"sessions_live", -1}});
    EXPECT_EQ(hub.moved(), expected + Counts({{"redecided_route", 1}}));
  }
}

TEST(Policy, ASessionThatLeavesByAnotherAttachmentIsDecidedAgain) {
  for (const bool both : {true, false}) {
    SnapshotBuilder b = network_without_rules();
    b.attachment("b2", "blue", 99, "198.18.0.99", "10.99.0.1/24");
    if (!b.adjacencies().set(b.attachment_id("b2"), *net::parse_ip("10.99.0.2"), kB.host_mac)) FAIL();
    b.route("blue", "10.2.0.5/32", "b");
    b.rule({.id = "out-by",
            .action = PolicyAction::allow,
            .from = {"red"},
            .to_attachments = both ? std::vector<std::string>{"b", "b2"} : std::vector<std::string>{"b"}});
    TestHub hub(b.build());
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp())).size(), 1u);
    EXPECT_EQ(hub.moved(), started());
    // The policy stays as it is; only the way is another one.
    dataplane::NextHop other;
    other.attachment = b.attachment_id("b2");
    other.domain = b.domain_id("blue");
    other.has_via = true;
    other.via = *net::parse_ip("10.99.0.2");
    ASSERT_TRUE(b.routes().set(b.domain_id("blue"), *net::parse_prefix("10.2.0.5/32"), std::span(&other, 1)));
    b.routes().finish(b.routes().take_pending());
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp())).size(), both ? 1u : 0u);
    Counts expected = both ? forwarded()
                           : dropped(DropReason::policy_default_deny) +
                                 Counts({{"cut_route", 1}, {"sessions_expired", 1}, {"sessions_live", -1}});
    EXPECT_EQ(hub.moved(), expected + Counts({{"redecided_route", 1}}));
  }
}

/// As it is for a change that touches no policy: the same versions.
void keep_policy(TestHub& hub, dataplane::Snapshot& next) { next.policy = hub.plane().current().policy; }

SnapshotBuilder with_rule(const SnapshotBuilder& base, PolicyAction action) {
  SnapshotBuilder b = base;
  b.rule({.id = "the-rule", .action = action, .from = {"red"}, .to = {"blue"}, .protocol = 17});
  return b;
}

TEST(PolicyChange, CutsALiveSessionBothWays) {
  for (const bool reply_first : {false, true}) {
    const SnapshotBuilder base = network_without_rules();
    SnapshotBuilder allowed = with_rule(base, PolicyAction::allow),
                    denied = with_rule(base, PolicyAction::deny);
    TestHub hub(allowed.build());
    hub.pass_through(from_spoke(kA, kB, udp(1000, 2000)));
    hub.publish(later_than(hub, denied));
    EXPECT_EQ(hub.moved(), started());
    const Bytes there = from_spoke(kA, kB, udp(1000, 2000)), back = from_spoke(kB, kA, udp(2000, 1000));
    EXPECT_TRUE(hub.pass_through(reply_first ? back : there).empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::policy_deny) + Counts({{"redecided_policy", 1},
                                                                      {"cut_policy", 1},
                                                                      {"sessions_expired", 1},
                                                                      {"sessions_live", -1}}));
    EXPECT_TRUE(hub.pass_through(reply_first ? there : back).empty());
    EXPECT_EQ(hub.moved(), dropped(reply_first ? DropReason::policy_deny : DropReason::policy_default_deny));
  }
}

TEST(PolicyChange, WhoIsRejectedFromNowOnIsTold) {
  for (const bool reply_first : {false, true}) {
    const SnapshotBuilder base = network_without_rules();
    SnapshotBuilder allowed = with_rule(base, PolicyAction::allow),
                    rejected = with_rule(base, PolicyAction::reject);
    TestHub hub(allowed.build());
    hub.pass_through(from_spoke(kA, kB, udp(1000, 2000)));
    hub.publish(later_than(hub, rejected));
    EXPECT_EQ(hub.moved(), started());
    const Bytes there = from_spoke(kA, kB, udp(1000, 2000)), back = from_spoke(kB, kA, udp(2000, 1000));
    EXPECT_TRUE(hub.pass_through(reply_first ? back : there).empty());
    EXPECT_EQ(hub.moved(), punted() + Counts({{"redecided_policy", 1},
                                              {"cut_policy", 1},
                                              {"sessions_expired", 1},
                                              {"sessions_live", -1}}));
    const auto punts = hub.plane().take_punts(8);
    ASSERT_EQ(punts.size(), 1u);
    EXPECT_EQ(punts[0].reason, dataplane::PuntReason::reject);
    EXPECT_EQ(punts[0].attachment, allowed.attachment_id(reply_first ? "b" : "a"));
    hub.plane().discard(punts[0], DropReason::policy_reject);
  }
}

TEST(PolicyChange, KeepsWhatIsAllowedStill) {
  const SnapshotBuilder base = network_without_rules();
  SnapshotBuilder first = with_rule(base, PolicyAction::allow), second = base;
  second.rule({.id = "narrower",
               .action = PolicyAction::allow,
               .from = {"red"},
               .to = {"blue"},
               .protocol = 17,
               .ports = {{2000, 2000}}});
  TestHub hub(first.build());
  hub.pass_through(from_spoke(kA, kB, udp(1000, 2000)));
  hub.pass_through(from_spoke(kA, kB, udp(1000, 2001)));
  EXPECT_EQ(hub.moved(), started(2));
  hub.publish(later_than(hub, second));
  expect_forwarded(hub.pass_through(from_spoke(kB, kA, udp(2000, 1000))), kB, kA, udp(2000, 1000));
  EXPECT_EQ(hub.moved(), forwarded() + Counts({{"redecided_policy", 1}}));
  expect_forwarded(hub.pass_through(from_spoke(kA, kB, udp(1000, 2000))), kA, kB, udp(1000, 2000));
  EXPECT_EQ(hub.moved(), forwarded()) << "once is enough";
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(1000, 2001))).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::policy_default_deny) + Counts({{"redecided_policy", 1},
                                                                            {"cut_policy", 1},
                                                                            {"sessions_expired", 1},
                                                                            {"sessions_live", -1}}));
}

/// The rule stays, and its action: who is in its group is another matter.
SnapshotBuilder with_group(const SnapshotBuilder& base, std::vector<const char*> members) {
  auto group = std::make_shared<dataplane::PolicyGroup>();
  group->name = "clients";
  for (const char* member : members) group->prefixes.push_back(net::parse_prefix(member).value());
  SnapshotBuilder b = base;
  dataplane::PolicyRule rule;
  rule.id = "clients";
  rule.action = PolicyAction::allow;
  rule.from.groups = {group};
  b.policy_rule(rule);
  return b;
}

TEST(PolicyChange, AGroupThatGrowsKeepsAndOneThatShrinksCuts) {
  const SnapshotBuilder base = network_without_rules();
  const std::string host = std::string(kA.host4) + "/32";
  SnapshotBuilder first = with_group(base, {host.c_str()}),
                  grown = with_group(base, {host.c_str(), "10.9.0.0/16"}),
                  shrunk = with_group(base, {"10.9.0.0/16"});
  TestHub hub(first.build());
  hub.pass_through(from_spoke(kA, kB, udp()));
  EXPECT_EQ(hub.moved(), started());
  hub.publish(later_than(hub, grown));
  expect_forwarded(hub.pass_through(from_spoke(kA, kB, udp())), kA, kB, udp());
  EXPECT_EQ(hub.moved(), forwarded() + Counts({{"redecided_policy", 1}}));
  hub.publish(later_than(hub, shrunk));
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp())).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::policy_default_deny) + Counts({{"redecided_policy", 1},
                                                                            {"cut_policy", 1},
                                                                            {"sessions_expired", 1},
                                                                            {"sessions_live", -1}}));
}

TEST(PolicyChange, AConnectionThatGoesCutsToo) {
  SnapshotBuilder apart, joined;
  apart.domain("red").domain("blue");
  apart.attachment("a", "red", kA.vni, kA.tunnel_end, "10.1.0.1/24,2001:db8:1::1/64");
  apart.attachment("b", "blue", kB.vni, kB.tunnel_end, "10.2.0.1/24,2001:db8:2::1/64");
  apart.rule({.id = "all", .action = PolicyAction::allow});
  know_host(apart, kA);
  know_host(apart, kB);
  joined = apart;
  joined.connection("red", "blue");
  TestHub hub(joined.build());
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp())).size(), 1u);
  hub.publish(later_than(hub, apart));
  hub.moved();
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp())).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::no_connection) + Counts({{"redecided_policy", 1},
                                                                      {"cut_policy", 1},
                                                                      {"sessions_expired", 1},
                                                                      {"sessions_live", -1}}));
}

TEST(VersionsUnchanged, NothingIsDecidedAgain) {
  SnapshotBuilder b = network();
  TestHub hub(b.build());
  hub.pass_through(from_spoke(kA, kB, udp()));
  hub.moved();
  auto next = b.build();
  keep_policy(hub, *next);
  hub.publish(std::move(next));
  hub.pass_through(from_spoke(kA, kB, udp()));
  EXPECT_EQ(hub.moved(), forwarded());
}

TEST(NextHopChange, ANewMacMovesNoVersion) {
  SnapshotBuilder b = network();
  TestHub hub(b.build());
  hub.pass_through(from_spoke(kA, kB, udp()));
  Spoke moved_host = kB;
  moved_host.host_mac = {{2, 0x0b, 0, 0, 0, 0x99}};
  know_host(b, moved_host);
  hub.moved();
  expect_forwarded(hub.pass_through(from_spoke(kA, kB, udp())), kA, moved_host, udp());
  EXPECT_EQ(hub.moved(), forwarded());
}

/// Two spokes of blue, to either of which a route may lead.
struct TwoWays {
  TwoWays() : base(network()) {
    base.attachment("e", "blue", kE.vni, kE.tunnel_end, "10.5.0.1/24");
    EXPECT_TRUE(base.adjacencies().set(base.attachment_id("e"), *net::parse_ip(kE.host4), kE.host_mac));
  }
  SnapshotBuilder by(const Spoke& spoke) {
    SnapshotBuilder b = base;
    b.route("blue", "172.16.0.0/12", spoke.name, spoke.host4);
    return b;
  }
  static Bytes frame(net::Mac dst, net::Mac src, bool back, uint8_t ttl) {
    const char *client = kA.host4, *server = "172.16.0.1";
    return PacketBuilder()
        .ether(dst, src)
        .ipv4(back ? server : client, back ? client : server)
        .ttl(ttl)
        .udp(back ? 2000 : 1000, back ? 1000 : 2000)
        .payload("x")
        .build();
  }
  static Bytes there() { return tunnelled(kA, frame(kA.hub_mac, kA.host_mac, false, 64)); }
  static Bytes back(const Spoke& by) { return tunnelled(by, frame(by.hub_mac, by.host_mac, true, 64)); }

  static inline const Spoke kE = {
      "e",  "blue",     50,   "198.18.0.50",           {{2, 0xee, 0, 0, 0, 4}}, "10.5.0.1",
      "::", "10.5.0.5", "::", {{2, 0x0e, 0, 0, 0, 5}}, {{2, 0x57, 0, 0, 0, 4}}, {{2, 0xaa, 0, 0, 0, 4}}};
  SnapshotBuilder base;
};

TEST(HealthChange, SessionsLeaveADownAttachmentAndSurviveWhenAllAreDown) {
  TwoWays ways;
  SnapshotBuilder b = ways.by(kB);
  b.route("blue", "172.16.0.0/12", "e", TwoWays::kE.host4);
  const Spoke& e = TwoWays::kE;
  const auto set = [&](const Spoke& spoke, bool usable) {  // as control does
    const dataplane::AttachmentId id = b.attachment_id(spoke.name);
    const net::IpAddress host = *net::parse_ip(spoke.host4);
    b.board().set_usable(id, usable);
    if (usable) {
      ASSERT_TRUE(b.adjacencies().set(id, host, spoke.host_mac));
    } else {
      b.adjacencies().remove(b.adjacencies().find(id, host));
    }
  };
  TestHub hub(b.build());
  const auto leaves_by = [&](const std::vector<Bytes>& got) -> const Spoke& {
    EXPECT_EQ(got.size(), 1u);
    return !got.empty() && vni_of(got[0]) == kB.vni ? kB : e;
  };
  const Spoke& first = leaves_by(hub.pass_through(TwoWays::there()));
  const Spoke& second = &first == &kB ? e : kB;
  EXPECT_EQ(hub.moved(), started());

  set(first, false);
  expect_sent(hub.pass_through(TwoWays::there()), second,
              TwoWays::frame(second.host_mac, second.hub_mac, false, 63));
  EXPECT_EQ(hub.moved(), forwarded()) << "another member of the same route: no route has changed";

  set(second, false);
  EXPECT_TRUE(hub.pass_through(TwoWays::there()).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::attachment_down)) << "the session is not cut";

  set(second, true);
  expect_sent(hub.pass_through(TwoWays::there()), second,
              TwoWays::frame(second.host_mac, second.hub_mac, false, 63));
  hub.moved();
  set(first, true);
  expect_sent(hub.pass_through(TwoWays::there()), second,
              TwoWays::frame(second.host_mac, second.hub_mac, false, 63));
  EXPECT_EQ(hub.moved(), forwarded()) << "what works is left where it is";
}

TEST(HealthChange, NoFirstPacketLeavesByADownAttachment) {
  SnapshotBuilder b = network();
  TestHub hub(b.build());
  b.board().set_usable(b.attachment_id("b"), false);
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp())).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::attachment_down));
  b.board().set_usable(b.attachment_id("b"), true);
  b.board().set_usable(b.attachment_id("a"), false);
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp())).empty()) << "no reply would find its way";
  EXPECT_EQ(hub.moved(), dropped(DropReason::attachment_down));
}

TEST(RouteChange, TheSessionFollows) {
  TwoWays ways;
  SnapshotBuilder by_b = ways.by(kB), by_e = ways.by(TwoWays::kE);
  const Spoke& e = TwoWays::kE;
  TestHub hub(by_b.build());
  expect_sent(hub.pass_through(TwoWays::there()), kB, TwoWays::frame(kB.host_mac, kB.hub_mac, false, 63));
  EXPECT_EQ(hub.moved(), started());
  auto next = later_than(hub, by_e);
  keep_policy(hub, *next);
  hub.publish(std::move(next));
  expect_sent(hub.pass_through(TwoWays::there()), e, TwoWays::frame(e.host_mac, e.hub_mac, false, 63));
  EXPECT_EQ(hub.moved(), forwarded() + Counts({{"redecided_route", 1}}));
  expect_sent(hub.pass_through(TwoWays::back(e)), kA, TwoWays::frame(kA.host_mac, kA.hub_mac, true, 63));
  EXPECT_EQ(hub.moved(), forwarded());
  EXPECT_TRUE(hub.pass_through(TwoWays::back(kB)).empty()) << "the old way is none any more";
  EXPECT_EQ(hub.moved(), dropped(DropReason::reverse_path));
}

TEST(RouteChange, AnUnresolvedNewNextHopHoldsThePacket) {
  TwoWays ways;
  SnapshotBuilder by_b = ways.by(kB), by_e = ways.base;
  by_e.route("blue", "172.16.0.0/12", "e", "10.5.0.77");
  TestHub hub(by_b.build());
  hub.pass_through(TwoWays::there());
  auto next = later_than(hub, by_e);
  keep_policy(hub, *next);
  hub.publish(std::move(next));
  hub.moved();
  EXPECT_TRUE(hub.pass_through(TwoWays::there()).empty());
  EXPECT_EQ(hub.moved(), punted() + Counts({{"redecided_route", 1}}));
  const auto punts = hub.plane().take_punts(8);
  ASSERT_EQ(punts.size(), 1u);
  EXPECT_EQ(net::to_string(punts[0].target), "10.5.0.77");
  ASSERT_TRUE(
      by_e.adjacencies().set(by_e.attachment_id("e"), *net::parse_ip("10.5.0.77"), TwoWays::kE.host_mac));
  hub.plane().resume(punts[0]);
  hub.settle();
  EXPECT_EQ(hub.sent().size(), 1u);
  EXPECT_EQ(hub.moved(), Counts({{"resumed", 1}, {"tx", 1}, {"forwarded", 1}}));
}

TEST(RouteChange, ARouteThatGoesCutsTheSession) {
  TwoWays ways;
  SnapshotBuilder with = ways.by(kB), without = ways.base;
  TestHub hub(with.build());
  hub.pass_through(TwoWays::there());
  auto next = later_than(hub, without);
  keep_policy(hub, *next);
  hub.publish(std::move(next));
  hub.moved();
  EXPECT_TRUE(hub.pass_through(TwoWays::there()).empty());
  EXPECT_EQ(
      hub.moved(),
      dropped(DropReason::no_route) +
          Counts({{"redecided_route", 1}, {"cut_route", 1}, {"sessions_expired", 1}, {"sessions_live", -1}}));
}

TEST(RouteChange, RoutesOfOthersConcernNoSession) {
  SnapshotBuilder b = network();
  TestHub hub(b.build());
  hub.pass_through(from_spoke(kA, kB, udp()));
  hub.moved();
  // Beside the session's route, and in domains that it has nothing to do with.
  dataplane::NextHop hop;
  hop.attachment = b.attachment_id("b");
  hop.domain = b.domain_id("blue");
  for (int n = 0; n < 100; ++n) {
    const net::Prefix prefix{net::Ipv4{0x0a60'0000u + (static_cast<uint32_t>(n) << 8)}, 24};
    for (const char* domain : {"red", "blue", "green"}) {
      ASSERT_TRUE(b.routes().set(b.domain_id(domain), prefix, std::span(&hop, 1)));
      if (n % 2 == 0) {
        EXPECT_TRUE(b.routes().remove(b.domain_id(domain), prefix));
      }
    }
    b.routes().finish(b.routes().take_pending());
    hub.pass_through(from_spoke(kA, kB, udp()));
    ASSERT_EQ(hub.moved(), forwarded());
  }
}

TEST(RouteChange, ASessionKeepsItsMemberWhenOthersCome) {
  TwoWays ways;
  SnapshotBuilder b = ways.by(kB);
  TestHub hub(b.build());
  hub.pass_through(TwoWays::there());
  EXPECT_EQ(hub.moved(), started());
  dataplane::NextHop old_one, new_one;
  old_one.attachment = b.attachment_id("b");
  new_one.attachment = b.attachment_id("e");
  old_one.domain = new_one.domain = b.domain_id("blue");
  old_one.has_via = new_one.has_via = true;
  old_one.via = *net::parse_ip(kB.host4);
  new_one.via = *net::parse_ip(TwoWays::kE.host4);
  new_one.weight = 255;  // so that a session that chose anew would choose it
  const net::Prefix prefix = *net::parse_prefix("172.16.0.0/12");
  const dataplane::NextHop both[] = {new_one, old_one};
  ASSERT_TRUE(b.routes().set(b.domain_id("blue"), prefix, both));
  b.routes().finish(b.routes().take_pending());
  expect_sent(hub.pass_through(TwoWays::there()), kB, TwoWays::frame(kB.host_mac, kB.hub_mac, false, 63));
  EXPECT_EQ(hub.moved(), forwarded() + Counts({{"redecided_route", 1}}));
  ASSERT_TRUE(b.routes().set(b.domain_id("blue"), prefix, std::span(&new_one, 1)));
  b.routes().finish(b.routes().take_pending());
  const Spoke& e = TwoWays::kE;
  expect_sent(hub.pass_through(TwoWays::there()), e, TwoWays::frame(e.host_mac, e.hub_mac, false, 63));
  EXPECT_EQ(hub.moved(), forwarded() + Counts({{"redecided_route", 1}}));
}

TEST(OtherIngress, TheRepliesFollowTheInitiator) {
  // a and d both lead to the initiator: its packets move from one to the other in the middle of a session.
  SnapshotBuilder b = network();
  b.route("red", "192.168.0.0/24", "a", kA.host4).route("red", "192.168.0.0/24", "d", kD.host4);
  TestHub hub(b.build());
  const auto frame = [](net::Mac dst, net::Mac src, bool back, uint8_t ttl) {
    const char *client = "192.168.0.7", *server = kB.host4;
    return PacketBuilder()
        .ether(dst, src)
        .ipv4(back ? server : client, back ? client : server)
        .ttl(ttl)
        .udp(back ? 2000 : 1000, back ? 1000 : 2000)
        .payload("x")
        .build();
  };
  const Bytes reply = tunnelled(kB, frame(kB.hub_mac, kB.host_mac, true, 64));
  hub.pass_through(tunnelled(kA, frame(kA.hub_mac, kA.host_mac, false, 64)));
  expect_sent(hub.pass_through(reply), kA, frame(kA.host_mac, kA.hub_mac, true, 63));
  hub.pass_through(tunnelled(kD, frame(kD.hub_mac, kD.host_mac, false, 64)));
  expect_sent(hub.pass_through(reply), kD, frame(kD.host_mac, kD.hub_mac, true, 63));
  EXPECT_EQ(hub.moved(), started() + forwarded(3));
}

TEST(OtherIngress, AForgedSourceDoesNotTakeTheSessionOver) {
  TestHub hub(network().build());
  hub.pass_through(from_spoke(kA, kB, udp()));
  // d is in the same domain, so the tuple finds the session; but a's host is not reached through d.
  EXPECT_TRUE(hub.pass_through(tunnelled(kD, PacketBuilder()
                                                 .ether(kD.hub_mac, kD.host_mac)
                                                 .ipv4(kA.host4, kB.host4)
                                                 .udp(1000, 2000)
                                                 .payload("forged")
                                                 .build()))
                  .empty());
  EXPECT_EQ(hub.moved(), started() + dropped(DropReason::reverse_path));
  expect_forwarded(hub.pass_through(from_spoke(kB, kA, udp(2000, 1000))), kB, kA, udp(2000, 1000));
}

}  // namespace
}  // namespace weir::test
