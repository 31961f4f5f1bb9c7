#include "inspection/compile/literal_strength.h"

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <utility>

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
    ("mozilla/5.0 (macintosh; intel mac os x 10_15_7) "
     "applewebkit/537.36 (khtml, like gecko) chrome/120.0.0.0 safari/537.36"),
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

/// A gram is its bytes: the next one begins a byte later.
uint32_t appended(uint32_t gram, char byte) {
  static_assert(kGram == sizeof gram);
  return gram << 8 | static_cast<unsigned char>(lower(byte));
}

/// Grams by a hash: of some thousand in all of them no more than one in twenty shares its place with an
/// ordinary one.
class OrdinaryGrams {
 public:
  OrdinaryGrams() {
    for (const std::string_view text : kOrdinary) {
      uint32_t gram = 0;
      for (size_t i = 0; i < text.size(); ++i) {
        gram = appended(gram, text[i]);
        if (i + 1 >= kGram) places_.set(place(gram));
      }
    }
  }
  bool has(uint32_t bytes) const { return places_[place(bytes)]; }

 private:
  static constexpr unsigned kBits = 16;
  static size_t place(uint32_t bytes) { return bytes * 0x9e37'79b1U >> (32 - kBits); }
  std::bitset<size_t{1} << kBits> places_;
};

const OrdinaryGrams& ordinary_grams() {
  static const OrdinaryGrams the_ones;
  return the_ones;
}

/// How little a byte is to be expected in traffic: a rough scale, text and zeros being common.
constexpr double rarity_of(unsigned char c) {
  if (c == 0 || c == 0xff) return 0.6;
  if (c == ' ' || c == '/' || c == '.' || c == '=' || c == ':' || c == '\r' || c == '\n') return 0.6;
  if (c == 'e' || c == 't' || c == 'a' || c == 'o' || c == 'i' || c == 'n' || c == 's' || c == 'r')
    return 0.8;
  if (c >= 'a' && c <= 'z') return 1.0;
  if (c >= '0' && c <= '9') return 1.0;
  if (c >= 'A' && c <= 'Z') return 1.2;
  return 1.4;
}

constexpr std::array<double, 256> kRarity = [] {
  std::array<double, 256> rarity{};
  for (size_t c = 0; c < rarity.size(); ++c) rarity[c] = rarity_of(static_cast<unsigned char>(c));
  return rarity;
}();

/// Bytes of a content, with what their strength is made of, so that each stretch of them costs a few steps.
class Text {
 public:
  explicit Text(std::string_view bytes) : bytes_(bytes.substr(0, kMost)) {
    const OrdinaryGrams& ordinary = ordinary_grams();
    std::array<int16_t, 256> last;
    last.fill(-1);
    uint32_t gram = 0;
    for (size_t i = 0; i < bytes_.size(); ++i) {
      const auto byte = static_cast<unsigned char>(bytes_[i]);
      before_[i] = std::exchange(last[byte], static_cast<int16_t>(i));
      rarity_[i] = kRarity[byte];
      gram = appended(gram, bytes_[i]);
      if (i + 1 >= kGram) ordinary_[i + 1 - kGram] = ordinary.has(gram);
    }
  }
  size_t size() const { return bytes_.size(); }

  double strength(size_t begin, size_t end) const {
    const size_t tail = end - begin > kEnd ? end - kEnd : begin;
    // What lies before the end saves verifying, but not Hyperscan's first look.
    const double sum = sum_of_rarity(tail, end) + sum_of_rarity(begin, tail) / 4;
    size_t grams = 0, ordinary = 0;
    for (size_t i = tail; i + kGram <= end; ++i, ++grams) ordinary += ordinary_[i];
    if (grams == 0) return sum;
    return sum * (1.0 - 0.9 * static_cast<double>(ordinary) / static_cast<double>(grams));
  }

 private:
  static constexpr size_t kMost = 1'024;  // what lies behind is not looked at

  /// Of the bytes, the same byte again saying less each time.
  double sum_of_rarity(size_t begin, size_t end) const {
    double sum = 0;
    for (size_t i = begin; i < end; ++i) {
      int again = 1;
      for (int at = before_[i]; at >= static_cast<int>(begin); at = before_[static_cast<size_t>(at)]) ++again;
      sum += again == 1 ? rarity_[i] : rarity_[i] / again;
    }
    return sum;
  }

  std::string_view bytes_;
  std::array<int16_t, kMost> before_;  // where the same byte stands before it; -1: nowhere
  std::array<double, kMost> rarity_;
  std::array<bool, kMost> ordinary_;  // whether the gram that begins here is
};

}  // namespace

double strength(std::string_view bytes) {
  const Text text(bytes);
  return text.strength(0, text.size());
}

Stretch strongest_stretch(std::string_view bytes) {
  const Text text(bytes);
  if (bytes.size() <= kEnd) return {bytes, text.strength(0, text.size())};
  Stretch best{{}, -1};
  for (size_t end = kEnd; end <= text.size(); ++end) {
    const size_t begin = end > kLongestLiteral ? end - kLongestLiteral : 0;
    if (const double s = text.strength(begin, end); s > best.strength)
      best = {bytes.substr(begin, end - begin), s};
  }
  return best;
}

}  // namespace weir::inspection
