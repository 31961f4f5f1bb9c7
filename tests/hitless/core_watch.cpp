#include "tests/hitless/core_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace weir::hitless {

namespace {

/// What EAL calls the threads that it starts.
constexpr const char* kWorkerName = "worker";

int open_account(const std::string& task) {
  return ::open((task + "/schedstat").c_str(), O_RDONLY | O_CLOEXEC);
}

/// The second number: nanoseconds on a run queue.
CoreWatch::Time waited(int file) {
  char text[96];
  const ssize_t size = file < 0 ? -1 : ::pread(file, text, sizeof text - 1, 0);
  unsigned long long ran = 0, waiting = 0;
  if (size <= 0) return {};
  text[size] = '\0';
  if (std::sscanf(text, "%llu %llu", &ran, &waiting) != 2) return {};
  return std::chrono::nanoseconds(waiting);
}

}  // namespace

CoreWatch::CoreWatch() : machine_(::open("/proc/stat", O_RDONLY | O_CLOEXEC)) {
  std::error_code none;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", none)) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name.find(kWorkerName) == std::string::npos) continue;
    if (const int file = open_account(task.path()); file >= 0) workers_.push_back(file);
  }
  caller_ = open_account("/proc/self/task/" + std::to_string(::gettid()));
}

CoreWatch::~CoreWatch() {
  for (const int file : workers_) ::close(file);
  if (caller_ >= 0) ::close(caller_);
  if (machine_ >= 0) ::close(machine_);
}

/// The eighth number of the first line, in clock ticks, of all cores.
CoreWatch::Time CoreWatch::stolen() const {
  char text[160];
  const ssize_t size = machine_ < 0 ? -1 : ::pread(machine_, text, sizeof text - 1, 0);
  unsigned long long ticks = 0;
  if (size <= 0) return {};
  text[size] = '\0';
  if (std::sscanf(text, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &ticks) != 1) return {};
  const long per_second = ::sysconf(_SC_CLK_TCK);
  return per_second <= 0 ? Time{}
                         : std::chrono::nanoseconds(
                               ticks * (1'000'000'000ULL / static_cast<unsigned long long>(per_second)));
}

CoreWatch::Time CoreWatch::from_workers() const {
  Time all = stolen();
  for (const int file : workers_) all += waited(file);
  return all;
}

CoreWatch::Time CoreWatch::from_caller() const { return stolen() + waited(caller_); }

}  // namespace weir::hitless
