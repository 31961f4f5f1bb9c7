// The worker as a thread of its own: it starts, works, and stops when told.
#include <gtest/gtest.h>
#include <rte_lcore.h>

#include <chrono>
#include <thread>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using Clock = std::chrono::steady_clock;

/// Waits until `holds`, at most 10 seconds: the machine may have other work.
template <typename Condition>
bool eventually(Condition&& holds) {
  for (const auto end = Clock::now() + std::chrono::seconds(10); Clock::now() < end;) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return holds();
}

TEST(Threads, StartForwardStop) {
  TestHub hub(network().build(), {.flow_events = true});
  for (int round = 0; round < 2; ++round) {  // it can be started again
    ASSERT_TRUE(hub.plane().start());
    for (int i = 0; i < 100; ++i) hub.inject(from_spoke(kA, kB, udp(1000, 2000, std::to_string(i))));
    std::vector<Bytes> got;
    EXPECT_TRUE(eventually([&] {
      for (Bytes& frame : hub.sent()) got.push_back(std::move(frame));
      return got.size() >= 100;
    }));
    ASSERT_EQ(got.size(), 100u);
    for (size_t i = 0; i < 100; ++i) expect_forwarded({got[i]}, kA, kB, udp(1000, 2000, std::to_string(i)));
    hub.plane().stop();
    EXPECT_EQ(hub.moved(), round == 0
                               ? forwarded(100) + Counts({{"sessions_created", 1}, {"sessions_live", 1}})
                               : forwarded(100));
  }
}

TEST(Threads, AChangeWhileItRuns) {
  SnapshotBuilder b = network();
  TestHub hub(b.build());
  ASSERT_TRUE(hub.plane().start());
  for (int i = 0; i < 50; ++i) {
    hub.plane().publish(b.build());
    hub.plane().housekeeping();
  }
  bool done = false;
  hub.plane().purge({b.attachment_id("a")}, {}, [&] { done = true; });
  EXPECT_TRUE(eventually([&] {
    hub.plane().housekeeping();
    return done;
  })) << "an idle worker answers too";
  hub.plane().stop();
}

TEST(Threads, MoreWorkersThanCoresGivenToEal) {
  start_eal();
  const unsigned cores = rte_lcore_count() - 1;  // without control's
  const unsigned workers = cores + 1;
  TestHub hub(network(true, static_cast<uint16_t>(workers)).build(), {.workers = workers});
  const Status started = hub.plane().start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::unavailable);
  EXPECT_NE(started.error().message.find("only " + std::to_string(cores) + " of "), std::string::npos);
}

}  // namespace
}  // namespace weir::test
