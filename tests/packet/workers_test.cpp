// Several workers: each packet goes to its session's owner, nothing is lost uncounted, nothing is reordered.
#include <gtest/gtest.h>

#include <random>

#include "dataplane/decide/owner.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;

WorkerIndex owner_of_port(uint16_t port, const Snapshot& snapshot) {
  const Tuple tuple{*net::parse_ip(kA.host4), *net::parse_ip(kB.host4), port, 2000, 17};
  return owner_of(OwnerQuery{.tuple = tuple}, snapshot);
}

/// One session of the run, and what it has sent and what came through in each direction.
struct Flow {
  uint16_t port;
  WorkerIndex owner;
  uint32_t sent[2] = {}, got[2] = {};
};

/// The text that a packet of a run carries: whose it is and the how many-th.
std::string text_of(const Flow& flow, bool back, uint32_t number) {
  return std::to_string(flow.port) + (back ? " back " : " there ") + std::to_string(number);
}

Bytes next_frame(Flow& flow, bool back) {
  const std::string text = text_of(flow, back, flow.sent[back]++);
  return back ? from_spoke(kB, kA, udp(2000, flow.port, text))
              : from_spoke(kA, kB, udp(flow.port, 2000, text));
}

void take(const std::vector<Bytes>& frames, std::map<uint16_t, Flow>& flows) {
  for (const Bytes& frame : frames) {
    const Bytes inside = inner_of(frame);
    ASSERT_GT(inside.size(), 42u);
    const bool back = vni_of(frame) == kA.vni;
    const size_t port_at = back ? 36 : 34;
    const auto port = static_cast<uint16_t>(inside[port_at] << 8 | inside[port_at + 1]);
    ASSERT_TRUE(flows.contains(port));
    Flow& flow = flows.at(port);
    const std::string text(inside.begin() + 42, inside.end());
    ASSERT_EQ(text, text_of(flow, back, flow.got[back]++)) << "lost or out of order";
  }
}

class WorkersTogether : public testing::TestWithParam<unsigned> {};

TEST_P(WorkersTogether, InOrderAndCompleteThroughTheWrongWorkers) {
  constexpr int kSessions = 200, kPackets = 10'000;
  const unsigned workers = GetParam();
  TestHub hub(network(true, static_cast<uint16_t>(workers)).build(), {.workers = workers});
  std::map<uint16_t, Flow> flows;
  for (uint16_t port = 3'000; flows.size() < kSessions; ++port) {
    flows[port] = {port, owner_of_port(port, hub.plane().current())};
  }
  // Each direction of a session arrives at a wrong worker of its own, if there are three.
  const auto arrives_at = [&](const Flow& flow, bool back) {
    return static_cast<uint16_t>((flow.owner + (back ? workers - 1 : 1)) % workers);
  };
  for (auto& [port, flow] : flows) hub.inject(next_frame(flow, false), arrives_at(flow, false));
  hub.settle();
  take(hub.sent(), flows);

  std::mt19937 random(workers);
  for (int i = kSessions; i < kPackets; ++i) {
    Flow& flow = std::next(flows.begin(), static_cast<long>(random() % kSessions))->second;
    const bool back = random() % 2 == 0;
    hub.inject(next_frame(flow, back), arrives_at(flow, back));
    if (random() % 40 == 0) hub.turn(static_cast<WorkerIndex>(random() % workers));
    if (random() % 500 == 0) take(hub.sent(), flows);
  }
  hub.settle();
  take(hub.sent(), flows);
  for (const auto& [port, flow] : flows) {
    for (const bool back : {false, true}) EXPECT_EQ(flow.got[back], flow.sent[back]) << port;
  }
  EXPECT_EQ(hub.moved(), forwarded(kPackets) + Counts({{"handed_over", kPackets},
                                                       {"taken_over", kPackets},
                                                       {"sessions_created", kSessions},
                                                       {"sessions_live", kSessions}}));
}

INSTANTIATE_TEST_SUITE_P(Number, WorkersTogether, testing::Values(2, 3, 4));

/// `count` source ports of sessions that `owner` owns.
std::vector<uint16_t> ports_of(WorkerIndex owner, size_t count, const Snapshot& snapshot) {
  std::vector<uint16_t> ports;
  for (uint16_t port = 1; ports.size() < count; ++port) {
    if (owner_of_port(port, snapshot) == owner) ports.push_back(port);
  }
  return ports;
}

TEST(Workers, AtHomeNothingIsHandedOver) {
  TestHub hub(network(true, 2).build(), {.workers = 2});
  for (const WorkerIndex owner : {WorkerIndex{0}, WorkerIndex{1}}) {
    for (const uint16_t port : ports_of(owner, 10, hub.plane().current())) {
      hub.inject(from_spoke(kA, kB, udp(port)), owner);
    }
  }
  hub.settle();
  EXPECT_EQ(hub.moved(), started(20));
  EXPECT_EQ(hub.moved(0), started(10));
  EXPECT_EQ(hub.moved(1), started(10));
  EXPECT_EQ(hub.sent().size(), 20u);
}

TEST(Workers, AFullRingDropsAtTheSender) {
  TestHub hub(network(true, 2).build(), {.workers = 2, .ring_size = 8});
  for (const uint16_t port : ports_of(1, 20, hub.plane().current()))
    hub.inject(from_spoke(kA, kB, udp(port)), 0);
  hub.turn(0);
  EXPECT_EQ(hub.moved(0), Counts({{"rx", 20}, {"handed_over", 8}, {"drop handoff_full", 12}}));
  hub.settle();
  EXPECT_EQ(
      hub.moved(1),
      Counts(
          {{"taken_over", 8}, {"tx", 8}, {"forwarded", 8}, {"sessions_created", 8}, {"sessions_live", 8}}));
  EXPECT_EQ(hub.sent().size(), 8u);
}

TEST(Workers, FewerTxQueuesThanWorkers) {
  // One queue, which worker 0 owns: worker 1 gets its packets from 0 and hands the frames back to be sent.
  TestHub hub(network(true, 2).build(), {.workers = 2, .queues = 1});
  const auto own = ports_of(0, 10, hub.plane().current()), other = ports_of(1, 10, hub.plane().current());
  for (size_t i = 0; i < 10; ++i) {
    hub.inject(from_spoke(kA, kB, udp(own[i])));
    hub.inject(from_spoke(kA, kB, udp(other[i])));
  }
  hub.settle();
  const auto got = hub.sent();
  EXPECT_EQ(got.size(), 20u);
  EXPECT_EQ(hub.moved(0), Counts({{"rx", 20},
                                  {"handed_over", 10},
                                  {"taken_over", 10},
                                  {"tx", 20},
                                  {"forwarded", 20},
                                  {"sessions_created", 10},
                                  {"sessions_live", 10}}));
  EXPECT_EQ(
      hub.moved(1),
      Counts({{"taken_over", 10}, {"handed_over", 10}, {"sessions_created", 10}, {"sessions_live", 10}}));
}

TEST(Workers, AnswersGoOutThroughASharedQueue) {
  SnapshotBuilder b = network(true, 2);
  TestHub hub(b.build(), {.workers = 2, .queues = 1});
  const Bytes frame =
      PacketBuilder().ether(kA.host_mac, kA.hub_mac).arp_request(kA.hub_mac, kA.gateway4, kA.host4).build();
  ASSERT_TRUE(hub.plane().send_inner(b.attachment_id("a"), frame));
  hub.settle();
  expect_sent(hub.sent(), kA, frame);
  EXPECT_EQ(hub.moved(), Counts({{"generated", 1}, {"tx", 1}}));
}

TEST(Workers, AHeldPacketComesBackToItsOwner) {
  SnapshotBuilder b = network(false, 4);
  TestHub hub(b.build(), {.workers = 4});
  for (const WorkerIndex owner : {WorkerIndex{0}, WorkerIndex{1}, WorkerIndex{2}, WorkerIndex{3}}) {
    for (const uint16_t port : ports_of(owner, 3, hub.plane().current())) {
      hub.inject(from_spoke(kA, kB, udp(port)), static_cast<uint16_t>((owner + 1) % 4));
    }
  }
  hub.settle();
  const auto punts = hub.plane().take_punts(64);
  ASSERT_EQ(punts.size(), 12u);
  know_host(b, kA);
  know_host(b, kB);
  hub.moved();
  for (const Punt& punt : punts) hub.plane().resume(punt);
  hub.settle();
  EXPECT_EQ(hub.sent().size(), 12u);
  EXPECT_EQ(
      hub.moved(),
      Counts(
          {{"resumed", 12}, {"tx", 12}, {"forwarded", 12}, {"sessions_created", 12}, {"sessions_live", 12}}));
}

TEST(Workers, QuiescenceWaitsForTheRings) {
  // What a callback of after_quiescence() may free is named by no packet any more.
  SnapshotBuilder b = network(true, 2);
  TestHub hub(b.build(), {.workers = 2});
  for (const uint16_t port : ports_of(1, 300, hub.plane().current()))
    hub.inject(from_spoke(kA, kB, udp(port)), 0);
  for (int i = 0; i < 20; ++i) hub.turn(0);
  bool done = false;
  hub.plane().after_quiescence([&] { done = true; });
  hub.plane().housekeeping();
  for (int i = 0; i < 5; ++i) {
    hub.turn(0);
    hub.plane().housekeeping();
  }
  EXPECT_FALSE(done) << "worker 1 has not moved";
  hub.settle_until(done);
  EXPECT_EQ(hub.moved(1), Counts({{"taken_over", 300},
                                  {"tx", 300},
                                  {"forwarded", 300},
                                  {"sessions_created", 300},
                                  {"sessions_live", 300}}));
  hub.sent();
}

}  // namespace
}  // namespace weir::test
