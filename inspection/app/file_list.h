// The files of one direction of a transaction: their names, sizes and checksums, and the window over the one
// under way that `file.data` looks into.
//
// A file is opened, grows and is closed; only then comes the next one. The window is that of the last file:
// whoever opens another has let the detector judge the one before (nothing_waits()). All memory from the
// worker's pool. Worker thread.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "inspection/app/file.h"
#include "inspection/app/http/body_window.h"
#include "inspection/app/http/file_hash.h"
#include "inspection/app/http/limits.h"
#include "inspection/app/http/text.h"
#include "inspection/app/transaction.h"
#include "inspection/magic/file_magics.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

class FileList {
 public:
  /// `limits` outlive it: window, fresh, multipart_files (how many files are told apart), file_hashes, magic.
  /// `awaited`: of the transaction, Transaction::files_awaited of that direction.
  FileList(BytePool& pool, const HttpLimits& limits, uint32_t& awaited) noexcept
      : pool_(pool), limits_(limits), names_(pool), entries_(pool), window_(pool), awaited_(awaited) {}
  ~FileList() { destroy_in(pool_, hash_); }
  FileList(const FileList&) = delete;
  FileList& operator=(const FileList&) = delete;

  /// Begins a file; the window begins anew. Beyond limits.multipart_files its bytes are still shown, but it
  /// is no file of its own. False: the pool is at its ceiling.
  [[nodiscard]] bool open(std::string_view name);
  bool is_open() const { return open_; }
  /// The next bytes of the open file; without one nothing happens. False: the pool is at its ceiling.
  [[nodiscard]] bool append(std::span<const uint8_t> bytes);
  /// `size` bytes of the open file are missing.
  void gap(uint64_t size);
  /// The open file is over; `truncated`: before its end.
  void close(bool truncated);

  /// How many bytes can be appended before the window has to be judged.
  size_t room() const { return window_.room(limits_); }
  /// All that is in the window was judged.
  bool nothing_waits() const { return window_.room(limits_) == limits_.fresh; }
  /// What is in the window was shown to the detector, whether it asked for it or not.
  void shown() { window_.shown(); }
  /// A body that is a file is looked into by two buffers, which are judged apart.
  using Reader = http::BodyWindow::Reader;
  void judged(Reader reader = Reader::file) { window_.judged(reader); }

  size_t count() const { return entries_.size() / sizeof(Entry); }
  AppFile file(size_t index) const;
  /// `file.name`, `file.magic` and `file.data` as Transaction::buffer() gives them.
  std::optional<BufferView> name(uint32_t index) const;
  std::optional<BufferView> magic(uint32_t index) const { return magics_.buffer(index); }
  bool take_magic(const MagicDesk::Answer& answer) { return magics_.take(answer); }
  std::optional<BufferView> data(Reader reader = Reader::file) const;
  /// As Transaction::file_digest().
  std::optional<std::span<const uint8_t>> digest(FileDigest kind, uint32_t index) const;

 private:
  struct Entry {
    uint32_t name_at = 0, name_size = 0;
    uint64_t size = 0;
    AppFile::State state = AppFile::State::open;
    bool gaps = false;
    uint8_t hashes = 0;
    FileDigests digests;
  };
  Entry entry(size_t index) const;
  void put(size_t index, const Entry& entry);

  BytePool& pool_;
  const HttpLimits& limits_;
  PoolBytes names_;
  PoolBytes entries_;  // Entry
  http::BodyWindow window_;
  uint32_t& awaited_;
  FileMagics magics_;
  http::FileHash* hash_ = nullptr;  // of the open file
  bool open_ = false;
  bool counted_ = false;  // the open file is the last of the entries
  bool any_ = false;
};

}  // namespace weir::inspection
