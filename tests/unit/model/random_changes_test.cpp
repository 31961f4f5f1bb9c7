// Transactions in random order against a slow model: what they say and what they leave behind is what a model
// says and holds that is built from scratch out of the resulting configuration.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "hub_model.h"

namespace weir::test {
namespace {

using enum ChangeVerb;

/// Few names, numbers and prefixes, so that changes meet.
class RandomChanges {
 public:
  explicit RandomChanges(uint32_t seed) : random_(seed) {}

  ModelChange next() {
    const auto verb = static_cast<ChangeVerb>(below(3));
    switch (below(8)) {
      case 0:
        return {verb, domain(domain_name()), {}};
      case 1:
      case 2:
      case 3:
        return {verb, attachment(), {}};
      case 4: {
        auto c = connection(domain_name(), domain_name());
        if (below(3) == 0) c.expose = {{prefix("10." + number(4) + ".0.0/16")}};
        return {verb, c, {}};
      }
      default:
        return {verb, some_route(), {}};
    }
  }
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }

 private:
  std::string number(uint32_t n) { return std::to_string(below(n)); }
  std::string domain_name() { return "d" + number(4); }
  std::string attachment_name() { return "a" + number(6); }
  config::Attachment attachment() {
    std::vector<std::string> gateways;
    for (uint32_t i = below(3); i > 0; --i)
      gateways.push_back("10." + number(4) + "." + number(3) + ".1/" + (below(4) != 0 ? "24" : "16"));
    return spoke(attachment_name(), domain_name(), below(10), gateways);
  }
  config::Route some_route() {
    const std::string to = "10." + number(4) + "." + (below(2) != 0 ? number(3) + ".0/24" : "0.0/16");
    if (below(5) == 0) return route(domain_name(), to, "");
    auto r = route(domain_name(), to, attachment_name(),
                   below(3) != 0 ? "" : "10." + number(4) + "." + number(3) + ".2");
    r.ecmp = below(2) != 0;
    r.weight = below(3);
    return r;
  }
  std::mt19937 random_;
};

template <typename Thing, typename Same>
bool edit(std::vector<Thing>& list, const ModelChange& change, const Thing& subject, const Same& same) {
  const auto at = std::find_if(list.begin(), list.end(), [&](const Thing& x) { return same(x, subject); });
  if (change.verb == add && at != list.end()) return false;
  if (change.verb == remove) {
    if (at == list.end()) return false;
    list.erase(at);
  } else if (at != list.end()) {
    *at = subject;
  } else {
    list.push_back(subject);
  }
  return true;
}

/// The change to the configuration; false: it cannot be made.
bool edit(config::Config& c, const ModelChange& change) {
  if (const auto* d = std::get_if<config::Domain>(&change.subject)) {
    return edit(c.domains, change, *d, [](const auto& x, const auto& y) { return x.name == y.name; });
  }
  if (const auto* a = std::get_if<config::Attachment>(&change.subject)) {
    return edit(c.attachments, change, *a, [](const auto& x, const auto& y) { return x.name == y.name; });
  }
  if (const auto* k = std::get_if<config::Connection>(&change.subject)) {
    return edit(c.connections, change, *k,
                [](const auto& x, const auto& y) { return std::minmax(x.a, x.b) == std::minmax(y.a, y.b); });
  }
  const auto& r = std::get<config::Route>(change.subject);
  const auto same = [](const auto& x, const auto& y) {
    return x.domain == y.domain && x.prefix == y.prefix && x.attachment == y.attachment && x.via == y.via &&
           x.blackhole == y.blackhole;
  };
  if (change.verb == replace && !r.ecmp) {
    std::erase_if(c.routes,
                  [&](const auto& x) { return x.domain == r.domain && x.prefix == r.prefix && !same(x, r); });
  }
  return edit(c.routes, change, r, same);
}

/// Makes random changes, as a model from scratch judges them too; `between` is called after each.
template <typename Between>
void make_changes(uint32_t seeds, const Between& between) {
  uint32_t made = 0, refused = 0;
  for (uint32_t seed = 0; seed < seeds; ++seed) {
    RandomChanges random(seed);
    HubModel hub;
    hub.transact({{add, domain("d0")}, {add, domain("d1")}});
    for (int step = 0; step < 150; ++step) {
      ModelChanges changes;
      for (uint32_t n = 1 + random.below(4); n > 0; --n) changes.push_back(random.next());
      const std::string before = hub.dump();
      config::Config wanted = hub.config();
      bool possible = true;
      for (const auto& change : changes) possible &= edit(wanted, change);
      HubModel scratch;
      const auto judged =
          possible ? scratch.transact(HubModel::changes_for(wanted)) : std::vector<std::string>{"impossible"};

      const auto problems = hub.transact(changes);
      ASSERT_EQ(problems.empty(), judged.empty()) << "seed " << seed << " step " << step << ": "
                                                  << (problems.empty() ? judged : problems).front() << "\n"
                                                  << before;
      if (!problems.empty()) {
        ASSERT_EQ(hub.dump(), before) << "seed " << seed << " step " << step;
      }
      between(hub, scratch, problems.empty(), random);
      ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed << " step " << step;
      ++(problems.empty() ? made : refused);
      for (const auto id : hub.last_removed) hub.live.release(id);
      hub.last_removed.clear();
    }
  }
  EXPECT_GT(made, 12 * seeds);
  EXPECT_GT(refused, 12 * seeds);
}

TEST(RandomChanges, LeaveWhatAModelBuiltFromScratchHolds) {
  make_changes(40, [](const HubModel& hub, const HubModel& scratch, bool made, RandomChanges&) {
    if (made) {
      EXPECT_EQ(hub.dump(), scratch.dump());
    }
  });
}

void settle(HubModel& hub, size_t most, bool all) {
  std::vector<config::Problem> warnings;
  for (int part = 0; !hub.live.settle_withdrawals(most, warnings) && all; ++part) ASSERT_LT(part, 1'000);
  EXPECT_TRUE(warnings.empty());
  hub.routes->finish(hub.routes->take_pending());
}

/// Attachments go down and come up between the changes, and what they take with them is withdrawn in parts,
/// of which the next change may find some not done: changes are judged as if all were up, and in the end the
/// tables hold what they hold where everything was withdrawn at once.
TEST(RandomChanges, FindWithdrawalsHalfDone) {
  uint32_t compared = 0;
  size_t absent = 0;
  make_changes(20, [&](HubModel& hub, HubModel&, bool, RandomChanges& random) {
    if (const auto& all = hub.live.attachments(); !all.empty() && random.below(2) != 0)
      hub.live.withdraw(std::next(all.begin(), random.below(static_cast<uint32_t>(all.size())))->second.id,
                        random.below(2) != 0);
    settle(hub, random.below(4), false);
    if (random.below(4) != 0) return;
    settle(hub, 1 + random.below(3), true);
    HubModel scratch;
    EXPECT_TRUE(scratch.transact(HubModel::changes_for(hub.config())).empty());
    for (const auto& [name, record] : hub.live.attachments())
      scratch.live.withdraw(scratch.attachment(name), hub.live.withdrawn(record.id));
    settle(scratch, ~size_t{0}, true);
    EXPECT_EQ(hub.dump(), scratch.dump());
    EXPECT_EQ(hub.live.absent(), scratch.live.absent());
    absent += hub.live.absent();
    ++compared;
  });
  EXPECT_GT(compared, 250u);
  EXPECT_GT(absent, 50u);
}

}  // namespace
}  // namespace weir::test
