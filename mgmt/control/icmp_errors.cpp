#include "mgmt/control/icmp_errors.h"

#include <algorithm>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/parse.h"
#include "dataplane/net/tcp_reset.h"
#include "mgmt/control/frames.h"

namespace weir::control {

using namespace net;
using dataplane::Attachment;
using dataplane::AttachmentId;
using dataplane::DropReason;
using dataplane::NanoTime;
using dataplane::Punt;
using dataplane::PuntReason;

namespace {

constexpr size_t kMaxIpv4Error = 576;
constexpr size_t kMaxIpv6Error = 1'280;
constexpr uint8_t kInternetControl = 0xc0;  // precedence 6 (RFC 1812 section 4.3.2.5)
constexpr uint8_t kDefaultTtl = 64;
constexpr uint8_t kIcmpCodeHostUnreachable = 1, kIcmpv6CodeAddressUnreachable = 3;
constexpr uint8_t kIcmpCodeProhibited = 13, kIcmpv6CodeProhibited = 1;

/// The gateway address that the sender knows: in its own subnet if there is one, else any of its family.
std::optional<IpAddress> source_address(const Attachment& ingress, const IpAddress& sender) {
  std::optional<IpAddress> any;
  for (const auto& gateway : ingress.gateways) {
    if (gateway.address.family != sender.family) continue;
    if (gateway.subnet().contains(sender)) return gateway.address;
    if (!any) any = gateway.address;
  }
  return any;
}

/// May an error be sent about this packet at all?
bool answerable(const EthHeader& eth, Bytes packet, const IpView& ip) {
  if (eth.dst.is_multicast() || eth.src.is_multicast() || eth.src.is_zero()) return false;
  if (is_martian(ip.src) || is_martian(ip.dst) || !ip.first_fragment) return false;
  if (ip.protocol != kProtoIcmp && ip.protocol != kProtoIcmpv6) return true;
  L4View l4;
  return parse_l4(packet, ip, l4) == ParseError::none && l4.icmp != IcmpKind::error;
}

std::vector<uint8_t> build4(const Attachment& ingress, const EthHeader& eth, Ipv4 own, Ipv4 sender,
                            IcmpErrorKind kind, uint16_t mtu, Bytes packet) {
  const size_t quote = std::min(packet.size(), kMaxIpv4Error - sizeof(Ipv4Header) - sizeof(IcmpHeader));
  const size_t total = sizeof(Ipv4Header) + sizeof(IcmpHeader) + quote;
  std::vector<uint8_t> frame = ethernet_frame(eth.src, ingress.hub_mac, kEtherIpv4, total);
  Ipv4Header ip{};
  ip.version_ihl = 0x45;
  ip.tos = kInternetControl;
  ip.total_length = be16::of(static_cast<uint16_t>(total));
  ip.fragment = be16::of(Ipv4Header::kDontFragment);
  ip.ttl = kDefaultTtl;
  ip.protocol = kProtoIcmp;
  ip.src = own.be();
  ip.dst = sender.be();
  ip.checksum = be16::raw(checksum({reinterpret_cast<const uint8_t*>(&ip), sizeof ip}));
  IcmpHeader icmp{};
  icmp.type = kind == IcmpErrorKind::time_exceeded ? kIcmpTimeExceeded : kIcmpUnreachable;
  if (kind == IcmpErrorKind::too_big) icmp.code = kIcmpCodeFragNeeded;
  if (kind == IcmpErrorKind::host_unreachable) icmp.code = kIcmpCodeHostUnreachable;
  if (kind == IcmpErrorKind::prohibited) icmp.code = kIcmpCodeProhibited;
  if (kind == IcmpErrorKind::too_big) icmp.seq = be16::of(mtu);  // RFC 1191 section 4
  uint64_t sum = checksum_add(0, {reinterpret_cast<const uint8_t*>(&icmp), sizeof icmp});
  icmp.checksum = be16::raw(checksum_finish(checksum_add(sum, packet.first(quote))));
  uint8_t* at = frame.data() + sizeof(EthHeader);
  std::memcpy(at, &ip, sizeof ip);
  std::memcpy(at + sizeof ip, &icmp, sizeof icmp);
  std::memcpy(at + sizeof ip + sizeof icmp, packet.data(), quote);
  return frame;
}

std::vector<uint8_t> build6(const Attachment& ingress, const EthHeader& eth, const Ipv6& own,
                            const Ipv6& sender, IcmpErrorKind kind, uint16_t mtu, Bytes packet) {
  const size_t quote = std::min(packet.size(), kMaxIpv6Error - sizeof(Ipv6Header) - sizeof(IcmpHeader));
  const size_t upper = sizeof(IcmpHeader) + quote;
  std::vector<uint8_t> frame =
      ethernet_frame(eth.src, ingress.hub_mac, kEtherIpv6, sizeof(Ipv6Header) + upper);
  Ipv6Header ip{};
  ip.version_class_flow = be32::of(6u << 28);
  ip.payload_length = be16::of(static_cast<uint16_t>(upper));
  ip.next_header = kProtoIcmpv6;
  ip.hop_limit = kDefaultTtl;
  own.store(ip.src);
  sender.store(ip.dst);
  IcmpHeader icmp{};
  icmp.type = kind == IcmpErrorKind::too_big         ? kIcmpv6TooBig
              : kind == IcmpErrorKind::time_exceeded ? kIcmpv6TimeExceeded
                                                     : kIcmpv6Unreachable;
  if (kind == IcmpErrorKind::host_unreachable) icmp.code = kIcmpv6CodeAddressUnreachable;
  if (kind == IcmpErrorKind::prohibited) icmp.code = kIcmpv6CodeProhibited;
  if (kind == IcmpErrorKind::too_big) icmp.seq = be16::of(mtu);  // low half of the 32-bit MTU
  uint64_t sum = pseudo_header_sum({ip.src, 32}, kProtoIcmpv6, static_cast<uint32_t>(upper));
  sum = checksum_add(sum, {reinterpret_cast<const uint8_t*>(&icmp), sizeof icmp});
  icmp.checksum = be16::raw(checksum_finish(checksum_add(sum, packet.first(quote))));
  uint8_t* at = frame.data() + sizeof(EthHeader);
  std::memcpy(at, &ip, sizeof ip);
  std::memcpy(at + sizeof ip, &icmp, sizeof icmp);
  std::memcpy(at + sizeof ip + sizeof icmp, packet.data(), quote);
  return frame;
}

}  // namespace

std::optional<std::vector<uint8_t>> build_icmp_error(const Attachment& ingress, IcmpErrorKind kind,
                                                     uint16_t mtu, std::span<const uint8_t> frame) {
  EthView eth_view;
  if (parse_ethernet(frame, eth_view) != ParseError::none) return std::nullopt;
  const Bytes packet = frame.subspan(eth_view.offset);
  IpView ip;
  const bool v4 = eth_view.type == kEtherIpv4;
  if (!v4 && eth_view.type != kEtherIpv6) return std::nullopt;
  if ((v4 ? parse_ipv4(packet, ip) : parse_ipv6(packet, ip)) != ParseError::none) return std::nullopt;
  EthHeader eth;
  std::memcpy(&eth, frame.data(), sizeof eth);
  const Bytes whole = packet.first(std::min<size_t>(packet.size(), ip.length));  // less the padding
  if (!answerable(eth, whole, ip)) return std::nullopt;
  const auto own = source_address(ingress, ip.src);
  if (!own) return std::nullopt;
  if (v4) return build4(ingress, eth, own->v4(), ip.src.v4(), kind, mtu, whole);
  return build6(ingress, eth, own->v6(), ip.src.v6(), kind, mtu, whole);
}

namespace {

constexpr uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;  // RFC 9293 section 3.1

/// From whom the refused segment was for, to whom it was from. Nothing: it is a reset itself, or has no whole
/// TCP header.
std::optional<TcpReset> reset_to(Bytes packet, const IpView& ip) {
  L4View l4;
  if (parse_l4(packet, ip, l4) != ParseError::none) return std::nullopt;
  TcpHeader refused;
  std::memcpy(&refused, packet.data() + ip.l4_offset, sizeof refused);
  if ((refused.flags & kRst) != 0) return std::nullopt;
  TcpReset reset{.src = ip.dst,
                 .dst = ip.src,
                 .src_port = l4.dst_port,
                 .dst_port = l4.src_port,
                 .flags = kRst,
                 .ttl = kDefaultTtl};
  if ((refused.flags & kAck) != 0) {
    reset.seq = refused.ack.host();
    return reset;
  }
  const auto length = static_cast<uint32_t>(packet.size() - l4.payload_offset) +
                      ((refused.flags & kSyn) != 0) + ((refused.flags & kFin) != 0);
  reset.flags |= kAck;
  reset.ack = refused.seq.host() + length;
  return reset;
}

}  // namespace

std::optional<std::vector<uint8_t>> build_refusal(const Attachment& ingress, std::span<const uint8_t> frame) {
  EthView eth_view;
  if (parse_ethernet(frame, eth_view) != ParseError::none) return std::nullopt;
  const Bytes packet = frame.subspan(eth_view.offset);
  IpView ip;
  const bool v4 = eth_view.type == kEtherIpv4;
  if (!v4 && eth_view.type != kEtherIpv6) return std::nullopt;
  if ((v4 ? parse_ipv4(packet, ip) : parse_ipv6(packet, ip)) != ParseError::none) return std::nullopt;
  if (ip.protocol != kProtoTcp) return build_icmp_error(ingress, IcmpErrorKind::prohibited, 0, frame);
  EthHeader eth;
  std::memcpy(&eth, frame.data(), sizeof eth);
  const Bytes whole = packet.first(std::min<size_t>(packet.size(), ip.length));
  if (!answerable(eth, whole, ip)) return std::nullopt;
  const auto reset = reset_to(whole, ip);
  if (!reset) return std::nullopt;
  std::vector<uint8_t> answer =
      ethernet_frame(eth.src, ingress.hub_mac, eth_view.type, tcp_reset_length(ip.family));
  write_tcp_reset(answer.data() + sizeof(EthHeader), *reset);
  return answer;
}

void IcmpErrors::on_reject(const Punt& punt, NanoTime now) {
  const Attachment* ingress = dataplane_.current().attachment(punt.attachment);
  if (ingress == nullptr) return dataplane_.discard(punt, DropReason::stale_attachment);
  if (const auto refusal = build_refusal(*ingress, punt.frame)) answer(punt.attachment, *refusal, now);
  dataplane_.discard(punt, DropReason::policy_reject);
}

void IcmpErrors::on_punt(const Punt& punt, NanoTime now) {
  const Attachment* ingress = dataplane_.current().attachment(punt.attachment);
  if (ingress == nullptr) return dataplane_.discard(punt, DropReason::stale_attachment);
  const bool too_big = punt.reason == PuntReason::mtu_exceeded;
  const auto kind = too_big ? IcmpErrorKind::too_big : IcmpErrorKind::time_exceeded;
  if (const auto answer = build_icmp_error(*ingress, kind, punt.mtu, punt.frame)) {
    this->answer(punt.attachment, *answer, now);
  }
  dataplane_.discard(punt, too_big ? DropReason::mtu_exceeded : DropReason::ttl_exceeded);
}

void IcmpErrors::on_unreachable(const Punt& punt, NanoTime now) {
  const Attachment* ingress = dataplane_.current().attachment(punt.ingress);
  if (ingress == nullptr) return;
  const auto frame = build_icmp_error(*ingress, IcmpErrorKind::host_unreachable, 0, punt.frame);
  if (frame) answer(punt.ingress, *frame, now);
}

void IcmpErrors::answer(AttachmentId to, const std::vector<uint8_t>& frame, NanoTime now) {
  if (!take_token(to, now)) {
    ++rate_limited_;
  } else if (dataplane_.send_inner(to, frame)) {
    ++sent_;
  }
}

bool IcmpErrors::take_token(AttachmentId attachment, NanoTime now) {
  if (attachment.index() >= buckets_.size()) buckets_.resize(attachment.index() + 1);
  Bucket& bucket = buckets_[attachment.index()];
  if (bucket.owner != attachment) bucket = {attachment, burst_, now};
  const NanoTime per_token = dataplane::kNanosPerSecond / per_second_;
  const uint64_t earned = (now - bucket.refilled) / per_token;
  bucket.tokens = std::min<uint64_t>(burst_, bucket.tokens + earned);
  bucket.refilled += earned * per_token;
  if (bucket.tokens == 0) return false;
  --bucket.tokens;
  return true;
}

}  // namespace weir::control
