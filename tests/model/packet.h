// Packets as the model sees them: plain fields, written to bytes and read back by code of its own.
//
// Nothing here knows dataplane/: a fault there must not be a fault here as well.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::model {

using Bytes = std::vector<uint8_t>;

struct Address {
  bool v6 = false;
  uint64_t hi = 0, lo = 0;  // IPv4: the lower 32 bits of `lo`
  friend auto operator<=>(const Address&, const Address&) = default;
};
Address v4(unsigned a, unsigned b, unsigned c, unsigned d);
Address v6(uint64_t hi, uint64_t lo);
std::string to_string(const Address& address);

struct Prefix {
  Address address;  // no bits beyond `length`
  unsigned length = 0;
  bool contains(const Address& a) const;
  friend auto operator<=>(const Prefix&, const Prefix&) = default;
};
std::string to_string(const Prefix& prefix);
/// The address that stands in `to` where `a` stands in `from`; both are equally long.
Address moved(const Address& a, const Prefix& from, const Prefix& to);
/// The same such that no checksum changes (RFC 6296), of /64 at most. Nothing: there is none.
std::optional<Address> moved_neutrally(const Address& a, const Prefix& from, const Prefix& to);

/// The address of IPv6 that stands for one of IPv4 in `prefix` (RFC 6052), and what an address of it stands
/// for; nothing: its bits 64 to 71 are not zero.
Address embedded(const Prefix& prefix, const Address& inside);
std::optional<Address> extracted(const Prefix& prefix, const Address& a);

constexpr uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpv6 = 58;
constexpr uint8_t kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16, kUrg = 32;

/// What inspection drops a session for.
constexpr std::string_view kMark = "a mark";
/// The byte of any TCP stream that has this sequence number: the same whenever it is sent. Some 64 bytes of
/// every 4,000 begin with the mark.
uint8_t stream_byte(uint32_t number);
/// Of the mark that this byte belongs to: where it begins.
std::optional<uint32_t> mark_at(uint32_t number);

/// One IP packet, whole. Fields that its protocol has not are zero.
struct Packet {
  Address src, dst;
  uint8_t protocol = kUdp;
  uint8_t ttl = 64;
  uint16_t tag = 0;  // IPv4 identification, IPv6 flow label: unchanged by the hub, but for NAT64
  uint8_t tos = 0;   // DSCP and, in the lower two bits, ECN
  uint16_t src_port = 0, dst_port = 0;  // TCP, UDP
  uint32_t seq = 0, ack = 0;            // TCP, and what follows
  uint8_t flags = 0;
  uint16_t window = 0;
  std::optional<uint8_t> scale;
  uint8_t type = 0, code = 0;     // ICMP
  uint16_t id = 0, sequence = 0;  // ICMP echo
  std::vector<Packet> quoted;     // ICMP errors: one packet, of which
  size_t quote_size = 0;          //   so many bytes are there
  Bytes payload;                  // behind all that; not of ICMP errors
  friend bool operator==(const Packet&, const Packet&) = default;

  bool is_icmp() const { return protocol == kIcmp || protocol == kIcmpv6; }
  bool is_echo_request() const { return is_icmp() && type == (src.v6 ? 128 : 8); }
  /// ICMP queries, and what answers them: echo, and what else RFC 792, 950, 4443 and 4620 have.
  bool is_query() const;
  bool is_reply() const;
  /// It has an identifier: those, but node information.
  bool has_id() const { return (is_query() || is_reply()) && !(src.v6 && type >= 139); }
  bool is_icmp_error() const { return !quoted.empty(); }
};
std::string to_string(const Packet& packet);
/// The echo message of ICMP that an ICMPv6 one becomes by NAT64, and the other way round; nothing: it is
/// none.
std::optional<uint8_t> echo_of_other_family(uint8_t type, bool v6);
/// The ICMP type that answers `query`.
uint8_t reply_to(uint8_t query, bool v6);

/// A piece of one; `data` are bytes behind the IP header (of IPv6: behind the fragment header).
struct Fragment {
  Address src, dst;
  uint8_t protocol = 0;
  uint8_t ttl = 64;
  uint8_t tos = 0;
  uint16_t tag = 0;  // IPv4: the low half of `id`, which names the datagram
  uint32_t id = 0;
  size_t offset = 0;
  bool more = false;
  Bytes data;
  friend bool operator==(const Fragment&, const Fragment&) = default;
};
std::string to_string(const Fragment& fragment);

Bytes write(const Packet& packet);
Bytes write(const Fragment& fragment);
/// What lies behind the IP header, checksum and all.
Bytes write_transport(const Packet& packet);
/// The piece of `packet` that has these bytes of its transport.
Fragment piece_of(const Packet& packet, uint32_t id, size_t offset, size_t size);

/// What was read. `wrong` is empty unless something of it is: a checksum, a length.
struct Read {
  std::string wrong;
  std::optional<Packet> packet;  // ICMP errors: `quoted` is not read, `payload` has the quote
  std::optional<Fragment> fragment;
};
Read read(const Bytes& ip);

}  // namespace weir::model
