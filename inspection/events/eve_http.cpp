#include "inspection/events/eve_http.h"

#include "inspection/events/eve_text.h"

namespace weir::inspection {

using Json = nlohmann::ordered_json;

Json http_object(HttpTransaction& tx) {
  Json json = Json::object();
  const auto text = [&](const char* key, std::string_view value) {
    if (!value.empty()) json[key] = eve_text(value);
  };
  text("hostname", tx.hostname());
  if (tx.host_port() != 0) json["http_port"] = tx.host_port();
  text("url", tx.raw_uri());
  text("http_user_agent", tx.field(Direction::to_server, "user-agent"));
  text("xff", tx.field(Direction::to_server, "x-forwarded-for"));
  std::string_view type = tx.field(Direction::to_client, "content-type");
  text("http_content_type", type.substr(0, type.find(';')));
  text("http_refer", tx.field(Direction::to_server, "referer"));
  text("http_method", tx.method());
  text("protocol", tx.has_request() ? tx.request_protocol() : tx.response_protocol());
  if (tx.status() != 0) json["status"] = tx.status();
  if (tx.status() / 100 == 3) text("redirect", tx.field(Direction::to_client, "location"));
  json["length"] = tx.body_bytes(Direction::to_client);
  return json;
}

Json fileinfo_object(const HttpTransaction& tx, const HttpFile& file) {
  static constexpr const char* kStates[] = {"UNKNOWN", "CLOSED", "TRUNCATED"};
  Json json;
  json["filename"] = eve_text(file.name);
  json["gaps"] = file.gaps;
  json["state"] = kStates[static_cast<size_t>(file.state)];
  if (file.state == HttpFile::State::closed) {
    if ((file.hashes & http::kHashMd5) != 0) json["md5"] = to_hex(file.digests.md5);
    if ((file.hashes & http::kHashSha1) != 0) json["sha1"] = to_hex(file.digests.sha1);
    if ((file.hashes & http::kHashSha256) != 0) json["sha256"] = to_hex(file.digests.sha256);
  }
  json["stored"] = false;
  json["size"] = file.size;
  json["tx_id"] = tx.id;
  return json;
}

}  // namespace weir::inspection
