#include "mgmt/underlay/neighbor_frames.h"

#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace weir::underlay {

using namespace net;

namespace {

constexpr uint16_t kHardwareEthernet = 1;

std::vector<uint8_t> ethernet_frame(Mac dst, Mac src, uint16_t type, size_t size) {
  std::vector<uint8_t> frame(sizeof(EthHeader) + size);
  const EthHeader eth{dst, src, be16::of(type)};
  std::memcpy(frame.data(), &eth, sizeof eth);
  return frame;
}

std::vector<uint8_t> arp_request(Mac hub_mac, Ipv4 own, Ipv4 target, Mac dst) {
  std::vector<uint8_t> frame = ethernet_frame(dst, hub_mac, kEtherArp, sizeof(ArpPacket));
  ArpPacket arp{};
  arp.hardware = be16::of(kHardwareEthernet);
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

bool one_host(const Mac& mac) { return !mac.is_multicast() && !mac.is_zero(); }

std::optional<NeighborClaim> parse_arp(std::span<const uint8_t> message) {
  if (message.size() < sizeof(ArpPacket)) return std::nullopt;
  ArpPacket arp;
  std::memcpy(&arp, message.data(), sizeof arp);
  const bool well_formed = arp.hardware.host() == kHardwareEthernet && arp.protocol.host() == kEtherIpv4 &&
                           arp.hardware_size == 6 && arp.protocol_size == 4;
  const uint16_t operation = arp.operation.host();
  if (!well_formed || (operation != ArpPacket::kRequest && operation != ArpPacket::kReply))
    return std::nullopt;
  NeighborClaim claim;
  claim.address = Ipv4{arp.sender_ip.host()};
  claim.mac = arp.sender_mac;
  claim.to = Ipv4{arp.target_ip.host()};
  claim.kind = claim.to == claim.address        ? NeighborClaim::Kind::announcement
               : operation == ArpPacket::kReply ? NeighborClaim::Kind::answer
                                                : NeighborClaim::Kind::question;
  return claim;
}

/// The link-layer address option of `kind` (RFC 4861 section 4.6.1). False: the options are malformed.
bool link_option(std::span<const uint8_t> options, uint8_t kind, std::optional<Mac>& mac) {
  while (!options.empty()) {
    if (options.size() < 8) return false;
    const size_t size = options[1] * size_t{8};
    if (size == 0 || size > options.size()) return false;
    if (options[0] == kind && !mac) std::memcpy(mac.emplace().bytes.data(), options.data() + 2, sizeof(Mac));
    options = options.subspan(size);
  }
  return true;
}

std::optional<NeighborClaim> parse_nd(std::span<const uint8_t> packet) {
  if (packet.size() < sizeof(Ipv6Header) + sizeof(NdMessage)) return std::nullopt;
  Ipv6Header ip;
  std::memcpy(&ip, packet.data(), sizeof ip);
  const uint16_t length = ip.payload_length.host();
  // RFC 4861 section 7.1: anything else is not from the link, or damaged.
  if (ip.version() != 6 || ip.next_header != kProtoIcmpv6 || ip.hop_limit != 255 ||
      length < sizeof(NdMessage) || packet.size() < sizeof ip + length) {
    return std::nullopt;
  }
  const std::span<const uint8_t> message = packet.subspan(sizeof ip, length);
  const uint64_t pseudo = pseudo_header_sum({ip.src, 32}, kProtoIcmpv6, length);
  if (checksum_finish(checksum_add(pseudo, message)) != 0) return std::nullopt;
  NdMessage nd;
  std::memcpy(&nd, message.data(), sizeof nd);
  const bool solicit = nd.type == kIcmpv6NeighborSolicit;
  if ((!solicit && nd.type != kIcmpv6NeighborAdvert) || nd.code != 0 || (nd.target[0] == 0xff)) {
    return std::nullopt;
  }
  const Ipv6 src = Ipv6::load(ip.src), dst = Ipv6::load(ip.dst), target = Ipv6::load(nd.target);
  std::optional<Mac> mac;
  const uint8_t option = solicit ? NdMessage::kSourceLinkOption : NdMessage::kTargetLinkOption;
  if (!link_option(message.subspan(sizeof nd), option, mac) || !mac) return std::nullopt;
  NeighborClaim claim;
  claim.mac = *mac;
  if (solicit) {
    if (src == Ipv6{}) return std::nullopt;  // duplicate address detection: nobody has the address yet
    claim.kind = NeighborClaim::Kind::question;
    claim.address = src;
    claim.to = target;
    return claim;
  }
  const uint32_t flags = nd.flags.host();
  const bool solicited = (flags & NdMessage::kSolicited) != 0;
  if (solicited && ip.dst[0] == 0xff) return std::nullopt;
  claim.kind = solicited ? NeighborClaim::Kind::answer : NeighborClaim::Kind::announcement;
  claim.address = target;
  claim.to = dst;
  claim.overrides = (flags & NdMessage::kOverride) != 0;
  return claim;
}

}  // namespace

std::vector<uint8_t> neighbor_request(Mac hub_mac, const IpAddress& own, const IpAddress& target,
                                      const std::optional<Mac>& known) {
  constexpr Mac kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  if (target.is_v4()) return arp_request(hub_mac, own.v4(), target.v4(), known.value_or(kBroadcast));
  return neighbor_solicitation(hub_mac, own.v6(), target.v6(), known);
}

std::optional<NeighborClaim> parse_neighbor_claim(std::span<const uint8_t> frame) {
  if (frame.size() < sizeof(EthHeader)) return std::nullopt;
  EthHeader eth;
  std::memcpy(&eth, frame.data(), sizeof eth);
  const std::span<const uint8_t> message = frame.subspan(sizeof eth);
  std::optional<NeighborClaim> claim;
  if (eth.type.host() == kEtherArp) claim = parse_arp(message);
  if (eth.type.host() == kEtherIpv6) claim = parse_nd(message);
  if (!claim || !one_host(claim->mac)) return std::nullopt;
  return claim;
}

}  // namespace weir::underlay
