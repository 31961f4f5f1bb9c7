// Datagrams in pieces: which fragments wait, which go on, which are dropped (RFC 791, 815, 1858, 3128, 5722,
// 8200).
//
// One table per worker, for outer fragments, inner ones, and inner ones of inspected sessions. Fixed memory,
// no allocation after the constructor, time as input, packets as opaque pointers: tested and fuzzed without
// EAL. Whoever calls offer() handles what it answers in full before the next call.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/core/time.h"
#include "dataplane/core/tuple.h"
#include "dataplane/core/verdict.h"
#include "dataplane/net/parse.h"

namespace weir::dataplane {

/// What the fragments are gathered for.
enum class FragmentUse : uint8_t {
  inner,      // held until the first one came; all go on as fragments
  inspected,  // of a session that is inspected, or whose payload changes: held until whole
  outer,      // held until whole, then put together
};

/// What names a datagram. No padding: keys are hashed and compared as memory.
struct FragmentKey {
  net::Ipv6 src, dst;  // IpAddress::bits
  uint32_t id = 0;
  uint32_t scope = 0;    // attachment that it came in by, so that none spoils another's; outer: 0
  uint8_t protocol = 0;  // IPv4; 0 for IPv6, where it is no part of the name (RFC 8200 section 4.5)
  uint8_t family = 0;
  FragmentUse use{};
  uint8_t zero = 0;
  uint32_t zero32 = 0;
};
static_assert(sizeof(FragmentKey) == 48);

struct Fragment {
  FragmentKey key;
  uint32_t share = 0;   // whose share of the table it takes: a hash of the attachment or the peer
  uint32_t offset = 0;  // in the datagram's payload, bytes
  uint32_t length = 0;
  uint32_t room = 0;  // bytes that the payload of an IP packet with such a header can have
  bool more = false;
  void* packet = nullptr;
};

/// What the first fragment told about the datagram, for those that follow it.
struct FirstFragment {
  Tuple tuple;
  net::IcmpKind icmp = net::IcmpKind::none;
  uint8_t icmp_type = 0;
};

struct FragmentLimits {
  uint32_t held = 1'024;       // packets
  uint32_t datagrams = 1'024;  // in pieces at one time
  uint32_t pieces = 64;        // of one datagram
};

/// What each of a worker's two tables has of the hub's limits.
FragmentLimits worker_share(const FragmentLimits& hub, uint32_t workers);

/// Where a datagram is put together: its headers, as far as they come before the payload, and the payload.
inline constexpr size_t kHeaderRoom = 512;
inline constexpr size_t kDatagramRoom = kHeaderRoom + 65'536;

class FragmentTable {
 public:
  /// One share has at most so large a part of the packets and of the datagrams.
  static constexpr uint32_t kShareDivisor = 4;
  using Index = uint32_t;
  static constexpr Index kNone = ~0u;

  struct Answer {
    enum class Kind : uint8_t {
      drop,   // for `reason`
      spoil,  // for `reason`, and all that is held of the datagram with it
      hold,   // the table has the packet now
      pass,   // it goes on; `inner` only
      whole,  // it was the last one missing; the others are still held. Not for `inner`
    };
    Kind kind = Kind::drop;
    DropReason reason = DropReason::none;
    /// Valid until finish(); kNone if the fragment belongs to no datagram of the table.
    Index datagram = kNone;
  };

  /// `secret` keeps remote hosts from choosing keys that collide.
  FragmentTable(const FragmentLimits& limits, uint64_t secret);
  /// What one costs.
  static size_t bytes(const FragmentLimits& limits);

  /// Judges a fragment. After anything but `hold` the caller takes what is held, if that goes on or has to be
  /// dropped too, and calls finish().
  Answer offer(const Fragment& fragment, NanoTime now);

  /// `inner`: what the first fragment says; set by the caller when it passes, valid for those after it.
  FirstFragment& first(Index datagram) { return datagrams_[datagram].first; }
  /// `whole`: bytes of its payload.
  uint32_t total(Index datagram) const { return datagrams_[datagram].total; }
  /// Calls `out(packet)` for each held fragment, and keeps them.
  template <typename Out>
  void visit(Index datagram, Out&& out) const {
    for (Index at = datagrams_[datagram].held_head; at != kNone; at = held_[at].next) out(held_[at].packet);
  }
  /// Calls `out(packet, offset, length)` for each held fragment in order of arrival; it is the caller's then.
  template <typename Out>
  void take(Index datagram, Out&& out);
  /// After pass, whole and drop: a datagram all of whose pieces came is forgotten.
  void finish(Index datagram);

  /// Gives up at most `budget` datagrams that began `timeout` ago: `out(packet)` for each packet held.
  template <typename Out>
  void expire(NanoTime now, NanoTime timeout, uint32_t budget, Out&& out);
  /// Gives up all.
  template <typename Out>
  void clear(Out&& out) {
    while (oldest_ != kNone) give_up(oldest_, out);
  }

  uint32_t held() const { return held_count_; }
  uint32_t datagrams() const { return datagram_count_; }

 private:
  static constexpr uint32_t kShares = 1'024;
  static constexpr uint32_t kUnknown = ~0u;

  struct Piece {  // bytes [begin, end) of the payload
    uint16_t begin = 0, end = 0;
  };
  struct Held {
    void* packet = nullptr;
    Index next = kNone;
    Piece piece;
  };
  struct Datagram {
    FragmentKey key;
    NanoTime began = 0;
    Index next = kNone;  // in its bucket, or in the list of free ones
    Index older = kNone, newer = kNone;
    Index held_head = kNone, held_tail = kNone;
    uint32_t share = 0;
    uint32_t total = kUnknown;  // known when the last piece came
    uint32_t seen = 0;          // bytes
    uint16_t pieces = 0;
    DropReason spoilt = DropReason::none;  // for which all of it is dropped
    bool first_came = false;
    FirstFragment first;
  };
  struct Share {
    uint32_t held = 0, datagrams = 0;
  };

 public:
  static constexpr size_t kHeldBytes = sizeof(Held), kDatagramBytes = sizeof(Datagram),
                          kPieceBytes = sizeof(Piece);

 private:
  uint32_t bucket_of(const FragmentKey& key) const;
  Index find(const FragmentKey& key) const;
  Index begin(const Fragment& fragment, NanoTime now);
  DropReason add_piece(Datagram& datagram, Index index, const Fragment& fragment);
  bool hold(Datagram& datagram, const Fragment& fragment);
  void forget(Index datagram);
  bool complete(const Datagram& d) const { return d.seen == d.total; }
  template <typename Out>
  void give_up(Index datagram, Out&& out);

  FragmentLimits limits_;
  uint32_t held_share_, datagram_share_;
  uint64_t secret_;
  uint32_t mask_;
  std::vector<Index> buckets_;
  std::vector<Datagram> datagrams_;
  std::vector<Piece> pieces_;  // limits_.pieces of each datagram
  std::vector<Held> held_;
  std::vector<Share> shares_;
  Index free_datagram_ = kNone, free_held_ = kNone;
  Index oldest_ = kNone, newest_ = kNone;
  uint32_t held_count_ = 0, datagram_count_ = 0;
};

template <typename Out>
void FragmentTable::take(Index datagram, Out&& out) {
  Datagram& d = datagrams_[datagram];
  for (Index at = d.held_head; at != kNone;) {
    Held& held = held_[at];
    const Index next = held.next;
    out(held.packet, uint32_t{held.piece.begin}, uint32_t{held.piece.end} - held.piece.begin);
    held.next = free_held_;
    free_held_ = at;
    --held_count_;
    --shares_[d.share].held;
    at = next;
  }
  d.held_head = d.held_tail = kNone;
}

template <typename Out>
void FragmentTable::give_up(Index datagram, Out&& out) {
  take(datagram, [&](void* packet, uint32_t, uint32_t) { out(packet); });
  forget(datagram);
}

template <typename Out>
void FragmentTable::expire(NanoTime now, NanoTime timeout, uint32_t budget, Out&& out) {
  for (; budget != 0 && oldest_ != kNone; --budget) {
    if (now < datagrams_[oldest_].began + timeout) return;
    give_up(oldest_, out);
  }
}

}  // namespace weir::dataplane
