#include "dataplane/net/reassembled.h"

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace weir::net {

namespace {

/// Which byte names what follows the last of the headers.
size_t last_next_header(std::span<const uint8_t> ipv6) {
  size_t names = offsetof(Ipv6Header, next_header);
  for (size_t at = sizeof(Ipv6Header); at + 2 <= ipv6.size(); at += (ipv6[at + 1] + 1u) * 8u) names = at;
  return names;
}

}  // namespace

void make_whole(std::span<uint8_t> headers, uint8_t next_header, uint32_t payload) {
  if (headers[0] >> 4 == 4) {
    auto& v4 = *reinterpret_cast<Ipv4Header*>(headers.data());
    v4.total_length = be16::of(static_cast<uint16_t>(headers.size() + payload));
    v4.fragment = be16::of(0);
    v4.checksum = be16::raw(0);
    v4.checksum = be16::raw(checksum(headers));
    return;
  }
  auto& v6 = *reinterpret_cast<Ipv6Header*>(headers.data());
  headers[last_next_header(headers)] = next_header;
  v6.payload_length = be16::of(static_cast<uint16_t>(headers.size() - sizeof(Ipv6Header) + payload));
}

}  // namespace weir::net
