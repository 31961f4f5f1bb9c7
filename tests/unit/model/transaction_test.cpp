#include "mgmt/model/transaction.h"

#include <gtest/gtest.h>

#include "hub_model.h"

namespace weir::test {
namespace {

using enum ChangeVerb;
using Lines = std::vector<std::string>;

class TransactionTest : public ::testing::Test {
 protected:
  TransactionTest() {
    EXPECT_EQ(hub_.transact({{add, domain("prod")},
                             {add, domain("shared")},
                             {add, spoke("cloud-a", "prod", 10, {"10.1.0.1/24"})},
                             {add, spoke("cloud-b", "shared", 20, {"10.2.0.1/24"})},
                             {add, route("prod", "10.10.0.0/16", "cloud-a", "10.1.0.2")},
                             {add, connection("prod", "shared")}},
                            model::Origin::file),
              Lines{});
  }
  /// Refused with just this, and without a trace.
  void refuse(const ModelChanges& changes, const Lines& problems, model::Origin origin = model::Origin::api) {
    const std::string before = hub_.dump();
    EXPECT_EQ(hub_.transact(changes, origin), problems);
    EXPECT_EQ(hub_.dump(), before);
  }
  uint32_t version(const char* domain_name, const char* address) {
    const auto match = hub_.routes->lookup_own(hub_.live.domains().find(domain_name)->second.id, ip(address));
    return hub_.routes->version(match.cell);
  }

  HubModel hub_;
};

TEST_F(TransactionTest, ReferencesAreJudgedByTheStateAfterIt) {
  // Everything that is needed comes later in the list.
  EXPECT_EQ(hub_.transact({{add, connection("edge", "prod")},
                           {add, route("edge", "10.30.0.0/16", "cloud-e", "10.3.0.2")},
                           {add, spoke("cloud-e", "edge", 30, {"10.3.0.1/24"})},
                           {add, domain("edge")}}),
            Lines{});
  EXPECT_EQ(hub_.transact({{remove, domain("edge")},
                           {remove, spoke("cloud-e", "edge", 30, {})},
                           {remove, connection("prod", "edge")},
                           {remove, route("edge", "10.30.0.0/16", "cloud-e", "10.3.0.2")}}),
            Lines{});
}

TEST_F(TransactionTest, SaysWhatIsWrongAllAtOnce) {
  auto twin = spoke("twin", "prod", 10, {"10.1.0.1/25"});
  config::PolicyRule rule;
  rule.id = "r";
  rule.from.domains = {"nowhere"};
  refuse(
      {{add, twin}, {add, route("prod", "10.9.0.0/16", "cloud-b", "10.2.0.2")}, {add, rule}},
      {R"(attachment "cloud-a" has the same tunnel already: local 198.18.0.1, remote 198.19.0.11, VXLAN port 4789, )"
       R"(VNI 10)",
       R"(10.1.0.0/25 overlaps 10.1.0.0/24 of attachment "cloud-a" in the same domain)",
       R"(attachment "cloud-b" belongs to domain "shared", not to "prod")",
       R"(rule "r": no domain is called "nowhere")"});
}

TEST_F(TransactionTest, AGatewaySubnetMayGoToAnotherAttachment) {
  EXPECT_EQ(hub_.transact({{add, spoke("east", "prod", 51, {"10.5.0.1/24"})},
                           {add, spoke("west", "prod", 52, {"10.6.0.1/24"})}}),
            Lines{});
  EXPECT_EQ(hub_.transact({{replace, spoke("east", "prod", 51, {"10.6.0.1/24"})},
                           {replace, spoke("west", "prod", 52, {"10.5.0.1/24"})}}),
            Lines{});
  const auto prod = hub_.live.domains().find("prod")->second.id;
  for (const auto& [subnet, name] : {std::pair("10.5.0.0/24", "west"), std::pair("10.6.0.0/24", "east")}) {
    const auto* target = hub_.routes->find(prod, prefix(subnet));
    ASSERT_NE(target, nullptr) << subnet;
    EXPECT_EQ(target->members.front().attachment, hub_.attachment(name)) << subnet;
  }
}

TEST_F(TransactionTest, WhatIsInUseStays) {
  refuse({{remove, spoke("cloud-a", "", 0, {})}},
         {R"(route prod 10.10.0.0/16 attachment cloud-a via 10.1.0.2: attachment "cloud-a" would be gone)"});
  refuse({{remove, domain("prod")}}, {R"(domain "prod" still has 1 attachment; remove it too)",
                                      R"(domain "prod" still has 1 connection; remove it too)"});
  refuse({{replace, spoke("cloud-a", "prod", 10, {"10.4.0.1/24"})}},
         {R"(route prod 10.10.0.0/16 attachment cloud-a via 10.1.0.2: )"
          R"(10.1.0.2 lies in none of the gateway subnets of attachment "cloud-a")"});
}

TEST_F(TransactionTest, APrefixIsExposedByOneDomainOnly) {
  refuse({{add, domain("other")},
          {add, spoke("cloud-o", "other", 40, {"10.2.0.1/24"})},
          {add, connection("other", "prod")}},
         {R"(domains "other" and "shared" both expose 10.2.0.0/24 to domain "prod")"});
  // Unless the connection keeps it back.
  auto narrow = connection("other", "prod");
  narrow.expose = {{prefix("10.5.0.0/16")}};
  EXPECT_EQ(hub_.transact({{add, domain("other")},
                           {add, spoke("cloud-o", "other", 40, {"10.2.0.1/24", "10.5.0.1/24"})},
                           {add, narrow}}),
            Lines{});
  const auto id = [&](const char* name) { return hub_.live.domains().find(name)->second.id; };
  EXPECT_EQ(hub_.routes->lookup_exposed(id("prod"), ip("10.2.0.9")).domain, id("shared"));
  EXPECT_EQ(hub_.routes->lookup_exposed(id("prod"), ip("10.5.0.9")).domain, id("other"));
  EXPECT_FALSE(hub_.routes->lookup_exposed(id("other"), ip("10.1.0.9")));
}

TEST_F(TransactionTest, WhatIsAddedAndRemovedInOneLeavesNothing) {
  const std::string before = hub_.dump();
  EXPECT_EQ(hub_.transact({{add, domain("other")},
                           {add, connection("other", "shared")},
                           {add, spoke("tmp", "other", 900, {"10.9.0.1/24"})},
                           {add, route("other", "10.77.0.0/16", "tmp")},
                           {remove, route("other", "10.77.0.0/16", "tmp")},
                           {remove, spoke("tmp", "other", 900, {"10.9.0.1/24"})},
                           {remove, connection("other", "shared")},
                           {remove, domain("other")}}),
            std::vector<std::string>{});
  EXPECT_EQ(hub_.dump(), before);
}

TEST_F(TransactionTest, FileAndApiDoNotOverwriteEachOther) {
  EXPECT_EQ(hub_.transact({{add, spoke("cloud-c", "prod", 11, {"10.3.0.1/24"})},
                           {add, route("prod", "10.77.0.0/16", "")}}),
            Lines{});
  refuse({{add, spoke("cloud-c", "prod", 12, {"10.3.0.1/24"})}},
         {"attachment \"cloud-c\" has been added at run time already; remove it there, or save the "
          "configuration"},
         model::Origin::file);
  // What the file says just as it is, as after `config save`, is the file's from now on.
  const auto* before = hub_.live.tables().attachments->find(hub_.attachment("cloud-c"));
  EXPECT_EQ(hub_.transact({{add, spoke("cloud-c", "prod", 11, {"10.3.0.1/24"})},
                           {add, route("prod", "10.77.0.0/16", "")}},
                          model::Origin::file),
            Lines{});
  EXPECT_EQ(hub_.last_changes, Lines{});
  EXPECT_EQ(hub_.live.tables().attachments->find(hub_.attachment("cloud-c")), before);
  EXPECT_EQ(hub_.live.attachments().find("cloud-c")->second.origin, model::Origin::file);
  EXPECT_EQ(hub_.live.domains().find("prod")->second.routes.find(prefix("10.77.0.0/16"))->second.from_file,
            1u);
  // What the API took away is gone for the file too; what neither knows is not there.
  EXPECT_EQ(hub_.transact({{remove, route("prod", "10.10.0.0/16", "cloud-a", "10.1.0.2")}}), Lines{});
  EXPECT_EQ(
      hub_.transact({{remove, route("prod", "10.10.0.0/16", "cloud-a", "10.1.0.2")}}, model::Origin::file),
      Lines{});
  refuse({{remove, route("prod", "10.10.0.0/16", "cloud-a", "10.1.0.2")}},
         {"there is no route prod 10.10.0.0/16 attachment cloud-a via 10.1.0.2"});
}

TEST_F(TransactionTest, OnlyWhatChangesMovesAVersion) {
  const uint32_t on_link = version("prod", "10.1.0.9"), via = version("prod", "10.10.0.9");
  EXPECT_EQ(hub_.transact({{add, spoke("cloud-c", "prod", 11, {"10.3.0.1/24"})},
                           {add, route("prod", "10.11.0.0/16", "cloud-c", "10.3.0.2")}}),
            Lines{});
  EXPECT_EQ(version("prod", "10.1.0.9"), on_link);
  EXPECT_EQ(version("prod", "10.10.0.9"), via);
  EXPECT_EQ(hub_.transact({{replace, route("prod", "10.10.0.0/16", "cloud-a", "10.1.0.3")}}), Lines{});
  EXPECT_EQ(version("prod", "10.1.0.9"), on_link);
  EXPECT_NE(version("prod", "10.10.0.9"), via);
}

TEST_F(TransactionTest, AnotherUdpPortLeavesThePolicyAsItIs) {
  const auto policy = hub_.snapshot->policy;
  const uint64_t version = hub_.snapshot->version;
  config::Attachment other = spoke("cloud-e", "prod", 30, {});
  other.tunnel.udp_port = 8'472;
  ASSERT_EQ(hub_.transact({{add, other}}), Lines{});
  ASSERT_NE(hub_.snapshot->version, version) << "ports have something else to expect";
  EXPECT_EQ(hub_.snapshot->policy, policy);
}

TEST_F(TransactionTest, AnIndexIsGivenOutAgainOnlyAfterRelease) {
  const auto old = hub_.attachment("cloud-b");
  EXPECT_EQ(hub_.transact({{remove, spoke("cloud-b", "", 0, {})}}), Lines{});
  EXPECT_EQ(hub_.last_removed, std::vector{old});
  EXPECT_EQ(hub_.transact({{add, spoke("cloud-c", "shared", 21, {"10.3.0.1/24"})}}), Lines{});
  EXPECT_NE(hub_.attachment("cloud-c").index(), old.index());
  hub_.live.release(old);
  EXPECT_EQ(hub_.transact({{add, spoke("cloud-d", "shared", 22, {"10.4.0.1/24"})}}), Lines{});
  EXPECT_EQ(hub_.attachment("cloud-d").index(), old.index());
  EXPECT_NE(hub_.attachment("cloud-d"), old);
}

TEST_F(TransactionTest, AnAttachmentThatMovesToAnotherDomainBecomesAnotherOne) {
  const auto old = hub_.attachment("cloud-b");
  EXPECT_EQ(hub_.transact({{replace, spoke("cloud-b", "shared", 25, {"10.2.0.1/24"})}}), Lines{});
  EXPECT_EQ(hub_.attachment("cloud-b"), old);
  EXPECT_EQ(hub_.transact({{replace, spoke("cloud-b", "prod", 25, {"10.2.0.1/24"})}}), Lines{});
  EXPECT_NE(hub_.attachment("cloud-b"), old);
  EXPECT_EQ(hub_.live.tables().attachments->find(old), nullptr);
}

TEST_F(TransactionTest, RulesOfTheApiStayWhereTheyStandWhenTheFileChanges) {
  const auto rule = [](const char* id) {
    config::PolicyRule r;
    r.id = id;
    return r;
  };
  const auto order = [&] {
    std::string ids;
    for (const auto& r : hub_.live.policy()) ids += r.config.id + " ";
    return ids;
  };
  std::vector<config::PolicyRule> file;
  const auto from_file = [&](std::vector<config::PolicyRule> rules) {
    model::Transaction t(hub_.live, model::Origin::file);
    t.file_policy(file, rules);
    const Lines problems = hub_.finish(t);
    if (problems.empty()) file = std::move(rules);
    return problems;
  };
  EXPECT_EQ(from_file({rule("a"), rule("b"), rule("c")}), Lines{});
  using Side = config::RulePlace::Side;
  EXPECT_EQ(
      hub_.transact(
          {{add, rule("x"), {Side::before, "a"}}, {add, rule("y"), {Side::after, "b"}}, {add, rule("z")}}),
      Lines{});
  EXPECT_EQ(order(), "x a b y c z ");
  EXPECT_EQ(from_file({rule("c"), rule("a"), rule("d")}), Lines{});
  EXPECT_EQ(order(), "x c z a y d ");
  auto other = rule("z");
  other.log = config::RuleLog{.start = true};
  EXPECT_EQ(from_file({other}),
            Lines{"policy rule \"z\" has been added at run time already; remove it there, or "
                  "save the configuration"});
  EXPECT_EQ(from_file({rule("z"), rule("d")}), Lines{}) << "the same rule in the file too";
  EXPECT_EQ(order(), "x z y d ");
  // What was removed or replaced at run time stays so, as long as the file says what it said.
  EXPECT_EQ(hub_.transact({{remove, rule("z")}, {replace, other}, {remove, rule("d")}}), Lines{});
  EXPECT_EQ(from_file({rule("z"), rule("d"), rule("e")}), Lines{});
  EXPECT_EQ(order(), "x y z e ");
  EXPECT_TRUE(hub_.live.policy()[2].config.log);
  auto changed = rule("d");
  changed.log = config::RuleLog{.start = true};
  EXPECT_EQ(from_file({rule("z"), changed, rule("e")}),
            Lines{"policy rule \"d\" has been changed in the file, and removed at run time"});
  EXPECT_EQ(
      from_file({rule("d"), rule("e")}),
      Lines{"policy rule \"z\" has been changed in the file and at run time; undo one of them, or save the "
            "configuration"});
}

TEST_F(TransactionTest, WithdrawnRoutesStayConfigured) {
  config::Route second = route("prod", "10.20.0.0/16", "cloud-a", "10.1.0.2");
  config::Route third = route("prod", "10.20.0.0/16", "cloud-c", "10.3.0.2");
  second.ecmp = third.ecmp = true;
  EXPECT_EQ(
      hub_.transact({{add, spoke("cloud-c", "prod", 11, {"10.3.0.1/24"})}, {add, second}, {add, third}}),
      Lines{});
  const std::string before = hub_.dump();
  const auto configured = [&] { return hub_.config().routes.size(); };
  const size_t routes = configured();
  const auto prod = hub_.live.domains().find("prod")->second.id;
  const auto members = [&](const char* to) {
    const auto* target = hub_.routes->find(prod, prefix(to));
    return target != nullptr ? static_cast<int>(target->members.size()) : -1;
  };
  std::vector<config::Problem> warnings;
  const auto a = hub_.attachment("cloud-a");
  const auto withdraw = [&](bool withdrawn) {
    hub_.live.withdraw(a, withdrawn);
    EXPECT_TRUE(hub_.live.settle_withdrawals(100, warnings));
  };
  withdraw(true);
  EXPECT_EQ(members("10.10.0.0/16"), -1) << "by it only";
  EXPECT_EQ(members("10.1.0.0/24"), -1) << "on-link";
  EXPECT_EQ(members("10.20.0.0/16"), 1) << "others have it too";
  EXPECT_EQ(configured(), routes);
  // Its routes are changed meanwhile, and whose prefix it is stays known.
  EXPECT_EQ(hub_.transact({{replace, route("prod", "10.10.0.0/16", "cloud-a", "10.1.0.3")},
                           {add, route("prod", "10.21.0.0/16", "cloud-a", "10.1.0.3")}}),
            Lines{});
  EXPECT_EQ(members("10.10.0.0/16"), -1);
  EXPECT_EQ(members("10.21.0.0/16"), -1);
  refuse({{add, route("prod", "10.21.0.0/16", "cloud-c", "10.3.0.2")}},
         {"domain \"prod\" has a route to 10.21.0.0/16 already; if both are meant, set ecmp = true on each"});
  EXPECT_EQ(hub_.transact({{replace, route("prod", "10.10.0.0/16", "cloud-a", "10.1.0.2")},
                           {remove, route("prod", "10.21.0.0/16", "cloud-a", "10.1.0.3")}}),
            Lines{});
  withdraw(false);
  hub_.routes->finish(hub_.routes->take_pending());
  EXPECT_EQ(hub_.dump(), before);
  EXPECT_TRUE(warnings.empty());
  // One that is gone is forgotten.
  withdraw(true);
  EXPECT_EQ(hub_.transact({{remove, route("prod", "10.10.0.0/16", "cloud-a", "10.1.0.2")},
                           {remove, second},
                           {remove, spoke("cloud-a", "", 0, {})}}),
            Lines{});
  EXPECT_FALSE(hub_.live.withdrawn(a));
  EXPECT_TRUE(hub_.live.domains().find("prod")->second.withheld.empty());
}

TEST_F(TransactionTest, ChangesAreToldByKindAndCounted) {
  const ModelChanges changes{{add, spoke("cloud-c", "prod", 11, {"10.3.0.1/24"})},
                             {add, route("prod", "10.11.0.0/16", "cloud-c", "10.3.0.2")},
                             {replace, route("prod", "10.10.0.0/16", "cloud-a", "10.1.0.3")},
                             {replace, spoke("cloud-b", "shared", 25, {"10.2.0.1/24"})}};
  model::Transaction t(hub_.live, model::Origin::api);
  for (const ModelChange& change : changes) t.add(change);
  ASSERT_TRUE(t.check().empty());
  const model::ChangeList list = t.changes();
  EXPECT_EQ(list.lines, (Lines{"~ attachment cloud-b: vxlan.remote vxlan.vni", "+ attachment cloud-c",
                               "- route prod 10.10.0.0/16 attachment cloud-a via 10.1.0.2",
                               "+ route prod 10.10.0.0/16 attachment cloud-a via 10.1.0.3",
                               "+ route prod 10.11.0.0/16 attachment cloud-c via 10.3.0.2"}));
  EXPECT_EQ(list.total, 5u);
  EXPECT_EQ(list.counts, "attachments +1 ~1, routes +2 -1");
}

TEST_F(TransactionTest, AnotherUnderlayPathChangesItsAttachmentsOnly) {
  const auto* a = hub_.live.tables().attachments->find(hub_.attachment("cloud-a"));
  const auto* b = hub_.live.tables().attachments->find(hub_.attachment("cloud-b"));
  std::vector<config::Problem> warnings;
  const auto path = *model::path_of(hub_.live.attachments().find("cloud-a")->second.config);
  const auto retired = hub_.live.path_changed(path, {0, 1400}, warnings);
  ASSERT_EQ(retired.size(), 1u);
  EXPECT_EQ(retired.front().get(), a);
  EXPECT_EQ(hub_.live.tables().attachments->find(hub_.attachment("cloud-a"))->mtu, 1350);
  EXPECT_EQ(hub_.live.tables().attachments->find(hub_.attachment("cloud-b")), b);
  EXPECT_TRUE(hub_.live.path_changed(path, {0, 1400}, warnings).empty());
}

}  // namespace
}  // namespace weir::test
