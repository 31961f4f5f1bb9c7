#include "inspection/engine/session_names.h"

#include "inspection/app/app_parser.h"
#include "inspection/app/labels/app_label.h"
#include "inspection/app/quic/quic_transaction.h"
#include "inspection/app/tls/tls_transaction.h"

namespace weir::inspection {

namespace {

constexpr Direction kServer = Direction::to_server, kClient = Direction::to_client;
constexpr uint16_t kTls12 = 0x0303;

std::string_view text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A part of Kuma's name, and its kind.
struct KumaPart {
  NameKind kind;
  std::string_view KumaName::*part;
};
constexpr KumaPart kKumaParts[] = {{NameKind::kuma_service, &KumaName::service},
                                   {NameKind::kuma_mesh, &KumaName::mesh},
                                   {NameKind::kuma_zone, &KumaName::zone},
                                   {NameKind::kuma_namespace, &KumaName::name_space}};

}  // namespace

bool SessionNames::has(NameKind kind, const NamePattern& pattern) const {
  for (std::span<const uint8_t> rest = values_.view(); rest.size() >= 3;) {
    const size_t size = static_cast<size_t>(rest[1]) << 8 | rest[2];
    if (rest[0] == static_cast<uint8_t>(kind) && fits(kind, pattern, text(rest.subspan(3, size))))
      return true;
    rest = rest.subspan(3 + size);
  }
  return false;
}

bool SessionNames::keep(NameKind kind, std::string_view value) {
  if (value.size() > UINT16_MAX) return false;
  const std::array<uint8_t, 3> head = {static_cast<uint8_t>(kind), static_cast<uint8_t>(value.size() >> 8),
                                       static_cast<uint8_t>(value.size())};
  const size_t before = values_.size();
  if (values_.append(head) && values_.append({reinterpret_cast<const uint8_t*>(value.data()), value.size()}))
    return true;
  values_.shrink(before);
  return false;
}

void SessionNames::know(NameKind kind, std::string_view value) {
  NameState& state = states_[static_cast<size_t>(kind)];
  if (state != NameState::not_yet) return;
  state = !value.empty() && keep(kind, value) ? NameState::known : NameState::unknown;
}

void SessionNames::give_up() {
  for (size_t k = 0; k < kNameKinds; ++k) know_none(static_cast<NameKind>(k));
}

void SessionNames::take(std::span<Transaction* const> transactions) {
  for (Transaction* const transaction : transactions) {
    switch (transaction->protocol()) {
      case AppProtocol::http1:
      case AppProtocol::http2:
        take_http(*transaction);
        break;
      case AppProtocol::tls:
        take_tls(static_cast<TlsTransaction&>(*transaction));
        break;
      case AppProtocol::quic:
        take_quic(static_cast<const QuicTransaction&>(*transaction));
        break;
      default:
        break;
    }
  }
}

void SessionNames::take_protocol(AppProtocol protocol) {
  switch (protocol) {
    case AppProtocol::unknown:
    case AppProtocol::http1:
    case AppProtocol::http2:
    case AppProtocol::tls:
    case AppProtocol::quic:
      return;  // their transactions tell
    case AppProtocol::failed:
      return give_up();
    default:
      take_app(protocol, {});
      return give_up();
  }
}

void SessionNames::take_app(AppProtocol protocol, std::string_view label) {
  if (state(NameKind::app) != NameState::not_yet) return;
  if (!label.empty() && !keep(NameKind::app, label)) return know_none(NameKind::app);
  know(NameKind::app, name_of(protocol));
}

void SessionNames::take_http(Transaction& http) {
  if (http.progress(kServer) < HttpStep::headers) return;
  const auto method = http.buffer(BufferId::http_method, kServer, 0);
  if (!method || method->bytes.empty()) return;  // a frame of HTTP/2, or an answer alone
  const auto host = http.buffer(BufferId::http_host, kServer, 0);
  know(NameKind::http_host, host ? text(host->bytes) : std::string_view());
  connects_ = http.protocol() == AppProtocol::http1 && text(method->bytes) == "CONNECT";
  if (connects_) return;  // whom the tunnel is to, its own handshake tells
  requested_ = true;
  take_app(http.protocol(), name_of(label_of(http, kServer)));
  give_up();
}

void SessionNames::take_quic(const QuicTransaction& quic) {
  if (quic.direction() != kServer) return;
  // A hello with keys that withstand quantum computers takes two datagrams, which may come in any order.
  if (!quic.hello().seen && quic.cyu().empty()) return take_app(AppProtocol::quic, {});
  know(NameKind::sni, text(quic.server_name()));
  take_app(AppProtocol::quic, {});
  give_up();
}

void SessionNames::take_tls(TlsTransaction& tls) {
  data_ = data_ || tls.has_data();
  const TlsHello& hello = tls.hello(kServer);
  if (!hello.seen || tls.progress(kServer) < TlsStep::hello) {
    // Who sends none and goes on has no name.
    if (tls.progress(kServer) == TlsStep::complete) give_up();
    return;
  }
  hello_ = true;
  know(NameKind::sni, hello.has_name ? text(hello.names.view()) : std::string_view());
  know_none(NameKind::http_host);
  const AppLabel label = label_of(tls, kServer);
  take_app(AppProtocol::tls, name_of(label));
  const KumaName called = kuma_name_of(tls, kServer);
  for (const KumaPart& part : kKumaParts) {
    // What the client's hello does not say the server's certificate may.
    if (label != AppLabel::kuma_mesh || !(called.*part.part).empty()) know(part.kind, called.*part.part);
  }
  take_identities(tls);
}

/// Who the ends are counts once the server has accepted it.
void SessionNames::take_identities(TlsTransaction& tls) {
  const TlsHello& server = tls.hello(kClient);
  const bool sealed = server.seen && server.effective_version() > kTls12;
  if (!tls.server_is_done() && !sealed && !is_over(tls)) return;
  for (const auto& [kind, side] :
       {std::pair(NameKind::spiffe, kServer), {NameKind::spiffe_server, kClient}}) {
    if (state(kind) != NameState::not_yet) continue;
    bool any = false, kept = true;
    for (size_t i = 0; tls.server_is_done() && kept; ++i) {
      const auto uri = tls.identity(side, i);
      if (uri.empty()) break;
      if (!is_spiffe(text(uri))) continue;
      any = true;
      kept = keep(kind, text(uri));
    }
    states_[static_cast<size_t>(kind)] = any && kept ? NameState::known : NameState::unknown;
  }
  const KumaName shown = tls.server_is_done() ? kuma_name_of(tls, kClient) : KumaName();
  for (const KumaPart& part : kKumaParts) know(part.kind, shown.*part.part);
}

bool SessionNames::is_prelude(AppProtocol protocol) const {
  switch (protocol) {
    case AppProtocol::unknown:  // behind CONNECT, before the tunnel's first byte
    case AppProtocol::http1:
      return connects_;
    case AppProtocol::http2:
      return !requested_;
    case AppProtocol::tls:
      return hello_ && !data_;
    default:
      return false;
  }
}

}  // namespace weir::inspection
