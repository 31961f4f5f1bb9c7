#include "inspection/detect/thresholds.h"

#include <algorithm>

namespace weir::inspection {

namespace {

/// A count without a time of its own (backoff) is forgotten when nothing matched for a day.
constexpr uint64_t kDaySeconds = 86'400;

MarkKey key_of(MarkKey::What what, ast::Threshold::Track track, uint32_t part, const CountedMatch& match) {
  using Track = ast::Threshold::Track;
  MarkKey key;
  key.what = what;
  key.gid = match.rule.gid;
  key.sid = match.rule.sid;
  key.part = part;
  switch (track) {
    case Track::by_source:
      key.one = match.source;
      break;
    case Track::by_destination:
      key.one = match.destination;
      break;
    case Track::by_both:
      return MarkKey::of_pair(key, match.source, match.destination);
    case Track::by_rule:
      break;
    case Track::by_flow: {
      const PacketView& packet = match.packet;
      const bool forward = packet.direction == Direction::to_server;
      const uint16_t client_port = forward ? packet.src_port : packet.dst_port;
      const uint16_t server_port = forward ? packet.dst_port : packet.src_port;
      key.one = {forward ? packet.src : packet.dst, match.facts.domain[0]};
      key.other = {forward ? packet.dst : packet.src, match.facts.domain[1]};
      key.ports = client_port | uint32_t{server_port} << 16;
      key.session = match.facts.start_ns;
      break;
    }
  }
  return key;
}

/// Is it count, count x multiplier, count x multiplier^2, ...?
bool is_step(uint32_t number, const ast::Threshold& threshold) {
  uint64_t step = threshold.count;
  while (step < number && threshold.multiplier > 1) step *= threshold.multiplier;
  return step == number;
}

/// What becomes of the match that is counted now.
Thresholded decide(const ast::Threshold& threshold, Mark& mark) {
  using Type = ast::Threshold::Type;
  switch (threshold.type) {
    case Type::limit:
      return mark.count <= threshold.count ? Thresholded::no : Thresholded::quiet;
    case Type::threshold:
      if (mark.count < threshold.count) return Thresholded::void_;
      // The next series begins; its time still counts from the begin of this one.
      mark.count = 0;
      return Thresholded::no;
    case Type::both:
      if (mark.count < threshold.count) return Thresholded::void_;
      return mark.count == threshold.count ? Thresholded::no : Thresholded::quiet;
    case Type::detection_filter:
      return mark.count > threshold.count ? Thresholded::no : Thresholded::void_;
    case Type::backoff:
      return is_step(mark.count, threshold) ? Thresholded::no : Thresholded::quiet;
  }
  return Thresholded::no;
}

void count_up(Mark& mark) { mark.count = std::min(mark.count + 1, Mark::kMaxCount); }

}  // namespace

Thresholded count_match(HostMarks& marks, const ast::Threshold& threshold, uint32_t part,
                        const CountedMatch& match, bool& lost) {
  const uint64_t now = match.packet.time_ns / 1'000;
  const bool backoff = threshold.type == ast::Threshold::Type::backoff;
  Thresholded result = Thresholded::no;
  const auto step = [&](Mark mark) {
    if (mark.until_us <= now) mark = {0, false, HostMarks::end_of(now, threshold.seconds)};
    if (backoff) mark.until_us = HostMarks::end_of(now, kDaySeconds);
    count_up(mark);
    result = decide(threshold, mark);
    return std::optional(mark);
  };
  const MarkKey key = key_of(MarkKey::What::threshold, threshold.track, part, match);
  lost |= marks.change(marks.name_of(key), now, step);
  return result;
}

bool rate_exceeded(HostMarks& marks, const ast::RateFilter& filter, uint32_t part, const CountedMatch& match,
                   bool& lost) {
  const uint64_t now = match.packet.time_ns / 1'000;
  bool exceeded = false;
  const auto step = [&](Mark mark) -> std::optional<Mark> {
    exceeded = mark.flag && now < mark.until_us;  // it acts until then, whatever comes
    if (exceeded) return std::nullopt;
    if (mark.until_us <= now) mark = {0, false, HostMarks::end_of(now, filter.seconds)};
    count_up(mark);
    exceeded = mark.count > filter.count;
    if (exceeded && filter.timeout > 0) mark = {mark.count, true, HostMarks::end_of(now, filter.timeout)};
    return mark;
  };
  const MarkKey key = key_of(MarkKey::What::rate_filter, filter.track, part, match);
  lost |= marks.change(marks.name_of(key), now, step);
  return exceeded;
}

}  // namespace weir::inspection
