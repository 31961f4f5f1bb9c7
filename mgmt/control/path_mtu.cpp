#include "mgmt/control/path_mtu.h"

#include <algorithm>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/parse.h"

namespace weir::control {

using namespace net;
using dataplane::NanoTime;

namespace {

/// What a router may mean that does not say its MTU: the next common one below (RFC 1191 section 7).
uint16_t plateau_below(uint16_t length) {
  constexpr uint16_t kCommon[] = {8'166, 4'352, 2'002, 1'492, 1'006};
  for (const uint16_t mtu : kCommon) {
    if (mtu < length) return mtu;
  }
  return PathMtus::kLowest4;
}

}  // namespace

std::optional<TooBig> read_too_big_message(Family family, Bytes message) {
  if (message.size() < sizeof(IcmpHeader)) return std::nullopt;
  const auto& icmp = *reinterpret_cast<const IcmpHeader*>(message.data());
  const bool v4 = family == Family::ipv4;
  if (v4 ? icmp.type != kIcmpUnreachable || icmp.code != kIcmpCodeFragNeeded : icmp.type != kIcmpv6TooBig)
    return std::nullopt;
  const Bytes quote = message.subspan(sizeof(IcmpHeader));
  QuotedView quoted;
  if (parse_quoted(quote, family, quoted) != ParseError::none) return std::nullopt;
  TooBig said;
  said.local = quoted.ip.src;
  said.remote = quoted.ip.dst;
  said.protocol = quoted.ip.protocol;
  said.udp_port = quoted.dst_port;
  // The low half of ICMPv6's 32-bit MTU; one that needs the high half is no limit.
  said.mtu = !v4 && icmp.id.host() != 0 ? UINT16_MAX : icmp.seq.host();
  said.length = static_cast<uint16_t>(
      v4 ? quoted.ip.length
         : sizeof(Ipv6Header) + reinterpret_cast<const Ipv6Header*>(quote.data())->payload_length.host());
  const Bytes upper = quote.subspan(quoted.ip.l4_offset);
  const auto word_at = [&](size_t at) {
    be32 word;
    std::memcpy(&word, upper.data() + at, sizeof word);
    return word.host();
  };
  // VXLAN and GENEVE have their VNI in the same place; a GRE key follows the flags if the third says so.
  if (said.protocol == kProtoUdp && upper.size() >= 16) said.id = word_at(12) >> 8;
  if (said.protocol == kProtoGre && upper.size() >= 8 && (upper[0] & 0x20) != 0) said.id = word_at(4);
  return said;
}

std::optional<TooBig> read_too_big(Bytes packet) {
  if (packet.empty()) return std::nullopt;
  IpView ip;
  const bool v4 = packet[0] >> 4 == 4;
  if ((v4 ? parse_ipv4(packet, ip) : parse_ipv6(packet, ip)) != ParseError::none || ip.fragment)
    return std::nullopt;
  if (ip.protocol != (v4 ? kProtoIcmp : kProtoIcmpv6)) return std::nullopt;
  const Bytes message = packet.subspan(ip.l4_offset, ip.length - ip.l4_offset);
  const auto length = static_cast<uint32_t>(message.size());
  const uint64_t before = v4 ? 0 : pseudo_header_sum(packet.subspan(8, 32), kProtoIcmpv6, length);
  if (checksum_finish(checksum_add(before, message)) != 0) return std::nullopt;
  const auto said = read_too_big_message(ip.family, message);
  return said && said->local == ip.dst ? said : std::nullopt;
}

bool is_about(const TooBig& said, const dataplane::Tunnel& tunnel) {
  if (said.local != tunnel.local || said.remote != tunnel.remote) return false;
  switch (tunnel.kind) {
    case dataplane::TunnelKind::vxlan:
    case dataplane::TunnelKind::geneve:
      return said.protocol == kProtoUdp && said.udp_port == tunnel.udp_port &&
             (!said.id || *said.id == tunnel.id);
    case dataplane::TunnelKind::gre:
      return said.protocol == kProtoGre && (!said.id || (tunnel.keyed && *said.id == tunnel.id));
    case dataplane::TunnelKind::ipip:
      return said.protocol == kProtoIpv4 || said.protocol == kProtoIpv6;
    case dataplane::TunnelKind::native:
      return false;
  }
  return false;
}

bool PathMtus::on_icmp(const std::optional<TooBig>& said, const IsOurs& is_ours, NanoTime now) {
  if (now >= second_ + dataplane::kNanosPerSecond) {
    second_ = now;
    read_ = 0;
  }
  if (!said || ++read_ > kPerSecond || !is_ours(*said)) {
    ++refused_;
    return false;
  }
  const uint16_t lowest = said->local.is_v4() ? kLowest4 : kLowest6;
  const uint16_t mtu = std::max(lowest, said->mtu == 0 ? plateau_below(said->length) : said->mtu);
  // No smaller than what did not fit; a forged one may say anything.
  if (mtu >= said->length) {
    ++refused_;
    return false;
  }
  Limit& limit = limits_[{said->local, said->remote}];
  if (limit.mtu != 0 && mtu > limit.mtu) return false;  // about a packet that was under way before
  limit.said = now;
  if (mtu == limit.mtu) return false;
  limit.mtu = mtu;
  ++lowered_;
  return true;
}

bool PathMtus::tick(NanoTime now) {
  return std::erase_if(limits_,
                       [now](const auto& entry) { return now >= entry.second.said + kForgetAfter; }) != 0;
}

uint16_t PathMtus::limit(const model::UnderlayPath& path, uint16_t link_mtu) const {
  const auto at = limits_.find(path);
  return at == limits_.end() ? link_mtu : std::min(link_mtu, at->second.mtu);
}

}  // namespace weir::control
