// HTTP/1, both directions of a session, as browsers and servers read it: lenient, with every oddity told as
// an event.
//
// Use it through AppParser. The decisions are in docs/inspection.md's table of what is read how. Bounded by
// HttpLimits; all memory from the worker's BytePool. Worker thread.
#pragma once

#include <optional>

#include "inspection/app/app_parser.h"
#include "inspection/app/http/body_reader.h"
#include "inspection/app/http/limits.h"
#include "inspection/app/http/transaction.h"
#include "inspection/app/transaction_list.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

class HttpParser final : public AppParser {
 public:
  /// Null: the pool is at its ceiling. `limits` and `counters` outlive the parser; `first_tx` is the id of
  /// the session's next transaction. Worker.
  static HttpParser* make(BytePool& pool, const HttpLimits& limits, HttpCounters& counters,
                          uint64_t first_tx = 0);
  /// For make().
  HttpParser(BytePool& pool, const HttpLimits& limits, HttpCounters& counters, uint64_t first_tx) noexcept;
  HttpParser(const HttpParser&) = delete;
  HttpParser& operator=(const HttpParser&) = delete;

  AppProtocol protocol() const override { return AppProtocol::http1; }
  /// After end_of_stream() of that direction only without bytes, to go on where it said Next::again.
  Advance advance(Direction direction, std::span<const uint8_t> bytes, uint64_t now_ns) override;
  Advance gap(Direction direction, uint64_t size, uint64_t now_ns) override;
  Advance end_of_stream(Direction direction, uint64_t now_ns) override;
  /// All are HttpTransactions.
  std::span<Transaction* const> transactions() override { return list_.view(); }
  void drop_over() override { list_.drop_over(); }
  bool at_rest() const override;
  uint64_t app_events() const override { return 0; }
  void destroy() override;

 private:
  enum class State : uint8_t {
    start,         // between messages
    head,          // first line and fields
    old_protocol,  // the request line had no protocol: fields may follow all the same
    maybe_body,    // a response that should have no body, but says that it has
    body,
    body_end,  // all is read, the decoder may still have some
    trailer,
    tunnel_asked,  // CONNECT was sent: what comes next is a request or another protocol
    resync,        // after a gap: the next first line is looked for
  };
  enum class Step : uint8_t { go_on, wait, look_further, full, other, ended };

  /// One direction of the session.
  struct Lane final : http::BodySink {
    Lane(HttpParser& owner, Direction which, BytePool& pool)
        : parser(owner), direction(which), pending(pool), back(pool) {}
    size_t room() const override;
    bool append(http::Bytes bytes) override;

    HttpParser& parser;
    Direction direction;
    State state = State::start;
    bool closed = false;    // its stream is over
    bool full = false;      // the last call stopped because windows have to be judged
    bool at_line = true;    // resync, trailer: the next byte begins a line
    bool after_cr = false;  // trailer
    HttpTransaction* tx = nullptr;
    PoolBytes pending;  // bytes that have to be read (again) before those that come
    PoolBytes back;     // bytes that the step gave back
    std::optional<http::BodyReader> body;
    uint64_t skipped = 0;  // resync, trailer: bytes so far
  };

  Lane& lane(Direction direction) { return lanes_[static_cast<size_t>(direction)]; }

  Advance run(Lane& lane, http::Bytes bytes);
  bool put_back(Lane& lane);
  bool look_further(Lane& lane, http::Bytes bytes, size_t& consumed);
  Step step(Lane& lane, http::Bytes& source);
  Step fail(AppError error, EventCount& counter);
  Step no_memory() { return fail(AppError::memory, counters_.memory_refused); }
  void complete_everything();

  // In parser_messages.cpp.
  Step start_request(Lane& lane, http::Bytes& source);
  Step start_response(Lane& lane, http::Bytes& source);
  Step take_head(Lane& lane, http::Bytes& source);
  Step on_first_line(Lane& lane);
  Step on_request_head(Lane& lane);
  Step on_response_head(Lane& lane);
  Step old_protocol(Lane& lane, http::Bytes& source);
  Step maybe_body(Lane& lane, http::Bytes& source);
  Step tunnel_asked(Lane& lane, http::Bytes& source);
  Step resync(Lane& lane, http::Bytes& source);
  Step new_transaction(Lane& lane);
  HttpTransaction* waiting_for_response();
  Step complete(Lane& lane);
  void lose_track(Lane& lane);
  Step begin_other();
  Step close(Lane& lane);
  Step close_head(Lane& lane);

  // In parser_bodies.cpp.
  Step begin_body(Lane& lane, http::BodyReader::Kind kind, uint64_t length);
  Step begin_response_body(Lane& lane);
  Step take_body(Lane& lane, http::Bytes& source);
  Step finish_body(Lane& lane);
  Step end_body(Lane& lane);
  Step take_trailer(Lane& lane, http::Bytes& source);
  Step read_form(Lane& lane, bool last);
  bool on_form(Lane& lane, http::MultipartReader::Take take, bool cut);
  bool add_form_file(HttpTransaction& tx);
  bool open_file(HttpTransaction& tx, Direction direction);
  void told_by_body(Lane& lane);
  uint64_t body_limit(Direction direction) const {
    return direction == Direction::to_server ? limits_.request_body_limit : limits_.response_body_limit;
  }

  BytePool& pool_;
  const HttpLimits& limits_;
  HttpCounters& counters_;
  Lane lanes_[2];
  TransactionList<HttpTransaction> list_;
  uint64_t next_id_;
  uint64_t now_ns_ = 0;
  uint64_t work_ = 0;  // of the call under way
  AppError error_ = AppError::none;
  bool other_ = false;  // another protocol has begun
  bool ended_ = false;
};

}  // namespace weir::inspection
