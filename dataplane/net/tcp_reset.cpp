#include "dataplane/net/tcp_reset.h"

#include "dataplane/net/checksum.h"

namespace weir::net {

namespace {

/// `addresses`: as they lie in the IP header.
void write_tcp(uint8_t* at, const TcpReset& reset, std::span<const uint8_t> addresses) {
  TcpHeader tcp{};
  tcp.src_port = be16::of(reset.src_port);
  tcp.dst_port = be16::of(reset.dst_port);
  tcp.seq = be32::of(reset.seq);
  tcp.ack = be32::of(reset.ack);
  tcp.data_offset = sizeof tcp / 4 << 4;
  tcp.flags = reset.flags;
  const uint64_t pseudo = pseudo_header_sum(addresses, kProtoTcp, sizeof tcp);
  tcp.checksum =
      be16::raw(checksum_finish(checksum_add(pseudo, {reinterpret_cast<const uint8_t*>(&tcp), sizeof tcp})));
  std::memcpy(at, &tcp, sizeof tcp);
}

}  // namespace

void write_tcp_reset(uint8_t* at, const TcpReset& reset) {
  if (reset.src.is_v4()) {
    Ipv4Header ip{};
    ip.version_ihl = 0x45;
    ip.total_length = be16::of(tcp_reset_length(Family::ipv4));
    ip.fragment = be16::of(Ipv4Header::kDontFragment);
    ip.ttl = reset.ttl;
    ip.protocol = kProtoTcp;
    ip.src = reset.src.v4().be();
    ip.dst = reset.dst.v4().be();
    ip.checksum = be16::raw(checksum({reinterpret_cast<const uint8_t*>(&ip), sizeof ip}));
    std::memcpy(at, &ip, sizeof ip);
    return write_tcp(at + sizeof ip, reset, {at + offsetof(Ipv4Header, src), 8});
  }
  Ipv6Header ip{};
  ip.version_class_flow = be32::of(6u << 28);
  ip.payload_length = be16::of(sizeof(TcpHeader));
  ip.next_header = kProtoTcp;
  ip.hop_limit = reset.ttl;
  reset.src.v6().store(ip.src);
  reset.dst.v6().store(ip.dst);
  std::memcpy(at, &ip, sizeof ip);
  write_tcp(at + sizeof ip, reset, {at + offsetof(Ipv6Header, src), 32});
}

}  // namespace weir::net
