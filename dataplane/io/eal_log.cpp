#include "dataplane/io/eal_log.h"

#include <bpf/libbpf.h>
#include <rte_log.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>

namespace weir::dataplane {
namespace {

constexpr std::string_view kKernelMessage = "Kernel error message: ";

/// libbpf's and libxdp's print callbacks carry no user pointer.
std::atomic<EalLog*> active_log{nullptr};

std::vector<std::string> lines_of(int fd) {
  std::string text;
  std::array<char, 4096> chunk;
  lseek(fd, 0, SEEK_SET);
  for (ssize_t got; (got = read(fd, chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<size_t>(got));
  }
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t newline = std::min(text.find('\n', at), text.size());
    if (newline > at) lines.push_back(text.substr(at, newline - at));
    at = newline + 1;
  }
  return lines;
}

}  // namespace

Result<std::unique_ptr<EalLog>> EalLog::open(Sink sink) {
  std::unique_ptr<EalLog> log(new EalLog(std::move(sink)));
  cookie_io_functions_t functions{};
  functions.write = &EalLog::on_write;
  log->stream_ = fopencookie(log.get(), "w", functions);
  if (log->stream_ == nullptr) {
    return fail(ErrorCode::exhausted,
                "cannot open the log of DPDK: " + std::generic_category().message(errno));
  }
  active_log = log.get();
  rte_openlog_stream(log->stream_);
  libbpf_set_print([](enum libbpf_print_level level, const char* format, va_list arguments) {
    const int rte_level = level == LIBBPF_WARN   ? RTE_LOG_WARNING
                          : level == LIBBPF_INFO ? RTE_LOG_INFO
                                                 : RTE_LOG_DEBUG;
    return on_library_print(format, arguments, rte_level);
  });
  libxdp_set_print([](enum libxdp_print_level level, const char* format, va_list arguments) {
    const int rte_level = level == LIBXDP_WARN   ? RTE_LOG_WARNING
                          : level == LIBXDP_INFO ? RTE_LOG_INFO
                                                 : RTE_LOG_DEBUG;
    return on_library_print(format, arguments, rte_level);
  });
  return log;
}

EalLog::~EalLog() {
  libbpf_set_print(nullptr);
  libxdp_set_print(nullptr);
  rte_openlog_stream(nullptr);
  active_log = nullptr;
  if (stream_ != nullptr) fclose(stream_);
}

ssize_t EalLog::on_write(void* self, const char* bytes, size_t size) {
  auto& log = *static_cast<EalLog*>(self);
  const int level = rte_log_cur_msg_loglevel();
  std::string_view rest(bytes, size);
  while (!rest.empty()) {
    const size_t newline = rest.find('\n');
    std::string complete;
    {
      const std::lock_guard guard(log.mutex_);
      log.partial_.append(rest.substr(0, newline));
      if (newline == std::string_view::npos) break;
      complete.swap(log.partial_);
    }
    log.line(level, complete);
    rest.remove_prefix(newline + 1);
  }
  return static_cast<ssize_t>(size);
}

int EalLog::on_library_print(const char* format, va_list arguments, int level) {
  EalLog* log = active_log;
  // Debug lines of libbpf are hundreds per program; formatting them would only slow the start.
  if (log == nullptr || level == RTE_LOG_DEBUG) return 0;
  std::array<char, 1024> text;
  const int length = vsnprintf(text.data(), text.size(), format, arguments);
  std::string_view line(text.data());
  while (line.ends_with('\n')) line.remove_suffix(1);
  log->line(level, line);
  return length;
}

void EalLog::line(int level, std::string_view text) {
  if (text.empty()) return;
  const std::lock_guard guard(mutex_);
  if (level <= int{RTE_LOG_ERR}) {
    const size_t logger = text.find(": ");  // "EAL: ...", "xsk_configure(): ..."
    last_error_ =
        logger == std::string_view::npos || text.find(' ') < logger ? text : text.substr(logger + 2);
  }
  // libbpf's line for the kernel's extended acknowledgement.
  if (const size_t at = text.find(kKernelMessage); at != std::string_view::npos) {
    kernel_message_ = text.substr(at + kKernelMessage.size());
  }
  deliver(level, std::string(text));
}

void EalLog::deliver(int level, std::string text) {
  if (hold_) {
    held_.push_back({level, std::move(text)});
  } else if (sink_) {
    sink_(level, text);
  }
}

std::vector<std::string> EalLog::run_silently(const std::function<void()>& work) {
  fflush(stdout);
  fflush(stderr);
  const int capture = memfd_create("terminal", MFD_CLOEXEC);
  const int saved_out = dup(STDOUT_FILENO);
  const int saved_err = dup(STDERR_FILENO);
  {
    const std::lock_guard guard(mutex_);
    hold_ = true;
  }
  if (capture >= 0) {
    dup2(capture, STDOUT_FILENO);
    dup2(capture, STDERR_FILENO);
  }
  work();
  fflush(stdout);
  fflush(stderr);
  if (saved_out >= 0) dup2(saved_out, STDOUT_FILENO);
  if (saved_err >= 0) dup2(saved_err, STDERR_FILENO);
  std::vector<std::string> printed;
  if (capture >= 0) printed = lines_of(capture);
  for (int fd : {capture, saved_out, saved_err}) {
    if (fd >= 0) close(fd);
  }
  const std::lock_guard guard(mutex_);
  hold_ = false;
  for (Line& held : held_) deliver(held.level, std::move(held.text));
  held_.clear();
  for (const std::string& text : printed) deliver(RTE_LOG_DEBUG, text);
  return printed;
}

void EalLog::forget_complaints() {
  const std::lock_guard guard(mutex_);
  last_error_.clear();
  kernel_message_.clear();
}

std::string EalLog::complaint() const {
  const std::lock_guard guard(mutex_);
  return kernel_message_.empty() ? last_error_ : kernel_message_;
}

EalLog* EalLog::active() { return active_log; }

}  // namespace weir::dataplane
