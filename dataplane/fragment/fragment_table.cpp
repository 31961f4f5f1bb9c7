#include "dataplane/fragment/fragment_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace weir::dataplane {

namespace {

/// The 128-bit product, folded: with a secret factor, whoever picks the key cannot aim at a bucket.
uint64_t mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint32_t share_of(uint32_t limit) { return std::max<uint32_t>(1, limit / FragmentTable::kShareDivisor); }

uint32_t bucket_count(const FragmentLimits& limits) {
  return std::bit_ceil(std::max<uint32_t>(limits.datagrams, 2));
}

bool same(const FragmentKey& a, const FragmentKey& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

}  // namespace

FragmentLimits worker_share(const FragmentLimits& hub, uint32_t workers) {
  const uint32_t tables = 2 * workers;
  return {(hub.held + tables - 1) / tables, (hub.datagrams + tables - 1) / tables, hub.pieces};
}

FragmentTable::FragmentTable(const FragmentLimits& limits, uint64_t secret)
    : limits_(limits),
      held_share_(share_of(limits.held)),
      datagram_share_(share_of(limits.datagrams)),
      secret_(secret | 1),
      mask_(bucket_count(limits) - 1),
      buckets_(bucket_count(limits), kNone),
      datagrams_(limits.datagrams),
      pieces_(size_t{limits.datagrams} * limits.pieces),
      held_(limits.held),
      shares_(kShares) {
  for (Index i = limits.datagrams; i-- != 0; free_datagram_ = i) datagrams_[i].next = free_datagram_;
  for (Index i = limits.held; i-- != 0; free_held_ = i) held_[i].next = free_held_;
}

size_t FragmentTable::bytes(const FragmentLimits& l) {
  return bucket_count(l) * sizeof(Index) + l.datagrams * (sizeof(Datagram) + l.pieces * sizeof(Piece)) +
         l.held * sizeof(Held) + kShares * sizeof(Share);
}

uint32_t FragmentTable::bucket_of(const FragmentKey& key) const {
  uint64_t words[sizeof key / 8];
  std::memcpy(words, &key, sizeof key);
  uint64_t hash = secret_;
  for (const uint64_t word : words) hash = mix(hash ^ word, secret_ ^ 0x9e37'79b9'7f4a'7c15ULL);
  return static_cast<uint32_t>(hash) & mask_;
}

FragmentTable::Index FragmentTable::find(const FragmentKey& key) const {
  for (Index at = buckets_[bucket_of(key)]; at != kNone; at = datagrams_[at].next) {
    if (same(datagrams_[at].key, key)) return at;
  }
  return kNone;
}

/// A new datagram, or kNone if there is no room for it.
FragmentTable::Index FragmentTable::begin(const Fragment& fragment, NanoTime now) {
  const uint32_t share = fragment.share % kShares;
  if (free_datagram_ == kNone || shares_[share].datagrams >= datagram_share_) return kNone;
  const Index index = free_datagram_;
  Datagram& d = datagrams_[index];
  free_datagram_ = d.next;
  d = {};
  d.key = fragment.key;
  d.began = now;
  d.share = share;
  Index& bucket = buckets_[bucket_of(fragment.key)];
  d.next = bucket;
  bucket = index;
  d.older = newest_;
  (newest_ == kNone ? oldest_ : datagrams_[newest_].newer) = index;
  newest_ = index;
  ++datagram_count_;
  ++shares_[share].datagrams;
  return index;
}

void FragmentTable::forget(Index index) {
  Datagram& d = datagrams_[index];
  Index* link = &buckets_[bucket_of(d.key)];
  while (*link != index) link = &datagrams_[*link].next;
  *link = d.next;
  (d.older == kNone ? oldest_ : datagrams_[d.older].newer) = d.newer;
  (d.newer == kNone ? newest_ : datagrams_[d.newer].older) = d.older;
  --datagram_count_;
  --shares_[d.share].datagrams;
  d.next = free_datagram_;
  free_datagram_ = index;
}

/// Notes which bytes came. Anything but `none`: the fragment is dropped for that.
DropReason FragmentTable::add_piece(Datagram& d, Index index, const Fragment& fragment) {
  const Piece piece{static_cast<uint16_t>(fragment.offset),
                    static_cast<uint16_t>(fragment.offset + fragment.length)};
  Piece* pieces = &pieces_[size_t{index} * limits_.pieces];
  uint32_t furthest = 0;
  for (uint32_t i = 0; i < d.pieces; ++i) {
    const Piece& other = pieces[i];
    if (other.begin == piece.begin && other.end == piece.end) return DropReason::fragment_duplicate;
    if (piece.begin < other.end && other.begin < piece.end) return d.spoilt = DropReason::fragment_overlap;
    furthest = std::max<uint32_t>(furthest, other.end);
  }
  // Two ends, or something behind the end.
  const bool beyond = fragment.more ? piece.end >= d.total : furthest > piece.end || d.total != kUnknown;
  if (beyond) return d.spoilt = DropReason::fragment_bad;
  if (d.pieces == limits_.pieces) return d.spoilt = DropReason::fragment_too_many;
  pieces[d.pieces++] = piece;
  d.seen += fragment.length;
  if (!fragment.more) d.total = piece.end;
  d.first_came |= fragment.offset == 0;
  return DropReason::none;
}

bool FragmentTable::hold(Datagram& d, const Fragment& fragment) {
  if (free_held_ == kNone || shares_[d.share].held >= held_share_) return false;
  const Index index = free_held_;
  Held& held = held_[index];
  free_held_ = held.next;
  held = {fragment.packet,
          kNone,
          {static_cast<uint16_t>(fragment.offset), static_cast<uint16_t>(fragment.offset + fragment.length)}};
  (d.held_tail == kNone ? d.held_head : held_[d.held_tail].next) = index;
  d.held_tail = index;
  ++held_count_;
  ++shares_[d.share].held;
  return true;
}

FragmentTable::Answer FragmentTable::offer(const Fragment& fragment, NanoTime now) {
  using Kind = Answer::Kind;
  if (fragment.length == 0 || (fragment.more && fragment.length % 8 != 0))
    return {Kind::drop, DropReason::fragment_bad, kNone};
  if (fragment.offset + fragment.length > std::min<uint32_t>(fragment.room, UINT16_MAX))
    return {Kind::drop, DropReason::fragment_too_long, kNone};

  Index index = find(fragment.key);
  if (index == kNone) index = begin(fragment, now);
  if (index == kNone) return {Kind::drop, DropReason::fragment_limit, kNone};
  Datagram& d = datagrams_[index];
  if (d.spoilt != DropReason::none) return {Kind::drop, d.spoilt, index};
  if (const DropReason reason = add_piece(d, index, fragment); reason != DropReason::none)
    return {reason == d.spoilt ? Kind::spoil : Kind::drop, reason, index};

  if (fragment.key.use == FragmentUse::inner ? d.first_came : complete(d))
    return {fragment.key.use == FragmentUse::inner ? Kind::pass : Kind::whole, DropReason::none, index};
  if (!hold(d, fragment)) return {Kind::spoil, d.spoilt = DropReason::fragment_limit, index};
  return {Kind::hold, DropReason::none, index};
}

void FragmentTable::finish(Index index) {
  if (index == kNone) return;
  const Datagram& d = datagrams_[index];
  if (d.spoilt == DropReason::none && complete(d) && d.held_head == kNone) forget(index);
}

}  // namespace weir::dataplane
