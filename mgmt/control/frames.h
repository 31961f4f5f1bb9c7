// Frames that control makes inside an attachment. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/net/address.h"

namespace weir::control {

/// A health probe: an ICMP echo request whose payload begins with a token, in network order.
struct EchoProbe {
  net::Mac src_mac, dst_mac;
  net::IpAddress src, dst;  // of one family
  uint16_t id = 0, sequence = 0;
  uint64_t token = 0;
};
std::vector<uint8_t> echo_request(const EchoProbe& probe);

/// An inner Ethernet frame around nothing yet: room for `size` bytes of payload after the header.
std::vector<uint8_t> ethernet_frame(net::Mac dst, net::Mac src, uint16_t type, size_t size);

}  // namespace weir::control
