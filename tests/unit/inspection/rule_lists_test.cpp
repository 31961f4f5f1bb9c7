// Lists beside files of rules: what suricata-update's lists name, and what becomes of the rules.
#include "inspection/rules/rule_lists.h"

#include <gtest/gtest.h>

#include "inspection/rules/language.h"

namespace weir::inspection::ast {
namespace {

constexpr std::string_view kFile = "/etc/rules/emerging-scan.rules";
constexpr std::string_view kText =
    "alert tcp any any -> any any (msg:\"Heartbleed scan\"; metadata:deployment Perimeter, created_at "
    "2020_01_02; "
    "gid:1; sid:2019401;)";

TEST(RulePattern, NamesRulesAsSuricataUpdateDoes) {
  struct Row {
    const char* pattern;
    bool meets;
  };
  const Row rows[] = {
      {"2019401", true},
      {"2019402", false},
      {"1:2019401", true},
      {"3:2019401", false},
      {"7, 1:2019401", true},
      {"2019400-2019402", true},
      {"1:2019402-2019409", false},
      {"*", true},
      {"group:emerging-scan.rules", true},
      {"group: emerging-scan", true},
      {"group:emerging-*", true},
      {"group:scan", false},
      {"emerging-scan.rules", true},
      {"filename:*/emerging-scan.rules", true},
      {"filename:emerging-scan.rules", false},
      {"re:heartBLEED", true},
      {"re:^alert .*sid:2019401;", true},
      {"re:^drop", false},
      {"metadata:deployment perimeter", true},
      {"metadata: created_at 2020_01_02", true},
      {"metadata:deployment internal", false},
      {"metadata:Perimeter deployment", false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.pattern);
    auto pattern = RulePattern::parse(row.pattern);
    ASSERT_TRUE(pattern) << pattern.error();
    EXPECT_FALSE(pattern->unmet().empty());
    EXPECT_EQ(pattern->meets({1, 2'019'401, kFile, kText}), row.meets);
  }
}

TEST(RulePattern, RefusesWhatNamesNothing) {
  for (const char* text : {"", " ", "x", "0", "1:", ":1", "1,,2", "5-4", "1-", "-1", "4294967296", "1:2:3",
                           "group:", "re:", "re:[", "metadata:key", "1 2"}) {
    EXPECT_FALSE(RulePattern::parse(text)) << text;
  }
}

TEST(RulePattern, TellsWhichOfItsNumbersNoRuleHas) {
  auto pattern = RulePattern::parse("5, 7-9, 1:11");
  ASSERT_TRUE(pattern);
  EXPECT_TRUE(pattern->meets({1, 8, kFile, kText}));
  EXPECT_EQ(pattern->unmet(), (std::vector<std::string>{"5", "1:11"}));
}

TEST(RulePattern, AnExpressionThatTakesTooLongMeetsNothing) {
  auto pattern = RulePattern::parse("re:(a+)+$");
  ASSERT_TRUE(pattern);
  EXPECT_FALSE(pattern->meets({1, 1, kFile, std::string(64, 'a') + "!"}));
}

constexpr std::string_view kRules =
    "alert tcp any any -> any any (msg:\"one\"; content:\"a\"; sid:1;)\n"
    "# alert tcp any any -> any any (msg:\"two\"; content:\"b\"; sid:2;)\n"
    "drop tcp any any -> any any (msg:\"three\"; content:\"c\"; sid:3;)\n"
    "alert tcp any any -> any any (msg:\"four\"; content:\"d\"; flowbits:set,x; flowbits:noalert; sid:4;)\n"
    "#alert tcp any any -> any any (msg:\"five\"; content:\"e\"; nonsense; sid:5;)\n"
    "# what this is: alert (no rule)\n"
    "alert tcp any any -> any any (msg:\"six\"; content:\"f\"; lua:x.lua; sid:6;)\n";

struct Outcome {
  ParsedRuleset parsed;
  std::string rules;  // "1 alert, 3 drop silent"
  std::vector<RuleLists::Unmet> unmet;
};

Outcome read(const std::vector<RuleListEntry>& entries) {
  auto lists = RuleLists::make(entries);
  if (!lists) ADD_FAILURE() << lists.error();
  RuleReader reader(ClassTable::defaults(), std::move(*lists));
  Outcome out;
  reader.read("a.rules", kRules, out.parsed);
  out.unmet = reader.lists().unmet();
  static constexpr const char* kActions[] = {"alert", "drop", "reject", "rejectdst", "rejectboth", "pass"};
  for (const Rule& rule : out.parsed.rules) {
    out.rules += (out.rules.empty() ? "" : ", ") + std::to_string(rule.sid) + " " +
                 kActions[static_cast<size_t>(rule.action)] + (rule.silent ? " silent" : "");
  }
  return out;
}

TEST(RuleLists, NothingIsOtherwiseWithoutThem) {
  const Outcome out = read({});
  EXPECT_EQ(out.rules, "1 alert, 3 drop, 4 alert");
  EXPECT_EQ(out.parsed.refused, 1u);
}

TEST(RuleLists, SwitchRulesOnAndOff) {
  const Outcome out =
      read({{RuleChange::enable, "2"}, {RuleChange::disable, "1,3"}, {RuleChange::disable, "6"}});
  EXPECT_EQ(out.rules, "2 alert, 4 alert");
  EXPECT_EQ(out.parsed.rules[0].line, 2u);
  EXPECT_EQ(out.parsed.rules[0].column, 3u);
  EXPECT_EQ(out.parsed.enabled, 1u);
  EXPECT_EQ(out.parsed.disabled, 3u);
  EXPECT_EQ(out.parsed.refused, 0u) << "what is left out need not be understood";
  EXPECT_TRUE(out.unmet.empty());
}

TEST(RuleLists, ARuleOfBothIsOn) {
  EXPECT_EQ(read({{RuleChange::disable, "*"}, {RuleChange::enable, "2-3"}}).rules, "2 alert, 3 drop");
}

TEST(RuleLists, AWrongRuleInACommentIsAnIssueOnceItIsWanted) {
  const Outcome out = read({{RuleChange::enable, "5"}});
  ASSERT_EQ(out.parsed.issues.size(), 2u);
  EXPECT_EQ(to_string(out.parsed.issues[0], out.parsed), "a.rules:5:57: nonsense: The keyword is unknown.");
}

TEST(RuleLists, ChangeActionsButNotOfRulesWithNoalert) {
  const Outcome out = read({{RuleChange::to_drop, "*"}, {RuleChange::to_pass, "3"}});
  EXPECT_EQ(out.rules, "1 drop, 3 pass, 4 alert");
  EXPECT_EQ(out.parsed.changed, 2u);
  EXPECT_EQ(read({{RuleChange::to_reject, "1"}, {RuleChange::to_alert, "3"}}).rules,
            "1 reject, 3 alert, 4 alert");
}

TEST(RuleLists, Silence) {
  const Outcome out = read({{RuleChange::suppress, "3"}});
  EXPECT_EQ(out.rules, "1 alert, 3 drop silent, 4 alert");
  EXPECT_EQ(out.parsed.silenced, 1u);
}

TEST(RuleLists, TellWhatNoFileHas) {
  const Outcome out =
      read({{RuleChange::disable, "1,99"}, {RuleChange::to_drop, "3"}, {RuleChange::enable, "group:b"}});
  ASSERT_EQ(out.unmet.size(), 2u);
  EXPECT_EQ(out.unmet[0], (RuleLists::Unmet{0, "99"}));
  EXPECT_EQ(out.unmet[1], (RuleLists::Unmet{2, "group:b"}));
}

TEST(References, HaveThePrefixOfTheirKind) {
  ReferenceTable table;
  EXPECT_EQ(
      table.read("# kinds\nconfig reference: CVE http://cve.example/?name=\nconfig reference: url http://\n"
                 "config reference:\nreference: x y\n"),
      2u);
  RuleReader reader(ClassTable::defaults(), {}, table);
  ParsedRuleset parsed;
  reader.read(
      "a.rules",
      "alert tcp any any -> any any (content:\"a\"; reference:cve,2014-0160; reference:other,1; sid:1;)",
      parsed);
  ASSERT_EQ(parsed.rules.size(), 1u);
  EXPECT_EQ(parsed.rules[0].references[0].prefix, "http://cve.example/?name=");
  EXPECT_EQ(parsed.rules[0].references[1].prefix, "");
}

}  // namespace
}  // namespace weir::inspection::ast
