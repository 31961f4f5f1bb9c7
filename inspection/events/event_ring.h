// Events on their way from a worker to the writer: a ring of bytes with one producer and one consumer, in
// which each event takes as much room as it needs.
//
// push(): the worker; copies, never blocks, allocates nothing. take(): the writer's thread. Memory is taken
// when the ring is made.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "inspection/events/event.h"

namespace weir::inspection {

/// What becomes of an event that was taken. `fields` (event_fields.h) are valid during the call.
using TakeEvent = std::function<void(const Event& event, std::span<const uint8_t> fields)>;

class EventRing {
 public:
  /// Of an ordinary event, so much at most: a session's end, a drop by a policy rule.
  static constexpr size_t kOrdinaryEvent = 512;

  /// `bytes` are rounded up to whole words.
  explicit EventRing(size_t bytes);
  EventRing(const EventRing&) = delete;
  EventRing& operator=(const EventRing&) = delete;

  /// False: there is no room for it.
  bool push(const Event& event, std::span<const uint8_t> fields);
  /// Gives at most `max` events to `take`, the oldest first; how many.
  size_t take(size_t max, const TakeEvent& take);

 private:
  struct Head {
    uint32_t size = 0;   // of the whole record, in bytes; a multiple of kAlign
    uint32_t event = 0;  // bytes of Event; 0: nothing more until the memory's end
    uint32_t fields = 0;
    uint32_t unused = 0;
  };
  static constexpr size_t kAlign = sizeof(Head);
  size_t place(uint64_t position) const { return static_cast<size_t>(position % size_); }

  size_t size_;
  std::unique_ptr<uint8_t[]> memory_;
  // Positions only grow; the worker's and the writer's lie in lines of their own.
  alignas(64) std::atomic<uint64_t> written_{0};
  uint64_t seen_taken_ = 0;  // the worker's last look at taken_
  alignas(64) std::atomic<uint64_t> taken_{0};
};

}  // namespace weir::inspection
