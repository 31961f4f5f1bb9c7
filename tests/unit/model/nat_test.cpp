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
                               {ChangeVerb::add, spoke("b", "blue", 2, {"10.2.0.1/24"}), {}},
                               {ChangeVerb::add, connection("red", "blue"), {}}})
                    .empty());
  }
  /// A reload that has these rules.
  std::vector<std::string> reload(std::vector<config::Nat> rules) {
    model::Transaction transaction(hub_.live, model::Origin::file);
    transaction.file_nat(file_, rules);
    auto problems = hub_.finish(transaction);
    if (problems.empty()) file_ = std::move(rules);
    return problems;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& rule : hub_.live.nat()) all.push_back(rule.config.name);
    return all;
  }
  std::vector<uint32_t> policy_versions() const {
    std::vector<uint32_t> versions;
    for (const auto& c : hub_.snapshot->policy->connections()) versions.push_back(c.policy_version);
    return versions;
  }

  HubModel hub_;
  std::vector<config::Nat> file_;  // as it was read the last time
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

using Names = std::vector<std::string>;

TEST_F(NatModel, RulesAtRunTimeStandBehindTheFilesAndOutliveItsReload) {
  ASSERT_TRUE(reload({pool()}).empty());
  ASSERT_TRUE(hub_.transact({{ChangeVerb::add, mapped(), {}}}).empty());
  EXPECT_EQ(hub_.last_changes, Names{"+ nat mapped"});
  EXPECT_EQ(names(), (Names{"out", "mapped"}));
  ASSERT_EQ(hub_.snapshot->nat->rules().fixed.size(), 1u);
  const auto kept = hub_.snapshot->nat->rules().pools[0].pool;

  config::Nat other = pool("10.2.0.72/29");
  other.name = "more";
  ASSERT_TRUE(reload({other, pool()}).empty());
  EXPECT_EQ(names(), (Names{"more", "out", "mapped"}));
  EXPECT_EQ(hub_.snapshot->nat->rules().pools[1].pool, kept);

  config::Nat wider = mapped();
  wider.outside = prefix("100.64.2.0/24");
  ASSERT_TRUE(hub_.transact({{ChangeVerb::replace, wider, {}}}).empty());
  EXPECT_EQ(hub_.last_changes, Names{"~ nat mapped: static.outside"});
  EXPECT_EQ(names(), (Names{"more", "out", "mapped"})) << "it stays where it is";

  ASSERT_TRUE(hub_.transact({{ChangeVerb::remove, mapped(), {}}}).empty());
  EXPECT_EQ(names(), (Names{"more", "out"}));
}

TEST_F(NatModel, FileAndRunTimeMayNotBothChangeARule) {
  ASSERT_TRUE(reload({pool()}).empty());
  ASSERT_TRUE(hub_.transact({{ChangeVerb::replace, pool("10.2.0.72/29"), {}}}).empty());
  EXPECT_EQ(
      reload({pool("10.2.0.80/29")}),
      Names{"nat rule \"out\" has been changed in the file and at run time; undo one of them, or save the "
            "configuration"});
  EXPECT_TRUE(reload({pool("10.2.0.72/29")}).empty()) << "to the same: it is the file's from now on";
  EXPECT_TRUE(reload({}).empty());
  EXPECT_EQ(names(), Names{});
}

TEST_F(NatModel, WhatDoesNotFitIsRefusedAsAWhole) {
  ASSERT_TRUE(reload({pool()}).empty());
  config::Nat overlapping = pool("10.2.0.64/30");
  overlapping.name = "again";
  overlapping.from = {"rid"};
  config::Nat lost = pool("203.0.113.0/29");
  lost.name = "lost";
  config::Nat own = pool("10.2.0.0/30");
  own.name = "own";
  EXPECT_EQ(
      hub_.transact(
          {{ChangeVerb::add, overlapping, {}}, {ChangeVerb::add, lost, {}}, {ChangeVerb::add, own, {}}}),
      (Names{"nat rule \"again\": no domain is called \"rid\"; the nearest is \"red\"",
             "nat rule \"lost\": 203.0.113.0/29 is in no subnet and no route of domain \"blue\", so nothing "
             "could ever come back",
             "nat rule \"own\": 10.2.0.1 is the hub's own address in attachment \"b\", where it has no "
             "sessions",
             "nat rule \"again\": overlaps with addresses of \"out\" in domain \"blue\""}));
  EXPECT_EQ(names(), Names{"out"});
  EXPECT_EQ(hub_.transact({{ChangeVerb::add, pool(), {}}}), Names{"nat rule \"out\" is there already"});
  EXPECT_EQ(hub_.transact({{ChangeVerb::remove, mapped(), {}}}), Names{"there is no nat rule \"mapped\""});
  // A route that comes in the same transaction will do.
  ASSERT_TRUE(
      hub_.transact({{ChangeVerb::add, lost, {}}, {ChangeVerb::add, route("blue", "203.0.113.0/24", ""), {}}})
          .empty());
  EXPECT_EQ(names(), (Names{"out", "lost"}));
}

}  // namespace
}  // namespace weir::test
