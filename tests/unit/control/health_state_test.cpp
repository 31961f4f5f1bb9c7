// The health state machine as a table, its thresholds, and dampening, with time driven by hand.
#include "mgmt/control/health_state.h"

#include <gtest/gtest.h>

namespace weir::control {
namespace {

using dataplane::kNanosPerSecond;
using dataplane::NanoTime;
using enum Evidence;
using enum HealthState;

constexpr HealthRules kQuick{.up_after = 1, .down_after = 1, .flap_half_life = 0};

HealthMachine machine_in(HealthState state) {
  HealthMachine machine(0);
  if (state == up) machine.observe(answered, kQuick, 1);
  if (state == down) machine.observe(missed, kQuick, 1);
  EXPECT_EQ(machine.state(), state);
  return machine;
}

TEST(HealthMachine, EveryStateAndEvidence) {
  const struct {
    HealthState from;
    Evidence evidence;
    HealthState to;
  } rows[] = {
      {unknown, answered, up}, {unknown, missed, down}, {unknown, traffic, up}, {unknown, silence, unknown},
      {up, answered, up},      {up, missed, down},      {up, traffic, up},      {up, silence, unknown},
      {down, answered, up},    {down, missed, down},    {down, traffic, up},    {down, silence, down},
  };
  static_assert(std::size(rows) == kHealthStates * kEvidences);
  for (const auto& row : rows) {
    HealthMachine machine = machine_in(row.from);
    const NanoTime before = machine.since();
    const auto change = machine.observe(row.evidence, kQuick, 7);
    EXPECT_EQ(machine.state(), row.to) << to_string(row.from) << " " << int(row.evidence);
    EXPECT_EQ(change.has_value(), row.from != row.to) << to_string(row.from) << " " << int(row.evidence);
    EXPECT_EQ(machine.since(), change ? 7 : before);
    if (change) {
      EXPECT_EQ(change->from, row.from);
      EXPECT_EQ(change->to, row.to);
      EXPECT_EQ(change->reason, machine.reason());
    }
  }
}

/// What a string of evidence leads to: "a" answered, "m" missed, "t" traffic, "s" silence; one state per
/// letter.
std::string states_of(std::string_view evidence, const HealthRules& rules) {
  HealthMachine machine(0);
  std::string states;
  NanoTime now = 0;
  for (const char letter : evidence) {
    const Evidence seen = letter == 'a'   ? answered
                          : letter == 'm' ? missed
                          : letter == 't' ? traffic
                                          : silence;
    machine.observe(seen, rules, now += kNanosPerSecond);
    states += machine.state() == up ? 'U' : machine.state() == down ? 'D' : '-';
  }
  return states;
}

TEST(HealthMachine, ThresholdsCountInARow) {
  const HealthRules rules{.up_after = 2, .down_after = 3, .flap_half_life = 0};
  EXPECT_EQ(states_of("aa", rules), "-U");
  EXPECT_EQ(states_of("ama", rules), "---");
  EXPECT_EQ(states_of("mmm", rules), "--D");
  EXPECT_EQ(states_of("aammammm", rules), "-UUUUUUD") << "an answer in between starts the count again";
  EXPECT_EQ(states_of("mmmamaa", rules), "--DDDDU");
  EXPECT_EQ(states_of("at", rules), "-U") << "packets and answers are good signs alike";
  EXPECT_EQ(states_of("mms", rules), "---") << "silence is no missed probe";
  EXPECT_EQ(states_of("ttsss", rules), "-UUU-");
  EXPECT_EQ(states_of("mmmssssss", rules), "--DDDDDDD");
}

TEST(HealthMachine, DampeningHoldsDownWhatFlaps) {
  const HealthRules rules{
      .up_after = 1, .down_after = 1, .flap_half_life = 60 * kNanosPerSecond, .flap_limit = 3};
  HealthMachine machine(0);
  const auto at = [](double seconds) { return static_cast<NanoTime>(seconds * 1e9); };
  machine.observe(missed, rules, at(0));
  machine.observe(answered, rules, at(1));
  EXPECT_EQ(machine.state(), up) << "once is nothing";
  machine.observe(missed, rules, at(2));
  machine.observe(answered, rules, at(3));
  EXPECT_EQ(machine.state(), up);
  machine.observe(missed, rules, at(3));
  EXPECT_FALSE(machine.dampened()) << "the earlier ones have decayed a little";
  machine.observe(answered, rules, at(4));
  EXPECT_EQ(machine.state(), up);
  machine.observe(missed, rules, at(5));
  EXPECT_TRUE(machine.dampened());
  EXPECT_EQ(machine.flaps(), 4u);
  EXPECT_GT(machine.penalty(rules, at(5)), 3.0);
  EXPECT_FALSE(machine.observe(answered, rules, at(6)));
  EXPECT_EQ(machine.state(), down);
  // 3.87 at 5 s is 1.5 at 5 + 60 * log2(3.87 / 1.5) = 87 s.
  EXPECT_FALSE(machine.observe(answered, rules, at(80)));
  EXPECT_TRUE(machine.observe(answered, rules, at(90)));
  EXPECT_EQ(machine.state(), up);
  EXPECT_EQ(machine.since(), at(90));
}

TEST(HealthMachine, DampeningHalvesInAHalfLife) {
  const HealthRules rules{.up_after = 1, .down_after = 1, .flap_half_life = 10 * kNanosPerSecond};
  HealthMachine machine(0);
  machine.observe(missed, rules, 0);
  EXPECT_DOUBLE_EQ(machine.penalty(rules, 0), 1.0);
  EXPECT_DOUBLE_EQ(machine.penalty(rules, 10 * kNanosPerSecond), 0.5);
  EXPECT_DOUBLE_EQ(machine.penalty(rules, 30 * kNanosPerSecond), 0.125);
}

TEST(HealthMachine, WithoutAHalfLifeNothingIsHeldDown) {
  HealthMachine machine(0);
  for (NanoTime now = 1; now < 200; now += 2) {
    machine.observe(missed, kQuick, now);
    EXPECT_FALSE(machine.dampened());
    machine.observe(answered, kQuick, now + 1);
    EXPECT_EQ(machine.state(), up);
  }
  EXPECT_EQ(machine.flaps(), 100u);
}

}  // namespace
}  // namespace weir::control
