#include "dataplane/tunnel/outer_pattern.h"

#include <algorithm>
#include <cstdlib>

#include "dataplane/net/ecn.h"

namespace weir::dataplane {

namespace {

/// The bytes of a frame that a pattern names.
class Picture {
 public:
  void put(size_t at, uint8_t value, uint8_t mask = 0xff) {
    want_[at] = value;
    mask_[at] = mask;
  }
  void put16(size_t at, uint16_t value) {
    put(at, static_cast<uint8_t>(value >> 8));
    put(at + 1, static_cast<uint8_t>(value));
  }
  void put(size_t at, net::Bytes bytes) {
    for (const uint8_t byte : bytes) put(at++, byte);
  }
  /// False: a byte that it names lies in none of the two vectors.
  bool is_within(size_t first, size_t second, size_t vector) const {
    for (size_t i = 0; i < sizeof mask_; ++i) {
      const bool covered = (i >= first && i < first + vector) || (i >= second && i < second + vector);
      if (mask_[i] != 0 && !covered) return false;
    }
    return true;
  }
  Vector32 want(size_t at) const { return load_vector(want_ + at); }
  Vector32 mask(size_t at) const { return load_vector(mask_ + at); }

 private:
  uint8_t want_[128] = {}, mask_[128] = {};
};

uint8_t protocol_of(KeyKind kind) {
  switch (kind) {
    case KeyKind::vxlan:
    case KeyKind::geneve:
      return net::kProtoUdp;
    case KeyKind::ipip4:
      return net::kProtoIpv4;
    case KeyKind::ipip6:
      return net::kProtoIpv6;
    default:
      return net::kProtoGre;
  }
}

}  // namespace

OuterPattern::OuterPattern(KeyKind kind, uint16_t udp_port, const HubAddress* v6)
    : key_rest_(TunnelKey::pack(kind, 0, udp_port, v6 != nullptr ? v6->number : uint16_t{0})),
      v6_(v6 != nullptr),
      udp_(protocol_of(kind) == net::kProtoUdp),
      is_vxlan4_(kind == KeyKind::vxlan && v6 == nullptr) {
  Picture picture;
  picture.put16(kEth - 2, v6_ ? net::kEtherIpv6 : net::kEtherIpv4);
  uint32_t at = kEth;
  if (v6_) {
    picture.put(at, 0x60, 0xf0);
    picture.put(at + 1, 0, net::kEct1 << 4);
    picture.put(at + 6, protocol_of(kind));
    uint8_t address[16];
    v6->address.v6().store(address);
    picture.put(at + offsetof(net::Ipv6Header, dst), address);
    at += sizeof(net::Ipv6Header);
  } else {
    picture.put(at, 0x45);
    picture.put(at + 1, 0, net::kEct1);
    picture.put(at + 6, 0, 0x3f);  // more fragments, and the offset's upper half
    picture.put(at + 7, 0);
    picture.put(at + 9, protocol_of(kind));
    at += sizeof(net::Ipv4Header);
  }
  if (udp_) {
    picture.put16(at + offsetof(net::UdpHeader, dst_port), udp_port);
    picture.put16(at + offsetof(net::UdpHeader, checksum), 0);
    at += sizeof(net::UdpHeader);
  }
  switch (kind) {
    case KeyKind::vxlan:
      picture.put(at, net::VxlanHeader::kValidVni, net::VxlanHeader::kValidVni);
      break;
    case KeyKind::geneve:
      picture.put16(at, 0);  // version, no options, no flags
      type_at_ = static_cast<uint8_t>(at + offsetof(net::GeneveHeader, protocol));
      break;
    case KeyKind::gre:
    case KeyKind::gre_keyed:
      picture.put16(at, kind == KeyKind::gre_keyed ? net::GreHeader::kKey : uint16_t{0});
      type_at_ = static_cast<uint8_t>(at + offsetof(net::GreHeader, protocol));
      at += sizeof(net::GreHeader);
      break;
    case KeyKind::ipip4:
      inner_ = net::Payload::ipv4;
      break;
    case KeyKind::ipip6:
      inner_ = net::Payload::ipv6;
      break;
    case KeyKind::none:
    case KeyKind::native:
    case KeyKind::peer:
      break;
  }
  if (udp_) {
    id_at_ = static_cast<uint8_t>(at + offsetof(net::VxlanHeader, vni));
    id_shift_ = 8;
    id_mask_ = Vni::kMax;
    at += sizeof(net::VxlanHeader);
  } else if (kind == KeyKind::gre_keyed) {
    id_at_ = static_cast<uint8_t>(at);
    id_mask_ = ~0u;
    at += sizeof(net::be32);
  }
  headers_ = at;
  shortest_ = std::max(headers_, kFirst + kVector);
  const uint32_t second = v6_ ? headers_ - kVector : kFirst;
  want_[0] = picture.want(kFirst);
  mask_[0] = picture.mask(kFirst);
  want_[1] = picture.want(second);
  mask_[1] = picture.mask(second);
  if (!picture.is_within(kFirst, second, kVector)) std::abort();  // a kind of tunnel that this cannot do
}

std::vector<OuterPattern> outer_patterns(const UdpTunnels& udp_tunnels, std::span<const HubAddress> own) {
  std::vector<OuterPattern> patterns;
  const auto add_all = [&](const auto& make) {
    for (uint32_t i = 0; i < udp_tunnels.count; ++i)
      patterns.push_back(make(udp_tunnels.entries[i].kind, udp_tunnels.entries[i].port));
    for (const KeyKind kind : {KeyKind::gre, KeyKind::gre_keyed, KeyKind::ipip4, KeyKind::ipip6})
      patterns.push_back(make(kind, uint16_t{0}));
  };
  add_all([](KeyKind kind, uint16_t port) { return OuterPattern::v4(kind, port); });
  for (const HubAddress& address : own) {
    if (address.number == 0 || patterns.size() + UdpTunnels::kMax + 4 > kMaxPatterns) continue;
    add_all([&](KeyKind kind, uint16_t port) { return OuterPattern::v6(kind, address, port); });
  }
  return patterns;
}

}  // namespace weir::dataplane
