// The reading by comparison of whole headers takes what it should, and never anything that the complete
// reading judges otherwise.
#include <gtest/gtest.h>

#include <vector>

#include "dataplane/net/checksum.h"
#include "dataplane/tunnel/outer_parse.h"

namespace weir::dataplane {
namespace {

constexpr net::Mac kPortMac{{2, 0, 0, 0, 0, 1}};
constexpr uint16_t kVxlan = 4789, kGeneve = 6081, kEth = sizeof(net::EthHeader);
const HubAddress kOwn[] = {{net::Ipv4{0xc6120001}, 0, false, 0}};

UdpTunnels tunnels() {
  UdpTunnels all;
  all.add(kGeneve, KeyKind::geneve);
  all.add(kVxlan, KeyKind::vxlan);
  return all;
}

using Frame = std::vector<uint8_t>;

void fix_checksum(Frame& frame) {
  auto& ip = *reinterpret_cast<net::Ipv4Header*>(frame.data() + kEth);
  ip.checksum = net::be16::raw(0);
  ip.checksum = net::be16::raw(net::checksum({frame.data() + kEth, sizeof ip}));
}

Frame good_frame(uint16_t port = kVxlan) {
  constexpr uint16_t kInner = 60;
  Frame frame(PlainUdp::kHeaders + kInner, 0);
  net::EthHeader eth{kPortMac, {{2, 0, 0, 0, 0, 9}}, net::be16::of(net::kEtherIpv4)};
  net::Ipv4Header ip{};
  ip.version_ihl = 0x45;
  ip.tos = 0x28;
  ip.total_length = net::be16::of(static_cast<uint16_t>(frame.size() - kEth));
  ip.fragment = net::be16::of(net::Ipv4Header::kDontFragment);
  ip.ttl = 61;
  ip.protocol = net::kProtoUdp;
  ip.src = net::Ipv4{0xc612000a}.be();
  ip.dst = net::Ipv4{0xc6120001}.be();
  net::UdpHeader udp{net::be16::of(50'000),
                     net::be16::of(port),
                     net::be16::of(static_cast<uint16_t>(frame.size() - kEth - sizeof ip)),
                     {}};
  net::VxlanHeader vxlan{};
  vxlan.flags = net::VxlanHeader::kValidVni;
  vxlan.vni = net::be32::of(0x123456 << 8);
  uint8_t* at = frame.data();
  const auto put = [&at](const auto& header) {
    std::memcpy(at, &header, sizeof header);
    at += sizeof header;
  };
  put(eth);
  put(ip);
  put(udp);
  if (port == kVxlan) {
    put(vxlan);
  } else {
    net::GeneveHeader geneve{};
    geneve.protocol = net::be16::of(net::kEtherBridged);
    geneve.vni = vxlan.vni;
    put(geneve);
  }
  fix_checksum(frame);
  return frame;
}

/// Whether the quick reading takes the first `size` bytes; if so the complete one has to agree.
bool taken(const Frame& frame, size_t size) {
  const UdpTunnels all = tunnels();
  const PlainUdp plain(kPortMac, all, true);
  OuterView quick, complete;
  if (!plain.parse(frame.data(), size, quick)) return false;
  net::EthView eth;
  EXPECT_EQ(net::parse_ethernet({frame.data(), size}, eth), net::ParseError::none);
  EXPECT_EQ(eth.type, net::kEtherIpv4);
  EXPECT_EQ(eth.offset, kEth);
  EXPECT_EQ(reinterpret_cast<const net::EthHeader*>(frame.data())->dst, kPortMac);
  net::IpView ip;
  const OuterJudgement judgement =
      parse_outer({frame.data() + kEth, size - kEth}, net::Family::ipv4, all, kOwn, complete, ip);
  // Addresses are left to the tunnel table by the quick reading.
  if (judgement.drop == DropReason::outer_not_for_hub || judgement.drop == DropReason::outer_martian)
    return true;
  EXPECT_EQ(judgement.drop, DropReason::none);
  EXPECT_FALSE(judgement.local || judgement.fragment);
  EXPECT_TRUE(quick.key == complete.key && quick.payload == complete.payload &&
              quick.length == complete.length && quick.udp == complete.udp && quick.tos == complete.tos &&
              quick.inner == complete.inner && quick.checksum_zero == complete.checksum_zero);
  return true;
}

TEST(PlainUdp, TakesThePlainPacket) {
  EXPECT_TRUE(taken(good_frame(kGeneve), good_frame(kGeneve).size()));
  Frame frame = good_frame();
  EXPECT_TRUE(taken(frame, frame.size()));
  frame.resize(frame.size() + 9, 0);
  EXPECT_TRUE(taken(frame, frame.size())) << "padding";
  OuterView view;
  EXPECT_FALSE(PlainUdp(kPortMac, tunnels(), false).parse(frame.data(), frame.size(), view));
  EXPECT_FALSE(PlainUdp(kPortMac, UdpTunnels{}, true).parse(frame.data(), frame.size(), view));
}

TEST(PlainUdp, TakesNoneThatIsCutShort) {
  const Frame frame = good_frame();
  for (size_t size = 0; size < frame.size(); ++size) EXPECT_FALSE(taken(frame, size)) << size;
}

TEST(PlainUdp, AgreesAboutEveryChangedBit) {
  for (const uint16_t port : {kVxlan, kGeneve}) {
    const Frame good = good_frame(port);
    unsigned still_taken = 0;
    for (size_t bit = 0; bit < PlainUdp::kHeaders * 8; ++bit) {
      Frame frame = good;
      frame[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      still_taken += taken(frame, frame.size());
      fix_checksum(frame);
      still_taken += taken(frame, frame.size());
    }
    // Source MAC, reserved bits, VNI and source port twice; TOS, TTL, id, addresses and DF once.
    EXPECT_GT(still_taken, 200u);
  }
}

TEST(PlainUdp, AgreesAboutEveryLength) {
  for (unsigned total = 0; total < 200; ++total) {
    for (unsigned udp = 0; udp < 200; ++udp) {
      Frame frame = good_frame();
      auto& ip = *reinterpret_cast<net::Ipv4Header*>(frame.data() + kEth);
      ip.total_length = net::be16::of(static_cast<uint16_t>(total));
      reinterpret_cast<net::UdpHeader*>(&ip + 1)->length = net::be16::of(static_cast<uint16_t>(udp));
      fix_checksum(frame);
      taken(frame, frame.size());
    }
  }
}

}  // namespace
}  // namespace weir::dataplane
