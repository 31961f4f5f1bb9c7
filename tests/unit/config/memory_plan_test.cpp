#include "mgmt/config/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/session/session_table.h"
#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

size_t hundred_each(uint32_t sessions) { return size_t{sessions} * 100; }

uint64_t bytes_of(const MemoryPlan& plan, const std::string& what) {
  for (const auto& part : plan.parts) {
    if (part.what == what) return part.bytes;
  }
  ADD_FAILURE() << what;
  return 0;
}

Config machine(const std::string& more = "") { return read_good(text_of(Base::machine) + more); }

TEST(MemoryPlan, AddsUp) {
  const MemoryPlan plan = memory_plan(machine(), hundred_each);
  uint64_t sum = 32ull << 20;  // EAL's own
  uint64_t eal = sum;
  for (const auto& part : plan.parts) {
    sum += part.bytes;
    if (part.eal) eal += part.bytes;
    EXPECT_FALSE(part.formula.empty()) << part.what;
  }
  EXPECT_EQ(plan.total_bytes, sum);
  EXPECT_GE(uint64_t{plan.eal_mib} << 20, eal + eal / 10);
  EXPECT_LT(uint64_t{plan.eal_mib} << 20, eal + eal / 10 + (3u << 20));
  EXPECT_EQ(plan.eal_mib % 2, 0u) << "whole hugepages";
}

TEST(MemoryPlan, CountsPacketsAndSessions) {
  const MemoryPlan plan =
      memory_plan(machine("[limits]\npacket_buffers = 4096\nheld_packets = 16\nheld_fragments = 100\n"
                          "fragmented_datagrams = 100\nsessions = 1000\n"),
                  hundred_each);
  EXPECT_EQ(bytes_of(plan, "packets"), 4'096u * (2'048 + 128 + 128 + 128 + 64) + 8'192 * 8);
  EXPECT_EQ(bytes_of(plan, "sessions"), 100'000u);
  EXPECT_GE(bytes_of(plan, "fragments"), 65'536u + 100 * (48 + 64 * 4))
      << "a datagram put together; one in pieces";
}

constexpr const char* kJumboPort =
    "[[port]]\nname = \"lan0\"\ndriver = \"af_packet\"\ninterface = \"eth2\"\nmtu = 9216\n";

TEST(MemoryPlan, TheLargestMtuDecidesHowLargeBuffersAre) {
  const auto buffers = [](const std::string& mtu, const std::string& more) {
    std::string text = text_of(Base::machine);
    const std::string interface = "interface = \"eth1\"\n";
    text.replace(text.find(interface), interface.size(), interface + mtu);
    const PacketBuffers b = packet_buffers(read_good(text + more));
    return std::pair(b.data, b.af_xdp_data);
  };
  EXPECT_EQ(buffers("", ""), std::pair(uint16_t{2'048}, uint16_t{0}));
  EXPECT_EQ(buffers("mtu = 1770\n", ""), std::pair(uint16_t{2'048}, uint16_t{0}));
  EXPECT_EQ(buffers("mtu = 1771\n", ""), std::pair(uint16_t{2'176}, uint16_t{0}));
  EXPECT_EQ(buffers("mtu = 3306\n", ""), std::pair(uint16_t{3'584}, uint16_t{0}));
  EXPECT_EQ(buffers("", kJumboPort), std::pair(uint16_t{9'344}, uint16_t{2'048})) << "af_xdp has its own";
  EXPECT_EQ(buffers("mtu = 3306\n", kJumboPort), std::pair(uint16_t{9'344}, uint16_t{3'584}));
  EXPECT_EQ(buffers("driver = \"af_packet\"\n", kJumboPort), std::pair(uint16_t{9'344}, uint16_t{0}));
}

TEST(MemoryPlan, CountsBothKindsOfBuffers) {
  const MemoryPlan plan = memory_plan(machine(kJumboPort), hundred_each);
  EXPECT_EQ(bytes_of(plan, "packets"), 16'384u * (9'344 + 448) + 32'768 * 8);
  EXPECT_EQ(bytes_of(plan, "af_xdp"), 16'384u * (2'048 + 448) + 32'768 * 8);
  EXPECT_GT(plan.eal_mib, memory_plan(machine(), hundred_each).eal_mib + 150);
  EXPECT_THAT(to_string(plan), testing::HasSubstr("(9344 data + 128 headroom"));
}

TEST(MemoryPlan, SharesSessionsOutOverWorkers) {
  Config config = machine("[limits]\nsessions = 1000\ninspected_sessions = 3000\nstream_window = 2000\n");
  config.workers.cores = {1, 2, 3};
  const MemoryPlan plan = memory_plan(config, hundred_each);
  EXPECT_EQ(bytes_of(plan, "sessions"), 3u * 334 * 100);
  EXPECT_EQ(bytes_of(plan, "inspection"), 3u * (1'000 * (2 * 2'000 + 8 * 1'024 + 384)));
}

TEST(MemoryPlan, EventsTakeWhatIsSaid) {
  Config config = machine("[limits]\nevent_queue = 1000\n");
  config.workers.cores = {1, 2};
  EXPECT_EQ(bytes_of(memory_plan(config, hundred_each), "events"), 2u * 1'000 * 512);
}

TEST(MemoryPlan, EachTwoWorkersHaveTwoRings) {
  Config config = machine("[limits]\nring_size = 1024\n");
  EXPECT_EQ(bytes_of(memory_plan(config, hundred_each), "handoff"), 0u);
  config.workers.cores = {1, 2, 3};
  EXPECT_EQ(bytes_of(memory_plan(config, hundred_each), "handoff"), 3u * 2 * 1'024 * sizeof(void*));
}

TEST(MemoryPlan, SurvivesTheLargestLimits) {
  Config config = machine(
      "[limits]\nsessions = 67108864\npacket_buffers = 4194304\nring_size = 65536\nadjacencies = 1048575\n"
      "inspected_sessions = 4194304\nstream_window = 32768\nout_of_order_segments = 1024\nevent_queue = "
      "1048576\n");
  config.workers.cores.resize(64);
  const MemoryPlan plan = memory_plan(config, &dataplane::SessionTable::bytes_for);
  EXPECT_GT(plan.total_bytes, 256ull << 30) << "4 Mi sessions with two windows of 32 KiB each";
  EXPECT_LT(plan.total_bytes, 1ull << 40);
}

TEST(MemoryPlan, PrintsItsFormulas) {
  const std::string text = to_string(memory_plan(machine(), hundred_each));
  EXPECT_THAT(text, testing::HasSubstr("packet_buffers x (2048 data + 128 headroom"));
  EXPECT_THAT(text, testing::HasSubstr("eal.memory_mib has to be at least "));
}

TEST(MemoryPlan, RefusesTooLittle) {
  const Config unset = machine();
  const MemoryPlan plan = memory_plan(unset, hundred_each);
  EXPECT_EQ(too_little_memory(unset, plan), std::nullopt);
  const std::string least = std::to_string(plan.eal_mib), less = std::to_string(plan.eal_mib - 1);
  EXPECT_EQ(too_little_memory(machine("[eal]\nmemory_mib = " + least + "\n"), plan), std::nullopt);
  const auto problem = too_little_memory(machine("[eal]\nmemory_mib = " + less + "\n"), plan);
  ASSERT_TRUE(problem);
  EXPECT_EQ(to_string(*problem), "/etc/weir/hub.toml:8:14: eal.memory_mib: " + less +
                                     " MiB are too little: the limits need at least " + least +
                                     " MiB (`weir check` prints how that adds up)");
}

}  // namespace
}  // namespace weir::config::test
