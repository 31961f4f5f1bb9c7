#include "mgmt/config/save.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "mgmt/config/document.h"
#include "mgmt/config/reader.h"
#include "mgmt/config/writer.h"

namespace weir::config {

namespace {

constexpr mode_t kNewFileMode = 0640;

using Done = tl::expected<void, Problem>;

Done failed(const std::string& file, const std::string& what) {
  return tl::unexpected(
      Problem{{file, 0, 0}, "", "the file cannot be written: " + what + ": " + std::strerror(errno)});
}

/// A file descriptor that is closed, and a file that is removed unless it was kept.
class NewFile {
 public:
  explicit NewFile(std::string path)
      : path_(std::move(path)),
        fd_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)) {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (fd_ >= 0) ::close(fd_);
    if (fd_ >= 0 && !kept_) ::unlink(path_.c_str());
  }

  bool open() const { return fd_ >= 0; }
  bool write(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t n = ::write(fd_, text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  bool take_after(const struct stat& old) const {
    return ::fchown(fd_, old.st_uid, old.st_gid) == 0 && ::fchmod(fd_, old.st_mode & 07777) == 0;
  }
  bool set_mode(mode_t mode) const { return ::fchmod(fd_, mode) == 0; }
  bool sync() const { return ::fsync(fd_) == 0; }
  bool rename_to(const std::string& file) {
    kept_ = ::rename(path_.c_str(), file.c_str()) == 0;
    return kept_;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_;
  bool kept_ = false;
};

/// The file that a symbolic link names in the end; itself if it is none, or not there.
std::string target_of(const std::string& file) {
  char path[PATH_MAX];
  return ::realpath(file.c_str(), path) != nullptr ? path : file;
}

/// The old file gets a second name, so that the first one never is without a file.
bool keep_backup(const std::string& file) {
  const std::string backup = file + ".bak", fresh = backup + ".new";
  ::unlink(fresh.c_str());
  return ::link(file.c_str(), fresh.c_str()) == 0 && ::rename(fresh.c_str(), backup.c_str()) == 0;
}

bool sync_folder_of(const std::string& file) {
  const std::string folder = std::filesystem::path(file).parent_path().string();
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  return synced;
}

}  // namespace

Done replace_file(const std::string& name, std::string_view text) {
  const std::string file = target_of(name);
  struct stat old {};
  const bool exists = ::stat(file.c_str(), &old) == 0;
  NewFile fresh(file + ".new");
  if (!fresh.open()) return failed(name, "cannot create " + fresh.path());
  if (!fresh.write(text)) return failed(name, "cannot write " + fresh.path());
  if (!(exists ? fresh.take_after(old) : fresh.set_mode(kNewFileMode)))
    return failed(name, "cannot give " + fresh.path() + " its owner and mode");
  if (!fresh.sync()) return failed(name, "cannot sync " + fresh.path());
  if (exists && !keep_backup(file)) return failed(name, "cannot keep the old one as " + file + ".bak");
  if (!fresh.rename_to(file)) return failed(name, "cannot rename " + fresh.path());
  if (!sync_folder_of(file)) return failed(name, "cannot sync its folder");
  return {};
}

tl::expected<std::vector<std::string>, Problem> save_config(const Config& config, bool force) {
  if (!force) {
    const auto now = read_whole_file(config.file);
    if (!now) return tl::unexpected(now.error());
    if (digest_of(*now) != config.digest) {
      return tl::unexpected(
          Problem{{config.file, 0, 0},
                  "",
                  "the file was edited since the hub read it, and those edits would be lost; reload "
                  "them first, or use force"});
    }
  }
  Config next = config;
  next.routes_file = routes_file_for(config);
  const std::string text = to_toml(next);
  if (const auto again = read_config_text(text, next.file); !again) {
    return tl::unexpected(
        Problem{{config.file, 0, 0},
                "",
                "not saved, since it could not be read again: " + to_string(again.error().front())});
  }
  std::vector<std::string> written;
  if (!next.routes_file.empty()) {  // first, so that the other never names a file that is not there
    if (const Done done = replace_file(next.routes_file, routes_text(next)); !done)
      return tl::unexpected(done.error());
    written.push_back(next.routes_file);
  }
  if (const Done done = replace_file(next.file, text); !done) return tl::unexpected(done.error());
  written.push_back(next.file);
  return written;
}

uint64_t digest_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace weir::config
