#include "dataplane/session/session_table.h"

#include <sys/mman.h>

#include <bit>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <string>
#include <type_traits>

#include "dataplane/core/huge_memory.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace weir::dataplane {

namespace {

constexpr size_t kPage = 4'096;

template <typename Key>
bool same(const Key& a, const Key& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

/// Makes the kernel back the memory now, so that no worker faults later. False: it cannot.
bool populate(void* memory, size_t bytes) {
  madvise(memory, bytes, MADV_HUGEPAGE);  // only advice: without huge pages it merely is slower
  if (madvise(memory, bytes, MADV_POPULATE_WRITE) == 0) return true;
  if (errno != EINVAL) return false;
  auto* byte = static_cast<volatile uint8_t*>(memory);  // a kernel before 5.14: touch each page
  for (size_t i = 0; i < bytes; i += kPage) byte[i] = 0;
  return true;
}

}  // namespace

/// Where each array lies in the one mapping.
struct SessionTable::Layout {
  uint32_t heads = 0;
  uint32_t overflow = 0;
  size_t sessions = 0;
  size_t cold = 0;
  size_t tcp = 0;
  size_t translations = 0;
  size_t buckets = 0;
  size_t free_ring = 0;
  size_t wheel = 0;
  size_t total = 0;
};

SessionTable::Layout SessionTable::layout_of(uint32_t capacity) {
  Layout at;
  at.heads = capacity < 2 ? 1 : capacity / 2;
  at.overflow = (capacity * 2 + kBucketKeys - 1) / kBucketKeys;
  const auto place = [&at](size_t bytes) {
    const size_t start = at.total;
    at.total += (bytes + 63) / 64 * 64;
    return start;
  };
  at.sessions = place(sizeof(Session) * capacity);
  at.cold = place(sizeof(SessionCold) * capacity);
  at.tcp = place(sizeof(TcpWindow) * capacity);
  at.translations = place(sizeof(SessionTranslation) * capacity);
  at.buckets = place(sizeof(Bucket) * (static_cast<size_t>(at.heads) + at.overflow));
  at.free_ring = place(sizeof(uint32_t) * capacity);
  at.wheel = place(sizeof(uint32_t) * kWheelSlots);
  // From an eighth of a huge page on it gets whole ones, since on small pages every line costs a look into
  // the second-level TLB.
  const size_t page = at.total >= kHugePageBytes / 8 ? kHugePageBytes : kPage;
  at.total = (at.total + page - 1) / page * page;
  return at;
}

size_t SessionTable::bytes_for(uint32_t capacity) { return layout_of(capacity).total; }

Result<std::unique_ptr<SessionTable>> SessionTable::create(uint32_t capacity, Tick now) {
  if (capacity == 0 || capacity > kMaxCapacity) {
    return fail(ErrorCode::invalid, "the number of sessions must be between 1 and " +
                                        std::to_string(kMaxCapacity) + ", not " + std::to_string(capacity));
  }
  const Layout layout = layout_of(capacity);
  const auto no_memory = [&] {
    return fail(ErrorCode::exhausted, "no memory for " + std::to_string(capacity) + " sessions, which need " +
                                          std::to_string((layout.total >> 20) + 1) +
                                          " MiB: " + std::strerror(errno));
  };
  // Some address space more, so that it can begin with a whole huge page.
  const size_t mapped = layout.total + kHugePageBytes;
  void* memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return no_memory();
  std::unique_ptr<SessionTable> table(new SessionTable);
  table->memory_ = memory;
  table->memory_bytes_ = mapped;
  auto* base = static_cast<uint8_t*>(memory);
  base += (kHugePageBytes - reinterpret_cast<uintptr_t>(base) % kHugePageBytes) % kHugePageBytes;
  if (!populate(base, layout.total)) return no_memory();

  // Zeroed memory is what default-constructed sessions and buckets are, but for the timers, which insert()
  // resets, and that no session is in use.
  table->sessions_ = reinterpret_cast<Session*>(base + layout.sessions);
  table->cold_ = reinterpret_cast<SessionCold*>(base + layout.cold);
  table->tcp_ = reinterpret_cast<TcpWindow*>(base + layout.tcp);
  table->translations_ = reinterpret_cast<SessionTranslation*>(base + layout.translations);
  table->translation_offset_ =
      reinterpret_cast<char*>(table->translations_) - reinterpret_cast<char*>(table->sessions_);
  table->buckets_ = reinterpret_cast<Bucket*>(base + layout.buckets);
  table->free_ring_ = reinterpret_cast<uint32_t*>(base + layout.free_ring);
  table->wheel_ = reinterpret_cast<uint32_t*>(base + layout.wheel);
  table->capacity_ = capacity;
  table->bucket_count_ = layout.heads;
  table->wheel_now_ = now;
  for (uint32_t i = 0; i < capacity; ++i) {
    table->sessions_[i].flags = Session::kFree;
    table->free_ring_[i] = i;
  }
  for (uint32_t i = 0; i < kWheelSlots; ++i) table->wheel_[i] = kNoSession;
  for (uint32_t i = layout.heads + layout.overflow; i-- > layout.heads;) {
    table->buckets_[i].next = table->overflow_free_;
    table->overflow_free_ = i;
  }
  return table;
}

SessionTable::~SessionTable() {
  if (memory_ != nullptr) munmap(memory_, memory_bytes_);
}

// --- keys ---

Key4 SessionTable::key4(SessionIndex index, Direction direction) const {
  const Session& s = sessions_[index];
  const auto d = static_cast<size_t>(direction);
  return {s.address4[d], s.address4[1 - d], s.port[d], s.port[1 - d], s.domain[d], s.protocol, 0};
}

Key6 SessionTable::key6(SessionIndex index, Direction direction) const {
  const Session& s = sessions_[index];
  const SessionCold& c = cold_[index];
  const auto d = static_cast<size_t>(direction);
  return {c.address6[d], c.address6[1 - d], s.port[d], s.port[1 - d], s.domain[d], s.protocol, 0};
}

Tuple SessionTable::tuple(SessionIndex index) const {
  const Session& s = sessions_[index];
  Tuple tuple{{}, {}, s.port[0], s.port[1], s.protocol};
  if ((s.flags & Session::kIpv6) != 0) {
    tuple.src = cold_[index].address6[0];
    tuple.dst = cold_[index].address6[1];
  } else {
    tuple.src = net::Ipv4{s.address4[0]};
    tuple.dst = net::Ipv4{s.address4[1]};
  }
  return tuple;
}

/// ICMPv6 leaves as ICMP by NAT64.
static uint8_t leaving_protocol(const Session& s) {
  const bool nat64 = (s.flags & Session::kNat64) != 0;
  return nat64 && s.protocol == net::kProtoIcmpv6 ? uint8_t{net::kProtoIcmp} : s.protocol;
}

Tuple SessionTable::leaving(SessionIndex index, Direction direction) const {
  const Session& s = sessions_[index];
  if ((s.flags & Session::kTranslated) == 0 || direction == Direction::reverse) {
    const Tuple own = tuple(index);
    return direction == Direction::forward ? own : own.reversed();
  }
  if ((s.flags & Session::kOtherEnd) != 0) {
    Tuple leaves = tuple(index);
    const bool source = (s.flags & Session::kOtherSource) != 0;
    (source ? leaves.src : leaves.dst) = net::Ipv4{s.other_address};
    (source ? leaves.src_port : leaves.dst_port) = s.other_port;
    return leaves;
  }
  const SessionTranslation& t = translations_[index];
  if ((s.flags & (Session::kIpv6 | Session::kNat64)) == Session::kIpv6)
    return {t.ends6[0], t.ends6[1], t.port6[0], t.port6[1], s.protocol};
  return {net::Ipv4{t.ends4.address[0]}, net::Ipv4{t.ends4.address[1]}, t.ends4.port[0], t.ends4.port[1],
          leaving_protocol(s)};
}

bool SessionTable::holds_translated(const Session& s, Direction direction, const Key6& key) const {
  const SessionCold& c = cold_[index_of(s)];
  if (s.protocol != key.protocol || (s.flags & Session::kIpv6) == 0) return false;
  if (direction == Direction::forward) {
    return c.address6[0] == key.src && c.address6[1] == key.dst && s.port[0] == key.src_port &&
           s.port[1] == key.dst_port && s.domain[0] == key.domain;
  }
  if ((s.flags & Session::kNat64) != 0) return false;
  const SessionTranslation& t = translations_[index_of(s)];
  return t.ends6[1] == key.src && t.ends6[0] == key.dst && t.port6[1] == key.src_port &&
         t.port6[0] == key.dst_port && s.domain[1] == key.domain;
}

bool SessionTable::holds_nat64(const Session& s, Direction direction, const Key4& key) const {
  if ((s.flags & Session::kNat64) == 0 || direction == Direction::forward) return false;
  const SessionTranslation::Ends4& ends = translation_of(s).ends4;
  return ends.address[1] == key.src && ends.address[0] == key.dst && ends.port[1] == key.src_port &&
         ends.port[0] == key.dst_port && s.domain[1] == key.domain && leaving_protocol(s) == key.protocol;
}

// --- insert and remove ---

void SessionTable::fill_addresses(SessionIndex index, const Key4& forward) {
  sessions_[index].address4[0] = forward.src;
  sessions_[index].address4[1] = forward.dst;
}

void SessionTable::fill_addresses(SessionIndex index, const Key6& forward) {
  sessions_[index].flags = Session::kIpv6;
  cold_[index].address6[0] = forward.src;
  cold_[index].address6[1] = forward.dst;
}

static void note_leaving(const Key4& from, const Key4& to, Session& s, SessionTranslation& t) {
  const bool same_source = from.src == to.src && from.src_port == to.src_port;
  const bool same_destination = from.dst == to.dst && from.dst_port == to.dst_port;
  if (!same_source && !same_destination) {
    t.ends4 = {{to.src, to.dst}, {to.src_port, to.dst_port}, {s.domain[0], s.domain[1]}};
    return;
  }
  s.flags |= same_destination ? Session::kOtherSource : Session::kOtherDestination;
  s.other_address = same_destination ? to.src : to.dst;
  s.other_port = same_destination ? to.src_port : to.dst_port;
}
static void note_leaving(const Key6&, const Key4& to, Session& s, SessionTranslation& t) {
  s.flags |= Session::kNat64;
  t.ends4 = {{to.src, to.dst}, {to.src_port, to.dst_port}, {s.domain[0], s.domain[1]}};
}
static void note_leaving(const Key6&, const Key6& to, Session&, SessionTranslation& t) {
  t.ends6[0] = to.src;
  t.ends6[1] = to.dst;
  t.port6[0] = to.src_port;
  t.port6[1] = to.dst_port;
}

template <typename Key, typename Leaves>
SessionIndex SessionTable::insert_leaving(const Key& forward, const Leaves& leaves, uint16_t reverse_domain,
                                          NanoTime now) {
  const SessionIndex index = insert_keys(forward, mirrored(leaves, reverse_domain), now);
  if (index == kNoSession) return index;
  sessions_[index].flags |= Session::kTranslated;
  translations_[index] = {};
  note_leaving(forward, leaves, sessions_[index], translations_[index]);
  return index;
}

SessionIndex SessionTable::insert_translated(const Key4& forward, const Key4& leaves, uint16_t reverse_domain,
                                             NanoTime now) {
  return insert_leaving(forward, leaves, reverse_domain, now);
}
SessionIndex SessionTable::insert_translated(const Key6& forward, const Key6& leaves, uint16_t reverse_domain,
                                             NanoTime now) {
  return insert_leaving(forward, leaves, reverse_domain, now);
}

SessionIndex SessionTable::insert_translated(const Key6& forward, const Key4& leaves, uint16_t reverse_domain,
                                             NanoTime now) {
  return insert_leaving(forward, leaves, reverse_domain, now);
}

template <typename Key, typename Reverse>
SessionIndex SessionTable::insert_keys(const Key& forward, const Reverse& reverse, NanoTime now) {
  if (size_ == capacity_) return kNoSession;
  if constexpr (std::is_same_v<Key, Reverse>) {
    if (same(forward, reverse)) return kNoSession;
  }
  const uint32_t hash[2] = {hash_of(forward), hash_of(reverse)};
  if (find(forward, hash[0]) || find(reverse, hash[1])) return kNoSession;

  const SessionIndex index = free_ring_[free_head_];
  if (!index_insert(hash[0], index << 1)) return kNoSession;
  if (!index_insert(hash[1], index << 1 | 1)) {
    index_remove(hash[0], index << 1);
    return kNoSession;
  }
  free_head_ = free_head_ + 1 == capacity_ ? 0 : free_head_ + 1;
  ++size_;

  Session& s = sessions_[index];
  SessionCold& c = cold_[index];
  const uint32_t generation = c.generation + 1;
  s = Session{};
  c = SessionCold{};
  s.port[0] = forward.src_port;
  s.port[1] = forward.dst_port;
  s.domain[0] = forward.domain;
  s.domain[1] = reverse.domain;
  s.protocol = forward.protocol;
  s.state = SessionState::active;
  c.generation = generation;
  c.start_ns = now;
  c.hash[0] = hash[0];
  c.hash[1] = hash[1];
  fill_addresses(index, forward);
  return index;
}

SessionIndex SessionTable::insert(const Key4& forward, const Key4& reverse, NanoTime now) {
  return same(reverse, mirrored(forward, reverse.domain)) ? insert_keys(forward, reverse, now) : kNoSession;
}
SessionIndex SessionTable::insert(const Key6& forward, const Key6& reverse, NanoTime now) {
  return same(reverse, mirrored(forward, reverse.domain)) ? insert_keys(forward, reverse, now) : kNoSession;
}

void SessionTable::remove(SessionIndex index) {
  assert(index < capacity_ && in_use(index));
  disarm(index);
  index_remove(cold_[index].hash[0], index << 1);
  index_remove(cold_[index].hash[1], index << 1 | 1);
  sessions_[index].state = SessionState::free;
  sessions_[index].flags = Session::kFree;
  const uint64_t tail = static_cast<uint64_t>(free_head_) + (capacity_ - size_);
  free_ring_[tail < capacity_ ? tail : tail - capacity_] = index;
  --size_;
}

bool SessionTable::index_insert(uint32_t hash, uint32_t entry) {
  Bucket* bucket = &buckets_[bucket_of(hash)];
  uint32_t free_keys = matching(*bucket, 0);
  for (uint32_t overflow = 0; free_keys == 0; ++overflow) {
    if (bucket->next == 0) {
      if (overflow == kMaxOverflow) return false;
      const uint32_t fresh = overflow_free_;
      assert(fresh != 0);  // by the pool's size
      overflow_free_ = buckets_[fresh].next;
      buckets_[fresh].next = 0;
      bucket->next = fresh;
    }
    bucket = &buckets_[bucket->next];
    free_keys = matching(*bucket, 0);
  }
  const uint32_t slot = slot_of(free_keys);
  bucket->tag[slot] = tag_of(hash);
  bucket->entry[slot] = entry;
  return true;
}

void SessionTable::index_remove(uint32_t hash, uint32_t entry) {
  const uint16_t tag = tag_of(hash);
  Bucket* bucket = &buckets_[bucket_of(hash)];
  int slot = -1;
  for (;; bucket = &buckets_[bucket->next]) {
    for (uint32_t m = matching(*bucket, tag); m != 0; m = without_first(m)) {
      if (bucket->entry[slot_of(m)] == entry) slot = static_cast<int>(slot_of(m));
    }
    if (slot >= 0) break;
    assert(bucket->next != 0);
  }

  // A key of the chain's last bucket fills the hole, so that all but the last stay full.
  Bucket* before = nullptr;
  Bucket* last = bucket;
  while (last->next != 0) {
    before = last;
    last = &buckets_[last->next];
  }
  const uint32_t moved = last == bucket ? static_cast<uint32_t>(slot) : slot_of(~matching(*last, 0));
  bucket->tag[slot] = last->tag[moved];
  bucket->entry[slot] = last->entry[moved];
  last->tag[moved] = 0;
  if (matching(*last, 0) != kAllSlots) return;

  const auto last_index = static_cast<uint32_t>(last - buckets_);
  if (last_index < bucket_count_) return;  // a head stays
  if (before == nullptr) {                 // the hole was in the last bucket itself: find the one before it
    before = &buckets_[bucket_of(hash)];
    while (before->next != last_index) before = &buckets_[before->next];
  }
  before->next = 0;
  last->next = overflow_free_;
  overflow_free_ = last_index;
}

// --- half-open sessions ---

void SessionTable::list_half_open(SessionIndex index) {
  SessionTranslation& added = translations_[index];
  added.older = newest_half_open_;
  added.newer = kNoSession;
  if (newest_half_open_ == kNoSession) {
    oldest_half_open_ = index;
  } else {
    translations_[newest_half_open_].newer = index;
  }
  newest_half_open_ = index;
}

void SessionTable::unlist_half_open(SessionIndex index) {
  const SessionTranslation& gone = translations_[index];
  (gone.older == kNoSession ? oldest_half_open_ : translations_[gone.older].newer) = gone.newer;
  (gone.newer == kNoSession ? newest_half_open_ : translations_[gone.newer].older) = gone.older;
}

// --- timing wheel ---

void SessionTable::disarm(SessionIndex index) {
  SessionCold& c = cold_[index];
  if (c.timer_slot == kNoTimer) return;
  if (c.timer_prev == kNoSession) {
    wheel_[c.timer_slot] = c.timer_next;
  } else {
    cold_[c.timer_prev].timer_next = c.timer_next;
  }
  if (c.timer_next != kNoSession) cold_[c.timer_next].timer_prev = c.timer_prev;
  c.timer_slot = kNoTimer;
}

void SessionTable::arm(SessionIndex index, Tick now, uint32_t after) {
  disarm(index);
  // While timers over the budget wait, the wheel is behind `now`; it turns once around from where it is.
  uint64_t distance = now.since(wheel_now_);
  distance += after == 0 ? 1 : after;
  if (distance > kMaxTimerTicks) distance = kMaxTimerTicks;
  const auto slot = static_cast<uint16_t>((wheel_now_.value + static_cast<uint32_t>(distance)) % kWheelSlots);
  SessionCold& c = cold_[index];
  c.timer_slot = slot;
  c.timer_prev = kNoSession;
  c.timer_next = wheel_[slot];
  if (c.timer_next != kNoSession) cold_[c.timer_next].timer_prev = index;
  wheel_[slot] = index;
}

SessionIndex SessionTable::next_due(Tick now) {
  // After a leap of more than a turn every slot is due, and one turn finds them all.
  if (now.since(wheel_now_) > kWheelSlots) wheel_now_.value = now.value - kWheelSlots;
  for (;;) {
    const SessionIndex index = wheel_[wheel_now_.value % kWheelSlots];
    if (index != kNoSession) {
      disarm(index);
      return index;
    }
    if (wheel_now_ == now) return kNoSession;
    ++wheel_now_.value;
  }
}

}  // namespace weir::dataplane
