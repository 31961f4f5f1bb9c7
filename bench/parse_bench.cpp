// The parsers and the checksum, on packets in the first-level cache: the cost that each packet pays twice,
// once for the outer and once for the inner headers.
#include <cstddef>
#include <cstring>
#include <vector>

#include "bench/measure.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/parse.h"

namespace weir::net {
namespace {

using Packet = std::vector<uint8_t>;

template <typename Header>
Packet bytes_of(const Header& header) {
  const auto* p = reinterpret_cast<const uint8_t*>(&header);
  return {p, p + sizeof header};
}
Packet operator+(Packet a, const Packet& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Packet udp(uint16_t dst_port, const Packet& payload) {
  UdpHeader header{};
  header.src_port = be16::of(1000);
  header.dst_port = be16::of(dst_port);
  header.length = be16::of(static_cast<uint16_t>(sizeof header + payload.size()));
  return bytes_of(header) + payload;
}

/// `options` bytes of no-operation options, a multiple of 4.
Packet tcp(size_t options) {
  TcpHeader header{};
  header.src_port = be16::of(1000);
  header.dst_port = be16::of(443);
  header.data_offset = static_cast<uint8_t>((sizeof header + options) / 4 << 4);
  header.flags = 0x10;
  return bytes_of(header) + Packet(options, 1) + Packet(64);
}

Packet ipv4(uint8_t protocol, const Packet& payload, size_t options = 0) {
  Ipv4Header header{};
  const size_t length = sizeof header + options;
  header.version_ihl = static_cast<uint8_t>(0x40 | length / 4);
  header.total_length = be16::of(static_cast<uint16_t>(length + payload.size()));
  header.ttl = 64;
  header.protocol = protocol;
  header.src = be32::of(0x0a010005);
  header.dst = be32::of(0x0a020005);
  Packet packet = bytes_of(header) + Packet(options, 1) + payload;
  const uint16_t sum = checksum(std::span(packet).first(length));
  std::memcpy(packet.data() + offsetof(Ipv4Header, checksum), &sum, sizeof sum);
  return packet;
}

/// With `extensions` headers of destination options, 8 bytes each.
Packet ipv6(uint8_t protocol, const Packet& payload, unsigned extensions = 0) {
  Ipv6Header header{};
  header.version_class_flow = be32::of(6u << 28);
  header.payload_length = be16::of(static_cast<uint16_t>(extensions * 8 + payload.size()));
  header.next_header = extensions == 0 ? protocol : uint8_t{kProtoDestOptions};
  header.hop_limit = 64;
  header.src[0] = header.dst[0] = 0x20;
  Packet packet = bytes_of(header);
  for (unsigned left = extensions; left > 0; --left) {
    packet = packet + Packet{left == 1 ? protocol : uint8_t{kProtoDestOptions}, 0, 1, 4, 0, 0, 0, 0};
  }
  return packet + payload;
}

/// An Ethernet frame with a VXLAN packet, as a port receives it.
Packet outer_frame() {
  EthHeader eth{};
  eth.type = be16::of(kEtherIpv4);
  VxlanHeader vxlan{};
  vxlan.flags = VxlanHeader::kValidVni;
  return bytes_of(eth) +
         ipv4(kProtoUdp, udp(4789, bytes_of(vxlan) + bytes_of(eth) + ipv4(kProtoTcp, tcp(0))));
}

/// False if either header is refused.
bool parse_ip_and_l4(Bytes packet, Family family, L4View& l4) {
  IpView ip;
  const ParseError error = family == Family::ipv4 ? parse_ipv4(packet, ip) : parse_ipv6(packet, ip);
  return error == ParseError::none && parse_l4(packet, ip, l4) == ParseError::none;
}

void outer(benchmark::State& state) {
  const Packet bytes = outer_frame();
  Bytes frame(bytes);
  uint64_t failed = 0;
  bench::run(state, 1, [&](uint64_t) {
    benchmark::DoNotOptimize(frame);
    EthView eth;
    L4View l4;
    failed += parse_ethernet(frame, eth) != ParseError::none || eth.type != kEtherIpv4 ||
              !parse_ip_and_l4(frame.subspan(eth.offset), Family::ipv4, l4) || l4.dst_port != 4789;
  });
  if (failed != 0) state.SkipWithError("the frame is refused");
}

void inner(benchmark::State& state, Family family, const Packet& bytes, uint16_t dst_port) {
  Bytes packet(bytes);
  uint64_t failed = 0;
  bench::run(state, 1, [&](uint64_t) {
    benchmark::DoNotOptimize(packet);
    L4View l4;
    failed += !parse_ip_and_l4(packet, family, l4) || l4.dst_port != dst_port;
  });
  if (failed != 0) state.SkipWithError("the packet is refused");
}

/// What an ICMP error quotes: half of a packet.
void quoted(benchmark::State& state) {
  const Packet bytes = ipv4(kProtoTcp, tcp(0));
  Bytes quote = Bytes(bytes).first(sizeof(Ipv4Header) + 8);
  uint64_t failed = 0;
  bench::run(state, 1, [&](uint64_t) {
    benchmark::DoNotOptimize(quote);
    QuotedView view;
    failed += parse_quoted(quote, Family::ipv4, view) != ParseError::none || view.dst_port != 443;
  });
  if (failed != 0) state.SkipWithError("the quote is refused");
}

void checksum_of(benchmark::State& state) {
  const Packet bytes(static_cast<size_t>(state.range(0)), 0x5a);
  Bytes data(bytes);
  bench::run(state, 1, [&](uint64_t) {
    benchmark::DoNotOptimize(data);
    benchmark::DoNotOptimize(checksum(data));
  });
}

/// Each update waits for the one before: the time until the sum is there.
void checksum_update_of_a_word(benchmark::State& state) {
  be16 sum = be16::of(0x1234);
  bench::run(state, 1, [&](uint64_t i) {
    sum = checksum_update(sum, be16::of(static_cast<uint16_t>(i)), be16::of(static_cast<uint16_t>(i + 1)));
    benchmark::DoNotOptimize(sum);
  });
}

BENCHMARK(outer)->Name("parse/outer_vxlan")->Apply(bench::common);
#define WEIR_PARSE(name, family, packet, dst_port) \
  BENCHMARK_CAPTURE(inner, name, family, packet, dst_port)->Name("parse/inner_" #name)->Apply(bench::common)
WEIR_PARSE(ipv4_udp, Family::ipv4, ipv4(kProtoUdp, udp(53, Packet(64))), 53);
WEIR_PARSE(ipv4_tcp, Family::ipv4, ipv4(kProtoTcp, tcp(0)), 443);
WEIR_PARSE(ipv4_tcp_options, Family::ipv4, ipv4(kProtoTcp, tcp(12)), 443);
WEIR_PARSE(ipv4_options, Family::ipv4, ipv4(kProtoUdp, udp(53, Packet(64)), 8), 53);
WEIR_PARSE(ipv6_udp, Family::ipv6, ipv6(kProtoUdp, udp(53, Packet(64))), 53);
WEIR_PARSE(ipv6_tcp, Family::ipv6, ipv6(kProtoTcp, tcp(0)), 443);
WEIR_PARSE(ipv6_three_extensions, Family::ipv6, ipv6(kProtoUdp, udp(53, Packet(64)), 3), 53);
#undef WEIR_PARSE
BENCHMARK(quoted)->Name("parse/quoted_ipv4_tcp")->Apply(bench::common);
BENCHMARK(checksum_of)
    ->Name("checksum")
    ->ArgName("bytes")
    ->Arg(20)
    ->Arg(64)
    ->Arg(512)
    ->Arg(1'460)
    ->Apply(bench::common);
BENCHMARK(checksum_update_of_a_word)->Name("checksum_update")->Apply(bench::common);

}  // namespace
}  // namespace weir::net
