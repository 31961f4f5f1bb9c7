#include "inspection/rules/rule.h"

namespace weir::inspection {

const std::array<HttpBufferInfo, kBufferCount>& buffer_table() {
  static constexpr std::array<HttpBufferInfo, kBufferCount> kTable = {{
      {Buffer::payload, "pkt_data", "", false, ""},
      {Buffer::http_uri, "http.uri", "http_uri", false, ""},
      {Buffer::http_uri_raw, "http.uri.raw", "http_raw_uri", false, ""},
      {Buffer::http_method, "http.method", "http_method", false, ""},
      {Buffer::http_host, "http.host", "http_host", true, "host"},
      {Buffer::http_user_agent, "http.user_agent", "http_user_agent", true, "user-agent"},
      {Buffer::http_header, "http.header", "http_header", true, ""},
      {Buffer::http_cookie, "http.cookie", "http_cookie", true, "cookie"},
      {Buffer::http_referer, "http.referer", "", true, "referer"},
      {Buffer::http_accept, "http.accept", "", true, "accept"},
      {Buffer::http_accept_lang, "http.accept_lang", "", true, "accept-language"},
      {Buffer::http_accept_enc, "http.accept_enc", "", true, "accept-encoding"},
  }};
  return kTable;
}

}  // namespace weir::inspection
