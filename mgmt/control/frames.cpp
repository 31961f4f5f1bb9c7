#include "mgmt/control/frames.h"

#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace weir::control {

using namespace net;

namespace {

std::vector<uint8_t> arp_request(Mac hub_mac, Ipv4 own, Ipv4 target, Mac dst) {
  std::vector<uint8_t> frame = ethernet_frame(dst, hub_mac, kEtherArp, sizeof(ArpPacket));
  ArpPacket arp{};
  arp.hardware = be16::of(1);
  arp.protocol = be16::of(kEtherIpv4);
  arp.hardware_size = 6;
  arp.protocol_size = 4;
  arp.operation = be16::of(ArpPacket::kRequest);
  arp.sender_mac = hub_mac;
  arp.sender_ip = own.be();
  arp.target_ip = target.be();
  std::memcpy(frame.data() + sizeof(EthHeader), &arp, sizeof arp);
  return frame;
}

std::vector<uint8_t> neighbor_solicitation(Mac hub_mac, const Ipv6& own, const Ipv6& target,
                                           const std::optional<Mac>& known) {
  struct Message {
    Ipv6Header ip;
    NdMessage nd;
    uint8_t option_type;
    uint8_t option_length;  // in units of 8 bytes
    Mac source_mac;
  } m{};
  static_assert(sizeof(Message) == 40 + 24 + 8);
  constexpr uint16_t kUpperLength = sizeof(NdMessage) + 8;
  const auto low24 = static_cast<uint32_t>(target.lo & 0xff'ffff);
  const Ipv6 group{0xff02'0000'0000'0000, 0x0000'0001'ff00'0000ULL | low24};  // RFC 4291 section 2.7.1
  const Mac group_mac = Mac::from_u64(0x3333'ff00'0000ULL | low24);
  m.ip.version_class_flow = be32::of(6u << 28);
  m.ip.payload_length = be16::of(kUpperLength);
  m.ip.next_header = kProtoIcmpv6;
  m.ip.hop_limit = 255;
  own.store(m.ip.src);
  (known ? target : group).store(m.ip.dst);
  m.nd.type = kIcmpv6NeighborSolicit;
  target.store(m.nd.target);
  m.option_type = NdMessage::kSourceLinkOption;
  m.option_length = 1;
  m.source_mac = hub_mac;
  const auto* bytes = reinterpret_cast<const uint8_t*>(&m);
  const uint64_t pseudo = pseudo_header_sum({m.ip.src, 32}, kProtoIcmpv6, kUpperLength);
  m.nd.checksum =
      be16::raw(checksum_finish(checksum_add(pseudo, {bytes + sizeof(Ipv6Header), kUpperLength})));

  std::vector<uint8_t> frame = ethernet_frame(known.value_or(group_mac), hub_mac, kEtherIpv6, sizeof m);
  std::memcpy(frame.data() + sizeof(EthHeader), &m, sizeof m);
  return frame;
}

}  // namespace

std::vector<uint8_t> ethernet_frame(Mac dst, Mac src, uint16_t type, size_t size) {
  std::vector<uint8_t> frame(sizeof(EthHeader) + size);
  const EthHeader eth{dst, src, be16::of(type)};
  std::memcpy(frame.data(), &eth, sizeof eth);
  return frame;
}

std::vector<uint8_t> neighbor_request(Mac hub_mac, const IpAddress& own, const IpAddress& target,
                                      const std::optional<Mac>& known) {
  constexpr Mac kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  if (target.is_v4()) return arp_request(hub_mac, own.v4(), target.v4(), known.value_or(kBroadcast));
  return neighbor_solicitation(hub_mac, own.v6(), target.v6(), known);
}

}  // namespace weir::control
