// `weirctl top`: from the workers' counters to the table that people see.
#include <gtest/gtest.h>

#include "fakes.h"
#include "mgmt/api/json.h"
#include "mgmt/cli/top.h"
#include "mgmt/control/views.h"

namespace weir::test {
namespace {

using namespace dataplane;
using api::Json;

/// Workers' counters as control reads them.
class Counted {
 public:
  Counted() : plane(std::make_unique<Snapshot>()) {}
  Json answer() { return api::to_json(control::top_view(plane, {5}, 1'000)); }
  void work(NanoTime busy, NanoTime idle, uint64_t bursts, uint64_t packets) {
    plane.worker_profile.busy_ns.add(busy);
    plane.worker_profile.idle_ns.add(idle);
    plane.worker_counters.bursts.add(bursts);
    plane.worker_counters.rx.add(packets);
    plane.clock += busy + idle;
  }
  void stage(Stage stage, uint64_t cycles, uint64_t packets, uint64_t calls) {
    auto& counters = plane.worker_profile.stages[static_cast<size_t>(stage)];
    counters.cycles.add(cycles);
    counters.packets.add(packets);
    counters.calls.add(calls);
  }
  FakeDataplane plane;
};

TEST(Top, ViewHasEachStageInTheOrderOfTheWay) {
  Counted hub;
  hub.plane.clock = 77;
  const auto view = control::top_view(hub.plane, {5}, 250);
  EXPECT_EQ(view.now_ns, 77u);
  EXPECT_EQ(view.cycles_per_second, 2'000'000'000u);
  EXPECT_EQ(view.stall_us, 250u);
  ASSERT_EQ(view.workers.size(), 1u);
  EXPECT_EQ(view.workers[0].core, 5u);
  ASSERT_EQ(view.workers[0].stages.size(), kStageCount);
  for (size_t i = 0; i < kStageCount; ++i) EXPECT_EQ(view.workers[0].stages[i].stage, kStageNames[i]);
}

TEST(Top, PrintsWhatHappenedBetweenTwoAnswers) {
  Counted hub;
  hub.work(9'000'000'000, 1'000'000'000, 5'000, 6'000);  // long ago
  hub.stage(Stage::outer, 1'000'000, 10, 1);
  hub.plane.worker_profile.stalls.add(3);
  const Json before = hub.answer();
  hub.work(500'000'000, 1'500'000'000, 10'000, 250'000);
  hub.stage(Stage::outer, 40'000, 1'600, 50);
  hub.stage(Stage::tx, 120'000, 1'500, 60);
  hub.stage(Stage::expire, 40'000, 0, 0);
  hub.plane.worker_profile.stalls.add(2);
  hub.plane.worker_profile.longest_ns.set(1'234'567);
  hub.plane.worker_profile.sampled_turns.add(50);
  EXPECT_EQ(cli::print_top(before, hub.answer()),
            "in 2.00 s; a stall is a turn over 1000 us; the longest turn is since the start\n"
            "\n"
            "worker  core    busy  packets/s  bursts/s  packets/burst  cycles/packet  stalls  longest\n"
            "     0     5  25.0 %     125000      5000           25.0         4000.0       2  1235 us\n"
            "\n"
            "sampled turns: 50\n"
            "stage    share  cycles/packet  packets/call\n"
            "outer   20.0 %           25.0          32.0\n"
            "tx      60.0 %           80.0          25.0\n"
            "expire  20.0 %              -             -\n");
}

TEST(Top, AnIdleHubHasNothingToDivide) {
  Counted hub;
  const Json before = hub.answer();
  hub.work(0, 1'000'000'000, 0, 0);
  EXPECT_EQ(cli::print_top(before, hub.answer()),
            "in 1.00 s; a stall is a turn over 1000 us; the longest turn is since the start\n"
            "\n"
            "worker  core   busy  packets/s  bursts/s  packets/burst  cycles/packet  stalls  longest\n"
            "     0     5  0.0 %          0         0              -              -       0     0 us\n"
            "\n"
            "sampled turns: 0\n");
}

TEST(Top, PacketsOfOtherWorkersAreWorkToo) {
  Counted hub;
  const Json before = hub.answer();
  hub.work(1'000, 0, 1, 10);
  hub.plane.worker_counters.taken_over.add(10);
  EXPECT_NE(cli::print_top(before, hub.answer()).find(" 20000000 "), std::string::npos);
  EXPECT_NE(cli::print_top(before, hub.answer()).find(" 100.0 "), std::string::npos) << "2000 cycles for 20";
}

TEST(Top, AHubThatWasStartedAnewHasNotMovedBack) {
  Counted old, anew;
  old.work(5'000, 5'000, 100, 3'200);
  old.stage(Stage::outer, 5'000, 100, 10);
  const std::string text = cli::print_top(old.answer(), anew.answer());
  EXPECT_EQ(text.find("-1"), std::string::npos) << text;
  EXPECT_EQ(text.find("outer"), std::string::npos) << text;
}

TEST(Top, SeveralWorkersHaveAColumnEach) {
  Counted hub;
  hub.stage(Stage::outer, 300, 10, 1);
  Json one = hub.answer(), both = one;
  hub.stage(Stage::outer, 200, 10, 1);
  Json other = hub.answer();
  other["workers"][0]["worker"] = 1;
  both["workers"].push_back(other["workers"][0]);
  const std::string text = cli::print_top({}, both);
  EXPECT_NE(text.find("stage    share  cycles/packet  packets/call  worker 0  worker 1\n"
                      "outer  100.0 %           26.7          10.0      30.0      25.0\n"),
            std::string::npos)
      << text;
}

TEST(Top, NoStallsAreSaidToBeNotCounted) {
  EXPECT_NE(cli::print_top({}, Json{{"stall_us", 0}}).find("stalls are not counted"), std::string::npos);
}

}  // namespace
}  // namespace weir::test
