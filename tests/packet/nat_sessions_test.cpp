// Sessions through a pool, at their end and where both ends begin.
#include <gtest/gtest.h>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;

constexpr const char* kPublic = "10.2.0.100";  // the pool

/// Red's sources get the pool's one address in blue, and keep their ports.
SnapshotBuilder behind_a_pool() {
  SnapshotBuilder b = network_without_rules();
  b.rule({.id = "all", .action = PolicyAction::allow});
  NatRules rules;
  PoolRule rule;
  rule.name = "out";
  rule.from = {b.domain_id("red")};
  rule.to = b.domain_id("blue");
  rule.destinations = {*net::parse_prefix("10.2.0.0/24")};
  const net::IpAddress address = *net::parse_ip(kPublic);
  rule.pool =
      std::make_shared<PortPool>(std::vector<PortPool::Range>{{address, address}}, 1, 65'535, uint16_t{1});
  rules.pools.push_back(rule);
  b.nat(rules);
  return b;
}

Bytes frame(net::Mac dst, net::Mac src, const char* from, const char* to, const Transport& transport,
            uint8_t ttl) {
  PacketBuilder b;
  b.ether(dst, src).ip(from, to).ttl(ttl);
  transport(b);
  return b.build();
}
Bytes from_red(const Transport& transport) {
  return tunnelled(kA, frame(kA.hub_mac, kA.host_mac, kA.host4, kB.host4, transport, 64));
}
Bytes from_blue(const Transport& transport) {
  return tunnelled(kB, frame(kB.hub_mac, kB.host_mac, kB.host4, kPublic, transport, 64));
}

TEST(NatSessions, OfAnIdleOneBothEndsAreToldAtTheAddressesThatTheyKnow) {
  SnapshotBuilder b = behind_a_pool();
  TestHub hub(b.tcp({.reset_idle = true}).build());
  ASSERT_EQ(hub.pass_through(from_red(tcp(kSyn, 100, 0, "", 1000, 80))).size(), 1u);
  ASSERT_EQ(hub.pass_through(from_blue(tcp(kSyn | kAck, 500, 101, "", 80, 1000))).size(), 1u);
  ASSERT_EQ(hub.pass_through(from_red(tcp(kAck, 101, 501, "", 1000, 80))).size(), 1u);
  hub.pass_seconds(3'602);
  hub.settle();
  const auto sent = hub.sent();
  ASSERT_EQ(sent.size(), 2u);
  const auto reset = [](const Spoke& to, const char* src, const char* dst, uint16_t src_port,
                        uint16_t dst_port, uint32_t seq, uint32_t ack) {
    PacketBuilder p;
    p.ether(to.host_mac, to.hub_mac).ip(src, dst).ttl(64).dont_fragment();
    return p.tcp(src_port, dst_port, kRst | kAck, seq, ack).window(0).build();
  };
  EXPECT_EQ(sent[0], hub_tunnelled(kB, reset(kB, kPublic, kB.host4, 1000, 80, 101, 501), sent[0]));
  EXPECT_EQ(sent[1], hub_tunnelled(kA, reset(kA, kB.host4, kA.host4, 80, 1000, 501, 101), sent[1]));
}

TEST(NatSessions, TheResponderMayAskByTheIdentifierThatItIsAskedBy) {
  TestHub hub(behind_a_pool().build());
  ASSERT_EQ(hub.pass_through(from_red(echo(77, 1))).size(), 1u);
  const auto got = hub.pass_through(from_blue(echo(77, 9)));
  expect_sent(got, kA, frame(kA.host_mac, kA.hub_mac, kB.host4, kA.host4, echo(77, 9), 63));
}

/// Blue's host answers red's as if it began: to the address that red's has itself. That is refused however
/// much room there is.
TEST(NatSessions, NothingGivesWayToOneWhoseAnswersAreAnothers) {
  struct {
    const char* name;
    HubOptions options;
  } const rows[] = {{"there is room", {}},
                    {"the table is full", {.sessions = 2}},
                    {"as many are half open as may", {.half_open = 1}},
                    {"nothing may give way", {.sessions = 2, .when_full = WhenFull::refuse}}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    TestHub hub(behind_a_pool().build(), row.options);
    ASSERT_EQ(hub.pass_through(from_red(udp(1000, 80))).size(), 1u);
    ASSERT_EQ(hub.pass_through(from_red(tcp(kSyn, 100, 0, "", 1000, 80))).size(), 1u);
    hub.moved();
    const Bytes inside =
        frame(kB.hub_mac, kB.host_mac, kB.host4, kA.host4, tcp(kSyn, 1, 0, "", 80, 1000), 64);
    EXPECT_TRUE(hub.pass_through(tunnelled(kB, inside)).empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::nat_conflict));
  }
}

TEST(NatSessions, AHostThatAsksForItselfIsRefusedByName) {
  SnapshotBuilder b = network_without_rules();
  b.rule({.id = "all", .action = PolicyAction::allow});
  NatRules rules;
  StaticRule rule;
  rule.domain = b.domain_id("red");
  rule.inside = *net::parse_prefix("10.1.0.0/24");
  rule.outside = *net::parse_prefix("100.64.1.0/24");
  rule.seen_by = {rule.domain};
  rules.fixed.push_back(rule);
  TestHub hub(b.nat(rules).build());
  EXPECT_TRUE(
      hub.pass_through(tunnelled(kA, frame(kA.hub_mac, kA.host_mac, kA.host4, "100.64.1.5", udp(7, 7), 64)))
          .empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::nat_conflict));
}

}  // namespace
}  // namespace weir::test
