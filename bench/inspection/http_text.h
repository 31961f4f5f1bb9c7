// Writes the text of one stream of HttpTraffic: what is chosen is chosen by the seed's numbers alone.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "bench/inspection/http_traffic.h"

namespace weir::bench {

inline constexpr std::array<std::string_view, 40> kWords = {
    "account",  "article", "basket",  "billing",   "calendar", "catalog",  "category", "checkout",
    "comment",  "company", "contact", "customer",  "delivery", "detail",   "document", "event",
    "favorite", "gallery", "history", "inventory", "invoice",  "language", "market",   "member",
    "message",  "monthly", "office",  "order",     "payment",  "product",  "profile",  "project",
    "report",   "review",  "season",  "service",   "summer",   "ticket",   "travel",   "weather"};

class HttpText {
 public:
  HttpText(std::mt19937_64& random, HttpTraffic::Stream& stream) : random_(random), stream_(stream) {}

  /// Distributions of the standard library differ between implementations; a remainder does not.
  uint64_t below(uint64_t n) { return random_() % n; }
  std::string_view word() { return kWords[below(kWords.size())]; }
  std::string number(uint64_t limit) { return std::to_string(below(limit)); }

  size_t size() const { return stream_.bytes.size(); }
  void text(std::string_view t) { stream_.bytes.insert(stream_.bytes.end(), t.begin(), t.end()); }
  /// Bytes without meaning, as of a picture.
  void noise(size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) stream_.bytes.push_back(static_cast<uint8_t>(random_()));
  }
  /// A stepped field; its first value is nobody's.
  void field() {
    stream_.fields.push_back(static_cast<uint32_t>(size()));
    text("0000000000000000");
  }
  /// Whether another one is due, so that each segment gets one.
  bool field_due() const { return size() - (stream_.fields.empty() ? 0 : stream_.fields.back()) > 600; }

  /// Room for the length of the body that begins after the head.
  size_t begin_length() {
    const size_t at = size();
    text("00000");
    return at;
  }
  /// Writes the length of the body that lies between `body_at` and here.
  void end_length(size_t at, size_t body_at) {
    size_t length = size() - body_at;
    for (size_t i = kLengthDigits; i > 0; --i, length /= 10) {
      stream_.bytes[at + i - 1] = static_cast<uint8_t>('0' + length % 10);
    }
  }

 private:
  static constexpr size_t kLengthDigits = 5;

  std::mt19937_64& random_;
  HttpTraffic::Stream& stream_;
};

}  // namespace weir::bench
