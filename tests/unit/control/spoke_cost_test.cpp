// What a spoke that comes or goes costs the control thread, at any size of the hub: the counts must hardly
// grow with it, and no other spoke's sessions may notice.
//
// Memory is counted through operator new, so this has a binary of its own. The time, of the CPU, is only
// shown; the goal is 5 ms at the 99th percentile.
#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>

#include "fakes.h"
#include "mgmt/control/control.h"
#include "tests/support/counted_new.h"

namespace weir::test {
namespace {

using namespace dataplane;
using control::ChangeView;
using control::Control;
using enum config::ChangeVerb;

constexpr uint32_t kDomains = 4;
constexpr uint32_t kOwnPrefixes = 10;  // of the spoke that comes and goes, whatever the others have

std::string name_of_domain(uint32_t n) { return "d" + std::to_string(n % kDomains); }

net::Ipv4 remote_of(uint32_t n) { return {ip("198.19.0.0").v4().value + 1 + n}; }

/// A spoke with its gateway and some prefixes behind a router.
config::ModelChanges spoke_changes(config::ChangeVerb verb, uint32_t n, uint32_t prefixes, uint32_t first) {
  config::Attachment a;
  a.name = "spoke-" + std::to_string(n);
  a.domain = name_of_domain(n);
  a.tunnel.id = n + 1;
  a.tunnel.local = ip("198.18.0.1");
  a.tunnel.remote = remote_of(n);
  const net::Ipv4 subnet{ip("10.0.0.0").v4().value + n * 256};
  a.gateways = {{net::Ipv4{subnet.value + 1}, 24}};
  config::ModelChanges changes{{verb, a, {}}};
  for (uint32_t i = 0; i < prefixes; ++i) {
    config::Route r;
    r.domain = a.domain;
    r.prefix = {net::Ipv4{first + (n * prefixes + i) * 256}, 24};
    r.attachment = a.name;
    r.via = net::Ipv4{subnet.value + 2};
    changes.push_back({verb, std::move(r), {}});
  }
  return changes;
}

/// Control with everything around it, and workers that are always quiescent.
class CostHub {
 public:
  CostHub(uint32_t spokes, uint32_t routes)
      : routes_(Routes::create({.routes = routes + 2 * spokes + 16'384, .domains = 64}).value()),
        adjacencies_(AdjacencyTable::create(64).value()),
        board_(spokes + 64),
        log_("cost", std::make_shared<spdlog::sinks::null_sink_st>()),
        builder_([] {}) {
    model::StartFacts facts = one_port();
    auto live = std::make_unique<model::LiveModel>(
        facts, model::Tables{*routes_, std::make_shared<AttachmentTable>(spokes + 64),
                             std::make_shared<TunnelTable>(model::tunnel_entries(spokes + 64)),
                             adjacencies_.get(), &board_});
    dataplane_ = std::make_unique<FakeDataplane>(live->snapshot());
    control_ = std::make_unique<Control>(
        control::ControlParts{
            *dataplane_, underlay_, *adjacencies_, board_, builder_, mailbox_, log_, {}, {}, "1"},
        facts, std::move(live),
        control::FileConfig::of(parse(kTwoClouds.substr(0, kTwoClouds.find("[[domain]]")))), 0);
    underlay_.hops[remote_of(spokes + 7)] = {0, mac(0x020000000002), 1400, true};  // of the one that comes
    EXPECT_TRUE(control_->start());
  }

  void transact(config::ModelChanges changes) {
    bool done = false;
    control_->transact(std::move(changes), [&](const ChangeView& view) {
      done = true;
      if (!view.problems.empty()) ADD_FAILURE() << view.problems.front();
    });
    for (int i = 0; i < 8 && !done; ++i) control_->turn(++now_, false);
    EXPECT_TRUE(done);
  }
  /// The workers have purged what went, and the index is free again.
  void purged() {
    for (int i = 0; i < 2; ++i) {
      dataplane_->acknowledge();
      control_->turn(++now_, false);
    }
  }
  /// What sessions of the spokes that stay are decided by.
  std::vector<uint32_t> versions(uint32_t spokes) const {
    std::vector<uint32_t> all;
    const Snapshot& now = dataplane_->current();
    for (uint32_t n = 0; n < spokes; n += std::max(1u, spokes / 256)) {
      for (const auto& domain : now.domains) {
        if (domain == nullptr || domain->name != name_of_domain(n)) continue;
        const net::Ipv4 host{ip("10.0.0.0").v4().value + n * 256 + 9};
        all.push_back(now.routes->version(now.routes->lookup_own(domain->id, host).cell));
        all.push_back(now.policy->version(now.policy->find(domain->id, domain->id)));
      }
    }
    return all;
  }
  size_t snapshots() const { return dataplane_->published.size(); }
  /// All that is in use, of whatever kind.
  int64_t bytes() const {
    return counted_new::live + static_cast<int64_t>(routes_->bytes() + routes_->control_bytes());
  }

 private:
  std::unique_ptr<Routes> routes_;
  std::unique_ptr<AdjacencyTable> adjacencies_;
  AttachmentBoard board_;
  spdlog::logger log_;
  control::Mailbox mailbox_;
  FakeUnderlay underlay_;
  std::unique_ptr<FakeDataplane> dataplane_;
  std::unique_ptr<Control> control_;
  NanoTime now_ = 1;
  control::Builder builder_;
};

struct Cost {
  double add_p99_us = 0, remove_p99_us = 0;
  uint64_t allocations = 0;  // the most that one change made
  int64_t bytes = 0;         // the most that one change held at a time beyond what was there
};

double cpu_us() {
  timespec ts{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return static_cast<double>(ts.tv_sec) * 1e6 + static_cast<double>(ts.tv_nsec) / 1e3;
}

double p99(std::vector<double>& all) {
  std::sort(all.begin(), all.end());
  return all[all.size() * 99 / 100];
}

Cost cost_at(uint32_t spokes, uint32_t routes) {
  CostHub hub(spokes, routes);
  for (uint32_t d = 0; d < kDomains; ++d) {
    config::Domain domain;
    domain.name = name_of_domain(d);
    hub.transact({{add, domain, {}}});
  }
  for (uint32_t n = 0; n < spokes; ++n)
    hub.transact(spoke_changes(add, n, routes / spokes, ip("32.0.0.0").v4().value));
  const auto versions = hub.versions(spokes);
  const size_t snapshots = hub.snapshots();

  Cost cost;
  std::vector<double> add_us, remove_us;
  for (uint32_t round = 0; round < 200; ++round) {
    for (const auto verb : {add, remove}) {
      config::ModelChanges changes = spoke_changes(verb, spokes + 7, kOwnPrefixes, ip("96.0.0.0").v4().value);
      const int64_t held = hub.bytes(), counted = counted_new::live;
      const uint64_t before = counted_new::allocations;
      counted_new::most = counted_new::live;
      const double start = cpu_us();
      hub.transact(std::move(changes));
      (verb == add ? add_us : remove_us).push_back(cpu_us() - start);
      cost.allocations = std::max(cost.allocations, counted_new::allocations - before);
      cost.bytes = std::max({cost.bytes, hub.bytes() - held, counted_new::most - counted});
    }
    hub.purged();
  }
  EXPECT_EQ(hub.versions(spokes), versions) << "sessions of others are decided again";
  EXPECT_EQ(hub.snapshots(), snapshots) << "what workers read as a whole was made anew";
  cost.add_p99_us = p99(add_us);
  cost.remove_p99_us = p99(remove_us);
  return cost;
}

TEST(SpokeCost, HardlyGrowsWithTheHub) {
  // `make test-long` has the full size: WEIR_SPOKES=10000 WEIR_ROUTES=1000000.
  const auto number = [](const char* name, uint32_t fallback) {
    const char* text = std::getenv(name);
    return text != nullptr ? static_cast<uint32_t>(std::strtoul(text, nullptr, 10)) : fallback;
  };
  const uint32_t most = number("WEIR_SPOKES", 1'000), routes = number("WEIR_ROUTES", 50'000);
  std::printf("%8s %9s %14s %17s %12s %12s\n", "spokes", "routes", "add p99 [us]", "remove p99 [us]",
              "allocations", "new bytes");
  Cost first, last;
  for (uint32_t spokes = 10; spokes <= most; spokes *= 10) {
    const auto routes_here = static_cast<uint32_t>(static_cast<uint64_t>(routes) * spokes / most);
    last = cost_at(spokes, routes_here);
    if (spokes == 10) first = last;
    std::printf("%8u %9u %14.1f %17.1f %12lu %12ld\n", spokes, routes_here, last.add_p99_us,
                last.remove_p99_us, last.allocations, last.bytes);
  }
  EXPECT_LE(last.allocations, 3 * first.allocations);
  EXPECT_LE(last.bytes, 3 * first.bytes);
  EXPECT_LE(last.bytes, 64 * 1024);
}

}  // namespace
}  // namespace weir::test
