#include "inspection/detect/threshold_table.h"

#include <algorithm>
#include <bit>

namespace weir::inspection {

namespace {

uint64_t mix(uint64_t h, uint64_t value) {
  h ^= value;
  h *= 0x9e3779b97f4a7c15;
  return h ^ h >> 29;
}

}  // namespace

ThresholdTable::ThresholdTable(uint32_t entries)
    : buckets_(std::bit_ceil(std::max<size_t>(entries / kWays, 1))), entries_(buckets_ * kWays) {}

ThresholdTable::Key ThresholdTable::key_of(ast::Threshold::Track track, const RuleInfo& rule, uint32_t part,
                                           const PacketView& packet, const net::IpAddress& source,
                                           const net::IpAddress& destination) {
  using Track = ast::Threshold::Track;
  Key key{rule.gid, rule.sid, part, 0, {}, {}};
  switch (track) {
    case Track::by_source:
      key.one = source;
      break;
    case Track::by_destination:
      key.one = destination;
      break;
    case Track::by_both:
      key.one = std::min(source, destination);
      key.other = std::max(source, destination);
      break;
    case Track::by_rule:
      break;
    case Track::by_flow: {
      const bool forward = packet.direction == Direction::to_server;
      key.one = forward ? packet.src : packet.dst;
      key.other = forward ? packet.dst : packet.src;
      const uint32_t low = forward ? packet.src_port : packet.dst_port;
      const uint32_t high = forward ? packet.dst_port : packet.src_port;
      key.ports = low | high << 16;
      break;
    }
  }
  return key;
}

ThresholdTable::Entry& ThresholdTable::find(const Key& key, uint64_t now_ns, bool& is_new, bool& lost) {
  uint64_t h = mix(key.sid, key.gid);
  h = mix(h, key.part);
  h = mix(h, key.ports);
  h = mix(mix(h, key.one.bits.hi), key.one.bits.lo);
  h = mix(mix(h, key.other.bits.hi), key.other.bits.lo);
  Entry* const bucket = &entries_[(h & (buckets_ - 1)) * kWays];
  Entry* victim = bucket;
  const auto worth = [&](const Entry& entry) -> uint64_t {
    if (!entry.used) return 0;
    const bool over = now_ns - entry.start_ns >= entry.length_ns;
    return over ? 1 : entry.start_ns + 2;
  };
  for (size_t i = 0; i < kWays; ++i) {
    if (bucket[i].used && bucket[i].key == key) {
      is_new = false;
      return bucket[i];
    }
    if (worth(bucket[i]) < worth(*victim)) victim = &bucket[i];
  }
  lost |= worth(*victim) > 1;
  *victim = Entry{};
  victim->key = key;
  victim->used = true;
  is_new = true;
  return *victim;
}

Thresholded ThresholdTable::count(const ast::Threshold& threshold, const RuleInfo& rule, uint32_t part,
                                  const PacketView& packet, const net::IpAddress& source,
                                  const net::IpAddress& destination, bool& lost) {
  using Type = ast::Threshold::Type;
  bool is_new = false;
  Entry& entry =
      find(key_of(threshold.track, rule, part, packet, source, destination), packet.time_ns, is_new, lost);
  if (threshold.type == Type::backoff) {
    if (is_new) {
      entry.next = threshold.count;
      entry.length_ns = UINT64_MAX;
    }
    if (++entry.count != entry.next) return Thresholded::quiet;
    entry.next *= threshold.multiplier;
    return Thresholded::no;
  }
  const bool over = !is_new && packet.time_ns - entry.start_ns >= entry.length_ns;
  if (is_new || over) {
    entry.start_ns = packet.time_ns;
    entry.length_ns = uint64_t{threshold.seconds} * 1'000'000'000;
    entry.count = 0;
  }
  ++entry.count;
  switch (threshold.type) {
    case Type::limit:
      return entry.count <= threshold.count ? Thresholded::no : Thresholded::quiet;
    case Type::threshold:
      if (entry.count < threshold.count) return Thresholded::void_;
      // The next series begins; its time still counts from the begin of this one.
      entry.count = 0;
      return Thresholded::no;
    case Type::both:
      if (entry.count < threshold.count) return Thresholded::void_;
      return entry.count == threshold.count ? Thresholded::no : Thresholded::quiet;
    case Type::detection_filter:
      return entry.count > threshold.count ? Thresholded::no : Thresholded::void_;
    case Type::backoff:
      break;
  }
  return Thresholded::no;
}

bool ThresholdTable::rate_exceeded(const ast::RateFilter& filter, const RuleInfo& rule, uint32_t part,
                                   const PacketView& packet, const net::IpAddress& source,
                                   const net::IpAddress& destination, bool& lost) {
  constexpr uint64_t kSecond = 1'000'000'000;
  // Apart from the thresholds of the same rule.
  constexpr uint32_t kOfFilters = 0x8000'0000;
  bool is_new = false;
  Entry& entry = find(key_of(filter.track, rule, part | kOfFilters, packet, source, destination),
                      packet.time_ns, is_new, lost);
  const uint64_t now = packet.time_ns;
  if (entry.next > 0) {
    if (now < entry.next) return true;
    entry.next = 0;
    is_new = true;
  }
  if (is_new || now - entry.start_ns >= filter.seconds * kSecond) {
    entry.start_ns = now;
    entry.length_ns = (uint64_t{filter.seconds} + filter.timeout) * kSecond;
    entry.count = 0;
  }
  if (++entry.count <= filter.count) return false;
  if (filter.timeout > 0) entry.next = now + filter.timeout * kSecond;
  return true;
}

}  // namespace weir::inspection
