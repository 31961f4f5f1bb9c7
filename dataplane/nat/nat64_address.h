// IPv4 addresses inside IPv6 ones (RFC 6052 section 2.2).
//
// Behind a prefix of 32, 40, 48, 56, 64 or 96 bits lie the 32 bits of the IPv4 address, around bits 64 to 71,
// which are zero. What follows is zero too. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/net/address.h"

namespace weir::dataplane {

/// 64:ff9b::/96: everybody's, for public addresses alone (RFC 6052 section 3.1).
inline constexpr net::Ipv6 kWellKnownPrefix64{0x0064'ff9b'0000'0000, 0};

constexpr bool is_nat64_length(uint8_t length) {
  return length == 96 || (length >= 32 && length <= 64 && length % 8 == 0);
}

/// `prefix` is of IPv6, of such a length.
net::Ipv6 embedded(const net::Prefix& prefix, net::Ipv4 address);
/// Of an address within `prefix`. Nothing: bits 64 to 71 are not zero.
std::optional<net::Ipv4> extracted(const net::Prefix& prefix, const net::Ipv6& address);

}  // namespace weir::dataplane
