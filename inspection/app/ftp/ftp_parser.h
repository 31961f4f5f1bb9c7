// FTP's control connection (RFC 959, 2228, 2428): commands, replies, and what they announce of data
// connections.
//
// Use it through AppParser; the engine asks take_transfer() after each call. Behind AUTH that was accepted
// the session's protocol is told anew. Worker thread.
#pragma once

#include <array>
#include <optional>

#include "dataplane/net/ftp_text.h"
#include "inspection/app/app_parser.h"
#include "inspection/app/expectations.h"
#include "inspection/app/ftp/ftp_transaction.h"
#include "inspection/app/line_reader.h"
#include "inspection/app/transaction_list.h"

namespace weir::inspection {

struct FtpSettings {
  uint32_t transactions = 512;  // commands of a session without their reply
};

/// A data connection that is about to come.
struct FtpTransfer {
  bool active = false;  // the server opens it
  net::FtpEndpoint where;
  Expectation what;
};

class FtpParser final : public AppParser {
 public:
  /// Bytes of a line that are looked at, as in Suricata.
  static constexpr size_t kLine = 4'096;

  /// Null: the pool is at its ceiling. `settings` outlive it. `client`: who sends the commands.
  static FtpParser* make(BytePool& pool, const FtpSettings& settings, const net::IpAddress& client,
                         uint64_t first_tx) {
    return make_in<FtpParser>(pool, pool, settings, client, first_tx);
  }
  /// For make().
  FtpParser(BytePool& pool, const FtpSettings& settings, const net::IpAddress& client,
            uint64_t first_tx) noexcept
      : pool_(pool),
        settings_(settings),
        client_(client),
        next_id_(first_tx),
        list_(pool),
        lines_{LineReader(pool), LineReader(pool)} {}
  FtpParser(const FtpParser&) = delete;
  FtpParser& operator=(const FtpParser&) = delete;

  AppProtocol protocol() const override { return AppProtocol::ftp; }
  Advance advance(Direction direction, std::span<const uint8_t> bytes, uint64_t now_ns) override;
  Advance gap(Direction direction, uint64_t size, uint64_t now_ns) override;
  Advance end_of_stream(Direction direction, uint64_t now_ns) override;
  std::span<Transaction* const> transactions() override { return list_.view(); }
  void drop_over() override { list_.drop_over(); }
  uint64_t app_events() const override { return 0; }
  void destroy() override {
    BytePool& pool = pool_;
    destroy_in(pool, this);
  }

  /// What was announced since the last call.
  std::optional<FtpTransfer> take_transfer() { return std::exchange(transfer_, std::nullopt); }

 private:
  enum class Step : uint8_t { go_on, again, other, no_memory, too_many };

  FtpTransaction* oldest_open();
  FtpTransaction* make_transaction();
  Step on_command(std::string_view line, bool cut);
  Step on_reply(std::string_view line, bool cut);
  void on_port(FtpTransaction& tx, std::string_view line);
  void on_passive(FtpTransaction& tx, std::string_view reply);
  void announce(FtpTransaction& tx, FtpTransferKind kind);

  BytePool& pool_;
  const FtpSettings& settings_;
  const net::IpAddress client_;
  uint64_t next_id_;
  TransactionList<FtpTransaction> list_;
  LineReader lines_[2];
  bool resync_[2] = {};  // what comes first is the rest of a line
  bool failed_ = false;
  std::array<char, 3> multiline_{};       // the code of a reply that goes on; zeros: none does
  std::optional<net::FtpEndpoint> data_;  // where the next data connection goes
  bool active_ = false;
  std::optional<FtpTransfer> transfer_;
};

}  // namespace weir::inspection
