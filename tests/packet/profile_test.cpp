// What a worker's profile says of real packets: exact counts per stage, with the turns that the test makes.
#include <gtest/gtest.h>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::kStageCount;
using dataplane::kStageNames;
using dataplane::ProfileCounters;

/// Stage -> packets and calls that were sampled since the start; without those that got no packets.
std::map<std::string, std::pair<uint64_t, uint64_t>> sampled(TestHub& hub,
                                                             dataplane::WorkerIndex worker = 0) {
  std::map<std::string, std::pair<uint64_t, uint64_t>> counts;
  const ProfileCounters& profile = hub.plane().profile(worker);
  for (size_t i = 0; i < kStageCount; ++i) {
    const auto& stage = profile.stages[i];
    if (stage.calls.get() == 0) {
      EXPECT_EQ(stage.packets.get(), 0u) << kStageNames[i];
      continue;
    }
    EXPECT_GT(stage.cycles.get(), 0u) << kStageNames[i];
    counts[std::string(kStageNames[i])] = {stage.packets.get(), stage.calls.get()};
  }
  return counts;
}

using Sampled = std::map<std::string, std::pair<uint64_t, uint64_t>>;

TEST(Profile, EachStageCountsWhatItIsGiven) {
  TestHub hub(network().build(), {.sample_one_in = 1});
  for (uint16_t i = 0; i < 5; ++i) hub.inject(from_spoke(kA, kB, udp(static_cast<uint16_t>(1'000 + i))));
  hub.inject(tunnelled(kA, Bytes(5)));               // leaves in outer's pass
  hub.inject(from_spoke(kA, kC, udp()));             // leaves in session_lookup
  hub.inject(from_spoke(kA, kB, udp(), Ip::v4, 1));  // leaves in session_lookup's pass, which sends
  Bytes unknown = from_spoke(kA, kB, udp());
  unknown[46 + 2] ^= 1;  // another VNI: the same
  hub.inject(unknown);
  hub.turn();
  EXPECT_EQ(sampled(hub),
            (Sampled{{"rx", {9, 1}}, {"outer", {9, 1}}, {"session_lookup", {7, 1}}, {"tx", {5, 1}}}));
  EXPECT_EQ(hub.plane().profile(0).sampled_turns.get(), 1u);
  hub.sent();
  for (const auto& punt : hub.plane().take_punts(8)) {
    hub.plane().discard(punt, dataplane::DropReason::punt_unwanted);
  }
}

TEST(Profile, OneBurstIn64) {
  TestHub hub(network().build());
  for (int burst = 1; burst <= 640; ++burst) {
    for (int i = 0; i < 3; ++i) hub.inject(from_spoke(kA, kB, udp()));
    hub.turn();
    hub.turn();  // with nothing to do, which does not count
    EXPECT_EQ(hub.plane().profile(0).sampled_turns.get(), static_cast<uint64_t>(burst / 64));
  }
  const auto counts = sampled(hub);
  EXPECT_EQ(counts.at("outer"), (std::pair<uint64_t, uint64_t>{30, 10}));
  EXPECT_EQ(counts.at("tx"), (std::pair<uint64_t, uint64_t>{30, 10}));
  hub.sent();
}

TEST(Profile, EveryBurstWhileSomebodyLooks) {
  TestHub hub(network().build());
  const auto burst = [&] {
    hub.inject(from_spoke(kA, kB, udp()));
    hub.turn();
    return hub.plane().profile(0).sampled_turns.get();
  };
  EXPECT_EQ(burst(), 0u);
  hub.plane().watch(hub.now() + 2 * dataplane::kNanosPerSecond);
  EXPECT_EQ(burst(), 1u);
  hub.pass_seconds(1.999);
  EXPECT_EQ(burst(), 2u);
  hub.pass_seconds(0.001);
  EXPECT_EQ(burst(), 2u) << "nobody looks any more";
  hub.sent();
}

TEST(Profile, BothWorkersOfAPacketCountTheirPart) {
  TestHub hub(network(true, 2).build(), {.workers = 2, .sample_one_in = 1});
  constexpr uint16_t kPackets = 100;
  for (uint16_t port = 1; port <= kPackets; ++port) hub.inject(from_spoke(kA, kB, udp(port)), 0);
  hub.settle();
  const auto first = sampled(hub, 0), second = sampled(hub, 1);
  const uint64_t other = static_cast<uint64_t>(hub.moved(1)["taken_over"]);
  ASSERT_GT(other, 0u);
  EXPECT_EQ(first.at("outer").first, kPackets);
  EXPECT_EQ(first.at("hand_over").first, other);
  EXPECT_EQ(first.at("session_lookup").first, kPackets - other);
  EXPECT_FALSE(second.contains("rx"));
  EXPECT_FALSE(second.contains("outer"));
  EXPECT_EQ(second.at("take_over").first, other);
  EXPECT_EQ(second.at("session_lookup").first, other);
  EXPECT_EQ(second.at("tx").first, other);
  EXPECT_EQ(hub.sent().size(), kPackets);
}

TEST(Profile, FramesFromControlAndFullTxBuffersCountOnce) {
  SnapshotBuilder b = network();
  TestHub hub(b.build(), {.sample_one_in = 1});
  const Bytes frame =
      PacketBuilder().ether(kA.host_mac, kA.hub_mac).arp_request(kA.hub_mac, kA.gateway4, kA.host4).build();
  for (int i = 0; i < 150; ++i) ASSERT_TRUE(hub.plane().send_inner(b.attachment_id("a"), frame));
  hub.turn();
  EXPECT_EQ(sampled(hub), (Sampled{{"from_control", {150, 1}}, {"encap", {150, 1}}, {"tx", {150, 3}}}));
  EXPECT_EQ(hub.sent().size(), 150u);
}

TEST(Profile, BusyShareAndStallsGoByTheTurnsClock) {
  TestHub hub(network().build(), {.stall_ns = 50'000});
  const ProfileCounters& profile = hub.plane().profile(0);
  const auto busy_turn = [&](dataplane::NanoTime takes) {
    hub.inject(from_spoke(kA, kB, udp()));
    hub.turn();
    hub.pass(takes);
  };
  busy_turn(10'000);
  busy_turn(50'000);
  busy_turn(50'001);
  hub.turn();
  hub.pass(2'000'000);  // asleep
  hub.turn();
  EXPECT_EQ(profile.busy_ns.get(), 110'001u);
  EXPECT_EQ(profile.idle_ns.get(), 2'000'000u);
  EXPECT_EQ(profile.stalls.get(), 1u);
  EXPECT_EQ(profile.longest_ns.get(), 50'001u);
  hub.sent();
}

}  // namespace
}  // namespace weir::test
