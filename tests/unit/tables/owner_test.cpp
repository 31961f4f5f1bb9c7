#include "dataplane/decide/owner.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>
#include <vector>

#include "dataplane/session/session.h"
#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

constexpr std::array<uint16_t, 7> kWorkers = {1, 2, 3, 8, 64, 100, 255};

Snapshot snapshot_of(uint16_t workers) {
  Snapshot snapshot;
  snapshot.workers = workers;
  return snapshot;
}

TEST(Owner, OneForBothDirectionsAndTheErrorsAboutThem) {
  test::RandomInput random(7);
  for (const uint16_t workers : kWorkers) {
    const Snapshot snapshot = snapshot_of(workers);
    for (int i = 0; i < 20'000; ++i) {
      Tuple tuple = random.tuple(i % 2 == 0);
      if (random.one_in(8)) tuple.dst = tuple.src;
      if (random.one_in(8)) tuple.dst_port = tuple.src_port;
      const WorkerIndex owner = owner_of({.tuple = tuple}, snapshot);
      ASSERT_LT(owner, workers);
      ASSERT_EQ(owner_of({.tuple = tuple.reversed()}, snapshot), owner);
      // An ICMP error about a packet of either direction quotes that packet, and may arrive from anywhere.
      const Tuple quoted_by_forward_error = tuple, quoted_by_reverse_error = tuple.reversed();
      ASSERT_EQ(owner_of({.tuple = quoted_by_forward_error}, snapshot),
                owner_of({.tuple = quoted_by_reverse_error}, snapshot));
    }
  }
}

TEST(Owner, TheSameByKey) {
  test::RandomInput random(9);
  for (const uint16_t workers : kWorkers) {
    const Snapshot snapshot = snapshot_of(workers);
    for (int i = 0; i < 5'000; ++i) {
      const Tuple tuple = random.tuple(i % 2 == 0);
      const WorkerIndex by_key = tuple.src.is_v4() ? owner_of_key(key4_of(tuple, 3), snapshot)
                                                   : owner_of_key(key6_of(tuple, 3), snapshot);
      ASSERT_EQ(by_key, owner_of({.tuple = tuple}, snapshot));
    }
  }
}

TEST(Owner, FragmentsBetweenTwoHostsAgree) {
  test::RandomInput random(8);
  for (const uint16_t workers : kWorkers) {
    const Snapshot snapshot = snapshot_of(workers);
    std::set<WorkerIndex> seen;
    for (int i = 0; i < 5'000; ++i) {
      const Tuple first = random.tuple(i % 2 == 0);
      Tuple later = first;  // carries no ports
      later.src_port = later.dst_port = 0;
      const OwnerQuery query{.tuple = first, .fragment = true};
      const WorkerIndex owner = owner_of(query, snapshot);
      ASSERT_EQ(owner_of({.tuple = later, .fragment = true}, snapshot), owner);
      seen.insert(owner);
    }
    EXPECT_EQ(seen.size(), workers) << "all workers gather";
  }
}

/// Chi-square over bins: for an even spread its mean is bins - 1 and its deviation sqrt(2 (bins - 1)).
double chi_square_deviations(const std::vector<uint32_t>& bins) {
  double total = 0, sum = 0;
  for (const uint32_t n : bins) total += n;
  const double expected = total / static_cast<double>(bins.size());
  for (const uint32_t n : bins) sum += (n - expected) * (n - expected) / expected;
  const double freedom = static_cast<double>(bins.size()) - 1;
  return (sum - freedom) / std::sqrt(2 * freedom);
}

/// Conversations as networks have them: numbered hosts, one server, ephemeral ports.
struct Shape {
  const char* name;
  Tuple (*make)(uint32_t n);
};
const Shape kShapes[] = {
    {"one client, many ports",
     [](uint32_t n) {
       return Tuple{net::Ipv4{0x0a010002}, net::Ipv4{0x0a020003}, static_cast<uint16_t>(n), 443, 6};
     }},
    {"many clients, one server",
     [](uint32_t n) {
       return Tuple{net::Ipv4{0x0a010000 + n}, net::Ipv4{0x0a020003}, 40'000, 443, 6};
     }},
    {"hosts numbered alike on both sides, equal ports",
     [](uint32_t n) {
       return Tuple{net::Ipv4{0x0a010000 + n}, net::Ipv4{0x0a020000 + n}, 5'000, 5'000, 17};
     }},
    {"IPv6 hosts numbered alike",
     [](uint32_t n) {
       return Tuple{net::Ipv6{0x20010db800000001, n}, net::Ipv6{0x20010db800000002, n}, 5'000, 5'000, 17};
     }},
    {"IPv6, one client, many ports",
     [](uint32_t n) {
       return Tuple{net::Ipv6{0x20010db800000001, 1}, net::Ipv6{0x20010db800000002, 2},
                    static_cast<uint16_t>(n), 443, 6};
     }},
    {"echo requests with counted identifiers",
     [](uint32_t n) {
       return Tuple{net::Ipv4{0x0a010002}, net::Ipv4{0x0a020003}, static_cast<uint16_t>(n),
                    static_cast<uint16_t>(n), 1};
     }},
};

TEST(Owner, SpreadsEvenly) {
  for (const uint16_t workers : kWorkers) {
    if (workers == 1) continue;
    const Snapshot snapshot = snapshot_of(workers);
    for (const Shape& shape : kShapes) {
      std::vector<uint32_t> bins(workers);
      for (uint32_t n = 0; n < 60'000; ++n) ++bins[owner_of({.tuple = shape.make(n)}, snapshot)];
      EXPECT_LT(chi_square_deviations(bins), 6) << shape.name << ", " << workers << " workers";
    }
  }
}

/// The sessions of one worker have to use all buckets of its index.
TEST(Owner, IsNotCorrelatedWithTheSessionIndex) {
  constexpr uint32_t kBuckets = 1'024;
  for (const uint16_t workers : {uint16_t{2}, uint16_t{8}, uint16_t{64}}) {
    const Snapshot snapshot = snapshot_of(workers);
    std::vector<uint32_t> bins(kBuckets);
    test::RandomInput random(9);
    for (int i = 0; i < 400'000; ++i) {
      Tuple t = random.tuple(true);
      t.dst = net::Ipv4{0x0a020003};
      t.dst_port = 443;
      if (owner_of({.tuple = t}, snapshot) != 1) continue;
      const Key4 key{t.src.v4().value, t.dst.v4().value, t.src_port, t.dst_port, 1, t.protocol, 0};
      ++bins[static_cast<uint64_t>(hash_of(key)) * kBuckets >> 32];
    }
    EXPECT_LT(chi_square_deviations(bins), 6) << workers;
  }
}

}  // namespace
}  // namespace weir::dataplane
