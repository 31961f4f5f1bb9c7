// Where a message's body ends and how it is coded: what its fields say, read as the most lenient receiver
// would (RFC 9112 6). Pure.
//
// Receivers disagree about odd spellings ("Transfer-Encoding : x,chunked", a NUL in the name, a field that
// hides behind a bare CR). This takes every claim that any of them takes; the body's reader checks the claim
// against the body's first bytes and goes back to the plain reading where they do not bear it out.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weir::inspection::http {

struct Framing {
  static constexpr size_t kMaxCodings = 8;

  bool chunked = false;
  bool chunked_odd = false;  // not spelt "chunked", or said by something that is no proper field
  bool has_length = false;
  bool length_invalid = false;     // a value without a number, or with more than one
  bool length_repeated = false;    // more than one field
  bool lengths_differ = false;     // and not of one mind: the greatest counts
  bool encoding_abnormal = false;  // a word in Content-Encoding that is no coding
  bool coding_refused = false;     // a coding that is not decoded here: br, zstd, lzma ...
  uint64_t length = 0;
  uint8_t codings = 0;  // gzip or deflate, how often: each body is asked which it is

  /// Whether field() could make something of that name: neither the shortest of those that count nor a longer
  /// one with marks in it is shorter than this, and nearly all others are.
  static constexpr bool may_say(std::string_view name) {
    return name.size() >= std::string_view("content-length").size();
  }
  /// A field as it is, or what may pass for one (`odd`): a line that goes on with the one before, text behind
  /// a bare CR. Odd text never tells a length.
  void field(std::string_view name, std::string_view value, bool odd);
  /// The same for text that may hold "name: value".
  void odd_line(std::string_view line);

 private:
  void content_length(std::string_view value);
  void transfer_encoding(std::string_view value, bool odd);
  void content_encoding(std::string_view value);
  bool coding(std::string_view word);
};

}  // namespace weir::inspection::http
