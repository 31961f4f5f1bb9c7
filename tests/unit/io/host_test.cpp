// What needs neither EAL nor a network: the hugepage pool, names of interfaces, the built-in XDP object.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "dataplane/io/hugepages.h"
#include "dataplane/io/interface.h"
#include "dataplane/io/xdp_steering.h"

namespace weir::dataplane {
namespace {

/// A pool of files. Unlike the kernel it grants whatever is written, and `free` does not follow.
class HugepagePool : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/wio-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    paths_ = {folder_, folder_ + "/notes"};
    write("nr_hugepages", 10);
    write("free_hugepages", 4);
  }
  void TearDown() override {
    for (const char* file : {"/nr_hugepages", "/free_hugepages", "/surplus_hugepages"})
      unlink((folder_ + file).c_str());
    EXPECT_EQ(rmdir(folder_.c_str()), 0) << "something was left behind";
  }
  void write(const std::string& file, uint64_t value) {
    std::ofstream(folder_ + "/" + file) << value << "\n";
  }
  uint64_t pages() {
    uint64_t value = 0;
    std::ifstream(folder_ + "/nr_hugepages") >> value;
    return value;
  }
  std::string folder_;
  HugepageReservation::Paths paths_;
};

TEST_F(HugepagePool, ReservesWhatIsMissingAndGivesItBack) {
  HugepageReservation reservation(paths_);
  ASSERT_TRUE(reservation.reserve(21));  // 11 pages, 4 of them free
  EXPECT_EQ(pages(), 17u);
  EXPECT_EQ(reservation.pages(), 7u);
  reservation.give_back();
  EXPECT_EQ(pages(), 10u);
}

TEST_F(HugepagePool, TakesNothingWhereEnoughIsFree) {
  HugepageReservation reservation(paths_);
  ASSERT_TRUE(reservation.reserve(8));
  EXPECT_EQ(pages(), 10u);
  EXPECT_EQ(access(paths_.notes.c_str(), F_OK), -1);
}

TEST_F(HugepagePool, TwoHubsLeaveItAsItWasInAnyOrder) {
  write("free_hugepages", 0);
  auto first = std::make_unique<HugepageReservation>(paths_);
  ASSERT_TRUE(first->reserve(10));
  first->pages_are_mapped();
  // The second hub is another process, with a note of its own.
  int go[2];
  ASSERT_EQ(pipe(go), 0);
  const pid_t child = fork();
  if (child == 0) {
    HugepageReservation second(paths_);
    const bool reserved = second.reserve(10).has_value();
    second.pages_are_mapped();
    char byte = reserved ? 'y' : 'n';
    close(go[0]);
    if (::write(go[1], &byte, 1) != 1) _exit(1);
    usleep(200'000);
    second.give_back();
    _exit(0);
  }
  char byte = 'n';
  ASSERT_EQ(read(go[0], &byte, 1), 1);
  close(go[0]);
  close(go[1]);
  EXPECT_EQ(byte, 'y');
  EXPECT_EQ(pages(), 20u);
  first.reset();
  EXPECT_EQ(pages(), 15u);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(pages(), 10u);
}

TEST_F(HugepagePool, ASecondHubWaitsUntilTheFirstHasItsPages) {
  HugepageReservation first(paths_);
  ASSERT_TRUE(first.reserve(8));
  std::atomic<bool> reserved = false;
  std::thread other([&] {
    HugepageReservation second(paths_);
    EXPECT_TRUE(second.reserve(8));
    reserved = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_FALSE(reserved);
  write("free_hugepages", 0);
  first.pages_are_mapped();
  other.join();
  EXPECT_TRUE(reserved);
  EXPECT_EQ(pages(), 10u) << "the second needed four, and gave them back";
}

TEST_F(HugepagePool, SurplusPagesOfADyingHubAreNotForgotten) {
  // Six of the ten pages are surplus: a hub gave them back and has not ended yet. The kernel makes them part
  // of a pool that grows, so they have to go with ours.
  write("surplus_hugepages", 6);
  write("free_hugepages", 0);
  HugepageReservation reservation(paths_);
  ASSERT_TRUE(reservation.reserve(10));
  EXPECT_EQ(pages(), 15u);
  write("surplus_hugepages", 0);
  reservation.give_back();
  EXPECT_EQ(pages(), 4u);
}

TEST_F(HugepagePool, TakesOverWhatAKilledHubReserved) {
  const pid_t child = fork();
  if (child == 0) {
    auto* lost = new HugepageReservation(paths_);
    _exit(lost->reserve(12).has_value() ? 0 : 1);  // as if killed: nothing is given back
  }
  waitpid(child, nullptr, 0);
  ASSERT_EQ(pages(), 12u);
  write("free_hugepages", 6);
  HugepageReservation reservation(paths_);
  ASSERT_TRUE(reservation.reserve(12));
  EXPECT_EQ(pages(), 12u) << "they are free now";
  reservation.give_back();
  EXPECT_EQ(pages(), 10u);
}

TEST_F(HugepagePool, WithoutOneItSaysSo) {
  HugepageReservation reservation({folder_ + "/none", paths_.notes});
  const auto refused = reservation.reserve(2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "this kernel has no 2 MiB hugepages");
}

TEST(NearestName, IsNearOrNone) {
  const std::vector<std::string> names = {"lo", "eth0", "eth1", "enp3s0f0"};
  EXPECT_EQ(nearest_name("eth2", names), "eth0");
  EXPECT_EQ(nearest_name("enp3s0f1", names), "enp3s0f0");
  EXPECT_EQ(nearest_name("eht1", names), "eth1");
  EXPECT_EQ(nearest_name("wlan", names), "");
  EXPECT_EQ(nearest_name("eth0", {}), "");
}

TEST(Interface, LoopbackIsKnown) {
  const auto facts = find_interface("lo");
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_GT(facts->index, 0u);
  EXPECT_GT(facts->mtu, 0u);
  EXPECT_EQ(interface_queues("lo")->receive, 1u);
}

TEST(SteerObject, IsAnElfFileInMemory) {
  const auto path = XdpSteering::object_file();
  ASSERT_TRUE(path);
  EXPECT_EQ(*XdpSteering::object_file(), *path) << "one file however often";
  std::ifstream file(*path, std::ios::binary);
  char magic[4] = {};
  file.read(magic, sizeof(magic));
  EXPECT_EQ(std::string(magic, 4), "\177ELF");
  EXPECT_LT(open(path->c_str(), O_WRONLY | O_TRUNC), 0) << "sealed";
}

}  // namespace
}  // namespace weir::dataplane
