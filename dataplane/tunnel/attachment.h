// An attachment as a worker sees it: where its packets go out, and the outer header they get.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/net/address.h"
#include "dataplane/tunnel/tunnel.h"

namespace weir::dataplane {

/// What an attachment may send, as a whole; 0: no bound.
struct PoliceRate {
  uint32_t packets_per_second = 0;
  uint32_t bytes_per_second = 0;
};

/// Where one tunnel's outer packets go in the underlay. Changed in place by control, one atomic word at a
/// time; a worker sees it before or after. Lives as long as the hub.
class UnderlayHop {
 public:
  /// Control thread. `mac` of the next hop in the underlay.
  void set(net::Mac mac) { word_.store(mac.word() | kResolved, std::memory_order_release); }
  void clear() { word_.store(0, std::memory_order_release); }
  /// Any worker: false if the next hop is not resolved.
  bool get(net::Mac& mac) const {
    const uint64_t word = this->word();
    mac = net::Mac::from_word(word);
    return is_resolved(word);
  }
  /// The same for code per packet: Mac::word() below a mark.
  uint64_t word() const { return word_.load(std::memory_order_acquire); }
  static bool is_resolved(uint64_t word) { return (word & kResolved) != 0; }

 private:
  static constexpr uint64_t kResolved = 1ULL << 48;  // above the MAC
  std::atomic<uint64_t> word_{0};
};

/// Room for the longest outer header: Ethernet, two VLAN tags, IPv6, UDP, GENEVE (78), in whole 16 bytes.
inline constexpr uint16_t kMaxOuterLength = 80;

/// How an outer header is completed.
enum class OuterShape : uint8_t { native, v4_udp, v4_ip, v6_udp, v6_ip };

struct alignas(64) Attachment {
  // Two lines for encapsulation.
  UnderlayHop* underlay = nullptr;  // owned by control; null only for native attachments
  AttachmentId id;
  DomainId domain;
  PortIndex port = 0;
  uint16_t mtu = 0;  // of inner IP packets
  OuterShape shape = OuterShape::v4_udp;
  uint8_t outer_length = 0;  // of the outer header, Ethernet included
  uint8_t link_length = 14;  // of its Ethernet part, with VLAN tags
  uint8_t tos_mask = 3;      // what outer headers take over of the inner traffic class: ECN, or all
  bool ethernet = true;      // inner packets have an Ethernet header
  bool udp_checksum = false;
  net::Mac hub_mac;          // inside
  uint32_t base_sum = 0;     // IPv4: folded sum of the outer header's words, total length zero, host order
  uint32_t base_word = 0;    // IPv6: version and traffic class of the outer header, host order
  uint8_t base_tos = 0;      // IPv4: type of service of the outer header
  bool policed = false;      // `police` has a bound
  bool reverse_path = true;  // sources are checked against the routes
  bool mss_clamp = true;     // TCP's segments are kept within `mtu`
  bool plain = false;        // Ethernet in UDP over IPv4 without a checksum, on a link without VLAN tags
  bool plain_in = false;     // a tunnel: what comes in needs no checksum, and takes over nothing but ECN
  /// The whole outer header, right-aligned: the packet follows it. Left open: destination MAC, lengths, ECN,
  /// checksums, UDP source port, flow label. Native: the EtherType and tags, which go between the MAC
  /// addresses and the inner EtherType.
  alignas(16) std::array<uint8_t, kMaxOuterLength> outer{};

  // Slow path only.
  alignas(64) Tunnel tunnel;
  std::string name;
  std::vector<net::InterfaceAddress> gateways;
  PoliceRate police;
  std::optional<PortIndex> multicast_port;  // control hands on there what multicast comes in; absent: dropped

  /// hub_mac as Mac::word(), but with whatever lies behind it in the upper 16 bits: by one load.
  uint64_t hub_mac_word() const {
    uint64_t word;
    std::memcpy(&word, reinterpret_cast<const uint8_t*>(this) + offsetof(Attachment, hub_mac), sizeof word);
    return word;
  }
  /// Is it hub_mac? Eight bytes of `mac` may be read.
  bool is_hub_mac(const uint8_t* mac) const {
    uint64_t word;
    std::memcpy(&word, mac, sizeof word);
    return (word ^ hub_mac_word()) << 16 == 0;
  }
  bool is_gateway(const net::IpAddress& a) const {
    for (const auto& g : gateways) {
      if (g.address == a) return true;
    }
    return false;
  }
};
static_assert(offsetof(Attachment, outer) + kMaxOuterLength == 128);
static_assert(offsetof(Attachment, hub_mac) + 8 <= offsetof(Attachment, outer));

}  // namespace weir::dataplane
