#include "inspection/events/eve_quic.h"

#include <string>

#include "inspection/events/eve_text.h"

namespace weir::inspection {

namespace {

using Json = nlohmann::ordered_json;

/// "1", "ff00001d", "Q046".
std::string version_name(uint64_t version) {
  const auto number = static_cast<uint32_t>(version);
  char text[16];
  if (number >> 16 == 0x5130) {  // "Q0"
    for (size_t i = 0; i < 4; ++i) text[i] = static_cast<char>(number >> (24 - 8 * i));
    return {text, 4};
  }
  std::snprintf(text, sizeof text, "%x", number);
  return text;
}

/// https://www.iana.org/assignments/tls-extensiontype-values; empty: it has no name.
std::string_view extension_name(unsigned type) {
  static constexpr std::string_view kNames[] = {"server_name",
                                                "max_fragment_length",
                                                "client_certificate_url",
                                                "trusted_ca_keys",
                                                "truncated_hmac",
                                                "status_request",
                                                "user_mapping",
                                                "client_authz",
                                                "server_authz",
                                                "cert_type",
                                                "supported_groups",
                                                "ec_point_formats",
                                                "srp",
                                                "signature_algorithms",
                                                "use_srtp",
                                                "heartbeat",
                                                "alpn",
                                                "status_request_v2",
                                                "signed_certificate_timestamp",
                                                "client_certificate_type",
                                                "server_certificate_type",
                                                "padding",
                                                "encrypt_then_mac",
                                                "extended_master_secret",
                                                "token_binding",
                                                "cached_info",
                                                "tls_lts",
                                                "compress_certificate",
                                                "record_size_limit",
                                                "pwd_protect",
                                                "pwd_clear",
                                                "password_salt",
                                                "ticket_pinning",
                                                "tls_cert_with_extern_psk",
                                                "delegated_credentials",
                                                "session_ticket",
                                                "tlmsp",
                                                "tlmsp_proxying",
                                                "tlmsp_delegate",
                                                "supported_ekt_ciphers",
                                                "",
                                                "pre_shared_key",
                                                "early_data",
                                                "supported_versions",
                                                "cookie",
                                                "psk_key_exchange_modes",
                                                "",
                                                "certificate_authorities",
                                                "oid_filters",
                                                "post_handshake_auth",
                                                "signature_algorithms_cert",
                                                "key_share",
                                                "transparency_info",
                                                "connection_id_deprecated",
                                                "connection_id",
                                                "external_id_hash",
                                                "external_session_id",
                                                "quic_transport_parameters",
                                                "ticket_request",
                                                "dnssec_chain"};
  if (type < std::size(kNames)) return kNames[type];
  return type == 13'172 ? "next_protocol_negotiation" : type == 65'281 ? "renegotiation_info" : "";
}

void add_extensions(Json& quic, std::string_view types) {
  for (size_t i = 0; i + 1 < types.size(); i += 2) {
    const unsigned type =
        static_cast<unsigned>(static_cast<uint8_t>(types[i])) << 8 | static_cast<uint8_t>(types[i + 1]);
    Json extension;
    if (const std::string_view name = extension_name(type); !name.empty())
      extension["name"] = std::string(name);
    extension["type"] = type;
    quic["extensions"].push_back(std::move(extension));
  }
}

/// To the first one of that type, if there is one.
void add_value(Json& quic, unsigned type, std::string_view value) {
  if (!quic.contains("extensions")) return;
  for (Json& extension : quic["extensions"]) {
    if (extension["type"] != type) continue;
    extension["values"].push_back(eve_text(value));
    return;
  }
}

}  // namespace

void add_quic(Json& quic, Field field, std::string_view text, uint64_t number) {
  constexpr unsigned kServerName = 0, kAlpn = 16;
  switch (field) {
    case Field::quic_version:
      quic["version"] = version_name(number);
      return;
    case Field::quic_cyu_hash:
      quic["cyu"].push_back(Json{{"hash", eve_text(text)}});
      return;
    case Field::quic_cyu:
      if (quic.contains("cyu")) quic["cyu"].back()["string"] = eve_text(text);
      return;
    case Field::quic_extensions:
      return add_extensions(quic, text);
    case Field::quic_extension_name:
      return add_value(quic, kServerName, text);
    case Field::quic_extension_alpn:
      return add_value(quic, kAlpn, text);
    default:
      return;
  }
}

}  // namespace weir::inspection
