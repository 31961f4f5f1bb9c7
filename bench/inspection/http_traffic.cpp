#include "bench/inspection/http_traffic.h"

#include <algorithm>
#include <array>
#include <random>
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
constexpr std::array<std::string_view, 40> kWords = {
    "account",  "article", "basket",  "billing",   "calendar", "catalog",  "category", "checkout",
    "comment",  "company", "contact", "customer",  "delivery", "detail",   "document", "event",
    "favorite", "gallery", "history", "inventory", "invoice",  "language", "market",   "member",
    "message",  "monthly", "office",  "order",     "payment",  "product",  "profile",  "project",
    "report",   "review",  "season",  "service",   "summer",   "ticket",   "travel",   "weather"};
constexpr std::array<std::string_view, 8> kAssets = {"app.min.js", "style.css",   "logo.svg",    "photo.jpg",
                                                     "vendor.js",  "icons.woff2", "banner.webp", "data.json"};
constexpr std::array<std::string_view, 4> kLanguages = {"en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.7",
                                                        "en-GB,en;q=0.8", "fr-FR,fr;q=0.9,en-US;q=0.6"};

/// Writes requests into one stream.
class Writer {
 public:
  Writer(std::mt19937_64& random, HttpTraffic::Stream& stream) : random_(random), stream_(stream) {}

  void request() {
    const uint64_t kind = below(100);
    if (kind < 45) {
      get_asset();
    } else if (kind < 70) {
      get_page();
    } else if (kind < 85) {
      post_json();
    } else if (kind < 95) {
      post_form();
    } else {
      get_by_program();
    }
    ++stream_.requests;
  }

 private:
  // Distributions of the standard library differ between implementations; a remainder does not.
  uint64_t below(uint64_t n) { return random_() % n; }
  std::string_view word() { return kWords[below(kWords.size())]; }
  std::string number(uint64_t limit) { return std::to_string(below(limit)); }

  void text(std::string_view t) { stream_.bytes.insert(stream_.bytes.end(), t.begin(), t.end()); }
  /// A stepped field; its first value is nobody's.
  void field() {
    stream_.fields.push_back(static_cast<uint32_t>(stream_.bytes.size()));
    text("0000000000000000");
  }
  size_t since_field() const {
    return stream_.bytes.size() - (stream_.fields.empty() ? 0 : stream_.fields.back());
  }

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
  void get_asset() {
    text("GET /static/");
    text(word());
    text("/v" + number(40) + "/");
    text(kAssets[below(kAssets.size())]);
    browser_headers("*/*");
    text("If-None-Match: \"" + number(1'000'000'000) + "\"\r\n\r\n");
  }
  void get_page() {
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
  }
  void get_by_program() {
    text("GET /api/v2/");
    text(word());
    text("/" + number(1'000'000) + " HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: ");
    text(kPrograms[below(kPrograms.size())]);
    text("\r\nAccept: application/json\r\nX-Request-Id: ");
    field();
    text("\r\n\r\n");
  }
  /// The head of a POST with room for the body's length, which is written when it is known.
  size_t begin_post(std::string_view path, std::string_view type) {
    text("POST ");
    text(path);
    browser_headers("application/json, text/plain, */*");
    text("Origin: https://www.example.com\r\nContent-Type: ");
    text(type);
    text("\r\nContent-Length: ");
    const size_t at = stream_.bytes.size();
    text("00000\r\n\r\n");
    return at;
  }
  void end_post(size_t length_at) {
    constexpr size_t kDigits = 5, kEnd = 4;
    size_t size = stream_.bytes.size() - length_at - kDigits - kEnd;
    for (size_t i = kDigits; i > 0; --i, size /= 10) {
      stream_.bytes[length_at + i - 1] = static_cast<uint8_t>('0' + size % 10);
    }
  }
  void post_json() {
    const size_t length_at = begin_post("/api/v1/" + std::string(word()), "application/json");
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
      if (since_field() > 600) {
        text(",\"trace\":\"");
        field();
        text("\"");
      }
      text("}");
    }
    text("],\"total\":" + number(100'000) + ",\"currency\":\"EUR\"}");
    end_post(length_at);
  }
  void post_form() {
    const size_t length_at =
        begin_post("/" + std::string(word()) + "/save", "application/x-www-form-urlencoded");
    text("token=");
    field();
    for (uint64_t i = 3 + below(12); i > 0; --i) {
      text("&");
      text(word());
      text("=");
      text(word());
      text("+" + number(100'000));
    }
    end_post(length_at);
  }

  std::mt19937_64& random_;
  HttpTraffic::Stream& stream_;
};

/// Which fields begin in which segment.
void index_fields(HttpTraffic::Stream& stream) {
  uint32_t field = 0;
  for (size_t at = 0; at < stream.bytes.size(); at += HttpTraffic::kSegmentBytes) {
    while (field < stream.fields.size() && stream.fields[field] < at) ++field;
    stream.first.push_back(field);
  }
  stream.first.push_back(static_cast<uint32_t>(stream.fields.size()));
}

}  // namespace

HttpTraffic::HttpTraffic(uint64_t seed, size_t streams, size_t stream_bytes) : streams_(streams) {
  std::mt19937_64 random(seed);
  uint64_t fields = 0;
  for (Stream& stream : streams_) {
    Writer writer(random, stream);
    while (stream.bytes.size() < stream_bytes) writer.request();
    index_fields(stream);
    stream.first_number = fields;
    fields += stream.fields.size();
    bytes_ += stream.bytes.size();
    longest_ = std::max(longest_, stream.segments());
  }
}

}  // namespace weir::bench
