// The latest alerts, for those who ask the API: `weirctl alerts`, and `--follow`.
//
// The writer's thread puts, API threads look; a lock held for the time of a copy. Bounded: who looks too
// seldom has lost some, and is told how many.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace weir::events {

struct AlertsView {
  std::vector<std::string> lines;  // EVE JSON, the oldest first
  uint64_t next = 0;               // what to ask for next
  uint64_t lost = 0;               // between what was asked for and the first one here
};

class RecentAlerts {
 public:
  static constexpr size_t kCapacity = 1'024;            // alerts
  static constexpr size_t kMaxBytes = size_t{4} << 20;  // of all of them

  // --- writer thread ---
  void put(std::string line);

  // --- any thread ---
  /// At most `max` from number `from` on; alerts are numbered from 1.
  AlertsView since(uint64_t from, size_t max) const;
  /// The latest `max`.
  AlertsView latest(size_t max) const;

 private:
  AlertsView view(uint64_t from, size_t max) const;

  mutable std::mutex mutex_;
  std::deque<std::string> lines_;
  size_t bytes_ = 0;
  uint64_t next_ = 1;  // number of the next one
};

}  // namespace weir::events
