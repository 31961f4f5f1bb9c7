#include "inspection/app/http/parser.h"

#include <algorithm>
#include <cstring>

namespace weir::inspection {

using http::Bytes;

namespace {

constexpr size_t kLookAhead = 64;  // bytes that are put aside at a time when a decision needs to see more

}  // namespace

HttpParser::HttpParser(BytePool& pool, const HttpLimits& limits, HttpCounters& counters,
                       uint64_t first_tx) noexcept
    : pool_(pool),
      limits_(limits),
      counters_(counters),
      lanes_{Lane(*this, Direction::to_server, pool), Lane(*this, Direction::to_client, pool)},
      list_(pool),
      next_id_(first_tx) {}

HttpParser* HttpParser::make(BytePool& pool, const HttpLimits& limits, HttpCounters& counters,
                             uint64_t first_tx) {
  return make_in<HttpParser>(pool, pool, limits, counters, first_tx);
}

void HttpParser::destroy() { destroy_in(pool_, this); }

bool HttpParser::at_rest() const {
  const auto between_messages = [](const Lane& lane) {
    return lane.state == State::start && lane.tx == nullptr && !lane.closed && !lane.full &&
           lane.pending.empty() && lane.back.empty();
  };
  return list_.size() == 0 && !ended_ && !other_ && between_messages(lanes_[0]) &&
         between_messages(lanes_[1]);
}

/// Everything that is open will see nothing more.
void HttpParser::complete_everything() {
  for (size_t i = 0; i < list_.size(); ++i) {
    HttpTransaction& tx = list_[i];
    for (const Direction direction : {Direction::to_server, Direction::to_client}) {
      if (tx.side(direction).progress < HttpStep::complete) tx.close_file(direction, true);
      tx.side(direction).progress = HttpStep::complete;
    }
  }
  for (Lane& lane : lanes_) {
    lane.tx = nullptr;
    lane.body.reset();
    lane.pending.reset();
    lane.back.reset();
  }
}

HttpParser::Step HttpParser::fail(AppError error, EventCount& counter) {
  ++counter;
  error_ = error;
  ended_ = true;
  complete_everything();
  return Step::ended;
}

/// What the step gave back comes before what is pending.
bool HttpParser::put_back(Lane& lane) {
  if (lane.back.empty()) return true;
  if (!lane.pending.empty() && !lane.back.append(lane.pending.view())) return false;
  lane.pending = std::move(lane.back);
  lane.back = PoolBytes(pool_);
  return true;
}

/// A decision needs more bytes than there are: puts some aside. False: the pool is at its ceiling.
bool HttpParser::look_further(Lane& lane, Bytes bytes, size_t& consumed) {
  const Bytes rest = bytes.subspan(consumed);
  const Bytes more = rest.first(lane.pending.empty() ? rest.size() : std::min(rest.size(), kLookAhead));
  if (!lane.pending.append(more)) return false;
  consumed += more.size();
  return true;
}

Advance HttpParser::run(Lane& lane, Bytes bytes) {
  work_ = 0;
  if (lane.full) {  // the engine has shown the windows since
    lane.full = false;
    if (lane.tx != nullptr) {
      lane.tx->side(lane.direction).body.shown();
      if (lane.tx->form_ != nullptr && lane.direction == Direction::to_server) lane.tx->form_->window.shown();
    }
  }
  Advance result;
  for (;;) {
    if (ended_) return {bytes.size(), Next::ended, std::exchange(error_, AppError::none), work_};
    if (other_) {
      // What was put aside and not read belongs to the other protocol too.
      const size_t aside = std::min(result.consumed, lane.pending.size());
      lane.pending.reset();
      return {result.consumed - aside, Next::other, AppError::none, work_};
    }
    const bool from_pending = !lane.pending.empty();
    Bytes source = from_pending ? lane.pending.view() : bytes.subspan(result.consumed);
    const size_t before = source.size();
    Step step = this->step(lane, source);
    const size_t used = before - source.size();
    if (ended_) continue;
    work_ += used;
    if (from_pending) {
      lane.pending.drop_front(used);
      if (lane.pending.empty()) lane.pending.reset();
    } else {
      result.consumed += used;
    }
    if (!put_back(lane)) {
      no_memory();
      continue;
    }
    if (step == Step::look_further) {
      const size_t seen = result.consumed;
      if (!look_further(lane, bytes, result.consumed)) no_memory();
      if (seen < result.consumed && from_pending) continue;
      if (!ended_) return {result.consumed, Next::more, AppError::none, work_};
      continue;
    }
    if (step == Step::full) {
      lane.full = true;
      return {result.consumed, Next::again, AppError::none, work_};
    }
    const bool left = !lane.pending.empty() || result.consumed < bytes.size();
    if (step == Step::wait && !left && lane.closed && (close(lane) == Step::go_on || ended_)) continue;
    if (step == Step::wait && !left) return {result.consumed, Next::more, AppError::none, work_};
    if (work_ >= limits_.work_per_call && left) return {result.consumed, Next::again, AppError::none, work_};
  }
}

HttpParser::Step HttpParser::step(Lane& lane, Bytes& source) {
  switch (lane.state) {
    case State::start:
      return lane.direction == Direction::to_server ? start_request(lane, source)
                                                    : start_response(lane, source);
    case State::head:
      return take_head(lane, source);
    case State::old_protocol:
      return old_protocol(lane, source);
    case State::maybe_body:
      return maybe_body(lane, source);
    case State::body:
      return take_body(lane, source);
    case State::body_end:
      return finish_body(lane);
    case State::trailer:
      return take_trailer(lane, source);
    case State::tunnel_asked:
      return tunnel_asked(lane, source);
    case State::resync:
      return resync(lane, source);
  }
  return Step::wait;
}

Advance HttpParser::advance(Direction direction, std::span<const uint8_t> bytes, uint64_t now_ns) {
  now_ns_ = now_ns;
  for (size_t i = 0; i < list_.size(); ++i) list_[i].drop_computed();
  return run(lane(direction), bytes);
}

Advance HttpParser::end_of_stream(Direction direction, uint64_t now_ns) {
  lane(direction).closed = true;
  return advance(direction, {}, now_ns);
}

Advance HttpParser::gap(Direction direction, uint64_t size, uint64_t now_ns) {
  now_ns_ = now_ns;
  for (size_t i = 0; i < list_.size(); ++i) list_[i].drop_computed();
  if (ended_) return {0, Next::ended, AppError::none, 0};
  if (other_) return {0, Next::other, AppError::none, 0};
  ++counters_.gaps;
  Lane& l = lane(direction);
  if (l.state == State::body && l.tx != nullptr && l.body && l.pending.empty() && l.body->skip(size)) {
    HttpTransaction::Side& side = l.tx->side(direction);
    side.body.gap(size);
    if (direction == Direction::to_server && l.tx->form_ != nullptr) {
      l.tx->form_->data = {};
      l.tx->form_->read = side.body.total();
    }
    l.tx->gap_in_file(direction, size);
    return {};
  }
  lose_track(l);
  return {};
}

}  // namespace weir::inspection
