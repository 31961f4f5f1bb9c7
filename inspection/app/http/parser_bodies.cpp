// Bodies of requests and responses, and the files in them.
#include <algorithm>

#include "inspection/app/http/parser.h"

namespace weir::inspection {

using http::BodyReader;
using http::BodyWindow;
using http::Bytes;
using http::MultipartReader;

size_t HttpParser::Lane::room() const {
  // The form's reader goes through the same window and must not be left behind.
  if (direction == Direction::to_server && tx->form_ != nullptr &&
      (tx->form_->read < tx->side(direction).body.total() || !tx->form_->data.empty())) {
    return 0;
  }
  return tx->side(direction).body.room(parser.limits_);
}

bool HttpParser::Lane::append(Bytes bytes) {
  if (!tx->side(direction).body.append(bytes, parser.limits_)) return false;
  if (direction == Direction::to_server && tx->form_ != nullptr) return true;  // its files are in it
  if (!parser.open_file(*tx, direction)) return false;
  tx->add_to_file(direction, bytes);
  return true;
}

/// The file that the whole body is.
bool HttpParser::open_file(HttpTransaction& tx, Direction direction) {
  if (tx.file_count(direction) > 0) return true;
  if (direction == Direction::to_server) {
    return (tx.method() != "POST" && tx.method() != "PUT") || tx.add_file_of_path(Direction::to_server);
  }
  return (!tx.has_request_ && !tx.has_response_) || tx.name_response_file();
}

HttpParser::Step HttpParser::begin_body(Lane& lane, BodyReader::Kind kind, uint64_t length) {
  const http::Framing& framing = lane.tx->side(lane.direction).head.framing();
  lane.body.emplace(pool_);
  if (!lane.body->begin(kind, length, std::min<size_t>(framing.codings, limits_.decode_layers)))
    return no_memory();
  if (framing.codings == 0) lane.tx->side(lane.direction).body.expect(length);
  lane.state = State::body;
  lane.tx->side(lane.direction).progress = HttpStep::body;
  return Step::go_on;
}

HttpParser::Step HttpParser::begin_response_body(Lane& lane) {
  const http::Framing& framing = lane.tx->side(Direction::to_client).head.framing();
  if (framing.chunked) return begin_body(lane, BodyReader::Kind::chunked, 0);
  if (!framing.has_length) return begin_body(lane, BodyReader::Kind::until_close, 0);
  if (framing.length == 0) return complete(lane);
  return begin_body(lane, BodyReader::Kind::length, framing.length);
}

/// Events of the body so far, and what the counters say.
void HttpParser::told_by_body(Lane& lane) {
  HttpTransaction& tx = *lane.tx;
  const BodyReader& body = *lane.body;
  if (body.invalid_chunk()) {
    tx.raise(lane.direction, HttpEvent::invalid_request_chunk_len, HttpEvent::invalid_response_chunk_len);
  }
  if (body.chunk_extension()) {
    tx.raise(lane.direction, HttpEvent::request_chunk_extension, HttpEvent::response_chunk_extension);
  }
  if (body.decode_failed() && (tx.app_events & bit_of(HttpEvent::decompression_failed)) == 0) {
    tx.raise(HttpEvent::decompression_failed);
    ++counters_.decode_failed;
  }
  if (body.bomb() && (tx.app_events & bit_of(HttpEvent::compression_bomb)) == 0) {
    tx.raise(HttpEvent::compression_bomb);
    ++counters_.decode_bombs;
  }
  HttpTransaction::Side& side = tx.side(lane.direction);
  counters_.body_bytes += body.raw_bytes() - side.raw_bytes;
  side.raw_bytes = body.raw_bytes();
  counters_.decoded_bytes += body.decoder_made() - side.decoder_made;
  side.decoder_made = body.decoder_made();
}

HttpParser::Step HttpParser::take_body(Lane& lane, Bytes& source) {
  if (const Step step = read_form(lane, false); step != Step::go_on) return step;
  const uint64_t allowance =
      std::max<uint64_t>(limits_.work_per_call - std::min(work_, limits_.work_per_call), 1);
  const size_t before = source.size();
  const BodyReader::Take take = lane.body->take(source, lane, limits_, body_limit(lane.direction), allowance);
  const uint64_t used = before - source.size();
  // The caller counts what was consumed.
  work_ += lane.body->work() - std::min(lane.body->work(), used);
  told_by_body(lane);
  if (take == BodyReader::Take::no_memory) return no_memory();
  if (const Step step = read_form(lane, false); step != Step::go_on) return step;
  switch (take) {
    case BodyReader::Take::more:
      return Step::wait;
    case BodyReader::Take::full: {
      // With a form, what stopped it may be its reader, which has caught up since.
      const bool form = lane.direction == Direction::to_server && lane.tx->form_ != nullptr;
      const bool stuck = lane.room() == 0 || work_ + used >= limits_.work_per_call || !form;
      return stuck ? Step::full : Step::go_on;
    }
    case BodyReader::Take::done:
      lane.state = State::body_end;
      return Step::go_on;
    case BodyReader::Take::last_chunk:
      lane.state = State::body_end;
      return Step::go_on;
    case BodyReader::Take::unread: {
      if (!lane.back.append(lane.body->unread())) return no_memory();
      const http::Framing& framing = lane.tx->side(lane.direction).head.framing();
      const bool to_server = lane.direction == Direction::to_server;
      if (framing.has_length) {
        lane.body->go_on_as(BodyReader::Kind::length, framing.length);
      } else {
        lane.body->go_on_as(to_server ? BodyReader::Kind::none : BodyReader::Kind::until_close, 0);
      }
      return Step::go_on;
    }
    case BodyReader::Take::no_memory:
      break;
  }
  return no_memory();
}

/// All bytes of the body are read: what the decoder still has, and what the form's reader has not seen.
HttpParser::Step HttpParser::finish_body(Lane& lane) {
  if (const Step step = read_form(lane, false); step != Step::go_on) return step;
  const uint64_t allowance =
      std::max<uint64_t>(limits_.work_per_call - std::min(work_, limits_.work_per_call), 1);
  const BodyReader::Take take = lane.body->finish(lane, limits_, body_limit(lane.direction), allowance);
  work_ += lane.body->work();
  told_by_body(lane);
  if (take == BodyReader::Take::no_memory) return no_memory();
  if (const Step step = read_form(lane, take != BodyReader::Take::full); step != Step::go_on) return step;
  if (take == BodyReader::Take::full) {
    return lane.room() == 0 || work_ >= limits_.work_per_call ? Step::full : Step::go_on;
  }
  return end_body(lane);
}

HttpParser::Step HttpParser::end_body(Lane& lane) {
  HttpTransaction& tx = *lane.tx;
  HttpTransaction::Side& side = tx.side(lane.direction);
  const bool cut = lane.body->beyond_limit() || lane.body->truncated();
  if (lane.direction == Direction::to_client || tx.form_ == nullptr) tx.close_file(lane.direction, cut);
  side.body.complete();
  if (lane.body->kind() != BodyReader::Kind::chunked || lane.closed) return complete(lane);
  side.progress = HttpStep::trailer;
  lane.state = State::trailer;
  lane.at_line = true;
  lane.after_cr = false;
  lane.skipped = 0;
  return Step::go_on;
}

/// Fields behind the last chunk, up to an empty line. They say nothing about framing and are looked over.
HttpParser::Step HttpParser::take_trailer(Lane& lane, Bytes& source) {
  while (!source.empty()) {
    const uint8_t c = source.front();
    if (lane.at_line && lane.after_cr && c != '\n') {  // CR alone: the trailer ended there
      return complete(lane);
    }
    source = source.subspan(1);
    if (c == '\n' && lane.at_line) return complete(lane);
    lane.after_cr = lane.at_line && c == '\r';
    lane.at_line = lane.after_cr || c == '\n';
    if (++lane.skipped > limits_.head_bytes) {
      lane.tx->raise(lane.direction, HttpEvent::request_field_too_long, HttpEvent::response_field_too_long);
      return fail(AppError::malformed, counters_.heads_too_long);
    }
  }
  return Step::wait;
}

/// What the form's reader told. False: the pool is at its ceiling.
bool HttpParser::on_form(Lane& lane, MultipartReader::Take take, bool cut) {
  HttpTransaction& tx = *lane.tx;
  HttpTransaction::Form& form = *tx.form_;
  switch (take) {
    case MultipartReader::Take::file_begin:
      if (form.has_file && form.window.total() > 0) {
        form.next_file = true;  // the one before has to be judged first
        return true;
      }
      form.has_file = true;
      form.window.reset();
      return add_form_file(tx);
    case MultipartReader::Take::file_end:
      if (form.window.total() == 0) tx.raise(HttpEvent::multipart_no_filedata);
      form.window.complete();
      tx.close_file(Direction::to_server, cut);
      return true;
    case MultipartReader::Take::data:
    case MultipartReader::Take::more:
      return true;
    case MultipartReader::Take::no_memory:
      return false;
  }
  return false;
}

bool HttpParser::add_form_file(HttpTransaction& tx) {
  if (tx.file_count(Direction::to_server) >= limits_.multipart_files) {
    tx.raise(HttpEvent::multipart_generic_error);
    return true;
  }
  return tx.add_file(Direction::to_server, tx.form_->reader.file_name());
}

/// Lets the form's reader catch up with the body. full: a file's window has to be judged first.
HttpParser::Step HttpParser::read_form(Lane& lane, bool last) {
  if (lane.direction != Direction::to_server || lane.tx->form_ == nullptr) return Step::go_on;
  HttpTransaction& tx = *lane.tx;
  HttpTransaction::Form& form = *tx.form_;
  const BodyWindow& body = tx.side(Direction::to_server).body;
  if (std::exchange(form.next_file, false)) {
    form.window.reset();
    if (!add_form_file(tx)) return no_memory();
  }
  for (;;) {
    if (!form.data.empty()) {
      const size_t size = std::min(form.data.size(), form.window.room(limits_));
      if (size == 0) return Step::full;
      if (!form.window.append(form.data.first(size), limits_)) return no_memory();
      tx.add_to_file(Direction::to_server, form.data.first(size));
      form.data = form.data.subspan(size);
      work_ += size;
      continue;
    }
    Bytes rest = body.from(form.read);
    const size_t before = rest.size();
    const MultipartReader::Take take = form.reader.take(rest);
    form.read += before - rest.size();
    if (take == MultipartReader::Take::data) form.data = form.reader.data();
    if (!on_form(lane, take, false)) return no_memory();
    if (form.next_file) return Step::full;
    if (take == MultipartReader::Take::more) break;
  }
  if (last) {
    on_form(lane, form.reader.finish(), lane.body->beyond_limit() || lane.body->truncated());
    if (form.reader.bad_header()) tx.raise(HttpEvent::multipart_invalid_header);
    if (form.reader.incomplete()) tx.raise(HttpEvent::multipart_generic_error);
  }
  return Step::go_on;
}

}  // namespace weir::inspection
