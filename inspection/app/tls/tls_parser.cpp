#include "inspection/app/tls/tls_parser.h"

#include <algorithm>
#include <utility>

#include "inspection/app/transaction_list.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

constexpr uint8_t kChangeCipher = 20, kHandshake = 22, kApplication = 23, kHeartbeat = 24;
constexpr uint8_t kClientHello = 1, kServerHello = 2, kNewTicket = 4, kCertificate = 11,
                  kServerHelloDone = 14;
constexpr size_t kRecordHeader = 5, kMessageHeader = 4;
constexpr size_t kMaxRecord = 16'384 + 2'048;  // RFC 5246 section 6.2.3

class TlsParser final : public AppParser {
 public:
  TlsParser(BytePool& pool, uint64_t first_tx, size_t most_certificates, const TlsMemory& memory) noexcept
      : pool_(pool),
        memory_(memory),
        most_certificates_(std::min(most_certificates, TlsTransaction::kMaxCertificates)),
        transaction_(pool),
        lanes_{Lane(pool), Lane(pool)} {
    transaction_.make(first_tx, pool);
  }
  TlsParser(const TlsParser&) = delete;
  TlsParser& operator=(const TlsParser&) = delete;
  bool complete() const { return transaction_ != nullptr; }

  AppProtocol protocol() const override { return AppProtocol::tls; }
  Advance advance(Direction direction, Bytes bytes, uint64_t now_ns) override;
  Advance gap(Direction direction, uint64_t, uint64_t) override {
    // Where the next record begins is not known; a handshake with a hole is not read on.
    Advance done;
    lane(direction).failed = true;
    finish(direction);
    done.next = over() ? Next::ended : Next::more;
    done.encrypted = encrypted();
    return done;
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
    explicit Lane(BytePool& pool) noexcept : message(pool) {}
    std::array<uint8_t, kRecordHeader> header{};
    size_t header_size = 0;
    size_t record_left = 0;
    uint8_t type = 0;
    PoolBytes message;        // the handshake message under way, with its header
    size_t message_size = 0;  // 0: not known yet
    size_t skip = 0;          // bytes of a message that nobody asks for
    bool encrypted = false, failed = false, begun = false;
  };
  Lane& lane(Direction direction) { return lanes_[static_cast<size_t>(direction)]; }
  bool over() const {
    return (lanes_[0].encrypted || lanes_[0].failed) && (lanes_[1].encrypted || lanes_[1].failed);
  }
  /// A lane that failed is none: whoever sends what is no TLS is read on.
  bool encrypted() const { return lanes_[0].encrypted && lanes_[1].encrypted; }
  void finish(Direction direction) {
    if (transaction_ != nullptr) transaction_->advance_to(direction, TlsStep::complete);
    lane(direction).message.reset();
  }
  bool sslv2(Direction direction, Bytes& bytes, Advance& done);
  bool record_header(Direction direction, Bytes& bytes);
  AppError handshake(Direction direction, Bytes bytes);
  AppError message(Direction direction, Bytes bytes);
  AppError certificates(Direction direction, Bytes body);
  void new_ticket(Bytes body);
  void server_is_done();
  void recall();
  void remember();
  TlsToken token(TlsTokenKind kind, Bytes bytes) const {
    return memory_.identities->token(kind, bytes, memory_.server, memory_.domain);
  }
  void fail(Direction direction, TlsEvent event) {
    if (transaction_ != nullptr) transaction_->raise(event);
    lane(direction).failed = true;
    finish(direction);
  }

  BytePool& pool_;
  const TlsMemory memory_;
  uint64_t now_ns_ = 0;                 // of the call at hand
  std::optional<TlsToken> new_ticket_;  // that the server gives for later
  const size_t most_certificates_;
  bool over_certificates_ = false;  // not told yet
  SoleTransaction<TlsTransaction> transaction_;
  Lane lanes_[2];
};

/// A hello of SSL 2.0 stands behind two bytes of length with the top bit set.
bool TlsParser::sslv2(Direction direction, Bytes& bytes, Advance& done) {
  Lane& own = lane(direction);
  if (own.begun || own.header_size != 0 || bytes.empty() || (bytes[0] & 0x80) == 0) return false;
  own.begun = true;
  if (bytes.size() < 2) return false;
  const size_t length = (bytes[0] & 0x7fu) << 8 | bytes[1];
  const Bytes body = bytes.subspan(2, std::min(length, bytes.size() - 2));
  if (direction == Direction::to_server) {
    if (!read_sslv2_hello(body, transaction_->side(direction).hello))
      transaction_->raise(TlsEvent::invalid_handshake_message);
    transaction_->advance_to(direction, TlsStep::hello);
  }
  done.consumed += 2 + body.size();
  bytes = bytes.subspan(2 + body.size());
  // A server that speaks 3.0 or later answers with records; the client goes on with them.
  if (transaction_->hello(direction).version < 0x0300) {
    own.failed = true;
    finish(direction);
  }
  return true;
}

bool TlsParser::record_header(Direction direction, Bytes& bytes) {
  Lane& own = lane(direction);
  const size_t take = std::min(kRecordHeader - own.header_size, bytes.size());
  std::copy_n(bytes.begin(), take, own.header.begin() + static_cast<std::ptrdiff_t>(own.header_size));
  own.header_size += take;
  bytes = bytes.subspan(take);
  if (own.header_size < kRecordHeader) return true;
  own.header_size = 0;
  own.begun = true;
  own.type = own.header[0];
  own.record_left = static_cast<size_t>(own.header[3]) << 8 | own.header[4];
  if (own.type < kChangeCipher || own.type > kHeartbeat) {
    fail(direction, TlsEvent::invalid_record_type);
    return false;
  }
  if (own.header[1] != 3) {
    fail(direction, TlsEvent::invalid_record_version);
    return false;
  }
  if (own.record_left > kMaxRecord) {
    fail(direction, TlsEvent::invalid_record_length);
    return false;
  }
  if (own.type == kChangeCipher && direction == Direction::to_client && !own.encrypted) server_is_done();
  if (own.type == kApplication) transaction_->note_data();
  if (own.type == kChangeCipher || own.type == kApplication) {
    // A client's early data comes before the server's hello (RFC 8446 section 4.2.10).
    own.encrypted = true;
    finish(direction);
  }
  return true;
}

Advance TlsParser::advance(Direction direction, Bytes bytes, uint64_t now_ns) {
  Advance done;
  now_ns_ = now_ns;
  done.work = bytes.size();
  const size_t given = bytes.size();
  Lane& own = lane(direction);
  if (transaction_ != nullptr) sslv2(direction, bytes, done);
  while (!bytes.empty() && !own.failed && transaction_ != nullptr) {
    if (own.record_left == 0) {
      if (!record_header(direction, bytes)) done.error = AppError::malformed;
      continue;
    }
    const Bytes piece = bytes.first(std::min(own.record_left, bytes.size()));
    bytes = bytes.subspan(piece.size());
    own.record_left -= piece.size();
    if (own.type != kHandshake || own.encrypted) continue;
    const AppError error = handshake(direction, piece);
    if (error == AppError::none) continue;
    done.error = error;
    own.failed = true;
    finish(direction);
  }
  done.consumed = given;
  if (std::exchange(over_certificates_, false) && done.error == AppError::none)
    done.error = AppError::certificates;
  if (over()) done.next = Next::ended;
  done.encrypted = encrypted();
  return done;
}

AppError TlsParser::handshake(Direction direction, Bytes bytes) {
  Lane& own = lane(direction);
  while (!bytes.empty()) {
    if (own.skip > 0) {
      const size_t skipped = std::min(own.skip, bytes.size());
      own.skip -= skipped;
      bytes = bytes.subspan(skipped);
      continue;
    }
    const size_t wanted = own.message_size != 0 ? own.message_size : kMessageHeader;
    const size_t take = std::min(wanted - own.message.size(), bytes.size());
    if (!own.message.append(bytes.first(take))) return AppError::memory;
    bytes = bytes.subspan(take);
    if (own.message.size() < wanted) return AppError::none;
    if (own.message_size == 0) {
      const Bytes header = own.message.view();
      const size_t size =
          static_cast<size_t>(header[1]) << 16 | static_cast<size_t>(header[2]) << 8 | header[3];
      const bool ticket = header[0] == kNewTicket && direction == Direction::to_client;
      const bool wants =
          header[0] == kClientHello || header[0] == kServerHello || header[0] == kCertificate || ticket;
      if (!wants || size + kMessageHeader > BytePool::kLargest) {
        // Of a message that is longer than any true one nothing can be said.
        if (wants) transaction_->raise(TlsEvent::handshake_invalid_length);
        if (header[0] == kServerHelloDone) transaction_->advance_to(direction, TlsStep::certificate);
        own.skip = size;
        own.message.reset();
        continue;
      }
      own.message_size = size + kMessageHeader;
      if (own.message.size() < own.message_size) continue;
    }
    const AppError error = message(direction, own.message.view());
    own.message.reset();
    own.message_size = 0;
    if (error == AppError::certificates) {
      over_certificates_ = true;
    } else if (error != AppError::none) {
      return error;
    }
  }
  return AppError::none;
}

AppError TlsParser::message(Direction direction, Bytes bytes) {
  TlsTransaction::Side& side = transaction_->side(direction);
  const Bytes body = bytes.subspan(kMessageHeader);
  switch (bytes[0]) {
    case kClientHello:
      if (direction != Direction::to_server || (side.hello.seen && !side.hello.from_sslv2))
        return AppError::none;
      if (!read_client_hello(body, side.hello)) transaction_->raise(TlsEvent::invalid_handshake_message);
      transaction_->advance_to(direction, TlsStep::hello);
      return AppError::none;
    case kServerHello: {
      // A HelloRetryRequest is a ServerHello, too (RFC 8446 section 4.1.4); the first one stands.
      if (direction != Direction::to_client || side.hello.seen) return AppError::none;
      if (!read_server_hello(body, side.hello)) transaction_->raise(TlsEvent::invalid_handshake_message);
      transaction_->advance_to(direction, TlsStep::hello);
      return AppError::none;
    }
    case kCertificate:
      if (side.count != 0) return AppError::none;
      return certificates(direction, body);
    case kNewTicket:
      if (direction == Direction::to_client) new_ticket(body);
      return AppError::none;
    default:
      return AppError::none;
  }
}

/// RFC 5077 section 3.3: four bytes of lifetime, then the ticket behind its length.
void TlsParser::new_ticket(Bytes body) {
  if (memory_.identities == nullptr || body.size() <= 6) return;
  const size_t size = static_cast<size_t>(body[4]) << 8 | body[5];
  if (size > 0 && size <= body.size() - 6) new_ticket_ = token(TlsTokenKind::ticket, body.subspan(6, size));
}

/// From here on the server encrypts: it has accepted the client's proof, or the earlier session. In TLS 1.3
/// this record says nothing (RFC 8446 appendix D.4).
void TlsParser::server_is_done() {
  const TlsHello& server = transaction_->hello(Direction::to_client);
  if (!server.seen || server.supported_version != 0) return;
  transaction_->note_server_done();
  if (memory_.identities == nullptr) return;
  if (transaction_->certificate_count(Direction::to_client) == 0) recall();
  remember();
}

/// An earlier session goes on. The server says so by the same session id; or the client has sent a ticket
/// and none (RFC 5077 section 3.4).
void TlsParser::recall() {
  TlsIdentities& identities = *memory_.identities;
  const TlsHello& client = transaction_->hello(Direction::to_server);
  if (identities.empty() || !client.seen) return;
  TlsIdentity found;
  bool known = false;
  if (transaction_->resumed())
    known = identities.find(
        token(TlsTokenKind::session_id, Bytes(client.session_id).first(client.session_id_size)), now_ns_,
        found);
  if (!known && !client.ticket.empty())
    known = identities.find(token(TlsTokenKind::ticket, client.ticket.view()), now_ns_, found);
  if (!known) return;
  bool kept = true;
  found.for_each([&](uint8_t side, Bytes uri) {
    kept = kept && transaction_->remember(side == 0 ? Direction::to_server : Direction::to_client, uri);
  });
  // A part of them would be another identity.
  if (kept) return;
  for (const Direction way : {Direction::to_server, Direction::to_client})
    transaction_->side(way).remembered.reset();
}

void TlsParser::remember() {
  const TlsHello& server = transaction_->hello(Direction::to_client);
  TlsIdentity identity;
  bool fits = true;
  for (const Direction way : {Direction::to_server, Direction::to_client}) {
    for (size_t i = 0; fits; ++i) {
      const Bytes uri = transaction_->identity(way, i);
      if (uri.empty()) break;
      fits = identity.add(static_cast<uint8_t>(way), uri);
    }
  }
  if (fits && identity.size == 0) return;
  bool kept = fits;
  if (kept && server.session_id_size > 0) {
    const Bytes id = Bytes(server.session_id).first(server.session_id_size);
    kept = memory_.identities->remember(token(TlsTokenKind::session_id, id), identity, now_ns_);
  }
  if (kept && new_ticket_) kept = memory_.identities->remember(*new_ticket_, identity, now_ns_);
  if (!kept && memory_.lost != nullptr) ++*memory_.lost;
}

AppError TlsParser::certificates(Direction direction, Bytes body) {
  TlsTransaction::Side& side = transaction_->side(direction);
  const auto u24 = [](Bytes bytes) {
    return static_cast<size_t>(bytes[0]) << 16 | static_cast<size_t>(bytes[1]) << 8 | bytes[2];
  };
  if (body.size() < 3) {
    transaction_->raise(TlsEvent::certificate_invalid_length);
    return AppError::none;
  }
  Bytes list = body.subspan(3, std::min(u24(body), body.size() - 3));
  while (list.size() >= 3 && side.count < most_certificates_) {
    const size_t size = u24(list);
    if (size == 0 || size > list.size() - 3) {
      transaction_->raise(TlsEvent::certificate_invalid_length);
      break;
    }
    const Bytes der = list.subspan(3, size);
    list = list.subspan(3 + size);
    Certificate::Piece& piece = side.pieces[side.count];
    piece.at = static_cast<uint32_t>(side.chain.size());
    piece.size = static_cast<uint32_t>(size);
    if (!side.chain.append(der)) return AppError::memory;
    if (side.count++ == 0 && !read_certificate(der, side.certificate)) {
      // The message that carries it is as wrong; one whose own length is a lie is told as that.
      transaction_->raise(TlsEvent::invalid_handshake_message);
      transaction_->raise(read_der(der) ? TlsEvent::invalid_certificate
                                        : TlsEvent::certificate_invalid_length);
    }
  }
  const bool over = side.count == most_certificates_ && list.size() >= 3;
  transaction_->advance_to(direction, TlsStep::certificate);
  return over ? AppError::certificates : AppError::none;
}

}  // namespace

AppParser* make_tls_parser(BytePool& pool, uint64_t first_tx, size_t most_certificates,
                           const TlsMemory& memory) {
  auto* const parser = make_in<TlsParser>(pool, pool, first_tx, most_certificates, memory);
  if (parser == nullptr || parser->complete()) return parser;
  parser->destroy();
  return nullptr;
}

}  // namespace weir::inspection
