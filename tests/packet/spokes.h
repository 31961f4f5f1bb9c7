// The network of most packet tests, and the frames that its spokes send and get.
//
// Domains red (spokes a, d) and blue (spoke b) are connected; green (spoke c) is not. Policy: red may reach
// blue but not by TCP port 23; blue may reach red only by UDP port 7; no rule for anything else.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/support/packet_builder.h"
#include "tests/support/snapshot_builder.h"

namespace weir::test {

inline constexpr net::Mac kPortMac{{2, 0, 0, 0, 0, 1}};
inline constexpr const char* kHubAddress = "198.18.0.1";

/// One spoke, with one host in it.
struct Spoke {
  const char* name;
  const char* domain;
  uint32_t vni;
  const char* tunnel_end;  // its underlay address
  net::Mac tunnel_mac;
  const char* gateway4;
  const char* gateway6;
  const char* host4;
  const char* host6;
  net::Mac host_mac;
  net::Mac hub_mac;       // inside
  net::Mac underlay_mac;  // where the hub sends outer frames to it
};

extern const Spoke kA, kB, kC, kD;

enum class Ip : uint8_t { v4, v6 };
inline const char* host_of(const Spoke& s, Ip ip) { return ip == Ip::v4 ? s.host4 : s.host6; }
inline const char* gateway_of(const Spoke& s, Ip ip) { return ip == Ip::v4 ? s.gateway4 : s.gateway6; }

/// Adds what comes after the IP header.
using Transport = std::function<void(PacketBuilder&)>;
Transport udp(uint16_t src_port = 1000, uint16_t dst_port = 2000, std::string payload = "hello");
Transport tcp(uint8_t flags, uint32_t seq = 100, uint32_t ack = 0, std::string payload = "",
              uint16_t src_port = 1000, uint16_t dst_port = 80);
Transport echo(uint16_t id = 77, uint16_t seq = 1, bool reply = false);

inline constexpr uint8_t kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16;

/// Domains, spokes, connection, rules; the hosts' MACs are known unless `hosts` is false.
SnapshotBuilder network(bool hosts = true, uint16_t workers = 1);
/// The same without any rule.
SnapshotBuilder network_without_rules(bool hosts = true, uint16_t workers = 1);
/// Makes the MAC of `spoke`'s host, both families, known.
void know_host(SnapshotBuilder& builder, const Spoke& spoke);

/// An inner frame between any two MACs and addresses.
Bytes frame_of(net::Mac dst, net::Mac src, std::string_view from, std::string_view to,
               const Transport& transport, uint8_t ttl);
/// The inner frame: `from`'s host sends to `to`'s by way of the hub.
Bytes inner(const Spoke& from, const Spoke& to, const Transport& transport, Ip ip = Ip::v4, uint8_t ttl = 64);
/// The inner frame that `to`'s host gets of it.
Bytes inner_forwarded(const Spoke& from, const Spoke& to, const Transport& transport, Ip ip = Ip::v4,
                      uint8_t ttl = 63);
/// Wrapped as `from`'s tunnel endpoint sends it to the hub.
Bytes tunnelled(const Spoke& from, const Bytes& inner_frame);
/// Wrapped as the hub has to send it to `to`. The hub chooses the UDP source port; it is taken from `got`,
/// and 0 (which no test expects) if it is not in RFC 7348's range.
Bytes hub_tunnelled(const Spoke& to, const Bytes& inner_frame, const Bytes& got);

/// tunnelled(inner(...)).
Bytes from_spoke(const Spoke& from, const Spoke& to, const Transport& transport, Ip ip = Ip::v4,
                 uint8_t ttl = 64);
/// `got` is, byte by byte, what `to` has to get of that. Adds a test failure otherwise.
void expect_forwarded(const std::vector<Bytes>& got, const Spoke& from, const Spoke& to,
                      const Transport& transport, Ip ip = Ip::v4);
/// The same for any inner frame.
void expect_sent(const std::vector<Bytes>& got, const Spoke& to, const Bytes& inner_frame);

/// The outer UDP source port of a frame from the hub.
uint16_t outer_source_port(const Bytes& frame);
/// The inner frame of a frame from the hub.
Bytes inner_of(const Bytes& frame);
/// The VNI of a frame from the hub.
uint32_t vni_of(const Bytes& frame);

}  // namespace weir::test
