// The builder: one thread for what takes long (rules, tables), so that control never waits.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace weir::control {

class Builder {
 public:
  /// `on_start` runs first on the new thread: name and cores.
  explicit Builder(std::function<void()> on_start);
  /// Waits for the job that runs; drops those that wait.
  ~Builder();
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  /// Any thread. Jobs run one after the other.
  void run(std::function<void()> job);

  /// Any thread. A job runs now, and the destructor would wait for it.
  bool busy() const { return busy_.load(); }

 private:
  void loop(const std::function<void()>& on_start);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stop_ = false;
  std::atomic<bool> busy_{false};
  std::thread thread_;
};

}  // namespace weir::control
