#include "tests/hitless/frame.h"

#include <cstring>

namespace weir::hitless {

namespace {

constexpr uint32_t kMagic = 0x57454952;
constexpr size_t kOuter = 14 + 20 + 8 + 8;  // Ethernet, IPv4, UDP, VXLAN
constexpr uint8_t kUdp = 17, kTcp = 6, kIcmp6 = 58;
constexpr uint16_t kVxlanPort = 4789;
// A SYN has its stamp in an option for experiments (RFC 4727) and no data, which inspection would not let
// pass.
constexpr uint8_t kSyn = 0x02, kExperiment = 253;
constexpr size_t kSynOption = 2 + kStampBytes + 2;  // padded to words
constexpr size_t kFirstPayload = kStampBytes;       // with the UDP header 24 bytes, a multiple of 8

void put16(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}
void put32(uint8_t* at, uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, 4);
}
uint16_t get16(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }
uint32_t get32(const uint8_t* at) {
  uint32_t value;
  std::memcpy(&value, at, 4);
  return __builtin_bswap32(value);
}
void put_mac(uint8_t* at, const net::Mac& mac) { std::memcpy(at, mac.bytes.data(), 6); }
net::Mac get_mac(const uint8_t* at) {
  net::Mac mac;
  std::memcpy(mac.bytes.data(), at, 6);
  return mac;
}
void put_address6(uint8_t* at, uint32_t number) {
  std::memset(at, 0, 16);
  at[0] = 0xfd;
  put32(at + 12, number);
}
bool get_address6(const uint8_t* at, uint32_t& number) {
  uint8_t as_written[16];
  number = get32(at + 12);
  put_address6(as_written, number);
  return std::memcmp(at, as_written, 16) == 0;
}

/// The one's complement sum of 16-bit words, not folded; `size` is even or padded by the caller.
uint64_t sum_of(const uint8_t* at, size_t size) {
  uint64_t sum = 0;
  for (; size >= 4; at += 4, size -= 4) {
    uint32_t word;
    std::memcpy(&word, at, 4);
    sum += word;
  }
  if (size >= 2) {
    uint16_t word;
    std::memcpy(&word, at, 2);
    sum += word;
    at += 2;
    size -= 2;
  }
  if (size != 0) sum += *at;
  return sum;
}
/// As it lies in memory: no byte order is needed (RFC 1071 section 2 (B)).
uint16_t folded(uint64_t sum) {
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}
void put_sum(uint8_t* at, uint64_t sum) {
  const uint16_t value = folded(sum);
  std::memcpy(at, &value, 2);
}
uint64_t pseudo_sum(const uint8_t* addresses, size_t size, uint8_t protocol, size_t length) {
  uint8_t tail[8] = {};
  put32(tail, static_cast<uint32_t>(length));
  tail[7] = protocol;
  return sum_of(addresses, size) + sum_of(tail, sizeof tail);
}

uint8_t* put_ipv4(uint8_t* at, uint32_t src, uint32_t dst, uint8_t protocol, size_t length, uint16_t id,
                  uint16_t fragment) {
  std::memset(at, 0, 20);
  at[0] = 0x45;
  put16(at + 2, static_cast<uint32_t>(20 + length));
  put16(at + 4, id);
  put16(at + 6, fragment);
  at[8] = 64;
  at[9] = protocol;
  put32(at + 12, src);
  put32(at + 16, dst);
  put_sum(at + 10, sum_of(at, 20));
  return at + 20;
}

uint8_t* put_ipv6(uint8_t* at, uint8_t protocol, size_t length, uint8_t hops) {
  std::memset(at, 0, 8);
  at[0] = 0x60;
  put16(at + 4, static_cast<uint32_t>(length));
  at[6] = protocol;
  at[7] = hops;
  return at + 40;
}

/// The outer headers and the inner Ethernet header; `inner` bytes follow.
uint8_t* put_tunnel(uint8_t* at, const Link& link, const Spoke& spoke, size_t inner, uint16_t ether_type,
                    uint16_t entropy) {
  put_mac(at, link.hub);
  put_mac(at + 6, link.router);
  put16(at + 12, 0x0800);
  at = put_ipv4(at + 14, spoke.peer, link.address, kUdp, 8 + 8 + 14 + inner, 0, 0x4000);
  put16(at, 0xc000 | entropy);
  put16(at + 2, kVxlanPort);
  put16(at + 4, static_cast<uint32_t>(8 + 8 + 14 + inner));
  put16(at + 6, 0);
  put32(at + 8, 0x0800'0000);
  put32(at + 12, spoke.vni << 8);
  put_mac(at + 16, spoke.hub);
  put_mac(at + 22, spoke.host);
  put16(at + 28, ether_type);
  return at + 30;
}

void put_stamp(uint8_t* at, const Stamp& stamp) {
  put32(at, kMagic);
  put32(at + 4, stamp.session);
  put32(at + 8, stamp.sequence);
  put32(at + 12, stamp.direction);
}

bool is_syn(const Packet& packet) { return packet.flow.protocol == kTcp && (packet.tcp.flags & kSyn) != 0; }

size_t l4_bytes(const Packet& packet) {
  if (packet.part != Part::whole) return (packet.part == Part::first ? 8 : 0) + kStampBytes;
  if (is_syn(packet)) return 20 + kSynOption;
  return (packet.flow.protocol == kTcp ? 20U : 8U) + packet.payload;
}

/// TCP or UDP header and payload. `addresses`: source and destination in the IP header, which is written
/// already.
void put_l4(uint8_t* at, const Packet& packet, const uint8_t* addresses, size_t address_bytes,
            size_t length) {
  const bool tcp = packet.flow.protocol == kTcp;
  put16(at, packet.flow.src_port);
  put16(at + 2, packet.flow.dst_port);
  uint8_t* payload = at + (tcp ? 20 : 8);
  if (is_syn(packet)) {
    payload[0] = kExperiment;
    payload[1] = 2 + kStampBytes;
    put_stamp(payload + 2, packet.stamp);
    payload[2 + kStampBytes] = payload[3 + kStampBytes] = 1;  // no operation
  } else {
    put_stamp(payload, packet.stamp);
    if (packet.payload > kStampBytes) std::memset(payload + kStampBytes, 0, packet.payload - kStampBytes);
  }
  if (tcp) {
    put32(at + 4, packet.tcp.sequence);
    put32(at + 8, packet.tcp.acknowledged);
    at[12] = is_syn(packet) ? (20 + kSynOption) / 4 << 4 : 0x50;
    at[13] = packet.tcp.flags;
    put16(at + 14, 0xffff);
    put32(at + 16, 0);
  } else {
    put16(at + 4, static_cast<uint32_t>(length));
    put16(at + 6, 0);
  }
  const uint64_t sum =
      pseudo_sum(addresses, address_bytes, packet.flow.protocol, length) + sum_of(at, length);
  uint8_t* field = at + (tcp ? 16 : 6);
  put_sum(field, sum);
  if (!tcp && get16(field) == 0) put16(field, 0xffff);  // 0 means none (RFC 768)
}

/// The second fragment has a stamp and nothing else; the first one the UDP header of the whole, without a
/// checksum.
void put_fragment(uint8_t* at, const Packet& packet) {
  if (packet.part == Part::first) {
    put16(at, packet.flow.src_port);
    put16(at + 2, packet.flow.dst_port);
    put16(at + 4, static_cast<uint32_t>(8 + kFirstPayload + kStampBytes));
    put16(at + 6, 0);
    at += 8;
  }
  put_stamp(at, packet.stamp);
}

bool get_stamp(const uint8_t* at, size_t size, Seen& seen) {
  if (size < kStampBytes || get32(at) != kMagic) return false;
  seen.stamp = {get32(at + 4), get32(at + 8), at[15]};
  return true;
}

Seen strange(Seen seen, const char* why) {
  seen.kind = Kind::strange;
  seen.why = why;
  return seen;
}

Seen read_l4(Seen seen, const uint8_t* at, size_t size, const uint8_t* addresses, size_t address_bytes) {
  const bool tcp = seen.flow.protocol == kTcp;
  const size_t header = tcp ? 20 : 8;
  if (size < header) return strange(seen, "the transport header is cut short");
  seen.flow.src_port = get16(at);
  seen.flow.dst_port = get16(at + 2);
  const bool unchecked = !tcp && get16(at + 6) == 0;
  if (unchecked && seen.part == Part::whole) return strange(seen, "the UDP checksum is gone");
  if (!unchecked &&
      folded(pseudo_sum(addresses, address_bytes, seen.flow.protocol, size) + sum_of(at, size)) != 0)
    return strange(seen, "the transport checksum is wrong");
  const bool syn = tcp && (at[13] & kSyn) != 0;
  const size_t before = header + (syn ? 2 : 0);
  if (size < before || !get_stamp(at + before, size - before, seen)) return strange(seen, "no stamp");
  seen.kind = Kind::data;
  return seen;
}

Seen read_ipv4(Seen seen, const uint8_t* at, size_t size) {
  if (size < 20 || at[0] != 0x45) return strange(seen, "no inner IPv4 header of 20 bytes");
  const size_t total = get16(at + 2);
  if (total < 20 || total != size) return strange(seen, "the inner IPv4 length is not the frame's");
  if (folded(sum_of(at, 20)) != 0) return strange(seen, "the inner IPv4 checksum is wrong");
  seen.hops = at[8];
  seen.flow = {false, at[9], get32(at + 12), get32(at + 16), 0, 0};
  if (seen.flow.protocol != kUdp && seen.flow.protocol != kTcp)
    return strange(seen, "neither TCP nor UDP inside");
  const uint16_t fragment = get16(at + 6);
  if ((fragment & 0x1fff) != 0) {
    seen.part = Part::second;
    if (!get_stamp(at + 20, size - 20, seen)) return strange(seen, "no stamp in a fragment");
    seen.kind = Kind::data;
    return seen;
  }
  if ((fragment & 0x2000) != 0) seen.part = Part::first;
  return read_l4(seen, at + 20, size - 20, at + 12, 8);
}

Seen read_ipv6(Seen seen, const uint8_t* at, size_t size) {
  if (size < 40 || at[0] >> 4 != 6) return strange(seen, "no inner IPv6 header");
  if (get16(at + 4) != size - 40) return strange(seen, "the inner IPv6 length is not the frame's");
  seen.hops = at[7];
  if (at[6] == kIcmp6 && size >= 40 + 24 && at[40] == 135) {
    seen.kind = Kind::inner_nd;
    seen.sender6 = {at + 8, 16};
    seen.target6 = {at + 48, 16};
    return seen;
  }
  seen.flow.v6 = true;
  seen.flow.protocol = at[6];
  if (seen.flow.protocol != kUdp && seen.flow.protocol != kTcp)
    return strange(seen, "neither TCP nor UDP inside");
  if (!get_address6(at + 8, seen.flow.src) || !get_address6(at + 24, seen.flow.dst))
    return strange(seen, "an inner IPv6 address that nobody has");
  return read_l4(seen, at + 40, size - 40, at + 8, 32);
}

bool get_arp_request(const uint8_t* at, size_t size, Seen& seen) {
  if (size < 28 || get16(at + 6) != 1) return false;
  seen.sender = get32(at + 14);
  seen.target = get32(at + 24);
  return true;
}

void put_arp_reply(uint8_t* at, const net::Mac& mac, uint32_t address, const net::Mac& to,
                   uint32_t to_address) {
  static constexpr uint8_t kHead[8] = {0, 1, 8, 0, 6, 4, 0, 2};
  std::memcpy(at, kHead, 8);
  put_mac(at + 8, mac);
  put32(at + 14, address);
  put_mac(at + 18, to);
  put32(at + 24, to_address);
}

}  // namespace

size_t write_frame(uint8_t* out, const Link& link, const Spoke& spoke, const Packet& packet) {
  const Flow& flow = packet.flow;
  const size_t l4 = l4_bytes(packet);
  const size_t inner = (flow.v6 ? 40 : 20) + l4;
  const uint32_t spread = packet.stamp.session * 0x9e37'79b1U;
  uint8_t* at =
      put_tunnel(out, link, spoke, inner, flow.v6 ? 0x86dd : 0x0800, static_cast<uint16_t>(spread >> 18));
  if (flow.v6) {
    uint8_t* ip = at;
    at = put_ipv6(ip, flow.protocol, l4, packet.hops);
    put_address6(ip + 8, flow.src);
    put_address6(ip + 24, flow.dst);
    put_l4(at, packet, ip + 8, 32, l4);
  } else {
    const auto id = static_cast<uint16_t>(packet.stamp.sequence / 2);
    const uint16_t fragment = packet.part == Part::whole   ? 0x4000
                              : packet.part == Part::first ? 0x2000
                                                           : (8 + kFirstPayload) / 8;
    uint8_t* ip = at;
    at = put_ipv4(ip, flow.src, flow.dst, flow.protocol, l4, id, fragment);
    if (packet.hops != ip[8]) {
      ip[8] = packet.hops;
      put16(ip + 10, 0);
      put_sum(ip + 10, sum_of(ip, 20));
    }
    if (packet.part == Part::whole) {
      put_l4(at, packet, ip + 12, 8, l4);
    } else {
      put_fragment(at, packet);
    }
  }
  return static_cast<size_t>(at - out) + l4;
}

size_t write_arp_request(uint8_t* out, const Link& link, const Spoke& spoke, uint32_t sender,
                         uint32_t target) {
  uint8_t* at = put_tunnel(out, link, spoke, 28, 0x0806, 0);
  std::memset(at - 14, 0xff, 6);
  put_arp_reply(at, spoke.host, sender, net::Mac{}, target);
  at[7] = 1;  // a request
  return static_cast<size_t>(at - out) + 28;
}

size_t write_tiny(uint8_t* out, const Link& link, const Spoke& spoke, size_t bytes) {
  uint8_t* at = put_tunnel(out, link, spoke, bytes, 0x0800, 0);
  std::memset(at, 0, bytes);
  if (bytes != 0) at[0] = 0x45;
  return static_cast<size_t>(at - out) + bytes;
}

Seen read_frame(std::span<const uint8_t> frame, const Link& link) {
  Seen seen;
  const uint8_t* at = frame.data();
  if (frame.size() < 42) return strange(seen, "too short");
  if (get_mac(at + 6) != link.hub) return strange(seen, "not from the hub's MAC");
  if (get16(at + 12) == 0x0806) {
    if (!get_arp_request(at + 14, frame.size() - 14, seen)) return strange(seen, "ARP, but no request");
    seen.kind = Kind::outer_arp;
    return seen;
  }
  if (get_mac(at) != link.router) return strange(seen, "not to the underlay's router");
  if (get16(at + 12) != 0x0800 || frame.size() < kOuter + 14) return strange(seen, "no outer IPv4");
  if (at[14] != 0x45 || get16(at + 16) != frame.size() - 14)
    return strange(seen, "the outer IPv4 length is not the frame's");
  if (folded(sum_of(at + 14, 20)) != 0) return strange(seen, "the outer IPv4 checksum is wrong");
  if (get32(at + 26) != link.address) return strange(seen, "not from the hub's address");
  seen.peer = get32(at + 30);
  if (at[23] != kUdp || get16(at + 36) != kVxlanPort || get16(at + 38) != frame.size() - 34 ||
      get32(at + 42) != 0x0800'0000)
    return strange(seen, "no VXLAN");
  seen.vni = get32(at + 46) >> 8;
  seen.inner_dst = get_mac(at + 50);
  seen.inner_src = get_mac(at + 56);
  const uint8_t* inner = at + kOuter + 14;
  const size_t size = frame.size() - kOuter - 14;
  switch (get16(at + 62)) {
    case 0x0800:
      return read_ipv4(seen, inner, size);
    case 0x86dd:
      return read_ipv6(seen, inner, size);
    case 0x0806:
      if (!get_arp_request(inner, size, seen)) return strange(seen, "ARP inside, but no request");
      seen.kind = Kind::inner_arp;
      return seen;
    default:
      return strange(seen, "an EtherType inside that nobody sent");
  }
}

size_t answer_outer_arp(uint8_t* out, const Link& link, const Seen& question) {
  put_mac(out, link.hub);
  put_mac(out + 6, link.router);
  put16(out + 12, 0x0806);
  put_arp_reply(out + 14, link.router, question.target, link.hub, question.sender);
  std::memset(out + 42, 0, 18);
  return 60;
}

size_t answer_inner_arp(uint8_t* out, const Link& link, const Spoke& spoke, const Seen& question) {
  uint8_t* at = put_tunnel(out, link, spoke, 28, 0x0806, 0);
  put_arp_reply(at, spoke.host, question.target, spoke.hub, question.sender);
  return static_cast<size_t>(at - out) + 28;
}

size_t answer_inner_nd(uint8_t* out, const Link& link, const Spoke& spoke, const Seen& question) {
  constexpr size_t kAdvertisement = 32;
  uint8_t* ip = put_tunnel(out, link, spoke, 40 + kAdvertisement, 0x86dd, 0);
  uint8_t* at = put_ipv6(ip, kIcmp6, kAdvertisement, 255);
  std::memcpy(ip + 8, question.target6.data(), 16);
  std::memcpy(ip + 24, question.sender6.data(), 16);
  std::memset(at, 0, kAdvertisement);
  at[0] = 136;
  put32(at + 4, 0x6000'0000);  // solicited, override
  std::memcpy(at + 8, question.target6.data(), 16);
  at[24] = 2;  // target link-layer address
  at[25] = 1;
  put_mac(at + 26, spoke.host);
  put_sum(at + 2, pseudo_sum(ip + 8, 32, kIcmp6, kAdvertisement) + sum_of(at, kAdvertisement));
  return static_cast<size_t>(at - out) + kAdvertisement;
}

}  // namespace weir::hitless
