// FTP's data connections: the file that one of them carries, as the control connection has announced it.
// Worker thread.
#pragma once

#include "inspection/app/app_parser.h"
#include "inspection/app/expectations.h"
#include "inspection/app/file_list.h"

namespace weir::inspection {

class FtpDataTransaction final : public Transaction {
 public:
  FtpDataTransaction(BytePool& pool, const HttpLimits& limits, const Expectation& what) noexcept
      : what_(what), files_(pool, limits, files_awaited[static_cast<size_t>(way())]) {}

  AppProtocol protocol() const override { return AppProtocol::ftp_data; }
  uint8_t progress(Direction direction) const override {
    return direction == way() && !over_ ? FtpStep::body : FtpStep::complete;
  }
  uint8_t last_step(Direction) const override { return FtpStep::complete; }
  std::optional<BufferView> buffer(BufferId buffer, Direction direction, uint32_t instance) override;
  std::optional<uint64_t> number(NumberId number, Direction direction, uint32_t instance) const override;
  std::optional<std::span<const uint8_t>> file_digest(FileDigest kind, Direction direction,
                                                      uint32_t instance) override {
    return direction == way() ? files_.digest(kind, instance) : std::nullopt;
  }
  size_t file_count(Direction direction) const override { return direction == way() ? files_.count() : 0; }
  AppFile file(Direction, size_t index) const override { return files_.file(index); }
  bool take_magic(const MagicDesk::Answer& answer) override { return files_.take_magic(answer); }
  void judged(BufferId buffer, Direction direction) override {
    if (buffer == BufferId::file_data && direction == way()) files_.judged();
  }

  /// "RETR", "STOR" ...
  std::string_view command() const {
    const std::string_view all(what_.command.data(), what_.command.size());
    return all.substr(0, all.find('\0'));
  }
  std::string_view file_name() const { return what_.file(); }
  /// Which way the file goes.
  Direction way() const { return what_.to_server ? Direction::to_server : Direction::to_client; }

  // The parser's side.
  FtpTransferKind kind() const { return what_.kind; }
  FileList& files() { return files_; }
  void end() { over_ = true; }

 private:
  const Expectation what_;
  FileList files_;
  bool over_ = false;
};

/// Null: the pool is at its ceiling. `limits` outlive it.
AppParser* make_ftp_data_parser(BytePool& pool, const HttpLimits& limits, const Expectation& what,
                                uint64_t first_tx);

}  // namespace weir::inspection
