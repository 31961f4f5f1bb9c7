// What one session has said of its names, by the transactions that the engine shows: once a kind of name is
// known, or known to be none, it stays so. Worker thread; all that it keeps lies in the worker's pool.
#pragma once

#include <array>
#include <span>

#include "inspection/app/transaction.h"
#include "inspection/memory/byte_pool.h"
#include "inspection/names/name_question.h"

namespace weir::inspection {

class TlsTransaction;
class QuicTransaction;

class SessionNames final : public KnownNames {
 public:
  explicit SessionNames(BytePool& pool) noexcept : values_(pool) {}
  SessionNames(const SessionNames&) = delete;
  SessionNames& operator=(const SessionNames&) = delete;

  NameState state(NameKind kind) const override { return states_[static_cast<size_t>(kind)]; }
  bool has(NameKind kind, const NamePattern& pattern) const override;

  /// The transactions of the session moved.
  void take(std::span<Transaction* const> transactions);
  /// Its protocol is told, or (failed) none of those that are told apart.
  void take_protocol(AppProtocol protocol);
  /// Nothing more becomes known.
  void give_up();

  /// What came so far only leads to where a name is said: a request to connect, the frames before HTTP/2's
  /// first request, a handshake of TLS whose hello is there.
  bool is_prelude(AppProtocol protocol) const;

 private:
  /// False: there is no room for it.
  bool keep(NameKind kind, std::string_view value);
  /// What is known of that kind from now on; none if it is empty. Nothing, if it was decided before.
  void know(NameKind kind, std::string_view value);
  void know_none(NameKind kind) { know(kind, {}); }
  void take_http(Transaction& http);
  void take_tls(TlsTransaction& tls);
  void take_quic(const QuicTransaction& quic);
  void take_identities(TlsTransaction& tls);
  void take_app(AppProtocol protocol, std::string_view label);

  std::array<NameState, kNameKinds> states_{};
  PoolBytes values_;        // each behind its kind and two bytes of length
  bool connects_ = false;   // the last request of HTTP/1 was CONNECT
  bool requested_ = false;  // another one came
  bool hello_ = false, data_ = false;
};

}  // namespace weir::inspection
