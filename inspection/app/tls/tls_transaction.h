// A TLS handshake as rules and events ask for it. One for each session. Worker thread; all that it grows lies
// in the worker's pool.
#pragma once

#include "inspection/app/tls/certificate.h"
#include "inspection/app/tls/hello.h"
#include "inspection/app/tls/identities.h"
#include "inspection/app/transaction.h"

namespace weir::inspection {

/// Anomalies, by Suricata's names: bits of Transaction::app_events.
enum class TlsEvent : uint8_t {
#define TLS_EVENT(id, name) id,
#include "inspection/app/tls/tls_events.def"
#undef TLS_EVENT
};
std::span<const std::string_view> tls_event_names();

class TlsTransaction final : public Transaction {
 public:
  static constexpr size_t kMaxCertificates = 32;

  explicit TlsTransaction(BytePool& pool) noexcept : sides_{Side(pool), Side(pool)} {}

  AppProtocol protocol() const override { return AppProtocol::tls; }
  uint8_t progress(Direction direction) const override { return side(direction).progress; }
  uint8_t last_step(Direction) const override { return TlsStep::complete; }
  std::optional<BufferView> buffer(BufferId buffer, Direction direction, uint32_t instance) override;
  std::optional<uint64_t> number(NumberId number, Direction direction, uint32_t instance) const override;
  void judged(BufferId, Direction) override {}

  // What the event `tls` says.
  const TlsHello& hello(Direction direction) const { return side(direction).hello; }
  /// The first certificate of that side, and how many there are.
  const Certificate& certificate(Direction direction) const { return side(direction).certificate; }
  size_t certificate_count(Direction direction) const { return side(direction).count; }
  std::span<const uint8_t> certificate_bytes(Direction direction, size_t index) const;
  /// What was agreed, or offered while nothing is agreed.
  uint16_t version() const;
  /// An earlier session goes on: no certificate was shown.
  bool resumed() const;
  /// The URIs of SPIFFE and Kuma in that side's certificate, or in the one that was remembered for the
  /// session that goes on; nobody has verified them.
  size_t identity_count(Direction direction) const;
  std::span<const uint8_t> identity(Direction direction, size_t index) const;
  /// Its certificates could not be seen (TLS 1.3, or a session that goes on and is not remembered), so that
  /// who it is stays unknown. Known once the handshake is over.
  bool identity_unknown(Direction direction) const;
  /// The `index`-th protocol name that side offers or has chosen; empty beyond the last.
  std::span<const uint8_t> alpn(Direction direction, size_t index) const;

  /// What weir.spiffe says of an identity that cannot be seen.
  static constexpr std::string_view kUnknown = "unknown";

  /// Up to TLS 1.2 the server encrypts from then on: it has accepted the client's proof, or the earlier
  /// session.
  bool server_is_done() const { return server_is_done_; }
  /// Records of application data came, from either side.
  bool has_data() const { return has_data_; }

  // The parser's side.
  void note_server_done() { server_is_done_ = true; }
  void note_data() { has_data_ = true; }
  /// False: the pool is at its ceiling.
  [[nodiscard]] bool remember(Direction direction, std::span<const uint8_t> uri);
  struct Side {
    explicit Side(BytePool& pool) noexcept : hello(pool), certificate(pool), chain(pool), remembered(pool) {}
    uint8_t progress = TlsStep::none;
    TlsHello hello;
    Certificate certificate;
    PoolBytes chain;  // certificates, one after the other
    std::array<Certificate::Piece, kMaxCertificates> pieces{};
    size_t count = 0;
    PoolBytes remembered;  // URIs, each behind two bytes of length, of the session that goes on
  };
  Side& side(Direction direction) { return sides_[static_cast<size_t>(direction)]; }
  const Side& side(Direction direction) const { return sides_[static_cast<size_t>(direction)]; }
  void raise(TlsEvent event) { app_events |= uint64_t{1} << static_cast<unsigned>(event); }
  void advance_to(Direction direction, uint8_t step) {
    if (side(direction).progress < step) side(direction).progress = step;
  }

 private:
  std::optional<BufferView> spiffe(Direction direction, uint32_t instance);

  Side sides_[2];
  bool server_is_done_ = false, has_data_ = false;
};

}  // namespace weir::inspection
