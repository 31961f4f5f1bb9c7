// Floods of new sessions: budgets of hosts, attachments and domains, half-open ones, a full table, and what
// becomes of everybody else's sessions meanwhile. Judged by counts; time is driven by hand.
#include <gtest/gtest.h>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::DropReason;
using dataplane::WhenFull;

uint64_t half_open(TestHub& hub, unsigned workers = 1) {
  uint64_t sum = 0;
  for (unsigned w = 0; w < workers; ++w)
    sum += hub.plane().counters(static_cast<dataplane::WorkerIndex>(w)).sessions_half_open.get();
  return sum;
}

/// A SYN of one of many hosts behind spoke `from`, to b or, from b, to a.
Bytes syn(const Spoke& from, uint32_t host, uint16_t port, uint8_t flags = kSyn, uint32_t seq = 100) {
  const std::string network = from.vni == kA.vni ? "10.1.0." : "10.4.0.";
  return tunnelled(from, PacketBuilder()
                             .ether(from.hub_mac, from.host_mac)
                             .ip(network + std::to_string(10 + host % 200), kB.host4)
                             .tcp(port, 80, flags, seq)
                             .build());
}
SnapshotBuilder with_hosts() {
  SnapshotBuilder b = network();
  for (uint32_t host = 0; host < 200; ++host) {
    for (const auto& [spoke, network] : {std::pair(&kA, "10.1.0."), std::pair(&kD, "10.4.0.")}) {
      const auto id = b.adjacencies().set(
          b.attachment_id(spoke->name), *net::parse_ip(network + std::to_string(10 + host)), spoke->host_mac);
      EXPECT_TRUE(id.has_value());
    }
  }
  return b;
}

/// Established TCP and UDP sessions between the hosts of a and b, and their packets.
class Bystanders {
 public:
  static constexpr uint16_t kTcp = 50, kUdp = 50;
  explicit Bystanders(TestHub& hub) : hub_(hub) {
    for (uint16_t i = 0; i < kTcp; ++i) {
      const uint16_t port = static_cast<uint16_t>(30'000 + i);
      hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 100, 0, "", port)));
      hub.pass_through(from_spoke(kB, kA, tcp(kSyn | kAck, 500, 101, "", 80, port)));
      hub.pass_through(from_spoke(kA, kB, tcp(kAck, 101, 501, "", port)));
    }
    for (uint16_t i = 0; i < kUdp; ++i) {
      hub.pass_through(from_spoke(kA, kB, udp(static_cast<uint16_t>(40'000 + i), 53)));
      hub.pass_through(from_spoke(kB, kA, udp(53, static_cast<uint16_t>(40'000 + i))));
    }
  }
  /// A packet each way of all of them. Returns how many arrived, of 200.
  size_t speak() {
    size_t arrived = 0;
    for (uint16_t i = 0; i < kTcp; ++i) {
      const uint16_t port = static_cast<uint16_t>(30'000 + i);
      arrived += hub_.pass_through(from_spoke(kA, kB, tcp(kAck, 101 + said_, 501 + said_, "x", port))).size();
      arrived +=
          hub_.pass_through(from_spoke(kB, kA, tcp(kAck, 501 + said_, 102 + said_, "y", 80, port))).size();
    }
    for (uint16_t i = 0; i < kUdp; ++i) {
      arrived += hub_.pass_through(from_spoke(kA, kB, udp(static_cast<uint16_t>(40'000 + i), 53))).size();
      arrived += hub_.pass_through(from_spoke(kB, kA, udp(53, static_cast<uint16_t>(40'000 + i)))).size();
    }
    ++said_;
    return arrived;
  }

 private:
  TestHub& hub_;
  uint32_t said_ = 0;
};

TEST(SessionFlood, AHostIsHeldToItsRate) {
  TestHub hub(with_hosts().build(), {.budgets = {.source = {.new_per_second = 20}}});
  for (uint16_t i = 0; i < 200; ++i) hub.pass_through(syn(kA, 1, i));
  EXPECT_EQ(hub.moved(), started(20) + dropped(DropReason::session_budget, 180));
  EXPECT_EQ(hub.pass_through(syn(kA, 2, 1)).size(), 1u) << "another host";
  EXPECT_EQ(hub.pass_through(syn(kA, 1, 0)).size(), 1u) << "no new session";
  EXPECT_EQ(hub.moved(), started() + forwarded());
  hub.pass_seconds(0.5);
  for (uint16_t i = 200; i < 300; ++i) hub.pass_through(syn(kA, 1, i));
  EXPECT_EQ(hub.moved(), started(10) + dropped(DropReason::session_budget, 90));
}

TEST(SessionFlood, AnAttachmentAndADomainAreHeldToTheirRates) {
  TestHub hub(with_hosts().build(),
              {.budgets = {.attachment = {.new_per_second = 20}, .domain = {.new_per_second = 30}}});
  for (uint16_t i = 0; i < 100; ++i) hub.pass_through(syn(kA, i, i));
  EXPECT_EQ(hub.moved(), started(20) + dropped(DropReason::session_budget, 80));
  for (uint16_t i = 0; i < 100; ++i) hub.pass_through(syn(kD, i, i));
  EXPECT_EQ(hub.moved(), started(10) + dropped(DropReason::session_budget, 90)) << "of the same domain";
  EXPECT_EQ(hub.pass_through(from_spoke(kB, kA, udp(9, 7))).size(), 1u) << "of another one";
}

TEST(SessionFlood, WhatPolicyDeniesIsPaidForToo) {
  TestHub hub(with_hosts().build(), {.budgets = {.source = {.new_per_second = 5}}});
  for (uint16_t i = 0; i < 50; ++i) hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 1, 0, "", i, 23)));
  EXPECT_EQ(hub.moved(), dropped(DropReason::policy_deny, 5) + dropped(DropReason::session_budget, 45));
}

TEST(SessionFlood, HalfOpenOnesAreBoundForEach) {
  TestHub hub(
      with_hosts().build(),
      {.budgets = {.source = {.half_open = 3}, .attachment = {.half_open = 8}, .domain = {.half_open = 10}}});
  for (uint16_t i = 0; i < 10; ++i) hub.pass_through(syn(kA, 1, i));
  EXPECT_EQ(hub.moved(), started(3) + dropped(DropReason::half_open_limit, 7));
  for (uint16_t i = 0; i < 20; ++i) hub.pass_through(syn(kA, 2u + i, i));
  EXPECT_EQ(hub.moved(), started(5) + dropped(DropReason::half_open_limit, 15));
  for (uint16_t i = 0; i < 20; ++i) hub.pass_through(syn(kD, 2u + i, i));
  EXPECT_EQ(hub.moved(), started(2) + dropped(DropReason::half_open_limit, 18));
  EXPECT_EQ(half_open(hub), 10u);
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(5, 5))).size(), 1u) << "UDP has no half-open sessions";
  hub.moved();
  // One that is answered and acknowledged makes room, one that is refused too, and time does.
  const std::string host = "10.1.0.11";
  const auto answer = [&](uint16_t port, uint8_t flags) {
    return tunnelled(kB, PacketBuilder()
                             .ether(kB.hub_mac, kB.host_mac)
                             .ip(kB.host4, host)
                             .tcp(80, port, flags, 7, 101)
                             .build());
  };
  EXPECT_EQ(hub.pass_through(answer(0, kSyn | kAck)).size(), 1u);
  EXPECT_EQ(half_open(hub), 10u) << "not yet";
  hub.pass_through(tunnelled(
      kA,
      PacketBuilder().ether(kA.hub_mac, kA.host_mac).ip(host, kB.host4).tcp(0, 80, kAck, 101, 8).build()));
  EXPECT_EQ(half_open(hub), 9u);
  EXPECT_EQ(hub.pass_through(answer(1, kRst | kAck)).size(), 1u);
  EXPECT_EQ(half_open(hub), 8u);
  hub.moved();
  for (uint16_t i = 20; i < 30; ++i) hub.pass_through(syn(kA, 1, i));
  EXPECT_EQ(hub.moved(), started(2) + dropped(DropReason::half_open_limit, 8));
  hub.pass_seconds(12);
  hub.settle();
  EXPECT_EQ(half_open(hub), 0u);
  hub.moved();
  for (uint16_t i = 0; i < 10; ++i) hub.pass_through(syn(kA, 1, static_cast<uint16_t>(100 + i)));
  EXPECT_EQ(hub.moved(), started(3) + dropped(DropReason::half_open_limit, 7)) << "all were given back";
}

TEST(SessionFlood, WorkersShareTheBudgets) {
  SnapshotBuilder b = network(true, 3);
  TestHub hub(b.build(), {.workers = 3, .budgets = {.source = {.new_per_second = 60, .half_open = 30}}});
  for (uint16_t i = 0; i < 300; ++i)
    hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 1, 0, "", i)), static_cast<uint16_t>(i % 3));
  Counts counts = hub.moved();
  EXPECT_EQ(counts["sessions_created"], 30);
  EXPECT_EQ(counts["drop half_open_limit"], 30);
  EXPECT_EQ(counts["drop session_budget"], 240);
  EXPECT_EQ(half_open(hub, 3), 30u);
}

TEST(SessionFlood, WithoutRoomForItsSourceItsAttachmentBoundsIt) {
  TestHub hub(with_hosts().build(),
              {.budgets = {.source = {.half_open = 1}, .attachment = {.half_open = 40}, .hosts = 4}});
  for (uint16_t i = 0; i < 100; ++i) hub.pass_through(syn(kA, i, i));
  EXPECT_EQ(hub.moved(),
            started(40) + dropped(DropReason::half_open_limit, 60) + Counts({{"hosts_untracked", 96}}));
}

/// A SYN flood of ten times what may be half open, and a table that is full: those who have a session lose
/// nothing, and a newcomer gets one.
TEST(SessionFlood, TakesNothingFromEstablishedSessions) {
  for (const bool with_budget : {false, true}) {
    TestHub hub(with_hosts().build(), {.sessions = 400,
                                       .budgets = {.attachment = {.new_per_second = with_budget ? 100u : 0u}},
                                       .half_open = 100});
    Bystanders others(hub);
    hub.moved();
    constexpr uint16_t kFlood = 1'000;
    for (uint16_t i = 0; i < kFlood; ++i) {
      hub.pass_through(syn(kD, i, i));
      if (i % 200 == 0) {
        EXPECT_EQ(others.speak(), 200u);
      }
    }
    EXPECT_EQ(others.speak(), 200u);
    EXPECT_LE(half_open(hub), 100u);
    Counts counts = hub.moved();
    EXPECT_EQ(counts["rx"], kFlood + 6 * 200);
    EXPECT_EQ(counts["sessions_created"], with_budget ? 100 : kFlood);
    EXPECT_EQ(counts["sessions_given_way"], with_budget ? 0 : kFlood - 100);
    EXPECT_EQ(counts["sessions_live"], 100);
    hub.pass_seconds(1);  // the others have used up their attachment's budget
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 1, 0, "", 77))).size(), 1u) << "a newcomer";
    EXPECT_EQ(hub.pass_through(from_spoke(kB, kA, tcp(kSyn | kAck, 1, 2, "", 80, 77))).size(), 1u);
  }
}

TEST(SessionFlood, AFullTableTakesTheClosedAfterTheHalfOpen) {
  TestHub hub(with_hosts().build(), {.sessions = 40, .flow_events = true, .half_open = 40});
  // 38 established by UDP, one reset, one half open.
  for (uint16_t i = 0; i < 38; ++i) hub.pass_through(from_spoke(kA, kB, udp(i)));
  hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 1, 0, "", 1)));
  hub.pass_through(from_spoke(kB, kA, tcp(kRst | kAck, 0, 2, "", 80, 1)));
  hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 1, 0, "", 2)));
  hub.moved();
  const Counts given_way =
      started() + Counts({{"sessions_expired", 1}, {"sessions_live", -1}, {"sessions_given_way", 1}});
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(100))).size(), 1u);
  EXPECT_EQ(hub.moved(), given_way);
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(101))).size(), 1u);
  EXPECT_EQ(hub.moved(), given_way);
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(102))).empty()) << "nothing else gives way";
  EXPECT_EQ(hub.moved(), dropped(DropReason::session_table_full));
  const auto events = hub.events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].flow.src_port, 2);
  EXPECT_EQ(events[1].flow.src_port, 1);
  for (const auto& event : events) EXPECT_EQ(event.flow_stats.end, inspection::FlowEnd::given_way);
}

TEST(SessionFlood, AHalfOpenSessionGivesWayWhereverItLies) {
  TestHub hub(with_hosts().build(), {.sessions = 2'000, .half_open = 10});
  for (uint16_t i = 0; i < 1'999; ++i) {
    hub.pass_through(from_spoke(kA, kB, udp(i)));
    if (i == 1'500) hub.pass_through(syn(kA, 1, 1));
  }
  hub.moved();
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(5'000))).size(), 1u);
  EXPECT_EQ(hub.moved(),
            started() + Counts({{"sessions_expired", 1}, {"sessions_live", -1}, {"sessions_given_way", 1}}));
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(5'001))).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::session_table_full));
}

TEST(SessionFlood, TheOldestHalfOpenGivesWayFirst) {
  TestHub hub(with_hosts().build(), {.flow_events = true, .half_open = 3});
  for (uint16_t i = 0; i < 3; ++i) hub.pass_through(syn(kA, 1, i));
  // The second is answered and acknowledged: it is out of the list, from its middle.
  const std::string host = "10.1.0.11";
  const auto segment = [&](bool from_client, uint8_t flags, uint32_t seq, uint32_t ack) {
    PacketBuilder b;
    const Spoke& spoke = from_client ? kA : kB;
    b.ether(spoke.hub_mac, spoke.host_mac);
    from_client ? b.ip(host, kB.host4).tcp(1, 80, flags, seq, ack)
                : b.ip(kB.host4, host).tcp(80, 1, flags, seq, ack);
    return tunnelled(spoke, b.build());
  };
  EXPECT_EQ(hub.pass_through(segment(false, kSyn | kAck, 7, 101)).size(), 1u);
  EXPECT_EQ(hub.pass_through(segment(true, kAck, 101, 8)).size(), 1u);
  EXPECT_EQ(half_open(hub), 2u);
  for (uint16_t i = 10; i < 15; ++i) hub.pass_through(syn(kA, 1, i));
  EXPECT_EQ(half_open(hub), 3u);
  std::vector<uint16_t> gone;
  for (const auto& event : hub.events()) gone.push_back(event.flow.src_port);
  EXPECT_EQ(gone, (std::vector<uint16_t>{0, 2, 10, 11}));
}

/// A packet that waits for its next hop is one first packet, however often it comes back.
TEST(SessionFlood, APacketThatWaitedIsPaidForOnce) {
  SnapshotBuilder b = network(false);
  TestHub hub(b.build(), {.budgets = {.source = {.new_per_second = 1}}});
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp())).empty());
  for (const Spoke* spoke : {&kA, &kB}) {
    const auto punts = hub.plane().take_punts(8);
    ASSERT_EQ(punts.size(), 1u);
    know_host(b, *spoke);
    hub.plane().resume(punts[0]);
    hub.settle();
  }
  expect_forwarded(hub.sent(), kA, kB, udp());
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp(2))).empty()) << "another one is over the budget";
  EXPECT_EQ(hub.moved()["drop session_budget"], 1);
}

TEST(SessionFlood, NothingGivesWayIfSoConfigured) {
  TestHub hub(with_hosts().build(), {.sessions = 40, .half_open = 10, .when_full = WhenFull::refuse});
  for (uint16_t i = 0; i < 50; ++i) hub.pass_through(syn(kA, i, i));
  EXPECT_EQ(hub.moved(), started(10) + dropped(DropReason::half_open_limit, 40));
  for (uint16_t i = 0; i < 40; ++i) hub.pass_through(from_spoke(kA, kB, udp(i)));
  EXPECT_EQ(hub.moved(), started(30) + dropped(DropReason::session_table_full, 10));
}

/// Ports of many hosts, as a scanner tries them: what policy lets through makes sessions up to the ceiling,
/// and all is as before when they have gone.
TEST(SessionFlood, AScanLeavesNothingBehind) {
  TestHub hub(with_hosts().build(), {.sessions = 500});
  Bystanders others(hub);
  hub.moved();
  int64_t packets = 0;
  for (uint32_t host = 0; host < 20; ++host) {
    for (uint16_t port = 0; port < 500; ++port, ++packets) {
      hub.inject(syn(kD, host, port));
      if (packets % 32 == 31) hub.turn();
    }
  }
  hub.settle();
  hub.sent();
  Counts counts = hub.moved();
  EXPECT_EQ(counts["rx"], packets);
  EXPECT_LE(counts["sessions_live"], 400);
  EXPECT_EQ(others.speak(), 200u);
  hub.moved();
  hub.pass_seconds(12);
  for (int turns = 0; turns < 10; ++turns) hub.turn();  // it expires in slices
  hub.moved();
  EXPECT_EQ(hub.plane().counters(0).sessions_live.get(), 100u);
  EXPECT_EQ(half_open(hub), 0u);
}

}  // namespace
}  // namespace weir::test
