// What a policy rule may ask for as an application: what the client's first message tells.
#pragma once

#include <span>
#include <string_view>

namespace weir::inspection {

/// Labels beside the protocols. `kong`, `kong-admin` and `envoy` are told by answers, too late for a policy.
inline constexpr std::string_view kKongCluster = "kong-cluster", kKumaMesh = "kuma-mesh";

/// The labels, then the protocols that are told by content.
inline std::span<const std::string_view> policy_app_names() {
  static constexpr std::string_view kNames[] = {kKongCluster, kKumaMesh, "http", "http2", "tls",  "quic",
                                                "dns",        "ssh",     "smtp", "ftp",   "pop3", "imap"};
  return kNames;
}

}  // namespace weir::inspection
