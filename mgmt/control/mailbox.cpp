#include "mgmt/control/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <system_error>

namespace weir::control {

Mailbox::Mailbox() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Mailbox::~Mailbox() { ::close(fd_); }

bool Mailbox::post(std::function<void()> message) { return push(std::move(message), kCapacity); }

void Mailbox::deliver(std::function<void()> message) { push(std::move(message), SIZE_MAX); }

bool Mailbox::push(std::function<void()> message, size_t limit) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || messages_.size() >= limit) return false;
    messages_.push_back(std::move(message));
  }
  eventfd_write(fd_, 1);  // can only fail when the counter is at its limit, and then it is readable anyway
  return true;
}

size_t Mailbox::run() {
  std::deque<std::function<void()>> batch;
  eventfd_t ignored;
  eventfd_read(fd_,
               &ignored);  // before the swap: a message posted after it makes the descriptor readable again
  {
    const std::lock_guard lock(mutex_);
    batch.swap(messages_);
  }
  for (const auto& message : batch) message();
  return batch.size();
}

void Mailbox::close() {
  std::deque<std::function<void()>> batch;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  batch.swap(messages_);
}

}  // namespace weir::control
