// A packet on its way through a worker: an mbuf, and what the stages have found out about it.
//
// The findings lie in the mbuf's private area and travel with it to another worker or to control and back; so
// they name things by id, never by pointer.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/core/ids.h"
#include "dataplane/core/tuple.h"
#include "dataplane/net/parse.h"
#include "dataplane/net/tunnel_headers.h"
#include "dataplane/session/session.h"
#include "dataplane/tunnel/tunnel_table.h"

namespace weir::dataplane {

/// Where a packet that comes over a ring goes on.
enum class Entry : uint8_t { session_lookup, encap, tx, outer, gather };

/// What a packet is counted as when a port takes it.
enum class Origin : uint8_t { transit, answer, generated };

struct alignas(64) PacketMeta {
  /// Leaves key and `wait_for` as they are: who gives them a meaning fills them.
  explicit PacketMeta(PortIndex rx_port = 0) : port(rx_port) {}  // NOLINT(*-member-init)

  /// What it is looked up by: the inner packet's tuple in the domain of its ingress; ICMP errors: the quoted
  /// packet's, reversed.
  union {
    Key4 key4;
    Key6 key6;  // family: ipv6
  };
  uint32_t hash = 0;  // of that key
  SessionIndex session = kNoSession;
  AttachmentId ingress;
  uint16_t ip_offset = 0;  // from the start of the data; of what is for the hub itself outer IP, else inner
  uint16_t payload_offset = 0;  // from the IP header
  uint16_t ip_length = 0;
  net::Family family = net::Family::ipv4;
  Direction direction = Direction::forward;
  uint8_t ttl = 0;
  uint8_t tcp_flags = 0;
  net::IcmpKind icmp = net::IcmpKind::none;
  // --- second line: the beginning, the end, and what is seldom needed between ---
  net::IpAddress wait_for;  // punted to be resolved: the next hop inside `egress`
  AttachmentId egress;
  AdjacencyId adjacency;   // next hop inside the egress attachment
  PortIndex port;          // rx; from encap on: tx
  uint16_t l4_offset = 0;  // from the IP header
  uint16_t punt_mtu = 0;
  uint8_t punt_reason = 0;
  Entry entry = Entry::session_lookup;
  Origin origin = Origin::transit;
  bool fragment = false;  // an inner IP fragment
  uint8_t tos = 0;        // DSCP and ECN: inner_rare() is given the outer one; then inner
  net::Payload payload = net::Payload::ethernet;  // what the tunnel carried
  bool plain = false;                             // the plain reading took the inner headers (stages/inner.h)
  uint8_t icmp_type = 0;                          // of ICMP
  bool paid = false;                              // counted in the budgets of new sessions
  bool is_copy = false;                           // of a fragment that was sent: nobody waits for it
  bool unseen = false;                            // its receiver will not take it, so inspection must not
  uint32_t session_use =
      0;  // of one that waits: SessionCold::generation of `session` (worker/session_life.h)

  /// It may move its session's TCP state, or has to be asked what it is to its session: SYN, FIN, RST; ICMP.
  /// By one load.
  bool moves_state() const {
    static_assert(offsetof(PacketMeta, icmp) == offsetof(PacketMeta, tcp_flags) + 1);
    constexpr uint16_t kFinSynRst = 0x07, kIcmp = 0xff00;
    uint16_t both;
    __builtin_memcpy(&both, &tcp_flags, sizeof both);
    return (both & (kFinSynRst | kIcmp)) != 0;
  }
  /// Its session has more lines than one: an IPv6 address, a TCP header. By one load, of bytes that were
  /// written some packets ago: those of a moment ago it would wait for.
  bool has_more_lines() const {
    static_assert(offsetof(PacketMeta, tcp_flags) == offsetof(PacketMeta, family) + 3);
    constexpr auto kFamilies =
        static_cast<uint32_t>(net::Family::ipv6) & ~static_cast<uint32_t>(net::Family::ipv4);
    static_assert(kFamilies != 0);
    uint32_t word;
    __builtin_memcpy(&word, &family, sizeof word);
    return (word & (0xff00'0000 | kFamilies)) != 0;
  }
  bool is_v4() const { return family == net::Family::ipv4; }
  uint8_t protocol() const { return is_v4() ? key4.protocol : key6.protocol; }
  /// Slot of the domain in which it arrived.
  uint16_t domain() const { return is_v4() ? key4.domain : key6.domain; }
  /// It holds a transport header: fragments after the first do not, nor do protocols that the hub cannot
  /// read.
  bool has_transport() const { return payload_offset != l4_offset; }
  /// Its key as a tuple. For slow ways.
  Tuple tuple() const { return is_v4() ? tuple_of(key4) : tuple_of(key6); }
  /// By words, as net/plain.h reads them: stored as they are read again, 8 bytes at a time, since narrower
  /// stores would not be forwarded to the wider loads behind them.
  void set_key(uint64_t addresses, uint32_t ports, uint16_t domain_slot, uint8_t protocol) {
    family = net::Family::ipv4;
    set_key4(addresses, ports, domain_slot, protocol);
  }
  /// The same of a meta that says IPv4 already.
  void set_key4(uint64_t addresses, uint32_t ports, uint16_t domain_slot, uint8_t protocol) {
    const uint64_t rest = key_rest(ports, domain_slot, protocol);
    key4 = std::bit_cast<Key4>(std::array{addresses, rest});
    hash = detail::crc_of(addresses, rest);
  }
  void set_key(const net::Ipv6& src, const net::Ipv6& dst, uint32_t ports, uint16_t domain_slot,
               uint8_t protocol) {
    const uint64_t rest = key_rest(ports, domain_slot, protocol);
    family = net::Family::ipv6;
    key6 = std::bit_cast<Key6>(std::array{src.hi, src.lo, dst.hi, dst.lo, rest});
    hash = detail::crc_of(src.hi, src.lo, dst.hi, dst.lo, rest);
  }
  void set_key(const Tuple& tuple, uint16_t domain_slot) {
    family = tuple.src.family;
    if (is_v4()) {
      key4 = key4_of(tuple, domain_slot);
      hash = hash_of(key4);
    } else {
      key6 = key6_of(tuple, domain_slot);
      hash = hash_of(key6);
    }
  }

 private:
  static uint64_t key_rest(uint32_t ports, uint16_t domain_slot, uint8_t protocol) {
    return static_cast<uint64_t>(protocol) << 48 | static_cast<uint64_t>(domain_slot) << 32 | ports;
  }
};
static_assert(sizeof(PacketMeta) == 128 && offsetof(PacketMeta, wait_for) == 64);

inline PacketMeta& meta_of(rte_mbuf* mbuf) { return *static_cast<PacketMeta*>(rte_mbuf_to_priv(mbuf)); }

inline uint8_t* data_of(rte_mbuf* mbuf) { return rte_pktmbuf_mtod(mbuf, uint8_t*); }

inline std::span<const uint8_t> bytes_of(rte_mbuf* mbuf) { return {data_of(mbuf), mbuf->data_len}; }

/// The packets that a stage works on, in order of arrival. A stage takes out those that leave.
struct Burst {
  /// The largest rx burst (256), and a reset to either end for each of its packets.
  static constexpr uint16_t kCapacity = 768;
  uint16_t size = 0;
  rte_mbuf* packets[kCapacity];

  bool push(rte_mbuf* mbuf) {
    if (size == kCapacity) return false;
    packets[size++] = mbuf;
    return true;
  }
};
inline constexpr uint16_t kMaxRxBurst = 256;

}  // namespace weir::dataplane
