// The way of a packet through detection: kinds of rules and their moments, order, flow bits, thresholds,
// streams, verdicts.
#include "inspection/detect/detector.h"

#include "detection_support.h"
#include "inspection/rules/unbound.h"

namespace weir::inspection::test {
namespace {

TEST(Detector, AddressesOnceForEachDirection) {
  DetectionBench bench(
      make_profile("alert ip 10.0.0.1 any -> any any (sid:1;)\n"
                   "alert ip any any -> 10.0.0.1 any (sid:2;)"));
  EXPECT_EQ(bench.datagram("x"), Sids{1});
  EXPECT_EQ(bench.datagram("x"), Sids{});
  bench.from(Direction::to_client);
  EXPECT_EQ(bench.datagram("x"), Sids{2});
  EXPECT_EQ(bench.datagram("x"), Sids{});
}

TEST(Detector, NegatedAddressesByPacket) {
  DetectionBench bench(
      make_profile("alert ip any any -> $EXTERNAL_NET any (sid:1;)\n"
                   "alert ip any any -> !10.0.0.0/8 any (sid:2;)"));
  EXPECT_EQ(bench.datagram("x"), (Sids{1, 2}));
  EXPECT_EQ(bench.datagram("x"), (Sids{1, 2}));
}

TEST(Detector, PortsMakeARuleOneOfPackets) {
  DetectionBench bench(
      make_profile("alert udp any any -> any 80 (sid:1;)\nalert udp any any -> any !80 (sid:2;)"));
  EXPECT_EQ(bench.datagram("x"), Sids{1});
  EXPECT_EQ(bench.datagram("x"), Sids{1});
}

TEST(Detector, HeaderHasToMatch) {
  struct Row {
    const char* header;
    bool matches;
  };
  const Row rows[] = {
      {"udp any any -> any any", true},
      {"tcp any any -> any any", false},
      {"ip any any -> any any", true},
      {"icmp any any -> any any", false},
      {"udp $HOME_NET any -> $EXTERNAL_NET any", true},
      {"udp $EXTERNAL_NET any -> $HOME_NET any", false},
      {"udp $EXTERNAL_NET any <> $HOME_NET any", true},
      {"udp any 40000 -> any 80", true},
      {"udp any 80 -> any 40000", false},
      {"udp any 80 <> any 40000", true},
      {"udp any [1:1024] -> any any", false},
      {"udp any any -> any [80,443]", true},
      {"udp 10.0.0.2 any -> any any", false},
      {"ipv4 any any -> any any", true},
      {"ipv6 any any -> any any", false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.header);
    DetectionBench bench(make_profile(std::string("alert ") + row.header + " (content:\"evil\"; sid:1;)"));
    EXPECT_EQ(bench.datagram("so evil"), row.matches ? Sids{1} : Sids{});
  }
}

TEST(Detector, Flow) {
  struct Row {
    const char* flow;
    bool established;
    Direction direction;
    bool matches;
  };
  const Row rows[] = {
      {"to_server", true, Direction::to_server, true},
      {"to_server", true, Direction::to_client, false},
      {"from_server", true, Direction::to_client, true},
      {"established", false, Direction::to_server, false},
      {"established,to_server", true, Direction::to_server, true},
      {"not_established", true, Direction::to_server, false},
      {"not_established", false, Direction::to_server, true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.flow);
    DetectionBench bench(make_profile(std::string("alert udp any any -> any any (flow:") + row.flow +
                                      "; content:\"evil\"; sid:1;)"));
    bench.facts.established = row.established;
    bench.from(row.direction);
    EXPECT_EQ(bench.datagram("so evil"), row.matches ? Sids{1} : Sids{});
  }
}

TEST(Detector, OrderOfActionsFlowBitsAndPriorities) {
  DetectionBench bench(
      make_profile("alert udp any any -> any any (content:\"evil\"; priority:3; sid:1;)\n"
                   "alert udp any any -> any any (content:\"evil\"; priority:1; sid:2;)\n"
                   "alert udp any any -> any any (content:\"evil\"; flowbits:isset,b; sid:3;)\n"
                   "alert udp any any -> any any (content:\"evil\"; flowbits:set,b; sid:4;)\n"
                   "drop udp any any -> any any (content:\"evil\"; sid:5;)\n"
                   "reject udp any any -> any any (content:\"evil\"; sid:6;)\n"
                   "alert udp any any -> any any (content:\"evil\"; priority:1; sid:7;)"));
  EXPECT_EQ(bench.datagram("evil"), (Sids{5, 6, 4, 3, 2, 7, 1}));
}

TEST(Detector, FlowBits) {
  DetectionBench bench(make_profile(
      "alert udp any any -> any any (content:\"set\"; flowbits:set,a; flowbits:noalert; sid:1;)\n"
      "alert udp any any -> any any (content:\"clear\"; flowbits:unset,a; sid:2;)\n"
      "alert udp any any -> any any (content:\"is\"; flowbits:isset,a; sid:3;)\n"
      "alert udp any any -> any any (content:\"is\"; flowbits:isnotset,a; sid:4;)\n"
      "alert udp any any -> any any (content:\"is\"; flowbits:isset,b|a; sid:5;)"));
  EXPECT_EQ(bench.datagram("is"), Sids{4});
  EXPECT_EQ(bench.datagram("set"), Sids{});
  EXPECT_EQ(bench.datagram("is"), (Sids{3, 5}));
  EXPECT_EQ(bench.datagram("clear"), Sids{2});
  EXPECT_EQ(bench.datagram("is"), Sids{4});
}

TEST(Detector, FlowBitsSurviveAnotherRulesetByName) {
  const auto names = std::make_shared<FlowBitNames>();
  DetectionBench bench(make_profile("alert udp any any -> any any (content:\"set\"; flowbits:set,a; sid:1;)",
                                    InspectMode::ids, names));
  EXPECT_EQ(bench.datagram("set"), Sids{1});
  bench.use(
      make_profile("alert udp any any -> any any (content:\"is\"; flowbits:isset,z; sid:2;)\n"
                   "alert udp any any -> any any (content:\"is\"; flowbits:isset,a; sid:3;)",
                   InspectMode::ids, names));
  EXPECT_EQ(bench.datagram("is"), Sids{3});
}

TEST(Detector, FlowBitsHaveACeiling) {
  std::string rules;
  for (int i = 0; i < 6; ++i) {
    const std::string n = std::to_string(i);
    rules += "alert udp any any -> any any (content:\"set\"; flowbits:set,b" + n +
             "; flowbits:noalert; sid:1" + n + ";)\n";
    rules += "alert udp any any -> any any (content:\"is\"; flowbits:isset,b" + n + "; sid:2" + n + ";)\n";
  }
  DetectorLimits limits;
  limits.flowbits_per_session = 4;
  DetectionBench bench(make_profile(rules), limits);
  bench.datagram("set");
  EXPECT_EQ(bench.counters().flowbits_lost, 2u);
  EXPECT_EQ(bench.datagram("is"), (Sids{20, 21, 22, 23}));
}

TEST(Detector, CountersOfTheSession) {
  DetectionBench bench(
      make_profile("alert udp any any -> any any (content:\"up\"; flowint:n,+,2; noalert; sid:1;)\n"
                   "alert udp any any -> any any (content:\"is\"; flowint:n,isnotset; sid:2;)\n"
                   "alert udp any any -> any any (content:\"is\"; flowint:n,>,3; sid:3;)\n"
                   "alert udp any any -> any any (content:\"set\"; flowint:m,=,4; noalert; sid:4;)\n"
                   "alert udp any any -> any any (content:\"is\"; flowint:n,==,m; sid:5;)\n"
                   "alert udp any any -> any any (content:\"down\"; flowint:n,-,1; noalert; sid:6;)"));
  EXPECT_EQ(bench.datagram("is"), Sids{2});
  bench.datagram("up");
  EXPECT_EQ(bench.datagram("is"), Sids{});
  bench.datagram("up");
  EXPECT_EQ(bench.datagram("is"), Sids{3});
  bench.datagram("set");
  EXPECT_EQ(bench.datagram("is"), (Sids{3, 5}));
  bench.datagram("down");
  EXPECT_EQ(bench.datagram("is"), Sids{});
}

TEST(Detector, BitsOfHostsOutliveSessionsAndEnd) {
  struct Row {
    const char* set;
    const char* isset;
    bool same_source, same_destination, matches;
  };
  const Row rows[] = {
      {"xbits:set,b,track ip_src,expire 10", "xbits:isset,b,track ip_src", true, false, true},
      {"xbits:set,b,track ip_src,expire 10", "xbits:isset,b,track ip_src", false, true, false},
      {"xbits:set,b,track ip_dst,expire 10", "xbits:isset,b,track ip_dst", false, true, true},
      {"xbits:set,b,track ip_dst,expire 10", "xbits:isset,b,track ip_src", false, true, false},
      {"xbits:set,b,track ip_pair,expire 10", "xbits:isset,b,track ip_pair", true, true, true},
      {"xbits:set,b,track ip_pair,expire 10", "xbits:isset,b,track ip_pair", true, false, false},
      {"hostbits:set,b,src", "hostbits:isset,b,src", true, false, true},
      {"hostbits:set,b,src", "hostbits:isset,c,src", true, false, false},
      {"hostbits:set,b,both", "hostbits:isset,b,dst", false, true, true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.set) + " " + row.isset);
    DetectionBench bench(make_profile(std::string("alert udp any any -> any any (content:\"set\"; ") +
                                      row.set + "; sid:1;)\nalert udp any any -> any any (content:\"is\"; " +
                                      row.isset + "; sid:2;)"));
    EXPECT_EQ(bench.datagram("set"), Sids{1});
    if (!row.same_source) bench.packet.src = net::Ipv4{0x0a000009};
    if (!row.same_destination) bench.packet.dst = net::Ipv4{0xc0000209};
    EXPECT_EQ(bench.datagram("is"), row.matches ? Sids{2} : Sids{});
    bench.packet.time_ns += 301'000'000'000;
    EXPECT_EQ(bench.datagram("is"), Sids{}) << "its time is over";
  }
}

TEST(Detector, Thresholds) {
  struct Row {
    const char* options;
    std::vector<int> alerts;  // of six packets, one each second
  };
  const Row rows[] = {
      {"threshold:type limit,track by_src,count 2,seconds 60;", {1, 1, 0, 0, 0, 0}},
      {"threshold:type limit,track by_src,count 1,seconds 2;", {1, 0, 1, 0, 1, 0}},
      {"threshold:type threshold,track by_src,count 2,seconds 60;", {0, 1, 0, 1, 0, 1}},
      {"threshold:type both,track by_dst,count 2,seconds 60;", {0, 1, 0, 0, 0, 0}},
      {"detection_filter:track by_src,count 2,seconds 60;", {0, 0, 1, 1, 1, 1}},
      {"detection_filter:track by_src,count 1,seconds 2;", {0, 1, 0, 1, 0, 1}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.options);
    DetectionBench bench(make_profile(std::string("alert udp any any -> any any (content:\"evil\"; ") +
                                      row.options + " sid:1;)"));
    std::vector<int> alerts;
    for (int i = 0; i < 6; ++i) {
      alerts.push_back(static_cast<int>(bench.datagram("evil").size()));
      bench.packet.time_ns += 1'000'000'000;
    }
    EXPECT_EQ(alerts, row.alerts);
  }
}

TEST(Detector, ThresholdsTellHostsApart) {
  DetectionBench bench(
      make_profile("alert udp any any -> any any (content:\"evil\"; threshold:type limit,track by_src,count "
                   "1,seconds 60; sid:1;)"));
  EXPECT_EQ(bench.datagram("evil"), Sids{1});
  EXPECT_EQ(bench.datagram("evil"), Sids{});
  bench.packet.src = net::Ipv4{0x0a000002};
  EXPECT_EQ(bench.datagram("evil"), Sids{1});
}

TEST(Detector, AStreamRuleMatchesAcrossSegmentsOnce) {
  DetectionBench bench(
      make_profile("alert tcp any any -> any any (content:\"evil\"; sid:1;)\n"
                   "alert tcp any any -> any any (content:\"ab\"; content:\"yz\"; distance:3; sid:2;)"));
  EXPECT_EQ(bench.segment("so ev"), Sids{});
  EXPECT_EQ(bench.segment("il a"), Sids{1});
  EXPECT_EQ(bench.segment("b..."), Sids{});
  EXPECT_EQ(bench.segment("...y"), Sids{});
  EXPECT_EQ(bench.segment("z"), Sids{2});
  EXPECT_EQ(bench.segment("z"), Sids{});
  EXPECT_EQ(bench.segment("evil"), Sids{1});
}

TEST(Detector, AStreamRuleIsNotHeldAgainstSegmentsOfTheStream) {
  DetectionBench bench(make_profile("alert tcp any any -> any any (content:\"evil\"; sid:1;)"));
  bench.packet.payload = octets("evil");
  bench.packet.stream_part = true;
  bench.inspect();
  EXPECT_EQ(bench.sink.take(), Sids{});
  EXPECT_EQ(bench.datagram("evil", 6), Sids{1}) << "outside the stream";
}

TEST(Detector, PositionsCountFromTheStreamAndFromThePacket) {
  DetectionBench bench(
      make_profile("alert tcp any any -> any any (content:\"evil\"; startswith; sid:1;)\n"
                   "alert tcp-stream any any -> any any (content:\"evil\"; startswith; sid:2;)\n"
                   "alert tcp-pkt any any -> any any (content:\"evil\"; sid:3;)"));
  EXPECT_EQ(bench.segment("evil"), (Sids{1, 2, 3}));
  EXPECT_EQ(bench.segment("evil"), (Sids{1, 3}));
  EXPECT_EQ(bench.segment("ev"), Sids{});
  EXPECT_EQ(bench.segment("il"), Sids{});
}

TEST(Detector, AssertionsSeeWhatFollows) {
  DetectionBench bench(
      make_profile("alert tcp any any -> any any (content:\"ab\"; pcre:\"/ab(?=yz)/\"; sid:1;)"));
  EXPECT_EQ(bench.segment("ab"), Sids{});
  EXPECT_EQ(bench.segment("yz"), Sids{1});
  EXPECT_EQ(bench.segment("--"), Sids{});
  EXPECT_EQ(bench.segment("abyz"), Sids{1});
}

TEST(Detector, DropHoldsForTheSession) {
  DetectionBench bench(
      make_profile("drop udp any any -> any any (content:\"evil\"; sid:1;)", InspectMode::ips));
  bench.datagram("good");
  EXPECT_TRUE(bench.verdict.forward);
  EXPECT_EQ(bench.datagram("evil"), Sids{1});
  EXPECT_FALSE(bench.verdict.forward);
  EXPECT_TRUE(bench.verdict.drop_session);
  bench.from(Direction::to_client);
  EXPECT_EQ(bench.datagram("good"), Sids{});
  EXPECT_FALSE(bench.verdict.forward);
  EXPECT_TRUE(bench.session.dropped());
  EXPECT_EQ(bench.session.dropped_by(), 1u);
  EXPECT_EQ(bench.counters().drops, 1u);
}

TEST(Detector, EventsSayWhatWasOrWouldBeBlocked) {
  const char* const rule = "drop udp any any -> any any (content:\"evil\"; sid:1;)";
  for (const InspectMode mode : {InspectMode::ids, InspectMode::test, InspectMode::ips}) {
    DetectionBench bench(make_profile(rule, mode));
    bench.packet.protocol = 17;
    bench.packet.payload = octets("evil");
    const DetectionVerdict verdict = bench.inspect();
    ASSERT_EQ(bench.sink.alerts.size(), 1u);
    EXPECT_EQ(bench.sink.alerts[0].blocked, mode == InspectMode::ips);
    EXPECT_EQ(bench.sink.alerts[0].would_block, mode == InspectMode::test);
    EXPECT_EQ(verdict.forward, mode != InspectMode::ips);
    EXPECT_EQ(verdict.would_drop, mode == InspectMode::test);
  }
}

TEST(Detector, PassOfAPacketAndOfASession) {
  DetectionBench packets(
      make_profile("pass udp any any -> any any (content:\"fine\"; sid:1;)\n"
                   "alert udp any any -> any any (content:\"evil\"; sid:2;)"));
  EXPECT_EQ(packets.datagram("fine evil"), Sids{});
  EXPECT_EQ(packets.datagram("evil"), Sids{2});
  DetectionBench session(
      make_profile("pass ip 10.0.0.1 any -> any any (sid:1;)\n"
                   "alert udp any any -> any any (content:\"evil\"; sid:2;)"));
  EXPECT_EQ(session.datagram("evil"), Sids{});
  EXPECT_EQ(session.datagram("evil"), Sids{});
  EXPECT_TRUE(session.session.passed());
}

TEST(Detector, AlertLimitForEachPacket) {
  std::string rules;
  for (int i = 1; i <= 20; ++i) {
    rules += "alert udp any any -> any any (content:\"evil\"; sid:" + std::to_string(i) + ";)\n";
  }
  DetectionBench bench(make_profile(rules));
  EXPECT_EQ(bench.datagram("evil").size(), 15u);
  EXPECT_EQ(bench.counters().alerts_over_limit, 5u);
}

TEST(Detector, PacketsAreJudgedOnce) {
  DetectionBench bench(make_profile("alert udp any any -> any any (content:\"evil\"; sid:1;)"));
  bench.packet_judged = true;
  EXPECT_EQ(bench.datagram("evil"), Sids{});
}

TEST(Detector, ApplicationProtocol) {
  DetectionBench bench(
      make_profile("alert tls any any -> any any (sid:1;)\n"
                   "alert tcp any any -> any any (app-layer-protocol:tls; sid:2;)\n"
                   "alert tcp any any -> any any (app-layer-protocol:!tls; sid:3;)\n"
                   "alert http any any -> any any (content:\"evil\"; sid:4;)"));
  EXPECT_EQ(bench.segment("evil"), Sids{});
  bench.facts.protocol = AppProtocol::tls;
  bench.facts.app = {AppProtocol::tls, AppProtocol::tls};
  bench.facts.app_decided = {true, true};
  EXPECT_EQ(bench.segment("evil"), (Sids{1, 2}));
  EXPECT_EQ(bench.segment("evil"), Sids{1}) << "the protocol itself is told once";
}

TEST(Detector, ManyProfilesShareOneRuleset) {
  const auto parsed = parse_text("alert udp $HOME_NET any -> any $PORTS (content:\"evil\"; sid:1;)");
  auto ruleset = DetectionRuleset::compile(parsed, {});
  ASSERT_TRUE(ruleset);
  for (int i = 0; i < 3; ++i) {
    ast::RuleVariables variables;
    variables.addresses["HOME_NET"] = "10.0." + std::to_string(i) + ".0/24";
    variables.ports["PORTS"] = std::to_string(80 + i);
    auto profile = DetectionProfile::bind(*ruleset, variables, InspectMode::ids);
    ASSERT_TRUE(profile);
    EXPECT_EQ(&(*profile)->ruleset(), ruleset->get());
    for (int host = 0; host < 3; ++host) {
      DetectionBench bench(*profile);
      bench.packet.src = net::Ipv4{0x0a000001u + static_cast<uint32_t>(host) * 256};
      bench.packet.dst_port = static_cast<uint16_t>(80 + host);
      EXPECT_EQ(bench.datagram("evil"), host == i ? Sids{1} : Sids{});
    }
  }
}

/// To sessions of the web rules without a literal that are about other ports or protocols are not proposed;
/// all else is, also by ports that only a profile's variables tell.
TEST(Detector, OfOtherPortsThanTheWebsNothingIsLost) {
  const auto parsed = parse_text(
      "alert tcp any any -> any 25 (dsize:4; sid:1;)\n"
      "alert tcp any any -> any [25,443] (dsize:4; sid:2;)\n"
      "alert tcp any any -> any $PORTS (dsize:4; sid:3;)\n"
      "alert tcp any any -> any !80 (dsize:4; sid:4;)\n"
      "alert tls any any -> any any (dsize:4; sid:5;)\n"
      "alert ssh any any -> any any (dsize:4; sid:6;)\n"
      "alert tcp any 25 -> any any (dsize:4; sid:7;)\n"
      "alert tcp any any <> any 25 (dsize:4; sid:8;)");
  const auto ruleset = DetectionRuleset::compile(parsed, {});
  ASSERT_TRUE(ruleset);
  for (const uint16_t of_profile : {uint16_t{25}, uint16_t{443}}) {
    ast::RuleVariables variables;
    variables.ports["PORTS"] = std::to_string(of_profile);
    const auto profile = DetectionProfile::bind(*ruleset, variables, InspectMode::ids);
    ASSERT_TRUE(profile);
    for (const uint16_t port : {uint16_t{25}, uint16_t{443}}) {
      for (const AppProtocol protocol : {AppProtocol::tls, AppProtocol::ssh, AppProtocol::unknown}) {
        DetectionBench bench(*profile);
        bench.packet.src_port = 25;
        bench.packet.dst_port = port;
        bench.facts.protocol = protocol;
        Sids expected;
        if (port == 25) expected.push_back(1);
        expected.push_back(2);
        if (port == of_profile) expected.push_back(3);
        expected.push_back(4);
        if (protocol == AppProtocol::tls) expected.push_back(5);
        if (protocol == AppProtocol::ssh) expected.push_back(6);
        expected.insert(expected.end(), {7, 8});
        EXPECT_EQ(bench.segment("evil"), expected)
            << of_profile << ' ' << port << ' ' << static_cast<int>(protocol);
        const bool web = port == 443 && protocol == AppProtocol::tls;
        EXPECT_EQ(bench.counters().candidates, web ? 6U : 8U) << "what is not looked at";
      }
    }
  }
}

TEST(Detector, AnUnknownVariableMatchesNothingAndIsNamed) {
  const auto parsed = parse_text(
      "alert udp $NOBODY any -> any any (content:\"evil\"; sid:1;)\n"
      "alert udp any any -> $NOBODY any (content:\"evil\"; sid:2;)\n"
      "alert udp any $NO_PORTS -> any any (content:\"evil\"; sid:3;)\n");
  auto ruleset = DetectionRuleset::compile(parsed, {});
  ASSERT_TRUE(ruleset);
  std::vector<std::string> unbound;
  auto profile = DetectionProfile::bind(*ruleset, {}, InspectMode::ids, DropScope::session, &unbound);
  ASSERT_TRUE(profile);
  const std::string file = parsed.files[0];
  const std::vector<std::string> wanted = {
      "$NOBODY: The variable $NOBODY is not defined. Rules with it never match: " + file +
          ":1, sid 1, and 1 more.",
      "$NO_PORTS: The variable $NO_PORTS is not defined. Rules with it never match: " + file + ":3, sid 3."};
  EXPECT_EQ(unbound, wanted);
  EXPECT_EQ(ast::unbound_sentences(parsed, {}), wanted);
  DetectionBench bench(*profile);
  EXPECT_EQ(bench.datagram("evil"), Sids{});
}

}  // namespace
}  // namespace weir::inspection::test
