// The sessions of one worker: two keys each, found through cache-line buckets; expiry by a timing wheel.
//
// All memory is allocated, and touched, by create(). Belongs to one worker; no other thread touches it.
//
// The index is an array of 64-byte buckets of 8 keys: a 16-bit tag, compared eight at a time, and the
// session's index and direction. capacity / 2 buckets, so 4 keys each on average when full, keep 99 % of the
// keys in the one line that their hash names. The rest lies in overflow buckets chained behind it, at most
// kMaxOverflow: more than 8 * (1 + kMaxOverflow) keys in one bucket do not happen by chance (under 1e-25 for
// a full table), but a sender that computes hashes could make a chain of any length and each packet walk it.
// So a chain has a ceiling, and a session beyond it is refused. All buckets of a chain but the last are full,
// so at most one overflow bucket per 8 keys is ever needed; that many are there, and insert() never fails for
// want of one.
//
// Sizes per session: 64 + 128 (session) + 32 (TCP windows) + 64 (translation) + 32 (buckets) + 16 (overflow)
// + 4 (free list) = 340 bytes.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>

#include "dataplane/core/prefetch.h"
#include "dataplane/net/result.h"
#include "dataplane/session/session.h"
#include "dataplane/session/tcp_window.h"

namespace weir::dataplane {

class SessionTable {
  static constexpr uint32_t kBucketKeys = 8;
  struct alignas(64) Bucket {
    uint16_t tag[kBucketKeys] = {};    // 0: free
    uint32_t entry[kBucketKeys] = {};  // session index << 1 | direction
    uint32_t next = 0;  // bucket that continues the chain; 0: none, as bucket 0 heads a chain itself
  };
  static_assert(sizeof(Bucket) == 64);

 public:
  /// Overflow buckets that one bucket may have.
  static constexpr uint32_t kMaxOverflow = 4;
  static constexpr uint32_t kMaxCapacity = 1u << 30;
  /// The longest timer, some 9 minutes.
  static constexpr uint32_t kMaxTimerTicks = 4'095;

  /// Room for `capacity` sessions; `now` starts the timing wheel. Fails with `exhausted` if memory is not to
  /// be had, with `invalid` if capacity is 0 or over kMaxCapacity.
  static Result<std::unique_ptr<SessionTable>> create(uint32_t capacity, Tick now);
  ~SessionTable();
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;
  /// What create(capacity) allocates, for `weir check` and the start-up log.
  static size_t bytes_for(uint32_t capacity);

  struct Hit {
    SessionIndex index = kNoSession;
    Direction direction = Direction::forward;
    explicit operator bool() const { return index != kNoSession; }
  };
  /// How far the look-up of one packet has got. Only for the table that made it.
  class Ahead {
    friend class SessionTable;
    union {
      const Bucket* bucket;
      Session* session;
    };
    uint16_t tag;
    Direction direction;
  };
  /// First pass over a burst: asks for the index line.
  [[gnu::always_inline]] void prefetch_bucket(uint32_t hash, Ahead& ahead) const;
  /// Second pass: the first key in the (now cached) bucket whose tag matches, which nearly always is the one;
  /// asks for its session's line.
  [[gnu::always_inline]] void prefetch_session(Ahead& ahead) const;
  /// IPv6 sessions have their addresses in a second line, TCP sessions their windows.
  void prefetch_more(const Ahead& ahead, bool ipv6, bool tcp) const {
    if (ipv6) prefetch(&cold_[index_of(*ahead.session)]);
    if (tcp) prefetch(&tcp_[index_of(*ahead.session)]);
  }
  /// Behind it: the line of a translated session without Session::kOtherEnd, for tables that have some.
  void prefetch_translation(const Ahead& ahead) const { prefetch(&translation_of(*ahead.session)); }
  struct Found {
    Session* session;
    Direction direction;
  };
  /// Third pass: what the second one found. False: it is not what find() would return; sessions may have come
  /// and gone since. An answer to a session of NAT64 is never found.
  [[gnu::always_inline]] bool found(const Ahead& ahead, const Key4& key, Found& out) const;
  [[gnu::always_inline]] bool found(const Ahead& ahead, const Key6& key, Found& out) const;
  Hit find(const Key4& key, uint32_t hash) const;
  Hit find(const Key6& key, uint32_t hash) const;

  /// Takes the session that has been free for longest, enters both keys, and fills the fields that the keys
  /// hold, start_ns and hash; state is `active`, cold.generation counts on, the rest is as in a
  /// default-constructed Session. The caller then fills it and arms it. kNoSession: full, a key is taken
  /// already, or a chain has reached its ceiling.
  ///
  /// `reverse` has to be the mirrored tuple (in a domain of its own) and another key than `forward`; anything
  /// else is refused. So a tuple that is its own mirror image (a packet from an address and port to the
  /// same in one domain) gets no session.
  SessionIndex insert(const Key4& forward, const Key4& reverse, NanoTime now);
  SessionIndex insert(const Key6& forward, const Key6& reverse, NanoTime now);
  /// A session whose packets leave as `leaves`: its reverse key is that one turned around, in a domain of its
  /// own. The caller fills in the bindings of translation().
  SessionIndex insert_translated(const Key4& forward, const Key4& leaves, uint16_t reverse_domain,
                                 NanoTime now);
  SessionIndex insert_translated(const Key6& forward, const Key6& leaves, uint16_t reverse_domain,
                                 NanoTime now);
  /// The same of a session of NAT64.
  SessionIndex insert_translated(const Key6& forward, const Key4& leaves, uint16_t reverse_domain,
                                 NanoTime now);
  /// Takes it out of index and wheel and frees it.
  void remove(SessionIndex index);

  Session& at(SessionIndex index);
  SessionCold& cold(SessionIndex index);
  /// Of a TCP session. Whoever makes one fills it: it still holds what was there before.
  TcpWindow& tcp(SessionIndex index);
  /// Of one with Session::kTranslated. How its packets leave is there only without Session::kOtherEnd.
  SessionTranslation& translation(SessionIndex index) { return translations_[index]; }
  const SessionTranslation& translation(SessionIndex index) const { return translations_[index]; }
  /// Of a translated IPv4 session: the ends with which its packets leave that travel in `direction`.
  [[gnu::always_inline]] void leaving4(const Session& s, Direction direction, WireEnds4& out) const;
  /// The ends with which a packet of the session leaves that travels in `direction`.
  Tuple leaving(SessionIndex index, Direction direction) const;
  const Session& at(SessionIndex index) const;
  const SessionCold& cold(SessionIndex index) const;
  SessionIndex index_of(const Session& session) const {
    return static_cast<SessionIndex>(&session - sessions_);
  }
  bool in_use(SessionIndex index) const { return at(index).state != SessionState::free; }
  /// Its key in the given direction (family must fit).
  Key4 key4(SessionIndex index, Direction direction) const;
  Key6 key6(SessionIndex index, Direction direction) const;
  /// The initiator's tuple.
  Tuple tuple(SessionIndex index) const;

  uint32_t size() const;
  uint32_t capacity() const;

  /// The list of half-open sessions, in the order in which they began. The caller knows which are in it.
  void list_half_open(SessionIndex index);
  /// Before it is removed.
  void unlist_half_open(SessionIndex index);
  /// The one that began first; kNoSession: there is none.
  SessionIndex oldest_half_open() const { return oldest_half_open_; }

  /// Sets or moves the session's timer to fire `after` ticks from `now`: at least one; at most
  /// kMaxTimerTicks, after which it fires early and the caller re-arms it. Needed when a time-out gets
  /// shorter; when a packet merely arrives the timer is left alone and re-armed lazily when it fires.
  void arm(SessionIndex index, Tick now, uint32_t after);
  /// Advances the wheel to `now` and calls `fire(index)` for up to `budget` timers that are due; their timers
  /// are off then. fire() re-arms or removes. Returns how many fired; what is over the budget fires on the
  /// next call.
  template <typename Fire>
  uint32_t expire(Tick now, uint32_t budget, Fire&& fire) {
    uint32_t fired = 0;
    for (SessionIndex i; fired < budget && (i = next_due(now)) != kNoSession; ++fired) fire(i);
    return fired;
  }

 private:
  static constexpr uint16_t kNoTimer = 0xffff;
  static constexpr uint32_t kWheelSlots = kMaxTimerTicks + 1;

  struct Layout;

  SessionTable() = default;
  static Layout layout_of(uint32_t capacity);
  /// The high bits choose the bucket, the low ones are the tag, which is never 0.
  uint32_t bucket_of(uint32_t hash) const {
    return static_cast<uint32_t>(static_cast<uint64_t>(hash) * bucket_count_ >> 32);
  }
  static uint16_t tag_of(uint32_t hash) { return static_cast<uint16_t>(hash | 1); }
  /// Two bits for each slot that has the tag.
  static uint32_t matching(const Bucket& bucket, uint16_t tag);
  static constexpr uint32_t kAllSlots = 0xffff;
  static uint32_t slot_of(uint32_t matches) { return static_cast<uint32_t>(__builtin_ctz(matches)) / 2; }
  static uint32_t without_first(uint32_t matches) {
    matches &= matches - 1;
    return matches & (matches - 1);
  }
  /// translation() of it, without its index.
  const SessionTranslation& translation_of(const Session& s) const {
    static_assert(sizeof(Session) == sizeof(SessionTranslation));
    return *reinterpret_cast<const SessionTranslation*>(reinterpret_cast<const char*>(&s) +
                                                        translation_offset_);
  }
  /// The session is in use, and this is its key in that direction.
  bool holds(const Session& s, Direction direction, const Key4& key) const;
  bool holds(const Session& s, Direction direction, const Key6& key) const;
  /// 16 bytes of ends that lie as a session's do, as a key of that direction has them.
  static __m128i turned(const void* ends, Direction direction);
  static bool is_key(__m128i ends, const Session& s, const Key4& key, uint32_t asked, uint32_t flags);
  /// How the ends of a session with kOtherEnd are put together: byte by byte where each comes from among its
  /// own ends and in the eight bytes from `connection` on. kNone: from neither.
  struct Parts {
    static constexpr uint8_t kNone = 0x80;
    alignas(16) uint8_t own[16], other[16];
    __m128i of(const Session& s) const {
      static_assert(offsetof(Session, connection) == 40 && offsetof(Session, other_port) == 42 &&
                    offsetof(Session, other_address) == 44);
      const auto load = [](const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); };
      return _mm_or_si128(
          _mm_shuffle_epi8(load(&s), load(own)),
          _mm_shuffle_epi8(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(&s.connection)), load(other)));
    }
  };
  /// Which of two Parts: those of kOtherSource, or of kOtherDestination.
  static size_t other_end(const Session& s) { return s.flags >> 15; }
  /// The ends of a session with kOtherEnd as its key of that direction has them.
  static __m128i key_ends(const Session& s, Direction direction);
  /// The same of a translated one, whose reverse key is no mirror of the other.
  bool holds_translated(const Session& s, Direction direction, const Key6& key) const;
  template <typename Key>
  Hit find_key(const Key& key, uint32_t hash) const;
  /// The same of one of NAT64, whose reverse key alone is of IPv4. Asked by find() only.
  bool holds_nat64(const Session& s, Direction direction, const Key4& key) const;
  bool holds_nat64(const Session&, Direction, const Key6&) const { return false; }
  template <typename Key, typename Reverse>
  SessionIndex insert_keys(const Key& forward, const Reverse& reverse, NanoTime now);
  template <typename Key, typename Leaves>
  SessionIndex insert_leaving(const Key& forward, const Leaves& leaves, uint16_t reverse_domain,
                              NanoTime now);
  void fill_addresses(SessionIndex index, const Key4& forward);
  void fill_addresses(SessionIndex index, const Key6& forward);
  bool index_insert(uint32_t hash, uint32_t entry);
  void index_remove(uint32_t hash, uint32_t entry);
  void disarm(SessionIndex index);
  /// Unlinks and returns one due session, or kNoSession.
  SessionIndex next_due(Tick now);

  Bucket* buckets_ = nullptr;  // bucket_count_ heads, then the overflow buckets
  Session* sessions_ = nullptr;
  std::ptrdiff_t translation_offset_ = 0;  // bytes from a session to its translation: both are a line
  TcpWindow* tcp_ = nullptr;
  SessionTranslation* translations_ = nullptr;
  uint32_t bucket_count_ = 0;
  uint32_t overflow_free_ = 0;  // chain of unused overflow buckets; 0: none
  SessionCold* cold_ = nullptr;
  uint32_t capacity_ = 0;
  uint32_t size_ = 0;
  uint32_t* free_ring_ = nullptr;  // first in, first out
  uint32_t free_head_ = 0;
  SessionIndex oldest_half_open_ = kNoSession, newest_half_open_ = kNoSession;
  uint32_t* wheel_ = nullptr;  // first session of each slot, doubly linked from there, or kNoSession
  Tick wheel_now_;             // all slots before this tick are empty
  void* memory_ = nullptr;
  size_t memory_bytes_ = 0;
};

inline void SessionTable::prefetch_bucket(uint32_t hash, Ahead& ahead) const {
  ahead.bucket = &buckets_[bucket_of(hash)];
  ahead.tag = tag_of(hash);
  prefetch(ahead.bucket);
}
inline uint32_t SessionTable::matching(const Bucket& bucket, uint16_t tag) {
  const __m128i tags = _mm_load_si128(reinterpret_cast<const __m128i*>(bucket.tag));
  const __m128i equal = _mm_cmpeq_epi16(tags, _mm_set1_epi16(static_cast<short>(tag)));
  return static_cast<uint32_t>(_mm_movemask_epi8(equal));
}
inline void SessionTable::prefetch_session(Ahead& ahead) const {
  const uint32_t matches = matching(*ahead.bucket, ahead.tag);
  // Without a match it is any session, which will not have the key.
  const uint32_t entry = matches == 0 ? 0 : ahead.bucket->entry[slot_of(matches)];
  ahead.session = &sessions_[entry >> 1];
  ahead.direction = static_cast<Direction>(entry & 1);
  prefetch(ahead.session);
}
inline bool SessionTable::found(const Ahead& ahead, const Key4& key, Found& out) const {
  out = {ahead.session, ahead.direction};
  return holds(*ahead.session, ahead.direction, key);
}
inline bool SessionTable::found(const Ahead& ahead, const Key6& key, Found& out) const {
  out = {ahead.session, ahead.direction};
  return holds(*ahead.session, ahead.direction, key);
}
inline __m128i SessionTable::turned(const void* ends, Direction direction) {
  static_assert(offsetof(Session, address4) == 0 && offsetof(Session, port) == 8 &&
                offsetof(Session, domain) == 12);
  static_assert(offsetof(SessionTranslation, ends4) == 0 && offsetof(SessionTranslation::Ends4, port) == 8 &&
                offsetof(SessionTranslation::Ends4, domain) == 12);
  constexpr uint8_t kNone = 0x80;
  alignas(16) static constexpr uint8_t kTurn[2][16] = {
      {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, kNone, kNone},
      {4, 5, 6, 7, 0, 1, 2, 3, 10, 11, 8, 9, 14, 15, kNone, kNone}};
  const auto load = [](const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); };
  return _mm_shuffle_epi8(load(ends), load(kTurn[static_cast<size_t>(direction)]));
}
inline __m128i SessionTable::key_ends(const Session& s, Direction direction) {
  constexpr uint8_t N = Parts::kNone;
  static constexpr Parts kForward = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, N, N},
                                     {N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N}};
  static constexpr Parts kAnswerToOtherSource = {{4, 5, 6, 7, N, N, N, N, 10, 11, N, N, 14, 15, N, N},
                                                 {N, N, N, N, 4, 5, 6, 7, N, N, 2, 3, N, N, N, N}};
  static constexpr Parts kAnswerOfOtherDestination = {{N, N, N, N, 0, 1, 2, 3, N, N, 8, 9, 14, 15, N, N},
                                                      {4, 5, 6, 7, N, N, N, N, 2, 3, N, N, N, N, N, N}};
  static constexpr Parts kKey[2][2] = {{kForward, kForward},
                                       {kAnswerToOtherSource, kAnswerOfOtherDestination}};
  return kKey[static_cast<size_t>(direction)][other_end(s)].of(s);
}
/// `ends` are the key's, but for the protocol, which lies in the session behind its own, with the flags: of
/// those in `asked` it has `flags`.
inline bool SessionTable::is_key(__m128i ends, const Session& s, const Key4& key, uint32_t asked,
                                 uint32_t flags) {
  static_assert(offsetof(Session, protocol) == 16 && offsetof(Session, flags) == 18);
  static_assert(offsetof(Key4, src_port) == 8 && offsetof(Key4, domain) == 12 &&
                offsetof(Key4, protocol) == 14);
  alignas(16) static constexpr uint8_t kCompared[16] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                        255, 255, 255, 255, 255, 255, 0,   0};
  const auto load = [](const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); };
  uint32_t rest;
  __builtin_memcpy(&rest, &s.protocol, sizeof rest);
  // The flags first: of a translated session they fail, in both directions, and a core learns that.
  return (rest & (0xff | asked << 16)) == (key.protocol | flags << 16) &&
         _mm_testz_si128(_mm_xor_si128(ends, load(&key)), load(kCompared)) != 0;
}
inline bool SessionTable::holds(const Session& s, Direction direction, const Key4& key) const {
  constexpr uint32_t kAsked = Session::kIpv6 | Session::kTranslated | Session::kFree;
  if (is_key(turned(&s, direction), s, key, kAsked, 0)) [[likely]]
    return true;
  if ((s.flags & Session::kOtherEnd) != 0) [[likely]]
    return is_key(key_ends(s, direction), s, key, 0, 0);
  // The reverse key of a translated one is no mirror of the other. Chosen without a branch, since a core
  // would guess half of the directions wrong.
  const auto back = std::ptrdiff_t{0} - static_cast<std::ptrdiff_t>(direction);  // all ones: reverse
  const auto* ends = reinterpret_cast<const char*>(&s) + (translation_offset_ & back);
  return is_key(turned(ends, direction), s, key, kAsked, Session::kTranslated);
}
inline void SessionTable::leaving4(const Session& s, Direction direction, WireEnds4& out) const {
  // From host order. The responder's packets get the session's own ends.
  constexpr uint8_t N = Parts::kNone;
  static constexpr Parts kOtherSource = {{N, N, N, N, 7, 6, 5, 4, N, N, 11, 10, N, N, N, N},
                                         {7, 6, 5, 4, N, N, N, N, 3, 2, N, N, N, N, N, N}};
  static constexpr Parts kOtherDestination = {{3, 2, 1, 0, N, N, N, N, 9, 8, N, N, N, N, N, N},
                                              {N, N, N, N, 7, 6, 5, 4, N, N, 3, 2, N, N, N, N}};
  static constexpr Parts kBack = {{7, 6, 5, 4, 3, 2, 1, 0, 11, 10, 9, 8, N, N, N, N},
                                  {N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N}};
  static constexpr Parts kWire[2][2] = {{kOtherSource, kOtherDestination}, {kBack, kBack}};
  alignas(16) static constexpr uint8_t kWrite[2][16] = {{3, 2, 1, 0, 7, 6, 5, 4, 9, 8, 11, 10, N, N, N, N},
                                                        {7, 6, 5, 4, 3, 2, 1, 0, 11, 10, 9, 8, N, N, N, N}};
  const auto d = static_cast<size_t>(direction);
  __m128i wire;
  if ((s.flags & Session::kOtherEnd) != 0) [[likely]] {
    wire = kWire[d][other_end(s)].of(s);
  } else {
    const auto there = static_cast<std::ptrdiff_t>(direction) - 1;  // all ones: forward
    const auto* ends = reinterpret_cast<const char*>(&s) + (translation_offset_ & there);
    const auto load = [](const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); };
    wire = _mm_shuffle_epi8(load(ends), load(kWrite[d]));
  }
  out.addresses = static_cast<uint64_t>(_mm_cvtsi128_si64(wire));
  out.ports = static_cast<uint32_t>(_mm_extract_epi32(wire, 2));
}
inline bool SessionTable::holds(const Session& s, Direction direction, const Key6& key) const {
  if ((s.flags & Session::kTranslated) != 0) [[unlikely]]
    return holds_translated(s, direction, key);
  const SessionCold& c = cold_[index_of(s)];
  const auto d = static_cast<unsigned>(direction);
  const net::Ipv6 &src = c.address6[d], &dst = c.address6[1 - d];
  uint32_t ports, key_ports;
  __builtin_memcpy(&ports, s.port, sizeof ports);
  __builtin_memcpy(&key_ports, &key.src_port, sizeof key_ports);
  ports = std::rotr(ports, static_cast<int>(d * 16));
  return ((src.hi ^ key.src.hi) | (src.lo ^ key.src.lo) | (dst.hi ^ key.dst.hi) | (dst.lo ^ key.dst.lo) |
          (ports ^ key_ports) |
          static_cast<uint32_t>((s.domain[d] ^ key.domain) | (s.protocol ^ key.protocol) |
                                ((s.flags ^ Session::kIpv6) & (Session::kIpv6 | Session::kFree)))) == 0;
}
template <typename Key>
inline SessionTable::Hit SessionTable::find_key(const Key& key, uint32_t hash) const {
  const uint16_t tag = tag_of(hash);
  for (const Bucket* bucket = &buckets_[bucket_of(hash)];; bucket = &buckets_[bucket->next]) {
    for (uint32_t m = matching(*bucket, tag); m != 0; m = without_first(m)) {
      const uint32_t entry = bucket->entry[slot_of(m)];
      const Session& session = sessions_[entry >> 1];
      const auto direction = static_cast<Direction>(entry & 1);
      if (holds(session, direction, key) || holds_nat64(session, direction, key)) [[likely]]
        return {entry >> 1, direction};
    }
    if (bucket->next == 0) return {};
  }
}
inline SessionTable::Hit SessionTable::find(const Key4& key, uint32_t hash) const {
  return find_key(key, hash);
}
inline SessionTable::Hit SessionTable::find(const Key6& key, uint32_t hash) const {
  return find_key(key, hash);
}
inline Session& SessionTable::at(SessionIndex index) { return sessions_[index]; }
inline SessionCold& SessionTable::cold(SessionIndex index) { return cold_[index]; }
inline TcpWindow& SessionTable::tcp(SessionIndex index) { return tcp_[index]; }
inline const Session& SessionTable::at(SessionIndex index) const { return sessions_[index]; }
inline const SessionCold& SessionTable::cold(SessionIndex index) const { return cold_[index]; }
inline uint32_t SessionTable::size() const { return size_; }
inline uint32_t SessionTable::capacity() const { return capacity_; }

}  // namespace weir::dataplane
