#include "dataplane/policy/policy.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

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
  r.from.domains = {kDev, kProd};
  r.from.prefixes = {prefix("10.9.0.0/16"), prefix("10.1.0.0/16")};
  r.to.domains = {kShared};
  r.to.prefixes = {prefix("10.2.0.0/24"), prefix("2001:db8::/32")};
  r.services = {{6, {443, 443}}, {6, {80, 90}}};
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
  r.from.domains = {kProd};
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
  deny.services = {{6, {22, 22}}};
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

std::shared_ptr<const PolicyGroup> group(PolicyGroup what) {
  return std::make_shared<const PolicyGroup>(std::move(what));
}

TEST(Policy, AGroupHasDomainsAttachmentsAndPrefixes) {
  const AttachmentId spoke = AttachmentId::make(7, 1);
  PolicyGroup members;
  members.domains = {kDev};
  members.attachments = {spoke};
  members.prefixes = {prefix("10.9.0.0/16")};
  members.of_domains = {{kShared, prefix("10.1.0.0/24")}};
  PolicyRule r = rule("group", PolicyAction::allow);
  r.from.groups = {group(members)};
  struct Row {
    const char* name;
    DomainId from;
    AttachmentId ingress;
    const char* source;
    bool expected;
  };
  const Row rows[] = {
      {"by its domain", kDev, {}, "10.3.0.1", true},
      {"by its attachment", kProd, spoke, "10.3.0.1", true},
      {"by another generation of it", kProd, AttachmentId::make(7, 2), "10.3.0.1", false},
      {"by its address", kProd, {}, "10.9.0.1", true},
      {"by its address in that domain", kShared, {}, "10.1.0.9", true},
      {"by that address elsewhere", kProd, {}, "10.1.0.9", false},
      {"by nothing", kProd, AttachmentId::make(1, 1), "10.3.0.1", false},
  };
  for (const Row& row : rows) {
    const PolicyQuery query{tuple(row.source, "10.2.0.3", 6, 80), row.ingress, {}};
    EXPECT_EQ(matches(r, row.from, kShared, query), row.expected) << row.name;
    const PolicyTable table = PolicyTable::build({r}, {{row.from, kShared, 1}});
    EXPECT_EQ(table.classify(0, query).action == PolicyAction::allow, row.expected) << row.name;
  }
  r.from.groups = {group({})};
  EXPECT_FALSE(matches(r, kDev, kShared, kWeb)) << "an empty group has nobody, which is not everybody";
  EXPECT_EQ(PolicyTable::build({r}, connections()).classify(0, kWeb).rule, kDefaultDeny);
}

TEST(Policy, IcmpIsToldApartByItsType) {
  PolicyRule echo = rule("echo", PolicyAction::allow);
  echo.services = {{1, {8, 8}}, {58, {128, 128}}};
  const PolicyTable table = PolicyTable::build({echo}, connections());
  PolicyQuery query{tuple("10.1.0.2", "10.2.0.3", 1, 8), {}, {}, 8};
  EXPECT_EQ(table.classify(0, query).rule, 0u);
  query.icmp_type = 13;
  EXPECT_EQ(table.classify(0, query).rule, kDefaultDeny) << "the port, an identifier, counts for nothing";
  EXPECT_EQ(table.classify(0, tuple("2001:db8::1", "2001:db8::2", 58, 0)).rule, 0u) << "an echo request";
}

TEST(Policy, AWatchingRuleDecidesNothingAndIsTold) {
  PolicyRule watch = rule("watch", PolicyAction::deny), never = watch;
  watch.watch = never.watch = true;
  never.services = {{17, {}}};
  const PolicyTable table =
      PolicyTable::build({never, watch, rule("allow", PolicyAction::allow), watch}, connections());
  const PolicyDecision decision = table.classify(0, kWeb);
  EXPECT_EQ(decision.rule, 2u);
  EXPECT_EQ(decision.action, PolicyAction::allow);
  ASSERT_EQ(decision.watched.size, 1u) << "what stands behind the deciding one is not reached";
  EXPECT_EQ(decision.watched.rules[0], 1u);
  EXPECT_FALSE(decision.watched.more);
  std::vector<PolicyRule> many(RuleList::kMax + 1, watch);
  const PolicyDecision all = PolicyTable::build(many, connections()).classify(0, kWeb);
  EXPECT_EQ(all.rule, kDefaultDeny);
  EXPECT_EQ(all.watched.size, RuleList::kMax);
  EXPECT_TRUE(all.watched.more);
}

/// Names whose answers a test gives.
NameQuestion question(const char* name) {
  NameQuestion asked;
  asked.of(inspection::NameKind::sni).push_back({inspection::NamePattern::Form::exact, name});
  return asked;
}

struct ToldNames final : NameSource {
  std::map<std::string, NameAnswer> answers;
  NameAnswer ask(const NameQuestion& names) const override {
    return answers.at(names.of(inspection::NameKind::sni).front().text);
  }
};

TEST(Policy, ANameThatIsNotKnownYetLeavesTheDecisionOpen) {
  PolicyRule a = rule("a", PolicyAction::deny), b = rule("b", PolicyAction::inspect);
  a.names = question("1");
  b.names = question("2");
  b.services = {{6, {80, 80}}};
  PolicyRule other = a;
  other.services = {{17, {}}};
  const PolicyTable table =
      PolicyTable::build({other, a, b, rule("allow", PolicyAction::allow)}, connections());
  using enum NameAnswer;
  struct Row {
    const char* name;
    NameAnswer a, b;
    RuleIndex certain;
    std::vector<RuleIndex> open;
  };
  const Row rows[] = {
      {"nothing known", not_yet, not_yet, 3, {1, 2}},
      {"the first is it", yes, not_yet, 1, {}},
      {"the first is not it", no, not_yet, 3, {2}},
      {"the second is it", not_yet, yes, 2, {1}},
      {"neither is it", no, no, 3, {}},
      {"only the second", no, yes, 2, {}},
  };
  for (const Row& row : rows) {
    ToldNames names;
    names.answers = {{"1", row.a}, {"2", row.b}};
    PolicyQuery query{kWeb, {}, {}};
    query.names = &names;
    const PolicyDecision decision = table.classify(0, query);
    EXPECT_EQ(decision.rule, row.certain) << row.name;
    EXPECT_EQ(std::vector<RuleIndex>(decision.open.begin(), decision.open.end()), row.open) << row.name;
    EXPECT_EQ(decision.final(), row.open.empty()) << row.name;
  }
}

TEST(Policy, ANameThatStaysUnknownDoesAsItsRuleSays) {
  struct Row {
    IfUnknown if_unknown;
    RuleIndex rule;
    PolicyAction action;
  };
  const Row rows[] = {{IfUnknown::deny, 0, PolicyAction::deny},
                      {IfUnknown::allow, 0, PolicyAction::allow},
                      {IfUnknown::next, 1, PolicyAction::inspect}};
  for (const Row& row : rows) {
    PolicyRule named = rule("named", PolicyAction::inspect);
    named.names = question("1");
    named.if_unknown = row.if_unknown;
    const PolicyTable table = PolicyTable::build({named, rule("rest", PolicyAction::inspect)}, connections());
    const PolicyDecision decision = table.classify(0, kWeb);  // no source of names: all are given up
    EXPECT_TRUE(decision.final());
    EXPECT_EQ(decision.rule, row.rule);
    EXPECT_EQ(decision.action, row.action);
  }
}

TEST(Policy, ASessionThatIsDecidedAgainHasTheNamesOfItsRuleAlone) {
  PolicyRule first = rule("first", PolicyAction::allow), second = rule("second", PolicyAction::allow);
  first.names = question("1");
  second.names = question("2");
  second.names_version = 7;
  const PolicyTable table =
      PolicyTable::build({first, second, rule("rest", PolicyAction::deny)}, connections());
  struct Row {
    const char* name;
    RuleIndex own;  // kDefaultDeny: none
    uint32_t version;
    RuleIndex rule;
    PolicyAction action;
  };
  const Row rows[] = {
      {"what decided asks for the same", 1, 7, 1, PolicyAction::allow},
      {"it asks for something else since", 1, 6, 1, PolicyAction::deny},
      {"another one decided, without a name", 2, 7, 2, PolicyAction::deny},
      {"it is gone", kDefaultDeny, 7, 2, PolicyAction::deny},
  };
  for (const Row& row : rows) {
    const DecidedNames names(row.own == kDefaultDeny ? nullptr : &table.rules()[row.own], row.version);
    PolicyQuery query{kWeb, {}, {}};
    query.names = &names;
    const PolicyDecision decision = table.classify(0, query);
    EXPECT_TRUE(decision.final()) << row.name;
    EXPECT_EQ(decision.rule, row.rule) << row.name;
    EXPECT_EQ(decision.action, row.action) << row.name;
  }
}

/// Domains, attachments, groups and rules that meet often.
class RandomPolicy {
 public:
  explicit RandomPolicy(test::RandomInput& random) : random_(random) {
    for (uint32_t d = 0; d < 2 + random.below(5); ++d) domains.push_back(DomainId::make(d, 1));
    for (uint32_t a = 0; a < 4; ++a) attachments.push_back(AttachmentId::make(a, 1));
    for (uint64_t n = 1 + random.below(8); n > 0; --n) {
      PolicyGroup g;
      if (random.one_in(4)) g.domains.push_back(random.pick(domains));
      if (random.one_in(4)) g.attachments.push_back(random.pick(attachments));
      for (uint64_t p = random.below(5); p > 0; --p) g.prefixes.push_back(some_prefix());
      for (uint64_t p = random.below(3); p > 0; --p)
        g.of_domains.emplace_back(random.pick(domains), some_prefix());
      groups.push_back(group(std::move(g)));
    }
    // Now and then more than one block of rules, and more than one word.
    const uint64_t most = random.one_in(8) ? 600 : 40;
    for (uint64_t n = random.below(most); n > 0; --n) rules.push_back(some_rule());
    for (const DomainId from : domains) {
      for (const DomainId to : domains) {
        if (from != to && random.one_in(2)) continue;
        connections.push_back({from, to, static_cast<uint32_t>(random.word() | 1)});
      }
    }
  }

  PolicyQuery packet() {
    PolicyQuery query{{some_address(), {}, 1, 0, 0}, some_attachment(), some_attachment()};
    do query.tuple.dst = some_address();
    while (query.tuple.dst.family != query.tuple.src.family);
    query.tuple.protocol = static_cast<uint8_t>(random_.pick(std::vector{1, 6, 17, 47, 58}));
    query.tuple.dst_port = some_number();
    query.icmp_type = static_cast<uint8_t>(random_.below(12));
    return query;
  }

  std::vector<DomainId> domains;
  std::vector<AttachmentId> attachments;
  std::vector<std::shared_ptr<const PolicyGroup>> groups;
  std::vector<PolicyRule> rules;
  std::vector<Connection> connections;

 private:
  // Addresses with few bits that differ, at the top and at the bottom, so that prefixes nest.
  net::IpAddress some_address() {
    const uint64_t top = random_.below(4), low = random_.below(4);
    if (random_.one_in(4)) return net::Ipv6{top << 62 | random_.below(2), low << 62 | random_.below(2)};
    return net::Ipv4{static_cast<uint32_t>(top << 30 | low << 12 | random_.below(4))};
  }
  net::Prefix some_prefix() {
    const net::IpAddress a = some_address();
    const auto length = static_cast<uint8_t>(random_.below(a.is_v4() ? 33 : 129));
    return {net::masked(a, length), length};
  }
  AttachmentId some_attachment() { return random_.one_in(3) ? AttachmentId{} : random_.pick(attachments); }
  uint16_t some_number() {
    return static_cast<uint16_t>(random_.one_in(10) ? 65'530 + random_.below(6) : random_.below(12));
  }
  PolicyEnd some_end() {
    PolicyEnd end;
    for (uint64_t n = random_.below(3); n > 0; --n) end.domains.push_back(random_.pick(domains));
    for (uint64_t n = random_.below(3); n > 0; --n) end.prefixes.push_back(some_prefix());
    for (uint64_t n = random_.below(3); n > 0; --n) end.groups.push_back(random_.pick(groups));
    return end;
  }
  PolicyRule some_rule() {
    PolicyRule r = rule("r", static_cast<PolicyAction>(random_.below(4)));
    r.profile = static_cast<ProfileIndex>(random_.below(10));
    r.watch = random_.one_in(10);
    r.from = some_end();
    r.to = some_end();
    for (uint64_t n = random_.below(4); n > 0; --n) {
      ServiceTerm term{static_cast<uint8_t>(random_.pick(std::vector{0, 1, 6, 6, 17, 47, 58})), {}};
      if (same_services_ && !random_.one_in(20)) {
        const auto port = static_cast<uint16_t>(1 + random_.below(3));
        term = {6, {port, port}};
      } else if (random_.one_in(2)) {
        const uint16_t first = some_number();
        term.numbers = {first, static_cast<uint16_t>(std::min<uint64_t>(65'535, first + random_.below(4)))};
      }
      r.services.push_back(term);
    }
    return r;
  }

  test::RandomInput& random_;
  const bool same_services_ = random_.one_in(2);  // most rules have them, so their bits stand by service
};

TEST(Policy, AgreesWithTryingEveryRule) {
  test::RandomInput random(4);
  std::map<PolicyAction, int> seen;
  std::set<RuleIndex> deciding;
  int default_denied = 0, watched = 0;
  for (int round = 0; round < 400; ++round) {
    RandomPolicy policy(random);
    const auto& rules = policy.rules;
    const PolicyTable first = PolicyTable::build(rules, policy.connections);
    // The same again on what is compiled, some rules fewer: the others keep their numbers.
    std::vector<RuleIndex> order;
    for (RuleIndex r = 0; r < rules.size(); ++r) {
      if (!random.one_in(5))
        order.insert(order.begin() + static_cast<long>(random.below(order.size() + 1)), r);
    }
    const PolicyTable second = PolicyTable::build(rules, policy.connections, order, &first);
    std::vector<RuleIndex> all(rules.size());
    for (RuleIndex r = 0; r < rules.size(); ++r) all[r] = r;
    for (int i = 0; i < 200; ++i) {
      const PolicyTable& table = i % 2 == 0 ? first : second;
      const DomainId from = random.pick(policy.domains), to = random.pick(policy.domains);
      const auto pair = table.find(from, to);
      const auto known = std::find_if(policy.connections.begin(), policy.connections.end(),
                                      [&](const Connection& c) { return c.from == from && c.to == to; });
      ASSERT_EQ(pair != PolicyTable::kNotConnected, known != policy.connections.end());
      if (pair == PolicyTable::kNotConnected) continue;
      ASSERT_EQ(table.version(pair), known->policy_version);
      const PolicyQuery query = policy.packet();
      RuleIndex expected = kDefaultDeny;
      RuleList watching;
      for (const RuleIndex r : i % 2 == 0 ? all : order) {
        if (!matches(rules[r], from, to, query)) continue;
        if (!rules[r].watch) {
          expected = r;
          break;
        }
        watching.add(r);
      }
      const PolicyDecision decision = table.classify(pair, query);
      ASSERT_EQ(decision.rule, expected) << "round " << round << ", packet " << i;
      ASSERT_EQ(std::vector<RuleIndex>(decision.watched.begin(), decision.watched.end()),
                std::vector<RuleIndex>(watching.begin(), watching.end()));
      ASSERT_EQ(decision.watched.more, watching.more);
      watched += watching.size;
      if (expected == kDefaultDeny) {
        ASSERT_EQ(decision.action, PolicyAction::deny);
        ++default_denied;
        continue;
      }
      ASSERT_EQ(decision.action, rules[expected].action);
      ASSERT_EQ(decision.profile, rules[expected].profile);
      ++seen[decision.action];
      deciding.insert(expected);
    }
  }
  EXPECT_EQ(seen.size(), 4u) << "all actions have to occur, or the test shows nothing";
  EXPECT_GT(default_denied, 100);
  EXPECT_GT(watched, 100);
  EXPECT_GT(*deciding.rbegin(), 64u) << "beyond the first word";
  EXPECT_GT(deciding.size(), 60u);
}

}  // namespace
}  // namespace weir::dataplane
