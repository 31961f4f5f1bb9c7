// The EVE file: lines appended, flushed in time, opened again after log rotation. Writer thread only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/net/result.h"

namespace weir::events {

/// A file that lines are appended to, or standard output ("-").
class EveFile {
 public:
  /// Opens `path` for appending; creates it and the folders above it.
  static Result<EveFile> open(const std::string& path);
  EveFile(EveFile&& other) noexcept;
  EveFile& operator=(EveFile&& other) noexcept;
  ~EveFile();

  /// Buffers `line` and a line end; writes when the buffer is full.
  Status append(std::string_view line);
  /// Writes what is buffered. What cannot be written is given up, so that the buffer never grows without
  /// bound.
  Status flush();
  /// Opens the path anew: a file that was renamed goes on under its new name no more.
  Status reopen();
  bool pending() const { return !buffer_.empty(); }

 private:
  static constexpr size_t kBufferBytes = 64 * 1024;
  EveFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_ = -1;
  std::string buffer_;
};

}  // namespace weir::events
