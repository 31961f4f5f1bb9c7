#include "inspection/app/quic/quic_parser.h"

#include <algorithm>

#include "inspection/app/quic/crypto_stream.h"
#include "inspection/app/quic/quic_frames.h"
#include "inspection/app/quic/quic_header.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

class QuicParser final : public AppParser {
 public:
  /// Packets after which the engine has to judge first.
  static constexpr size_t kMaxOpen = 4;
  /// Packets of one direction that are told before its hello is whole; what follows says nothing new.
  static constexpr unsigned kMostBeforeHello = 64;

  QuicParser(BytePool& pool, QuicDecryptor& decryptor, uint64_t first_tx) noexcept
      : pool_(pool), decryptor_(decryptor), next_id_(first_tx), lanes_{Lane(pool), Lane(pool)} {}
  QuicParser(const QuicParser&) = delete;
  QuicParser& operator=(const QuicParser&) = delete;
  ~QuicParser() { drop_over(); }

  AppProtocol protocol() const override { return AppProtocol::quic; }
  Advance advance(Direction direction, Bytes datagram, uint64_t) override;
  Advance gap(Direction, uint64_t, uint64_t) override { return {}; }
  Advance end_of_stream(Direction, uint64_t) override { return {}; }
  std::span<Transaction* const> transactions() override { return {open_, count_}; }
  void drop_over() override {
    // Each is over as soon as it is made.
    for (size_t i = 0; i < count_; ++i) destroy_in(pool_, static_cast<QuicTransaction*>(open_[i]));
    count_ = 0;
  }
  /// Both hellos were read: all else is of keys that only the ends have.
  bool is_secret() const override { return lanes_[0].hello && lanes_[1].hello; }
  uint64_t app_events() const override { return 0; }
  void destroy() override {
    BytePool& pool = pool_;
    destroy_in(pool, this);
  }

 private:
  struct Lane {
    explicit Lane(BytePool& pool) noexcept : crypto(pool) {}
    CryptoStream crypto;
    bool hello = false;  // it is whole: what follows is of the handshake's own keys
    unsigned packets = 0;
  };
  struct Id {
    std::array<uint8_t, 20> bytes{};
    uint8_t size = 0;
    bool is(Bytes id) const { return std::equal(id.begin(), id.end(), bytes.begin(), bytes.begin() + size); }
    void set(Bytes id) {
      size = static_cast<uint8_t>(std::min(id.size(), bytes.size()));
      std::copy_n(id.begin(), size, bytes.begin());
    }
  };
  Lane& lane(Direction direction) { return lanes_[static_cast<size_t>(direction)]; }
  bool wanted(Direction direction, const QuicHeader& header);
  void begin_anew();
  AppError packet(Direction direction, const QuicHeader& header, Bytes bytes, uint64_t& work);
  std::optional<Bytes> unprotect(Direction direction, const QuicHeader& header, Bytes bytes, uint64_t& work);
  AppError frames(Direction direction, const QuicHeader& header, Bytes payload, QuicTransaction& transaction);
  AppError hello(Direction direction, QuicTransaction& transaction);

  BytePool& pool_;
  QuicDecryptor& decryptor_;
  uint64_t next_id_;
  Lane lanes_[2];
  bool has_keys_ = false, retried_ = false;
  QuicInitialKeys keys_;
  Id first_destination_;  // of the client: what the keys are made of
  Id server_;             // how the server wants to be called
  Transaction* open_[kMaxOpen] = {};
  size_t count_ = 0;
};

Advance QuicParser::advance(Direction direction, Bytes datagram, uint64_t) {
  Advance done;
  while (!datagram.empty()) {
    QuicHeader header;
    done.work += 1;
    // A short header, or padding of the whole datagram: nothing that follows can be read.
    if (read_quic_header(datagram, header) != QuicHeaderError::none || !wanted(direction, header)) {
      done.consumed += datagram.size();
      return done;
    }
    if (count_ == kMaxOpen) {
      done.next = Next::again;
      return done;
    }
    done.error = packet(direction, header, datagram.first(header.end), done.work);
    done.consumed += header.end;
    datagram = datagram.subspan(header.end);
    if (done.error != AppError::none) {
      done.consumed += datagram.size();
      return done;
    }
  }
  return done;
}

/// After its hello a direction has no more to say, unless its ends begin another connection.
bool QuicParser::wanted(Direction direction, const QuicHeader& header) {
  const bool of_client = direction == Direction::to_server;
  if (header.form == QuicForm::retry && !of_client && has_keys_ && !retried_) {
    // The client sends its hello again, with keys of the id that the server gives it (RFC 9000
    // section 17.2.5).
    begin_anew();
    retried_ = true;
  }
  Lane& own = lane(direction);
  if (own.hello) {
    const bool another = of_client && header.form == QuicForm::initial &&
                         !first_destination_.is(header.destination) && server_.size > 0 &&
                         !server_.is(header.destination);
    if (!another) return false;
    begin_anew();
    retried_ = false;
  }
  return own.packets < kMostBeforeHello;
}

void QuicParser::begin_anew() {
  for (Lane& each : lanes_) {
    each.crypto.reset();
    each.hello = false;
    each.packets = 0;
  }
  has_keys_ = false;
  server_.size = 0;
}

AppError QuicParser::packet(Direction direction, const QuicHeader& header, Bytes bytes, uint64_t& work) {
  auto* const transaction = make_in<QuicTransaction>(pool_, pool_, direction, header.version);
  if (transaction == nullptr) return AppError::memory;
  transaction->id = next_id_++;
  open_[count_++] = transaction;
  ++lane(direction).packets;
  if (direction == Direction::to_client && header.form == QuicForm::initial && server_.size == 0)
    server_.set(header.source);
  if (header.form == QuicForm::google) {
    return frames(direction, header, bytes.subspan(header.body), *transaction);
  }
  if (header.form != QuicForm::initial) return AppError::none;
  const auto payload = unprotect(direction, header, bytes, work);
  if (payload) return frames(direction, header, *payload, *transaction);
  if (has_keys_) transaction->raise(QuicEvent::failed_decrypt);
  return AppError::none;
}

/// With the connection's keys, or with those that the packet's own destination makes: the first one may not
/// have been seen, or a client begins again.
std::optional<Bytes> QuicParser::unprotect(Direction direction, const QuicHeader& header, Bytes bytes,
                                           uint64_t& work) {
  const bool of_client = direction == Direction::to_server;
  work += bytes.size();
  if (has_keys_) {
    const auto payload = decryptor_.decrypt(of_client ? keys_.client : keys_.server, bytes, header.body);
    if (payload || !of_client) return payload;
  }
  if (!of_client) return std::nullopt;
  QuicInitialKeys keys;
  if (!derive_initial_keys(header.version, header.destination, keys)) return std::nullopt;
  work += bytes.size();
  const auto payload = decryptor_.decrypt(keys.client, bytes, header.body);
  // What fails with the first keys that are tried is told, too.
  if (!payload && has_keys_) return std::nullopt;
  keys_ = keys;
  has_keys_ = true;
  first_destination_.set(header.destination);
  return payload;
}

AppError QuicParser::frames(Direction direction, const QuicHeader& header, Bytes payload,
                            QuicTransaction& transaction) {
  CryptoStream& crypto = lane(direction).crypto;
  QuicFrames all(quic_family(header.version), payload);
  while (const auto frame = all.next()) {
    switch (crypto.add(frame->offset, frame->data)) {
      case CryptoStream::Added::taken:
        break;
      case CryptoStream::Added::no_memory:
        return AppError::memory;
      case CryptoStream::Added::too_long:
      case CryptoStream::Added::too_many:
        transaction.raise(QuicEvent::crypto_frag_too_long);
        break;
    }
  }
  if (all.malformed()) transaction.raise(QuicEvent::error_on_data);
  return hello(direction, transaction);
}

AppError QuicParser::hello(Direction direction, QuicTransaction& transaction) {
  Lane& own = lane(direction);
  const QuicFamily family = quic_family(transaction.version());
  const bool google =
      family != QuicFamily::ietf && family != QuicFamily::ietf_v2 && family != QuicFamily::google_tls;
  const Bytes message = google ? own.crypto.begin() : own.crypto.message();
  if (message.empty()) return AppError::none;
  if (google) {
    if (!is_google_hello(message)) {
      own.crypto.reset();  // another message of theirs
      return AppError::none;
    }
    if (!QuicTags(message).whole()) return AppError::none;
  }
  own.hello = true;
  const bool read = google ? transaction.read_google(message) : transaction.read_tls(message);
  own.crypto.reset();
  return read ? AppError::none : AppError::memory;
}

}  // namespace

AppParser* make_quic_parser(BytePool& pool, QuicDecryptor& decryptor, uint64_t first_tx) {
  return make_in<QuicParser>(pool, pool, decryptor, first_tx);
}

}  // namespace weir::inspection
