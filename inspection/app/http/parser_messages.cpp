// Where requests and responses begin and end.
#include <algorithm>

#include "inspection/app/http/parser.h"

namespace weir::inspection {

using http::as_text;
using http::BodyReader;
using http::Bytes;
using http::MessageHead;

namespace {

constexpr size_t kJunkLine = 256;     // of a line before a status line that is looked over
constexpr size_t kResyncLine = 1024;  // of a line that may be a request line after a gap
constexpr std::string_view kHttp = "http";

enum class Begins : uint8_t { yes, no, too_short };

/// Whether `text` begins with `word` (lower case), as far as it goes.
Begins begins(std::string_view text, std::string_view word) {
  if (text.size() < word.size()) {
    return http::starts_nocase(word, text.substr(0, 0)) &&
                   http::equals_nocase(text, word.substr(0, text.size()))
               ? Begins::too_short
               : Begins::no;
  }
  return http::starts_nocase(text, word) ? Begins::yes : Begins::no;
}

/// "GET / HTTP/1.1": a method, and the protocol behind it.
bool is_request_line(std::string_view line) {
  const size_t space = line.find(' ');
  return space != std::string_view::npos && space > 0 && space <= 32 &&
         std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(space), http::is_token) &&
         line.find(" HTTP/1.", space) != std::string_view::npos;
}

bool is_interim(unsigned status) { return status >= 100 && status < 200 && status != 101; }

}  // namespace

HttpParser::Step HttpParser::new_transaction(Lane& lane) {
  if (list_.size() >= limits_.transactions) {
    for (size_t i = 0; i < list_.size(); ++i) {
      if (is_over(list_[i])) return Step::full;  // they go when they are judged
    }
    return fail(AppError::transactions, counters_.transactions_refused);
  }
  HttpTransaction* const tx = list_.make(pool_, limits_);
  if (tx == nullptr) return no_memory();
  tx->id = next_id_++;
  tx->start_ns_ = now_ns_;
  if (this->lane(Direction::to_client).closed) tx->side(Direction::to_client).progress = HttpStep::complete;
  lane.tx = tx;
  return Step::go_on;
}

HttpParser::Step HttpParser::start_request(Lane& lane, Bytes& source) {
  while (!source.empty() && (source.front() == '\r' || source.front() == '\n')) source = source.subspan(1);
  if (source.empty()) return Step::wait;
  const Step made = new_transaction(lane);
  if (made != Step::go_on) return made;
  lane.state = State::head;
  return Step::go_on;
}

HttpTransaction* HttpParser::waiting_for_response() {
  for (size_t i = 0; i < list_.size(); ++i) {
    HttpTransaction& tx = list_[i];
    if (tx.side(Direction::to_client).progress < HttpStep::complete) return &tx;
  }
  return nullptr;
}

/// A status line, or lines before it that browsers look over, or no head at all.
HttpParser::Step HttpParser::start_response(Lane& lane, Bytes& source) {
  while (!source.empty() && http::is_space(static_cast<char>(source.front()))) source = source.subspan(1);
  if (source.empty()) return Step::wait;
  std::string_view text = as_text(source);
  Begins status_line = begins(text, kHttp);
  if (status_line == Begins::too_short && !lane.closed) return Step::look_further;
  if (status_line != Begins::yes) {
    const size_t lf = text.substr(0, kJunkLine).find('\n');
    if (lf == std::string_view::npos && text.size() < kJunkLine && !lane.closed) return Step::look_further;
    if (lf != std::string_view::npos) {
      const Begins next = begins(text.substr(lf + 1), kHttp);
      if (next == Begins::too_short && !lane.closed) return Step::look_further;
      if (next == Begins::yes) {
        source = source.subspan(lf + 1);
        return Step::go_on;
      }
    }
  }
  lane.tx = waiting_for_response();
  if (lane.tx == nullptr) {
    const Step made = new_transaction(lane);
    if (made != Step::go_on) return made;
    lane.tx->raise(HttpEvent::unable_to_match_response);
    lane.tx->side(Direction::to_server).progress = HttpStep::complete;
  }
  ++counters_.responses;
  Lane& requests = this->lane(Direction::to_server);
  if (requests.tx == lane.tx && requests.state == State::old_protocol) complete(requests);
  if (status_line == Begins::yes) {
    lane.state = State::head;
    return Step::go_on;
  }
  // HTTP/0.9, or something that a browser shows as if it were.
  if (!lane.tx->old_protocol_) lane.tx->raise(HttpEvent::response_invalid_protocol);
  return begin_body(lane, BodyReader::Kind::until_close, 0);
}

HttpParser::Step HttpParser::take_head(Lane& lane, Bytes& source) {
  MessageHead& head = lane.tx->side(lane.direction).head;
  const MessageHead::Take take = head.take(source, limits_);
  switch (take) {
    case MessageHead::Take::more:
      return Step::wait;
    case MessageHead::Take::first_line:
      return on_first_line(lane);
    case MessageHead::Take::body_early:
      if (!lane.back.append(head.early_body())) return no_memory();
      head.drop_early_body();
      break;
    case MessageHead::Take::end:
      break;
    case MessageHead::Take::too_long:
      lane.tx->raise(lane.direction, HttpEvent::request_field_too_long, HttpEvent::response_field_too_long);
      return fail(AppError::malformed, counters_.heads_too_long);
    case MessageHead::Take::too_many:
      lane.tx->raise(lane.direction, HttpEvent::request_too_many_headers,
                     HttpEvent::response_too_many_headers);
      return fail(AppError::malformed, counters_.heads_too_long);
    case MessageHead::Take::no_memory:
      return no_memory();
  }
  return lane.direction == Direction::to_server ? on_request_head(lane) : on_response_head(lane);
}

HttpParser::Step HttpParser::on_first_line(Lane& lane) {
  HttpTransaction& tx = *lane.tx;
  if (lane.direction == Direction::to_server) {
    ++counters_.requests;
    tx.parse_request_line();
    tx.side(Direction::to_server).progress = HttpStep::line;
    if (tx.old_protocol_) lane.state = State::old_protocol;
    return Step::go_on;
  }
  tx.parse_response_line();
  // Of an interim response nothing is shown: the one that counts follows.
  if (!is_interim(tx.status_)) tx.side(Direction::to_client).progress = HttpStep::line;
  return Step::go_on;
}

/// After a request line without protocol: any byte before the response means that it was only left out.
HttpParser::Step HttpParser::old_protocol(Lane& lane, Bytes& source) {
  if (source.empty()) return Step::wait;
  if (!lane.tx->method().empty()) lane.tx->raise(HttpEvent::request_line_missing_protocol);
  lane.tx->old_protocol_ = false;
  lane.state = State::head;
  return Step::go_on;
}

HttpParser::Step HttpParser::on_request_head(Lane& lane) {
  HttpTransaction& tx = *lane.tx;
  HttpTransaction::Side& side = tx.side(Direction::to_server);
  tx.check_request();
  side.progress = HttpStep::headers;
  const http::Framing& framing = side.head.framing();
  if (framing.coding_refused) ++counters_.decode_refused;
  if (http::starts_nocase(tx.field(Direction::to_server, "content-type"), "multipart/form-data")) {
    tx.form_ = make_in<HttpTransaction::Form>(pool_, pool_);
    if (tx.form_ == nullptr || !tx.form_->reader.begin(tx.field(Direction::to_server, "content-type"))) {
      return no_memory();
    }
    if (!tx.form_->reader.usable()) {
      tx.raise(HttpEvent::multipart_generic_error);
      destroy_in(pool_, std::exchange(tx.form_, nullptr));
    }
  }
  if (framing.chunked) return begin_body(lane, BodyReader::Kind::chunked, 0);
  if (framing.has_length && framing.length > 0)
    return begin_body(lane, BodyReader::Kind::length, framing.length);
  return complete(lane);
}

HttpParser::Step HttpParser::on_response_head(Lane& lane) {
  HttpTransaction& tx = *lane.tx;
  HttpTransaction::Side& side = tx.side(Direction::to_client);
  const http::Framing& framing = side.head.framing();
  const bool says_body = framing.chunked || (framing.has_length && framing.length > 0);
  if (is_interim(tx.status_) && !says_body) {
    if (tx.status_ == 100 && std::exchange(tx.continue_seen_, true))
      tx.raise(HttpEvent::continue_already_seen);
    side.head = MessageHead(pool_, Direction::to_client);
    tx.has_response_ = false;
    lane.tx = nullptr;
    lane.state = State::start;
    return Step::go_on;
  }
  tx.check_fields(Direction::to_client);
  side.progress = HttpStep::headers;
  if (framing.coding_refused) ++counters_.decode_refused;
  if ((tx.status_ == 101 && !says_body) || (tx.is_connect_ && tx.status_ >= 200 && tx.status_ < 300)) {
    if (tx.status_ == 101 && tx.has_request_ && !tx.side(Direction::to_server).head.has("upgrade")) {
      tx.raise(HttpEvent::failed_protocol_change);
    }
    side.progress = HttpStep::complete;
    lane.tx = nullptr;
    return begin_other();
  }
  if (tx.is_head_) return complete(lane);
  if (tx.status_ == 204 || tx.status_ == 304) {
    if (!says_body) return complete(lane);
    lane.state = State::maybe_body;
    return Step::go_on;
  }
  return begin_response_body(lane);
}

/// A 204 or 304 that says it has a body: some receivers read it, and then it does not begin like a response.
HttpParser::Step HttpParser::maybe_body(Lane& lane, Bytes& source) {
  if (source.empty()) return Step::wait;
  const Begins next = begins(as_text(source), kHttp);
  if (next == Begins::too_short && !lane.closed) return Step::look_further;
  return next == Begins::yes ? complete(lane) : begin_response_body(lane);
}

/// After CONNECT: if a request follows, the proxy has not agreed.
HttpParser::Step HttpParser::tunnel_asked(Lane& lane, Bytes& source) {
  if (source.empty()) return Step::wait;
  const char first = static_cast<char>(source.front());
  if (first != '\r' && first != '\n' && !(first >= 'A' && first <= 'Z')) return begin_other();
  lane.state = State::start;
  return Step::go_on;
}

/// What follows in both directions is no HTTP/1.
HttpParser::Step HttpParser::begin_other() {
  ++counters_.tunnels;
  other_ = true;
  for (size_t i = 0; i < list_.size(); ++i) {
    for (const Direction direction : {Direction::to_server, Direction::to_client}) {
      list_[i].side(direction).progress = HttpStep::complete;
    }
  }
  for (Lane& lane : lanes_) lane.tx = nullptr;
  return Step::other;
}

/// The message under way in that direction is whole.
HttpParser::Step HttpParser::complete(Lane& lane) {
  HttpTransaction& tx = *std::exchange(lane.tx, nullptr);
  tx.side(lane.direction).progress = HttpStep::complete;
  lane.body.reset();
  lane.state = lane.direction == Direction::to_server && tx.is_connect_ ? State::tunnel_asked : State::start;
  return Step::go_on;
}

/// Bytes are missing where they had to be understood.
void HttpParser::lose_track(Lane& lane) {
  if (lane.tx != nullptr) {
    lane.tx->close_file(lane.direction, true);
    complete(lane);
  }
  if (lane.direction == Direction::to_client) {
    // Which request the next response answers cannot be known: the newest is the best guess.
    for (size_t i = 0; i + 1 < list_.size(); ++i) {
      list_[i].side(Direction::to_client).progress = HttpStep::complete;
    }
  }
  lane.pending.reset();
  lane.state = State::resync;
  lane.at_line = false;
  lane.skipped = 0;
}

HttpParser::Step HttpParser::resync(Lane& lane, Bytes& source) {
  if (source.empty()) return Step::wait;
  const std::string_view text = as_text(source);
  const size_t lf = text.substr(0, kResyncLine).find('\n');
  if (lane.skipped == 0 || lane.at_line) {
    const bool request = lane.direction == Direction::to_server;
    if (lf == std::string_view::npos && text.size() < kResyncLine && !lane.closed) return Step::look_further;
    const std::string_view line = text.substr(0, lf);
    if (request ? is_request_line(line) : line.starts_with("HTTP/1.")) {
      lane.state = State::start;
      return Step::go_on;
    }
  }
  const size_t size = lf == std::string_view::npos ? std::min(text.size(), kResyncLine) : lf + 1;
  lane.at_line = lf != std::string_view::npos;
  lane.skipped += size;
  source = source.subspan(size);
  if (lane.skipped <= limits_.message_gap) return Step::go_on;
  complete_everything();
  ended_ = true;
  return Step::ended;
}

HttpParser::Step HttpParser::close_head(Lane& lane) {
  HttpTransaction& tx = *lane.tx;
  MessageHead& head = tx.side(lane.direction).head;
  const bool had_line = lane.direction == Direction::to_server ? tx.has_request_ : tx.has_response_;
  if (head.finish(limits_) == MessageHead::Take::no_memory) return no_memory();
  if (!had_line) on_first_line(lane);
  if (lane.direction == Direction::to_server) {
    tx.check_request();
  } else {
    tx.check_fields(Direction::to_client);
  }
  return complete(lane);
}

/// The stream is over and all its bytes are read. go_on: something is left to do.
HttpParser::Step HttpParser::close(Lane& lane) {
  switch (lane.state) {
    case State::head:
      return close_head(lane);
    case State::old_protocol:
    case State::maybe_body:
    case State::trailer:
      return complete(lane);
    case State::body:
      lane.state = State::body_end;
      return Step::go_on;
    case State::start:
    case State::body_end:
    case State::tunnel_asked:
    case State::resync:
      break;
  }
  if (lane.direction == Direction::to_client) {
    for (size_t i = 0; i < list_.size(); ++i)
      list_[i].side(Direction::to_client).progress = HttpStep::complete;
  }
  return Step::wait;
}

}  // namespace weir::inspection
