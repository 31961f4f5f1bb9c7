// The packets of this test as bytes: written and read by offsets of its own, so that the hub does not judge
// itself.
//
// One shape only: Ethernet, IPv4, UDP, VXLAN, Ethernet, IPv4 or IPv6, TCP or UDP, and a Stamp in front of the
// payload (of a SYN: in an option) that says whose packet it is and the how-manieth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/net/address.h"

namespace weir::hitless {

/// The far end of an attachment: whom the underlay carries its packets to, and the next hop inside.
struct Spoke {
  uint32_t peer = 0;  // IPv4
  uint32_t vni = 0;
  net::Mac host;  // next hop inside
  net::Mac hub;   // the hub's MAC inside
};

/// What is on the wire between the far ends: the hub's port and the router that leads to all peers.
struct Link {
  net::Mac hub, router;
  uint32_t address = 0;  // the hub's, IPv4
};

/// One direction of a session. An IPv6 address is fd00::/96 with the IPv4 address behind it.
struct Flow {
  bool v6 = false;
  uint8_t protocol = 0;  // 6 or 17
  uint32_t src = 0, dst = 0;
  uint16_t src_port = 0, dst_port = 0;

  Flow reversed() const { return {v6, protocol, dst, src, dst_port, src_port}; }
  friend bool operator==(const Flow&, const Flow&) = default;
};

/// Whole datagrams, or the two fragments of one (UDP over IPv4 only), each with a stamp of its own.
enum class Part : uint8_t { whole, first, second };

struct Stamp {
  uint32_t session = 0;
  uint32_t sequence = 0;  // of this session and direction, from 0
  uint8_t direction = 0;  // 0: as the session was started
};
inline constexpr size_t kStampBytes = 16;

struct Tcp {
  uint8_t flags = 0;
  uint32_t sequence = 0, acknowledged = 0;
};

struct Packet {
  Flow flow;
  Part part = Part::whole;
  Stamp stamp;
  Tcp tcp;
  uint16_t payload = kStampBytes;  // bytes, the stamp included; the rest is zeroes. 16 in fragments
  uint8_t hops = 64;               // TTL or hop limit
};

inline constexpr size_t kMaxFrame = 1'500;

/// Writes the frame in which `spoke` sends `packet` to the hub; returns its length.
size_t write_frame(uint8_t* out, const Link& link, const Spoke& spoke, const Packet& packet);

/// A host of `spoke` that says it is `sender` asks for `target`, by broadcast.
size_t write_arp_request(uint8_t* out, const Link& link, const Spoke& spoke, uint32_t sender,
                         uint32_t target);
/// An Ethernet header that promises IPv4, and so many bytes of nothing.
size_t write_tiny(uint8_t* out, const Link& link, const Spoke& spoke, size_t bytes);

enum class Kind : uint8_t {
  data,       // stamped
  outer_arp,  // the hub asks for `target` in the underlay
  inner_arp,  // ... inside a tunnel
  inner_nd,   // the same by IPv6, for `target6`
  strange     // none of these, or broken: `why`
};

/// What a frame that the hub sent says.
struct Seen {
  Kind kind = Kind::strange;
  const char* why = "";
  uint32_t peer = 0, vni = 0;
  net::Mac inner_src, inner_dst;
  uint8_t hops = 0;  // TTL or hop limit
  Flow flow;         // ports are 0 in a second fragment
  Part part = Part::whole;
  Stamp stamp;
  uint32_t sender = 0, target = 0;  // of ARP
  std::span<const uint8_t> sender6, target6;
};

/// Reads and checks a frame from the hub: lengths, versions, both IPv4 checksums, the TCP or UDP checksum.
Seen read_frame(std::span<const uint8_t> frame, const Link& link);

// The answers of routers and hosts, each to what was seen; returns the length.
size_t answer_outer_arp(uint8_t* out, const Link& link, const Seen& question);
size_t answer_inner_arp(uint8_t* out, const Link& link, const Spoke& spoke, const Seen& question);
size_t answer_inner_nd(uint8_t* out, const Link& link, const Spoke& spoke, const Seen& question);

}  // namespace weir::hitless
