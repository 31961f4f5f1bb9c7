#include "inspection/offline/defrag.h"

#include <algorithm>
#include <utility>

namespace weir::inspection::offline {

void Defragmenter::expire(uint64_t now_ns) {
  while (!order_.empty()) {
    const auto& [since, key] = order_.front();
    const auto it = trackers_.find(key);
    const bool gone = it == trackers_.end() || it->second.since_ns != since;
    if (!gone) {
      const bool old = now_ns > since && now_ns - since > timeout_ns_;
      if (!old && trackers_.size() < limit_) return;
      timeouts_ += old;
      trackers_.erase(it);
    }
    order_.pop_front();
  }
}

bool Defragmenter::newer_wins(uint32_t new_offset, uint32_t new_end, uint32_t old_offset,
                              uint32_t old_end) const {
  switch (policy_) {
    case OverlapPolicy::first:
      return false;
    case OverlapPolicy::last:
      return true;
    case OverlapPolicy::linux_:  // as BSD, but the same offset goes to the newer
      return new_offset <= old_offset;
    case OverlapPolicy::windows:  // the older, but for one that is covered whole from before its start
      return new_offset < old_offset && new_end > old_end;
    case OverlapPolicy::bsd:
      return new_offset < old_offset;
  }
  return false;
}

bool Defragmenter::build(const Tracker& tracker, std::vector<uint8_t>& payload) const {
  payload.assign(tracker.length, 0);
  // Whose byte it is, as the place in `parts` plus one: the policies compare the two fragments, not the
  // bytes.
  std::vector<uint16_t> owner(tracker.length, 0);
  for (size_t i = 0; i < tracker.parts.size(); ++i) {
    const Part& part = tracker.parts[i];
    const uint32_t end = std::min(part.end(), tracker.length);
    for (uint32_t at = part.offset; at < end; ++at) {
      const uint16_t held_by = owner[at];
      if (held_by != 0) {
        const Part& old = tracker.parts[held_by - 1u];
        if (!newer_wins(part.offset, part.end(), old.offset, old.end())) continue;
      }
      owner[at] = static_cast<uint16_t>(i + 1);
      payload[at] = part.data[at - part.offset];
    }
  }
  return std::find(owner.begin(), owner.end(), 0) == owner.end();
}

bool Defragmenter::add(const FragmentPiece& piece, uint64_t now_ns, Told told) {
  expire(now_ns);
  const Key key{piece.src, piece.dst, piece.id, piece.protocol, piece.level, piece.vlan};
  auto [it, fresh] = trackers_.try_emplace(key);
  Tracker& tracker = it->second;
  if (fresh) {
    tracker.since_ns = now_ns;
    order_.emplace_back(now_ns, key);
  }
  const bool too_large = piece.offset + piece.data.size() + 40 > 65'535;
  told.too_large = too_large && !std::exchange(tracker.too_large, tracker.too_large || too_large);
  if (piece.offset + piece.data.size() > 65'535 || tracker.parts.size() >= kMaxParts) return false;
  if (piece.offset == 0 && !tracker.has_first) {
    tracker.has_first = true;
    tracker.header.assign(piece.header.begin(), piece.header.end());
    tracker.next_header = piece.next_header;
  }
  if (!piece.more) {
    const auto last = static_cast<uint32_t>(piece.offset + piece.data.size());
    if (!tracker.has_last || last > tracker.length) tracker.length = last;
    tracker.has_last = true;
  }
  const uint32_t end = piece.offset + static_cast<uint32_t>(piece.data.size());
  told.overlap = std::any_of(tracker.parts.begin(), tracker.parts.end(), [&](const Part& part) {
    return part.offset < end && piece.offset < part.end();
  });
  tracker.held += piece.data.size();
  tracker.parts.push_back({piece.offset, {piece.data.begin(), piece.data.end()}});
  if (!tracker.has_first || !tracker.has_last || tracker.held < tracker.length) return false;
  if (!build(tracker, told.payload)) return false;
  told.header = std::move(tracker.header);
  told.next_header = tracker.next_header;
  trackers_.erase(it);
  return true;
}

}  // namespace weir::inspection::offline
