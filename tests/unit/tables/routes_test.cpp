#include "dataplane/fib/routes.h"

#include <gtest/gtest.h>

#include <random>

#include "bench/bgp_routes.h"
#include "dataplane/fib/route_changes.h"
#include "tests/support/rounds.h"
#include "tests/unit/tables/slow_routes.h"

namespace weir::dataplane {
namespace {

using test::SlowRoutes;

net::Prefix prefix(std::string_view text) { return net::parse_prefix(text).value(); }
net::IpAddress ip(std::string_view text) { return net::parse_ip(text).value(); }
DomainId domain(uint32_t slot) { return DomainId::make(slot, 1); }

std::vector<NextHop> hop(uint32_t attachment, uint32_t weight = 1) {
  NextHop h;
  h.attachment = AttachmentId::make(attachment, 1);
  h.domain = domain(0);
  h.weight = weight;
  return {h};
}

std::unique_ptr<Routes> make_routes(uint32_t domains = 8, uint32_t routes = 10'000) {
  auto made = Routes::create({.routes = routes, .domains = domains}).value();
  for (uint32_t d = 0; d < domains; ++d) EXPECT_TRUE(made->add_domain(domain(d)));
  return made;
}

void settle(Routes& routes) { routes.finish(routes.take_pending()); }

uint32_t attachment_of(const Routes::Match& m) {
  return m && !m.target->members.empty() ? m.target->members.front().attachment.index() : ~0u;
}

TEST(Routes, LimitsOutsideOfTheirRangeAreRefused) {
  EXPECT_FALSE(Routes::create({.routes = 0, .domains = 1}));
  EXPECT_FALSE(Routes::create({.routes = 1, .domains = 65'536}));
  EXPECT_TRUE(Routes::create({}));
}

TEST(Routes, TheLongestOfTheDomainsOwnWins) {
  const auto routes = make_routes();
  for (const auto& [text, attachment] :
       std::vector<std::pair<const char*, uint32_t>>{{"0.0.0.0/0", 1},
                                                     {"10.0.0.0/8", 2},
                                                     {"10.1.0.0/16", 3},
                                                     {"10.1.1.0/24", 4},
                                                     {"10.1.1.1/32", 5},
                                                     {"10.1.0.0/17", 6},
                                                     {"::/0", 7},
                                                     {"2001:db8::/32", 8},
                                                     {"2001:db8::1/128", 9}}) {
    ASSERT_TRUE(routes->set(domain(0), prefix(text), hop(attachment)));
  }
  const auto at = [&](const char* text) { return attachment_of(routes->lookup_own(domain(0), ip(text))); };
  EXPECT_EQ(at("9.9.9.9"), 1u);
  EXPECT_EQ(at("10.2.3.4"), 2u);
  EXPECT_EQ(at("10.1.200.1"), 3u);
  EXPECT_EQ(at("10.1.2.3"), 6u);
  EXPECT_EQ(at("10.1.1.2"), 4u);
  EXPECT_EQ(at("10.1.1.1"), 5u);
  EXPECT_EQ(at("ff00::1"), 7u);
  EXPECT_EQ(at("2001:db8::2"), 8u);
  EXPECT_EQ(at("2001:db8::1"), 9u);
  EXPECT_FALSE(routes->lookup_own(domain(1), ip("10.1.1.1")));
  EXPECT_EQ(routes->size(), 9u);
  EXPECT_EQ(routes->size(domain(1)), 0u);
}

TEST(Routes, ADomainWithAnotherGenerationIsNotThere) {
  const auto routes = make_routes();
  ASSERT_TRUE(routes->set(domain(0), prefix("10.0.0.0/8"), hop(1)));
  const DomainId next = DomainId::make(0, 2);
  EXPECT_FALSE(routes->lookup_own(next, ip("10.0.0.1")));
  EXPECT_FALSE(routes->set(next, prefix("10.0.0.0/8"), hop(1)));
  EXPECT_FALSE(routes->add_domain(next)) << "the index is taken still";
  routes->remove_domain(domain(0));
  ASSERT_TRUE(routes->add_domain(next));
  settle(*routes);
  EXPECT_FALSE(routes->lookup_own(next, ip("10.0.0.1")));
  EXPECT_EQ(routes->size(), 0u);
}

TEST(Routes, ABlackholeIsFoundAndHasNoMembers) {
  const auto routes = make_routes();
  ASSERT_TRUE(routes->set(domain(0), prefix("10.0.0.0/8"), {}));
  const Routes::Match match = routes->lookup_own(domain(0), ip("10.0.0.1"));
  ASSERT_TRUE(match);
  EXPECT_TRUE(match.target->members.empty());
}

TEST(Routes, FullOfRoutesSaysSoAndChangesNothing) {
  const auto routes = make_routes(2, 3);
  for (const char* text : {"10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"}) {
    ASSERT_TRUE(routes->set(domain(0), prefix(text), hop(1)));
  }
  EXPECT_EQ(routes->room(), 0u);
  const Status more = routes->set(domain(1), prefix("10.3.0.0/16"), hop(1));
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, ErrorCode::exhausted);
  EXPECT_FALSE(routes->lookup_own(domain(1), ip("10.3.0.1")));
  EXPECT_TRUE(routes->set(domain(0), prefix("10.2.0.0/16"), hop(2))) << "no more, only another";
  RouteChanges changes(*routes);
  changes.set(domain(1), prefix("10.3.0.0/16"), false);
  EXPECT_EQ(changes.excess(), 1u);
  changes.remove(domain(0), prefix("10.1.0.0/16"));
  EXPECT_EQ(changes.excess(), 0u);
}

TEST(Routes, OnlyConnectedDomainsExpose) {
  const auto routes = make_routes();
  ASSERT_TRUE(routes->set(domain(1), prefix("10.1.0.0/16"), hop(1)));
  Routes::ExposedMatch match = routes->lookup_exposed(domain(0), ip("10.1.0.1"));
  EXPECT_FALSE(match);
  EXPECT_TRUE(match.elsewhere);
  EXPECT_FALSE(routes->lookup_exposed(domain(0), ip("10.2.0.1")).elsewhere);
  ASSERT_TRUE(routes->connect(domain(0), domain(1)));
  match = routes->lookup_exposed(domain(0), ip("10.1.0.1"));
  ASSERT_TRUE(match);
  EXPECT_EQ(match.domain, domain(1));
  EXPECT_FALSE(routes->lookup_exposed(domain(0), ip("10.1.0.1"), 16)) << "not longer than the own one";
  ASSERT_TRUE(routes->connect(domain(0), domain(1), {}, std::vector{prefix("10.1.128.0/17")}));
  EXPECT_FALSE(routes->lookup_exposed(domain(0), ip("10.1.0.1"))) << "it is wider than what is exposed";
  ASSERT_TRUE(routes->connect(domain(0), domain(1), {}, std::vector{prefix("10.0.0.0/8")}));
  EXPECT_TRUE(routes->lookup_exposed(domain(0), ip("10.1.0.1")));
  routes->disconnect(domain(0), domain(1));
  EXPECT_FALSE(routes->lookup_exposed(domain(0), ip("10.1.0.1")));
}

TEST(Routes, AConflictNamesBothDomainsAndWhoSeesThem) {
  const auto routes = make_routes();
  ASSERT_TRUE(routes->connect(domain(0), domain(1)));
  ASSERT_TRUE(routes->connect(domain(0), domain(2)));
  ASSERT_TRUE(routes->set(domain(1), prefix("10.1.0.0/16"), hop(1)));
  const auto found = routes->conflict(domain(2), prefix("10.1.0.0/16"), false);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->seen_by, domain(0));
  EXPECT_EQ(found->first, domain(2));
  EXPECT_EQ(found->second, domain(1));
  EXPECT_FALSE(routes->conflict(domain(2), prefix("10.1.0.0/17"), false));
  EXPECT_FALSE(routes->conflict(domain(3), prefix("10.1.0.0/16"), false)) << "nobody sees both";
  ASSERT_TRUE(routes->set(domain(3), prefix("10.1.0.0/16"), hop(1)));
  const auto connected = routes->conflict_if_connected(domain(3), domain(0), {}, {});
  ASSERT_TRUE(connected);
  EXPECT_EQ(connected->seen_by, domain(0));
  EXPECT_FALSE(routes->conflict_if_connected(domain(3), domain(0), std::vector<net::Prefix>{}, {}));
}

TEST(Routes, ADefaultRouteKeepsItsSessionsWhenASpokeComes) {
  const auto routes = make_routes();
  ASSERT_TRUE(routes->set(domain(0), prefix("0.0.0.0/0"), hop(1)));
  ASSERT_TRUE(routes->set(domain(0), prefix("10.1.0.0/24"), hop(2)));  // the first one under it moves all
  settle(*routes);
  const RouteCell far = routes->lookup_own(domain(0), ip("192.0.2.1")).cell;
  const RouteCell near = routes->lookup_own(domain(0), ip("10.1.7.1")).cell;
  const uint32_t far_version = routes->version(far), near_version = routes->version(near);
  ASSERT_TRUE(routes->set(domain(0), prefix("10.1.7.0/24"), hop(3)));
  settle(*routes);
  EXPECT_EQ(routes->version(far), far_version);
  EXPECT_NE(routes->version(near), near_version);
  ASSERT_TRUE(routes->set(domain(0), prefix("0.0.0.0/0"), hop(4)));
  settle(*routes);
  EXPECT_NE(routes->version(far), far_version);
}

// --- against the slow model ---

/// Random changes among few prefixes, so that they meet: of nodes, of domains, of lengths.
class RandomHub {
 public:
  static constexpr uint32_t kDomains = 5;
  explicit RandomHub(uint64_t seed) : random_(seed), routes_(make_routes(kDomains)) {
    for (uint32_t d = 0; d < kDomains; ++d) slow_.routes[domain(d)];
    for (int i = 0; i < 40; ++i) addresses_.push_back(random_address());
  }

  Routes& routes() { return *routes_; }
  SlowRoutes& slow() { return slow_; }
  const std::vector<net::IpAddress>& addresses() const { return addresses_; }
  /// True: a connection went, which moves no versions.
  bool change() {
    const DomainId a = domain(pick(kDomains)), b = domain(pick(kDomains));
    const uint32_t what = pick(100);
    if (what < 55) {
      const net::Prefix p = random_prefix();
      const auto members = pick(8) == 0 ? std::vector<NextHop>{} : hop(pick(3));
      EXPECT_TRUE(routes_->set(a, p, members));
      slow_.routes[a][p] = members;
    } else if (what < 90) {
      auto& own = slow_.routes[a];
      if (own.empty()) return false;
      auto at = std::next(own.begin(), pick(static_cast<uint32_t>(own.size())));
      EXPECT_TRUE(routes_->remove(a, at->first));
      own.erase(at);
      EXPECT_FALSE(routes_->remove(a, prefix("203.0.113.0/24")));
    } else if (what < 96) {
      if (a == b) return false;
      const Routes::Exposure from_a = random_exposure(), from_b = random_exposure();
      EXPECT_TRUE(routes_->connect(a, b, from_a, from_b));
      slow_.links[{a, b}] = from_b;
      slow_.links[{b, a}] = from_a;
    } else if (what < 99) {
      routes_->disconnect(a, b);
      slow_.links.erase({a, b});
      slow_.links.erase({b, a});
      return true;
    } else {
      routes_->remove_domain(a);
      EXPECT_TRUE(routes_->add_domain(a));
      slow_.routes[a].clear();
      std::erase_if(slow_.links, [&](const auto& l) { return l.first.first == a || l.first.second == a; });
      return true;
    }
    return false;
  }
  uint32_t pick(uint32_t n) { return static_cast<uint32_t>(random_() % n); }
  net::Prefix random_prefix() {
    const net::IpAddress a = random_address();
    const uint8_t width = a.is_v4() ? 32 : 128;
    // Some very short ones, most of about the length of what the addresses differ in.
    const auto length = static_cast<uint8_t>(pick(4) == 0 ? pick(width + 1u) : width - pick(16));
    return {net::masked(a, length), length};
  }

 private:
  net::IpAddress random_address() {
    const uint64_t low = random_() & random_() & 0x0fff;
    const uint64_t high = random_() % 3;
    if (pick(2) == 0) return net::Ipv4{static_cast<uint32_t>(0x0a00'0000 | high << 16 | low)};
    return net::Ipv6{0x2001'0db8'0000'0000 | high, low};
  }
  Routes::Exposure random_exposure() {
    if (pick(2) == 0) return {};
    std::vector<net::Prefix> list;
    for (uint32_t i = pick(4); i > 0; --i) list.push_back(random_prefix());
    return list;
  }

  std::mt19937_64 random_;
  std::unique_ptr<Routes> routes_;
  SlowRoutes slow_;
  std::vector<net::IpAddress> addresses_;
};

/// What decides in a domain for an address, as find_route() puts it together.
struct Decision {
  Routes::Match own, decides;
};
Decision decide(const Routes& routes, DomainId d, const net::IpAddress& address) {
  Decision x;
  x.own = routes.lookup_own(d, address);
  const Routes::ExposedMatch exposed = routes.lookup_exposed(d, address, x.own ? x.own.length : -1);
  x.decides = exposed ? static_cast<const Routes::Match&>(exposed) : x.own;
  return x;
}

void expect_same(const Routes::Match& got, const std::optional<SlowRoutes::Answer>& wanted, bool any_domain) {
  ASSERT_EQ(static_cast<bool>(got), wanted.has_value());
  if (!got) return;
  EXPECT_EQ(got.length, wanted->prefix.length);
  if (any_domain) return;
  EXPECT_EQ(got.domain, wanted->domain);
  EXPECT_EQ(got.target->members, wanted->members);
}

TEST(Routes, AnswersAsTheSlowModelThroughRandomChanges) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    RandomHub hub(seed);
    for (int step = 0; step < 1'500; ++step) {
      hub.change();
      if (hub.pick(3) == 0) settle(hub.routes());
      if (step % 5 != 0) continue;
      const std::set<net::Prefix> doubtful = hub.slow().conflicts();
      for (uint32_t d = 0; d < RandomHub::kDomains; ++d) {
        for (const net::IpAddress& a : hub.addresses()) {
          SCOPED_TRACE(std::to_string(seed) + "/" + std::to_string(step) + " " + net::to_string(a));
          const auto own = hub.slow().own(domain(d), a);
          expect_same(hub.routes().lookup_own(domain(d), a), own, false);
          const int longer_than = own ? own->prefix.length : -1;
          const auto exposed = hub.slow().exposed(domain(d), a, longer_than);
          const auto got = hub.routes().lookup_exposed(domain(d), a, longer_than);
          expect_same(got, exposed, exposed && doubtful.contains(exposed->prefix));
          if (!own && !exposed) {
            EXPECT_EQ(got.elsewhere, hub.slow().elsewhere(domain(d), a));
          }
          if (HasFailure()) return;
        }
      }
    }
    // Everything goes again, and with it all that it took.
    for (uint32_t d = 0; d < RandomHub::kDomains; ++d) hub.routes().remove_domain(domain(d));
    settle(hub.routes());
    EXPECT_EQ(hub.routes().size(), 0u);
  }
}

TEST(Routes, WhoeverWouldBeDecidedOtherwiseSeesAVersionMove) {
  for (uint64_t seed = 21; seed <= 26; ++seed) {
    RandomHub hub(seed);
    for (int i = 0; i < 60; ++i) hub.change();
    settle(hub.routes());
    for (int step = 0; step < weir::test::rounds(1'000); ++step) {
      struct Kept {
        DomainId domain;
        net::IpAddress address;
        SlowRoutes::Answer own, decides;  // empty prefix and no domain: none
        RouteCell own_cell, cell;
        uint32_t own_version, version;
      };
      std::vector<Kept> kept;
      const auto answers = [&](DomainId d, const net::IpAddress& a) {
        const auto own = hub.slow().own(d, a);
        const auto exposed = hub.slow().exposed(d, a, own ? own->prefix.length : -1);
        return std::pair(own.value_or(SlowRoutes::Answer{}),
                         exposed ? *exposed : own.value_or(SlowRoutes::Answer{}));
      };
      for (uint32_t d = 0; d < RandomHub::kDomains; ++d) {
        for (size_t i = 0; i < 12; ++i) {
          const net::IpAddress a = hub.addresses()[i];
          const Decision x = decide(hub.routes(), domain(d), a);
          const auto [own, decides] = answers(domain(d), a);
          kept.push_back({domain(d), a, own, decides, x.own.cell, x.decides.cell,
                          hub.routes().version(x.own.cell), hub.routes().version(x.decides.cell)});
        }
      }
      const bool only_less = hub.change();
      settle(hub.routes());
      if (only_less) continue;
      const std::set<net::Prefix> doubtful = hub.slow().conflicts();
      for (const Kept& k : kept) {
        SCOPED_TRACE(std::to_string(seed) + "/" + std::to_string(step) + " " + net::to_string(k.address));
        const auto [own, decides] = answers(k.domain, k.address);
        if (k.own.domain.valid() && !(own == k.own)) {
          EXPECT_NE(hub.routes().version(k.own_cell), k.own_version);
        }
        if (k.decides.domain.valid() && !(decides == k.decides) && !doubtful.contains(k.decides.prefix) &&
            !doubtful.contains(decides.prefix)) {
          EXPECT_NE(hub.routes().version(k.cell), k.version)
              << net::to_string(k.decides.prefix) << " of " << k.decides.domain.index() << " was, now "
              << net::to_string(decides.prefix) << " of " << decides.domain.index();
        }
        if (HasFailure()) return;
      }
    }
  }
}

TEST(Routes, ToldInTheOrderOfAddresses) {
  RandomHub hub(31);
  for (int i = 0; i < 800; ++i) {
    hub.change();
    settle(hub.routes());
  }
  for (uint32_t d = 0; d < RandomHub::kDomains; ++d) {
    std::vector<net::Prefix> told;
    hub.routes().for_each(domain(d), [&](const net::Prefix& p, const RouteTarget& target) {
      told.push_back(p);
      EXPECT_EQ(target.members, hub.slow().routes[domain(d)].at(p));
      return true;
    });
    std::vector<net::Prefix> wanted;
    for (const auto& [p, members] : hub.slow().routes[domain(d)]) wanted.push_back(p);
    EXPECT_EQ(told, wanted);
    EXPECT_EQ(hub.routes().size(domain(d)), wanted.size());
  }
}

TEST(Routes, ConflictsOfATransactionAreThoseOfTheStateAfterIt) {
  int with = 0, without = 0;
  for (uint64_t seed = 41; seed <= 240; ++seed) {
    RandomHub hub(seed);
    for (int i = 0; i < 40; ++i) hub.change();
    if (!hub.slow().conflicts().empty()) continue;  // it is never applied, so it never is the state before
    RouteChanges changes(hub.routes());
    SlowRoutes after = hub.slow();
    for (int i = 0; i < 6; ++i) {
      const DomainId a = domain(hub.pick(5)), b = domain(hub.pick(5));
      const net::Prefix p = hub.random_prefix();
      switch (hub.pick(4)) {
        case 0: {
          // Mostly one that another domain has.
          const auto& others = after.routes[b];
          const net::Prefix mine = others.empty() ? p : others.begin()->first;
          const bool blackhole = hub.pick(2) == 0;
          changes.set(a, mine, blackhole);
          after.routes[a][mine] = blackhole ? std::vector<NextHop>{} : hop(1);
          break;
        }
        case 1: {
          auto& own = after.routes[a];
          if (own.empty()) break;
          const net::Prefix gone = own.begin()->first;
          changes.remove(a, gone);
          own.erase(gone);
          changes.set(b, gone, false);
          after.routes[b][gone] = hop(2);
          break;
        }
        case 2:
          if (a == b) break;
          changes.connect(a, b);
          after.links[{a, b}] = after.links[{b, a}] = {};
          break;
        case 3:
          changes.disconnect(a, b);
          after.links.erase({a, b});
          after.links.erase({b, a});
          break;
      }
    }
    std::set<net::Prefix> told;
    for (const auto& c : changes.conflicts(1'000)) told.insert(c.prefix);
    EXPECT_EQ(told, after.conflicts()) << seed;
    (told.empty() ? without : with)++;
  }
  EXPECT_GT(with, 10);
  EXPECT_GT(without, 10);
}

// --- memory ---

TEST(Routes, AnEmptyDomainCostsAlmostNothing) {
  const auto routes = Routes::create({}).value();
  const size_t before = routes->bytes();
  for (uint32_t d = 0; d < 1'000; ++d) {
    ASSERT_TRUE(routes->add_domain(domain(d)));
    ASSERT_TRUE(routes->set(domain(d), prefix("10.0.0.0/24"), hop(1)));
    ASSERT_TRUE(routes->set(domain(d), prefix("fd00::/64"), hop(1)));
    ASSERT_TRUE(routes->remove(domain(d), prefix("10.0.0.0/24")));
    ASSERT_TRUE(routes->remove(domain(d), prefix("fd00::/64")));
    settle(*routes);
  }
  EXPECT_LE((routes->bytes() - before) / 1'000, 16u << 10);
  EXPECT_LE((routes->bytes() - before) / 1'000, 4u << 10) << "two roots";
}

struct Filled {
  std::unique_ptr<Routes> routes = Routes::create({}).value();
  size_t count = 0;
  void add(DomainId d, const std::vector<bench::Route>& list) {
    for (const auto& r : list) ASSERT_TRUE(routes->set(d, r.prefix, hop(1 + r.target % 200)));
    count += list.size();
  }
};

TEST(Routes, AFullTableTakesAtMost128MiB) {
  if (weir::test::kSanitized) GTEST_SKIP() << "it counts memory, of what other tests do at length";
  Filled hub;
  ASSERT_TRUE(hub.routes->add_domain(domain(0)));
  hub.add(domain(0), bench::BgpRoutes::make(net::Family::ipv4, 1'000'000));
  hub.add(domain(0), bench::BgpRoutes::make(net::Family::ipv6, 250'000));
  EXPECT_LE(hub.routes->bytes(), 128u << 20);
  RecordProperty("bytes", std::to_string(hub.routes->bytes()));
  RecordProperty("control_bytes", std::to_string(hub.routes->control_bytes()));
}

TEST(Routes, AFullTableSpreadOverAThousandDomainsTakesAtMost192MiB) {
  if (weir::test::kSanitized) GTEST_SKIP() << "it counts memory, of what other tests do at length";
  Filled hub;
  for (uint32_t d = 0; d < 1'000; ++d) {
    ASSERT_TRUE(hub.routes->add_domain(domain(d)));
    hub.add(domain(d), bench::BgpRoutes::make(net::Family::ipv4, 1'000, d + 1));
    hub.add(domain(d), bench::BgpRoutes::make(net::Family::ipv6, 250, d + 1));
  }
  EXPECT_LE(hub.routes->bytes(), 192u << 20);
  RecordProperty("bytes", std::to_string(hub.routes->bytes()));
}

}  // namespace
}  // namespace weir::dataplane
