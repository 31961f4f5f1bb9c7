// TCP's maximum segment size, lowered to what the way carries (RFC 4459 section 3.2, RFC 6691): "packet too
// big" is filtered in many networks, and a connection whose full segments vanish hangs. Worker only.
#pragma once

#include "dataplane/core/snapshot.h"
#include "dataplane/net/parse.h"

namespace weir::dataplane {

/// The largest segment that fits the MTU of those of the two attachments that clamp; 0: neither does.
uint16_t largest_segment(const Attachment* ingress, const Attachment& egress, net::Family family);

/// Lowers the MSS option of a SYN or SYN+ACK to `largest`, if it has one that is larger, and updates the
/// checksum. `tcp` is the whole TCP header, options included.
void lower_mss(std::span<uint8_t> tcp, uint16_t largest);

}  // namespace weir::dataplane
