// ICMP errors about the hub's own outer packets: which are believed, what they change, when it is forgotten.
#include "mgmt/control/path_mtu.h"

#include <gtest/gtest.h>

#include "tests/support/packet_builder.h"

namespace weir::test {
namespace {

using namespace dataplane;
using control::PathMtus;
using control::read_too_big;
using control::TooBig;

constexpr const char *kHub = "198.18.0.1", *kPeer = "198.18.0.10", *kRouter = "198.18.5.5";

/// An outer packet of the hub, from its IP header on.
Bytes outer(const char* from = kHub, const char* to = kPeer, uint16_t port = 4789, uint32_t vni = 10) {
  return PacketBuilder()
      .ipv4(from, to)
      .dont_fragment()
      .udp(50'000, port)
      .no_checksum()
      .vxlan(vni)
      .filler(1'400)
      .build();
}
Bytes error(uint16_t mtu, Bytes quote = outer(), size_t quoted = 548, const char* to = kHub) {
  quote.resize(std::min(quote.size(), quoted));
  return PacketBuilder().ipv4(kRouter, to).icmp_error(3, 4, quote, mtu).build();
}
Tunnel tunnel(TunnelKind kind = TunnelKind::vxlan, const char* local = kHub, const char* remote = kPeer) {
  Tunnel t;
  t.kind = kind;
  t.id = 10;
  t.local = *net::parse_ip(local);
  t.remote = *net::parse_ip(remote);
  return t;
}
bool is_ours(const TooBig& said) { return control::is_about(said, tunnel()); }
const model::UnderlayPath kPath{*net::parse_ip(kHub), *net::parse_ip(kPeer)};

TEST(PathMtu, BelievesWhatQuotesATunnelOfOurs) {
  struct Row {
    const char* name;
    Bytes packet;
    uint16_t mtu;  // that the path has then
  };
  Bytes damaged = error(1'400);
  damaged.back() ^= 1;
  const Bytes tcp = PacketBuilder().ipv4(kHub, kPeer).tcp(1, 4789, 2).build();
  const Row rows[] = {
      {"the router's MTU", error(1'400), 1'400},
      {"quotes eight bytes of the datagram only", error(1'400, outer(), 28), 1'400},
      {"a router that does not say", error(0), 1'006},
      {"less than any router has to carry", error(68), 576},
      {"no less than the packet has", error(1'436), 1'500},
      {"another port", error(1'400, outer(kHub, kPeer, 4790)), 1'500},
      {"another VNI", error(1'400, outer(kHub, kPeer, 4789, 11)), 1'500},
      {"another peer", error(1'400, outer(kHub, "198.18.0.11")), 1'500},
      {"sent to another than it quotes", error(1'400, outer("198.18.0.2", kPeer)), 1'500},
      {"about TCP", error(1'400, tcp), 1'500},
      {"a cut quote", error(1'400, outer(), 27), 1'500},
      {"a wrong checksum", damaged, 1'500},
      {"another code", PacketBuilder().ipv4(kRouter, kHub).icmp_error(3, 1, outer(), 1'400).build(), 1'500},
      {"a fragment",
       PacketBuilder().ipv4(kRouter, kHub).fragment(0, true).icmp_error(3, 4, outer(), 1'400).build(), 1'500},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    PathMtus mtus;
    EXPECT_EQ(mtus.on_icmp(read_too_big(row.packet), is_ours, 5), row.mtu != 1'500);
    EXPECT_EQ(mtus.limit(kPath, 1'500), row.mtu);
    EXPECT_EQ(mtus.lowered(), row.mtu != 1'500 ? 1u : 0u);
    EXPECT_EQ(mtus.refused(), row.mtu == 1'500 ? 1u : 0u);
  }
}

TEST(PathMtu, KnowsEveryKindOfTunnel) {
  const char *hub6 = "2001:db8::1", *peer6 = "2001:db8::10";
  const auto quote = [&](uint8_t protocol, const Bytes& payload, bool six = false) {
    PacketBuilder b;
    six ? b.ipv6(hub6, peer6) : b.ipv4(kHub, kPeer);
    return b.type(protocol).payload(payload).filler(1'400).build();
  };
  const auto error6 = [&](uint16_t mtu, Bytes quoted) {
    quoted.resize(1'200);
    return PacketBuilder().ipv6("2001:db8:5::5", hub6).icmp_error(2, 0, quoted, mtu).build();
  };
  Tunnel gre = tunnel(TunnelKind::gre), keyed = gre, ipip = tunnel(TunnelKind::ipip);
  keyed.keyed = true;
  Tunnel geneve6 = tunnel(TunnelKind::geneve, hub6, peer6);
  geneve6.udp_port = 6081;
  const Bytes udp6 = {0xc0, 0, 23, 193, 0, 0, 0, 0, 0, 0, 0x65, 0x58, 0, 0, 10, 0};
  struct Row {
    const char* name;
    Bytes packet;
    Tunnel tunnel;
    bool about;
  };
  const Row rows[] = {
      {"GRE", error(1'400, quote(47, {0, 0, 8, 0})), gre, true},
      {"GRE with a key", error(1'400, quote(47, {0x20, 0, 8, 0, 0, 0, 0, 10})), keyed, true},
      {"GRE with another key", error(1'400, quote(47, {0x20, 0, 8, 0, 0, 0, 0, 11})), keyed, false},
      {"GRE with a key for one that has none", error(1'400, quote(47, {0x20, 0, 8, 0, 0, 0, 0, 10})), gre,
       false},
      {"IP in IP", error(1'400, quote(4, {})), ipip, true},
      {"6in4", error(1'400, quote(41, {})), ipip, true},
      {"GRE for IP in IP", error(1'400, quote(47, {0, 0, 8, 0})), ipip, false},
      {"GENEVE over IPv6", error6(1'400, quote(17, udp6, true)), geneve6, true},
      {"a native attachment", error(1'400), tunnel(TunnelKind::native), false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto said = read_too_big(row.packet);
    ASSERT_TRUE(said);
    EXPECT_EQ(said->mtu, 1'400);
    EXPECT_EQ(control::is_about(*said, row.tunnel), row.about);
  }
  PathMtus mtus;
  EXPECT_TRUE(mtus.on_icmp(
      read_too_big(error6(600, quote(17, udp6, true))),
      [&](const TooBig& said) { return control::is_about(said, geneve6); }, 5));
  EXPECT_EQ(mtus.limit({geneve6.local, geneve6.remote}, 1'500), 1'280);
}

TEST(PathMtu, TruncationAnywhereIsHarmless) {
  const Bytes whole = error(1'400);
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(read_too_big(std::span(whole).first(size))) << size;
  }
}

TEST(PathMtu, IsForgottenTenMinutesAfterItWasLastSaid) {
  PathMtus mtus;
  EXPECT_TRUE(mtus.on_icmp(read_too_big(error(1'400)), is_ours, 0));
  EXPECT_FALSE(mtus.on_icmp(read_too_big(error(1'420)), is_ours, 1)) << "never up by a message";
  EXPECT_FALSE(mtus.on_icmp(read_too_big(error(1'400)), is_ours, 300 * kNanosPerSecond)) << "confirmed";
  EXPECT_TRUE(mtus.on_icmp(read_too_big(error(1'300)), is_ours, 301 * kNanosPerSecond));
  EXPECT_FALSE(mtus.tick(900 * kNanosPerSecond));
  EXPECT_EQ(mtus.limit(kPath, 1'500), 1'300);
  EXPECT_EQ(mtus.limit(kPath, 1'280), 1'280) << "the link's own is smaller";
  EXPECT_TRUE(mtus.tick(901 * kNanosPerSecond));
  EXPECT_EQ(mtus.limit(kPath, 1'500), 1'500);
}

TEST(PathMtu, AFloodIsNotRead) {
  PathMtus mtus;
  const Bytes foreign = error(1'400, outer(kHub, kPeer, 53));
  for (uint32_t i = 0; i < PathMtus::kPerSecond; ++i)
    mtus.on_icmp(read_too_big(foreign), is_ours, kNanosPerSecond);
  EXPECT_FALSE(mtus.on_icmp(read_too_big(error(1'400)), is_ours, kNanosPerSecond));
  EXPECT_TRUE(mtus.on_icmp(read_too_big(error(1'400)), is_ours, 2 * kNanosPerSecond));
}

}  // namespace
}  // namespace weir::test
