#include "dataplane/stages/mss.h"

#include <algorithm>

#include "dataplane/net/checksum.h"

namespace weir::dataplane {

uint16_t largest_segment(const Attachment* ingress, const Attachment& egress, net::Family family) {
  const uint16_t headers = sizeof(net::TcpHeader) +
                           (family == net::Family::ipv4 ? sizeof(net::Ipv4Header) : sizeof(net::Ipv6Header));
  uint16_t mtu = UINT16_MAX;
  if (egress.mss_clamp) mtu = std::min(mtu, egress.mtu);
  if (ingress != nullptr && ingress->mss_clamp) mtu = std::min(mtu, ingress->mtu);
  return mtu == UINT16_MAX || mtu <= headers ? uint16_t{0} : static_cast<uint16_t>(mtu - headers);
}

void lower_mss(std::span<uint8_t> tcp, uint16_t largest) {
  constexpr uint8_t kMss = 2, kMssLength = 4;
  if (largest == 0) return;
  const std::optional<size_t> option = net::find_tcp_option(tcp, kMss, kMssLength);
  if (!option) return;
  const size_t at = *option + 2;
  uint8_t* value = &tcp[at];
  const auto asked = static_cast<uint16_t>(value[0] << 8 | value[1]);
  if (asked <= largest) return;
  auto& header = *reinterpret_cast<net::TcpHeader*>(tcp.data());
  // The checksum is of words from the header's start: behind an odd offset the value lies across two of
  // them, and counts with its bytes swapped (RFC 1071 section 2(B)).
  const bool odd = at % 2 != 0;
  const auto as_summed = [odd](uint16_t v) {
    return net::be16::of(odd ? static_cast<uint16_t>(v << 8 | v >> 8) : v);
  };
  header.checksum = net::checksum_update(header.checksum, as_summed(asked), as_summed(largest));
  value[0] = static_cast<uint8_t>(largest >> 8);
  value[1] = static_cast<uint8_t>(largest);
}

}  // namespace weir::dataplane
