#include "dataplane/policy/policy.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

const DomainId kProd = DomainId::make(0, 1), kShared = DomainId::make(1, 1), kDev = DomainId::make(2, 1);

net::Prefix prefix(std::string_view text) { return net::parse_prefix(text).value(); }
Tuple tuple(std::string_view src, std::string_view dst, uint8_t protocol, uint16_t dst_port) {
  return {net::parse_ip(src).value(), net::parse_ip(dst).value(), 40'000, dst_port, protocol};
}
const Tuple kWeb = tuple("10.1.0.2", "10.2.0.3", 6, 80);

PolicyRule rule(std::string id, PolicyAction action) {
  PolicyRule r;
  r.id = std::move(id);
  r.action = action;
  return r;
}

std::vector<Connection> connections() {
  return {
      {kProd, kProd, 1}, {kShared, kShared, 2}, {kProd, kShared, 3}, {kShared, kProd, 4}, {kDev, kDev, 5}};
}

TEST(Policy, EachPartOfARuleCounts) {
  PolicyRule r = rule("web", PolicyAction::allow);
  r.from_domains = {kDev, kProd};
  r.from_prefixes = {prefix("10.9.0.0/16"), prefix("10.1.0.0/16")};
  r.to_domains = {kShared};
  r.to_prefixes = {prefix("10.2.0.0/24"), prefix("2001:db8::/32")};
  r.protocol = 6;
  r.ports = {{443, 443}, {80, 90}};
  struct Row {
    const char* name;
    DomainId from, to;
    Tuple packet;
    bool expected;
  };
  const Row rows[] = {
      {"all parts", kProd, kShared, kWeb, true},
      {"the other from-domain", kDev, kShared, kWeb, true},
      {"from another domain", kShared, kShared, kWeb, false},
      {"to another domain", kProd, kProd, kWeb, false},
      {"the other from-prefix", kProd, kShared, tuple("10.9.1.1", "10.2.0.3", 6, 80), true},
      {"from another prefix", kProd, kShared, tuple("10.3.0.2", "10.2.0.3", 6, 80), false},
      {"to another prefix", kProd, kShared, tuple("10.1.0.2", "10.2.1.3", 6, 80), false},
      {"to another family", kProd, kShared, tuple("10.1.0.2", "2001:db8::1", 6, 80), true},
      {"another protocol", kProd, kShared, tuple("10.1.0.2", "10.2.0.3", 17, 80), false},
      {"first port of a range", kProd, kShared, tuple("10.1.0.2", "10.2.0.3", 6, 80), true},
      {"last port of a range", kProd, kShared, tuple("10.1.0.2", "10.2.0.3", 6, 90), true},
      {"port before the range", kProd, kShared, tuple("10.1.0.2", "10.2.0.3", 6, 79), false},
      {"port after the range", kProd, kShared, tuple("10.1.0.2", "10.2.0.3", 6, 91), false},
      {"port of the other range", kProd, kShared, tuple("10.1.0.2", "10.2.0.3", 6, 443), true},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(matches(r, row.from, row.to, row.packet), row.expected) << row.name;
    const PolicyTable table = PolicyTable::build({r}, {{row.from, row.to, 1}});
    EXPECT_EQ(table.classify(0, row.packet).action == PolicyAction::allow, row.expected) << row.name;
  }
  EXPECT_TRUE(matches(rule("any", PolicyAction::allow), kDev, kDev, kWeb)) << "empty parts are any";
}

TEST(Policy, AStaleDomainGenerationIsAnotherDomain) {
  PolicyRule r = rule("old", PolicyAction::allow);
  r.from_domains = {kProd};
  EXPECT_FALSE(matches(r, DomainId::make(kProd.index(), 2), kShared, kWeb));
  const PolicyTable table = PolicyTable::build({r}, connections());
  EXPECT_EQ(table.find(DomainId::make(kProd.index(), 2), kShared), PolicyTable::kNotConnected);
}

TEST(Policy, FindsConnectionsInTheirDirection) {
  const PolicyTable table = PolicyTable::build({}, {{kProd, kShared, 3}, {kDev, kDev, 5}});
  const auto index = table.find(kProd, kShared);
  ASSERT_NE(index, PolicyTable::kNotConnected);
  EXPECT_EQ(table.connection(index).to, kShared);
  EXPECT_EQ(table.version(index), 3u);
  EXPECT_EQ(table.find(kShared, kProd), PolicyTable::kNotConnected);
  EXPECT_EQ(table.find(kProd, kProd), PolicyTable::kNotConnected);
  EXPECT_EQ(table.version(PolicyTable::kNotConnected), 0u);
}

TEST(Policy, AnEmptyTableConnectsNothingAndDenies) {
  for (const PolicyTable& table : {PolicyTable(), PolicyTable::build({}, {})}) {
    EXPECT_EQ(table.find(kProd, kProd), PolicyTable::kNotConnected);
    EXPECT_EQ(table.classify(0, kWeb).action, PolicyAction::deny);
    EXPECT_EQ(table.classify(PolicyTable::kNotConnected, kWeb).rule, kDefaultDeny);
  }
}

TEST(Policy, TheFirstMatchDecides) {
  PolicyRule deny = rule("deny", PolicyAction::deny), inspect = rule("inspect", PolicyAction::inspect);
  deny.ports = {{22, 22}};
  inspect.profile = 4;
  const PolicyTable table =
      PolicyTable::build({deny, inspect, rule("allow", PolicyAction::allow)}, connections());
  const auto pair = table.find(kProd, kShared);
  const PolicyDecision web = table.classify(pair, kWeb);
  EXPECT_EQ(web.action, PolicyAction::inspect);
  EXPECT_EQ(web.rule, 1u);
  EXPECT_EQ(web.profile, 4);
  const PolicyDecision ssh = table.classify(pair, tuple("10.1.0.2", "10.2.0.3", 6, 22));
  EXPECT_EQ(ssh.action, PolicyAction::deny);
  EXPECT_EQ(ssh.rule, 0u) << "a rule's deny is not the default's";
}

TEST(Policy, RulesAreEvaluatedInTheGivenOrderAndNamedByTheirPlace) {
  const PolicyTable table = PolicyTable::build(
      {rule("last", PolicyAction::allow), {}, rule("first", PolicyAction::deny)}, connections(), {2, 0});
  const auto pair = table.find(kProd, kShared);
  const PolicyDecision decision = table.classify(pair, kWeb);
  EXPECT_EQ(decision.action, PolicyAction::deny);
  EXPECT_EQ(decision.rule, 2u);
  const PolicyTable gaps = PolicyTable::build({{}, rule("only", PolicyAction::allow)}, connections(), {1});
  EXPECT_EQ(gaps.classify(gaps.find(kProd, kShared), kWeb).rule, 1u) << "a gap matches nothing";
}

TEST(Policy, MoreConnectionsThanIndicesAreNotConnected) {
  std::vector<Connection> many;
  for (uint32_t i = 0; i < PolicyTable::kMaxConnections + 2; ++i) {
    many.push_back({DomainId::make(i, 1), DomainId::make(i, 1), 1});
  }
  const PolicyTable table = PolicyTable::build({rule("any", PolicyAction::allow)}, many);
  EXPECT_EQ(table.connections().size(), PolicyTable::kMaxConnections);
  EXPECT_EQ(table.find(many[0].from, many[0].to), 0);
  EXPECT_EQ(table.find(many[0xfffe].from, many[0xfffe].to), 0xfffe);
  EXPECT_EQ(table.find(many[0xffff].from, many[0xffff].to), PolicyTable::kNotConnected);
}

PolicyRule random_rule(test::RandomInput& random, const std::vector<DomainId>& domains) {
  PolicyRule r = rule("r", static_cast<PolicyAction>(random.below(3)));
  r.profile = static_cast<ProfileIndex>(random.below(10));
  const auto some_prefix = [&] {
    const auto length = static_cast<uint8_t>(random.below(33));
    return net::Prefix{net::masked(net::Ipv4{static_cast<uint32_t>(random.below(4)) << 30}, length), length};
  };
  for (uint64_t n = random.below(3); n > 0; --n) r.from_domains.push_back(random.pick(domains));
  for (uint64_t n = random.below(3); n > 0; --n) r.to_domains.push_back(random.pick(domains));
  for (uint64_t n = random.below(3); n > 0; --n) r.from_prefixes.push_back(some_prefix());
  for (uint64_t n = random.below(3); n > 0; --n) r.to_prefixes.push_back(some_prefix());
  if (random.one_in(2)) r.protocol = random.one_in(2) ? 6 : 17;
  for (uint64_t n = random.below(3); n > 0; --n) {
    const auto first = static_cast<uint16_t>(random.below(8));
    r.ports.push_back({first, static_cast<uint16_t>(first + random.below(4))});
  }
  return r;
}

TEST(Policy, AgreesWithTryingEveryRule) {
  test::RandomInput random(4);
  std::map<PolicyAction, int> seen;
  int default_denied = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<DomainId> domains;
    for (uint32_t d = 0; d < 2 + random.below(5); ++d) domains.push_back(DomainId::make(d, 1));
    std::vector<PolicyRule> rules;
    for (uint64_t n = random.below(30); n > 0; --n) rules.push_back(random_rule(random, domains));
    std::map<std::pair<DomainId, DomainId>, uint32_t> versions;
    std::vector<Connection> list;
    for (const DomainId from : domains) {
      for (const DomainId to : domains) {
        if (from != to && random.one_in(2)) continue;
        list.push_back({from, to, static_cast<uint32_t>(random.word() | 1)});
        versions[{from, to}] = list.back().policy_version;
      }
    }
    const PolicyTable table = PolicyTable::build(rules, list);
    for (int i = 0; i < 100; ++i) {
      const DomainId from = random.pick(domains), to = random.pick(domains);
      const auto pair = table.find(from, to);
      ASSERT_EQ(pair != PolicyTable::kNotConnected, versions.contains({from, to}));
      if (pair == PolicyTable::kNotConnected) continue;
      ASSERT_EQ(table.version(pair), (versions[{from, to}]));
      Tuple packet = random.tuple(true);
      packet.dst_port = static_cast<uint16_t>(random.below(12));
      RuleIndex expected = kDefaultDeny;
      for (RuleIndex r = 0; r < rules.size() && expected == kDefaultDeny; ++r) {
        if (matches(rules[r], from, to, packet)) expected = r;
      }
      const PolicyDecision decision = table.classify(pair, packet);
      ASSERT_EQ(decision.rule, expected);
      if (expected == kDefaultDeny) {
        ASSERT_EQ(decision.action, PolicyAction::deny);
        ++default_denied;
        continue;
      }
      ASSERT_EQ(decision.action, rules[expected].action);
      ASSERT_EQ(decision.profile, rules[expected].profile);
      ++seen[decision.action];
    }
  }
  EXPECT_EQ(seen.size(), 3u) << "all actions have to occur, or the test shows nothing";
  EXPECT_GT(default_denied, 0);
}

}  // namespace
}  // namespace weir::dataplane
