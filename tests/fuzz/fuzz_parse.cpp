// Any bytes as a frame: what a parser accepts lies inside them, and saying it twice says the same.
#include <cstdlib>
#include <cstring>

#include "dataplane/net/parse.h"

using namespace weir::net;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void parse_ip_packet(Bytes packet, Family family) {
  IpView ip;
  const ParseError error = family == Family::ipv4 ? parse_ipv4(packet, ip) : parse_ipv6(packet, ip);
  if (error != ParseError::none) return;
  require(ip.family == family && ip.length <= packet.size() && ip.l4_offset <= ip.length);
  require(ip.fragment || ip.first_fragment);
  // What lies behind the packet has no say.
  IpView alone;
  const Bytes exact = packet.first(ip.length);
  require((family == Family::ipv4 ? parse_ipv4(exact, alone) : parse_ipv6(exact, alone)) == ParseError::none);
  require(alone.l4_offset == ip.l4_offset && alone.protocol == ip.protocol);
  if (!ip.first_fragment) return;
  L4View l4;
  if (parse_l4(packet, ip, l4) != ParseError::none) return;
  require(l4.payload_offset >= ip.l4_offset && l4.payload_offset <= ip.length);
  require((l4.icmp != IcmpKind::none) ==
          (ip.protocol == (family == Family::ipv4 ? kProtoIcmp : kProtoIcmpv6)));
  if (l4.icmp != IcmpKind::none)
    require(l4.src_port == l4.dst_port && (l4.src_port == 0 || has_icmp_identifier(family, l4.icmp_type)));
}

void parse_quote(Bytes quote, Family family) {
  QuotedView view;
  if (parse_quoted(quote, family, view) != ParseError::none) return;
  require(view.ip.l4_offset <= quote.size() && view.ip.first_fragment);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes(data, size);
  EthView eth;
  Bytes packet = bytes;
  if (parse_ethernet(bytes, eth) == ParseError::none) {
    require(eth.offset <= size);
    packet = bytes.subspan(eth.offset);
  }
  for (const Bytes from : {bytes, packet}) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      parse_ip_packet(from, family);
      parse_quote(from, family);
    }
  }
  return 0;
}
