// Signals as a file descriptor. Blocked before any thread starts, so that none of them ever interrupts one.
#pragma once

#include "dataplane/net/result.h"

namespace weir::daemon {

class Signals {
 public:
  /// Blocks SIGTERM, SIGINT, SIGHUP and SIGUSR1 for this thread and those that it starts, and ignores
  /// SIGPIPE.
  static Result<Signals> block();
  Signals(Signals&& other) noexcept;
  Signals& operator=(Signals&&) = delete;
  ~Signals();

  int fd() const { return fd_; }
  /// The next signal that has arrived, or 0.
  int next();

 private:
  explicit Signals(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace weir::daemon
