// The workers' clock: the rate that two samples tell of, and what it makes of cycles.
#include "dataplane/worker/tsc_clock.h"

#include <gtest/gtest.h>
#include <time.h>

namespace weir::dataplane {
namespace {

constexpr uint64_t kGhz = 1'000'000'000;

TEST(MeasuredRate, IsFinerThanTenMegahertz) {
  const ClockSample first{1'000, 5'000};
  EXPECT_EQ(measured_rate(first, {1'000 + 20'943'210, 5'000 + 10'000'000}, 21 * kGhz / 10), 2'094'321'000u);
}

TEST(MeasuredRate, WhatCannotBeTrueFallsBack) {
  const ClockSample first{1'000, 5'000};
  EXPECT_EQ(measured_rate(first, first, 2 * kGhz), 2 * kGhz) << "no time between them";
  EXPECT_EQ(measured_rate(first, {1'000 + 2'000, 5'000 + 1'000}, 3 * kGhz), 3 * kGhz) << "too short";
  EXPECT_EQ(measured_rate(first, {1'000 + 40'000'000, 5'000 + 10'000'000}, 2 * kGhz), 2 * kGhz)
      << "twice as fast";
  EXPECT_EQ(measured_rate(first, {500, 5'000 + 10'000'000}, 2 * kGhz), 2 * kGhz) << "backwards";
}

TEST(TscClock, CountsFromItsStart) {
  const TscClock clock({1'000'000, 77}, 2'094'321'000);
  EXPECT_EQ(clock.at(1'000'000), 77u);
  // An hour, to the microsecond; a year, to a few milliseconds.
  EXPECT_NEAR(static_cast<double>(clock.at(1'000'000 + 3'600 * 2'094'321'000ULL)), 3'600e9 + 77, 2'000);
  EXPECT_NEAR(static_cast<double>(clock.at(1'000'000 + 31'536'000 * 2'094'321'000ULL)), 31'536'000e9, 2e7);
}

TEST(TscClock, RunsAsFastAsTheMachinesClock) {
  const TscClock clock;
  const auto monotonic = [] {
    timespec ts{};
    clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
    return static_cast<double>(ts.tv_sec) * 1e9 + static_cast<double>(ts.tv_nsec);
  };
  const double started = monotonic();
  const auto first = static_cast<double>(clock.now());
  while (monotonic() < started + 50e6) {
  }
  const double passed = static_cast<double>(clock.now()) - first;
  // EAL's rounded rate may be 0.25 % off; a core that others use interrupts the readings.
  EXPECT_NEAR(passed / (monotonic() - started), 1.0, 1e-3);
}

}  // namespace
}  // namespace weir::dataplane
