// What the files of one direction of a transaction are, as libmagic says: gathers their first bytes, asks,
// and keeps the answers.
//
// Takes nothing unless HttpLimits::magic says whom to ask; what it then grows lies in the worker's pool.
// Without memory, or without a place at the desk, a file's kind stays unknown, which the desk counts. Worker
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "inspection/app/http/limits.h"
#include "inspection/app/transaction.h"
#include "inspection/magic/magic_desk.h"
#include "inspection/memory/byte_pool.h"
#include "inspection/memory/pool_list.h"

namespace weir::inspection {

class FileMagics {
 public:
  FileMagics() = default;
  ~FileMagics() {
    if (known_ != nullptr) destroy_in(known_->pool, known_);
  }
  FileMagics(const FileMagics&) = delete;
  FileMagics& operator=(const FileMagics&) = delete;

  /// The file of that place begins; the one before is over. `awaited`: Transaction::files_awaited of the
  /// direction. All outlive it.
  void open(size_t file, BytePool& memory, uint32_t& awaited, const HttpLimits& limits) {
    if (known_ != nullptr || limits.magic != nullptr) [[unlikely]]
      start(file, memory, awaited, limits);
  }
  /// Bytes of it.
  void add(std::span<const uint8_t> bytes, const HttpLimits& limits) {
    if (known_ != nullptr && known_->gathers) [[unlikely]]
      gather(bytes, limits);
  }
  /// Nothing follows that is in one piece with what came: its end, or a gap.
  void end(const HttpLimits& limits) {
    if (known_ != nullptr && known_->gathers) [[unlikely]]
      ask(limits);
  }

  /// What was said of it; empty: it is not known, or not yet.
  std::string_view text(size_t file) const;
  bool waits(size_t file) const;
  /// `file.magic` as Transaction::buffer() gives it: of the files that are known, in their order.
  std::optional<BufferView> buffer(uint32_t instance) const;
  /// False: the answer is not one of its files'.
  bool take(const MagicDesk::Answer& answer);

 private:
  struct File {
    uint32_t file = 0;
    bool told = false;
    uint16_t size = 0;
    uint32_t at = 0;  // in texts
    uint64_t ticket = 0;
  };
  struct Known {
    Known(BytePool& memory, MagicDesk& whom, uint32_t& count) noexcept
        : pool(memory), desk(whom), awaited(count), begin(memory), files(memory), texts(memory) {}
    BytePool& pool;
    MagicDesk& desk;
    uint32_t& awaited;
    uint32_t open = 0;
    bool gathers = false;  // the open file was not asked about yet
    PoolBytes begin;       // its bytes
    PoolList<File> files;  // that wait, or are known
    PoolBytes texts;
  };
  void start(size_t file, BytePool& memory, uint32_t& awaited, const HttpLimits& limits);
  void gather(std::span<const uint8_t> bytes, const HttpLimits& limits);
  void ask(const HttpLimits& limits);
  bool keep(File& file, std::string_view text);
  std::string_view text_of(const File& file) const;

  Known* known_ = nullptr;  // null: nobody has asked
};

}  // namespace weir::inspection
