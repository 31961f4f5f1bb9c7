// EAL's and the drivers' log, line by line, to a callback instead of the terminal.
#pragma once

#include <sys/types.h>

#include <cstdarg>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/net/result.h"

namespace weir::dataplane {

/// While it lives, everything that DPDK, libbpf and libxdp log goes to the callback. One at a time per
/// process, since those libraries have one log each. Lines may come from any thread, one at a time.
class EalLog {
 public:
  using Sink = std::function<void(int level, std::string_view line)>;

  static Result<std::unique_ptr<EalLog>> open(Sink sink);
  ~EalLog();
  EalLog(const EalLog&) = delete;
  EalLog& operator=(const EalLog&) = delete;

  /// Runs `work` with standard output and standard error turned away: rte_eal_init() prints its usage there
  /// when it dislikes an argument. What was printed is logged at debug level once `work` is done, and
  /// returned. No other thread may write to the terminal meanwhile.
  std::vector<std::string> run_silently(const std::function<void()>& work);

  /// Forgets the complaints so far.
  void forget_complaints();
  /// Why something failed since forget_complaints(): the kernel's own words if it gave any, else the last
  /// line of severity "error" or worse, without the name of what logged it; empty if there was none.
  std::string complaint() const;

  /// The log that is open now, or nullptr.
  static EalLog* active();

 private:
  explicit EalLog(Sink sink) : sink_(std::move(sink)) {}
  static ssize_t on_write(void* self, const char* bytes, size_t size);
  static int on_library_print(const char* format, va_list arguments, int level);
  void line(int level, std::string_view text);
  void deliver(int level, std::string text);

  struct Line {
    int level;
    std::string text;
  };

  Sink sink_;
  FILE* stream_ = nullptr;
  mutable std::mutex mutex_;  // guards all below; the stream's own lock does not cover libbpf's lines
  std::string partial_;
  std::string last_error_;
  std::string kernel_message_;
  bool hold_ = false;  // keep lines in held_: the sink may write to the terminal that is turned away
  std::vector<Line> held_;
};

}  // namespace weir::dataplane
