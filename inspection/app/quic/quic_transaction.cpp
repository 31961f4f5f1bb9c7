#include "inspection/app/quic/quic_transaction.h"

#include <algorithm>

#include "inspection/app/md5_text.h"
#include "inspection/app/quic/quic_frames.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

std::optional<BufferView> whole(Bytes bytes) { return BufferView{bytes}; }
std::optional<BufferView> unless_empty(Bytes bytes) { return bytes.empty() ? std::nullopt : whole(bytes); }

bool is_tag(Bytes name, std::string_view tag) {
  return std::equal(name.begin(), name.end(), tag.begin(), tag.end());
}

}  // namespace

std::span<const std::string_view> quic_event_names() {
  static constexpr std::string_view kNames[] = {
#define QUIC_EVENT(id, name) name,
#include "inspection/app/quic/quic_events.def"
#undef QUIC_EVENT
  };
  return kNames;
}

QuicTransaction::QuicTransaction(BytePool& pool, Direction direction, uint32_t version) noexcept
    : direction_(direction),
      version_(version),
      hello_(pool),
      google_name_(pool),
      user_agent_(pool),
      cyu_(pool) {
  for (size_t i = 0; i < version_bytes_.size(); ++i)
    version_bytes_[i] = static_cast<uint8_t>(version >> (24 - 8 * i));
  hello_.over_quic = true;
}

Bytes QuicTransaction::server_name() const {
  return hello_.has_name ? hello_.names.view() : google_name_.view();
}

Bytes QuicTransaction::cyu_hash() const { return cyu_.empty() ? Bytes{} : Bytes(cyu_hash_); }

bool QuicTransaction::read_tls(Bytes message) {
  constexpr uint8_t kClientHello = 1, kServerHello = 2;
  constexpr size_t kHeader = 4;
  const bool client = direction_ == Direction::to_server;
  if (message.size() < kHeader || message[0] != (client ? kClientHello : kServerHello)) {
    raise(QuicEvent::error_on_data);
    return true;
  }
  const Bytes body = message.subspan(kHeader);
  if (!(client ? read_client_hello(body, hello_) : read_server_hello(body, hello_)))
    raise(QuicEvent::error_on_data);
  return true;
}

bool QuicTransaction::read_google(Bytes message) {
  constexpr size_t kMostCyu = 1'024;
  // "46": of Q046.
  if (!cyu_.append(Bytes(version_bytes_).subspan(2)) || !cyu_.append(std::array<uint8_t, 1>{','}))
    return false;
  QuicTags tags(message);
  bool first = true;
  while (const auto tag = tags.next()) {
    if (is_tag(tag->name, "SNI") && google_name_.empty() && !tag->value.empty() &&
        !google_name_.append(tag->value)) {
      return false;
    }
    if (is_tag(tag->name, "UAID") && user_agent_.empty() && !tag->value.empty() &&
        !user_agent_.append(tag->value)) {
      return false;
    }
    if (cyu_.size() >= kMostCyu) continue;
    if (!first && !cyu_.append(std::array<uint8_t, 1>{'-'})) return false;
    first = false;
    if (!tag->name.empty() && !cyu_.append(tag->name)) return false;
  }
  md5_text(cyu_.view(), cyu_hash_);
  return true;
}

std::optional<BufferView> QuicTransaction::buffer(BufferId buffer, Direction direction, uint32_t instance) {
  if (direction != direction_ || instance != 0) return std::nullopt;
  const bool client = direction == Direction::to_server;
  switch (buffer) {
    case BufferId::quic_version:
      return whole(version_bytes_);
    case BufferId::quic_sni:
      return client ? unless_empty(server_name()) : std::nullopt;
    case BufferId::quic_ua:
      return unless_empty(user_agent());
    case BufferId::quic_cyu_hash:
      return unless_empty(cyu_hash());
    case BufferId::quic_cyu_string:
      return unless_empty(cyu());
    case BufferId::ja3_hash:
      return client && hello_.has_hash ? whole(hello_.fingerprint_hash) : std::nullopt;
    case BufferId::ja3_string:
      return client && hello_.has_hash ? whole(hello_.fingerprint.view()) : std::nullopt;
    case BufferId::ja3s_hash:
      return !client && hello_.has_hash ? whole(hello_.fingerprint_hash) : std::nullopt;
    case BufferId::ja3s_string:
      return !client && hello_.has_hash ? whole(hello_.fingerprint.view()) : std::nullopt;
    case BufferId::ja4_hash:
      return client ? unless_empty(hello_.ja4.view()) : std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace weir::inspection
