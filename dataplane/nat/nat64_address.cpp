#include "dataplane/nat/nat64_address.h"

#include <algorithm>

namespace weir::dataplane {

namespace {

constexpr uint64_t kReserved = 0xff00'0000'0000'0000;  // bits 64 to 71

/// Bits of the address that lie before the reserved ones.
uint8_t bits_before(uint8_t length) { return static_cast<uint8_t>(std::min(32, 64 - length)); }

}  // namespace

net::Ipv6 embedded(const net::Prefix& prefix, net::Ipv4 address) {
  net::Ipv6 out = prefix.address.v6();
  if (prefix.length == 96) {
    out.lo |= address.value;
    return out;
  }
  const uint8_t before = bits_before(prefix.length);
  const uint64_t bits = address.value;
  if (before != 0) out.hi |= bits >> (32 - before) << (64 - prefix.length - before);
  if (before != 32) out.lo |= (bits << before & 0xffff'ffff) << 24;
  return out;
}

std::optional<net::Ipv4> extracted(const net::Prefix& prefix, const net::Ipv6& address) {
  if (prefix.length == 96) return net::Ipv4{static_cast<uint32_t>(address.lo)};
  if ((address.lo & kReserved) != 0) return {};
  const uint8_t before = bits_before(prefix.length);
  uint64_t bits = 0;
  if (before != 0) bits = address.hi << prefix.length >> (64 - before) << (32 - before);
  if (before != 32) bits |= (address.lo >> 24 & 0xffff'ffff) >> before;
  return net::Ipv4{static_cast<uint32_t>(bits)};
}

}  // namespace weir::dataplane
