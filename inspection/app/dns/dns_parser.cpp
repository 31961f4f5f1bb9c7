#include "inspection/app/dns/dns_parser.h"

#include <algorithm>

namespace weir::inspection {

namespace {

class DnsParser final : public AppParser {
 public:
  /// Messages after which the engine has to judge first.
  static constexpr size_t kMaxOpen = 8;

  DnsParser(BytePool& pool, bool over_tcp, uint64_t first_tx, unsigned most_pointers) noexcept
      : pool_(pool),
        over_tcp_(over_tcp),
        most_pointers_(most_pointers),
        next_id_(first_tx),
        partial_{PoolBytes(pool), PoolBytes(pool)} {}
  DnsParser(const DnsParser&) = delete;
  DnsParser& operator=(const DnsParser&) = delete;
  ~DnsParser() { drop_over(); }

  AppProtocol protocol() const override { return AppProtocol::dns; }

  Advance advance(Direction direction, std::span<const uint8_t> bytes, uint64_t) override {
    Advance done;
    done.work = bytes.size();
    if (failed_[index(direction)]) {
      done.consumed = bytes.size();
      return done;
    }
    if (over_tcp_) return stream(direction, bytes, done);
    done.consumed = bytes.size();
    done.error = message(direction, bytes, done.work);
    return done;
  }

  Advance gap(Direction direction, uint64_t, uint64_t) override {
    // Where the next message begins is not known.
    failed_[index(direction)] = true;
    partial_[index(direction)].reset();
    return {};
  }
  Advance end_of_stream(Direction direction, uint64_t) override {
    partial_[index(direction)].reset();
    return {};
  }

  std::span<Transaction* const> transactions() override { return {open_, count_}; }
  void drop_over() override {
    // Each is over as soon as it is made.
    for (size_t i = 0; i < count_; ++i) destroy_in(pool_, static_cast<DnsTransaction*>(open_[i]));
    count_ = 0;
  }
  uint64_t app_events() const override { return 0; }
  void destroy() override {
    BytePool& pool = pool_;
    destroy_in(pool, this);
  }

 private:
  static size_t index(Direction direction) { return static_cast<size_t>(direction); }

  Advance stream(Direction direction, std::span<const uint8_t> bytes, Advance done) {
    PoolBytes& partial = partial_[index(direction)];
    while (!bytes.empty()) {
      if (count_ == kMaxOpen) {
        done.next = Next::again;
        return done;
      }
      const auto take = [&](size_t wanted) {
        const size_t size = std::min(bytes.size(), wanted > partial.size() ? wanted - partial.size() : 0);
        if (size > 0 && !partial.append(bytes.first(size))) return false;
        bytes = bytes.subspan(size);
        done.consumed += size;
        return true;
      };
      if (!take(2)) return give_up(direction, bytes, done, AppError::memory);
      if (partial.size() < 2) return done;
      const size_t length = static_cast<size_t>(partial.view()[0]) << 8 | partial.view()[1];
      // A message of the greatest length would not fit the largest block with its length: none is so long.
      if (length < kDnsHeader || length + 2 > BytePool::kLargest)
        return give_up(direction, bytes, done, AppError::malformed);
      if (!take(length + 2)) return give_up(direction, bytes, done, AppError::memory);
      if (partial.size() < length + 2) return done;
      const AppError error = message(direction, partial.view().subspan(2), done.work);
      partial.reset();
      if (error == AppError::pointers) {
        done.error = error;
      } else if (error != AppError::none) {
        return give_up(direction, bytes, done, error);
      }
    }
    return done;
  }

  Advance give_up(Direction direction, std::span<const uint8_t> rest, Advance done, AppError error) {
    failed_[index(direction)] = true;
    partial_[index(direction)].reset();
    done.consumed += rest.size();
    done.error = error;
    return done;
  }

  AppError message(Direction direction, std::span<const uint8_t> bytes, uint64_t& work) {
    if (count_ == kMaxOpen) return AppError::transactions;
    auto* const transaction = make_in<DnsTransaction>(pool_, pool_, direction);
    if (transaction == nullptr) return AppError::memory;
    if (!transaction->read(bytes, most_pointers_)) {
      destroy_in(pool_, transaction);
      return AppError::memory;
    }
    work += transaction->work();
    if (transaction->header().is_answer() != (direction == Direction::to_client)) {
      transaction->raise(direction == Direction::to_client ? DnsEvent::not_response : DnsEvent::not_request);
    }
    transaction->id = next_id_++;
    open_[count_++] = transaction;
    return transaction->over_pointers() ? AppError::pointers : AppError::none;
  }

  BytePool& pool_;
  bool over_tcp_;
  unsigned most_pointers_;
  bool failed_[2] = {};
  uint64_t next_id_;
  PoolBytes partial_[2];
  Transaction* open_[kMaxOpen] = {};
  size_t count_ = 0;
};

}  // namespace

AppParser* make_dns_parser(BytePool& pool, bool over_tcp, uint64_t first_tx, unsigned most_pointers) {
  return make_in<DnsParser>(pool, pool, over_tcp, first_tx, most_pointers);
}

}  // namespace weir::inspection
