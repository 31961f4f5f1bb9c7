// HTTP/1 requests in the client's stream, byte by byte in any portions (RFC 9112).
//
// The parser keeps the head of the request under way in place, bounded; bodies are skipped by Content-Length
// or chunk. Where the framing is in doubt (both given, a tunnel, bytes that are no request), it does not
// guess: from there on, to the end of the stream, it looks at the beginning of every line for a request, so
// that nobody hides one behind a wrong length. No allocation; HttpRequest is plain memory that a pool may
// hold.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace weir::inspection {

class HttpRequest {
 public:
  static constexpr size_t kMaxLine = 8'192;   // of the request line; what is longer is cut
  static constexpr size_t kMaxHead = 16'384;  // request line and headers that are kept
  static constexpr size_t kMaxMethod = 32;

  enum class Point : uint8_t {
    none,          // all bytes are taken, nothing to judge
    request_line,  // method() and raw_uri() are complete
    headers,       // and the headers
    not_http,      // this is no HTTP/1 request stream; the parser has stopped
  };
  struct Step {
    size_t consumed = 0;
    Point point = Point::none;
  };

  /// Begins anew. `from_start`: the next byte is the first of the stream.
  void reset(bool from_start);
  /// Takes bytes, possibly none, up to the next point. Call again with the rest until `none` or `not_http`.
  Step advance(std::span<const uint8_t> bytes);
  /// Bytes were lost: looks for the next request line from here.
  void lose_track();

  bool stopped() const { return state_ == State::stopped; }
  /// A request line was seen in this stream.
  bool recognised() const { return recognised_; }

  // Of the request under way; valid from its request line on, until the next request begins.
  std::string_view method() const { return text(0, method_size_); }
  std::string_view raw_uri() const { return text(uri_begin_, uri_size_); }
  bool uri_cut() const { return line_cut_in_uri_; }
  /// The kept header lines, each "Name: value\r\n" as it came, one after the other.
  std::string_view header_lines() const { return text(headers_begin_, headers_size_); }
  bool headers_cut() const { return headers_cut_; }

 private:
  enum class State : uint8_t {
    request_line,
    headers,
    body,
    chunk_size,
    chunk_data,
    chunk_end,
    trailers,
    resync,
    stopped,
  };
  static constexpr size_t kSpill = 512;  // at the end of head_: lines that are read but not kept
  static constexpr size_t kStore = kMaxHead - kSpill;

  std::string_view text(size_t begin, size_t size) const {
    return {reinterpret_cast<const char*>(head_.data()) + begin, size};
  }
  std::string_view line() const { return text(line_begin_, line_size_); }
  void begin_line(size_t at, size_t limit);
  void begin_request(State state);
  /// Takes bytes up to and including LF into the line; true when it is complete, its CR removed.
  bool take_line(std::span<const uint8_t> bytes, size_t& consumed);
  bool plausible_start() const;
  bool cannot_be_http() const;
  bool line_is_request() const;
  bool parse_request_line();
  void parse_header();
  void keep_header();
  void next_header_line();
  Point on_request_line();
  Point begin_at_header_line();
  Point on_header_line();
  void on_chunk_size();
  Point end_of_headers();
  Point skip_body(std::span<const uint8_t> bytes, size_t& consumed);
  Point on_line();

  State state_ = State::stopped;
  bool from_start_ = false;
  bool recognised_ = false;
  bool line_cut_ = false;
  bool line_cut_in_uri_ = false;
  bool headers_cut_ = false;
  bool doubtful_ = false;         // the body's length cannot be relied on
  bool request_pending_ = false;  // the header line just read is the next request's first
  bool chunked_ = false;
  bool has_length_ = false;
  bool framing_header_ = false;  // the header line before this one told the body's length
  uint64_t body_left_ = 0;
  size_t line_begin_ = 0, line_size_ = 0, line_limit_ = 0;
  size_t method_size_ = 0, uri_begin_ = 0, uri_size_ = 0;
  size_t headers_begin_ = 0, headers_size_ = 0;
  std::array<uint8_t, kMaxHead> head_;
};

/// The URI as http.uri sees it: scheme and authority of an absolute one removed, %XX decoded once, and
/// nothing beyond. Writes at most `out.size()` bytes and returns how many.
size_t normalise_uri(std::string_view raw, std::span<uint8_t> out);

/// The values of all header lines with that name (lower case), joined by ", ". Returns the bytes written.
size_t header_values(std::string_view header_lines, std::string_view name, std::span<uint8_t> out);

/// All header lines but cookies, as http.header sees them. Returns the bytes written.
size_t headers_without_cookies(std::string_view header_lines, std::span<uint8_t> out);

/// A Host value as http.host sees it: lower case, without the port. Works in place, returns the new size.
size_t normalise_host(std::span<uint8_t> host);

}  // namespace weir::inspection
