// Frames that control makes inside an attachment: ARP requests and neighbour solicitations. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/net/address.h"

namespace weir::control {

/// Asks who has `target`, from the hub's `own` address and MAC. `known` is the MAC that a probe goes to;
/// without it the question goes to everybody: broadcast (RFC 826), or the solicited-node multicast group (RFC
/// 4861 section 7.2.2, with hop limit 255 and the source link-layer option). `own` and `target` are of one
/// family.
std::vector<uint8_t> neighbor_request(net::Mac hub_mac, const net::IpAddress& own,
                                      const net::IpAddress& target, const std::optional<net::Mac>& known);

/// An inner Ethernet frame around nothing yet: room for `size` bytes of payload after the header.
std::vector<uint8_t> ethernet_frame(net::Mac dst, net::Mac src, uint16_t type, size_t size);

}  // namespace weir::control
