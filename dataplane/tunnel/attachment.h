// An attachment as a worker sees it: where its packets go out, and the outer header they get.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/net/address.h"

namespace weir::dataplane {

/// Where one tunnel's outer packets go in the underlay. Changed in place by control, one atomic word at a
/// time; a worker sees it before or after. Lives as long as the hub.
class UnderlayHop {
 public:
  /// Control thread. `mac` of the next hop in the underlay.
  void set(net::Mac mac) {
    uint64_t word = kResolved;
    std::memcpy(&word, mac.bytes.data(), sizeof mac.bytes);
    word_.store(word, std::memory_order_release);
  }
  void clear() { word_.store(0, std::memory_order_release); }
  /// Any worker: false if the next hop is not resolved.
  bool get(net::Mac& mac) const {
    const uint64_t word = word_.load(std::memory_order_acquire);
    std::memcpy(mac.bytes.data(), &word, sizeof mac.bytes);
    return (word & kResolved) != 0;
  }

 private:
  static constexpr uint64_t kResolved = 1ULL
                                        << 48;  // behind the MAC, which lies in bytes 0 to 5 as on the wire
  std::atomic<uint64_t> word_{0};
};

/// Ethernet + IPv4 + UDP + VXLAN, without options or tags.
inline constexpr uint16_t kVxlanOverhead = 14 + 20 + 8 + 8;

struct alignas(64) Attachment {
  /// The whole outer header; per packet only MACs, lengths, IP id, checksum and UDP source port are patched.
  std::array<uint8_t, kVxlanOverhead> outer{};
  net::Mac hub_mac;                 // inside
  UnderlayHop* underlay = nullptr;  // never null in a published table; owned by control
  AttachmentId id;
  DomainId domain;
  PortIndex port = 0;
  uint16_t mtu = 0;  // of inner IP packets
  // second line: slow path only
  alignas(64) Vni vni;
  net::Ipv4 local;
  net::Ipv4 remote;
  uint16_t udp_port = 0;  // host order
  std::string name;
  std::vector<net::InterfaceAddress> gateways;

  bool is_gateway(const net::IpAddress& a) const {
    for (const auto& g : gateways) {
      if (g.address == a) return true;
    }
    return false;
  }
};

}  // namespace weir::dataplane
