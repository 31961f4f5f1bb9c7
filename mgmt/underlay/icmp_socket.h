// The ICMP errors that the kernel gets for addresses that it shares with the hub (af_xdp): "fragmentation
// needed" about the hub's tunnels among them. It gives every raw socket a copy of each. Control thread only.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/net/address.h"
#include "dataplane/net/result.h"

namespace weir::underlay {

class IcmpSocket {
 public:
  /// Needs CAP_NET_RAW, which AF_XDP needs as well.
  static Result<IcmpSocket> open(net::Family family);
  IcmpSocket(IcmpSocket&& other) noexcept;
  IcmpSocket& operator=(IcmpSocket&&) = delete;
  ~IcmpSocket();

  net::Family family() const { return family_; }
  /// The next one, cut to `buffer`; empty if none waits. IPv4: "destination unreachable" from the IP header
  /// on; IPv6: "packet too big" from the ICMPv6 header on, which is what the kernel gives. Does not block.
  std::span<const uint8_t> take(std::span<uint8_t> buffer) const;

 private:
  IcmpSocket(int fd, net::Family family) : fd_(fd), family_(family) {}
  int fd_;
  net::Family family_;
};

}  // namespace weir::underlay
