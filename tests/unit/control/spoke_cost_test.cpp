// What a spoke that comes or goes costs the control thread, at any size of the hub: the counts must hardly
// grow with it, and no other spoke's sessions may notice.
#include <poll.h>
#include <spdlog/sinks/null_sink.h>

#include "fakes.h"
#include "mgmt/control/control.h"
#include "tests/support/spoke_cost.h"

namespace weir::test {
namespace {

using namespace dataplane;
using control::ChangeView;
using control::Control;
using enum config::ChangeVerb;

constexpr uint32_t kDomains = 4;
constexpr uint32_t kGroups = 100, kPrefixes = 100;  // prefixes of each group
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

/// Groups of prefixes and of the spokes that have a tag, as a policy has them, and rules between them.
config::ModelChanges policy_changes(uint32_t rules) {
  config::ModelChanges changes;
  for (uint32_t g = 0; g < kGroups; ++g) {
    config::Group group;
    group.name = "group-" + std::to_string(g);
    if (g % 10 == 9) {
      group.match = "tier-" + std::to_string(g);
    } else {
      for (uint32_t p = 0; p < kPrefixes; ++p)
        group.prefixes.push_back({net::Ipv4{ip("10.0.0.0").v4().value + ((g * kPrefixes + p) << 8)}, 24});
    }
    changes.push_back({add, std::move(group), {}});
  }
  for (uint32_t r = 0; r < rules; ++r) {
    config::PolicyRule rule;
    rule.id = "rule-" + std::to_string(r);
    rule.action = config::PolicyAction::allow;
    rule.from.groups = {"group-" + std::to_string(r % kGroups)};
    rule.to.groups = {"group-" + std::to_string(r / kGroups % kGroups)};
    rule.protocol = config::Protocol::tcp;
    rule.ports = {{static_cast<uint16_t>(1 + r % 1'000), static_cast<uint16_t>(1 + r % 1'000)}};
    changes.push_back({add, std::move(rule), {}});
  }
  return changes;
}

/// Control with everything around it, and workers that are always quiescent.
class CostHub {
 public:
  static constexpr uint32_t kMostRules = 20'000;

  CostHub(uint32_t spokes, uint32_t routes)
      : routes_(Routes::create({.routes = routes + 2 * spokes + 16'384, .domains = 64}).value()),
        adjacencies_(AdjacencyTable::create(64).value()),
        board_(spokes + 64),
        log_("cost", std::make_shared<spdlog::sinks::null_sink_st>()),
        builder_([] {}) {
    model::StartFacts facts = one_port();
    facts.policy_rules = kMostRules;
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
    // Much policy is compiled beside.
    for (int i = 0; i < 10'000 && !done; ++i) {
      pollfd fd{mailbox_.fd(), POLLIN, 0};
      poll(&fd, 1, 10);
      control_->turn(++now_, false);
    }
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
  /// What routes take, beside operator new.
  int64_t bytes_of_routes() const {
    return static_cast<int64_t>(routes_->bytes() + routes_->control_bytes());
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

SpokeCost cost_at(uint32_t spokes, uint32_t routes) {
  CostHub hub(spokes, routes);
  for (uint32_t d = 0; d < kDomains; ++d) {
    config::Domain domain;
    domain.name = name_of_domain(d);
    hub.transact({{add, domain, {}}});
  }
  hub.transact(policy_changes(size_from("WEIR_RULES", 500)));
  for (uint32_t n = 0; n < spokes; ++n)
    hub.transact(spoke_changes(add, n, routes / spokes, ip("32.0.0.0").v4().value));
  const auto versions = hub.versions(spokes);
  const size_t snapshots = hub.snapshots();

  const SpokeCost cost = measure_spoke_cost(
      [&](bool adds) {
        return spoke_changes(adds ? add : remove, spokes + 7, kOwnPrefixes, ip("96.0.0.0").v4().value);
      },
      [&](config::ModelChanges changes) { hub.transact(std::move(changes)); },
      [&] { return hub.bytes_of_routes(); }, [&] { hub.purged(); });
  EXPECT_EQ(hub.versions(spokes), versions) << "sessions of others are decided again";
  EXPECT_EQ(hub.snapshots(), snapshots) << "what workers read as a whole was made anew";
  return cost;
}

TEST(SpokeCost, HardlyGrowsWithTheHub) { expect_that_cost_hardly_grows(cost_at); }

}  // namespace
}  // namespace weir::test
