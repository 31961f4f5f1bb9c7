// What the wire carries of an attachment, by code of its own: every kind of tunnel, over IPv4 and IPv6, and
// VLANs.
#pragma once

#include "tests/model/network.h"

namespace weir::model {

/// A frame inside an attachment. What carries IP only has no MAC addresses.
struct Frame {
  Mac dst = 0, src = 0;
  uint16_t type = 0;  // EtherType
  Bytes data;
};
constexpr uint16_t kEtherIpv4 = 0x0800, kEtherArp = 0x0806, kEtherIpv6 = 0x86dd;

/// As a host or router of `a` sends an IP packet to the hub.
Frame frame_to_hub(const Network& net, Attachment a, const Bytes& ip);
/// As it comes out of the tunnel of `a`; from the underlay address of `peer`, whose it need not be.
Bytes write(const Network& net, Attachment a, const Frame& frame, Attachment peer);
Bytes write(const Network& net, Attachment a, const Frame& frame);

/// What the hub sent. `wrong` is empty unless something of its outer headers is.
struct FromHub {
  std::string wrong;
  Attachment to = 0;
  Frame frame;
};
FromHub read_from_hub(const Network& net, const Bytes& bytes);

}  // namespace weir::model
