// Groups, services and rules from a file and from the API to what workers classify by.
#include <gtest/gtest.h>

#include "fakes.h"
#include "mgmt/config/change_reader.h"
#include "mgmt/config/writer.h"
#include "mgmt/control/rule_counts.h"

namespace weir::test {
namespace {

using namespace dataplane;

/// Two spokes in each of prod and shared, all of which reach each other, and what rules may speak of.
std::string network(const std::string& rest) {
  std::string text = R"(
[worker]
cores = [1]
[[port]]
name = "wan0"
driver = "null"
address = ["198.18.0.1/24"]
[[domain]]
name = "prod"
[[domain]]
name = "shared"
[[connection]]
domains = ["prod", "shared"]
)";
  const char* tags[] = {"[\"web\"]", "[\"web\", \"pci\"]", "[\"db\"]", "[\"db\", \"pci\"]"};
  for (int n = 0; n < 4; ++n) {
    const std::string i = std::to_string(n);
    text += "[[attachment]]\nname = \"s" + i + "\"\ndomain = \"" + (n < 2 ? "prod" : "shared") +
            "\"\ntags = " + tags[n] + "\nvxlan = { vni = 1" + i +
            ", local = \"198.18.0.1\", remote = \"198.18.0.1" + i + "\" }\ngateway = [\"10." + i +
            ".0.1/24\"]\n";
  }
  return text + rest;
}

std::string rule(const std::string& id, const std::string& rest, const char* action = "allow") {
  return "[[policy]]\nid = \"" + id + "\"\naction = \"" + action + "\"\n" + rest + "\n";
}

struct PolicyModel : testing::Test {
  FileModel hub;

  /// The id of the rule that decides a TCP session from one spoke to another, where their first hosts talk.
  std::string decides(int from, int to, uint16_t port = 443, const char* source = nullptr) const {
    const auto name = [](int n) { return "s" + std::to_string(n); };
    const auto host = [](int n) { return ip("10." + std::to_string(n) + ".0.5"); };
    const PolicyTable& policy = *hub.snapshot->policy;
    const auto pair =
        policy.find(hub.domain(from < 2 ? "prod" : "shared"), hub.domain(to < 2 ? "prod" : "shared"));
    PolicyQuery query{{source != nullptr ? ip(source) : host(from), host(to), 1, port, 6},
                      hub.attachment(name(from)),
                      hub.attachment(name(to))};
    const auto decision = policy.classify(pair, query);
    return decision.rule == kDefaultDeny ? "none" : policy.rules()[decision.rule].id;
  }
  uint32_t version(const char* from, const char* to) const {
    const PolicyTable& policy = *hub.snapshot->policy;
    return policy.version(policy.find(hub.domain(from), hub.domain(to)));
  }
  /// What is wrong with changes at run time; nothing: they are in force.
  std::string change(const std::string& text) {
    auto changes = config::read_changes_text(text, "");
    if (!changes) return config::to_string(changes.error().front());
    model::Transaction transaction(*hub.live, model::Origin::api);
    for (const auto& c : *changes) transaction.add(c);
    if (const auto problems = transaction.check(); !problems.empty())
      return config::to_string(problems.front());
    model::Plan plan = transaction.plan();
    plan.narrow();
    published = plan.snapshot != nullptr;
    if (published) hub.snapshot = std::move(plan.snapshot);
    plan.widen();
    return "";
  }
  bool published = false;
};

TEST_F(PolicyModel, GroupsAreWhatTheyAndTheirTagsSay) {
  hub.use(
      network("[[prefix]]\nprefix = \"10.2.0.0/28\"\ntags = [\"lab\"]\ndomain = \"shared\"\n"
              "[[group]]\nname = \"web\"\nmatch = \"web and not pci\"\n"
              "[[group]]\nname = \"lab\"\nmatch = \"lab\"\n"
              "[[group]]\nname = \"outer\"\ngroups = [\"inner\"]\nprefixes = [\"10.3.0.0/24\"]\n"
              "[[group]]\nname = \"inner\"\nattachments = [\"s1\"]\n" +
              rule("web", "from = { groups = [\"web\"] }") + rule("lab", "from = { groups = [\"lab\"] }") +
              rule("outer", "from = { groups = [\"outer\"] }")));
  EXPECT_EQ(decides(0, 2), "web");
  EXPECT_EQ(decides(1, 2), "outer") << "it is behind s1, which a group in the group has";
  EXPECT_EQ(decides(2, 0), "lab") << "by the tag of its prefix";
  EXPECT_EQ(decides(3, 0), "outer") << "by its prefix";
  EXPECT_EQ(decides(2, 0, 443, "10.2.0.99"), "none");
  EXPECT_EQ(decides(1, 0, 443, "10.2.0.5"), "outer") << "that prefix is another domain's";
}

TEST_F(PolicyModel, ServicesAreTriedEach) {
  hub.use(
      network("[[service]]\nname = \"web\"\nprotocol = \"tcp\"\nports = [80, \"8000-8100\"]\n"
              "[[service]]\nname = \"tls\"\nprotocol = \"tcp\"\nports = [443]\n"
              "[[service]]\nname = \"ping\"\nprotocol = \"icmp\"\nicmp_types = [8]\n" +
              rule("both", "services = [\"web\", \"tls\", \"ping\"]")));
  EXPECT_EQ(decides(0, 2, 443), "both");
  EXPECT_EQ(decides(0, 2, 8'050), "both");
  EXPECT_EQ(decides(0, 2, 444), "none");
  const PolicyTable& policy = *hub.snapshot->policy;
  PolicyQuery ping{{ip("10.0.0.5"), ip("10.2.0.5"), 7, 7, 1}, {}, {}, 8};
  EXPECT_EQ(policy.classify(0, ping).rule, 0u);
  ping.icmp_type = 13;
  EXPECT_EQ(policy.classify(0, ping).rule, kDefaultDeny);
}

TEST_F(PolicyModel, ADisabledRuleMatchesNothingAndKeepsItsPlaceInTheOrder) {
  const std::string last = rule("last", "");
  hub.use(network(rule("off", "enabled = false", "deny") + last));
  EXPECT_EQ(decides(0, 2), "last");
  hub.use(network(rule("off", "", "deny") + last));
  EXPECT_EQ(decides(0, 2), "off");
}

TEST_F(PolicyModel, AGroupThatChangesMovesThePairsOfItsRulesOnly) {
  const std::string rules =
      rule("in", "from = { domains = [\"prod\"], groups = [\"a\"] }\nto = { domains = [\"prod\"] }") +
      rule("out", "from = { domains = [\"prod\"], groups = [\"b\"] }\nto = { domains = [\"shared\"] }");
  const auto groups = [](const std::string& a) {
    return "[[group]]\nname = \"a\"\nprefixes = [\"" + a +
           "\"]\n[[group]]\nname = \"b\"\nprefixes = [\"10.0.0.0/24\"]\n";
  };
  hub.use(network(groups("10.0.0.0/24") + rules));
  const uint32_t in = version("prod", "prod"), out = version("prod", "shared"),
                 back = version("shared", "prod");
  EXPECT_EQ(decides(0, 1), "in");
  hub.use(network(groups("10.0.0.0/25") + rules));
  EXPECT_NE(version("prod", "prod"), in);
  EXPECT_EQ(version("prod", "shared"), out);
  EXPECT_EQ(version("shared", "prod"), back);
  hub.use(network(groups("10.1.0.0/24") + rules));
  EXPECT_EQ(decides(0, 1), "none");
  EXPECT_EQ(decides(0, 2), "out");
}

TEST_F(PolicyModel, GroupsChangeAtRunTime) {
  hub.use(network(
      "[[group]]\nname = \"a\"\nprefixes = [\"10.0.0.0/24\"]\n" +
      rule("in", "from = { domains = [\"prod\"], groups = [\"a\"] }\nto = { domains = [\"prod\"] }")));
  const uint32_t in = version("prod", "prod"), out = version("prod", "shared"),
                 back = version("shared", "prod");
  EXPECT_EQ(change("[[add.group]]\nname = \"b\"\nattachments = [\"s1\"]\n"), "");
  EXPECT_EQ(version("prod", "prod"), in) << "no rule names it yet";
  EXPECT_EQ(decides(1, 0), "none");
  EXPECT_EQ(change("[[replace.group]]\nname = \"a\"\ngroups = [\"b\"]\n"), "");
  EXPECT_EQ(decides(0, 1), "none");
  EXPECT_EQ(decides(1, 0), "in");
  const uint32_t replaced = version("prod", "prod");
  EXPECT_NE(replaced, in);
  EXPECT_EQ(version("prod", "shared"), out) << "no rule of this pair names the group";
  EXPECT_EQ(version("shared", "prod"), back);
  EXPECT_EQ(change("[[replace.group]]\nname = \"b\"\nattachments = [\"s0\", \"s1\"]\n"), "");
  EXPECT_EQ(decides(0, 1), "in") << "by the group within the group";
  EXPECT_NE(version("prod", "prod"), replaced);
  EXPECT_EQ(version("prod", "shared"), out);
  const uint32_t last = version("prod", "prod");
  EXPECT_EQ(
      change("[[replace.group]]\nname = \"b\"\nattachments = [\"s1\", \"s0\"]\ncomment = \"as before\"\n"),
      "");
  EXPECT_EQ(version("prod", "prod"), last) << "it has what it had";
}

TEST_F(PolicyModel, MembersOfAGroupComeAndGoAtRunTime) {
  hub.use(network(
      "[[group]]\nname = \"a\"\nprefixes = [\"10.0.0.0/24\"]\nmatch = \"late\"\ncomment = \"kept\"\n" +
      rule("in", "from = { domains = [\"prod\"], groups = [\"a\"] }\nto = { domains = [\"prod\"] }")));
  const auto a = [&]() -> const config::Group& { return hub.live->groups().find("a")->second.config; };
  EXPECT_EQ(decides(1, 0), "none");
  EXPECT_EQ(change("[[extend.group]]\nname = \"a\"\nattachments = [\"s1\"]\nprefixes = [\"10.77.0.0/16\"]\n"),
            "");
  EXPECT_EQ(decides(1, 0), "in");
  EXPECT_EQ(a().match, "late");
  EXPECT_EQ(a().comment, "kept");
  EXPECT_EQ(a().prefixes.size(), 2u);
  EXPECT_EQ(change("[[reduce.group]]\nname = \"a\"\nprefixes = [\"10.0.0.0/24\"]\n"), "");
  EXPECT_EQ(decides(0, 1), "none");
  EXPECT_EQ(decides(1, 0), "in");
  // All of a transaction, or nothing; what it adds itself counts.
  EXPECT_EQ(change("[[add.group]]\nname = \"b\"\ndomains = [\"prod\"]\n"
                   "[[extend.group]]\nname = \"b\"\ngroups = [\"a\"]\n"
                   "[[reduce.group]]\nname = \"b\"\ndomains = [\"prod\"]\n"),
            "");
  EXPECT_EQ(hub.live->groups().find("b")->second.config.groups, std::vector<std::string>{"a"});
  const auto refused = [&](const std::string& text, const std::string& why) {
    const config::Group before = a();
    EXPECT_EQ(change(text), why);
    EXPECT_TRUE(config::same(a(), before));
  };
  refused("[[extend.group]]\nname = \"aa\"\nprefixes = [\"10.0.0.0/24\"]\n",
          "group[].name: no group is called \"aa\"; the nearest is \"a\"");
  refused("[[extend.group]]\nname = \"a\"\nprefixes = [\"10.5.0.0/24\", \"10.77.0.0/16\"]\n",
          "group[].prefixes: group \"a\" has \"10.77.0.0/16\" already");
  refused("[[reduce.group]]\nname = \"a\"\nattachments = [\"s0\"]\n",
          "group[].attachments: group \"a\" has no \"s0\"");
  refused("[[extend.group]]\nname = \"a\"\nattachments = [\"s9\"]\n",
          "group[].attachments: group \"a\": no attachment is called \"s9\"; the nearest is \"s0\"");
  refused("[[extend.group]]\nname = \"a\"\ngroups = [\"b\"]\n",
          "group[].groups: groups contain each other: \"a\" contains \"b\" contains \"a\"");
  refused(
      "[[reduce.group]]\nname = \"b\"\ngroups = [\"a\"]\n",
      "group[]: group \"b\": the group is empty; it needs domains, attachments, prefixes, groups or match");
}

TEST_F(PolicyModel, ATagOfAGroupMadeAtRunTimeFollowsAttachments) {
  hub.use(network(""));
  EXPECT_EQ(change("[[add.group]]\nname = \"late\"\nmatch = \"late\"\n"
                   "[[add.policy]]\nid = \"late\"\naction = \"allow\"\nfrom = { groups = [\"late\"] }\n"),
            "");
  EXPECT_EQ(decides(0, 2), "none");
  EXPECT_EQ(
      change("[[replace.attachment]]\nname = \"s0\"\ndomain = \"prod\"\ntags = [\"late\"]\nvxlan = { "
             "vni = 10, local = \"198.18.0.1\", remote = \"198.18.0.10\" }\ngateway = [\"10.0.0.1/24\"]\n"),
      "");
  EXPECT_EQ(decides(0, 2), "late");
}

TEST_F(PolicyModel, GroupsAtRunTimeAreHeldToTheSame) {
  hub.use(
      network("[[group]]\nname = \"clients\"\nattachments = [\"s1\"]\n"
              "[[group]]\nname = \"all\"\ngroups = [\"clients\"]\n" +
              rule("r", "from = { groups = [\"all\"] }")));
  const auto refused = [&](const std::string& text, const std::string& why) {
    const auto before = hub.snapshot->policy;
    EXPECT_EQ(change(text), why);
    EXPECT_EQ(hub.snapshot->policy, before);
  };
  const std::string add = "[[add.group]]\nname = \"x\"\n",
                    replace = "[[replace.group]]\nname = \"clients\"\n";
  refused(
      add,
      "group[]: group \"x\": the group is empty; it needs domains, attachments, prefixes, groups or match");
  refused(add + "domains = [\"prd\"]\n",
          "group[].domains: group \"x\": no domain is called \"prd\"; the nearest is \"prod\"");
  refused(add + "attachments = [\"s7\"]\n",
          "group[].attachments: group \"x\": no attachment is called \"s7\"; the nearest is \"s0\"");
  refused(add + "groups = [\"client\"]\n",
          "group[].groups: group \"x\": no group is called \"client\"; the nearest is \"clients\"");
  refused(add + "groups = [\"x\"]\n", "group[].groups: groups contain each other: \"x\" contains \"x\"");
  refused(replace + "groups = [\"all\"]\n",
          "group[].groups: groups contain each other: \"all\" contains \"clients\" contains \"all\"");
  refused(add + "match = \"web and\"\n",
          "group[].match: group \"x\": expected a tag, \"not\" or \"(\", found the end");
  refused(add + "prefixes = [\"10.0.0.0/8\"]\n" + add + "prefixes = [\"10.0.0.0/8\"]\n",
          "group \"x\" is there already");
  refused("[[remove.group]]\nname = \"x\"\n", "there is no group \"x\"");
  const auto at = [&](size_t n) {
    return "test.toml:" + std::to_string(hub.file->objects.groups[n].where.line) + ":1: ";
  };
  refused("[[remove.group]]\nname = \"clients\"\n",
          at(1) + "group[].groups: group \"all\": no group is called \"clients\"");
  refused("[[remove.group]]\nname = \"all\"\n",
          "test.toml:" + std::to_string(hub.file->policy[0].where.line) +
              ":1: policy[].from.groups: rule \"r\": no group is called \"all\"");
  // Together they may go, whatever their order.
  EXPECT_EQ(change("[[remove.group]]\nname = \"clients\"\n[[remove.group]]\nname = \"all\"\n"
                   "[[remove.policy]]\nid = \"r\"\n"),
            "");
  EXPECT_TRUE(hub.live->groups().empty());
}

/// A reload leaves what somebody at run time wants so, and says where both want something else.
TEST_F(PolicyModel, AReloadKeepsGroupsOfRunTime) {
  const auto file = [](const char* prefix) {
    return network("[[group]]\nname = \"a\"\nprefixes = [\"" + std::string(prefix) + "\"]\n" +
                   rule("a", "from = { groups = [\"a\"] }") + rule("b", "from = { domains = [\"shared\"] }"));
  };
  hub.use(file("10.0.0.0/24"));
  EXPECT_EQ(change("[[add.group]]\nname = \"mine\"\nattachments = [\"s1\"]\n"
                   "[[replace.group]]\nname = \"a\"\ngroups = [\"mine\"]\n"),
            "");
  hub.use(file("10.0.0.0/24"));
  EXPECT_EQ(decides(1, 0), "a") << "the file says the same as before";
  config::Config saved = *hub.file;
  model::Origins origins;
  hub.live->write_to(saved, &origins);
  ASSERT_EQ(saved.objects.groups.size(), 2u);
  EXPECT_EQ(saved.objects.groups[0].groups, std::vector<std::string>{"mine"});
  EXPECT_EQ(origins.groups, (std::vector{model::Origin::api, model::Origin::api}));
  const auto problems = hub.try_use(parse(file("10.0.0.0/25")));
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].message,
            "group \"a\" has been changed in the file and at run time; undo one of them, or save the "
            "configuration");
  hub.use(config::to_toml(saved));
  hub.live->write_to(saved, &origins);
  EXPECT_EQ(origins.groups, (std::vector{model::Origin::file, model::Origin::file}))
      << "now it is the file's";
}

TEST_F(PolicyModel, ARuleThatMovesTakesOnlyItsOwnPairsAlong) {
  const std::string a = rule("a", "from = { domains = [\"prod\"] }\nto = { domains = [\"prod\"] }"),
                    b = rule("b", "from = { domains = [\"shared\"] }\nto = { domains = [\"shared\"] }"),
                    c = rule("c", "from = { domains = [\"prod\"] }\nto = { domains = [\"shared\"] }");
  hub.use(network(a + b + c));
  const uint32_t pp = version("prod", "prod"), ss = version("shared", "shared"),
                 ps = version("prod", "shared");
  hub.use(network(c + a + b));
  EXPECT_EQ(version("prod", "prod"), pp);
  EXPECT_EQ(version("shared", "shared"), ss);
  EXPECT_NE(version("prod", "shared"), ps);
}

TEST_F(PolicyModel, ASpokeJoinsTheGroupsThatItsTagsFit) {
  hub.use(
      network("[[group]]\nname = \"web\"\nmatch = \"web\"\n" + rule("web", "from = { groups = [\"web\"] }")));
  const std::string spoke =
      "[[add.attachment]]\nname = \"s9\"\ndomain = \"prod\"\nvxlan = { vni = 99, local = \"198.18.0.1\", "
      "remote = \"198.18.0.99\" }\ngateway = [\"10.9.0.1/24\"]\n";
  EXPECT_EQ(change(spoke), "");
  EXPECT_FALSE(published) << "no group may have changed, so the policy stays as it is";
  EXPECT_EQ(decides(9, 2), "none");
  EXPECT_EQ(change("[[remove.attachment]]\nname = \"s9\"\n"), "");
  EXPECT_EQ(change(spoke + "tags = [\"web\"]\n"), "");
  EXPECT_TRUE(published);
  EXPECT_TRUE(hub.snapshot->policy->by_attachment());
  // decides() takes domains by number; this one is in prod like s0.
  const PolicyTable& policy = *hub.snapshot->policy;
  const auto decision =
      policy.classify(policy.find(hub.domain("prod"), hub.domain("shared")),
                      {{ip("10.9.0.5"), ip("10.2.0.5"), 1, 443, 6}, hub.attachment("s9"), {}});
  EXPECT_EQ(decision.action, PolicyAction::allow);
}

TEST_F(PolicyModel, ChangesAtRunTimeAreHeldToTheSame) {
  hub.use(
      network("[[group]]\nname = \"clients\"\nattachments = [\"s1\"]\ndomains = [\"shared\"]\n"
              "[[service]]\nname = \"dns\"\nprotocol = \"udp\"\n"));
  EXPECT_EQ(change("[[add.policy]]\nid = \"a\"\naction = \"reject\"\nfrom = { groups = [\"clients\"] "
                   "}\nservices = [\"dns\"]\n"),
            "");
  EXPECT_EQ(change("[[add.policy]]\nid = \"b\"\naction = \"deny\"\nfrom = { groups = [\"client\"] }\n"),
            "policy[].from.groups: rule \"b\": no group is called \"client\"; the nearest is \"clients\"");
  EXPECT_EQ(change("[[add.policy]]\nid = \"b\"\naction = \"deny\"\nservices = [\"dsn\"]\n"),
            "policy[].services: rule \"b\": no service is called \"dsn\"; the nearest is \"dns\"");
  EXPECT_EQ(change("[[remove.attachment]]\nname = \"s1\"\n"),
            "test.toml:" + std::to_string(hub.file->objects.groups[0].where.line) +
                ":1: group[].attachments: group \"clients\" names \"s1\", which would not be there");
}

TEST_F(PolicyModel, RulesHaveTheirOwnTimeouts) {
  const auto udp_of = [&](const char* id) {
    for (const auto& r : hub.snapshot->policy->rules()) {
      if (r.id == id) return hub.snapshot->timeouts_of(r.effects.timeouts).udp;
    }
    return 0u;
  };
  const auto ticks = [](uint32_t s) { return Tick::duration(s * kNanosPerSecond); };
  const auto place_of = [&](const char* id) {
    for (const auto& r : hub.snapshot->policy->rules()) {
      if (r.id == id) return r.effects.timeouts;
    }
    return TimeoutsIndex{};
  };
  const std::string a = rule("a", "timeouts = { udp = 7 }"), b = rule("b", "timeouts = { udp = 9 }"),
                    same = rule("same", "timeouts = { udp = 9 }"), plain = rule("plain", "");
  hub.use(network(a + b + same + plain));
  EXPECT_EQ(udp_of("a"), ticks(7));
  EXPECT_EQ(udp_of("b"), ticks(9));
  EXPECT_EQ(udp_of("plain"), ticks(60));
  EXPECT_EQ(place_of("b"), place_of("same"));
  EXPECT_EQ(hub.snapshot->timeouts_of(place_of("b")).tcp_established, ticks(3'600)) << "as the hub";
  const TimeoutsIndex was = place_of("b");
  hub.use("[timeouts]\ntcp_established = 100\nudp = 61\n" +
          network(b + rule("c", "timeouts = { udp = 11 }")));
  EXPECT_EQ(place_of("b"), was) << "sessions name it by that";
  EXPECT_EQ(hub.snapshot->timeouts_of(was).tcp_established, ticks(100));
  EXPECT_EQ(udp_of("c"), ticks(11));
}

TEST_F(PolicyModel, RulesEffectsAreTheirs) {
  hub.use(network(rule("a", "dscp = 46\nlog = [\"start\"]") + rule("b", "log = []") +
                  rule("c", "log = [\"end\", \"start\"]") + rule("d", "")));
  const auto& rules = hub.snapshot->policy->rules();
  EXPECT_EQ(rules[0].effects, (RuleEffects{0, 46, RuleEffects::kAtStart}));
  EXPECT_EQ(rules[1].effects, (RuleEffects{0, RuleEffects::kKeepDscp, 0}));
  EXPECT_EQ(rules[2].effects,
            (RuleEffects{0, RuleEffects::kKeepDscp, RuleEffects::kAtStart | RuleEffects::kAtEnd}));
  EXPECT_EQ(rules[3].effects, RuleEffects());
  EXPECT_EQ(hub.snapshot->policy->classify(0, PolicyQuery{{ip("10.0.0.5"), ip("10.1.0.5"), 1, 2, 6}, {}, {}})
                .effects,
            rules[0].effects);
}

TEST_F(PolicyModel, ThereAreAtMostSoManySetsOfTimeouts) {
  const auto some = [](int n) {
    std::string rules;
    for (int i = 0; i < n; ++i) {
      const std::string name = "r" + std::to_string(i);
      rules += rule(name, "timeouts = { udp = " + std::to_string(i + 1) + " }");
    }
    return rules;
  };
  hub.use(network(some(255)));
  const std::string one_more =
      "[[add.policy]]\nid = \"more\"\naction = \"allow\"\ntimeouts = { udp = 999 }\n";
  const std::string problem =
      "policy[].timeouts: all rules together have 256 different sets of time-outs, and at most 255 are "
      "possible";
  EXPECT_EQ(change(one_more), problem);
  // A place that is free is taken again when there is no other.
  EXPECT_EQ(change("[[remove.policy]]\nid = \"r7\"\n" + one_more), "");
  EXPECT_EQ(hub.snapshot->rule_timeouts.size(), 255u);
  EXPECT_EQ(hub.snapshot->rule_timeouts[7].udp, Tick::duration(999 * kNanosPerSecond));
}

TEST_F(PolicyModel, ThereAreAtMostSoManyRules) {
  model::StartFacts facts = one_port();
  facts.policy_rules = 1;
  FileModel small(facts);
  EXPECT_TRUE(small.try_use(parse(network(rule("a", "")))).empty());
  const auto problems = small.try_use(parse(network(rule("a", "") + rule("b", ""))));
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].message, "there would be 2 rules, and limits.policy_rules allows 1");
}

TEST_F(PolicyModel, ARulesCountIsItsOwn) {
  hub.use(network(rule("a", "")));
  FakeDataplane dataplane(std::move(hub.snapshot));
  control::RuleCounts counts(dataplane);
  dataplane.hits[0] = {5, 100};
  counts.on_policy(dataplane.current().policy);
  EXPECT_EQ(counts.of(0).sessions, 0u) << "others were decided in this place before";
  EXPECT_EQ(counts.of(0).last_ns, 0u);
  dataplane.hits[0] = {7, 200};
  EXPECT_EQ(counts.of(0).sessions, 2u);
  EXPECT_EQ(counts.of(0).last_ns, 200u);
  hub.use(network(rule("b", "")));  // takes the place
  counts.on_policy(hub.snapshot->policy);
  EXPECT_EQ(counts.of(0).sessions, 0u);
  counts.on_policy(hub.snapshot->policy);
  dataplane.hits[0] = {8, 300};
  counts.on_policy(hub.snapshot->policy);
  EXPECT_EQ(counts.of(0).sessions, 1u) << "it goes on while the rule stays";
}

}  // namespace
}  // namespace weir::test
