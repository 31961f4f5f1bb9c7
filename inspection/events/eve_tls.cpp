#include "inspection/events/eve_tls.h"

#include "inspection/events/eve_text.h"

namespace weir::inspection {

namespace {

using Json = nlohmann::ordered_json;

std::string version_name(uint16_t version) {
  switch (version) {
    case 0x0304:
      return "TLS 1.3";
    case 0x0303:
      return "TLS 1.2";
    case 0x0302:
      return "TLS 1.1";
    case 0x0301:
      return "TLSv1";
    case 0x0300:
      return "SSLv3";
    case 0x0002:
      return "SSLv2";
    case 0x7f12:
    case 0x7f13:
    case 0x7f14:
    case 0x7f15:
    case 0x7f16:
    case 0x7f17:
    case 0x7f18:
    case 0x7f19:
    case 0x7f1a:
    case 0x7f1b:
    case 0x7f1c:
      return "TLS 1.3 draft-" + std::to_string(version & 0xff);
    default:
      return "UNDETERMINED";
  }
}

/// "2015-01-14T13:23:17".
std::string date_text(int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm utc{};
  gmtime_r(&time, &utc);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  return text;
}

void add_names(Json& json, const char* key, const TlsTransaction& tls, Direction direction) {
  Json list = Json::array();
  for (size_t i = 0;; ++i) {
    const auto name = tls.alpn(direction, i);
    if (name.empty()) break;
    list.push_back(eve_text(name));
  }
  if (!list.empty()) json[key] = std::move(list);
}

void add_certificate(Json& json, const TlsTransaction& tls, Direction direction) {
  if (tls.certificate_count(direction) == 0) return;
  const Certificate& certificate = tls.certificate(direction);
  const auto text = [&](Certificate::Piece piece) { return eve_text(certificate.view(piece)); };
  if (certificate.subject.size > 0) json["subject"] = text(certificate.subject);
  if (certificate.issuer.size > 0) json["issuerdn"] = text(certificate.issuer);
  if (certificate.alternative_count > 0) {
    Json& names = json["subjectaltname"];
    for (size_t i = 0; i < certificate.alternative_count; ++i)
      names.push_back(text(certificate.alternative[i]));
  }
  if (certificate.serial.size > 0) json["serial"] = text(certificate.serial);
  if (certificate.fingerprint.size > 0) json["fingerprint"] = text(certificate.fingerprint);
}

}  // namespace

Json tls_object(const TlsTransaction& tls) {
  Json json = Json::object();
  const TlsHello& client = tls.hello(Direction::to_server);
  const TlsHello& server = tls.hello(Direction::to_client);
  add_certificate(json, tls, Direction::to_client);
  if (tls.resumed()) json["session_resumed"] = true;
  if (client.has_name && !client.names.empty()) json["sni"] = eve_text(client.names.view());
  json["version"] = version_name(tls.version());
  const Certificate& certificate = tls.certificate(Direction::to_client);
  if (certificate.has_times) {
    json["notbefore"] = date_text(certificate.not_before);
    json["notafter"] = date_text(certificate.not_after);
  }
  const auto fingerprint = [&](const char* key, const TlsHello& hello) {
    if (!hello.has_hash) return;
    json[key] = {{"hash", eve_text(hello.fingerprint_hash)}, {"string", eve_text(hello.fingerprint.view())}};
  };
  fingerprint("ja3", client);
  fingerprint("ja3s", server);
  if (!client.ja4.empty()) json["ja4"] = eve_text(client.ja4.view());
  add_names(json, "client_alpns", tls, Direction::to_server);
  add_names(json, "server_alpns", tls, Direction::to_client);
  if (tls.certificate_count(Direction::to_server) > 0)
    add_certificate(json["client"], tls, Direction::to_server);
  return json;
}

}  // namespace weir::inspection
