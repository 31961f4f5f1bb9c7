// Prefixes of IPv6 that are translated such that no checksum of a packet changes (NPTv6, RFC 6296).
//
// What the other prefix takes from the sum of an address, one word of the address gives back: the subnet
// (bits 48 to 63) where prefixes are /48 or shorter, else the first word of the interface identifier that is
// not 0xffff. Without state, one for one, and the way back is the same with the prefixes traded. Pure; any
// thread.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/net/address.h"

namespace weir::dataplane {

/// The longest prefix that has a word behind it for this.
inline constexpr uint8_t kMaxNptv6Length = 64;

class Nptv6 {
 public:
  /// From one prefix to another of the same length, at most kMaxNptv6Length, both of IPv6.
  Nptv6(const net::Prefix& from, const net::Prefix& to);

  /// The address of `to` for one of `from`. Nothing: there is none, since the word that would change is
  /// 0xffff, which in one's complement is another 0 (RFC 6296 section 3.4), in an identifier all four are; or
  /// since behind a prefix longer than /48 the identifier is all zero, or would become it (section 3.5),
  /// which is the anycast address of a subnet's routers.
  std::optional<net::IpAddress> map(const net::IpAddress& address) const;

 private:
  net::Prefix from_, to_;
  uint16_t adjustment_;  // what `from` adds to a sum more than `to`
};

}  // namespace weir::dataplane
