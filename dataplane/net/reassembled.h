// The headers of a datagram that was put together of its fragments.
#pragma once

#include <cstdint>
#include <span>

namespace weir::net {

/// Turns the headers of a first fragment into those of the whole datagram, as if it had never been cut.
/// `headers` are IPv4's with options, or IPv6's up to its fragment header (RFC 8200 section 4.5), which named
/// `next_header`; IPv4 does not need that. `payload` bytes follow; with them it is at most 65,535 bytes.
/// Lengths in the headers were checked when the fragment was parsed.
void make_whole(std::span<uint8_t> headers, uint8_t next_header, uint32_t payload);

}  // namespace weir::net
