// What kind of application a session is, beyond its protocol: Kong, Kuma, Envoy, told by what they themselves
// put on the wire. Never guessed: what none of the signs says has no label. Pure; worker thread.
//
//   kong-cluster  SNI kong_clustering; a WebSocket to /v1/outlet or /v2/outlet  (Kong/kong 3.9,
//   kong/clustering) kuma-mesh     ALPN kuma (kumahq/kuma, pkg/xds/envoy/tls) kong-admin    an answer with
//   X-Kong-Admin-Latency                           (Kong/kong 3.9, kong/constants.lua) kong          Via: ...
//   kong/VERSION, X-Kong-Proxy-Latency, X-Kong-Upstream-Latency, X-Kong-Request-Id envoy         a field
//   whose name begins with x-envoy-, an answer with Server: envoy
#pragma once

#include <cstdint>
#include <string_view>

#include "inspection/app/labels/kuma_name.h"

namespace weir::inspection {

class HttpTransaction;
class Http2Transaction;
class TlsTransaction;
class Transaction;
enum class Direction : uint8_t;

enum class AppLabel : uint8_t { none, envoy, kong, kong_admin, kuma_mesh, kong_cluster };

/// What rules and events call it: "kong-cluster"; empty: none.
std::string_view name_of(AppLabel label);

/// By what that direction has said until now.
AppLabel label_of(Transaction& transaction, Direction direction);

/// Of a session of Kuma's mesh, as far as it is known: to_server, what the client's hello says of the service
/// that it calls; to_client, what the server's certificate, or the one remembered, says of that service.
KumaName kuma_name_of(const TlsTransaction& tls, Direction direction);

}  // namespace weir::inspection
