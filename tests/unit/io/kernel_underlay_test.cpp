// The underlay against the real kernel: its routes, neighbours, links and addresses, in a namespace of our
// own.
#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>

#include <chrono>

#include "mgmt/underlay/underlay.h"
#include "tests/unit/io/netns.h"

namespace weir::underlay {
namespace {

constexpr net::Ipv4 kHub{0xc6120001};     // 198.18.0.1
constexpr net::Ipv4 kPeer{0xc6120002};    // 198.18.0.2
constexpr net::Ipv4 kNobody{0xc6120063};  // 198.18.0.99
constexpr net::Ipv4 kFar{0x0a090001};     // 10.9.0.1

constexpr net::Ipv6 kHub6{0x20010db8001a0000, 1};
constexpr net::Ipv6 kPeer6{0x20010db8001a0000, 2};
constexpr net::Ipv6 kFar6{0x20010db8002a0000, 1};

/// Each test has a namespace of its own, so that none sees another's neighbours.
class KernelUnderlay : public testing::Test {
 protected:
  void SetUp() override {
    std::string why_not;
    if (!test::can_make_namespaces(why_not)) GTEST_SKIP() << why_not;
    ASSERT_TRUE(test::enter_new_namespace());
    peer_ = std::make_unique<test::PeerNamespace>();
    ASSERT_TRUE(peer_->is_open());
    ASSERT_TRUE(test::make_veth(*peer_, "wio0", "wio1"));
    ASSERT_TRUE(test::run("ip addr add 198.18.0.1/24 dev wio0"));
    ASSERT_TRUE(peer_->run("ip addr add 198.18.0.2/24 dev wio1"));
    ASSERT_TRUE(peer_->run("ip link set wio1 address 02:00:00:00:00:22"));
    PortFacts port;
    port.index = 5;
    port.name = "wan";
    port.kernel_shared = true;
    port.kernel_ifindex = if_nametoindex("wio0");
    auto made = Underlay::create({port}, [](dataplane::PortIndex, std::span<const uint8_t>) {});
    ASSERT_TRUE(made) << made.error().message;
    underlay_ = std::move(*made);
  }

  /// Lets events and time come in until the answer pleases, for at most ten seconds.
  template <typename Predicate>
  bool until(const net::IpAddress& remote, Predicate pleases) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < end) {
      if (pleases(underlay_->resolve(remote.is_v4() ? net::IpAddress(kHub) : kHub6, remote))) return true;
      pollfd wait{underlay_->fds().at(0), POLLIN, 0};
      if (poll(&wait, 1, 100) == 1) {
        underlay_->process();
      } else {
        underlay_->tick(now_ += dataplane::kNanosPerSecond);
      }
    }
    return false;
  }
  static bool resolved(const Result<Hop>& hop) {
    return hop && hop->mac == net::Mac{{0x02, 0, 0, 0, 0, 0x22}};
  }

  std::unique_ptr<test::PeerNamespace> peer_;
  std::unique_ptr<Underlay> underlay_;
  dataplane::NanoTime now_ = dataplane::kNanosPerSecond;
};

TEST_F(KernelUnderlay, ResolvesAPeerOnTheLink) {
  EXPECT_TRUE(until(kPeer, resolved));
  const auto hop = underlay_->resolve(kHub, kPeer);
  EXPECT_EQ(hop->port, 5);
  EXPECT_EQ(hop->mtu, 1500);
  EXPECT_TRUE(hop->link_up);
}

TEST_F(KernelUnderlay, ResolvesByTheGatewayOfARoute) {
  ASSERT_TRUE(test::run("ip route add 10.9.0.0/16 via 198.18.0.2 mtu 1400"));
  EXPECT_TRUE(until(kFar, resolved));
  EXPECT_EQ(underlay_->resolve(kHub, kFar)->mtu, 1400);
}

TEST_F(KernelUnderlay, FollowsARouteThatComesAndGoes) {
  EXPECT_EQ(underlay_->resolve(kHub, kFar).error().message,
            "no way to 10.9.0.1 from 198.18.0.1: Network is unreachable");
  ASSERT_TRUE(test::run("ip route add 10.9.0.0/16 via 198.18.0.2"));
  EXPECT_TRUE(until(kFar, resolved));
  ASSERT_TRUE(test::run("ip route change 10.9.0.0/16 via 198.18.0.99"));
  EXPECT_TRUE(until(kFar, [](const Result<Hop>& hop) { return hop && !hop->mac; }));
  ASSERT_TRUE(test::run("ip route del 10.9.0.0/16"));
  EXPECT_TRUE(
      until(kFar, [](const Result<Hop>& hop) { return !hop && hop.error().code == ErrorCode::not_found; }));
}

TEST_F(KernelUnderlay, FollowsPolicyRouting) {
  ASSERT_TRUE(test::run("ip route add 10.9.0.0/16 via 198.18.0.99"));
  ASSERT_TRUE(test::run("ip route add 10.9.0.0/16 via 198.18.0.2 table 77"));
  EXPECT_FALSE(underlay_->resolve(kHub, kFar)->mac);
  ASSERT_TRUE(test::run("ip rule add from 198.18.0.1 table 77"));
  EXPECT_TRUE(until(kFar, resolved));
}

TEST_F(KernelUnderlay, WhoDoesNotAnswerHasNoMac) {
  const auto hop = underlay_->resolve(kHub, kNobody);
  ASSERT_TRUE(hop) << hop.error().message;
  EXPECT_FALSE(hop->mac);
}

TEST_F(KernelUnderlay, AsksAgainForWhoDidNotAnswer) {
  ASSERT_TRUE(underlay_->resolve(kHub, kNobody));
  // Until the kernel has given up, which it does after three questions.
  ASSERT_TRUE(
      test::run("for i in $(seq 50); do ip neigh show 198.18.0.99 | grep -q FAILED && exit 0; sleep 0.1; "
                "done; exit 1"));
  ASSERT_TRUE(peer_->run("ip addr add 198.18.0.99/24 dev wio1"));
  underlay_->tick(now_);
  underlay_->tick(now_ += 2 * dataplane::kNanosPerSecond);
  EXPECT_TRUE(until(kNobody, resolved));
}

TEST_F(KernelUnderlay, AStaleNeighbourIsUsedAndChecked) {
  ASSERT_TRUE(until(kPeer, resolved));
  ASSERT_TRUE(test::run("ip neigh change 198.18.0.2 lladdr 02:00:00:00:00:22 dev wio0 nud stale"));
  ASSERT_TRUE(until(kPeer, resolved));
  underlay_->tick(now_);
  underlay_->tick(now_ += 20 * dataplane::kNanosPerSecond);
  EXPECT_EQ(test::output_of("ip neigh show 198.18.0.2").find("STALE"), std::string::npos)
      << "the kernel was not asked";
  EXPECT_TRUE(resolved(underlay_->resolve(kHub, kPeer)));
}

TEST_F(KernelUnderlay, FollowsAChangedMac) {
  ASSERT_TRUE(until(kPeer, resolved));
  ASSERT_TRUE(test::run("ip neigh change 198.18.0.2 lladdr 02:00:00:00:00:44 dev wio0 nud reachable"));
  EXPECT_TRUE(until(kPeer, [](const Result<Hop>& hop) {
    return hop && hop->mac == net::Mac{{0x02, 0, 0, 0, 0, 0x44}};
  }));
  ASSERT_TRUE(test::run("ip neigh del 198.18.0.2 dev wio0"));
  EXPECT_TRUE(until(kPeer, [](const Result<Hop>& hop) { return hop && !hop->mac; }));
}

TEST_F(KernelUnderlay, SeesTheLinkGoDownAndUp) {
  ASSERT_TRUE(until(kPeer, resolved));
  ASSERT_TRUE(peer_->run("ip link set wio1 down"));
  EXPECT_TRUE(until(kPeer, [](const Result<Hop>& hop) { return hop && !hop->link_up; }));
  ASSERT_TRUE(peer_->run("ip link set wio1 up"));
  EXPECT_TRUE(until(kPeer, [](const Result<Hop>& hop) { return hop && hop->link_up; }));
}

TEST_F(KernelUnderlay, FollowsTheMtuAsFarAsBuffersCarry) {
  ASSERT_TRUE(underlay_->resolve(kHub, kPeer));
  ASSERT_TRUE(test::run("ip link set wio0 mtu 1300"));
  EXPECT_TRUE(until(kPeer, [](const Result<Hop>& hop) { return hop && hop->mtu == 1300; }));
  ASSERT_TRUE(test::run("ip link set wio0 mtu 9000"));
  EXPECT_TRUE(until(kPeer, [](const Result<Hop>& hop) { return hop && hop->mtu == 1770; }));
}

TEST_F(KernelUnderlay, ARemovedAddressHasNoWay) {
  ASSERT_TRUE(until(kPeer, resolved));
  ASSERT_TRUE(test::run("ip addr add 198.18.0.7/25 dev wio0"));
  ASSERT_TRUE(test::run("ip addr del 198.18.0.1/24 dev wio0"));
  EXPECT_TRUE(until(kPeer, [](const Result<Hop>& hop) { return !hop; }));
  EXPECT_EQ(underlay_->resolve(kHub, kPeer).error().message,
            "no way to 198.18.0.2 from 198.18.0.1: the kernel does not have that address");
  ASSERT_TRUE(test::run("ip addr add 198.18.0.1/24 dev wio0"));
  EXPECT_TRUE(until(kPeer, resolved));
}

TEST_F(KernelUnderlay, ABlackholeIsNoWay) {
  ASSERT_TRUE(test::run("ip route add blackhole 10.9.0.0/16"));
  EXPECT_EQ(underlay_->resolve(kHub, kFar).error().message,
            "no way to 10.9.0.1 from 198.18.0.1: the route is a blackhole");
}

TEST_F(KernelUnderlay, NamesTheInterfaceThatIsNoPort) {
  ASSERT_TRUE(
      test::run("ip link add wio8 type veth peer name wio9 && ip link set wio8 up && ip route add "
                "10.9.0.0/16 dev wio8"));
  EXPECT_EQ(underlay_->resolve(kHub, kFar).error().message,
            "the kernel's route to 10.9.0.1 leaves by wio8, which is no port of the hub");
}

TEST_F(KernelUnderlay, ATunnelDoesNotGoThroughAnother) {
  ASSERT_TRUE(test::run(
      "ip link add wiox type vxlan id 7 remote 198.18.0.2 local 198.18.0.1 dstport 4790 && ip link set "
      "wiox up && ip route add 10.9.0.0/16 dev wiox"));
  EXPECT_EQ(
      underlay_->resolve(kHub, kFar).error().message,
      "the kernel's route to 10.9.0.1 leaves by wiox, a tunnel (vxlan); a tunnel's outer packets do not go "
      "through another tunnel");
}

TEST_F(KernelUnderlay, ATunnelDoesNotGoThroughTheHubsOwnPort) {
  ASSERT_TRUE(
      test::run("ip link add wio8 type veth peer name wio9 && ip link set wio8 up && ip route add "
                "10.9.0.0/16 dev wio8"));
  PortFacts shared, tap;
  shared.name = "wan";
  shared.kernel_shared = true;
  shared.kernel_ifindex = if_nametoindex("wio0");
  tap.index = 1;
  tap.name = "tap0";
  tap.kernel_ifindex = if_nametoindex("wio8");
  auto underlay = Underlay::create({shared, tap}, [](dataplane::PortIndex, std::span<const uint8_t>) {});
  ASSERT_TRUE(underlay);
  EXPECT_EQ(
      (*underlay)->resolve(kHub, kFar).error().message,
      "the kernel's route to 10.9.0.1 leaves by wio8, which is the hub's own port tap0; a tunnel's outer "
      "packets do not go through the hub again");
}

/// An af_packet port: DPDK owns it, and its MAC is the interface's.
TEST_F(KernelUnderlay, FollowsTheMacOfAnInterface) {
  PortFacts port;
  port.index = 2;
  port.name = "lan";
  port.kernel_ifindex = if_nametoindex("wio0");
  port.kernel_mac = true;
  port.mac = net::Mac{{0x02, 0, 0, 0, 0, 0x01}};
  port.addresses = {{net::IpAddress(net::Ipv4{0xc6130001}), 24}, {net::IpAddress(kHub6), 64}};
  std::vector<std::vector<uint8_t>> sent;
  auto made = Underlay::create({port}, [&](dataplane::PortIndex, std::span<const uint8_t> f) {
    sent.emplace_back(f.begin(), f.end());
  });
  ASSERT_TRUE(made);
  Underlay& underlay = **made;
  EXPECT_TRUE(underlay.port_mac(2)) << "as it is now";
  EXPECT_FALSE(underlay.port_mac(1));
  ASSERT_EQ(underlay.fds().size(), 1u);
  const net::Mac changed{{0x02, 0, 0, 0, 0, 0x77}};
  ASSERT_TRUE(test::run("ip link set wio0 address 02:00:00:00:00:77"));
  pollfd wait{underlay.fds().at(0), POLLIN, 0};
  ASSERT_EQ(poll(&wait, 1, 3'000), 1);
  EXPECT_TRUE(underlay.process());
  EXPECT_EQ(underlay.port_mac(2), changed);
  ASSERT_EQ(sent.size(), 1u) << "IPv4 neighbours are told";
  EXPECT_TRUE(std::equal(changed.bytes.begin(), changed.bytes.end(), sent[0].begin() + 6));
  EXPECT_FALSE(underlay.process()) << "nothing new";
  ASSERT_TRUE(test::run("ip link set wio0 mtu 1400"));
  (void)poll(&wait, 1, 3'000);
  EXPECT_FALSE(underlay.process()) << "no MAC";
  // Questions from now on come from it.
  ASSERT_TRUE(underlay.resolve(net::Ipv4{0xc6130001}, net::Ipv4{0xc6130005}));
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_TRUE(std::equal(changed.bytes.begin(), changed.bytes.end(), sent[1].begin() + 6));
}

TEST_F(KernelUnderlay, NoTunnelLeadsToAnotherPortOfTheHub) {
  PortFacts one, other;
  one.name = "one";
  one.addresses = {{net::IpAddress(net::Ipv4{0xc6130001}), 24}};
  one.gateways = {net::IpAddress(net::Ipv4{0xc61300fe})};
  other.index = 1;
  other.name = "other";
  other.addresses = {{net::IpAddress(net::Ipv4{0xc6140001}), 24}};
  auto underlay = Underlay::create({one, other}, [](dataplane::PortIndex, std::span<const uint8_t>) {});
  ASSERT_TRUE(underlay);
  EXPECT_EQ((*underlay)->resolve(net::Ipv4{0xc6130001}, net::Ipv4{0xc6140001}).error().message,
            "no way to 198.20.0.1 from 198.19.0.1: it is the hub's own address");
  EXPECT_TRUE((*underlay)->resolve(net::Ipv4{0xc6130001}, net::Ipv4{0xc6140002}));
}

class KernelUnderlay6 : public KernelUnderlay {
 protected:
  void SetUp() override {
    KernelUnderlay::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(test::run("ip addr add 2001:db8:1a::1/64 dev wio0 nodad"));
    ASSERT_TRUE(peer_->run("ip addr add 2001:db8:1a::2/64 dev wio1 nodad"));
  }
};

TEST_F(KernelUnderlay6, ResolvesAPeerOnTheLink) { EXPECT_TRUE(until(kPeer6, resolved)); }

TEST_F(KernelUnderlay6, FollowsARouteThatComesAndGoes) {
  EXPECT_FALSE(underlay_->resolve(kHub6, kFar6));
  ASSERT_TRUE(test::run("ip -6 route add 2001:db8:2a::/48 via 2001:db8:1a::2 mtu 1400"));
  EXPECT_TRUE(until(kFar6, resolved));
  EXPECT_EQ(underlay_->resolve(kHub6, kFar6)->mtu, 1400);
  ASSERT_TRUE(test::run("ip -6 route del 2001:db8:2a::/48"));
  EXPECT_TRUE(until(kFar6, [](const Result<Hop>& hop) { return !hop; }));
}

TEST_F(KernelUnderlay6, ABlackholeIsNoWay) {
  ASSERT_TRUE(test::run("ip -6 route add blackhole 2001:db8:2a::/48"));
  EXPECT_EQ(underlay_->resolve(kHub6, kFar6).error().message,
            "no way to 2001:db8:2a::1 from 2001:db8:1a::1: the route is a blackhole");
}

TEST_F(KernelUnderlay6, LinkLocalAddressesAreNotTheHubs) {
  const auto addresses = underlay_->kernel_addresses(if_nametoindex("wio0"));
  ASSERT_TRUE(addresses);
  ASSERT_EQ(addresses->size(), 2u);
  EXPECT_EQ(net::to_string((*addresses)[1]), "2001:db8:1a::1/64");
}

TEST_F(KernelUnderlay, OwnAddressIsNoPeer) {
  EXPECT_EQ(underlay_->resolve(kHub, kHub).error().code, ErrorCode::not_found);
}

TEST_F(KernelUnderlay, ListsTheAddressesOfAnInterface) {
  ASSERT_TRUE(test::run("ip addr add 198.18.5.1/28 dev wio0"));
  const auto addresses = underlay_->kernel_addresses(if_nametoindex("wio0"));
  ASSERT_TRUE(addresses);
  ASSERT_EQ(addresses->size(), 2u);
  EXPECT_EQ(net::to_string((*addresses)[0]), "198.18.0.1/24");
  EXPECT_EQ(net::to_string((*addresses)[1]), "198.18.5.1/28");
}

TEST_F(KernelUnderlay, ForgottenWaysReportNothing) {
  ASSERT_TRUE(until(kPeer, resolved));
  underlay_->forget(kHub, kPeer);
  while (underlay_->process()) {
  }
  ASSERT_TRUE(test::run("ip neigh del 198.18.0.2 dev wio0"));
  EXPECT_FALSE(underlay_->process());
}

TEST_F(KernelUnderlay, ReadsEverythingAgainAfterAnOverrun) {
  ASSERT_TRUE(until(kPeer, resolved));
  // More changes than the socket's buffer holds, unread; the last ones are those that count.
  ASSERT_TRUE(test::run(
      "for b in $(seq 0 7); do for i in $(seq 1 250); do "
      "for n in $(seq 0 5); do echo neigh replace 10.$n.$b.$i lladdr 02:00:00:00:00:01 dev wio0; done; "
      "done; done | ip -batch -"));
  ASSERT_TRUE(test::run("ip neigh change 198.18.0.2 lladdr 02:00:00:00:00:44 dev wio0 nud permanent"));
  EXPECT_TRUE(underlay_->process());
  EXPECT_EQ(underlay_->resolve(kHub, kPeer)->mac, (net::Mac{{0x02, 0, 0, 0, 0, 0x44}}));
}

}  // namespace
}  // namespace weir::underlay
