// Any bytes as an outer IP packet: the quick reading and the complete one agree, and what they find lies
// inside.
#include <cstdlib>

#include "dataplane/net/checksum.h"
#include "dataplane/tunnel/outer_pattern.h"

using namespace weir;
using namespace weir::dataplane;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

const HubAddress kOwn[] = {{net::Ipv4{0xc6120001}, 0, false, 0},
                           {net::Ipv6{0x2001'0db8'000f'0000, 1}, 0, false, 2}};

UdpTunnels udp_tunnels() {
  UdpTunnels all;
  all.add(kVxlanPort, KeyKind::vxlan);
  all.add(kGenevePort, KeyKind::geneve);
  return all;
}

void check_view(net::Bytes packet, const OuterView& view) {
  require(view.length <= packet.size() && view.payload <= view.length);
  require(view.udp == 0 || view.udp + sizeof(net::UdpHeader) <= view.length);
  require(view.key.kind() != KeyKind::none && view.inner != net::Payload::other);
  if (view.udp != 0) (void)outer_checksum_right(packet.first(view.length), view);
}

/// What a pattern takes, if any does.
bool quick_reading(net::Bytes packet, net::Family family, const UdpTunnels& tunnels, OuterView& out) {
  constexpr net::Mac kMac{{2, 0, 0, 0, 0, 1}};
  std::vector<uint8_t> frame(sizeof(net::EthHeader));
  const uint16_t type = family == net::Family::ipv4 ? net::kEtherIpv4 : net::kEtherIpv6;
  *reinterpret_cast<net::EthHeader*>(frame.data()) = {kMac, kMac, net::be16::of(type)};
  frame.insert(frame.end(), packet.begin(), packet.end());
  const auto size = static_cast<uint32_t>(frame.size());
  unsigned takers = 0;
  for (const OuterPattern& pattern : outer_patterns(tunnels, kOwn)) {
    OuterView view;
    if (!pattern.parse(frame.data(), size, view)) continue;
    ++takers;
    out = view;
    require(!pattern.is_vxlan4() || pattern.parse_vxlan4(frame.data(), size, view));
  }
  require(takers <= 1);
  return takers == 1;
}

void read_both_ways(net::Bytes packet, net::Family family) {
  const UdpTunnels tunnels = udp_tunnels();
  OuterView quick, complete;
  net::IpView ip;
  const bool plain = quick_reading(packet, family, tunnels, quick);
  const OuterJudgement judgement = parse_outer(packet, family, tunnels, kOwn, complete, ip);
  if (judgement.drop == DropReason::none && !judgement.local && !judgement.fragment)
    check_view(packet, complete);
  if (!plain) return;
  check_view(packet, quick);
  // Addresses are left to the tunnel table by the quick reading.
  if (judgement.drop == DropReason::outer_not_for_hub || judgement.drop == DropReason::outer_martian) return;
  require(judgement.drop == DropReason::none && !judgement.local);
  require(quick.key == complete.key && quick.payload == complete.payload && quick.length == complete.length &&
          quick.udp == complete.udp && quick.tos == complete.tos && quick.inner == complete.inner &&
          quick.checksum_zero == complete.checksum_zero);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const net::Bytes bytes(data, size);
  read_both_ways(bytes, net::Family::ipv4);
  read_both_ways(bytes, net::Family::ipv6);
  // Mutated bytes seldom have a right header checksum: give them one, so that what is behind it is reached.
  if (size >= sizeof(net::Ipv4Header) && data[0] == 0x45) {
    std::vector<uint8_t> fixed(data, data + size);
    auto& ip = *reinterpret_cast<net::Ipv4Header*>(fixed.data());
    ip.dst = net::Ipv4{0xc6120001}.be();
    ip.checksum = net::be16::raw(0);
    ip.checksum = net::be16::raw(net::checksum({fixed.data(), sizeof ip}));
    read_both_ways(fixed, net::Family::ipv4);
  }
  net::TunnelView view;
  if (net::parse_geneve(bytes, view) == net::TunnelError::none) require(view.length <= size);
  if (net::parse_gre(bytes, view) == net::TunnelError::none) require(view.length <= size);
  if (net::parse_vxlan(bytes, view) == net::TunnelError::none) require(view.length <= size);
  return 0;
}
