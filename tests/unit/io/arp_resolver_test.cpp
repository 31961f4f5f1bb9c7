// ARP on a port that DPDK owns, with time driven by hand and frames that lie.
#include "mgmt/underlay/arp_resolver.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/io/frames.h"

namespace weir::underlay {
namespace {

using dataplane::kNanosPerSecond;
using dataplane::NanoTime;
using test::Bytes;

constexpr net::Mac kOwnMac{{0x02, 0, 0, 0, 0, 0x01}};
constexpr net::Mac kPeerMac{{0x02, 0, 0, 0, 0, 0x22}};
constexpr net::Mac kOtherMac{{0x02, 0, 0, 0, 0, 0x33}};
constexpr net::Mac kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr net::Ipv4 kOwn{0xc6120001};      // 198.18.0.1
constexpr net::Ipv4 kPeer{0xc6120002};     // 198.18.0.2, on-link
constexpr net::Ipv4 kGateway{0xc61200fe};  // 198.18.0.254
constexpr net::Ipv4 kFar{0x0a000001};      // 10.0.0.1

/// An ARP packet in a frame; what a row does not say is a well-formed reply of kPeer's to us.
struct Arp {
  net::Mac to = kOwnMac;
  uint16_t ether_type = 0x0806;
  uint16_t hardware = 1;
  uint16_t protocol = 0x0800;
  uint8_t hardware_size = 6;
  uint8_t protocol_size = 4;
  uint16_t operation = 2;
  net::Mac sender_mac = kPeerMac;
  net::Ipv4 sender = kPeer;
  net::Mac target_mac = kOwnMac;
  net::Ipv4 target = kOwn;
};

Bytes build(const Arp& arp) {
  Bytes out;
  test::put_mac(out, arp.to);
  test::put_mac(out, arp.sender_mac);
  test::put16(out, arp.ether_type);
  test::put16(out, arp.hardware);
  test::put16(out, arp.protocol);
  out.push_back(arp.hardware_size);
  out.push_back(arp.protocol_size);
  test::put16(out, arp.operation);
  test::put_mac(out, arp.sender_mac);
  test::put32(out, arp.sender.value);
  test::put_mac(out, arp.target_mac);
  test::put32(out, arp.target.value);
  return out;
}

class ArpResolving : public testing::Test {
 protected:
  static PortFacts facts() {
    PortFacts port;
    port.index = 3;
    port.name = "wan";
    port.mac = kOwnMac;
    port.mtu = 1600;
    port.addresses = {{net::IpAddress(kOwn), 24}};
    port.gateway = kGateway;
    return port;
  }
  Result<Hop> resolve(net::Ipv4 remote = kPeer) { return arp_.resolve(kOwn, remote); }
  std::optional<net::Mac> mac_of(net::Ipv4 remote = kPeer) {
    const auto hop = resolve(remote);
    return hop ? hop->mac : std::nullopt;
  }
  bool tick(double seconds) { return arp_.tick(static_cast<NanoTime>(seconds * 1e9)); }

  std::vector<Bytes> sent_;
  SendFrame send_ = [this](dataplane::PortIndex port, std::span<const uint8_t> frame) {
    EXPECT_EQ(port, 3);
    sent_.emplace_back(frame.begin(), frame.end());
  };
  ArpResolver arp_{facts(), send_};
};

TEST_F(ArpResolving, AsksAtOnceAndLearnsTheAnswer) {
  const auto hop = resolve();
  ASSERT_TRUE(hop);
  EXPECT_EQ(*hop, (Hop{3, std::nullopt, 1600, true}));
  ASSERT_EQ(sent_.size(), 1u);
  Bytes expected = build({.to = kBroadcast,
                          .operation = 1,
                          .sender_mac = kOwnMac,
                          .sender = kOwn,
                          .target_mac = {},
                          .target = kPeer});
  expected.resize(60);
  EXPECT_EQ(sent_[0], expected);
  EXPECT_TRUE(arp_.on_arp(build({})));
  EXPECT_EQ(mac_of(), kPeerMac);
  EXPECT_EQ(sent_.size(), 1u) << "a known neighbour is not asked for again";
}

TEST_F(ArpResolving, AsksTheGatewayForWhatIsFar) {
  ASSERT_TRUE(resolve(kFar));
  EXPECT_TRUE(arp_.on_arp(build({.sender = kGateway})));
  EXPECT_EQ(mac_of(kFar), kPeerMac);
}

TEST_F(ArpResolving, WithoutAGatewayFarIsNowhere) {
  PortFacts port = facts();
  port.gateway.reset();
  ArpResolver arp(port, send_);
  const auto hop = arp.resolve(kOwn, kFar);
  ASSERT_FALSE(hop);
  EXPECT_EQ(hop.error().code, ErrorCode::not_found);
  EXPECT_EQ(hop.error().message,
            "no way to 10.0.0.1 from 198.18.0.1: it is on no subnet of port wan, which has no gateway");
}

TEST_F(ArpResolving, OwnAddressIsNoPeer) { EXPECT_EQ(resolve(kOwn).error().code, ErrorCode::not_found); }

TEST_F(ArpResolving, RetriesMoreAndMoreSlowly) {
  ASSERT_TRUE(resolve());
  tick(0);
  std::vector<int> asked_at;
  for (int second = 1; second <= 130; ++second) {
    const size_t before = sent_.size();
    tick(second);
    if (sent_.size() != before) asked_at.push_back(second);
  }
  EXPECT_EQ(asked_at, (std::vector<int>{1, 2, 4, 8, 16, 32, 62, 92, 122}));
}

TEST_F(ArpResolving, KeepsAKnownNeighbourFreshByUnicast) {
  ASSERT_TRUE(resolve());
  arp_.on_arp(build({}));
  tick(0);
  tick(29.9);
  EXPECT_EQ(sent_.size(), 1u);
  tick(30);
  ASSERT_EQ(sent_.size(), 2u);
  EXPECT_TRUE(std::equal(kPeerMac.bytes.begin(), kPeerMac.bytes.end(), sent_[1].begin()));
  EXPECT_FALSE(arp_.on_arp(build({}))) << "the same answer changes nothing";
  tick(30.1);
  tick(60);
  EXPECT_EQ(sent_.size(), 2u) << "the answer at 30.1 s lasts for 30 s";
}

TEST_F(ArpResolving, ForgetsWhoNoLongerAnswers) {
  ASSERT_TRUE(resolve());
  arp_.on_arp(build({}));
  EXPECT_FALSE(tick(0));
  for (double second : {30.0, 31.0, 32.0}) EXPECT_FALSE(tick(second));
  EXPECT_EQ(mac_of(), kPeerMac);
  EXPECT_TRUE(tick(33)) << "three questions without an answer";
  EXPECT_EQ(mac_of(), std::nullopt);
  EXPECT_TRUE(std::equal(kBroadcast.bytes.begin(), kBroadcast.bytes.end(), sent_.back().begin()));
  EXPECT_TRUE(arp_.on_arp(build({})));
  EXPECT_EQ(mac_of(), kPeerMac);
}

TEST_F(ArpResolving, ForgottenWaysAreNotAskedFor) {
  ASSERT_TRUE(resolve());
  arp_.forget(kOwn, kPeer);
  sent_.clear();
  for (int second = 0; second < 100; ++second) tick(second);
  EXPECT_TRUE(sent_.empty());
  EXPECT_FALSE(arp_.on_arp(build({})));
}

TEST_F(ArpResolving, AGatewayStaysWhileAnyWayNeedsIt) {
  ASSERT_TRUE(resolve(kFar));
  ASSERT_TRUE(resolve({kFar.value + 1}));
  arp_.forget(kOwn, kFar);
  EXPECT_TRUE(arp_.on_arp(build({.sender = kGateway})));
  EXPECT_EQ(mac_of({kFar.value + 1}), kPeerMac);
}

TEST_F(ArpResolving, ManyPeersAreAskedInPortions) {
  PortFacts port = facts();
  port.addresses = {{net::IpAddress(kOwn), 16}};
  ArpResolver arp(port, send_);
  for (uint32_t i = 0; i < 200; ++i) ASSERT_TRUE(arp.resolve(kOwn, {kOwn.value + 256 + i}));
  EXPECT_EQ(sent_.size(), ArpResolver::kRequestsPerTick);
  arp.tick(1);
  EXPECT_EQ(sent_.size(), 2 * ArpResolver::kRequestsPerTick);
  arp.tick(2);
  arp.tick(3);
  EXPECT_EQ(sent_.size(), 200u);
}

struct ArpRow {
  const char* name;
  Arp arp;
  bool learnt;
};

const std::vector<ArpRow> kArpRows = {
    {"reply", {}, true},
    {"question to us", {.operation = 1}, true},
    {"announcement", {.to = kBroadcast, .operation = 1, .target = kPeer}, true},
    {"question to another", {.to = kBroadcast, .operation = 1, .target = kGateway}, false},
    {"reply to another", {.target = kGateway}, false},
    {"reply of one whom nobody asked", {.sender = {kPeer.value + 1}}, false},
    {"no ARP", {.ether_type = 0x0800}, false},
    {"other hardware", {.hardware = 6}, false},
    {"other protocol", {.protocol = 0x86dd}, false},
    {"long hardware addresses", {.hardware_size = 8}, false},
    {"long protocol addresses", {.protocol_size = 16}, false},
    {"unknown operation", {.operation = 3}, false},
    {"broadcast as sender", {.sender_mac = kBroadcast}, false},
    {"multicast as sender", {.sender_mac = {{0x01, 0, 0x5e, 0, 0, 1}}}, false},
    {"zero as sender", {.sender_mac = {}}, false},
    {"our own MAC as sender", {.sender_mac = kOwnMac}, false},
};

TEST_F(ArpResolving, LearnsFromNothingButHonestAnswers) {
  for (const ArpRow& row : kArpRows) {
    ArpResolver arp(facts(), send_);
    ASSERT_TRUE(arp.resolve(kOwn, kPeer));
    EXPECT_EQ(arp.on_arp(build(row.arp)), row.learnt) << row.name;
    EXPECT_EQ(arp.resolve(kOwn, kPeer)->mac.has_value(), row.learnt) << row.name;
  }
}

TEST_F(ArpResolving, ReadsNothingBehindTheEnd) {
  ASSERT_TRUE(resolve());
  const Bytes whole = build({});
  for (size_t length = 0; length < whole.size(); ++length) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(
                                                        length));  // exact, so that ASan watches its end
    EXPECT_FALSE(arp_.on_arp(part)) << length;
  }
  EXPECT_TRUE(arp_.on_arp(whole));
}

TEST_F(ArpResolving, FollowsAChangedMac) {
  ASSERT_TRUE(resolve());
  arp_.on_arp(build({}));
  EXPECT_TRUE(arp_.on_arp(build({.sender_mac = kOtherMac})));
  EXPECT_EQ(mac_of(), kOtherMac);
}

}  // namespace
}  // namespace weir::underlay
