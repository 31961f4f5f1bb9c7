// Wire formats, laid over packet bytes: alignment 1, network order in be types.
//
// A struct here says nothing about whether the bytes are there: use the parsers (parse.h), or check the
// length.
#pragma once

#include <cstdint>
#include <cstring>

#include "dataplane/net/address.h"
#include "dataplane/net/byte_order.h"

namespace weir::net {

enum EtherType : uint16_t {
  kEtherIpv4 = 0x0800,
  kEtherArp = 0x0806,
  kEtherVlan = 0x8100,
  kEtherQinQ = 0x88a8,
  kEtherBridged = 0x6558,  // an Ethernet frame, in GENEVE and GRE
  kEtherIpv6 = 0x86dd
};
enum IpProtocol : uint8_t {
  kProtoHopByHop = 0,
  kProtoIcmp = 1,
  kProtoIpv4 = 4,  // IP in IP (RFC 2003)
  kProtoTcp = 6,
  kProtoUdp = 17,
  kProtoIpv6 = 41,  // RFC 4213, RFC 2473
  kProtoRouting = 43,
  kProtoFragment = 44,
  kProtoGre = 47,
  kProtoAuth = 51,
  kProtoIcmpv6 = 58,
  kProtoNoNext = 59,
  kProtoDestOptions = 60,
};
/// ICMP or ICMPv6, whatever the packet's family.
constexpr bool is_icmp(uint8_t protocol) { return protocol == kProtoIcmp || protocol == kProtoIcmpv6; }

struct EthHeader {
  Mac dst;
  Mac src;
  be16 type;
};
static_assert(sizeof(EthHeader) == 14);

/// Addresses as Mac::word() has them, what lies above ignored.
inline void write_mac(uint8_t* at, uint64_t mac) {
  const auto low = static_cast<uint32_t>(mac);
  const auto high = static_cast<uint16_t>(mac >> 32);
  std::memcpy(at, &low, sizeof low);
  std::memcpy(at + sizeof low, &high, sizeof high);
}
/// Destination and source of an Ethernet header. The upper 16 bits of `dst` are zero, those of `src` do not
/// count.
inline void write_macs(uint8_t* at, uint64_t dst, uint64_t src) {
  const uint64_t first = dst | src << 48;
  const auto rest = static_cast<uint32_t>(src >> 16);
  std::memcpy(at, &first, sizeof first);
  std::memcpy(at + sizeof first, &rest, sizeof rest);
}

struct VlanTag {  // after the EtherType 0x8100 or 0x88a8
  be16 tci;
  be16 type;
};
static_assert(sizeof(VlanTag) == 4);

struct Ipv4Header {  // RFC 791
  uint8_t version_ihl;
  uint8_t tos;
  be16 total_length;
  be16 id;
  be16 fragment;  // flags and offset
  uint8_t ttl;
  uint8_t protocol;
  be16 checksum;
  be32 src;
  be32 dst;

  uint8_t header_length() const { return static_cast<uint8_t>((version_ihl & 0x0f) * 4); }
  uint8_t version() const { return version_ihl >> 4; }
  static constexpr uint16_t kDontFragment = 0x4000, kMoreFragments = 0x2000, kOffsetMask = 0x1fff;
  bool is_fragment() const { return (fragment.host() & (kMoreFragments | kOffsetMask)) != 0; }
  bool dont_fragment() const { return (fragment.host() & kDontFragment) != 0; }
};
static_assert(sizeof(Ipv4Header) == 20);

struct Ipv6Header {  // RFC 8200
  be32 version_class_flow;
  be16 payload_length;
  uint8_t next_header;
  uint8_t hop_limit;
  uint8_t src[16];
  uint8_t dst[16];

  uint8_t version() const { return static_cast<uint8_t>(version_class_flow.host() >> 28); }
};
static_assert(sizeof(Ipv6Header) == 40);

struct UdpHeader {
  be16 src_port;
  be16 dst_port;
  be16 length;
  be16 checksum;
};
static_assert(sizeof(UdpHeader) == 8);

struct TcpHeader {  // RFC 9293
  be16 src_port;
  be16 dst_port;
  be32 seq;
  be32 ack;
  uint8_t data_offset;  // high nibble, 32-bit words
  uint8_t flags;
  be16 window;
  be16 checksum;
  be16 urgent;

  uint8_t header_length() const { return static_cast<uint8_t>((data_offset >> 4) * 4); }
};
static_assert(sizeof(TcpHeader) == 20);

struct IcmpHeader {  // RFC 792, RFC 4443
  uint8_t type;
  uint8_t code;
  be16 checksum;
  be16 id;   // of queries and replies (has_icmp_identifier()); else unused, or the high half of a field
  be16 seq;  // echo; MTU of "fragmentation needed"
};
static_assert(sizeof(IcmpHeader) == 8);

enum IcmpType : uint8_t {
  kIcmpEchoReply = 0,
  kIcmpUnreachable = 3,
  kIcmpRedirect = 5,
  kIcmpEcho = 8,
  kIcmpTimeExceeded = 11,
  kIcmpParameter = 12,
  kIcmpTimestamp = 13,
  kIcmpTimestampReply = 14,
  kIcmpInformation = 15,
  kIcmpInformationReply = 16,
  kIcmpAddressMask = 17,  // RFC 950
  kIcmpAddressMaskReply = 18,
};
inline constexpr uint8_t kIcmpCodeFragNeeded = 4;
enum Icmpv6Type : uint8_t {
  kIcmpv6Unreachable = 1,
  kIcmpv6TooBig = 2,
  kIcmpv6TimeExceeded = 3,
  kIcmpv6Parameter = 4,
  kIcmpv6Echo = 128,
  kIcmpv6EchoReply = 129,
  kIcmpv6RouterSolicit = 133,
  kIcmpv6NeighborSolicit = 135,
  kIcmpv6NeighborAdvert = 136,
  kIcmpv6NodeQuery = 139,  // RFC 4620
  kIcmpv6NodeReply = 140,
};

struct ArpPacket {  // RFC 826, Ethernet and IPv4
  be16 hardware;
  be16 protocol;
  uint8_t hardware_size;
  uint8_t protocol_size;
  be16 operation;
  Mac sender_mac;
  be32 sender_ip;
  Mac target_mac;
  be32 target_ip;

  static constexpr uint16_t kRequest = 1, kReply = 2;
};
static_assert(sizeof(ArpPacket) == 28);

struct VxlanHeader {  // RFC 7348
  uint8_t flags;      // 0x08: the VNI is valid
  uint8_t reserved[3];
  be32 vni;  // high 24 bits

  static constexpr uint8_t kValidVni = 0x08;
};
static_assert(sizeof(VxlanHeader) == 8);

struct GeneveHeader {      // RFC 8926, options follow
  uint8_t version_length;  // version in the top two bits; length of the options in 32-bit words
  uint8_t flags;
  be16 protocol;
  be32 vni;  // high 24 bits

  uint8_t version() const { return version_length >> 6; }
  uint16_t options_length() const { return static_cast<uint16_t>((version_length & 0x3f) * 4); }
  static constexpr uint8_t kControl = 0x80, kCritical = 0x40;
};
static_assert(sizeof(GeneveHeader) == 8);

struct GeneveOption {
  be16 option_class;
  uint8_t type;    // the top bit: whoever does not know the option must not take the packet
  uint8_t length;  // of what follows, in 32-bit words; the top three bits are reserved

  uint16_t data_length() const { return static_cast<uint16_t>((length & 0x1f) * 4); }
  static constexpr uint8_t kCritical = 0x80;
};
static_assert(sizeof(GeneveOption) == 4);

struct GreHeader {  // RFC 2784, RFC 2890; checksum, key and sequence number follow as the flags say
  be16 flags;
  be16 protocol;

  static constexpr uint16_t kChecksum = 0x8000, kKey = 0x2000, kSequence = 0x1000, kVersion = 0x0007;
  /// Bits 1, 4 and 5 (RFC 1701): a receiver of RFC 2784 section 2.3 may not take a packet with one of them.
  static constexpr uint16_t kObsolete = 0x4c00;
};
static_assert(sizeof(GreHeader) == 4);

struct NdMessage {  // neighbour solicitation and advertisement (RFC 4861 section 4.3, 4.4), options follow
  uint8_t type;
  uint8_t code;
  be16 checksum;
  be32 flags;  // advertisement: router, solicited, override in the top three bits
  uint8_t target[16];

  static constexpr uint32_t kRouter = 1u << 31, kSolicited = 1u << 30, kOverride = 1u << 29;
  static constexpr uint8_t kSourceLinkOption = 1, kTargetLinkOption = 2;
};
static_assert(sizeof(NdMessage) == 24);

}  // namespace weir::net
