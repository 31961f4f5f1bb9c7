// Translation that is computed: checksum-neutral prefixes of IPv6 (NPTv6), ports of a pool by host.
#include <gtest/gtest.h>

#include <set>

#include "dataplane/nat/port_plan.h"
#include "tests/packet/nat_spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;
using enum DropReason;

class NatKinds : public testing::TestWithParam<unsigned> {
 protected:
  uint16_t workers() const { return static_cast<uint16_t>(GetParam()); }
  std::vector<Bytes> pass(TestHub& hub, const Bytes& bytes, unsigned at) {
    return hub.pass_through(bytes, static_cast<uint16_t>(at % workers()));
  }
};
INSTANTIATE_TEST_SUITE_P(Number, NatKinds, testing::Values(1, 2, 3));

// --- NPTv6 ---

constexpr const char* kSeen6 = "2001:db8:a:0:fff6::5";  // kA.host6 through neutral_rules()

/// The prefix of a is another one for blue.
NatRules neutral_rules(const SnapshotBuilder& b) {
  StaticRule rule;
  rule.name = "neutral";
  rule.domain = b.domain_id("red");
  rule.inside = *net::parse_prefix("2001:db8:1::/64");
  rule.outside = *net::parse_prefix("2001:db8:a::/64");
  rule.seen_by = {b.domain_id("blue")};
  rule.nptv6 = true;
  NatRules rules;
  rules.fixed.push_back(rule);
  return rules;
}

Bytes packet_of(const Bytes& inner_frame) { return {inner_frame.begin() + 14, inner_frame.end()}; }

/// What TCP, UDP and ICMPv6 carry at the end of their IPv6 header.
uint16_t checksum_of(const Bytes& inner_frame) {
  const size_t at = 14 + 40 + (inner_frame[20] == 17 ? 6 : inner_frame[20] == 6 ? 16 : 2);
  return port_at(inner_frame, at);
}

TEST_P(NatKinds, NeutralPrefixesBothWays) {
  for (unsigned there = 0; there < workers(); ++there) {
    for (unsigned back = 0; back < workers(); ++back) {
      SnapshotBuilder b = open_network(workers());
      TestHub hub(b.nat(neutral_rules(b)).build(), {.workers = workers()});
      for (const auto& [query, answer] :
           {std::pair(udp(5'000, 53), udp(53, 5'000, "answer")),
            std::pair(tcp(kSyn, 7, 0, "", 5'001, 80), tcp(kSyn | kAck, 9, 8, "", 80, 5'001)),
            std::pair(echo(77, 1), echo(77, 1, true))}) {
        const Bytes sent = frame(kA.hub_mac, kA.host_mac, {kA.host6, kB.host6}, query, 64);
        const auto got = pass(hub, tunnelled(kA, sent), there);
        expect_at(got, kB, {kSeen6, kB.host6}, query);
        ASSERT_EQ(got.size(), 1u);
        EXPECT_EQ(checksum_of(inner_of(got[0])), checksum_of(sent)) << "neutral";
        expect_at(pass(hub, sent_by(kB, {kB.host6, kSeen6}, answer), back), kA, {kB.host6, kA.host6}, answer);
      }
      // From outside first: there is no state to wait for.
      expect_at(pass(hub, sent_by(kB, {kB.host6, kSeen6}, udp(6'000, 7)), back), kA, {kB.host6, kA.host6},
                udp(6'000, 7));
      expect_at(pass(hub, sent_by(kA, {kA.host6, kB.host6}, udp(7, 6'000)), there), kB, {kSeen6, kB.host6},
                udp(7, 6'000));
    }
  }
}

TEST_P(NatKinds, ErrorsAboutNeutralPrefixesQuoteWhatWasSent) {
  for (unsigned at = 0; at < workers(); ++at) {
    SnapshotBuilder b = open_network(workers());
    TestHub hub(b.nat(neutral_rules(b)).build(), {.workers = workers()});
    ASSERT_EQ(pass(hub, sent_by(kA, {kA.host6, kB.host6}, udp(5'000, 53)), at).size(), 1u);
    const auto error = [](const Ends& ends) {
      const Bytes quote = packet_of(frame(kB.host_mac, kB.hub_mac, ends, udp(5'000, 53), 62));
      return Transport([quote](PacketBuilder& p) { p.icmp_error(1, 4, quote); });
    };
    expect_at(pass(hub, sent_by(kB, {"2001:db8:2::250", kSeen6}, error({kSeen6, kB.host6})), at + 1), kA,
              {"2001:db8:2::250", kA.host6}, error({kA.host6, kB.host6}));
  }
}

TEST(NatKindsDrops, AnAddressWithoutCounterpart) {
  SnapshotBuilder b = open_network(1);
  TestHub hub(b.nat(neutral_rules(b)).build());
  EXPECT_TRUE(hub.pass_through(sent_by(kB, {kB.host6, "2001:db8:a:0:ffff:ffff:ffff:ffff"}, udp())).empty());
  EXPECT_EQ(hub.moved(), dropped(nat_unmapped));
  EXPECT_TRUE(hub.pass_through(sent_by(kA, {"2001:db8:1::", kB.host6}, udp())).empty());
  EXPECT_EQ(hub.moved(), dropped(nat_unmapped));
  EXPECT_EQ(hub.pass_through(sent_by(kB, {kB.host6, kSeen6}, udp())).size(), 1u);
}

// --- deterministic mapping ---

/// The hosts of a and d have 64 ports for each worker.
NatRules planned_rules(const SnapshotBuilder& b, uint16_t workers) {
  NatRules rules = pool_rules(b, workers, "10.2.0.100", "10.2.0.100");
  rules.pools[0].sources = {*net::parse_prefix("10.1.0.0/29"), *net::parse_prefix("10.4.0.0/29")};
  rules.pools[0].ports_per_host = static_cast<uint16_t>(kPortsPerBlock * workers);
  return rules;
}

TEST_P(NatKinds, AHostHasItsPortsAndNoOthers) {
  for (unsigned there = 0; there < workers(); ++there) {
    SnapshotBuilder b = open_network(workers());
    const NatRules rules = planned_rules(b, workers());
    TestHub hub(b.nat(rules).build(), {.workers = workers()});
    std::set<uint16_t> given;
    for (const Spoke* spoke : {&kA, &kD}) {
      const PortPlan plan = *plan_of(rules.pools[0], ip_of(spoke->host4));
      for (uint16_t port = 5'000; port < 5'020; ++port) {
        const auto got = pass(hub, sent_by(*spoke, {spoke->host4, kB.host4}, udp(port, 53)), there + port);
        ASSERT_EQ(got.size(), 1u);
        const uint16_t outside = source_port(got[0]);
        EXPECT_TRUE(plan.ports.has(outside)) << outside;
        EXPECT_TRUE(given.insert(outside).second);
        EXPECT_EQ(host_of(rules.pools[0], ip_of(source_address(got[0])), outside), ip_of(spoke->host4));
        expect_at(
            pass(hub, sent_by(kB, {kB.host4, "10.2.0.100"}, udp(53, outside, "answer")), there + port + 1),
            *spoke, {kB.host4, spoke->host4}, udp(53, port, "answer"));
      }
    }
  }
}

TEST_P(NatKinds, FromOneHostWithItsPortsToAnother) {
  for (unsigned at = 0; at < workers(); ++at) {
    SnapshotBuilder b = open_network(workers());
    const NatRules rules = planned_rules(b, workers());
    TestHub hub(b.nat(rules).build(), {.workers = workers()});
    const auto got = pass(hub, sent_by(kA, {kA.host4, kB.host4}, udp(5'000, 53)), at);
    ASSERT_EQ(got.size(), 1u);
    const uint16_t a_port = source_port(got[0]);
    const auto heard = pass(hub, sent_by(kD, {kD.host4, "10.2.0.100"}, udp(6'000, a_port)), at + 1);
    ASSERT_EQ(heard.size(), 1u);
    const uint16_t d_port = source_port(heard[0]);
    EXPECT_TRUE(plan_of(rules.pools[0], ip_of(kD.host4))->ports.has(d_port));
    expect_at(heard, kA, {"10.2.0.100", kA.host4}, udp(d_port, 5'000));
    expect_at(pass(hub, sent_by(kA, {kA.host4, "10.2.0.100"}, udp(5'000, d_port)), at), kD,
              {"10.2.0.100", kD.host4}, udp(a_port, 6'000));
  }
}

TEST(NatKindsDrops, AHostThatHasUsedItsPortsGetsNoneOfAnother) {
  SnapshotBuilder b = open_network(1);
  TestHub hub(b.nat(planned_rules(b, 1)).build());
  for (uint16_t port = 5'000; port < 5'000 + kPortsPerBlock; ++port)
    ASSERT_EQ(hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, udp(port, 53))).size(), 1u);
  hub.moved();
  EXPECT_TRUE(hub.pass_through(sent_by(kA, {kA.host4, kB.host4}, udp(6'000, 53))).empty());
  EXPECT_EQ(hub.moved(), dropped(nat_exhausted));
  EXPECT_EQ(hub.pass_through(sent_by(kD, {kD.host4, kB.host4}, udp(6'000, 53))).size(), 1u);
}

}  // namespace
}  // namespace weir::test
