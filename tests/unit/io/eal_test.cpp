// Starting and stopping EAL. Each case runs in a child, since EAL starts once per process.
#include "dataplane/io/eal.h"

#include <gtest/gtest.h>
#include <rte_lcore.h>
#include <rte_mempool.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "dataplane/io/port.h"
#include "tests/unit/io/eal_fixture.h"

namespace weir::dataplane {
namespace {

EalSettings small_settings() {
  EalSettings settings;
  settings.worker_cores = {0};
  settings.hugepages = Hugepages::off;
  settings.memory_mib = 64;
  return settings;
}

std::string start_error(const EalSettings& settings) {
  return test::in_child([&] {
    const auto facts = eal_start(settings);
    return facts ? std::string("started") : facts.error().message;
  });
}

uint64_t hugepages_now() {
  std::ifstream file("/proc/sys/vm/nr_hugepages");
  uint64_t pages = 0;
  file >> pages;
  return pages;
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

TEST(Eal, StartsInOrdinaryMemoryAndMakesOneChunk) {
  const std::string result = test::in_child([] {
    const auto facts = eal_start(small_settings());
    if (!facts) return facts.error().message;
    if (facts->hugepages) return std::string("hugepages in spite of off");
    const auto pool = make_packet_pool(8192, 64);
    if (!pool) return pool.error().message;
    std::string text = "chunks " + std::to_string((*pool)->nb_mem_chunks);
    rte_mempool_free(*pool);
    eal_stop();
    return text;
  });
  EXPECT_EQ(result, "chunks 1");
}

TEST(Eal, ControlAndWorkerMayShareACore) {
  const std::string result = test::in_child([] {
    const auto facts = eal_start(small_settings());
    if (!facts) return facts.error().message;
    std::string text =
        "main " + std::to_string(rte_get_main_lcore()) + " lcores " + std::to_string(rte_lcore_count());
    const rte_cpuset_t cpus = rte_lcore_cpuset(worker_lcore(0));
    text += CPU_ISSET(0, &cpus) ? " worker on core 0" : " worker elsewhere";
    eal_stop();
    return text;
  });
  EXPECT_EQ(result, "main 0 lcores 2 worker on core 0");
}

TEST(Eal, ReservesHugepagesAndGivesThemBack) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to reserve hugepages";
  const uint64_t before = hugepages_now();
  const std::string result = test::in_child([] {
    EalSettings settings = small_settings();
    settings.hugepages = Hugepages::automatic;
    const auto facts = eal_start(settings);
    if (!facts) return facts.error().message;
    if (!facts->hugepages) return "no hugepages: " + facts->memory_note;
    const auto pool = make_packet_pool(8192, 64);
    if (!pool) return pool.error().message;
    std::string text = "chunks " + std::to_string((*pool)->nb_mem_chunks);
    rte_mempool_free(*pool);
    eal_stop();
    return text;
  });
  if (result.starts_with("no hugepages")) GTEST_SKIP() << result;
  EXPECT_EQ(result, "chunks 1");
  EXPECT_EQ(hugepages_now(), before);
}

TEST(Eal, GivesHugepagesBackAfterAFailedStart) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to reserve hugepages";
  const uint64_t before = hugepages_now();
  EalSettings settings = small_settings();
  settings.hugepages = Hugepages::automatic;
  settings.extra_args = {"--no-such-thing"};
  EXPECT_NE(start_error(settings), "started");
  EXPECT_EQ(hugepages_now(), before);
}

TEST(Eal, LeavesNoFilesBehind) {
  test::in_child([] {
    (void)eal_start(small_settings());
    eal_stop();
    return std::string();
  });
  EXPECT_FALSE(exists("/run/dpdk/weir"));
}

TEST(Eal, NamesTheMissingCore) {
  EalSettings settings = small_settings();
  settings.worker_cores = {1000};
  const auto facts = eal_start(settings);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().code, ErrorCode::not_found);
  EXPECT_TRUE(facts.error().message.starts_with("there is no CPU core 1000 for this process: it may use 0"))
      << facts.error().message;
}

TEST(Eal, RefusesTwoWorkersOnOneCore) {
  EalSettings settings = small_settings();
  settings.worker_cores = {0, 0};
  const auto facts = eal_start(settings);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().message, "CPU core 0 is given to two workers");
}

TEST(Eal, RefusesMoreMemoryThanThereIs) {
  EalSettings settings = small_settings();
  settings.memory_mib = 1u << 30;
  const auto facts = eal_start(settings);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().code, ErrorCode::exhausted);
  EXPECT_TRUE(facts.error().message.starts_with("too little memory: 1073741824 MiB"))
      << facts.error().message;
}

TEST(Eal, TellsWhichExtraArgumentIsWrong) {
  EalSettings settings = small_settings();
  settings.extra_args = {"--no-such-thing"};
  EXPECT_EQ(start_error(settings), "DPDK does not start: unrecognized option '--no-such-thing'");
}

TEST(Eal, SaysNothingOnTheTerminal) {
  for (const char* bad_argument : {"", "--no-such-thing", "--log-level=nonsense:nonsense"}) {
    EalSettings settings = small_settings();
    if (*bad_argument != 0) settings.extra_args = {bad_argument};
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    (void)start_error(settings);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "") << bad_argument;
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << bad_argument;
  }
}

TEST(Eal, LogsLineByLineWithLevels) {
  const std::string result = test::in_child([] {
    size_t lines = 0;
    bool whole = true;
    EalSettings settings = small_settings();
    settings.extra_args = {"--log-level=lib.eal:debug"};
    settings.log = [&](int level, std::string_view line) {
      ++lines;
      whole = whole && level >= 1 && level <= 8 && !line.empty() && line.find('\n') == std::string_view::npos;
    };
    if (const auto facts = eal_start(settings); !facts) return facts.error().message;
    eal_stop();
    return std::string(lines > 10 && whole ? "lines" : "no lines");
  });
  EXPECT_EQ(result, "lines");
}

TEST(Eal, PoolThatDoesNotFitIsOneSentence) {
  const std::string result = test::in_child([] {
    if (const auto facts = eal_start(small_settings()); !facts) return facts.error().message;
    const auto pool = make_packet_pool(1'000'000, 64);
    return pool ? std::string("fits") : pool.error().message;
  });
  EXPECT_EQ(result, "no room for 1000000 packet buffers: too little memory (see eal.memory_mib)");
}

TEST(Eal, MissingPciDeviceIsNamed) {
  const std::string result = test::in_child([] {
    EalSettings settings = small_settings();
    settings.pci_devices = {"0000:ff:1f.7"};
    if (const auto facts = eal_start(settings); !facts) return facts.error().message;
    const auto pool = make_packet_pool(1024, 64);
    if (!pool) return pool.error().message;
    PortSpec spec;
    spec.name = "nic";
    spec.kind = PortKind::pci;
    spec.pci = "0000:ff:1f.7";
    const auto port = Port::open(spec, 1, *pool);
    return port ? std::string("opened") : port.error().message;
  });
  EXPECT_EQ(result, "port nic: there is no PCI device 0000:ff:1f.7");
}

}  // namespace
}  // namespace weir::dataplane
