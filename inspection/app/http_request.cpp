#include "inspection/app/http_request.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "inspection/app/http_text.h"

namespace weir::inspection {

namespace {

constexpr std::array<std::string_view, 9> kMethods = {"GET",     "POST",  "HEAD",    "PUT",  "DELETE",
                                                      "OPTIONS", "TRACE", "CONNECT", "PATCH"};

bool is_known_method(std::string_view method) {
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

}  // namespace

void HttpRequest::reset(bool from_start) {
  recognised_ = false;
  from_start_ = from_start;
  begin_request(from_start ? State::request_line : State::resync);
}

void HttpRequest::lose_track() {
  if (state_ != State::stopped) begin_request(State::resync);
}

void HttpRequest::begin_line(size_t at, size_t limit) {
  line_begin_ = at;
  line_limit_ = limit;
  line_size_ = 0;
  line_cut_ = false;
}

void HttpRequest::begin_request(State state) {
  state_ = state;
  request_pending_ = false;
  // Once in doubt, always in doubt: what looks like a request may be the body of another, and its length a
  // lie.
  doubtful_ = state == State::resync;
  chunked_ = has_length_ = framing_header_ = headers_cut_ = line_cut_in_uri_ = false;
  body_left_ = 0;
  method_size_ = uri_size_ = headers_size_ = 0;
  begin_line(0, kMaxLine);
}

bool HttpRequest::take_line(std::span<const uint8_t> bytes, size_t& consumed) {
  const void* found = std::memchr(bytes.data(), '\n', bytes.size());
  const size_t size = found == nullptr
                          ? bytes.size()
                          : static_cast<size_t>(static_cast<const uint8_t*>(found) - bytes.data());
  consumed = found == nullptr ? size : size + 1;
  // A header that does not fit into what is kept moves to the spill, as long as it may still be one that
  // tells the body's length.
  const bool overflows = line_size_ + size > line_limit_;
  if (overflows && state_ == State::headers && line_begin_ < kStore && line_size_ <= kSpill / 2) {
    std::memmove(head_.data() + kStore, head_.data() + line_begin_, line_size_);
    line_begin_ = kStore;
    line_limit_ = kSpill;
    headers_cut_ = true;
  }
  const size_t taken = std::min(size, line_limit_ - line_size_);
  std::memcpy(head_.data() + line_begin_ + line_size_, bytes.data(), taken);
  line_size_ += taken;
  line_cut_ |= taken < size;
  if (found == nullptr) return false;
  if (!line_cut_ && line_size_ > 0 && head_[line_begin_ + line_size_ - 1] == '\r') --line_size_;
  return true;
}

/// Whether the line so far can be the beginning of a request: up to kMaxMethod token characters, then a
/// blank.
bool HttpRequest::plausible_start() const {
  const std::string_view so_far = line();
  for (size_t i = 0; i < so_far.size(); ++i) {
    if (so_far[i] == ' ' || so_far[i] == '\t') return i > 0;
    if (so_far[i] == '\r') return i == 0;
    if (!is_token_char(so_far[i]) || i == kMaxMethod) return false;
  }
  return true;
}

/// Whether the first line, as far as it is there, shows that this is another protocol.
bool HttpRequest::cannot_be_http() const {
  const std::string_view so_far = line();
  if (so_far.starts_with("PRI * HTTP/2")) return true;
  for (const char c : so_far) {
    if (c == ' ' || c == '\t' || c == '\r') return false;
    if (!is_token_char(c)) return true;
  }
  return false;
}

/// Whether the line reads METHOD ... HTTP/1.x, as no header does: a name has no blank before its colon.
bool HttpRequest::line_is_request() const {
  const std::string_view whole = trim(line());
  const size_t blank = whole.find_last_of(" \t");
  return blank != std::string_view::npos && line().front() == whole.front() && plausible_start() &&
         (line_cut_ || whole.substr(blank + 1).starts_with("HTTP/1."));
}

/// METHOD SP+ URI [SP+ VERSION] [SP+]. Without a version only a known method makes it a request (HTTP/0.9, or
/// cut).
bool HttpRequest::parse_request_line() {
  std::string_view whole = line();
  whole = whole.substr(0, whole.find_last_not_of(" \t") + 1);
  const size_t method_end = whole.find_first_of(" \t");
  if (method_end == std::string_view::npos || !plausible_start()) return false;
  const size_t uri_begin = whole.find_first_not_of(" \t", method_end);
  if (uri_begin == std::string_view::npos) return false;
  size_t uri_end = whole.size();
  bool version = false;
  if (const size_t blank = whole.find_last_of(" \t"); !line_cut_ && blank > uri_begin) {
    version = whole.substr(blank + 1).starts_with("HTTP/1.");
    if (whole.substr(blank + 1).starts_with("HTTP/2")) return false;  // the preface of HTTP/2
    if (version) uri_end = whole.find_last_not_of(" \t", blank) + 1;
  }
  if (!version && !is_known_method(whole.substr(0, method_end))) return false;
  method_size_ = method_end;
  uri_begin_ = uri_begin;
  uri_size_ = uri_end - uri_begin;
  line_cut_in_uri_ = line_cut_;
  return true;
}

HttpRequest::Point HttpRequest::on_request_line() {
  if (line_size_ == 0 && state_ == State::request_line) {  // empty lines before a request (RFC 9112, 2.2)
    begin_line(0, kMaxLine);
    return Point::none;
  }
  if (!parse_request_line()) {
    if (state_ == State::request_line && from_start_ && !recognised_ && cannot_be_http()) {
      state_ = State::stopped;
      return Point::not_http;
    }
    begin_request(State::resync);
    return Point::none;
  }
  recognised_ = true;
  headers_begin_ = line_size_;
  headers_size_ = 0;
  state_ = State::headers;
  doubtful_ |= method() == "CONNECT";
  next_header_line();
  return Point::request_line;
}

void HttpRequest::next_header_line() {
  const size_t at = headers_begin_ + headers_size_;
  // Two bytes are kept free for the line's end.
  if (headers_cut_ || at + 2 >= kStore) {
    headers_cut_ = true;
    begin_line(kStore, kSpill);
  } else {
    begin_line(at, kStore - 2 - at);
  }
}

void HttpRequest::keep_header() {
  if (line_begin_ >= kStore) return;
  head_[line_begin_ + line_size_] = '\r';
  head_[line_begin_ + line_size_ + 1] = '\n';
  headers_size_ += line_size_ + 2;
  headers_cut_ |= line_cut_;
}

/// What tells the body's length. Whatever a server might read in another way makes it doubtful.
void HttpRequest::parse_header() {
  const std::string_view whole = line();
  const bool folded = !whole.empty() && (whole.front() == ' ' || whole.front() == '\t');
  if (folded) {
    doubtful_ |= framing_header_;
    return;
  }
  const size_t colon = whole.find(':');
  const std::string_view name = trim(whole.substr(0, colon));
  const std::string_view value = colon == std::string_view::npos ? "" : trim(whole.substr(colon + 1));
  framing_header_ = false;
  if (equals_nocase(name, "content-length")) {
    uint64_t length = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
    const bool valid = error == std::errc{} && end == value.data() + value.size() && !line_cut_;
    doubtful_ |= !valid || has_length_ || chunked_;
    has_length_ = framing_header_ = true;
    body_left_ = length;
  } else if (equals_nocase(name, "transfer-encoding")) {
    doubtful_ |= !equals_nocase(value, "chunked") || has_length_ || chunked_ || line_cut_;
    chunked_ = framing_header_ = true;
  } else if (equals_nocase(name, "upgrade")) {
    doubtful_ = true;
  }
}

HttpRequest::Point HttpRequest::end_of_headers() {
  if (doubtful_) {
    state_ = State::resync;
  } else if (chunked_) {
    state_ = State::chunk_size;
  } else if (body_left_ > 0) {
    state_ = State::body;
    return Point::headers;
  } else {
    state_ = State::request_line;
  }
  // The head stays as it is until the next line is complete; lines of the body go to the spill.
  begin_line(kStore, kSpill);
  return Point::headers;
}

/// In doubt, a header line that reads as a request may be one: the head before it was somebody's body.
HttpRequest::Point HttpRequest::begin_at_header_line() {
  const size_t at = line_begin_, size = line_size_;
  const bool cut = line_cut_;
  begin_request(State::resync);
  std::memmove(head_.data(), head_.data() + at, size);
  line_size_ = size;
  line_cut_ = cut;
  return on_request_line();
}

HttpRequest::Point HttpRequest::on_header_line() {
  if (line_size_ == 0 && !line_cut_) return end_of_headers();
  if (doubtful_ && line_is_request()) {
    request_pending_ = true;  // first the one before it is judged by the headers that it has
    return Point::headers;
  }
  parse_header();
  keep_header();
  next_header_line();
  return Point::none;
}

void HttpRequest::on_chunk_size() {
  const std::string_view whole = trim(line().substr(0, line().find(';')));
  uint64_t size = 0;
  const auto [end, error] = std::from_chars(whole.data(), whole.data() + whole.size(), size, 16);
  if (whole.empty() || error != std::errc{} || end != whole.data() + whole.size() || line_cut_) {
    begin_request(State::resync);
    return;
  }
  body_left_ = size;
  state_ = size == 0 ? State::trailers : State::chunk_data;
  begin_line(kStore, kSpill);
}

HttpRequest::Point HttpRequest::skip_body(std::span<const uint8_t> bytes, size_t& consumed) {
  consumed = static_cast<size_t>(std::min<uint64_t>(body_left_, bytes.size()));
  body_left_ -= consumed;
  if (body_left_ > 0) return Point::none;
  if (state_ == State::chunk_data) {
    state_ = State::chunk_end;
    begin_line(kStore, kSpill);
  } else {
    begin_request(State::request_line);
  }
  return Point::none;
}

/// The line under way is complete.
HttpRequest::Point HttpRequest::on_line() {
  switch (state_) {
    case State::request_line:
    case State::resync:
      return on_request_line();
    case State::headers:
      return on_header_line();
    case State::chunk_size:
      on_chunk_size();
      return Point::none;
    case State::chunk_end:
      if (line_size_ != 0) {
        begin_request(State::resync);
      } else {
        state_ = State::chunk_size;
        begin_line(kStore, kSpill);
      }
      return Point::none;
    case State::trailers:
      if (line_size_ == 0) {
        begin_request(State::request_line);
      } else {
        begin_line(kStore, kSpill);
      }
      return Point::none;
    case State::body:
    case State::chunk_data:
    case State::stopped:
      break;
  }
  return Point::none;
}

HttpRequest::Step HttpRequest::advance(std::span<const uint8_t> bytes) {
  Step step;
  if (request_pending_ && !bytes.empty()) {
    request_pending_ = false;
    step.point = begin_at_header_line();
  }
  while (step.consumed < bytes.size() && step.point == Point::none && state_ != State::stopped) {
    const auto rest = bytes.subspan(step.consumed);
    size_t consumed = 0;
    if (state_ == State::body || state_ == State::chunk_data) {
      step.point = skip_body(rest, consumed);
    } else {
      if (state_ == State::request_line && line_begin_ != 0) begin_request(State::request_line);
      if (state_ == State::resync && line_begin_ != 0) begin_request(State::resync);
      const bool complete = take_line(rest, consumed);
      if (complete) {
        step.point = on_line();
      } else if (state_ == State::request_line && from_start_ && !recognised_ && cannot_be_http()) {
        state_ = State::stopped;
        step.point = Point::not_http;
      }
    }
    step.consumed += consumed;
  }
  if (state_ == State::stopped) step = {bytes.size(), Point::not_http};
  return step;
}

}  // namespace weir::inspection
