#include "inspection/app/ftp/ftp_data.h"

#include <utility>

#include "inspection/app/ftp/ftp_transaction.h"
#include "inspection/app/transaction_list.h"

namespace weir::inspection {

std::optional<BufferView> FtpDataTransaction::buffer(BufferId buffer, Direction direction,
                                                     uint32_t instance) {
  if (direction != way()) return std::nullopt;
  if (buffer == BufferId::file_name) return files_.name(instance);
  if (buffer == BufferId::file_magic) return files_.magic(instance);
  return buffer == BufferId::file_data && instance == 0 ? files_.data() : std::nullopt;
}

std::optional<uint64_t> FtpDataTransaction::number(NumberId number, Direction direction,
                                                   uint32_t instance) const {
  if (number == NumberId::ftpdata_command && instance == 0) {
    return kind() == FtpTransferKind::retrieve ? FtpDataCommand::retrieve
           : kind() == FtpTransferKind::store  ? FtpDataCommand::store
                                               : FtpDataCommand::other;
  }
  if (number != NumberId::file_size || instance >= file_count(direction)) return std::nullopt;
  return files_.file(instance).size;
}

namespace {

class FtpDataParser final : public AppParser {
 public:
  FtpDataParser(BytePool& pool, const HttpLimits& limits, const Expectation& what, uint64_t first_tx) noexcept
      : pool_(pool), transaction_(pool) {
    transaction_.make(first_tx, pool, limits, what);
    if (transaction_ == nullptr) return;
    // A listing is no file.
    complete_ = what.kind == FtpTransferKind::list || transaction_->files().open(what.file());
  }
  FtpDataParser(const FtpDataParser&) = delete;
  FtpDataParser& operator=(const FtpDataParser&) = delete;
  bool complete() const { return complete_; }

  AppProtocol protocol() const override { return AppProtocol::ftp_data; }
  Advance advance(Direction direction, std::span<const uint8_t> bytes, uint64_t) override {
    Advance done;
    if (transaction_ == nullptr || direction != transaction_->way() || failed_) {
      done.consumed = bytes.size();
      return done;
    }
    FileList& files = transaction_->files();
    if (std::exchange(waits_, false)) files.shown();
    done.consumed = std::min(bytes.size(), files.room());
    done.work = done.consumed;
    if (!files.append(bytes.first(done.consumed))) {
      failed_ = true;
      files.close(true);
      done.error = AppError::memory;
      done.consumed = bytes.size();
    } else if (done.consumed < bytes.size()) {
      waits_ = true;
      done.next = Next::again;
    }
    return done;
  }
  Advance gap(Direction direction, uint64_t size, uint64_t) override {
    if (transaction_ != nullptr && direction == transaction_->way()) transaction_->files().gap(size);
    return {};
  }
  Advance end_of_stream(Direction direction, uint64_t) override {
    if (transaction_ != nullptr && direction == transaction_->way()) {
      transaction_->files().close(false);
      transaction_->end();
    }
    return {};
  }
  std::span<Transaction* const> transactions() override { return transaction_.view(); }
  void drop_over() override { transaction_.drop_over(); }
  uint64_t app_events() const override { return 0; }
  void destroy() override {
    BytePool& pool = pool_;
    destroy_in(pool, this);
  }

 private:
  BytePool& pool_;
  SoleTransaction<FtpDataTransaction> transaction_;
  bool complete_ = false, waits_ = false, failed_ = false;
};

}  // namespace

AppParser* make_ftp_data_parser(BytePool& pool, const HttpLimits& limits, const Expectation& what,
                                uint64_t first_tx) {
  auto* const parser = make_in<FtpDataParser>(pool, pool, limits, what, first_tx);
  if (parser == nullptr || parser->complete()) return parser;
  destroy_in(pool, parser);
  return nullptr;
}

}  // namespace weir::inspection
