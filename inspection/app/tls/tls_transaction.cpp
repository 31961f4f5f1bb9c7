#include "inspection/app/tls/tls_transaction.h"

#include "inspection/app/labels/app_label.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

std::optional<BufferView> whole(Bytes bytes) { return BufferView{bytes}; }
std::optional<BufferView> whole(std::string_view text) {
  return BufferView{{reinterpret_cast<const uint8_t*>(text.data()), text.size()}};
}
std::optional<BufferView> whole_if(std::string_view text) {
  return text.empty() ? std::nullopt : whole(text);
}

bool is_identity(Bytes name) {
  const std::string_view text(reinterpret_cast<const char*>(name.data()), name.size());
  return is_spiffe(text) || text.starts_with("kuma://");
}

}  // namespace

std::span<const std::string_view> tls_event_names() {
  static constexpr std::string_view kNames[] = {
#define TLS_EVENT(id, name) name,
#include "inspection/app/tls/tls_events.def"
#undef TLS_EVENT
  };
  return kNames;
}

Bytes TlsTransaction::certificate_bytes(Direction direction, size_t index) const {
  const Side& of = side(direction);
  if (index >= of.count) return {};
  return of.chain.view().subspan(of.pieces[index].at, of.pieces[index].size);
}

uint16_t TlsTransaction::version() const {
  const TlsHello& server = hello(Direction::to_client);
  return server.seen ? server.effective_version() : hello(Direction::to_server).version;
}

bool TlsTransaction::resumed() const {
  const TlsHello& client = hello(Direction::to_server);
  const TlsHello& server = hello(Direction::to_client);
  return client.seen && server.seen && server.supported_version == 0 && server.session_id_size > 0 &&
         server.session_id_size == client.session_id_size && server.session_id == client.session_id &&
         certificate_count(Direction::to_client) == 0;
}

Bytes TlsTransaction::alpn(Direction direction, size_t index) const {
  Bytes list = hello(direction).alpns.view();
  while (!list.empty()) {
    const size_t size = list[0];
    if (index-- == 0) return list.subspan(1, size);
    list = list.subspan(1 + size);
  }
  return {};
}

size_t TlsTransaction::identity_count(Direction direction) const {
  size_t count = 0;
  while (!identity(direction, count).empty()) ++count;
  return count;
}

Bytes TlsTransaction::identity(Direction direction, size_t index) const {
  const Side& of = side(direction);
  if (of.count > 0) {
    for (size_t i = 0; i < of.certificate.alternative_count; ++i) {
      const Bytes name = of.certificate.view(of.certificate.alternative[i]);
      if (is_identity(name) && index-- == 0) return name;
    }
    return {};
  }
  for (Bytes rest = of.remembered.view(); rest.size() > 2;) {
    const size_t size = static_cast<size_t>(rest[0]) << 8 | rest[1];
    if (index-- == 0) return rest.subspan(2, size);
    rest = rest.subspan(2 + size);
  }
  return {};
}

bool TlsTransaction::identity_unknown(Direction direction) const {
  if (certificate_count(direction) > 0 || !sides_[0].remembered.empty() || !sides_[1].remembered.empty())
    return false;
  const TlsHello& server = hello(Direction::to_client);
  // Up to TLS 1.2 whoever shows none beside a server that does has none.
  return !server.seen || server.effective_version() > 0x0303 || certificate_count(Direction::to_client) == 0;
}

bool TlsTransaction::remember(Direction direction, std::span<const uint8_t> uri) {
  PoolBytes& kept = side(direction).remembered;
  const std::array<uint8_t, 2> size = {static_cast<uint8_t>(uri.size() >> 8),
                                       static_cast<uint8_t>(uri.size())};
  return kept.append(size) && kept.append(uri);
}

/// The `instance`-th SPIFFE ID of that side; of a session in Kuma's mesh "unknown" if it cannot be seen.
std::optional<BufferView> TlsTransaction::spiffe(Direction direction, uint32_t instance) {
  uint32_t count = 0;
  for (size_t i = 0;; ++i) {
    const Bytes uri = identity(direction, i);
    if (uri.empty()) break;
    if (is_spiffe({reinterpret_cast<const char*>(uri.data()), uri.size()}) && count++ == instance)
      return whole(uri);
  }
  const bool unknown = count == 0 && instance == 0 && identity_unknown(direction) &&
                       label_of(*this, Direction::to_server) == AppLabel::kuma_mesh;
  return unknown ? whole(kUnknown) : std::nullopt;
}

std::optional<BufferView> TlsTransaction::buffer(BufferId buffer, Direction direction, uint32_t instance) {
  const Side& of = side(direction);
  const TlsHello& hello = of.hello;
  const bool certificate = of.count > 0;
  switch (buffer) {
    case BufferId::tls_certs:
      if (instance >= of.count) return std::nullopt;
      return whole(certificate_bytes(direction, instance));
    case BufferId::tls_subjectaltname:
      if (instance >= of.certificate.alternative_count) return std::nullopt;
      return whole(of.certificate.view(of.certificate.alternative[instance]));
    case BufferId::tls_alpn: {
      const Bytes name = alpn(direction, instance);
      return name.empty() ? std::nullopt : whole(name);
    }
    case BufferId::weir_spiffe:
      return spiffe(direction, instance);
    default:
      break;
  }
  if (instance != 0) return std::nullopt;
  switch (buffer) {
    case BufferId::tls_sni:
      return hello.has_name ? whole(hello.names.view()) : std::nullopt;
    case BufferId::tls_random:
      return hello.has_random ? whole(hello.random) : std::nullopt;
    case BufferId::tls_random_time:
      return hello.has_random ? whole(Bytes(hello.random).first(4)) : std::nullopt;
    case BufferId::tls_random_bytes:
      return hello.has_random ? whole(Bytes(hello.random).subspan(4)) : std::nullopt;
    case BufferId::tls_cert_subject:
      return certificate ? whole(of.certificate.view(of.certificate.subject)) : std::nullopt;
    case BufferId::tls_cert_issuer:
      return certificate ? whole(of.certificate.view(of.certificate.issuer)) : std::nullopt;
    case BufferId::tls_cert_serial:
      return certificate ? whole(of.certificate.view(of.certificate.serial)) : std::nullopt;
    case BufferId::tls_cert_fingerprint:
      return certificate ? whole(of.certificate.view(of.certificate.fingerprint)) : std::nullopt;
    case BufferId::ja3_hash:
    case BufferId::ja3s_hash: {
      const bool right = (buffer == BufferId::ja3_hash) == (direction == Direction::to_server);
      return right && hello.has_hash ? whole(hello.fingerprint_hash) : std::nullopt;
    }
    case BufferId::ja3_string:
    case BufferId::ja3s_string: {
      const bool right = (buffer == BufferId::ja3_string) == (direction == Direction::to_server);
      return right && hello.has_hash ? whole(hello.fingerprint.view()) : std::nullopt;
    }
    case BufferId::ja4_hash:
      return direction == Direction::to_server && !hello.ja4.empty() ? whole(hello.ja4.view()) : std::nullopt;
    case BufferId::weir_app:
      return whole_if(name_of(label_of(*this, direction)));
    case BufferId::weir_kuma_service:
      return whole_if(kuma_name_of(*this, direction).service);
    case BufferId::weir_kuma_mesh:
      return whole_if(kuma_name_of(*this, direction).mesh);
    case BufferId::weir_kuma_zone:
      return whole_if(kuma_name_of(*this, direction).zone);
    case BufferId::weir_kuma_namespace:
      return whole_if(kuma_name_of(*this, direction).name_space);
    default:
      return std::nullopt;
  }
}

std::optional<uint64_t> TlsTransaction::number(NumberId number, Direction direction,
                                               uint32_t instance) const {
  if (instance != 0) return std::nullopt;
  const Side& of = side(direction);
  switch (number) {
    case NumberId::tls_version:
      return of.hello.seen ? std::optional<uint64_t>(version()) : std::nullopt;
    case NumberId::tls_cert_chain_len:
      return of.count > 0 ? std::optional<uint64_t>(of.count) : std::nullopt;
    case NumberId::tls_cert_not_before:
      return of.certificate.has_times ? std::optional<uint64_t>(of.certificate.not_before) : std::nullopt;
    case NumberId::tls_cert_not_after:
      return of.certificate.has_times ? std::optional<uint64_t>(of.certificate.not_after) : std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace weir::inspection
