// The parsers and the checksum, on packets in the first-level cache: the cost that each packet pays twice,
// once for the outer and once for the inner headers.
#include <cstring>
#include <vector>

#include "bench/measure.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/parse.h"

namespace weir::net {
namespace {

/// An IP packet with a UDP header and 64 bytes of payload; IPv6 with `extensions` headers of 8 bytes between.
std::vector<uint8_t> udp_packet(Family family, unsigned extensions) {
  constexpr uint16_t kUdpLength = sizeof(UdpHeader) + 64;
  const size_t ip_size = family == Family::ipv4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header) + extensions * 8;
  std::vector<uint8_t> bytes(ip_size + kUdpLength);
  if (family == Family::ipv4) {
    Ipv4Header ip{};
    ip.version_ihl = 0x45;
    ip.total_length = be16::of(static_cast<uint16_t>(bytes.size()));
    ip.ttl = 64;
    ip.protocol = kProtoUdp;
    ip.src = be32::of(0x0a010005);
    ip.dst = be32::of(0x0a020005);
    ip.checksum = be16::raw(checksum({reinterpret_cast<const uint8_t*>(&ip), sizeof ip}));
    std::memcpy(bytes.data(), &ip, sizeof ip);
  } else {
    Ipv6Header ip{};
    ip.version_class_flow = be32::of(6u << 28);
    ip.payload_length = be16::of(static_cast<uint16_t>(bytes.size() - sizeof ip));
    ip.next_header = extensions == 0 ? kProtoUdp : kProtoDestOptions;
    ip.hop_limit = 64;
    std::memcpy(bytes.data(), &ip, sizeof ip);
    for (unsigned i = 0; i < extensions; ++i) {
      bytes[sizeof ip + i * 8] = i + 1 == extensions ? kProtoUdp : kProtoDestOptions;
    }
  }
  UdpHeader udp{};
  udp.src_port = be16::of(1000);
  udp.dst_port = be16::of(53);
  udp.length = be16::of(kUdpLength);
  std::memcpy(bytes.data() + ip_size, &udp, sizeof udp);
  return bytes;
}

void parse_packet(benchmark::State& state, Family family) {
  const std::vector<uint8_t> bytes = udp_packet(family, static_cast<unsigned>(state.range(0)));
  Bytes packet(bytes);
  uint64_t sum = 0;
  bool failed = false;
  bench::run(state, 1, [&](uint64_t) {
    benchmark::DoNotOptimize(packet);
    IpView ip;
    L4View l4;
    const ParseError error = family == Family::ipv4 ? parse_ipv4(packet, ip) : parse_ipv6(packet, ip);
    failed |= error != ParseError::none || parse_l4(packet, ip, l4) != ParseError::none;
    sum += l4.dst_port;
  });
  benchmark::DoNotOptimize(sum);
  if (failed) state.SkipWithError("the packet is refused");
}

void checksum_of(benchmark::State& state) {
  const std::vector<uint8_t> bytes(static_cast<size_t>(state.range(0)), 0x5a);
  Bytes data(bytes);
  bench::run(state, 1, [&](uint64_t) {
    benchmark::DoNotOptimize(data);
    benchmark::DoNotOptimize(checksum(data));
  });
}

void update_checksum(benchmark::State& state) {
  be16 sum = be16::of(0x1234);
  bench::run(state, 1, [&](uint64_t i) {
    sum = checksum_update(sum, be16::of(static_cast<uint16_t>(i)), be16::of(static_cast<uint16_t>(i + 1)));
    benchmark::DoNotOptimize(sum);
  });
}

BENCHMARK_CAPTURE(parse_packet, ipv4_udp, Family::ipv4)->Arg(0)->Apply(bench::common);
BENCHMARK_CAPTURE(parse_packet, ipv6_udp, Family::ipv6)
    ->ArgName("extensions")
    ->Arg(0)
    ->Arg(3)
    ->Apply(bench::common);
BENCHMARK(checksum_of)->ArgName("bytes")->Arg(20)->Arg(64)->Arg(1'480)->Apply(bench::common);
BENCHMARK(update_checksum)->Apply(bench::common);

}  // namespace
}  // namespace weir::net
