// Address translation in the live model: what of it stays through changes, and what it forbids.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/model/hub_model.h"

namespace weir::test {
namespace {

config::Nat pool(const std::string& prefixes = "10.2.0.64/29") {
  config::Nat rule;
  rule.name = "out";
  rule.kind = config::NatKind::snat;
  rule.from = {"red"};
  rule.domain = "blue";
  rule.pool = {prefix(prefixes)};
  return rule;
}

config::Nat mapped() {
  config::Nat rule;
  rule.name = "mapped";
  rule.kind = config::NatKind::fixed;
  rule.domain = "red";
  rule.inside = prefix("10.1.0.0/24");
  rule.outside = prefix("100.64.1.0/24");
  return rule;
}

class NatModel : public testing::Test {
 protected:
  NatModel() {
    EXPECT_TRUE(hub_.transact({{ChangeVerb::add, domain("red"), {}},
                               {ChangeVerb::add, domain("blue"), {}},
                               {ChangeVerb::add, connection("red", "blue"), {}}})
                    .empty());
  }
  /// A reload that has these rules.
  std::vector<std::string> reload(std::vector<config::Nat> rules) {
    model::Transaction transaction(hub_.live, model::Origin::file);
    transaction.settings({{}, {}, {}, {}, std::move(rules), {}});
    return hub_.finish(transaction);
  }
  std::vector<uint32_t> policy_versions() const {
    std::vector<uint32_t> versions;
    for (const auto& c : hub_.snapshot->policy->connections()) versions.push_back(c.policy_version);
    return versions;
  }

  HubModel hub_;
};

TEST_F(NatModel, RulesComeAndGoWithASnapshotAndHaveEverySessionDecidedAgain) {
  EXPECT_EQ(hub_.snapshot->nat, nullptr);
  const auto before = policy_versions();
  ASSERT_TRUE(reload({pool()}).empty());
  ASSERT_NE(hub_.snapshot->nat, nullptr);
  const auto after = policy_versions();
  ASSERT_EQ(before.size(), after.size());
  for (const uint32_t old : before) EXPECT_EQ(std::count(after.begin(), after.end(), old), 0);
  ASSERT_TRUE(reload({pool()}).empty());
  EXPECT_EQ(policy_versions(), after) << "nothing has changed";
  ASSERT_TRUE(reload({}).empty());
  EXPECT_EQ(hub_.snapshot->nat, nullptr);
}

TEST_F(NatModel, PolicyRulesKeepTheirPlacesThroughAChange) {
  const auto rule = [](const char* id) {
    config::PolicyRule r;
    r.id = id;
    r.action = config::PolicyAction::allow;
    return r;
  };
  ASSERT_TRUE(hub_.transact({{ChangeVerb::add, rule("a"), {}}, {ChangeVerb::add, rule("b"), {}}}).empty());
  ASSERT_TRUE(hub_.transact({{ChangeVerb::remove, rule("a"), {}}}).empty());
  const auto place_of = [&](const std::string& id) {
    const auto& rules = hub_.snapshot->policy->rules();
    return std::find_if(rules.begin(), rules.end(), [&](const auto& r) { return r.id == id; }) -
           rules.begin();
  };
  ASSERT_EQ(place_of("b"), 1) << "by which sessions and hit counts name it";
  const auto before = policy_versions();
  ASSERT_TRUE(reload({pool()}).empty());
  EXPECT_EQ(place_of("b"), 1);
  const auto after = policy_versions();
  for (const uint32_t old : before) EXPECT_EQ(std::count(after.begin(), after.end(), old), 0);
}

TEST_F(NatModel, APoolThatIsTheSameKeepsWhatIsTakenOfIt) {
  ASSERT_TRUE(reload({pool()}).empty());
  const auto kept = hub_.snapshot->nat->rules().pools[0].pool;
  ASSERT_TRUE(reload({mapped(), pool()}).empty());
  EXPECT_EQ(hub_.snapshot->nat->rules().pools[0].pool, kept);
  ASSERT_TRUE(reload({pool("10.2.0.64/28")}).empty());
  EXPECT_NE(hub_.snapshot->nat->rules().pools[0].pool, kept);
}

TEST_F(NatModel, AMappedPrefixIsSeenByDomainsThatCome) {
  ASSERT_TRUE(reload({mapped()}).empty());
  const auto seen_by = [&] { return hub_.snapshot->nat->rules().fixed[0].seen_by.size(); };
  EXPECT_EQ(seen_by(), 1u);
  ASSERT_TRUE(hub_.transact({{ChangeVerb::add, domain("green"), {}}}).empty());
  EXPECT_EQ(seen_by(), 2u);
}

TEST_F(NatModel, ADomainThatARuleNamesStays) {
  ASSERT_TRUE(hub_.transact({{ChangeVerb::add, domain("green"), {}}}).empty());
  config::Nat rule = pool();
  rule.from.push_back("green");
  ASSERT_TRUE(reload({rule}).empty());
  const auto problems = hub_.transact({{ChangeVerb::remove, domain("green"), {}}});
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0], "nat rule \"out\" names domain \"green\", which would be gone");
  ASSERT_TRUE(reload({pool()}).empty());
  EXPECT_TRUE(hub_.transact({{ChangeVerb::remove, domain("green"), {}}}).empty());
}

}  // namespace
}  // namespace weir::test
