// The sessions of one worker: two keys each, found through cache-line buckets; expiry by a timing wheel.
//
// All memory is allocated by create(). Belongs to one worker; no other thread touches it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "dataplane/net/result.h"
#include "dataplane/session/session.h"

namespace weir::dataplane {

class SessionTable {
 public:
  /// Room for `capacity` sessions; `now` starts the timing wheel. Fails with `exhausted` if memory is not to be had.
  static Result<std::unique_ptr<SessionTable>> create(uint32_t capacity, Tick now);
  ~SessionTable();
  /// What create(capacity) allocates, for `weir check` and the start-up log.
  static size_t bytes_for(uint32_t capacity);

  struct Hit {
    SessionIndex index = kNoSession;
    Direction direction = Direction::forward;
    explicit operator bool() const { return index != kNoSession; }
  };
  /// First pass over a burst: asks for the index line.
  void prefetch_bucket(uint32_t hash) const;
  /// Second pass: asks for the session lines whose tag matches in the (now cached) bucket.
  void prefetch_session(uint32_t hash) const;
  Hit find(const Key4& key, uint32_t hash) const;
  Hit find(const Key6& key, uint32_t hash) const;

  /// Takes a free session, enters both keys, and fills the fields that the keys hold, start_ns and hash; the rest is as in a
  /// default-constructed Session. The caller then fills it and arms it. kNoSession: full, or a key is taken already.
  SessionIndex insert(const Key4& forward, const Key4& reverse, NanoTime now);
  SessionIndex insert(const Key6& forward, const Key6& reverse, NanoTime now);
  /// Takes it out of index and wheel and frees it.
  void remove(SessionIndex index);

  Session& at(SessionIndex index);
  SessionCold& cold(SessionIndex index);
  const Session& at(SessionIndex index) const;
  const SessionCold& cold(SessionIndex index) const;
  bool in_use(SessionIndex index) const { return at(index).state != SessionState::free; }
  /// Its key in the given direction (family must fit).
  Key4 key4(SessionIndex index, Direction direction) const;
  Key6 key6(SessionIndex index, Direction direction) const;
  /// The initiator's tuple.
  Tuple tuple(SessionIndex index) const;

  uint32_t size() const;
  uint32_t capacity() const;

  /// Sets or moves the session's timer to fire `after` ticks from `now` (at least one, at most the wheel's span, after which it fires
  /// early and the caller re-arms it). Needed when a time-out gets shorter; when a packet merely
  /// arrives the timer is left alone and re-armed lazily when it fires.
  void arm(SessionIndex index, Tick now, uint32_t after);
  /// Advances the wheel to `now` and calls `fire(index)` for up to `budget` timers that are due; their timers are off
  /// then. fire() re-arms or removes. Returns how many fired; what is over the budget fires on the next call.
  template <typename Fire>
  uint32_t expire(Tick now, uint32_t budget, Fire&& fire) {
    uint32_t fired = 0;
    for (SessionIndex i; fired < budget && (i = next_due(now)) != kNoSession; ++fired) fire(i);
    return fired;
  }

 private:
  SessionTable() = default;
  /// Unlinks and returns one due session, or kNoSession.
  SessionIndex next_due(Tick now);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::dataplane
