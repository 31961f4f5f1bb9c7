// One session: both directions of an L4 conversation, after the policy decision.
//
// Belongs to one worker. The first cache line is all that an established, uninspected IPv4 packet touches,
// but for TCP's windows, which have half a line of their own (tcp_window.h); the cold part holds what IPv6,
// expiry, inspection and events need. Ids only, never pointers.
#pragma once

#include <nmmintrin.h>

#include <cstdint>

#include "dataplane/core/ids.h"
#include "dataplane/core/rule_effects.h"
#include "dataplane/core/time.h"
#include "dataplane/core/tuple.h"
#include "dataplane/net/address.h"

namespace weir::dataplane {

enum class Direction : uint8_t { forward = 0, reverse = 1 };  // forward: as the initiator's first packet
constexpr Direction opposite(Direction d) {
  return d == Direction::forward ? Direction::reverse : Direction::forward;
}

using SessionIndex = uint32_t;
inline constexpr SessionIndex kNoSession = ~0u;

/// TCP as a middle box sees it; everything else is `active` from its first packet (see tcp_state.h).
enum class SessionState : uint8_t {
  free,
  active,        // not TCP
  loose,         // TCP, taken up in its midst, of which one end has not been seen yet
  syn_sent,      // initiator's SYN
  syn_received,  // responder's SYN+ACK
  established,
  fin_forward,  // the initiator has sent FIN
  fin_reverse,
  closing,  // both have
  reset,    // RST seen
  count_
};

/// TCP of which not both ends have agreed to it, as far as the hub has seen.
constexpr bool is_half_open(SessionState state) {
  return state == SessionState::syn_sent || state == SessionState::syn_received ||
         state == SessionState::loose;
}

/// TCP that has ended, and waits for its time-out.
constexpr bool is_over(SessionState state) {
  return state == SessionState::closing || state == SessionState::reset;
}

struct alignas(64) Session {
  enum Flags : uint16_t {
    kIpv6 = 1,
    kInspected = 2,      // `cold.flow` is open
    kDropped = 4,        // tombstone: nothing of it passes any more
    kResetOnDrop = 8,    // with kDropped: whoever goes on sending gets a reset
    kTranslated = 16,    // its packets leave with other ends than they come with: see SessionTranslation
    kHalfOpen = 32,      // counted as half open (worker/half_open.h)
    kUntracked = 64,     // with kHalfOpen: but not of its source, for which the host table had no room
    kFree = 128,         // in no use: no key is its own
    kOwnTimeouts = 256,  // `cold.effects.timeouts` are not the hub's
    kMarked = 512,       // its packets get the DSCP `cold.effects.dscp`
    kPending = 1024,     // its rule is not known yet: see stages/pend.h
    kBypassed = 2048,    // it was inspected, and nothing later of it can matter
    kFtp = 4096,         // translated, a control connection of FTP: see stages/ftp.h
    kNat64 = 8192,  // with kIpv6 and kTranslated: its packets leave with IPv4, and the answers come with it
    kOtherSource = 16'384,       // with kTranslated, IPv4: that end alone is another, `other_address`
    kOtherDestination = 32'768,  // the same
    kOtherEnd = kOtherSource | kOtherDestination,
  };
  uint32_t address4[2] = {};  // host order; [0] initiator, [1] responder; IPv6: see cold
  uint16_t port[2] = {};      // as in Tuple: initiator's, responder's
  uint16_t domain[2] = {};    // slot of the domain in which packets of that direction arrive
  uint8_t protocol = 0;
  SessionState state = SessionState::free;
  uint16_t flags = 0;
  AdjacencyId adjacency[2];  // [d]: next hop of packets that travel in direction d
  /// versions_of() what decided the session, when it did.
  uint32_t versions = 0;
  uint32_t route[2] = {};   // RouteCell by direction: of the destination's route, of the source's
  uint16_t connection = 0;  // PolicyTable::ConnectionIndex
  // With kOtherEnd: what that end is where the initiator's packets leave.
  uint16_t other_port = 0;
  uint32_t other_address = 0;
  Tick last_seen;
  uint16_t packets[2] = {};  // low parts; a wrap is carried into cold
  uint32_t bytes[2] = {};
};
static_assert(sizeof(Session) == 64);

struct alignas(64) SessionCold {
  net::Ipv6 address6[2];
  uint32_t timer_prev = 0, timer_next = 0;  // timing wheel
  uint16_t timer_slot = 0xffff;             // 0xffff: no timer
  ProfileIndex profile = 0;                 // by which it is inspected
  uint32_t generation = 0;                  // counts uses of this index
  NanoTime start_ns = 0;
  uint32_t flow = 0;  // with kInspected inspection::FlowHandle; else the AppProtocols that were told
  uint32_t rule = 0;  // RuleIndex that decided, within policy_version
  // second line: written at the start, at a wrap, read at the end
  uint32_t packets_high[2] = {};  // of 48 bits
  uint32_t bytes_high[2] = {};    // of 64
  uint32_t hash[2] = {};          // of the two keys, so that removal need not rebuild them
  AttachmentId ingress;           // where the initiator's packets came in
  AttachmentId egress;            // where they leave
  uint8_t tcp_flags[2] = {};      // that were seen, by direction; ICMP: type and code of the first packet
  uint16_t records = 0;           // that were written while it lasted, modulo 2^16
  // What `versions` is made of: read only when that has moved.
  uint32_t policy_version = 0;
  uint32_t route_version[2] = {};
  uint32_t member[2] = {};  // MemberName by direction: of a route with several members the one in use
  RuleEffects effects;      // of the rule that decided
  bool alerted = false;
  uint32_t pending = 0;  // PendingIndex, with kPending
};
static_assert(sizeof(SessionCold) == 128);

/// What has passed of packets that travel in direction `d`.
inline uint64_t total_packets(const Session& session, const SessionCold& cold, size_t d) {
  return static_cast<uint64_t>(cold.packets_high[d]) << 16 | session.packets[d];
}
inline uint64_t total_bytes(const Session& session, const SessionCold& cold, size_t d) {
  return static_cast<uint64_t>(cold.bytes_high[d]) << 32 | session.bytes[d];
}

/// A line beside the session's, for what few sessions have.
///
/// How a translated session's packets leave, where kOtherEnd does not say it: those of the initiator with
/// these ends, those of the responder, which come to them, with the ends that the session itself has. Those
/// of kNat64 are IPv4 (ends4). And the neighbours of a half-open session in the list of those, from the
/// oldest to the newest.
struct alignas(64) SessionTranslation {
  /// IPv4: as a session begins, so that the ends of either direction are read alike.
  struct Ends4 {
    uint32_t address[2];  // host order; source, destination
    uint16_t port[2];
    uint16_t domain[2];  // the session's
  };
  union {
    Ends4 ends4;
    net::Ipv6 ends6[2] = {};
  };
  uint16_t port6[2] = {};
  uint32_t source_binding = 0;       // BindingIndex that the source is held by
  uint32_t destination_binding = 0;  // that the initiator's packets were sent to
  SessionIndex older = kNoSession, newer = kNoSession;
  uint32_t ftp = 0;  // with kFtp: which of the worker's FtpControls
};
static_assert(sizeof(SessionTranslation) == 64);

/// The versions that a session was decided by in one word, so that a packet compares once. Those of routes
/// only grow. Policy versions are spread, since connections may trade places in a new table: a small step of
/// the one part never makes up for a small step of the other.
constexpr uint32_t versions_of(uint32_t policy, uint32_t forward_route, uint32_t reverse_route) {
  return policy * 0x9e37'79b1u + forward_route + reverse_route;
}

/// What is looked up: the tuple as the packet carries it, in the domain in which it arrives. No padding bytes
/// are left undefined: keys are hashed and compared as memory.
struct Key4 {
  uint32_t src = 0, dst = 0;  // host order
  uint16_t src_port = 0, dst_port = 0;
  uint16_t domain = 0;  // slot
  uint8_t protocol = 0;
  uint8_t zero = 0;
};
static_assert(sizeof(Key4) == 16);

struct Key6 {
  net::Ipv6 src, dst;
  uint16_t src_port = 0, dst_port = 0;
  uint16_t domain = 0;
  uint8_t protocol = 0;
  uint8_t zero = 0;
};
static_assert(sizeof(Key6) == 40);

inline Key4 key4_of(const Tuple& t, uint16_t domain_slot) {
  return {.src = t.src.v4().value,
          .dst = t.dst.v4().value,
          .src_port = t.src_port,
          .dst_port = t.dst_port,
          .domain = domain_slot,
          .protocol = t.protocol};
}
inline Key6 key6_of(const Tuple& t, uint16_t domain_slot) {
  return {.src = t.src.v6(),
          .dst = t.dst.v6(),
          .src_port = t.src_port,
          .dst_port = t.dst_port,
          .domain = domain_slot,
          .protocol = t.protocol};
}
inline Tuple tuple_of(const Key4& k) {
  return {net::Ipv4{k.src}, net::Ipv4{k.dst}, k.src_port, k.dst_port, k.protocol};
}
inline Tuple tuple_of(const Key6& k) { return {k.src, k.dst, k.src_port, k.dst_port, k.protocol}; }
/// The key of the packets that travel the other way, which arrive in another domain.
inline Key4 mirrored(const Key4& k, uint16_t domain_slot) {
  return {k.dst, k.src, k.dst_port, k.src_port, domain_slot, k.protocol, 0};
}
inline Key6 mirrored(const Key6& k, uint16_t domain_slot) {
  return {k.dst, k.src, k.dst_port, k.src_port, domain_slot, k.protocol, 0};
}

namespace detail {
template <typename... Words>
uint32_t crc_of(Words... words) {
  uint64_t crc = 0xffff'ffff;
  ((crc = _mm_crc32_u64(crc, words)), ...);
  return static_cast<uint32_t>(crc);
}
/// The i-th eight bytes of a key.
template <typename Key>
uint64_t word(const Key& key, size_t i) {
  uint64_t w;
  __builtin_memcpy(&w, reinterpret_cast<const uint8_t*>(&key) + i * 8, sizeof w);
  return w;
}
}  // namespace detail

/// CRC32C over the key's words. Not secret: whoever picks addresses and ports can pick hashes, so what a hash
/// leads to has to be bounded (see SessionTable).
inline uint32_t hash_of(const Key4& key) {
  return detail::crc_of(detail::word(key, 0), detail::word(key, 1));
}
inline uint32_t hash_of(const Key6& key) {
  using detail::word;
  return detail::crc_of(word(key, 0), word(key, 1), word(key, 2), word(key, 3), word(key, 4));
}

}  // namespace weir::dataplane
