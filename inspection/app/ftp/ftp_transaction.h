// One command of FTP (RFC 959) with its reply, as rules and events ask for it; the server's greeting is one
// without a command. As in Suricata 8.
//
// Made and filled by the parser. Worker thread; all that it grows lies in the worker's pool.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "inspection/app/expectations.h"
#include "inspection/app/transaction.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

/// Anomalies, by Suricata's names: bits of Transaction::app_events.
enum class FtpEvent : uint8_t {
#define FTP_EVENT(id, name) id,
#include "inspection/app/ftp/ftp_events.def"
#undef FTP_EVENT
};
std::span<const std::string_view> ftp_event_names();

/// NumberId::ftp_mode.
struct FtpMode {
  static constexpr uint64_t active = 1, passive = 2;
};
/// NumberId::ftpdata_command.
struct FtpDataCommand {
  static constexpr uint64_t retrieve = 1, store = 2, other = 3;
};

class FtpTransaction final : public Transaction {
 public:
  // Of one command: lines of its reply that are kept, and bytes of all that was said.
  static constexpr size_t kReplies = 256, kText = 32 * 1024;

  explicit FtpTransaction(BytePool& pool) noexcept : text_(pool), replies_(pool) {}

  AppProtocol protocol() const override { return AppProtocol::ftp; }
  uint8_t progress(Direction direction) const override { return progress_[static_cast<size_t>(direction)]; }
  uint8_t last_step(Direction) const override { return FtpStep::complete; }
  std::optional<BufferView> buffer(BufferId buffer, Direction direction, uint32_t instance) override;
  std::optional<uint64_t> number(NumberId number, Direction direction, uint32_t instance) const override;
  void judged(BufferId, Direction) override {}

  // What the event `ftp` says.
  bool has_command() const { return command_.size > 0; }
  std::string_view command() const { return text_of(command_); }  // in capitals
  std::string_view argument() const { return text_of(argument_); }
  bool command_cut() const { return command_cut_; }
  bool reply_cut() const { return reply_cut_; }
  bool replied() const { return replied_; }
  size_t reply_count() const { return replies_.size() / sizeof(Reply); }
  /// The three digits of that line; empty if it has none.
  std::string_view code(size_t index) const;
  /// What stands behind them.
  std::string_view reply(size_t index) const;
  uint16_t port() const { return port_; }
  uint64_t mode() const { return mode_; }  // FtpMode; 0: no data connection was agreed on

  // The parser's side. False: the pool is at its ceiling.
  [[nodiscard]] bool set_command(std::string_view line, size_t word, bool cut);
  [[nodiscard]] bool add_reply(std::string_view line, bool cut);
  void set_port(uint16_t port, uint64_t mode) {
    port_ = port;
    mode_ = mode;
  }
  void set_bounce() { bounce_ = true; }
  void complete(bool replied) {
    replied_ = replied_ || replied;
    progress_[0] = progress_[1] = FtpStep::complete;
  }
  bool is_complete() const { return progress_[0] == FtpStep::complete; }
  void raise(FtpEvent event) { app_events |= uint64_t{1} << static_cast<unsigned>(event); }

 private:
  struct Piece {
    uint32_t at = 0, size = 0;
  };
  struct Reply {
    Piece line;
    bool has_code = false;
  };
  std::string_view text_of(Piece piece) const;
  Reply reply_at(size_t index) const;

  uint8_t progress_[2] = {};
  PoolBytes text_;
  PoolBytes replies_;  // Reply
  Piece command_, argument_;
  uint64_t mode_ = 0;
  uint16_t port_ = 0;
  bool command_cut_ = false, reply_cut_ = false, replied_ = false, bounce_ = false;
};

}  // namespace weir::inspection
