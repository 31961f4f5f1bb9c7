#include "mgmt/events/recent_alerts.h"

#include <algorithm>
#include <utility>

namespace weir::events {

void RecentAlerts::put(std::string line) {
  const std::lock_guard lock(mutex_);
  bytes_ += line.size();
  lines_.push_back(std::move(line));
  ++next_;
  while (lines_.size() > kCapacity || (bytes_ > kMaxBytes && lines_.size() > 1)) {
    bytes_ -= lines_.front().size();
    lines_.pop_front();
  }
}

AlertsView RecentAlerts::since(uint64_t from, size_t max) const {
  const std::lock_guard lock(mutex_);
  return view(from, max);
}

AlertsView RecentAlerts::latest(size_t max) const {
  const std::lock_guard lock(mutex_);
  return view(next_ - std::min<uint64_t>(max, lines_.size()), max);
}

AlertsView RecentAlerts::view(uint64_t from, size_t max) const {
  const uint64_t first = next_ - lines_.size();
  const uint64_t begin = std::clamp(from, first, next_);
  const uint64_t end = begin + std::min<uint64_t>(max, next_ - begin);
  AlertsView view;
  view.lost = from < first ? first - from : 0;
  view.next = end;
  for (uint64_t number = begin; number < end; ++number) view.lines.push_back(lines_[number - first]);
  return view;
}

}  // namespace weir::events
