// Keywords of packets and sessions, and of what becomes of a match.
#include <gtest/gtest.h>

#include "tests/unit/inspection/engine/keyword_outcomes.h"

namespace weir::inspection::test {
namespace {

Frames vlans() {
  return {PacketBuilder()
              .ether({}, {})
              .vlan(5, 0x88a8)
              .vlan(6)
              .ipv4("10.0.0.1", "10.0.0.2")
              .udp(1, 2)
              .payload("abc")
              .build()};
}
Frames fragment() { return {from_client().fragment(8, true).payload("abcdefgh").build()}; }
Frames with_option() { return {from_client().options({0x94, 4, 0, 0}).udp(1, 2).payload("abc").build()}; }
Frames too_big() {
  const auto quoted = PacketBuilder().ipv6("2001:db8::2", "2001:db8::1").udp(1, 2).payload("x").build();
  return {PacketBuilder()
              .ether({}, {})
              .ipv6("2001:db8::1", "2001:db8::2")
              .icmp_error(2, 0, quoted, 1300)
              .build()};
}
Frames to_itself() {
  return {PacketBuilder().ether({}, {}).ipv4("10.0.0.1", "10.0.0.1").udp(1, 2).payload("abc").build()};
}
Frames spoilt(PacketBuilder packet) { return {packet.bad_checksum().build()}; }
PacketBuilder six_to() { return PacketBuilder().ether({}, {}).ipv6("2001:db8::1", "2001:db8::2"); }

}  // namespace

std::vector<KeywordRow> packet_rows() {
  const Frames abc = datagram("abc"), three = datagrams({"one", "two", "three"});
  return {
      // packets
      {"dsize", abc, kUdp, "dsize:3;", "dsize:4;"},
      {"ttl", {from_client().ttl(9).udp(1, 2).build()}, kUdp, "ttl:9;", "ttl:8;"},
      {"tos", {from_client().traffic_class(0x28).udp(1, 2).build()}, kUdp, "tos:40;", "tos:41;"},
      {"id", {from_client().ip_id(77).udp(1, 2).build()}, kUdp, "id:77;", "id:78;"},
      {"ip_proto", abc, kIp, "ip_proto:17;", "ip_proto:6;"},
      {"fragbits", fragment(), kIp, "fragbits:M;", "fragbits:D;"},
      {"fragoffset", fragment(), kIp, "fragoffset:1;", "fragoffset:2;"},
      {"ipopts", with_option(), kIp, "ipopts:rtralt;", "ipopts:lsrr;"},
      {"sameip", to_itself(), kUdp, "sameip;", "sameip;", 1, 0, "", nullptr, abc},
      {"ipv4-csum", spoilt(from_client()), kIp, "ipv4-csum:invalid;", "ipv4-csum:valid;"},
      {"tcpv4-csum", spoilt(from_client().tcp(1, 2, 2)), kTcp, "tcpv4-csum:invalid;", "tcpv4-csum:valid;"},
      {"tcpv6-csum", spoilt(six_to().tcp(1, 2, 2)), kTcp, "tcpv6-csum:invalid;", "tcpv6-csum:valid;"},
      {"udpv4-csum", spoilt(from_client().udp(1, 2)), kUdp, "udpv4-csum:invalid;", "udpv4-csum:valid;"},
      {"udpv6-csum", spoilt(six_to().udp(1, 2)), kUdp, "udpv6-csum:invalid;", "udpv6-csum:valid;"},
      {"icmpv4-csum", spoilt(from_client().icmp_echo(1, 2)), kIcmp, "icmpv4-csum:invalid;",
       "icmpv4-csum:valid;"},
      {"icmpv6-csum", spoilt(six_to().icmp_echo(1, 2)), kIcmp, "icmpv6-csum:invalid;", "icmpv6-csum:valid;"},
      {"seq", web(), kTcp, "seq:999;", "seq:998;"},
      {"tcp.seq", web(), kTcp, "tcp.seq:999;", "tcp.seq:998;"},
      {"ack", web(), kTcp, "flags:SA; ack:1000;", "flags:SA; ack:1001;"},
      {"tcp.ack", web(), kTcp, "flags:SA; tcp.ack:1000;", "flags:SA; tcp.ack:1001;"},
      {"window", web(), kTcp, "flags:S; window:29000;", "flags:S; window:29001;"},
      {"tcp.window", web(), kTcp, "flags:S; tcp.window:29000;", "flags:S; tcp.window:29001;"},
      {"tcp.mss", web(), kTcp, "flags:S; tcp.mss:1460;", "flags:S; tcp.mss:1461;"},
      {"tcp.wscale", web(), kTcp, "flags:S; tcp.wscale:7;", "flags:S; tcp.wscale:8;"},
      {"flags", web(), kTcp, "flags:S;", "flags:R;"},
      {"tcp.flags", web(), kTcp, "tcp.flags:SA;", "tcp.flags:SF;"},
      {"itype", ping(), kIcmp, "itype:8;", "itype:0;"},
      {"icode", ping(), kIcmp, "icode:0;", "icode:1;"},
      {"icmp_id", ping(), kIcmp, "icmp_id:7;", "icmp_id:8;"},
      {"icmp_seq", ping(), kIcmp, "icmp_seq:9;", "icmp_seq:8;"},
      {"icmpv6.mtu", too_big(), kIcmp, "icmpv6.mtu:1300;", "icmpv6.mtu:1301;"},
      {"vlan.id", vlans(), kUdp, "vlan.id:6;", "vlan.id:7;"},
      {"vlan.layers", vlans(), kUdp, "vlan.layers:2;", "vlan.layers:1;"},
      // sessions
      {"flow", web(), kTcp, R"(flow:to_server; content:"q=One";)", R"(flow:to_client; content:"q=One";)"},
      {"flow.age", three, kUdp, "flow.age:2;", "flow.age:3;"},
      {"flow.bytes", three, kUdp, "flow.bytes:either,=90;", "flow.bytes:either,=91;"},
      {"flow.bytes_toserver", three, kUdp, "flow.bytes_toserver:45;", "flow.bytes_toserver:46;"},
      {"flow.bytes_toclient", names(), kUdp, "flow.bytes_toclient:>0;", "flow.bytes_toclient:>9000;"},
      {"flow.pkts", three, kUdp, "flow.pkts:either,=3;", "flow.pkts:either,=4;"},
      {"flow.pkts_toserver", three, kUdp, "flow.pkts_toserver:3;", "flow.pkts_toserver:4;"},
      {"flow.pkts_toclient", names(), kUdp, "flow.pkts_toclient:1;", "flow.pkts_toclient:2;"},
      {"stream_size", web(), kTcp, "flags:FA; flow:to_server; stream_size:client,>,100;",
       "flags:FA; flow:to_server; stream_size:client,>,9000;"},
      {"flowbits", three, kUdp, R"(content:"two"; flowbits:isset,a;)", R"(content:"two"; flowbits:isset,b;)",
       1, 0, "alert udp any any -> any any (content:\"one\"; flowbits:set,a; noalert; sid:2;)\n"},
      {"flowint", three, kUdp, R"(content:"two"; flowint:a,==,1;)", R"(content:"two"; flowint:a,==,2;)", 1, 0,
       "alert udp any any -> any any (content:\"one\"; flowint:a,+,1; noalert; sid:2;)\n"},
      {"xbits", three, kUdp, R"(content:"two"; xbits:isset,a,track ip_src;)",
       R"(content:"two"; xbits:isset,a,track ip_dst;)", 1, 0,
       "alert udp any any -> any any (content:\"one\"; xbits:set,a,track ip_src; noalert; sid:2;)\n"},
      {"hostbits", three, kUdp, R"(content:"two"; hostbits:isset,a,src;)",
       R"(content:"two"; hostbits:isset,a,dst;)", 1, 0,
       "alert udp any any -> any any (content:\"one\"; hostbits:set,a,src; noalert; sid:2;)\n"},
      // what becomes of a match
      {"noalert", abc, kUdp, R"(content:"abc"; noalert;)", R"(content:"abc";)", 0, 1},
      {"alert", abc, "pass udp any any -> any any", R"(content:"abc"; alert;)", R"(content:"abc";)"},
      {"bypass", three, kUdp, R"(content:"two";)", R"(content:"two";)", 0, 1,
       "alert udp any any -> any any (content:\"one\"; bypass; noalert; sid:2;)\n",
       "alert udp any any -> any any (content:\"one\"; noalert; sid:2;)\n"},
      {"threshold", three, kUdp, "dsize:>0; threshold:type limit, track by_src, seconds 60, count 2;",
       "dsize:>0; threshold:type limit, track by_src, seconds 60, count 1;", 2, 1},
      {"detection_filter", three, kUdp, "dsize:>0; detection_filter:track by_src, count 2, seconds 60;",
       "dsize:>0; detection_filter:track by_src, count 3, seconds 60;"},
      {"requires", abc, kUdp, "requires:version >= 6;", "requires:version >= 99;"},
  };
}

TEST(KeywordOutcomes, EachOfPacketsAndSessionsMatters) { expect_to_matter(packet_rows()); }

}  // namespace weir::inspection::test
