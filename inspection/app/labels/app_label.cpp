#include "inspection/app/labels/app_label.h"

#include <algorithm>

#include "inspection/app/http/transaction.h"
#include "inspection/app/http2/http2_transaction.h"
#include "inspection/app/tls/tls_transaction.h"

namespace weir::inspection {

namespace {

constexpr std::string_view kClustering = "kong_clustering", kKumaAlpn = "kuma";

std::string_view text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(std::string_view value, std::string_view word) {
  return value.size() == word.size() &&
         std::equal(value.begin(), value.end(), word.begin(), [](char a, char b) { return lower(a) == b; });
}

/// /v1/outlet?node_id=... and, with RPC, /v2/outlet (Kong/kong 3.9, kong/clustering/utils.lua,
/// rpc/manager.lua).
bool is_outlet(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  return path == "/v1/outlet" || path == "/v2/outlet";
}

/// Most names are told by their first letter.
bool may_say(std::string_view name) {
  const char first = name.empty() ? '\0' : lower(name.front());
  return first == 'x' || first == 'v' || first == 's';
}

AppLabel of_field(std::string_view name, std::string_view value, Direction direction) {
  if (same(name, "x-kong-admin-latency"))
    return direction == Direction::to_client ? AppLabel::kong_admin : AppLabel::none;
  if (same(name, "x-kong-proxy-latency") || same(name, "x-kong-upstream-latency") ||
      same(name, "x-kong-request-id")) {
    return AppLabel::kong;
  }
  // "1.1 kong/3.9.0"; before 3.9 without the version of HTTP.
  if (same(name, "via")) return value.find("kong/") != value.npos ? AppLabel::kong : AppLabel::none;
  constexpr std::string_view kEnvoy = "x-envoy-";
  if (name.size() > kEnvoy.size() && same(name.substr(0, kEnvoy.size()), kEnvoy)) return AppLabel::envoy;
  const bool server = direction == Direction::to_client && same(name, "server") && same(value, "envoy");
  return server ? AppLabel::envoy : AppLabel::none;
}

/// The one that says most, of so many fields; `field_at` gives a name and a value.
template <typename FieldAt>
AppLabel of_fields(size_t count, Direction direction, FieldAt&& field_at) {
  AppLabel label = AppLabel::none;
  for (size_t i = 0; i < count; ++i) {
    const auto field = field_at(i);
    if (!may_say(field.name)) continue;
    label = std::max(label, of_field(field.name, field.value, direction));
  }
  return label;
}

AppLabel of_http(const HttpTransaction& http, Direction direction) {
  if (http.progress(direction) < HttpStep::headers) return AppLabel::none;
  const http::MessageHead& head = http.head(direction);
  if (direction == Direction::to_server && is_outlet(http.raw_uri()) &&
      same(head.find("upgrade"), "websocket"))
    return AppLabel::kong_cluster;
  return of_fields(head.field_count(), direction, [&](size_t i) { return head.field(i); });
}

AppLabel of_http2(const Http2Transaction& http, Direction direction) {
  if (http.progress(direction) < HttpStep::headers) return AppLabel::none;
  // RFC 8441: a WebSocket is an extended CONNECT.
  if (direction == Direction::to_server && is_outlet(http.find(direction, ":path")) &&
      same(http.find(direction, ":protocol"), "websocket")) {
    return AppLabel::kong_cluster;
  }
  return of_fields(http.field_count(direction), direction,
                   [&](size_t i) { return http.field(direction, i); });
}

bool is_mesh(const TlsTransaction& tls) {
  for (size_t i = 0;; ++i) {
    const auto name = tls.alpn(Direction::to_server, i);
    if (name.empty() || text(name) == kKumaAlpn) return !name.empty();
  }
}

AppLabel of_tls(const TlsTransaction& tls, Direction direction) {
  if (direction != Direction::to_server) return AppLabel::none;
  if (is_mesh(tls)) return AppLabel::kuma_mesh;
  const TlsHello& hello = tls.hello(direction);
  return hello.has_name && text(hello.names.view()) == kClustering ? AppLabel::kong_cluster : AppLabel::none;
}

}  // namespace

std::string_view name_of(AppLabel label) {
  static constexpr std::string_view kNames[] = {"",           "envoy",     "kong",
                                                "kong-admin", "kuma-mesh", "kong-cluster"};
  return kNames[static_cast<size_t>(label)];
}

AppLabel label_of(Transaction& transaction, Direction direction) {
  switch (transaction.protocol()) {
    case AppProtocol::tls:
      return of_tls(static_cast<const TlsTransaction&>(transaction), direction);
    case AppProtocol::http1:
      return of_http(static_cast<const HttpTransaction&>(transaction), direction);
    case AppProtocol::http2:
      return of_http2(static_cast<const Http2Transaction&>(transaction), direction);
    default:
      return AppLabel::none;
  }
}

KumaName kuma_name_of(const TlsTransaction& tls, Direction direction) {
  KumaName name;
  if (!is_mesh(tls)) return name;
  if (direction == Direction::to_server) {
    const TlsHello& hello = tls.hello(direction);
    return hello.has_name ? read_kuma_sni(text(hello.names.view())).value_or(name) : name;
  }
  // One identity for each thing that listens there: of several nobody knows which one is meant.
  size_t services = 0;
  for (size_t i = 0; i < tls.identity_count(direction); ++i) {
    const std::string_view uri = text(tls.identity(direction, i));
    services += is_spiffe(uri) ? 1 : 0;
    name.complete(read_kuma_uri(uri));
  }
  if (services > 1) name.service = {};
  return name;
}

}  // namespace weir::inspection
