// The quick reading of outer headers takes what it should, and never anything that the complete reading
// judges otherwise.
#include "dataplane/tunnel/outer_pattern.h"

#include <gtest/gtest.h>

#include "dataplane/net/checksum.h"
#include "dataplane/net/ecn.h"
#include "tests/support/packet_builder.h"

namespace weir::dataplane {
namespace {

using test::Bytes;
using test::PacketBuilder;

constexpr uint16_t kEth = sizeof(net::EthHeader), kOwnNumber = 7;
const HubAddress kOwn[] = {{net::Ipv4{0xc6120001}, 0, false, 0},
                           {net::Ipv6{0x2001'0db8'000f'0000, 1}, 0, false, kOwnNumber}};

UdpTunnels tunnels() {
  UdpTunnels all;
  all.add(kVxlanPort, KeyKind::vxlan);
  all.add(kGenevePort, KeyKind::geneve);
  return all;
}

struct Kind {
  const char* name;
  bool v6;
  KeyKind kind;
  size_t headers;
};
const Kind kKinds[] = {
    {"vxlan", false, KeyKind::vxlan, 50},    {"geneve", false, KeyKind::geneve, 50},
    {"gre", false, KeyKind::gre, 38},        {"gre with key", false, KeyKind::gre_keyed, 42},
    {"ipip", false, KeyKind::ipip4, 34},     {"6in4", false, KeyKind::ipip6, 34},
    {"vxlan, v6", true, KeyKind::vxlan, 70}, {"geneve, v6", true, KeyKind::geneve, 70},
    {"gre, v6", true, KeyKind::gre, 58},     {"gre with key, v6", true, KeyKind::gre_keyed, 62},
    {"4in6", true, KeyKind::ipip4, 54},      {"6in6", true, KeyKind::ipip6, 54}};

Bytes good_frame(const Kind& k) {
  PacketBuilder b;
  b.ether({{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 9}});
  if (k.v6) {
    b.ip("2001:db8:f::a", "2001:db8:f::1");
  } else {
    b.ip("198.18.0.10", "198.18.0.1");
  }
  constexpr uint32_t kId = 0x123456;
  if (k.kind == KeyKind::vxlan) b.udp(50'000, kVxlanPort).no_checksum().vxlan(kId);
  if (k.kind == KeyKind::geneve) b.udp(50'000, kGenevePort).no_checksum().geneve(kId, 0x6558);
  if (k.kind == KeyKind::gre) b.gre(0x0800, {});
  if (k.kind == KeyKind::gre_keyed) b.gre(0x0800, {.key = kId});
  if (k.kind == KeyKind::ipip4) b.type(4);
  if (k.kind == KeyKind::ipip6) b.type(41);
  return b.payload(Bytes(60, 'x')).build();
}

void fix_checksum(Bytes& frame) {
  if (frame[kEth] >> 4 != 4) return;
  auto& ip = *reinterpret_cast<net::Ipv4Header*>(frame.data() + kEth);
  ip.checksum = net::be16::raw(0);
  ip.checksum = net::be16::raw(net::checksum({frame.data() + kEth, sizeof ip}));
}

/// Whether some pattern takes the first `size` bytes; if so the complete reading has to agree.
bool taken(const Bytes& frame, size_t size) {
  const Bytes exact(frame.begin(), frame.begin() + static_cast<long>(size));  // nothing may be read beyond
  const UdpTunnels all = tunnels();
  OuterView quick, complete;
  unsigned takers = 0;
  for (const OuterPattern& pattern : outer_patterns(all, kOwn)) {
    OuterView view;
    const bool takes = pattern.parse(exact.data(), static_cast<uint32_t>(size), view);
    if (pattern.is_vxlan4() && size >= OuterPattern::kVxlan4Headers) {
      OuterView again;
      EXPECT_EQ(pattern.parse_vxlan4(exact.data(), static_cast<uint32_t>(size), again), takes);
      EXPECT_TRUE(!takes || (again.key == view.key && again.payload == view.payload &&
                             again.length == view.length && again.inner == view.inner));
    }
    takers += takes;
    if (takes) quick = view;
  }
  if (takers == 0) return false;
  EXPECT_EQ(takers, 1u) << "a packet is of one kind";
  net::EthView eth;
  EXPECT_EQ(net::parse_ethernet(exact, eth), net::ParseError::none);
  EXPECT_EQ(eth.offset, kEth);
  const auto family = eth.type == net::kEtherIpv4 ? net::Family::ipv4 : net::Family::ipv6;
  net::IpView ip;
  const OuterJudgement judgement =
      parse_outer(net::Bytes(exact).subspan(kEth), family, all, kOwn, complete, ip);
  // Addresses, but the hub's own of IPv6, are left to the tunnel table by the quick reading.
  if (judgement.drop == DropReason::outer_not_for_hub || judgement.drop == DropReason::outer_martian)
    return true;
  EXPECT_EQ(judgement.drop, DropReason::none);
  EXPECT_FALSE(judgement.local || judgement.fragment);
  EXPECT_TRUE(quick.key == complete.key && quick.payload == complete.payload &&
              quick.length == complete.length && quick.udp == complete.udp && quick.tos == complete.tos &&
              quick.inner == complete.inner && quick.checksum_zero == complete.checksum_zero);
  EXPECT_EQ(quick.tos & net::kEct1, 0);
  return true;
}

TEST(OuterPattern, TakesEachKindOfTunnel) {
  for (const Kind& k : kKinds) {
    Bytes frame = good_frame(k);
    EXPECT_TRUE(taken(frame, frame.size())) << k.name;
    frame.resize(frame.size() + 9, 0);
    EXPECT_TRUE(taken(frame, frame.size())) << k.name << ", with padding";
  }
}

TEST(OuterPattern, TakesNoneThatIsCutShort) {
  for (const Kind& k : kKinds) {
    const Bytes frame = good_frame(k);
    for (size_t size = 0; size < frame.size(); ++size) EXPECT_FALSE(taken(frame, size)) << k.name << size;
  }
}

TEST(OuterPattern, AgreesAboutEveryChangedBit) {
  for (const Kind& k : kKinds) {
    const Bytes good = good_frame(k);
    unsigned still_taken = 0;
    for (size_t bit = 0; bit < k.headers * 8; ++bit) {
      Bytes frame = good;
      frame[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      still_taken += taken(frame, frame.size());
      fix_checksum(frame);
      still_taken += taken(frame, frame.size());
    }
    // At least the MAC addresses and the peer's, twice.
    EXPECT_GT(still_taken, 200u) << k.name;
    EXPECT_LT(still_taken, k.headers * 16 - 100) << k.name;
  }
}

TEST(OuterPattern, AgreesAboutEveryLength) {
  for (const Kind& k : kKinds) {
    const bool udp = k.kind == KeyKind::vxlan || k.kind == KeyKind::geneve;
    for (unsigned total = 0; total < 160; ++total) {
      for (unsigned carried = 0; carried < (udp ? 160u : 1u); ++carried) {
        Bytes frame = good_frame(k);
        uint8_t* ip = frame.data() + kEth;
        const auto length = net::be16::of(static_cast<uint16_t>(total));
        std::memcpy(ip + (k.v6 ? 4 : 2), &length, sizeof length);
        if (udp) {
          reinterpret_cast<net::UdpHeader*>(ip + (k.v6 ? 40 : 20))->length =
              net::be16::of(static_cast<uint16_t>(carried));
        }
        fix_checksum(frame);
        taken(frame, frame.size());
      }
    }
  }
}

TEST(OuterPattern, MarksOfCongestionAreForTheCompleteReading) {
  for (const Kind& k : kKinds) {
    for (const uint8_t mark : {uint8_t{net::kEct1}, uint8_t{net::kEcnMask}}) {
      Bytes frame = good_frame(k);
      if (k.v6) {
        frame[kEth + 1] |= static_cast<uint8_t>(mark << 4);
      } else {
        frame[kEth + 1] |= mark;
      }
      fix_checksum(frame);
      EXPECT_FALSE(taken(frame, frame.size())) << k.name;
    }
  }
}

TEST(OuterPattern, ThereIsOneForEachPortAndOwnAddressWithinTheLimit) {
  EXPECT_EQ(outer_patterns(tunnels(), kOwn).size(), 12u);
  EXPECT_EQ(outer_patterns(UdpTunnels{}, {}).size(), 4u) << "without ports for UDP";
  UdpTunnels many;
  for (uint16_t port = 5'000; many.count < UdpTunnels::kMax; ++port) many.add(port, KeyKind::vxlan);
  std::vector<HubAddress> own;
  for (uint16_t n = 1; n < 100; ++n) own.push_back({net::Ipv6{0x2001'0db8'000f'0000, n}, 0, false, n});
  EXPECT_LE(outer_patterns(many, own).size(), kMaxPatterns);
  EXPECT_GT(outer_patterns(many, own).size(), 2 * UdpTunnels::kMax);
}

}  // namespace
}  // namespace weir::dataplane
