#include "mgmt/events/eve_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace weir::events {

namespace {

Result<int> open_path(const std::string& path) {
  if (path == "-") return STDOUT_FILENO;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error)
    return fail(ErrorCode::io, "cannot create the folder " + folder.string() + ": " + error.message());
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return fail(ErrorCode::io, "cannot open the event file " + path + ": " + std::strerror(errno));
  return fd;
}

}  // namespace

Result<EveFile> EveFile::open(const std::string& path) {
  const auto fd = open_path(path);
  if (!fd) return tl::unexpected(fd.error());
  return EveFile(path, *fd);
}

EveFile::EveFile(EveFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}

EveFile& EveFile::operator=(EveFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(buffer_, other.buffer_);
  return *this;
}

EveFile::~EveFile() {
  if (fd_ > STDERR_FILENO) ::close(fd_);
}

Status EveFile::append(std::string_view line) {
  buffer_.append(line);
  buffer_.push_back('\n');
  return buffer_.size() < kBufferBytes ? Status() : flush();
}

Status EveFile::flush() {
  const std::string out = std::exchange(buffer_, {});
  for (size_t done = 0; done < out.size();) {
    const ssize_t n = ::write(fd_, out.data() + done, out.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(ErrorCode::io, "cannot write to " + path_ + ": " + std::strerror(errno));
    done += static_cast<size_t>(n);
  }
  return {};
}

Status EveFile::reopen() {
  Status flushed = flush();
  const auto fd = open_path(path_);
  if (!fd) return tl::unexpected(fd.error());
  if (fd_ > STDERR_FILENO) ::close(fd_);
  fd_ = *fd;
  return flushed;
}

}  // namespace weir::events
