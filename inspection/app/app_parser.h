// What the engine asks of every application parser: take the stream's bytes, show the open transactions,
// let those go that are over.
//
// One parser for each session, made with make_in() in the worker's BytePool by that protocol's own factory
// and given back through destroy(). All that it grows comes from the same pool. Worker thread; nothing here
// blocks, throws or calls malloc.
//
// The engine's loop, for the new bytes of one direction:
//
//     Advance step;
//     do {
//       step = parser.advance(direction, bytes, now_ns);
//       bytes = bytes.subspan(step.consumed);
//       ... detection inspects parser.transactions() ...
//       release_over(parser, [&](Transaction& tx) { ... events of tx; detector.forget(tx); });
//     } while (step.next == Next::again);
//
// `again` keeps windows and the list of transactions bounded: the parser stops where what it made has to be
// judged first. The loop may be left there and taken up in a later turn with the rest of the bytes: that is
// how a budget for each turn works (`work` says what a call cost). A call that says `again` has consumed or
// made something, so that the loop ends.
#pragma once

#include <cstdint>
#include <span>

#include "inspection/app/transaction.h"
#include "inspection/direction.h"

namespace weir::inspection {

/// What a parser met; the engine applies the exception policy that is configured for it. What came before
/// remains to be judged. Of the first three it has given up: such an error is reported once, after that the
/// parser takes all bytes and makes nothing. The others are ceilings: what lies beyond is not read, and it
/// goes on behind that.
enum class AppError : uint8_t {
  none,
  memory,        // the pool is at its ceiling
  transactions,  // more are open than the limits allow
  malformed,     // this cannot be the protocol: nothing that follows can be understood
  pointers,      // DNS: names follow more pointers, or grow longer by them, than the limits allow
  certificates,  // TLS: a chain has more than the limits allow
};

/// What happens to the bytes that the last call did not consume, and to those that follow.
enum class Next : uint8_t {
  more,   // all are consumed; the parser waits for the next ones
  again,  // judge what there is, then call again with the rest, even if the rest is empty
  other,  // they belong to another protocol, which begins there (CONNECT, upgrade, STARTTLS), both ways
  ended,  // nothing that follows matters to this parser (handshake over, error): the session may be bypassed
};

struct Advance {
  size_t consumed = 0;  // bytes of this call's span
  Next next = Next::more;
  AppError error = AppError::none;
  uint64_t work = 0;        // bytes that this call looked at or made (decompressed), for the budget
  bool both_moved = false;  // transactions of the other direction moved, too
  bool encrypted = false;   // with `ended`: both directions are, so that nobody can read what follows
};

class AppParser {
 public:
  virtual AppProtocol protocol() const = 0;

  /// The next bytes of the stream of that direction, in order. May be empty after Next::again.
  virtual Advance advance(Direction direction, std::span<const uint8_t> bytes, uint64_t now_ns) = 0;
  /// `size` bytes of the stream are lost for inspection.
  virtual Advance gap(Direction direction, uint64_t size, uint64_t now_ns) = 0;
  /// That direction's stream is over (FIN, RST, time-out): what is open in it becomes complete.
  virtual Advance end_of_stream(Direction direction, uint64_t now_ns) = 0;

  /// The open transactions, oldest first. Valid until the next call that is not const.
  virtual std::span<Transaction* const> transactions() = 0;
  /// Gives back every transaction for which is_over() holds. Use release_over().
  virtual void drop_over() = 0;
  /// It knows nothing that a new one would not: it may be ended, and another made when bytes come.
  virtual bool at_rest() const { return false; }
  /// Nobody can read what follows, unless both ends begin anew: who does not look for that may leave it.
  virtual bool is_secret() const { return false; }
  /// Anomalies that belong to no transaction, as bits like Transaction::app_events; for the session.
  virtual uint64_t app_events() const = 0;

  /// Ends the parser and all its transactions, and gives its memory back to the pool. The transactions'
  /// `detection` has to be forgotten before. `this` is gone then.
  virtual void destroy() = 0;

 protected:
  ~AppParser() = default;  // by destroy() alone, which knows its size
};

/// The parser has made all of it, and it is known what its files are: once it was judged and its events are
/// written, it can go.
inline bool is_over(const Transaction& transaction) {
  return transaction.is_complete() && (transaction.files_awaited[0] | transaction.files_awaited[1]) == 0;
}

/// Calls `last` for every transaction that is over, oldest first, and gives them back.
template <typename F>
void release_over(AppParser& parser, F&& last) {
  bool any = false;
  for (Transaction* const transaction : parser.transactions()) {
    if (!is_over(*transaction)) continue;
    last(*transaction);
    any = true;
  }
  if (any) parser.drop_over();
}

}  // namespace weir::inspection
