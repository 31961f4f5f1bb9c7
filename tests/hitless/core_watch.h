// What the machine took from us: how long threads of this process were ready to run and did not get their
// core.
#pragma once

#include <chrono>
#include <vector>

namespace weir::hitless {

/// Reads the scheduler's account (/proc/.../schedstat) of the workers' threads and of the caller's, and what
/// a hypervisor stole (/proc/stat). A machine that has no such account takes nothing. Belongs to the thread
/// that made it. Costs some microseconds a reading.
class CoreWatch {
 public:
  using Time = std::chrono::nanoseconds;  // since the threads began

  CoreWatch();
  ~CoreWatch();
  CoreWatch(const CoreWatch&) = delete;
  CoreWatch& operator=(const CoreWatch&) = delete;

  /// From all workers together. What was taken is seen once the thread runs again.
  Time from_workers() const;
  Time from_caller() const;

 private:
  Time stolen() const;

  std::vector<int> workers_;  // open files
  int caller_ = -1;
  int machine_ = -1;
};

}  // namespace weir::hitless
