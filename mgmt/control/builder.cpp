#include "mgmt/control/builder.h"

#include <utility>

namespace weir::control {

Builder::Builder(std::function<void()> on_start)
    : thread_([this, on_start = std::move(on_start)] { loop(on_start); }) {}

Builder::~Builder() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Builder::run(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void Builder::loop(const std::function<void()>& on_start) {
  on_start();
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
    if (stop_) return;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    busy_ = true;
    lock.unlock();
    job();
    busy_ = false;
    lock.lock();
  }
}

}  // namespace weir::control
