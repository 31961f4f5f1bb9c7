#include "inspection/compile/literal_strength.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_set>

namespace weir::inspection {

namespace {

// Hyperscan's first look is at the last bytes of a literal: as many have to be rare.
constexpr size_t kEnd = 8;
constexpr size_t kGram = 4;

// What ordinary HTTP, HTML and scripts consist of. Case is not regarded.
constexpr std::string_view kOrdinary[] = {
    "get / http/1.1\r\nhost: www.",
    "post /",
    " http/1.0\r\n",
    " http/1.1\r\n",
    "http/1.1 200 ok\r\n",
    "index.php",
    "index.html",
    "\r\nuser-agent: mozilla/5.0 (windows nt 10.0; win64; x64; rv:1",
    "mozilla/5.0 (windows nt 6.1; wow64; rv:",
    "mozilla/4.0 (compatible; msie 6.0; windows nt 5.1; sv1; .net clr ",
    "mozilla/4.0 (compatible; msie 8.0;",
    "mozilla/5.0 (macintosh; intel mac os x 10_15_7) applewebkit/537.36 (khtml, like gecko) chrome/120.0.0.0 "
    "safari/537.36",
    "applewebkit/605.1.15 (khtml, like gecko) version/17.0 mobile/15e148 safari/604.1",
    "(iphone; cpu iphone os 17_0 like mac os x)",
    "mozilla/5.0 (linux; android 13; ",
    "mozilla/5.0 (x11; linux x86_64; rv:109.0) gecko/20100101 firefox/115.0",
    "mozilla/5.0 (windows nt 6.3; trident/7.0; rv:11.0) like gecko",
    "curl/",
    "python-requests/2.",
    "go-http-client/1.1",
    "\r\naccept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8\r\n",
    "\r\naccept: */*\r\n",
    "accept: application/json, text/plain, */*\r\n",
    "\r\naccept-language: en-us,en;q=0.5\r\n",
    "accept-language: en-us,en;q=0.9\r\n",
    "\r\naccept-encoding: gzip, deflate, br\r\n",
    "accept-encoding: gzip, deflate\r\n",
    "\r\nconnection: keep-alive\r\n",
    "\r\nconnection: close\r\n",
    "\r\nreferer: http://www.",
    "\r\nreferer: https://www.",
    "\r\ncookie: ",
    "\r\nset-cookie: ",
    "\r\norigin: https://",
    "\r\ncontent-type: application/x-www-form-urlencoded\r\n",
    "content-type: text/html; charset=utf-8\r\n",
    "content-type: application/json\r\n",
    "content-type: application/octet-stream\r\n",
    "content-type: multipart/form-data; boundary=",
    "\r\ncontent-length: ",
    "\r\ncontent-disposition: attachment; filename=",
    "\r\ncache-control: no-cache\r\n",
    "cache-control: max-age=0\r\n",
    "\r\npragma: no-cache\r\n",
    "\r\nif-modified-since: ",
    "\r\nif-none-match: ",
    "\r\nupgrade-insecure-requests: 1\r\n",
    "\r\nx-requested-with: xmlhttprequest\r\n",
    "\r\ndate: mon, ",
    " gmt\r\n",
    "\r\nserver: apache",
    "\r\nserver: nginx",
    "\r\ntransfer-encoding: chunked\r\n",
    "\r\nlast-modified: ",
    "\r\nexpires: ",
    "\r\nvary: accept-encoding\r\n",
    "\r\nkeep-alive: timeout=5, max=100\r\n\r\n",
    "\r\n\r\n",
    ".php?id=",
    "?page=",
    "&page=",
    "&type=",
    "&user=",
    "&name=",
    ".com/",
    ".net/",
    ".org/",
    "https://www.",
    "http://www.",
    "<!doctype html>",
    "<html>",
    "<head>",
    "<title>",
    "</title>",
    "<body>",
    "<script type=\"text/javascript\" src=\"",
    "<script>",
    "</script>",
    "</div>",
    "<div class=\"",
    "<a href=\"http",
    "<img src=\"",
    "<input type=\"",
    "<form action=\"",
    "<meta http-equiv=\"",
    "<link rel=\"stylesheet\"",
    "function(",
    "function (",
    "return ",
    "var ",
    "document.",
    "window.",
    "location.",
    ".length",
    "string",
    "object",
    "password",
    "username",
    "content",
    "value=\"",
    "name=\"",
    "http-equiv",
    "windows",
    "version",
    "application/",
    "charset",
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

uint32_t gram(std::string_view bytes) {
  uint32_t out = 0;
  for (size_t i = 0; i < kGram; ++i) out = out << 8 | static_cast<unsigned char>(lower(bytes[i]));
  return out;
}

const std::unordered_set<uint32_t>& ordinary_grams() {
  static const std::unordered_set<uint32_t> the_one = [] {
    std::unordered_set<uint32_t> grams;
    for (const std::string_view text : kOrdinary) {
      for (size_t i = 0; i + kGram <= text.size(); ++i) grams.insert(gram(text.substr(i)));
    }
    return grams;
  }();
  return the_one;
}

/// How little a byte is to be expected in traffic: a rough scale, text and zeros being common.
double rarity(unsigned char c) {
  if (c == 0 || c == 0xff) return 0.6;
  if (c == ' ' || c == '/' || c == '.' || c == '=' || c == ':' || c == '\r' || c == '\n') return 0.6;
  if (c == 'e' || c == 't' || c == 'a' || c == 'o' || c == 'i' || c == 'n' || c == 's' || c == 'r')
    return 0.8;
  if (c >= 'a' && c <= 'z') return 1.0;
  if (c >= '0' && c <= '9') return 1.0;
  if (c >= 'A' && c <= 'Z') return 1.2;
  return 1.4;
}

/// The sum over the bytes, the same byte again saying less each time.
double sum_of_rarity(std::string_view bytes) {
  std::array<uint8_t, 256> seen{};
  double sum = 0;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    sum += rarity(byte) / (1.0 + seen[byte]);
    if (seen[byte] < 255) ++seen[byte];
  }
  return sum;
}

}  // namespace

double strength(std::string_view bytes) {
  const std::string_view end = bytes.size() > kEnd ? bytes.substr(bytes.size() - kEnd) : bytes;
  // What lies before the end saves verifying, but not Hyperscan's first look.
  double sum = sum_of_rarity(end) + sum_of_rarity(bytes.substr(0, bytes.size() - end.size())) / 4;
  size_t grams = 0, ordinary = 0;
  for (size_t i = 0; i + kGram <= end.size(); ++i, ++grams)
    ordinary += ordinary_grams().contains(gram(end.substr(i)));
  if (grams > 0) sum *= 1.0 - 0.9 * static_cast<double>(ordinary) / static_cast<double>(grams);
  return sum;
}

std::string_view strongest_stretch(std::string_view bytes) {
  if (bytes.size() <= kEnd) return bytes;
  std::string_view best;
  double best_strength = -1;
  for (size_t end = kEnd; end <= bytes.size(); ++end) {
    const size_t at = end > kLongestLiteral ? end - kLongestLiteral : 0;
    const std::string_view stretch = bytes.substr(at, end - at);
    if (const double s = strength(stretch); s > best_strength) {
      best_strength = s;
      best = stretch;
    }
  }
  return best;
}

}  // namespace weir::inspection
