// A keyword counts as supported only if it matters to the outcome: for each there is a rule that alerts on a
// small capture, and the same rule with the keyword's value altered, which does not. The test fails where a
// supported keyword has no row, here or in its subject's keyword_*_test.cpp.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>

#include "inspection/compile/detection_ruleset.h"
#include "inspection/compile/literal_strength.h"
#include "inspection/rules/keyword.h"
#include "inspection/rules/language.h"
#include "tests/unit/inspection/engine/keyword_outcomes.h"

namespace weir::inspection::test {
namespace {

using Json = nlohmann::json;

// --- what events say ---

struct EventRow {
  const char* keyword;
  const char* options;  // beside sid:1
  const char* altered;
  const char* member;  // of the event, as a JSON pointer
  const char* value;
};

constexpr EventRow kEvents[] = {
    {"msg", R"(msg:"one";)", R"(msg:"two";)", "/alert/signature", R"("one")"},
    {"rev", "rev:3;", "rev:4;", "/alert/rev", "3"},
    {"gid", "gid:2;", "gid:3;", "/alert/gid", "2"},
    {"priority", "priority:1;", "priority:2;", "/alert/severity", "1"},
    {"classtype", "classtype:trojan-activity;", "classtype:misc-attack;", "/alert/category",
     R"("A Network Trojan was detected")"},
    {"reference", "reference:cve,2024-1;", "reference:cve,2024-2;", "/alert/references/0", R"("cve:2024-1")"},
    {"metadata", "metadata:a b;", "metadata:a c;", "/alert/metadata/a/0", R"("b")"},
    {"target", "target:src_ip;", "target:dest_ip;", "/alert/target/ip", R"("10.0.0.1")"},
};

TEST(KeywordOutcomes, WhatIsAboutTheRuleStandsInTheEvent) {
  KeywordRunner runner;
  for (const EventRow& row : kEvents) {
    SCOPED_TRACE(row.keyword);
    const auto said = [&](const char* options) {
      const auto alerts = runner.alerts(datagram("abc"), std::string(kUdp) + " (" + options + " sid:1;)\n");
      const Json::json_pointer member(row.member);
      return alerts.size() == 1 && alerts[0].contains(member) ? alerts[0][member].dump()
                                                              : std::string("nothing");
    };
    EXPECT_EQ(said(row.options), row.value);
    EXPECT_NE(said(row.altered), row.value);
  }
}

TEST(KeywordOutcomes, ConfigKeepsATransactionOutOfTheLog) {
  KeywordRunner runner;
  const std::string rule = R"( http any any -> any any (http.uri; content:"/"; )";
  for (const auto& [text, logged, alerts] :
       {std::tuple("config" + rule + "config:logging disable, type tx, scope tx; sid:1;)", 0u, 0u),
        {"alert" + rule + "config: logging disable, type tx, scope tx; sid:1;)", 0u, 1u},
        {"config" + rule + "sid:1;)", 1u, 0u}}) {
    EXPECT_EQ(runner.events(web(), text, "http").size(), logged) << text;
    EXPECT_EQ(runner.events(web(), text, "fileinfo").size(), 2u) << text;
    EXPECT_EQ(runner.alerts(web(), text).size(), alerts) << text;
  }
}

TEST(KeywordOutcomes, ClassesAreThoseThatTheSettingsName) {
  KeywordRunner runner;
  runner.classes = "classes.config";
  for (const auto& [name, category, severity] :
       {std::tuple("my-own", "Mine alone", 2), {"misc-attack", "Misc Attack", 2}}) {
    const auto alerts =
        runner.alerts(datagram("abc"), std::string(kUdp) + " (classtype:" + name + "; sid:1;)\n");
    ASSERT_EQ(alerts.size(), 1u);
    EXPECT_EQ(alerts[0]["alert"]["category"], category);
    EXPECT_EQ(alerts[0]["alert"]["severity"], severity);
  }
}

// Which literal proposes a rule changes its cost, never its outcome.
TEST(KeywordOutcomes, FastPatternChoosesTheLiteral) {
  const auto literal = [](const char* options) {
    ast::ParsedRuleset parsed;
    ast::RuleReader().read("a.rules", std::string(kTcp) + " (" + options + " sid:1;)", parsed);
    return DetectionRuleset::compile(parsed, {}).value()->rule(0).fast.bytes;
  };
  EXPECT_EQ(literal(R"(content:"rare-one"; content:"zq8#";)"), "rare-one");
  EXPECT_EQ(literal(R"(content:"rare-one"; content:"zq8#"; fast_pattern;)"), "zq8#");
  // What stands in everybody's requests says too little, whoever chose it.
  EXPECT_EQ(literal(R"(content:"rare-one"; content:"User-Agent|3a 20|Mozilla/5.0"; fast_pattern;)"),
            "rare-one");
  // Of a long content the stretch that says most.
  const std::string long_one = literal(R"(content:"GET /zq8x-vjk3.bin HTTP/1.1|0d 0a|Host|3a 20|www.";)");
  EXPECT_LE(long_one.size(), kLongestLiteral);
  EXPECT_NE(long_one.find("zq8x-vjk"), std::string::npos) << long_one;
}

TEST(KeywordOutcomes, EachSupportedKeywordHasARow) {
  std::set<std::string_view> shown = {"sid", "fast_pattern", "config"};  // every row; tests above
  shown.merge(shown_buffers());
  for (const auto& rows : {content_rows(), packet_rows(), application_rows()}) {
    for (const KeywordRow& row : rows) shown.insert(row.keyword);
  }
  for (const EventRow& row : kEvents) shown.insert(row.keyword);
  for (const ast::Keyword& keyword : ast::keywords()) {
    if (keyword.support == ast::Support::refused || keyword.note.starts_with("Without effect")) continue;
    EXPECT_TRUE(shown.contains(keyword.name)) << keyword.name;
  }
}

}  // namespace
}  // namespace weir::inspection::test
