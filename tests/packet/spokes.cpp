#include "tests/packet/spokes.h"

#include <gtest/gtest.h>

#include "dataplane/tunnel/attachment.h"

namespace weir::test {

using namespace dataplane;

namespace {

/// Ethernet, IPv4, UDP, VXLAN.
constexpr size_t kVxlanHeaders = 14 + 20 + 8 + 8;

constexpr net::Mac numbered(uint8_t kind, uint8_t number) { return {{2, kind, 0, 0, 0, number}}; }

}  // namespace

// The hub's MACs are those that SnapshotBuilder numbers.
const Spoke kA = {"a",
                  "red",
                  10,
                  "198.18.0.10",
                  numbered(0xee, 0),
                  "10.1.0.1",
                  "2001:db8:1::1",
                  "10.1.0.5",
                  "2001:db8:1::5",
                  numbered(0x0a, 5),
                  numbered(0x57, 0),
                  numbered(0xaa, 0)};
const Spoke kB = {"b",
                  "blue",
                  20,
                  "198.18.0.20",
                  numbered(0xee, 1),
                  "10.2.0.1",
                  "2001:db8:2::1",
                  "10.2.0.5",
                  "2001:db8:2::5",
                  numbered(0x0b, 5),
                  numbered(0x57, 1),
                  numbered(0xaa, 1)};
const Spoke kC = {"c",
                  "green",
                  30,
                  "198.18.0.30",
                  numbered(0xee, 2),
                  "10.3.0.1",
                  "2001:db8:3::1",
                  "10.3.0.5",
                  "2001:db8:3::5",
                  numbered(0x0c, 5),
                  numbered(0x57, 2),
                  numbered(0xaa, 2)};
const Spoke kD = {"d",
                  "red",
                  40,
                  "198.18.0.40",
                  numbered(0xee, 3),
                  "10.4.0.1",
                  "2001:db8:4::1",
                  "10.4.0.5",
                  "2001:db8:4::5",
                  numbered(0x0d, 5),
                  numbered(0x57, 3),
                  numbered(0xaa, 3)};

Transport udp(uint16_t src_port, uint16_t dst_port, std::string payload) {
  return [=](PacketBuilder& b) { b.udp(src_port, dst_port).payload(payload); };
}

Transport tcp(uint8_t flags, uint32_t seq, uint32_t ack, std::string payload, uint16_t src_port,
              uint16_t dst_port) {
  const uint32_t acknowledged = (flags & kAck) != 0 ? ack : 0;  // as every stack does
  return [=](PacketBuilder& b) { b.tcp(src_port, dst_port, flags, seq, acknowledged).payload(payload); };
}

Transport echo(uint16_t id, uint16_t seq, bool reply) {
  return [=](PacketBuilder& b) { b.icmp_echo(id, seq, reply).payload("abcdefgh"); };
}

void know_host(SnapshotBuilder& builder, const Spoke& spoke) {
  for (const char* address : {spoke.host4, spoke.host6}) {
    const auto id =
        builder.adjacencies().set(builder.attachment_id(spoke.name), *net::parse_ip(address), spoke.host_mac);
    if (!id) throw std::runtime_error(id.error().message);
  }
}

SnapshotBuilder network_without_rules(bool hosts, uint16_t workers) {
  SnapshotBuilder b;
  b.workers(workers).domain("red").domain("blue").domain("green");
  for (const Spoke* s : {&kA, &kB, &kC, &kD}) {
    const std::string gateways = std::string(s->gateway4) + "/24," + s->gateway6 + "/64";
    b.attachment(s->name, s->domain, s->vni, s->tunnel_end, gateways);
    if (hosts) know_host(b, *s);
  }
  b.connection("red", "blue");
  return b;
}

SnapshotBuilder network(bool hosts, uint16_t workers) {
  SnapshotBuilder b = network_without_rules(hosts, workers);
  b.rule({.id = "no-telnet",
          .action = PolicyAction::deny,
          .from = {"red"},
          .to = {"blue"},
          .protocol = 6,
          .ports = {{23, 23}}});
  b.rule({.id = "red-to-blue", .action = PolicyAction::allow, .from = {"red"}, .to = {"blue"}});
  b.rule({.id = "blue-to-red",
          .action = PolicyAction::allow,
          .from = {"blue"},
          .to = {"red"},
          .protocol = 17,
          .ports = {{7, 7}}});
  return b;
}

Bytes frame_of(net::Mac dst, net::Mac src, std::string_view from, std::string_view to,
               const Transport& transport, uint8_t ttl) {
  PacketBuilder b;
  b.ether(dst, src).ip(from, to).ttl(ttl);
  transport(b);
  return b.build();
}

Bytes inner(const Spoke& from, const Spoke& to, const Transport& transport, Ip ip, uint8_t ttl) {
  return frame_of(from.hub_mac, from.host_mac, host_of(from, ip), host_of(to, ip), transport, ttl);
}

Bytes inner_forwarded(const Spoke& from, const Spoke& to, const Transport& transport, Ip ip, uint8_t ttl) {
  return frame_of(to.host_mac, to.hub_mac, host_of(from, ip), host_of(to, ip), transport, ttl);
}

Bytes tunnelled(const Spoke& from, const Bytes& inner_frame) {
  return PacketBuilder()
      .ether(kPortMac, from.tunnel_mac)
      .ipv4(from.tunnel_end, kHubAddress)
      .udp(50'000, 4789)
      .no_checksum()
      .vxlan(from.vni)
      .frame(inner_frame)
      .build();
}

Bytes hub_tunnelled(const Spoke& to, const Bytes& inner_frame, const Bytes& got) {
  const uint16_t port = outer_source_port(got);
  return PacketBuilder()
      .ether(to.underlay_mac, kPortMac)
      .ipv4(kHubAddress, to.tunnel_end)
      .dont_fragment()
      .udp(port >= 49'152 ? port : 0, 4789)
      .no_checksum()
      .vxlan(to.vni)
      .frame(inner_frame)
      .build();
}

Bytes from_spoke(const Spoke& from, const Spoke& to, const Transport& transport, Ip ip, uint8_t ttl) {
  return tunnelled(from, inner(from, to, transport, ip, ttl));
}

void expect_sent(const std::vector<Bytes>& got, const Spoke& to, const Bytes& inner_frame) {
  ASSERT_EQ(got.size(), 1u) << "frames for " << to.name;
  EXPECT_EQ(got[0], hub_tunnelled(to, inner_frame, got[0])) << "to " << to.name;
}

void expect_forwarded(const std::vector<Bytes>& got, const Spoke& from, const Spoke& to,
                      const Transport& transport, Ip ip) {
  expect_sent(got, to, inner_forwarded(from, to, transport, ip));
}

uint16_t outer_source_port(const Bytes& frame) {
  return frame.size() < kVxlanHeaders ? uint16_t{0} : static_cast<uint16_t>(frame[34] << 8 | frame[35]);
}

Bytes inner_of(const Bytes& frame) {
  return frame.size() < kVxlanHeaders ? Bytes{} : Bytes(frame.begin() + kVxlanHeaders, frame.end());
}

uint32_t vni_of(const Bytes& frame) {
  if (frame.size() < kVxlanHeaders) return 0;
  return static_cast<uint32_t>(frame[46]) << 16 | static_cast<uint32_t>(frame[47]) << 8 | frame[48];
}

}  // namespace weir::test
