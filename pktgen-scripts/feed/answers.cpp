#include "answers.h"

#include <algorithm>
#include <cstring>

namespace weir::feed {

namespace {

constexpr size_t kEthernet = 14, kArp = 28, kIpv4 = 20, kUdp = 8, kVxlan = 8, kIpv6 = 40, kNeighbor = 24,
                 kLinkOption = 8;
constexpr size_t kTunnel = kEthernet + kIpv4 + kUdp + kVxlan;
constexpr size_t kArpFrame = kEthernet + kArp;
constexpr size_t kNdFrame = kEthernet + kIpv6 + kNeighbor;  // with or without the option
constexpr uint16_t kTypeArp = 0x0806, kTypeIpv4 = 0x0800, kTypeIpv6 = 0x86dd;
constexpr uint16_t kVxlanPort = 4789;

uint16_t be16_at(const uint8_t* p) { return static_cast<uint16_t>(p[0] << 8 | p[1]); }
void put16(uint8_t* p, uint16_t value) {
  p[0] = static_cast<uint8_t>(value >> 8);
  p[1] = static_cast<uint8_t>(value);
}

/// The Internet checksum over `bytes` after a start value.
uint16_t checksum(std::span<const uint8_t> bytes, uint32_t sum) {
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) sum += be16_at(&bytes[i]);
  if (bytes.size() % 2 != 0) sum += static_cast<uint32_t>(bytes.back()) << 8;
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void mac_of(uint8_t kind, const uint8_t* last_four, uint8_t* mac) {
  mac[0] = 0x02;
  mac[1] = kind;
  std::memcpy(mac + 2, last_four, 4);
}

size_t answer_arp(std::span<const uint8_t> frame, uint8_t* out) {
  constexpr uint8_t kRequestForIpv4[] = {0, 1, 8, 0, 6, 4, 0, 1};
  const uint8_t* arp = &frame[kEthernet];
  if (frame.size() < kArpFrame || std::memcmp(arp, kRequestForIpv4, sizeof kRequestForIpv4) != 0) return 0;
  const uint8_t* sender = arp + 8;                        // MAC, then address
  const uint8_t* target = arp + 8 + 16;                   // the address asked for
  if (std::memcmp(sender + 6, target, 4) == 0) return 0;  // an announcement asks nobody
  std::memset(out, 0, kArpFrame);
  std::memcpy(out, sender, 6);
  mac_of(0, target, out + 6);
  put16(out + 12, kTypeArp);
  uint8_t* reply = out + kEthernet;
  std::memcpy(reply, kRequestForIpv4, sizeof kRequestForIpv4);
  reply[7] = 2;
  mac_of(0, target, reply + 8);
  std::memcpy(reply + 14, target, 4);
  std::memcpy(reply + 18, sender, 10);
  return kArpFrame;
}

/// RFC 4861: a solicitation is answered by a solicited advertisement with the target's link-layer address.
size_t answer_nd(std::span<const uint8_t> frame, uint8_t* out) {
  constexpr uint8_t kIcmpv6 = 58, kSolicitation = 135, kAdvertisement = 136, kTargetLink = 2;
  constexpr uint8_t kSolicitedAndOverride = 0x60;
  if (frame.size() < kNdFrame) return 0;
  const uint8_t* ip = &frame[kEthernet];
  const uint8_t* nd = ip + kIpv6;
  if (ip[6] != kIcmpv6 || nd[0] != kSolicitation) return 0;
  const uint8_t* source = ip + 8;
  const uint8_t* target = nd + 8;
  if (std::all_of(source, source + 16, [](uint8_t b) { return b == 0; })) return 0;  // duplicate detection
  constexpr size_t kLength = kNdFrame + kLinkOption;
  std::memset(out, 0, kLength);
  std::memcpy(out, &frame[6], 6);
  mac_of(6, target + 12, out + 6);
  put16(out + 12, kTypeIpv6);
  uint8_t* ip_out = out + kEthernet;
  ip_out[0] = 0x60;
  put16(ip_out + 4, kNeighbor + kLinkOption);
  ip_out[6] = kIcmpv6;
  ip_out[7] = 255;
  std::memcpy(ip_out + 8, target, 16);
  std::memcpy(ip_out + 24, source, 16);
  uint8_t* nd_out = ip_out + kIpv6;
  nd_out[0] = kAdvertisement;
  nd_out[4] = kSolicitedAndOverride;
  std::memcpy(nd_out + 8, target, 16);
  nd_out[kNeighbor] = kTargetLink;
  nd_out[kNeighbor + 1] = 1;
  mac_of(6, target + 12, nd_out + kNeighbor + 2);
  // The pseudo header: both addresses, which lie before the message, its length, its protocol.
  const uint32_t pseudo = kNeighbor + kLinkOption + kIcmpv6;
  put16(nd_out + 2, checksum({ip_out + 8, 32 + kNeighbor + kLinkOption}, pseudo));
  return kLength;
}

size_t answer_plain(std::span<const uint8_t> frame, uint8_t* out) {
  if (frame.size() < kArpFrame) return 0;
  const uint16_t type = be16_at(&frame[12]);
  if (type == kTypeArp) return answer_arp(frame, out);
  return type == kTypeIpv6 ? answer_nd(frame, out) : 0;
}

/// The question's tunnel header turned round.
void wrap(std::span<const uint8_t> question, size_t inner, uint8_t* out) {
  std::memcpy(out, question.data(), kTunnel);
  std::memcpy(out, &question[6], 6);
  std::memcpy(out + 6, &question[0], 6);
  uint8_t* ip = out + kEthernet;
  std::memcpy(ip + 12, &question[kEthernet + 16], 4);
  std::memcpy(ip + 16, &question[kEthernet + 12], 4);
  put16(ip + 2, static_cast<uint16_t>(kIpv4 + kUdp + kVxlan + inner));
  put16(ip + 10, 0);
  put16(ip + 10, checksum({ip, kIpv4}, 0));
  put16(ip + kIpv4 + 4, static_cast<uint16_t>(kUdp + kVxlan + inner));
  put16(ip + kIpv4 + 6, 0);  // RFC 7348: over IPv4 no checksum is needed
}

}  // namespace

bool may_be_question(size_t length) {
  const auto near = [length](size_t shortest, size_t longest) {
    return length >= shortest && length <= longest;
  };
  return near(kArpFrame, 60) || near(kTunnel + kArpFrame, kTunnel + 60) ||
         near(kNdFrame, kNdFrame + kLinkOption) || near(kTunnel + kNdFrame, kTunnel + kNdFrame + kLinkOption);
}

size_t question_answer(std::span<const uint8_t> frame, std::span<uint8_t, kMaxAnswer> answer) {
  if (frame.size() < kArpFrame) return 0;
  const uint8_t* ip = &frame[kEthernet];
  const bool tunnel = be16_at(&frame[12]) == kTypeIpv4 && frame.size() >= kTunnel + kArpFrame &&
                      ip[0] == 0x45 && ip[9] == 17 && be16_at(ip + kIpv4 + 2) == kVxlanPort;
  if (!tunnel) return answer_plain(frame, answer.data());
  const size_t inner = answer_plain(frame.subspan(kTunnel), answer.data() + kTunnel);
  if (inner == 0) return 0;
  wrap(frame, inner, answer.data());
  return kTunnel + inner;
}

}  // namespace weir::feed
