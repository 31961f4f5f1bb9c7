#include "inspection/stream/tcp_track.h"

#include <algorithm>
#include <cstring>

namespace weir::inspection {

struct Record {
  Record* next = nullptr;
  uint32_t seq = 0;
  uint32_t begin = 0;  // of what was not handed out yet, in bytes()
  uint32_t size = 0;   // from there on
  uint32_t room = 0;   // what the block was asked for
  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this + 1) + begin; }
  const uint8_t* bytes() const { return reinterpret_cast<const uint8_t*>(this + 1) + begin; }
  uint32_t end() const { return seq + size; }
};

namespace {

constexpr size_t kMaxRecord = BytePool::kLargest - sizeof(Record);

/// What a record of that many bytes counts as.
uint32_t charge(uint32_t bytes) { return std::max(bytes, TcpTrack::kLeastRecord); }

int32_t diff(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b); }
bool before(uint32_t a, uint32_t b) { return diff(a, b) < 0; }
uint32_t later(uint32_t a, uint32_t b) { return before(a, b) ? b : a; }
uint32_t earlier(uint32_t a, uint32_t b) { return before(a, b) ? a : b; }

bool is(const EnginePacket& packet, uint8_t flag) { return (packet.view.tcp_flags & flag) != 0; }

}  // namespace

const char* name_of(TcpState state) {
  static constexpr const char* kNames[] = {"none",       "syn_sent",  "syn_recv",  "established",
                                           "fin_wait1",  "fin_wait2", "time_wait", "last_ack",
                                           "close_wait", "closing",   "closed"};
  return kNames[static_cast<size_t>(state)];
}

TcpFate TcpTrack::track(const EnginePacket& packet) {
  direct_ = {};
  mut(packet.view.direction).flags |= packet.view.tcp_flags;
  if (is(packet, kTcpSyn) && (is(packet, kTcpFin) || is(packet, kTcpRst))) return TcpFate::bad_flags;
  if (settings_.strict) {
    if (const TcpFate fate = guard(packet); fate != TcpFate::tracked) return fate;
  }
  if (state_ == TcpState::none) return first_packet(packet);
  if (is(packet, kTcpRst)) return on_reset(packet);
  if (is(packet, kTcpSyn)) return on_syn(packet);
  if (state_ == TcpState::syn_sent) {
    // The answer to the SYN was not seen. One side alone may be all that passes here.
    if (!settings_.async_oneside || packet.view.direction == Direction::to_client) {
      if (!settings_.midstream) return TcpFate::untracked;
    } else {
      async_ = true;
    }
    if (!side(opposite(packet.view.direction)).anchored) {
      Side& other = mut(opposite(packet.view.direction));
      other.anchored = is(packet, kTcpAck);
      other.next = other.delivered = other.acked = packet.view.ack;
    }
    state_ = TcpState::established;
    was_established_ = true;
  }
  if (const TcpFate fate = check(packet); fate != TcpFate::tracked) return fate;
  learn_timestamp(packet);
  acknowledge(packet);
  const TcpFate fate = payload(packet);
  advance_state(packet);
  return fate;
}

TcpFate TcpTrack::first_packet(const EnginePacket& packet) {
  if (is(packet, kTcpRst)) return TcpFate::untracked;
  if (!is(packet, kTcpSyn)) return settings_.midstream ? pick_up(packet) : TcpFate::untracked;
  if (is(packet, kTcpAck) && !settings_.midstream && !settings_.async_oneside) return TcpFate::untracked;
  Side& own = mut(packet.view.direction);
  own.seen_syn = own.anchored = true;
  own.isn = packet.view.seq;
  own.next = own.delivered = own.acked = packet.view.seq + 1;
  own.wscale = packet.has_wscale ? packet.wscale : uint8_t{0};
  learn_timestamp(packet);
  if (is(packet, kTcpAck)) {
    midstream_ = true;
    Side& other = mut(opposite(packet.view.direction));
    other.anchored = true;
    other.isn = packet.view.ack - 1;
    other.next = other.delivered = other.acked = packet.view.ack;
    other.edge = packet.view.ack + packet.view.window;
    other.has_window = true;
    state_ = TcpState::syn_recv;
  } else {
    state_ = TcpState::syn_sent;
  }
  return syn_payload(own, packet);
}

/// Data with a SYN (RFC 7413).
TcpFate TcpTrack::syn_payload(Side& own, const EnginePacket& packet) {
  if (packet.view.payload.empty()) return TcpFate::tracked;
  return settings_.strict ? TcpFate::early : insert(own, packet.view.seq + 1, packet.view.payload);
}

TcpFate TcpTrack::pick_up(const EnginePacket& packet) {
  midstream_ = true;
  was_established_ = true;
  state_ = TcpState::established;
  async_ = settings_.async_oneside;
  Side& own = mut(packet.view.direction);
  own.anchored = true;
  own.next = own.delivered = own.acked = packet.view.seq;
  Side& other = mut(opposite(packet.view.direction));
  if (is(packet, kTcpAck)) {
    other.anchored = true;
    other.next = other.delivered = other.acked = packet.view.ack;
  }
  learn_timestamp(packet);
  const TcpFate fate = payload(packet);
  advance_state(packet);
  return fate;
}

TcpFate TcpTrack::on_syn(const EnginePacket& packet) {
  const Direction direction = packet.view.direction;
  Side& own = mut(direction);
  Side& other = mut(opposite(direction));
  const uint32_t seq = packet.view.seq;
  if (!is(packet, kTcpAck)) {
    const bool over =
        state_ == TcpState::time_wait || state_ == TcpState::last_ack || state_ == TcpState::closed;
    if (over && !(own.seen_syn && own.isn == seq)) return TcpFate::reuse;
    if (own.seen_syn && own.isn == seq) return TcpFate::retransmit;
    if (state_ != TcpState::syn_sent) return TcpFate::bad_flags;
    // Sent anew with another number, or by the other side at the same time (RFC 9293 section 3.5).
    while (own.first != nullptr) drop_record(own);
    own.seen_syn = own.anchored = true;
    own.isn = seq;
    own.next = own.delivered = own.acked = seq + 1;
    own.wscale = packet.has_wscale ? packet.wscale : uint8_t{0};
    own.has_timestamp = false;
    learn_timestamp(packet);
    return settings_.strict ? syn_payload(own, packet) : TcpFate::tracked;
  }
  if (own.seen_syn && own.isn == seq && state_ != TcpState::syn_sent) return TcpFate::retransmit;
  if (state_ != TcpState::syn_sent || direction == Direction::to_server) return TcpFate::bad_flags;
  const uint32_t ack = packet.view.ack;
  if (before(ack, other.isn + 1) || before(later(other.next, other.isn + 1), ack)) return TcpFate::bad_ack;
  own.seen_syn = own.anchored = true;
  own.isn = seq;
  own.next = own.delivered = own.acked = seq + 1;
  if (packet.has_wscale) {
    own.wscale = packet.wscale;
  } else {
    other.wscale = 0;  // both sides have to offer it (RFC 7323 section 2.2)
  }
  if (!own.has_timestamp) learn_timestamp(packet);
  other.acked = ack;
  other.edge = ack + packet.view.window;  // of a SYN it is never scaled
  other.has_window = true;
  state_ = TcpState::syn_recv;
  return syn_payload(own, packet);
}

TcpFate TcpTrack::on_reset(const EnginePacket& packet) {
  Side& own = mut(packet.view.direction);
  const Side& other = side(opposite(packet.view.direction));
  if (state_ == TcpState::syn_sent && packet.view.direction == Direction::to_client) {
    const bool right = is(packet, kTcpAck) && !before(packet.view.ack, other.isn + 1) &&
                       !before(later(other.next, other.isn + 1), packet.view.ack);
    if (!right) return TcpFate::bad_reset;
  } else if (own.anchored && own.has_window) {
    const uint32_t seq = packet.view.seq;
    if (before(seq, own.acked) || (before(own.edge, seq) && seq != own.next)) return TcpFate::bad_reset;
  }
  acknowledge(packet);
  own.reset = true;
  state_ = TcpState::closed;
  return TcpFate::tracked;
}

TcpFate TcpTrack::check(const EnginePacket& packet) {
  const PacketView& view = packet.view;
  Side& own = mut(view.direction);
  Side& other = mut(opposite(view.direction));
  // A receiver discards what has no ACK once the handshake is over (RFC 9293 section 3.10.7.4).
  if (!is(packet, kTcpAck) && !view.payload.empty() && !async_) return TcpFate::bad_flags;
  constexpr uint64_t kTimestampLife = 24ull * 24 * 3600 * 1'000'000'000;  // RFC 7323 section 5.5
  if (packet.has_timestamp && own.has_timestamp && before(packet.timestamp, own.timestamp) &&
      view.time_ns - own.timestamp_ns < kTimestampLife) {
    return TcpFate::bad_timestamp;
  }
  if (!own.anchored) {
    own.anchored = true;
    own.next = own.delivered = own.acked = view.seq;
  }
  if (is(packet, kTcpAck) && other.anchored && other.has_window && !async_) {
    const uint32_t limit = later(other.next + (other.fin ? 1u : 0u), other.edge + 1);
    if (before(limit, view.ack)) return TcpFate::bad_ack;
  }
  if (!own.has_window || midstream_ || async_) return TcpFate::tracked;
  const uint32_t end = view.seq + static_cast<uint32_t>(view.payload.size());
  const uint32_t edge = own.edge + (own.edge == own.acked ? 1u : 0u);  // a probe of a closed window
  return before(edge, end) ? TcpFate::out_of_window : TcpFate::tracked;
}

void TcpTrack::learn_timestamp(const EnginePacket& packet) {
  Side& own = mut(packet.view.direction);
  if (!packet.has_timestamp) return;
  // Of segments in order only, so that one from the future cannot shut out the rest.
  if (own.has_timestamp && before(own.next, packet.view.seq)) return;
  own.has_timestamp = true;
  own.timestamp = packet.timestamp;
  own.timestamp_ns = packet.view.time_ns;
}

void TcpTrack::acknowledge(const EnginePacket& packet) {
  if (!is(packet, kTcpAck)) return;
  Side& other = mut(opposite(packet.view.direction));
  const uint32_t ack = packet.view.ack;
  if (!other.anchored) {
    other.anchored = true;
    other.next = other.delivered = other.acked = ack;
  }
  if (before(other.acked, ack)) other.acked = ack;
  if (is(packet, kTcpRst)) return;
  const uint32_t edge = ack + (uint32_t{packet.view.window} << side(packet.view.direction).wscale);
  if (!other.has_window || before(other.edge, edge)) other.edge = edge;
  // Picked up in the middle, the scale is not known.
  other.has_window = !midstream_;
  if (other.fin && !before(other.acked, other.fin_seq + 1)) other.fin_acked = true;
}

TcpFate TcpTrack::payload(const EnginePacket& packet) {
  const PacketView& view = packet.view;
  Side& own = mut(view.direction);
  if (is(packet, kTcpFin) && !own.fin) {
    own.fin = true;
    own.fin_seq = view.seq + static_cast<uint32_t>(view.payload.size());
  }
  if (view.payload.empty()) return TcpFate::tracked;
  if (state_ == TcpState::syn_recv) was_established_ = true;
  return insert(own, view.seq, view.payload);
}

void TcpTrack::advance_state(const EnginePacket& packet) {
  const bool fin = is(packet, kTcpFin), ack = is(packet, kTcpAck);
  const Direction direction = packet.view.direction;
  const bool to_server = direction == Direction::to_server;
  switch (state_) {
    case TcpState::syn_recv:
      if (!to_server && packet.view.payload.empty() && !fin) return;
      state_ = TcpState::established;
      was_established_ = true;
      [[fallthrough]];
    case TcpState::established:
      if (!fin) return;
      state_ = to_server ? TcpState::close_wait : TcpState::fin_wait1;
      closer_ = direction;
      return;
    case TcpState::fin_wait1:
      if (direction == closer_) return;
      if (fin) {
        state_ = side(closer_).fin_acked ? TcpState::time_wait : TcpState::closing;
      } else if (ack && side(closer_).fin_acked) {
        state_ = TcpState::fin_wait2;
      }
      return;
    case TcpState::fin_wait2:
      if (fin && direction != closer_) state_ = TcpState::time_wait;
      return;
    case TcpState::close_wait:
      if (fin && direction != closer_) state_ = TcpState::last_ack;
      return;
    case TcpState::closing:
      if (ack && side(opposite(closer_)).fin_acked) state_ = TcpState::time_wait;
      return;
    case TcpState::last_ack:
    case TcpState::time_wait:
      if (ack && side(opposite(closer_)).fin_acked) state_ = TcpState::closed;
      return;
    default:
      return;
  }
}

bool TcpTrack::newer_wins(uint32_t seq, uint32_t end, const Record& old) const {
  if (settings_.is_inline) return false;
  switch (settings_.overlap) {
    case TcpOverlap::first:
      return false;
    case TcpOverlap::last:
      return true;
    case TcpOverlap::linux_:
      return before(seq, old.seq) || (seq == old.seq && before(old.end(), end));
    case TcpOverlap::old_linux:
      return !before(old.seq, seq);
    case TcpOverlap::solaris:
      return !before(end, old.end());
    case TcpOverlap::bsd:
      return before(seq, old.seq);
  }
  return false;
}

TcpFate TcpTrack::insert(Side& side, uint32_t seq, std::span<const uint8_t> bytes) {
  uint32_t end = seq + static_cast<uint32_t>(bytes.size());
  if (!before(side.delivered, end)) return TcpFate::retransmit;
  if (before(seq, side.delivered)) {
    bytes = bytes.subspan(side.delivered - seq);
    seq = side.delivered;
  }
  if (settings_.depth != 0) {
    const uint64_t at = side.offset + (seq - side.delivered);
    if (at >= settings_.depth) {
      side.depth_reached = true;
      side.next = later(side.next, end);
      return TcpFate::tracked;
    }
    if (at + bytes.size() > settings_.depth) bytes = bytes.first(static_cast<size_t>(settings_.depth - at));
    end = seq + static_cast<uint32_t>(bytes.size());
  }
  const bool extends = before(side.next, end);
  if (settings_.is_inline && side.first == nullptr && seq == side.delivered) {
    direct_ = bytes;
    direct_of_ = &side == &sides_[0] ? Direction::to_server : Direction::to_client;
    side.next = later(side.next, end);
    return TcpFate::tracked;
  }
  const uint32_t whole_seq = seq;
  Record** at = &side.first;
  while (seq != end) {
    for (; *at != nullptr && !before(seq, (*at)->end()); at = &(*at)->next) ++records_passed_;
    Record* const old = *at;
    if (old != nullptr && !before(seq, old->seq)) {
      const uint32_t both = earlier(end, old->end()) - seq;
      if (newer_wins(whole_seq, end, *old))
        std::memcpy(old->bytes() + (seq - old->seq), bytes.data() + (seq - whole_seq), both);
      seq += both;
      continue;
    }
    const uint32_t stop = old == nullptr ? end : earlier(end, old->seq);
    const auto size = static_cast<uint32_t>(std::min<size_t>(stop - seq, kMaxRecord));
    if (!record(side, at, seq, bytes.subspan(seq - whole_seq, size))) return TcpFate::no_memory;
    seq += size;
  }
  side.next = later(side.next, end);
  return extends || before(whole_seq, side.next) ? TcpFate::tracked : TcpFate::retransmit;
}

bool TcpTrack::record(Side& side, Record** at, uint32_t seq, std::span<const uint8_t> bytes) {
  const uint32_t counted = charge(static_cast<uint32_t>(bytes.size()));
  if (side.recorded + counted > settings_.session_records) return false;
  void* const memory = pool_.allocate(sizeof(Record) + bytes.size());
  if (memory == nullptr) return false;
  auto* const fresh = new (memory) Record;
  fresh->seq = seq;
  fresh->size = fresh->room = static_cast<uint32_t>(bytes.size());
  fresh->next = *at;
  std::memcpy(fresh->bytes(), bytes.data(), bytes.size());
  *at = fresh;
  side.recorded += counted;
  return true;
}

void TcpTrack::drop_record(Side& side) {
  Record* const first = side.first;
  side.first = first->next;
  side.recorded -= charge(first->room);
  pool_.release(first, sizeof(Record) + first->room);
}

bool TcpTrack::fin_taken(const Side& side) const { return side.fin && !before(side.delivered, side.fin_seq); }

bool TcpTrack::next_chunk(Direction direction, TcpChunk& chunk) {
  Side& own = mut(direction);
  if (lent_ != nullptr) {
    pool_.release(lent_, sizeof(Record) + lent_->room);
    lent_ = nullptr;
  }
  chunk = {};
  if (!direct_.empty() && direct_of_ == direction) {
    chunk.bytes = direct_;
    direct_ = {};
    own.delivered += static_cast<uint32_t>(chunk.bytes.size());
    own.offset += chunk.bytes.size();
    return true;
  }
  if (!own.anchored || fin_taken(own)) return false;
  const bool all = settings_.is_inline || flushing_ || async_;
  Record* const first = own.first;
  if (first != nullptr && first->seq == own.delivered) {
    const uint32_t limit = all ? first->end() : earlier(first->end(), own.acked);
    if (!before(own.delivered, limit)) return false;
    const uint32_t size = limit - own.delivered;
    chunk.bytes = {first->bytes(), size};
    first->begin += size;
    first->seq += size;
    first->size -= size;
    own.delivered += size;
    own.offset += size;
    if (first->size == 0) {
      own.first = first->next;
      own.recorded -= charge(first->room);
      lent_ = first;
    }
    return true;
  }
  // Nothing is there at this place. If the receiver has it, it was lost here alone.
  uint32_t to = own.acked;
  if (own.fin) to = earlier(to, own.fin_seq);
  if (first != nullptr) to = flushing_ ? first->seq : earlier(to, first->seq);
  if (own.depth_reached || !before(own.delivered, to)) return false;
  chunk.gap = to - own.delivered;
  own.delivered = to;
  own.next = later(own.next, to);
  own.offset += chunk.gap;
  ++own.gaps;
  return true;
}

bool TcpTrack::drained(Direction direction) const {
  const Side& own = side(direction);
  return own.ended || own.depth_reached || fin_taken(own);
}

template <typename Visit>
void TcpTrack::each_seen(const Side& side, uint32_t seq, size_t size, std::span<const uint8_t> history,
                         Visit&& visit) const {
  const uint32_t end = seq + static_cast<uint32_t>(size);
  const auto overlap = [&](uint32_t from, const uint8_t* bytes, size_t count) {
    const uint32_t to = from + static_cast<uint32_t>(count);
    const uint32_t begin = later(seq, from), stop = earlier(end, to);
    if (before(begin, stop)) visit(begin - seq, bytes + (begin - from), stop - begin);
  };
  if (!history.empty())
    overlap(side.delivered - static_cast<uint32_t>(history.size()), history.data(), history.size());
  for (const Record* record = side.first; record != nullptr && before(record->seq, end);
       record = record->next) {
    ++records_passed_;
    overlap(record->seq, record->bytes(), record->size);
  }
}

bool TcpTrack::contradicts(const EnginePacket& packet, std::span<const uint8_t> history) const {
  const PacketView& view = packet.view;
  const Side& own = side(view.direction);
  if (!own.anchored || view.payload.empty()) return false;
  bool differs = false;
  each_seen(own, view.seq, view.payload.size(), history, [&](size_t at, const uint8_t* seen, size_t count) {
    differs = differs || std::memcmp(view.payload.data() + at, seen, count) != 0;
  });
  return differs;
}

void TcpTrack::rewrite(Direction direction, uint32_t seq, std::span<uint8_t> payload,
                       std::span<const uint8_t> history) const {
  each_seen(side(direction), seq, payload.size(), history, [&](size_t at, const uint8_t* seen, size_t count) {
    std::memcpy(payload.data() + at, seen, count);
  });
}

void TcpTrack::release() {
  if (lent_ != nullptr) pool_.release(lent_, sizeof(Record) + lent_->room);
  lent_ = nullptr;
  for (Side& side : sides_) {
    while (side.first != nullptr) drop_record(side);
  }
}

}  // namespace weir::inspection
