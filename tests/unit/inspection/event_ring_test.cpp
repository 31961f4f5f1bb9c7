#include "inspection/events/event_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

namespace weir::inspection {
namespace {

std::vector<uint8_t> bytes_of(uint64_t number, size_t size) {
  std::vector<uint8_t> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(number * 31 + i);
  return bytes;
}

/// Alternately with a rule and without; as many fields as `number` makes of it.
Event event_of(uint64_t number) {
  Event event;
  event.kind = number % 2 == 0 ? EventKind::alert : EventKind::http;
  event.tx_id = number;
  event.flow.policy_rule.assign(std::to_string(number));
  event.alert.sid = static_cast<uint32_t>(number);
  return event;
}
size_t size_of(uint64_t number) { return number * 7'919 % 3'000; }

void expect_event(uint64_t number, const Event& event, std::span<const uint8_t> fields) {
  ASSERT_EQ(event.tx_id, number);
  EXPECT_EQ(event.flow.policy_rule.view(), std::to_string(number));
  EXPECT_EQ(event.alert.sid, number % 2 == 0 ? number : 0) << "only what the kind has is kept";
  EXPECT_TRUE(std::ranges::equal(fields, bytes_of(number, size_of(number))));
}

TEST(EventRing, AnOrdinaryEventTakesWhatIsSaid) {
  EventRing ring(3 * EventRing::kOrdinaryEvent);
  Event flow;
  flow.kind = EventKind::flow;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ring.push(flow, {})) << i;
}

TEST(EventRing, RefusesWhatHasNoRoomAndTakesItLater) {
  EventRing ring(8'192);
  uint64_t pushed = 0, taken = 0;
  const auto take = [&](const Event& event, std::span<const uint8_t> fields) {
    expect_event(taken++, event, fields);
  };
  for (int round = 0; round < 1'000; ++round) {
    while (ring.push(event_of(pushed), bytes_of(pushed, size_of(pushed)))) ++pushed;
    EXPECT_GT(pushed, taken);
    ring.take(1 + static_cast<size_t>(round) % 5, take);
  }
  ring.take(SIZE_MAX, take);
  EXPECT_EQ(taken, pushed);
  EXPECT_EQ(ring.take(SIZE_MAX, take), 0u);
}

TEST(EventRing, WhatNeverFitsIsRefused) {
  EventRing ring(4'096);
  EXPECT_FALSE(ring.push(Event{}, bytes_of(0, 5'000)));
  EXPECT_TRUE(ring.push(event_of(0), bytes_of(0, size_of(0))));
  EXPECT_EQ(ring.take(9, [](const Event& event,
                            std::span<const uint8_t> fields) { expect_event(0, event, fields); }),
            1u);
}

TEST(EventRing, AWorkerAndAWriter) {
  constexpr uint64_t kEvents = 20'000;
  EventRing ring(16'384);
  std::thread worker([&] {
    for (uint64_t i = 0; i < kEvents;) {
      if (ring.push(event_of(i), bytes_of(i, size_of(i)))) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  uint64_t taken = 0;
  while (taken < kEvents) {
    const size_t some = ring.take(8, [&](const Event& event, std::span<const uint8_t> fields) {
      expect_event(taken++, event, fields);
    });
    if (some == 0) std::this_thread::yield();
  }
  worker.join();
}

}  // namespace
}  // namespace weir::inspection
