#include "inspection/events/event_ring.h"

#include <cstring>

namespace weir::inspection {

namespace {

size_t up_to(size_t size, size_t whole) { return (size + whole - 1) / whole * whole; }

/// What is said of a rule lies last, since most events have none.
size_t bytes_of(const Event& event) { return event.has_alert() ? sizeof(Event) : offsetof(Event, alert); }

}  // namespace

EventRing::EventRing(size_t bytes)
    : size_(up_to(bytes, kAlign)), memory_(std::make_unique<uint8_t[]>(size_)) {}

bool EventRing::push(const Event& event, std::span<const uint8_t> fields) {
  const size_t event_bytes = bytes_of(event);
  const size_t need = up_to(sizeof(Head) + event_bytes + fields.size(), kAlign);
  uint64_t at = written_.load(std::memory_order_relaxed);
  // A record lies in one piece: what is left before the memory's end and too short for it is skipped.
  const size_t to_end = size_ - place(at);
  const size_t skip = need > to_end ? to_end : 0;
  if (need > size_ || at + skip + need - seen_taken_ > size_) {
    seen_taken_ = taken_.load(std::memory_order_acquire);
    if (need > size_ || at + skip + need - seen_taken_ > size_) return false;
  }
  if (skip > 0) {
    const Head nothing{static_cast<uint32_t>(skip), 0, 0, 0};
    std::memcpy(&memory_[place(at)], &nothing, sizeof nothing);
    at += skip;
  }
  const Head head{static_cast<uint32_t>(need), static_cast<uint32_t>(event_bytes),
                  static_cast<uint32_t>(fields.size()), 0};
  uint8_t* const to = &memory_[place(at)];
  std::memcpy(to, &head, sizeof head);
  std::memcpy(to + sizeof head, &event, event_bytes);
  if (!fields.empty()) std::memcpy(to + sizeof head + event_bytes, fields.data(), fields.size());
  written_.store(at + need, std::memory_order_release);
  return true;
}

size_t EventRing::take(size_t max, const TakeEvent& take) {
  const uint64_t end = written_.load(std::memory_order_acquire);
  uint64_t at = taken_.load(std::memory_order_relaxed);
  size_t count = 0;
  while (at != end && count < max) {
    const uint8_t* const from = &memory_[place(at)];
    Head head;
    std::memcpy(&head, from, sizeof head);
    if (head.event != 0) {
      Event event;
      std::memcpy(static_cast<void*>(&event), from + sizeof head, head.event);
      take(event, {from + sizeof head + head.event, head.fields});
      ++count;
    }
    at += head.size;
    taken_.store(at, std::memory_order_release);
  }
  return count;
}

}  // namespace weir::inspection
