#include "inspection/engine/header_events.h"

#include "dataplane/net/headers.h"
#include "dataplane/net/parse.h"

namespace weir::inspection {

namespace {

constexpr uint8_t kProtoNoNext = 59;  // RFC 8200 section 4.7

bool is_extension(uint8_t protocol) {
  return protocol == net::kProtoHopByHop || protocol == net::kProtoRouting ||
         protocol == net::kProtoDestOptions || protocol == net::kProtoFragment;
}

}  // namespace

PacketEvents extension_events(std::span<const uint8_t> packet) {
  PacketEvents events;
  bool fragment_seen = false;
  size_t at = sizeof(net::Ipv6Header);
  uint8_t next = packet[offsetof(net::Ipv6Header, next_header)];
  for (unsigned i = 0; i < net::kMaxExtensionHeaders && is_extension(next); ++i) {
    const bool fragment = next == net::kProtoFragment;
    const size_t size = packet.size() - at < 8 ? SIZE_MAX : fragment ? 8 : (packet[at + 1] + 1u) * 8u;
    if (size > packet.size() - at) {
      events.raise(PacketEvent::ipv6_trunc_exthdr);
      break;
    }
    if (fragment) {
      const auto word = static_cast<uint16_t>(packet[at + 2] << 8 | packet[at + 3]);
      const bool more = (word & 1) != 0;
      if (fragment_seen) events.raise(PacketEvent::ipv6_exthdr_dupl_fh);
      if (word >> 3 == 0 && !more) events.raise(PacketEvent::ipv6_exthdr_useless_fh);
      if (more && (packet.size() - at - 8) % 8 != 0) events.raise(PacketEvent::ipv6_frag_invalid_length);
      fragment_seen = true;
      if (word >> 3 != 0) break;
    }
    next = packet[at];
    at += size;
    if (at == packet.size() && next != kProtoNoNext) events.raise(PacketEvent::ipv6_trunc_exthdr);
  }
  return events;
}

size_t icmp_header_size(bool v4, std::span<const uint8_t> message) {
  if (!v4) return sizeof(net::IcmpHeader);
  switch (message[0]) {
    case 9:  // router advertisement: addresses
      return sizeof(net::IcmpHeader) + size_t{message[4]} * message[5] * 4;
    case net::kIcmpTimestamp:
    case net::kIcmpTimestampReply:
      return 20;
    case net::kIcmpAddressMask:
    case net::kIcmpAddressMaskReply:
      return 12;
    default:
      return sizeof(net::IcmpHeader);
  }
}

}  // namespace weir::inspection
