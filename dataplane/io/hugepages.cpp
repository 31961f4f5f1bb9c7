#include "dataplane/io/hugepages.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace weir::dataplane {
namespace {

constexpr uint32_t kPageMib = 2;
constexpr std::string_view kNotePrefix = "hugepages.";

std::optional<uint64_t> read_number(int fd) {
  char text[32];
  const ssize_t got = pread(fd, text, sizeof(text), 0);
  if (got <= 0) return std::nullopt;
  uint64_t value = 0;
  const auto parsed = std::from_chars(text, text + got, value);
  if (parsed.ec != std::errc{}) return std::nullopt;
  return value;
}

bool write_number(int fd, uint64_t value) {
  const std::string text = std::to_string(value) + "\n";
  return pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

std::optional<uint64_t> number_in(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  const auto value = read_number(fd);
  close(fd);
  return value;
}

/// The kernel's pool. Surplus pages are in use although the pool has been made smaller since; they vanish
/// when freed, and are part of what nr_hugepages shows.
struct Pool {
  uint64_t total = 0;
  uint64_t surplus = 0;
  uint64_t persistent() const { return total - surplus; }
};

/// Both numbers of one moment: they change together while another process frees its pages.
std::optional<Pool> read_pool(int fd, const std::string& folder) {
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const uint64_t before = number_in(folder + "/surplus_hugepages").value_or(0);
    const auto total = read_number(fd);
    const uint64_t after = number_in(folder + "/surplus_hugepages").value_or(0);
    if (!total) return std::nullopt;
    if (before == after && after <= *total) return Pool{*total, after};
  }
  return std::nullopt;
}

}  // namespace

std::string HugepageReservation::note_path(int pid) const {
  return paths_.notes + "/" + std::string(kNotePrefix) + std::to_string(pid);
}

Status HugepageReservation::lock() {
  if (pool_fd_ >= 0) return {};
  pool_fd_ = open((paths_.pool + "/nr_hugepages").c_str(), O_RDWR | O_CLOEXEC);
  if (pool_fd_ < 0) {
    return fail(ErrorCode::unavailable, errno == ENOENT ? "this kernel has no 2 MiB hugepages"
                                                        : "no permission to reserve hugepages");
  }
  if (flock(pool_fd_, LOCK_EX) != 0) {
    unlock();
    return fail(ErrorCode::io, "cannot lock the kernel's hugepage pool");
  }
  return {};
}

void HugepageReservation::unlock() {
  if (pool_fd_ >= 0) close(pool_fd_);
  pool_fd_ = -1;
}

Status HugepageReservation::reserve(uint32_t mib) {
  if (auto locked = lock(); !locked) return locked;
  pages_ += take_over_notes_of_the_dead();
  auto grown = grow((uint64_t{mib} + kPageMib - 1) / kPageMib);
  if (!grown) {
    give_back();
    return grown;
  }
  if (pages_ != 0) {
    // The note only serves the case of SIGKILL; without it the hub runs just as well.
    mkdir(paths_.notes.c_str(), 0755);
    const int note = open(note_path(getpid()).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (note >= 0) {
      write_number(note, pages_);
      close(note);
    }
  }
  return {};
}

/// Makes the pool so much larger that `needed` pages are free.
Status HugepageReservation::grow(uint64_t needed) {
  const auto pool = read_pool(pool_fd_, paths_.pool);
  const auto free_pages = number_in(paths_.pool + "/free_hugepages");
  if (!pool || !free_pages) return fail(ErrorCode::io, "cannot read the kernel's hugepage pool");
  const uint64_t missing = needed - std::min(needed, *free_pages);
  if (missing == 0) return {};
  // A larger pool first takes in the surplus pages of others, as ours to give back, and then gets new ones.
  if (!write_number(pool_fd_, pool->total + missing)) {
    return fail(ErrorCode::unavailable, "the kernel refuses to reserve hugepages");
  }
  const uint64_t after = read_number(pool_fd_).value_or(0);
  if (after < pool->total + missing) {
    write_number(pool_fd_, pool->persistent());
    return fail(ErrorCode::unavailable,
                "the kernel has contiguous memory for only " +
                    std::to_string(*free_pages + after - std::min(after, pool->total)) + " of the " +
                    std::to_string(needed) + " hugepages needed");
  }
  pages_ += missing + pool->surplus;
  return {};
}

void HugepageReservation::give_back() {
  if (pages_ != 0 && lock()) {
    // Pages that are still mapped become surplus, and go when the process ends. The administrator may have
    // shrunk the pool meanwhile.
    if (const auto pool = read_pool(pool_fd_, paths_.pool)) {
      write_number(pool_fd_, pool->persistent() - std::min(pool->persistent(), pages_));
    }
    unlink(note_path(getpid()).c_str());
    rmdir(paths_.notes.c_str());  // only if empty
    pages_ = 0;
  }
  unlock();
}

uint64_t HugepageReservation::take_over_notes_of_the_dead() {
  std::vector<int> dead;
  DIR* folder = opendir(paths_.notes.c_str());
  if (folder == nullptr) return 0;
  while (const dirent* entry = readdir(folder)) {
    std::string_view name = entry->d_name;
    if (!name.starts_with(kNotePrefix)) continue;
    name.remove_prefix(kNotePrefix.size());
    int pid = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed.ec != std::errc{} || parsed.ptr != name.data() + name.size() || pid <= 0) continue;
    if (kill(pid, 0) != 0 && errno == ESRCH) dead.push_back(pid);
  }
  closedir(folder);
  uint64_t pages = 0;
  for (int pid : dead) {
    pages += number_in(note_path(pid)).value_or(0);
    unlink(note_path(pid).c_str());
  }
  return pages;
}

}  // namespace weir::dataplane
