#include "inspection/stream/tcp_stream.h"

#include <algorithm>
#include <cstring>

namespace weir::inspection {

namespace {

/// How far `a` lies after `b`; negative if before.
int64_t distance(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b); }

}  // namespace

StreamAssembler::StreamAssembler(uint32_t window, uint32_t records, uint32_t slots)
    : window_(window),
      max_records_(records),
      pool_(slots),
      block_capacity_(window + kMaxPayload + records * SegmentPool::kSlotBytes),
      block_bytes_(std::make_unique_for_overwrite<uint8_t[]>(block_capacity_)) {}

void StreamAssembler::on_syn(StreamState& state, uint32_t seq) const {
  // Once the receiver confirmed the beginning, another SYN changes nothing at the receiver, so it must not
  // here.
  if (state.anchored && (!state.from_syn || state.confirmed)) return;
  state.anchored = true;
  state.from_syn = true;
  state.next_seq = seq + 1;
}

void StreamAssembler::confirm(StreamState& state, uint32_t ack) const {
  if (state.confirmed || (state.anchored && !state.from_syn)) return;
  state.anchored = state.from_syn = state.confirmed = true;
  state.next_seq = ack;
}

AckFate StreamAssembler::on_ack(StreamState& state, uint32_t ack) const {
  if (!state.anchored || (state.from_syn && !state.confirmed)) return AckFate::known;
  if (distance(ack, state.next_seq) > 0) {
    for (uint32_t i = state.records; i != SegmentPool::kNone; i = pool_.slot(i).next) {
      if (distance(ack, pool_.slot(i).seq + pool_.slot(i).size) <= 0) return AckFate::past_gap;
    }
    return AckFate::known;
  }
  if (!state.has_ack || distance(ack, state.acked_seq) > 0) {
    state.has_ack = true;
    state.acked_seq = ack;
  }
  return AckFate::known;
}

bool StreamAssembler::skip_gap(StreamState& state, const uint8_t* carry_over, uint32_t ack) {
  const uint32_t first = pool_.slot(state.records).seq;
  const uint32_t next = distance(ack, first) < 0 ? ack : first;
  state.offset += next - state.next_seq;
  state.next_seq = next;
  state.window_size = 0;  // what was kept does not touch what follows
  build_block(state, carry_over, {});
  return !block_.fresh().empty();
}

SegmentFate StreamAssembler::accept(StreamState& state, const uint8_t* carry_over, uint32_t seq,
                                    std::span<const uint8_t> payload, bool& also_unknown) {
  also_unknown = false;
  if (!state.anchored) {  // picked up in the middle
    state.anchored = true;
    state.next_seq = seq;
  }
  const int64_t ahead = distance(seq, state.next_seq);
  if (ahead > 0) return record(state, seq, payload);

  const auto old_size = static_cast<size_t>(std::min<int64_t>(-ahead, static_cast<int64_t>(payload.size())));
  const auto fresh = payload.subspan(old_size);
  if (old_size > 0) {
    switch (compare_old(state, carry_over, seq, payload.first(old_size), !fresh.empty())) {
      case OldBytes::conflict:
        return SegmentFate::conflict;
      case OldBytes::unknown:
        also_unknown = true;
        break;
      case OldBytes::equal:
        break;
    }
  }
  if (fresh.empty()) return also_unknown ? SegmentFate::unknown_old : SegmentFate::nothing_new;
  if (!agrees_with_records(state, state.next_seq, fresh)) return SegmentFate::conflict;
  build_block(state, carry_over, fresh);
  return SegmentFate::new_data;
}

/// Bytes before next_seq. What the receiver has acknowledged it will not read again, so anything may stand
/// there (keep-alive probes carry a byte of garbage). The rest the receiver may have lost and would take.
StreamAssembler::OldBytes StreamAssembler::compare_old(const StreamState& state, const uint8_t* carry_over,
                                                       uint32_t seq, std::span<const uint8_t> old_bytes,
                                                       bool with_new) const {
  const int64_t back = distance(state.next_seq, seq);
  if (state.from_syn && static_cast<uint64_t>(back) > state.offset) {
    // A probe of one byte right before the first one is harmless; other bytes there belong to no stream we
    // know.
    const bool probe = static_cast<uint64_t>(back) == state.offset + 1 && old_bytes.size() == 1 && !with_new;
    return probe ? OldBytes::equal : OldBytes::conflict;
  }
  int64_t skip = 0;  // of old_bytes: acknowledged
  if (state.has_ack)
    skip = std::clamp<int64_t>(distance(state.acked_seq, seq), 0, static_cast<int64_t>(old_bytes.size()));
  if (skip == static_cast<int64_t>(old_bytes.size())) return OldBytes::equal;
  const bool unknown = back - skip > static_cast<int64_t>(state.window_size);
  if (unknown) skip = back - static_cast<int64_t>(state.window_size);
  if (skip < static_cast<int64_t>(old_bytes.size())) {
    const auto compared = old_bytes.subspan(static_cast<size_t>(skip));
    const uint8_t* seen = carry_over + (static_cast<int64_t>(state.window_size) - (back - skip));
    if (std::memcmp(seen, compared.data(), compared.size()) != 0) return OldBytes::conflict;
  }
  return unknown ? OldBytes::unknown : OldBytes::equal;
}

bool StreamAssembler::agrees_with_records(const StreamState& state, uint32_t seq,
                                          std::span<const uint8_t> payload) const {
  const auto size = static_cast<int64_t>(payload.size());
  for (uint32_t i = state.records; i != SegmentPool::kNone; i = pool_.slot(i).next) {
    const auto data = pool_.data(i);
    const int64_t at = distance(pool_.slot(i).seq, seq);
    const int64_t first = std::max<int64_t>(at, 0);
    const int64_t last = std::min(at + static_cast<int64_t>(data.size()), size);
    if (first >= last) continue;
    if (std::memcmp(payload.data() + first, data.data() + (first - at), static_cast<size_t>(last - first)) !=
        0) {
      return false;
    }
  }
  return true;
}

SegmentFate StreamAssembler::record(StreamState& state, uint32_t seq, std::span<const uint8_t> payload) {
  if (!agrees_with_records(state, seq, payload)) return SegmentFate::conflict;
  // What is recorded already, from the beginning on, needs no second record.
  int64_t covered = 0;
  for (uint32_t i = state.records; i != SegmentPool::kNone; i = pool_.slot(i).next) {
    const int64_t at = distance(pool_.slot(i).seq, seq);
    if (at <= covered) covered = std::max(covered, at + pool_.slot(i).size);
  }
  if (covered >= static_cast<int64_t>(payload.size())) return SegmentFate::recorded;
  auto rest = payload.subspan(static_cast<size_t>(covered));
  const size_t needed = (rest.size() + SegmentPool::kSlotBytes - 1) / SegmentPool::kSlotBytes;
  if (state.record_count + needed > max_records_ || needed > pool_.free_count())
    return SegmentFate::unrecordable;
  uint32_t at = seq + static_cast<uint32_t>(covered);
  while (!rest.empty()) {
    const size_t size = std::min(rest.size(), SegmentPool::kSlotBytes);
    const uint32_t index = pool_.acquire();
    pool_.slot(index) = {at, static_cast<uint16_t>(size), SegmentPool::kNone};
    std::memcpy(pool_.bytes(index), rest.data(), size);
    insert(state, index);
    rest = rest.subspan(size);
    at += static_cast<uint32_t>(size);
  }
  return SegmentFate::recorded;
}

void StreamAssembler::insert(StreamState& state, uint32_t slot) {
  const uint32_t seq = pool_.slot(slot).seq;
  uint32_t* link = &state.records;
  while (*link != SegmentPool::kNone && distance(pool_.slot(*link).seq, seq) <= 0)
    link = &pool_.slot(*link).next;
  pool_.slot(slot).next = *link;
  *link = slot;
  ++state.record_count;
}

void StreamAssembler::build_block(const StreamState& state, const uint8_t* carry_over,
                                  std::span<const uint8_t> fresh) {
  uint8_t* out = block_bytes_.get();
  std::memcpy(out, carry_over, state.window_size);
  size_t size = state.window_size;
  if (!fresh.empty()) std::memcpy(out + size, fresh.data(), fresh.size());
  size += fresh.size();
  // Where the records continue, relative to next_seq.
  auto end = static_cast<int64_t>(fresh.size());
  drained_ = 0;
  for (uint32_t i = state.records; i != SegmentPool::kNone; i = pool_.slot(i).next) {
    const auto data = pool_.data(i);
    const int64_t at = distance(pool_.slot(i).seq, state.next_seq);
    if (at > end) break;
    ++drained_;
    const int64_t known = end - at;
    if (known >= static_cast<int64_t>(data.size())) continue;
    const auto rest = data.subspan(static_cast<size_t>(known));
    std::memcpy(out + size, rest.data(), rest.size());
    size += rest.size();
    end += static_cast<int64_t>(rest.size());
  }
  block_ = {{out, size}, state.window_size, state.offset - state.window_size};
}

void StreamAssembler::commit(StreamState& state, uint8_t* carry_over) {
  for (; drained_ > 0; --drained_) {
    const uint32_t index = state.records;
    state.records = pool_.slot(index).next;
    pool_.release(index);
    --state.record_count;
  }
  const size_t fresh = block_.bytes.size() - block_.old_size;
  state.next_seq += static_cast<uint32_t>(fresh);
  state.offset += fresh;
  const size_t keep = std::min<size_t>(window_, block_.bytes.size());
  std::memcpy(carry_over, block_.bytes.data() + (block_.bytes.size() - keep), keep);
  state.window_size = static_cast<uint32_t>(keep);
}

void StreamAssembler::release(StreamState& state) {
  while (state.records != SegmentPool::kNone) {
    const uint32_t index = state.records;
    state.records = pool_.slot(index).next;
    pool_.release(index);
  }
  state.record_count = 0;
}

}  // namespace weir::inspection
