#include "inspection/app/ssh/ssh_parser.h"

#include <algorithm>

#include "inspection/app/md5_text.h"
#include "inspection/app/ssh/ssh_kex.h"
#include "inspection/app/transaction_list.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

constexpr uint8_t kKexInit = 20, kNewKeys = 21;
constexpr size_t kLongBanner = 256;   // RFC 4253 section 4.2: 255 with its end
constexpr size_t kRecordHeader = 6;   // length, padding, and the message's number
constexpr uint32_t kLeastRecord = 2;  // padding's length and a number

class SshParser final : public AppParser {
 public:
  SshParser(BytePool& pool, bool fingerprints, uint64_t first_tx) noexcept
      : pool_(pool), transaction_(pool), lanes_{Lane(pool), Lane(pool)} {
    transaction_.make(first_tx, pool, fingerprints);
  }
  SshParser(const SshParser&) = delete;
  SshParser& operator=(const SshParser&) = delete;
  bool complete() const { return transaction_ != nullptr; }

  AppProtocol protocol() const override { return AppProtocol::ssh; }
  Advance advance(Direction direction, Bytes bytes, uint64_t) override;
  Advance gap(Direction direction, uint64_t, uint64_t) override {
    // Where the next record begins is not known.
    fail(direction);
    return ended();
  }
  Advance end_of_stream(Direction direction, uint64_t) override {
    finish(direction);
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
  struct Lane {
    explicit Lane(BytePool& pool) noexcept : partial(pool) {}
    enum class State : uint8_t { banner, banner_rest, records, encrypted, failed };
    State state = State::banner;
    PoolBytes partial;  // a banner, a record's header, or a list of algorithms under way
    size_t wanted = 0;  // bytes of `partial` that a list of algorithms takes; 0: a header is read
    uint64_t skip = 0;  // bytes of a record that nobody asks for
  };
  using State = Lane::State;
  Lane& lane(Direction direction) { return lanes_[static_cast<size_t>(direction)]; }
  static bool is_done(const Lane& lane) {
    return lane.state == State::encrypted || lane.state == State::failed;
  }
  Advance ended() const {
    Advance done;
    if (is_done(lanes_[0]) && is_done(lanes_[1])) done.next = Next::ended;
    // A lane that failed is not: whoever sends what is no SSH is read on.
    done.encrypted = lanes_[0].state == State::encrypted && lanes_[1].state == State::encrypted;
    return done;
  }
  void finish(Direction direction) {
    if (transaction_ != nullptr) transaction_->advance_to(direction, SshStep::complete);
    lane(direction).partial.reset();
  }
  void fail(Direction direction) {
    lane(direction).state = State::failed;
    finish(direction);
  }
  AppError banner(Direction direction, Bytes& bytes);
  AppError take_banner(Direction direction, Bytes line);
  AppError record(Direction direction, Bytes& bytes);
  AppError record_header(Direction direction);
  AppError algorithms(Direction direction, Bytes message);

  BytePool& pool_;
  SoleTransaction<SshTransaction> transaction_;
  Lane lanes_[2];
};

Advance SshParser::advance(Direction direction, Bytes bytes, uint64_t) {
  const size_t given = bytes.size();
  Lane& own = lane(direction);
  AppError error = AppError::none;
  while (!bytes.empty() && !is_done(own) && error == AppError::none && transaction_ != nullptr) {
    error = own.state == State::records ? record(direction, bytes) : banner(direction, bytes);
  }
  if (error != AppError::none) fail(direction);
  Advance done = ended();
  done.consumed = done.work = given;
  done.error = error;
  return done;
}

AppError SshParser::banner(Direction direction, Bytes& bytes) {
  Lane& own = lane(direction);
  const auto end = std::find(bytes.begin(), bytes.end(), '\n');
  const bool whole = end != bytes.end();
  const Bytes piece = bytes.first(static_cast<size_t>(end - bytes.begin()));
  bytes = bytes.subspan(piece.size() + (whole ? 1 : 0));
  if (own.state == State::banner_rest) {
    if (whole) own.state = State::records;
    return AppError::none;
  }
  const size_t room = kLongBanner - own.partial.size();
  const Bytes kept = piece.first(std::min(piece.size(), room));
  if (!kept.empty() && !own.partial.append(kept)) return AppError::memory;
  const bool long_one = piece.size() >= room;
  if (!whole && !long_one) return AppError::none;
  if (long_one) transaction_->raise(SshEvent::long_banner);
  const AppError error = take_banner(direction, own.partial.view());
  own.partial.reset();
  if (own.state == State::banner) own.state = whole ? State::records : State::banner_rest;
  return error;
}

AppError SshParser::take_banner(Direction direction, Bytes line) {
  SshTransaction::Side& side = transaction_->side(direction);
  const auto banner = read_ssh_banner(line);
  if (!banner) {
    transaction_->raise(SshEvent::invalid_banner);
    fail(direction);
    return AppError::none;
  }
  if (!side.protocol.append(banner->protocol)) return AppError::memory;
  if (!banner->software.empty() && !side.software.append(banner->software)) return AppError::memory;
  transaction_->advance_to(direction, SshStep::banner);
  return AppError::none;
}

AppError SshParser::record(Direction direction, Bytes& bytes) {
  Lane& own = lane(direction);
  if (own.skip > 0) {
    const size_t skipped = static_cast<size_t>(std::min<uint64_t>(own.skip, bytes.size()));
    own.skip -= skipped;
    bytes = bytes.subspan(skipped);
    return AppError::none;
  }
  const size_t wanted = own.wanted != 0 ? own.wanted : kRecordHeader;
  const Bytes piece = bytes.first(std::min(wanted - own.partial.size(), bytes.size()));
  if (!own.partial.append(piece)) return AppError::memory;
  bytes = bytes.subspan(piece.size());
  if (own.partial.size() < wanted) return AppError::none;
  if (own.wanted == 0) return record_header(direction);
  const AppError error = algorithms(direction, own.partial.view());
  own.partial.reset();
  own.wanted = 0;
  return error;
}

AppError SshParser::record_header(Direction direction) {
  Lane& own = lane(direction);
  const Bytes header = own.partial.view();
  const uint32_t length = static_cast<uint32_t>(header[0]) << 24 | static_cast<uint32_t>(header[1]) << 16 |
                          static_cast<uint32_t>(header[2]) << 8 | header[3];
  const uint8_t message = header[5];
  own.partial.reset();
  if (length < kLeastRecord) {
    transaction_->raise(SshEvent::invalid_record);
    fail(direction);
    return AppError::none;
  }
  const uint32_t rest = length - kLeastRecord;
  if (message == kNewKeys) {
    // What follows its record is encrypted.
    own.state = State::encrypted;
    finish(direction);
  } else if (message == kKexInit && rest > BytePool::kLargest) {
    transaction_->raise(SshEvent::long_kex_record);
    own.skip = rest;
  } else if (message == kKexInit && rest > 0 && transaction_->side(direction).hassh.empty()) {
    own.wanted = rest;
  } else {
    own.skip = rest;
  }
  return AppError::none;
}

AppError SshParser::algorithms(Direction direction, Bytes message) {
  SshTransaction::Side& side = transaction_->side(direction);
  switch (make_hassh(message, direction, side.hassh)) {
    case SshHassh::no_memory:
      return AppError::memory;
    case SshHassh::wrong:
      transaction_->raise(SshEvent::invalid_record);
      break;
    case SshHassh::made:
      md5_text(side.hassh.view(), side.hassh_hash);
      break;
  }
  transaction_->advance_to(direction, SshStep::keys);
  return AppError::none;
}

}  // namespace

AppParser* make_ssh_parser(BytePool& pool, bool fingerprints, uint64_t first_tx) {
  auto* const parser = make_in<SshParser>(pool, pool, fingerprints, first_tx);
  if (parser == nullptr || parser->complete()) return parser;
  parser->destroy();
  return nullptr;
}

}  // namespace weir::inspection
