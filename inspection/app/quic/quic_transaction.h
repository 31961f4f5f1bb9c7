// One QUIC packet with a long header, as rules and events ask for it: each is a transaction of its own, as in
// Suricata 8. The one that completes a hello has what the hello says. Worker thread; what it grows lies in
// the worker's pool.
#pragma once

#include "inspection/app/tls/hello.h"
#include "inspection/app/transaction.h"

namespace weir::inspection {

/// Anomalies, by Suricata's names: bits of Transaction::app_events.
enum class QuicEvent : uint8_t {
#define QUIC_EVENT(id, name) id,
#include "inspection/app/quic/quic_events.def"
#undef QUIC_EVENT
};
std::span<const std::string_view> quic_event_names();

class QuicTransaction final : public Transaction {
 public:
  QuicTransaction(BytePool& pool, Direction direction, uint32_t version) noexcept;

  AppProtocol protocol() const override { return AppProtocol::quic; }
  uint8_t progress(Direction direction) const override {
    return direction == direction_ ? QuicStep::complete : QuicStep::none;
  }
  uint8_t last_step(Direction direction) const override { return progress(direction); }
  std::optional<BufferView> buffer(BufferId buffer, Direction direction, uint32_t instance) override;
  std::optional<uint64_t> number(NumberId, Direction, uint32_t) const override { return std::nullopt; }
  void judged(BufferId, Direction) override {}

  Direction direction() const { return direction_; }
  uint32_t version() const { return version_; }
  /// Nothing was seen of it unless hello().seen.
  const TlsHello& hello() const { return hello_; }
  /// The server's name and the program's, of TLS or of Google's hello; empty: none.
  std::span<const uint8_t> server_name() const;
  std::span<const uint8_t> user_agent() const { return user_agent_.view(); }
  /// Google's hello: its version and the names of its tags, and their MD5 as text; empty: there was none.
  std::span<const uint8_t> cyu() const { return cyu_.view(); }
  std::span<const uint8_t> cyu_hash() const;

  // The parser's side. False: the pool is at its ceiling.
  bool read_tls(std::span<const uint8_t> message);
  bool read_google(std::span<const uint8_t> message);
  void raise(QuicEvent event) { app_events |= uint64_t{1} << static_cast<unsigned>(event); }

 private:
  Direction direction_;
  uint32_t version_;
  std::array<uint8_t, 4> version_bytes_{};
  TlsHello hello_;
  PoolBytes google_name_, user_agent_, cyu_;
  std::array<uint8_t, 32> cyu_hash_{};
};

}  // namespace weir::inspection
