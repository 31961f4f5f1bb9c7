// What Suricata's decoder says of headers that can be read: for packets of captures and of the hub alike.
#pragma once

#include <cstdint>
#include <span>

#include "inspection/detect/packet_events.h"

namespace weir::inspection {

/// What is wrong with the chain of extension headers of an IPv6 packet: `packet` from its fixed header on,
/// 40 bytes at least, as long as its length field says.
PacketEvents extension_events(std::span<const uint8_t> packet);

/// How much of an ICMP message, which has 8 bytes at least, its header is: of some of ICMPv4 more than these
/// (RFC 792, RFC 950, RFC 1256). May lie beyond the message's end.
size_t icmp_header_size(bool v4, std::span<const uint8_t> message);

}  // namespace weir::inspection
