#include "mgmt/control/frames.h"

#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace weir::control {

using namespace net;

namespace {

struct Echo {
  IcmpHeader icmp;
  be64 token;
  uint8_t padding[16];  // as large as a smallest Ethernet frame, whatever carries it
};
static_assert(sizeof(Echo) == 32);

constexpr uint8_t kInternetControl = 0xc0;  // precedence 6: it goes when little else does
constexpr uint8_t kDefaultTtl = 64;

void put_ipv4(uint8_t* at, const EchoProbe& probe, Echo& echo) {
  Ipv4Header ip{};
  ip.version_ihl = 0x45;
  ip.tos = kInternetControl;
  ip.total_length = be16::of(sizeof ip + sizeof echo);
  ip.fragment = be16::of(Ipv4Header::kDontFragment);
  ip.ttl = kDefaultTtl;
  ip.protocol = kProtoIcmp;
  ip.src = probe.src.v4().be();
  ip.dst = probe.dst.v4().be();
  ip.checksum = be16::raw(checksum({reinterpret_cast<const uint8_t*>(&ip), sizeof ip}));
  echo.icmp.type = kIcmpEcho;
  echo.icmp.checksum = be16::raw(checksum({reinterpret_cast<const uint8_t*>(&echo), sizeof echo}));
  std::memcpy(at, &ip, sizeof ip);
  std::memcpy(at + sizeof ip, &echo, sizeof echo);
}

void put_ipv6(uint8_t* at, const EchoProbe& probe, Echo& echo) {
  Ipv6Header ip{};
  ip.version_class_flow = be32::of(6u << 28 | uint32_t{kInternetControl} << 20);
  ip.payload_length = be16::of(sizeof echo);
  ip.next_header = kProtoIcmpv6;
  ip.hop_limit = kDefaultTtl;
  probe.src.v6().store(ip.src);
  probe.dst.v6().store(ip.dst);
  echo.icmp.type = kIcmpv6Echo;
  const uint64_t pseudo = pseudo_header_sum({ip.src, 32}, kProtoIcmpv6, sizeof echo);
  echo.icmp.checksum = be16::raw(
      checksum_finish(checksum_add(pseudo, {reinterpret_cast<const uint8_t*>(&echo), sizeof echo})));
  std::memcpy(at, &ip, sizeof ip);
  std::memcpy(at + sizeof ip, &echo, sizeof echo);
}

}  // namespace

std::vector<uint8_t> echo_request(const EchoProbe& probe) {
  const bool v4 = probe.dst.is_v4();
  Echo echo{};
  echo.icmp.id = be16::of(probe.id);
  echo.icmp.seq = be16::of(probe.sequence);
  echo.token = be64::of(probe.token);
  const size_t size = (v4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header)) + sizeof echo;
  std::vector<uint8_t> frame =
      ethernet_frame(probe.dst_mac, probe.src_mac, v4 ? kEtherIpv4 : kEtherIpv6, size);
  uint8_t* at = frame.data() + sizeof(EthHeader);
  if (v4) {
    put_ipv4(at, probe, echo);
  } else {
    put_ipv6(at, probe, echo);
  }
  return frame;
}

std::vector<uint8_t> ethernet_frame(Mac dst, Mac src, uint16_t type, size_t size) {
  std::vector<uint8_t> frame(sizeof(EthHeader) + size);
  const EthHeader eth{dst, src, be16::of(type)};
  std::memcpy(frame.data(), &eth, sizeof eth);
  return frame;
}

}  // namespace weir::control
