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

class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  bool is_open() const { return fd_ >= 0; }
  bool lock() const { return flock(fd_, LOCK_EX) == 0; }

  std::optional<uint64_t> read_number() const {
    char text[32];
    const ssize_t got = pread(fd_, text, sizeof(text), 0);
    if (got <= 0) return std::nullopt;
    uint64_t value = 0;
    const auto parsed = std::from_chars(text, text + got, value);
    if (parsed.ec != std::errc{}) return std::nullopt;
    return value;
  }
  bool write_number(uint64_t value) const {
    const std::string text = std::to_string(value) + "\n";
    return pwrite(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  }

 private:
  int fd_;
};

std::optional<uint64_t> number_in(const std::string& path) {
  File file(path, O_RDONLY);
  return file.is_open() ? file.read_number() : std::nullopt;
}

}  // namespace

std::string HugepageReservation::note_path(int pid) const {
  return paths_.notes + "/" + std::string(kNotePrefix) + std::to_string(pid);
}

Status HugepageReservation::reserve(uint32_t mib) {
  File pool(paths_.pool + "/nr_hugepages", O_RDWR);
  if (!pool.is_open()) {
    return fail(ErrorCode::unavailable, errno == ENOENT ? "this kernel has no 2 MiB hugepages"
                                                        : "no permission to reserve hugepages");
  }
  if (!pool.lock()) return fail(ErrorCode::io, "cannot lock the kernel's hugepage pool");
  const auto before = pool.read_number();
  const auto free_pages = number_in(paths_.pool + "/free_hugepages");
  if (!before || !free_pages) return fail(ErrorCode::io, "cannot read the kernel's hugepage pool");

  pages_ = take_over_notes_of_the_dead();
  const uint64_t needed = (uint64_t{mib} + kPageMib - 1) / kPageMib;
  const uint64_t missing = needed - std::min(needed, *free_pages);
  if (missing != 0) {
    if (!pool.write_number(*before + missing)) {
      return fail(ErrorCode::unavailable, "the kernel refuses to reserve hugepages");
    }
    const uint64_t after = pool.read_number().value_or(*before);
    if (after < *before + missing) {
      pool.write_number(*before);
      return fail(ErrorCode::unavailable, "the kernel has contiguous memory for only " +
                                              std::to_string(*free_pages + (after - *before)) + " of the " +
                                              std::to_string(needed) + " hugepages needed");
    }
    pages_ += missing;
  }
  if (pages_ != 0) {
    // The note only serves the case of SIGKILL; without it the hub runs just as well.
    mkdir(paths_.notes.c_str(), 0755);
    File note(note_path(getpid()), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (note.is_open()) note.write_number(pages_);
  }
  return {};
}

void HugepageReservation::give_back() {
  if (pages_ == 0) return;
  File pool(paths_.pool + "/nr_hugepages", O_RDWR);
  if (pool.is_open() && pool.lock()) {
    // The administrator may have shrunk the pool meanwhile.
    if (const auto now = pool.read_number()) pool.write_number(*now - std::min(*now, pages_));
  }
  unlink(note_path(getpid()).c_str());
  rmdir(paths_.notes.c_str());  // only if empty
  pages_ = 0;
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
