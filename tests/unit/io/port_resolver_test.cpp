// ARP and neighbour discovery on a port that DPDK owns, with time driven by hand and frames that lie.
#include "mgmt/underlay/port_resolver.h"

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
    port.gateways = {kGateway};
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
  PortResolver arp_{facts(), send_};
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
  EXPECT_TRUE(arp_.on_frame(build({})));
  EXPECT_EQ(mac_of(), kPeerMac);
  EXPECT_EQ(sent_.size(), 1u) << "a known neighbour is not asked for again";
}

TEST_F(ArpResolving, AsksTheGatewayForWhatIsFar) {
  ASSERT_TRUE(resolve(kFar));
  EXPECT_TRUE(arp_.on_frame(build({.sender = kGateway})));
  EXPECT_EQ(mac_of(kFar), kPeerMac);
}

TEST_F(ArpResolving, WithoutAGatewayFarIsNowhere) {
  PortFacts port = facts();
  port.gateways.clear();
  PortResolver arp(port, send_);
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
  arp_.on_frame(build({}));
  tick(0);
  tick(29.9);
  EXPECT_EQ(sent_.size(), 1u);
  tick(30);
  ASSERT_EQ(sent_.size(), 2u);
  EXPECT_TRUE(std::equal(kPeerMac.bytes.begin(), kPeerMac.bytes.end(), sent_[1].begin()));
  EXPECT_FALSE(arp_.on_frame(build({}))) << "the same answer changes nothing";
  tick(30.1);
  tick(60);
  EXPECT_EQ(sent_.size(), 2u) << "the answer at 30.1 s lasts for 30 s";
}

TEST_F(ArpResolving, ForgetsWhoNoLongerAnswers) {
  ASSERT_TRUE(resolve());
  arp_.on_frame(build({}));
  EXPECT_FALSE(tick(0));
  for (double second : {30.0, 31.0, 32.0}) EXPECT_FALSE(tick(second));
  EXPECT_EQ(mac_of(), kPeerMac);
  EXPECT_TRUE(tick(33)) << "three questions without an answer";
  EXPECT_EQ(mac_of(), std::nullopt);
  EXPECT_TRUE(std::equal(kBroadcast.bytes.begin(), kBroadcast.bytes.end(), sent_.back().begin()));
  EXPECT_TRUE(arp_.on_frame(build({})));
  EXPECT_EQ(mac_of(), kPeerMac);
}

TEST_F(ArpResolving, ForgottenWaysAreNotAskedFor) {
  ASSERT_TRUE(resolve());
  arp_.forget(kOwn, kPeer);
  sent_.clear();
  for (int second = 0; second < 100; ++second) tick(second);
  EXPECT_TRUE(sent_.empty());
  EXPECT_FALSE(arp_.on_frame(build({})));
}

TEST_F(ArpResolving, AGatewayStaysWhileAnyWayNeedsIt) {
  ASSERT_TRUE(resolve(kFar));
  ASSERT_TRUE(resolve(net::Ipv4{kFar.value + 1}));
  arp_.forget(kOwn, kFar);
  EXPECT_TRUE(arp_.on_frame(build({.sender = kGateway})));
  EXPECT_EQ(mac_of(net::Ipv4{kFar.value + 1}), kPeerMac);
}

TEST_F(ArpResolving, ManyPeersAreAskedInPortions) {
  PortFacts port = facts();
  port.addresses = {{net::IpAddress(kOwn), 16}};
  PortResolver arp(port, send_);
  for (uint32_t i = 0; i < 200; ++i) ASSERT_TRUE(arp.resolve(kOwn, net::Ipv4{kOwn.value + 256 + i}));
  EXPECT_EQ(sent_.size(), PortResolver::kRequestsPerTick);
  arp.tick(1);
  EXPECT_EQ(sent_.size(), 2 * PortResolver::kRequestsPerTick);
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
    {"announcement by reply", {.to = kBroadcast, .operation = 2, .target = kPeer}, true},
    {"announcement of another", {.to = kBroadcast, .sender = kGateway, .target = kGateway}, false},
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
    PortResolver arp(facts(), send_);
    ASSERT_TRUE(arp.resolve(kOwn, kPeer));
    EXPECT_EQ(arp.on_frame(build(row.arp)), row.learnt) << row.name;
    EXPECT_EQ(arp.resolve(kOwn, kPeer)->mac.has_value(), row.learnt) << row.name;
  }
}

TEST_F(ArpResolving, ReadsNothingBehindTheEnd) {
  ASSERT_TRUE(resolve());
  const Bytes whole = build({});
  for (size_t length = 0; length < whole.size(); ++length) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(
                                                        length));  // exact, so that ASan watches its end
    EXPECT_FALSE(arp_.on_frame(part)) << length;
  }
  EXPECT_TRUE(arp_.on_frame(whole));
}

TEST_F(ArpResolving, FollowsAChangedMac) {
  ASSERT_TRUE(resolve());
  arp_.on_frame(build({}));
  EXPECT_TRUE(arp_.on_frame(build({.sender_mac = kOtherMac})));
  EXPECT_EQ(mac_of(), kOtherMac);
}

TEST_F(ArpResolving, AWorkersNoteIsAsGoodAsAQuestion) {
  EXPECT_FALSE(arp_.on_note(kPeer, kPeerMac)) << "nobody asked for it";
  ASSERT_TRUE(resolve());
  EXPECT_FALSE(arp_.on_note(kPeer, kBroadcast));
  EXPECT_FALSE(arp_.on_note(kPeer, kOwnMac));
  EXPECT_TRUE(arp_.on_note(kPeer, kPeerMac));
  EXPECT_FALSE(arp_.on_note(kPeer, kPeerMac));
  EXPECT_EQ(mac_of(), kPeerMac);
}

constexpr net::Ipv6 kOwn6{0x20010db800000000, 1};
constexpr net::Ipv6 kPeer6{0x20010db800000000, 2};
constexpr net::Ipv6 kGateway6{0x20010db800000000, 0xfe};
constexpr net::Ipv6 kFar6{0x20010db900000000, 1};

/// A neighbour discovery message in a frame; what a row does not say is a well-formed answer of kPeer6's to
/// us.
struct Nd {
  uint8_t type = 136;
  uint8_t code = 0;
  uint8_t hop_limit = 255;
  uint8_t next_header = 58;
  uint32_t flags = 0x60000000;  // solicited, override
  net::Ipv6 src = kPeer6;
  net::Ipv6 dst = kOwn6;
  net::Ipv6 target = kPeer6;
  uint8_t option = 2;
  uint8_t option_words = 1;
  net::Mac mac = kPeerMac;
  bool damaged = false;
  bool with_option = true;
};

Bytes build(const Nd& nd) {
  Bytes out;
  test::put_mac(out, kOwnMac);
  test::put_mac(out, nd.mac);
  test::put16(out, 0x86dd);
  const uint16_t length = nd.with_option ? 32 : 24;
  test::put32(out, 0x60000000);
  test::put16(out, length);
  out.push_back(nd.next_header);
  out.push_back(nd.hop_limit);
  const auto put_ipv6 = [&out](const net::Ipv6& address) {
    uint8_t bytes[16];
    address.store(bytes);
    out.insert(out.end(), bytes, bytes + 16);
  };
  put_ipv6(nd.src);
  put_ipv6(nd.dst);
  const size_t message = out.size();
  out.push_back(nd.type);
  out.push_back(nd.code);
  test::put16(out, 0);
  test::put32(out, nd.flags);
  put_ipv6(nd.target);
  if (nd.with_option) {
    out.push_back(nd.option);
    out.push_back(nd.option_words);
    test::put_mac(out, nd.mac);
  }
  uint32_t sum = length + 58u;
  for (size_t i = message - 32; i < out.size(); i += 2)
    sum += static_cast<uint32_t>(out[i] << 8 | out[i + 1]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  out[message + 2] = static_cast<uint8_t>(~sum >> 8);
  out[message + 3] = static_cast<uint8_t>(~sum);
  if (nd.damaged) out[message + 3] ^= 1;
  return out;
}

class NdResolving : public ArpResolving {
 protected:
  static PortFacts facts6() {
    PortFacts port = facts();
    port.addresses.push_back({net::IpAddress(kOwn6), 64});
    port.gateways.push_back(kGateway6);
    return port;
  }
  PortResolver nd_{facts6(), send_};
};

TEST_F(NdResolving, AsksTheSolicitedNodeGroupAndLearnsTheAnswer) {
  ASSERT_TRUE(nd_.resolve(kOwn6, kPeer6));
  ASSERT_EQ(sent_.size(), 1u);
  const Bytes group = {0x33, 0x33, 0xff, 0, 0, 2};
  EXPECT_TRUE(std::equal(group.begin(), group.end(), sent_[0].begin()));
  EXPECT_EQ(sent_[0][54], 135);
  EXPECT_TRUE(nd_.on_frame(build(Nd{})));
  EXPECT_EQ(nd_.resolve(kOwn6, kPeer6)->mac, kPeerMac);
}

TEST_F(NdResolving, AsksTheGatewayOfItsFamilyForWhatIsFar) {
  ASSERT_TRUE(nd_.resolve(kOwn6, kFar6));
  EXPECT_TRUE(nd_.on_frame(build(Nd{.target = kGateway6})));
  EXPECT_EQ(nd_.resolve(kOwn6, kFar6)->mac, kPeerMac);
  const auto no_way = arp_.resolve(kOwn6, kFar6);
  ASSERT_FALSE(no_way);
  EXPECT_EQ(
      no_way.error().message,
      "no way to 2001:db9::1 from 2001:db8::1: it is on no subnet of port wan, which has no IPv6 gateway");
}

TEST_F(NdResolving, TheGatewayMayBeLinkLocal) {
  constexpr net::Ipv6 kRouter{0xfe80000000000000, 0x254};
  PortFacts port = facts();
  port.addresses.push_back({net::IpAddress(kOwn6), 64});
  port.gateways = {net::IpAddress(kGateway), net::IpAddress(kRouter)};
  PortResolver nd(port, send_);
  ASSERT_TRUE(nd.resolve(kOwn6, kFar6));
  ASSERT_EQ(sent_.size(), 1u);
  const Bytes group = {0x33, 0x33, 0xff, 0, 2, 0x54};
  EXPECT_TRUE(std::equal(group.begin(), group.end(), sent_[0].begin()));
  EXPECT_TRUE(nd.on_frame(build(Nd{.src = kRouter, .target = kRouter})));
  EXPECT_EQ(nd.resolve(kOwn6, kFar6)->mac, kPeerMac);
  ASSERT_TRUE(nd.resolve(kOwn, kFar));
  EXPECT_TRUE(nd.on_frame(build({.sender = kGateway})));
  EXPECT_EQ(nd.resolve(kOwn, kFar)->mac, kPeerMac) << "each family has its own";
}

TEST_F(NdResolving, AnAdvertisementWithoutOverrideReplacesNoMac) {
  ASSERT_TRUE(nd_.resolve(kOwn6, kPeer6));
  EXPECT_TRUE(nd_.on_frame(build(Nd{.flags = 0x40000000}))) << "there is nothing to replace";
  EXPECT_FALSE(nd_.on_frame(build(Nd{.flags = 0x40000000, .mac = kOtherMac})));
  EXPECT_EQ(nd_.resolve(kOwn6, kPeer6)->mac, kPeerMac);
  EXPECT_TRUE(nd_.on_frame(build(Nd{.mac = kOtherMac})));
}

struct NdRow {
  const char* name;
  Nd nd;
  bool learnt;
};

constexpr net::Ipv6 kAllNodes{0xff02000000000000, 1};

const std::vector<NdRow> kNdRows = {
    {"answer", {}, true},
    {"announcement", {.flags = 0x20000000, .dst = kAllNodes}, true},
    {"question to us", {.type = 135, .target = kOwn6, .option = 1}, true},
    {"question to another", {.type = 135, .target = kGateway6, .option = 1}, false},
    {"question of one without an address", {.type = 135, .src = {}, .target = kOwn6, .option = 1}, false},
    {"answer to another", {.dst = kGateway6}, false},
    {"answer of one whom nobody asked", {.target = {kPeer6.hi, 3}}, false},
    {"solicited, but to all", {.dst = kAllNodes}, false},
    {"from beyond the link", {.hop_limit = 254}, false},
    {"damaged", {.damaged = true}, false},
    {"no ICMPv6", {.next_header = 17}, false},
    {"router advertisement", {.type = 134}, false},
    {"code", {.code = 1}, false},
    {"multicast target", {.target = kAllNodes}, false},
    {"no option", {.with_option = false}, false},
    {"other option", {.option = 1}, false},
    {"empty option", {.option_words = 0}, false},
    {"option beyond the end", {.option_words = 2}, false},
    {"multicast MAC", {.mac = {{0x33, 0x33, 0, 0, 0, 1}}}, false},
    {"zero MAC", {.mac = {}}, false},
    {"our own MAC", {.mac = kOwnMac}, false},
};

TEST_F(NdResolving, LearnsFromNothingButHonestAnswers) {
  for (const NdRow& row : kNdRows) {
    PortResolver nd(facts6(), send_);
    ASSERT_TRUE(nd.resolve(kOwn6, kPeer6));
    EXPECT_EQ(nd.on_frame(build(row.nd)), row.learnt) << row.name;
    EXPECT_EQ(nd.resolve(kOwn6, kPeer6)->mac.has_value(), row.learnt) << row.name;
  }
}

TEST_F(NdResolving, ReadsNothingBehindTheEnd) {
  ASSERT_TRUE(nd_.resolve(kOwn6, kPeer6));
  const Bytes whole = build(Nd{});
  for (size_t length = 0; length < whole.size(); ++length) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(nd_.on_frame(part)) << length;
  }
  EXPECT_TRUE(nd_.on_frame(whole));
}

}  // namespace
}  // namespace weir::underlay
