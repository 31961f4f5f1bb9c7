// The benchmarks' routing tables have the shape that they claim, and the model that judges the contenders is
// right about them.
#include "bench/bgp_routes.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "dataplane/fib/routes.h"

namespace weir::bench {
namespace {

using net::Family;

std::array<size_t, 129> lengths_of(const std::vector<Route>& entries) {
  std::array<size_t, 129> count{};
  for (const auto& e : entries) ++count[e.prefix.length];
  return count;
}

TEST(BgpRoutes, SharesOfLengthsAddUp) {
  uint32_t sum4 = 0, sum6 = 0;
  for (const auto& s : kLengths4) sum4 += s.share;
  for (const auto& s : kLengths6) sum6 += s.share;
  EXPECT_EQ(sum4, 100'000u);
  EXPECT_EQ(sum6, 100'000u);
}

TEST(BgpRoutes, LengthsAreDistributedAsTheySay) {
  constexpr size_t kCount = 100'000;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto count = lengths_of(BgpRoutes::make(family, kCount));
    size_t named = 0;
    const std::span<const LengthShare> shares =
        family == Family::ipv4 ? std::span<const LengthShare>(kLengths4) : kLengths6;
    for (const auto& s : shares) {
      named += count[s.length];
      // Six standard deviations of a count that is drawn.
      const double off = static_cast<double>(count[s.length]) - s.share;
      EXPECT_LE(off * off, 36.0 * s.share + 36) << "length " << int{s.length};
    }
    EXPECT_EQ(named, kCount) << "prefixes of other lengths";
  }
}

TEST(BgpRoutes, TheSeedDecidesAll) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto one = BgpRoutes::make(family, 1'000, 7), same = BgpRoutes::make(family, 1'000, 7),
               other = BgpRoutes::make(family, 1'000, 8);
    bool differs = false;
    for (size_t i = 0; i < one.size(); ++i) {
      ASSERT_EQ(one[i].prefix, same[i].prefix);
      ASSERT_EQ(one[i].target, same[i].target);
      differs |= one[i].prefix != other[i].prefix;
    }
    EXPECT_TRUE(differs);
    EXPECT_EQ(covered_addresses(one, 100, 3), covered_addresses(same, 100, 3));
    EXPECT_NE(covered_addresses(one, 100, 3), covered_addresses(same, 100, 4));
  }
}

TEST(BgpRoutes, PrefixesAreInOrderOnceAndWhole) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto entries = BgpRoutes::make(family, 20'000);
    ASSERT_EQ(entries.size(), 20'000u);
    for (size_t i = 0; i < entries.size(); ++i) {
      const net::Prefix& p = entries[i].prefix;
      ASSERT_EQ(p.address.family, family);
      ASSERT_EQ(net::masked(p.address, p.length), p.address) << net::to_string(p);
      ASSERT_FALSE(net::is_martian(p.address)) << net::to_string(p);
      ASSERT_EQ(entries[i].target, target_of(i));
      ASSERT_TRUE(i == 0 || entries[i - 1].prefix < p) << net::to_string(p);
      ASSERT_TRUE(p.address.is_v4() || net::parse_prefix("2000::/3")->contains(p)) << net::to_string(p);
    }
  }
}

/// Of the prefixes, in 1/100: those that lie in a wider one of the table.
size_t nested_percent(const std::vector<Route>& entries) {
  const RouteModel model(entries);
  size_t nested = 0;
  for (const auto& e : entries) nested += model.length(e.prefix.address, e.prefix.length) != 0;
  return nested * 100 / entries.size();
}

TEST(BgpRoutes, PrefixesNest) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const size_t percent = nested_percent(BgpRoutes::make(family, 50'000));
    EXPECT_GE(percent, 40u) << (family == Family::ipv4 ? "IPv4" : "IPv6");
    EXPECT_LE(percent, 75u) << (family == Family::ipv4 ? "IPv4" : "IPv6");
  }
}

TEST(BgpRoutes, Ipv6LiesInAllocations) {
  const auto entries = BgpRoutes::make(Family::ipv6, 50'000);
  std::set<uint64_t> blocks;
  for (const auto& e : entries) blocks.insert(top_bits(e.prefix.address) & top_mask(29));
  EXPECT_LE(blocks.size(), entries.size() / 4);
}

TEST(BgpRoutes, TheModelAgreesWithWeirsTable) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto entries = BgpRoutes::make(family, 5'000);
    const RouteModel model(entries);
    const dataplane::DomainId domain = dataplane::DomainId::make(0, 1);
    const auto routes = dataplane::Routes::create({.routes = 10'000, .domains = 1}).value();
    ASSERT_TRUE(routes->add_domain(domain));
    for (const Route& r : entries) {
      dataplane::NextHop hop;
      hop.attachment.value = r.target;
      ASSERT_TRUE(routes->set(domain, r.prefix, std::span(&hop, 1)));
    }
    auto addresses = covered_addresses(entries, 5'000);
    for (const auto& address : addresses) ASSERT_NE(model.lookup(address), 0u) << net::to_string(address);
    for (const auto& e : entries) {
      addresses.push_back(e.prefix.first());
      addresses.push_back(e.prefix.last());
    }
    for (uint32_t i = 0; i < 1'000; ++i) {
      addresses.push_back(family == Family::ipv4 ? net::IpAddress(net::Ipv4{i * 0x9e37'79b1})
                                                 : net::IpAddress(net::Ipv6{uint64_t{i} << 54, 1}));
    }
    for (const auto& address : addresses) {
      const auto match = routes->lookup_own(domain, address);
      const uint32_t target = match ? match.target->members.front().attachment.value : 0;
      ASSERT_EQ(model.lookup(address), target) << net::to_string(address);
      ASSERT_EQ(model.length(address, 129), match.length) << net::to_string(address);
    }
  }
}

}  // namespace
}  // namespace weir::bench
