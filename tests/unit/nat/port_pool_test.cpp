#include "dataplane/nat/port_pool.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "tests/support/rounds.h"
#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

net::IpAddress v4(std::string_view text) { return *net::parse_ip(text); }

constexpr uint16_t kWorkers[] = {1, 2, 3, 8, 64, 255};

const std::vector<PortPool::Range> kTwoRanges = {{v4("203.0.113.16"), v4("203.0.113.18")},
                                                 {v4("198.51.100.9"), v4("198.51.100.9")}};

TEST(PortPool, NamesItsAddressesByNumber) {
  const PortPool pool(kTwoRanges, 1'024, 65'535, 2);
  ASSERT_EQ(pool.addresses(), 4u);
  const char* all[] = {"203.0.113.16", "203.0.113.17", "203.0.113.18", "198.51.100.9"};
  for (uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(pool.address(i), v4(all[i]));
    EXPECT_EQ(pool.index_of(v4(all[i])), i);
  }
  for (const char* other : {"203.0.113.15", "203.0.113.19", "198.51.100.10", "2001:db8::1"})
    EXPECT_FALSE(pool.index_of(v4(other))) << other;
  EXPECT_EQ(pool.capacity(), 4u * 64'512);
}

TEST(PortPool, CountsIpv6AcrossTheLow64Bits) {
  const PortPool pool({{v4("2001:db8::ffff:ffff:ffff:fffe"), v4("2001:db8:0:1::1")}}, 1, 65'535, 1);
  ASSERT_EQ(pool.addresses(), 4u);
  EXPECT_EQ(pool.address(2), v4("2001:db8:0:1::"));
  EXPECT_EQ(pool.index_of(v4("2001:db8:0:1::1")), 3u);
}

TEST(PortPool, EveryPortBelongsToOneWorkerAndIsGivenOutOnce) {
  for (const uint16_t workers : kWorkers) {
    PortPool pool({{v4("203.0.113.1"), v4("203.0.113.1")}}, 1'000, 9'999, workers);
    std::set<uint16_t> seen;
    test::RandomInput random(workers);
    for (uint16_t w = 0; w < workers; ++w) {
      for (;;) {
        const auto port =
            pool.take(static_cast<WorkerIndex>(w), 0, PortClass::udp, static_cast<uint16_t>(random.word()),
                      static_cast<uint32_t>(random.word()));
        if (!port) break;
        ASSERT_GE(*port, 1'000);
        ASSERT_LE(*port, 9'999);
        ASSERT_EQ(block_owner(*port, workers), w);
        ASSERT_TRUE(seen.insert(*port).second) << *port << " twice";
      }
    }
    EXPECT_EQ(seen.size(), 9'000u) << workers << " workers";
    EXPECT_EQ(pool.use().taken, 9'000u);
  }
}

TEST(PortPool, PreservesAPortThatIsTheWorkersAndFree) {
  PortPool pool({{v4("203.0.113.1"), v4("203.0.113.1")}}, 1'024, 65'535, 2);
  const uint16_t own = 1'024 + 7, others = 1'024 + 64 + 7;
  EXPECT_EQ(block_owner(own, 2), 0);
  EXPECT_EQ(pool.take(0, 0, PortClass::tcp, own, 1), own);
  EXPECT_NE(pool.take(0, 0, PortClass::tcp, own, 1), own) << "taken";
  EXPECT_NE(pool.take(0, 0, PortClass::tcp, others, 1), others) << "the other worker's";
  EXPECT_EQ(pool.take(1, 0, PortClass::tcp, others, 1), others);
  EXPECT_NE(pool.take(0, 0, PortClass::tcp, 80, 1), 80) << "none of the pool's";
  EXPECT_EQ(pool.take(0, 0, PortClass::udp, own, 1), own) << "protocols are apart";
  pool.give_back(0, 0, PortClass::tcp, own);
  EXPECT_EQ(pool.take(0, 0, PortClass::tcp, own, 1), own);
}

/// Against a set of what is taken, with giving back of what was never taken, too.
TEST(PortPool, AgreesWithASet) {
  test::RandomInput random(5);
  for (const uint16_t workers : kWorkers) {
    PortPool pool(kTwoRanges, 2'000, 2'000 + 400, workers);
    std::set<std::tuple<uint32_t, PortClass, uint16_t>> taken;
    const auto any_free = [&](WorkerIndex w, uint32_t address, PortClass kind) {
      for (uint16_t port = 2'000; port <= 2'400; ++port)
        if (block_owner(port, workers) == w && !taken.contains({address, kind, port})) return true;
      return false;
    };
    for (int i = 0; i < weir::test::rounds(40'000); ++i) {
      const auto w = static_cast<WorkerIndex>(random.below(workers));
      const auto address = static_cast<uint32_t>(random.below(pool.addresses()));
      const auto kind = static_cast<PortClass>(random.below(kPortClasses));
      const auto port = static_cast<uint16_t>(1'950 + random.below(500));
      switch (random.below(3)) {
        case 0: {
          const auto got = pool.take(w, address, kind, port, static_cast<uint32_t>(random.word()));
          ASSERT_EQ(got.has_value(), any_free(w, address, kind)) << i;
          if (got) {
            ASSERT_TRUE(taken.insert({address, kind, *got}).second) << i;
          }
          break;
        }
        case 1:
          if (pool.take_this(w, address, kind, port)) {
            ASSERT_TRUE(pool.has_port(port));
            ASSERT_TRUE(taken.insert({address, kind, port}).second) << i;
          }
          break;
        default:
          pool.give_back(w, address, kind, port);
          if (block_owner(port, workers) == w) taken.erase({address, kind, port});
          break;
      }
      ASSERT_EQ(pool.use().taken, taken.size()) << i;
    }
  }
}

TEST(PortPool, PortsAreNotTakenInOrder) {
  PortPool pool({{v4("203.0.113.1"), v4("203.0.113.1")}}, 1'024, 65'535, 1);
  test::RandomInput random(6);
  int neighbors = 0;
  uint16_t before = 0;
  for (int i = 0; i < 1'000; ++i) {
    const auto port = *pool.take(0, 0, PortClass::tcp, 0, static_cast<uint32_t>(random.word()));
    neighbors += port - before == 1;
    before = port;
  }
  EXPECT_LT(neighbors, 10);
}

TEST(PortPool, GivesOutOfSomePortsTheseAlone) {
  test::RandomInput random(64);
  for (const uint16_t workers : kWorkers) {
    for (int n = 0; n < 40; ++n) {
      PortPool pool({{v4("203.0.113.1"), v4("203.0.113.1")}}, 1'000, 60'000, workers);
      const auto first = static_cast<uint16_t>(random.below(65'000));
      const auto last = static_cast<uint16_t>(std::min<uint64_t>(first + random.below(300), 65'535));
      std::set<uint16_t> seen;
      for (uint16_t w = 0; w < workers; ++w) {
        while (const auto port = pool.take(static_cast<WorkerIndex>(w), 0, PortClass::udp,
                                           static_cast<uint16_t>(random.word()),
                                           static_cast<uint32_t>(random.word()), {first, last})) {
          ASSERT_TRUE(first <= *port && *port <= last && pool.has_port(*port)) << *port;
          ASSERT_EQ(block_owner(*port, workers), w);
          ASSERT_TRUE(seen.insert(*port).second);
        }
      }
      size_t expected = 0;
      for (uint32_t port = first; port <= last; ++port)
        expected += pool.has_port(static_cast<uint16_t>(port));
      ASSERT_EQ(seen.size(), expected) << first << "-" << last << ", " << workers << " workers";
    }
  }
}

}  // namespace
}  // namespace weir::dataplane
