#include "bench/inspection/http_requests.h"

#include <array>
#include <string>
#include <string_view>

namespace weir::bench {

namespace {

constexpr std::array<std::string_view, 6> kAgents = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
    "Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
    "Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile "
    "Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0"};
constexpr std::array<std::string_view, 8> kHosts = {
    "www.example.com",      "static.example.com", "api.example.com",        "shop.example.org",
    "accounts.example.org", "news.example.net",   "images.cdn.example.net", "intranet.example.edu"};
constexpr std::array<std::string_view, 4> kPrograms = {"curl/8.5.0", "python-requests/2.32.3",
                                                       "Go-http-client/1.1", "okhttp/4.12.0"};
struct Asset {
  std::string_view name;
  HttpRequest kind;
};
constexpr std::array<Asset, 8> kAssets = {{{"app.min.js", HttpRequest::script},
                                           {"style.css", HttpRequest::style},
                                           {"logo.svg", HttpRequest::drawing},
                                           {"photo.jpg", HttpRequest::picture},
                                           {"vendor.js", HttpRequest::script},
                                           {"icons.woff2", HttpRequest::font},
                                           {"banner.webp", HttpRequest::picture},
                                           {"data.json", HttpRequest::data}}};
constexpr std::array<std::string_view, 4> kLanguages = {"en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.7",
                                                        "en-GB,en;q=0.8", "fr-FR,fr;q=0.9,en-US;q=0.6"};

/// One request.
class RequestWriter : private HttpText {
 public:
  explicit RequestWriter(const HttpText& text) : HttpText(text) {}

  HttpRequest write() {
    const uint64_t kind = below(100);
    if (kind < 45) return get_asset();
    if (kind < 70) return get_page();
    if (kind < 85) return post_json();
    if (kind < 95) return post_form();
    return get_by_program();
  }

 private:
  struct Post {
    size_t length_at, body_at;
  };

  void browser_headers(std::string_view accept) {
    const std::string_view host = kHosts[below(kHosts.size())];
    text(" HTTP/1.1\r\nHost: ");
    text(host);
    text("\r\nUser-Agent: ");
    text(kAgents[below(kAgents.size())]);
    text("\r\nAccept: ");
    text(accept);
    text("\r\nAccept-Language: ");
    text(kLanguages[below(kLanguages.size())]);
    text("\r\nAccept-Encoding: gzip, deflate\r\nReferer: https://");
    text(host);
    text("/");
    text(word());
    text("/\r\nConnection: keep-alive\r\nCookie: session=");
    field();
    text("; consent=yes; theme=light; visits=" + number(500) + "; region=");
    text(word());
    text("; _ga=GA1.2." + number(1'000'000'000) + "." + number(1'000'000'000));
    text("\r\n");
  }
  HttpRequest get_asset() {
    text("GET /static/");
    text(word());
    text("/v" + number(40) + "/");
    const Asset& asset = kAssets[below(kAssets.size())];
    text(asset.name);
    browser_headers("*/*");
    text("If-None-Match: \"" + number(1'000'000'000) + "\"\r\n\r\n");
    return asset.kind;
  }
  HttpRequest get_page() {
    text("GET /");
    text(word());
    text("/");
    text(word());
    text("?page=" + number(90) + "&sort=");
    text(word());
    text("&q=");
    text(word());
    text("%20");
    text(word());
    browser_headers("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
    text("Upgrade-Insecure-Requests: 1\r\nCache-Control: max-age=0\r\n\r\n");
    return HttpRequest::page;
  }
  HttpRequest get_by_program() {
    text("GET /api/v2/");
    text(word());
    text("/" + number(1'000'000) + " HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: ");
    text(kPrograms[below(kPrograms.size())]);
    text("\r\nAccept: application/json\r\nX-Request-Id: ");
    field();
    text("\r\n\r\n");
    return HttpRequest::data;
  }
  /// The head of a POST with room for the body's length, which is written when it is known.
  Post begin_post(std::string_view path, std::string_view type) {
    text("POST ");
    text(path);
    browser_headers("application/json, text/plain, */*");
    text("Origin: https://www.example.com\r\nContent-Type: ");
    text(type);
    text("\r\nContent-Length: ");
    const size_t length_at = begin_length();
    text("\r\n\r\n");
    return {length_at, size()};
  }
  HttpRequest post_json() {
    const Post post = begin_post("/api/v1/" + std::string(word()), "application/json");
    text("{\"items\":[");
    const uint64_t items = 4 + below(24);
    for (uint64_t i = 0; i < items; ++i) {
      text(i == 0 ? "{\"id\":" : ",{\"id\":");
      text(number(10'000'000) + ",\"name\":\"");
      text(word());
      text(" ");
      text(word());
      text("\",\"price\":" + number(1'000) + "." + number(100) + ",\"tags\":[\"");
      text(word());
      text("\",\"");
      text(word());
      text("\"],\"stock\":" + number(5'000));
      if (field_due()) {
        text(",\"trace\":\"");
        field();
        text("\"");
      }
      text("}");
    }
    text("],\"total\":" + number(100'000) + ",\"currency\":\"EUR\"}");
    end_length(post.length_at, post.body_at);
    return HttpRequest::json;
  }
  HttpRequest post_form() {
    const Post post = begin_post("/" + std::string(word()) + "/save", "application/x-www-form-urlencoded");
    text("token=");
    field();
    for (uint64_t i = 3 + below(12); i > 0; --i) {
      text("&");
      text(word());
      text("=");
      text(word());
      text("+" + number(100'000));
    }
    end_length(post.length_at, post.body_at);
    return HttpRequest::form;
  }
};

}  // namespace

HttpRequest write_request(const HttpText& text) { return RequestWriter(text).write(); }

}  // namespace weir::bench
