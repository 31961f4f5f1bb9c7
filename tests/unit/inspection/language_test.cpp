#include "inspection/rules/language.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include <nlohmann/json.hpp>

#include "inspection/compile/detection_ruleset.h"
#include "inspection/compile/rules_report.h"
#include "inspection/rules/keyword.h"
#include "inspection/rules/keyword_docs.h"
#include "keyword_rows.h"

namespace weir::inspection::ast {
namespace {

ParsedRuleset parse(std::string_view text) {
  ParsedRuleset parsed;
  RuleReader().read("a.rules", text, parsed);
  return parsed;
}

std::string row_text(const KeywordRow& row, unsigned sid = 1) {
  return "alert " + std::string(row.protocol) + " any any -> any any (" + std::string(row.options) +
         " sid:" + std::to_string(sid) + ";)\n";
}

Rule one_rule(std::string_view text) {
  ParsedRuleset parsed = parse(text);
  for (const Issue& issue : parsed.issues) ADD_FAILURE() << to_string(issue, parsed);
  if (parsed.rules.size() != 1) {
    ADD_FAILURE() << parsed.rules.size() << " rules";
    return {};
  }
  return parsed.rules[0];
}

template <typename T>
T only(const Rule& rule) {
  for (const Option& option : rule.options) {
    if (const auto* value = std::get_if<T>(&option.value)) return *value;
  }
  ADD_FAILURE() << "no such option";
  return {};
}

// --- keywords ---

TEST(RuleKeywords, GoodRowsLoadAndBadRowsAreRefusedByName) {
  for (const KeywordRow& row : keyword_rows()) {
    SCOPED_TRACE(row_text(row));
    const ParsedRuleset parsed = parse(row_text(row));
    if (row.good) {
      for (const Issue& issue : parsed.issues) ADD_FAILURE() << to_string(issue, parsed);
      EXPECT_EQ(parsed.rules.size(), 1U);
      continue;
    }
    EXPECT_TRUE(parsed.rules.empty());
    ASSERT_EQ(parsed.issues.size(), 1U);
    const Issue& issue = parsed.issues[0];
    EXPECT_EQ(issue.kind, Issue::Kind::wrong);
    const std::string_view named = row.at.empty() ? row.keyword : row.at;
    EXPECT_EQ(issue.keyword, named);
    EXPECT_GT(issue.column, 10U);
    EXPECT_EQ(row_text(row).substr(issue.column - 1, 1).find_first_of(" ;)"), std::string::npos)
        << "column " << issue.column << ' ' << issue.message;
    EXPECT_TRUE(issue.message.ends_with('.')) << issue.message;
  }
}

TEST(RuleKeywords, EachSupportedKeywordHasRows) {
  std::set<std::string_view> good, bad;
  for (const KeywordRow& row : keyword_rows()) (row.good ? good : bad).insert(row.keyword);
  for (const Keyword& keyword : keywords()) {
    if (keyword.support == Support::refused) continue;
    if (keyword.means.starts_with("sticky buffer") ||
        keyword.means.find("sticky buffer") != keyword.means.npos ||
        keyword.means.starts_with("older form")) {
      continue;  // the rows of buffers.def: RuleBuffers
    }
    EXPECT_TRUE(good.contains(keyword.name)) << keyword.name;
    const bool needs_bad = keyword.group != KeywordGroup::transform;
    EXPECT_TRUE(!needs_bad || bad.contains(keyword.name)) << keyword.name;
  }
}

TEST(RuleKeywords, NamesAreUniqueAndRefusalsHaveReasons) {
  std::set<std::string_view> names;
  for (const Keyword& keyword : keywords()) {
    EXPECT_TRUE(names.insert(keyword.name).second) << keyword.name;
    EXPECT_EQ(keyword.support != Support::yes, keyword.note.ends_with('.')) << keyword.name;
    if (keyword.support != Support::refused) {
      EXPECT_NE(keyword.parse, nullptr) << keyword.name;
      EXPECT_FALSE(keyword.means.empty()) << keyword.name;
    }
    EXPECT_EQ(find_keyword(keyword.name), &keyword);
  }
}

// "Supported" is what detection evaluates, not what the parser knows.
TEST(RuleKeywords, DetectionTakesWhatTheTableCallsSupported) {
  std::string text;
  unsigned sid = 0;
  for (const KeywordRow& row : keyword_rows()) {
    if (row.good) text += row_text(row, ++sid);
  }
  const ParsedRuleset parsed = parse(text);
  ASSERT_EQ(parsed.rules.size(), sid);
  DetectionCompileOptions options;
  options.read_list = [](const std::string&, const std::string& name) -> Result<std::string> {
    if (name == "scores") return "YQ==,7\n";
    return std::string(name == "md5" ? 32 : name == "sha1" ? 40 : 64, 'a') + "\n";
  };
  const auto compiled = DetectionRuleset::compile(parsed, options);
  ASSERT_TRUE(compiled) << compiled.error().message;
  for (const Issue& issue : (*compiled)->issues()) {
    ADD_FAILURE() << issue.message << ' ' << parsed.rules[issue.line - 1].text;
  }
}

TEST(RuleKeywords, RefusedOnesRefuseTheirRuleAloneAndAllAreNamed) {
  const ParsedRuleset parsed = parse(
      "alert tcp any any -> any any (sip.method; content:\"2\"; bsize:1; lua:x; sid:1;)\n"
      "alert smb any any -> any any (smb.share; content:\"a\"; sid:2;)\n"
      "alert tcp any any -> any any (sid:3;)\n");
  ASSERT_EQ(parsed.rules.size(), 1U);
  EXPECT_EQ(parsed.rules[0].sid, 3U);
  EXPECT_EQ(parsed.refused, 2U);
  std::vector<std::string> keywords;
  for (const Issue& issue : parsed.issues) {
    EXPECT_EQ(issue.kind, Issue::Kind::unsupported);
    keywords.push_back(std::to_string(issue.sid) + issue.keyword);
  }
  EXPECT_EQ(keywords, (std::vector<std::string>{"1sip.method", "1lua", "2smb", "2smb.share"}));
}

// --- buffers ---

TEST(RuleBuffers, EachRowOfTheTableIsAStickyBuffer) {
  for (const BufferInfo& info : buffer_infos()) {
    const Keyword* keyword = find_keyword(info.keyword);
    ASSERT_NE(keyword, nullptr) << info.keyword;
    if (keyword->support == Support::refused) continue;
    for (const std::string_view name : {info.keyword, info.modifier}) {
      const Keyword* row = name.empty() ? nullptr : find_keyword(name);
      if (row == nullptr) continue;
      SCOPED_TRACE(name);
      const bool modifier = row->means.starts_with("older form");
      const std::string first = info.id == BufferId::base64_data ? "base64_decode; " : "";
      const std::string text = modifier ? "content:\"a\"; " + std::string(name) + ";"
                                        : first + std::string(name) + "; content:\"a\";";
      const Rule rule = one_rule("alert tcp any any -> any any (" + text + " sid:1;)");
      ASSERT_FALSE(rule.options.empty());
      EXPECT_EQ(rule.uses[only<Content>(rule).use].buffer, info.id);
      EXPECT_EQ(rule.app, info.protocol);
    }
  }
}

TEST(RuleBuffers, AStickyBufferThatNothingLooksIntoIsWrong) {
  for (const char* options :
       {"http.uri;", "http.uri; http.host; content:\"a\";", "http.uri; pkt_data;", "http.uri; to_md5;"}) {
    const ParsedRuleset parsed = parse("alert http any any -> any any (" + std::string(options) + " sid:1;)");
    ASSERT_EQ(parsed.issues.size(), 1U) << options;
    EXPECT_EQ(parsed.issues[0].kind, Issue::Kind::wrong);
  }
}

TEST(RuleBuffers, UsesAreSharedUnlessTheyAreListsOrTransformed) {
  const Rule rule = one_rule(
      "alert http any any -> any any (http.uri; content:\"a\"; http.user_agent; content:\"b\"; http.uri; "
      "content:\"c\"; http.request_header; content:\"d\"; http.request_header; content:\"e\"; http.uri; "
      "to_lowercase; content:\"f\"; pkt_data; content:\"g\"; sid:1;)");
  std::vector<unsigned> uses;
  for (const Option& option : rule.options) uses.push_back(std::get<Content>(option.value).use);
  EXPECT_EQ(uses, (std::vector<unsigned>{1, 2, 1, 3, 4, 5, 0}));
  EXPECT_EQ(rule.uses[5].transforms.size(), 1U);
  EXPECT_TRUE(rule.uses[1].transforms.empty());
}

TEST(RuleBuffers, WithoutStickyBuffersRelativeKeywordsLookWhereTheContentBeforeDid) {
  const Rule rule = one_rule(
      "alert http any any -> any any (content:\"a\"; http_uri; isdataat:!1,relative; content:\"b\"; "
      "byte_test:1,>,1,0; pcre:\"/c/U\"; pcre:\"/d/R\"; sid:1;)");
  std::vector<unsigned> uses;
  for (const Option& option : rule.options) {
    std::visit(
        [&](const auto& value) {
          if constexpr (requires { value.use; }) uses.push_back(value.use);
        },
        option.value);
  }
  EXPECT_EQ(uses, (std::vector<unsigned>{1, 1, 0, 0, 1, 1}));
}

// --- values ---

TEST(RuleValues, Contents) {
  const Rule rule = one_rule(
      R"(alert tcp any any -> any any (content:!"a|0D 0a|\"\;"; nocase; offset:3; depth:9; sid:1;))");
  const auto content = only<Content>(rule);
  EXPECT_EQ(content.bytes, "a\r\n\";");
  EXPECT_TRUE(content.negated && content.nocase);
  EXPECT_EQ(content.offset->value, 3);
  EXPECT_EQ(content.depth->value, 9);
}

TEST(RuleValues, OlderKeywordsBecomeContents) {
  const auto name = only<Content>(one_rule("alert http any any -> any any (fileext:\"exe\"; sid:1;)"));
  EXPECT_EQ(name.bytes, ".exe");
  EXPECT_TRUE(name.ends_with && name.nocase);
  const auto print = only<Content>(one_rule("alert tls any any -> any any (tls.fingerprint:\"b2\"; sid:1;)"));
  EXPECT_TRUE(print.starts_with && print.ends_with && print.nocase);
}

TEST(RuleValues, Comparisons) {
  struct Row {
    const char* text;
    std::vector<uint64_t> yes, no;
  };
  const Row rows[] = {{"5", {5}, {4, 6}},           {"=5", {5}, {4}},
                      {"!5", {4, 6}, {5}},          {"!=5", {4}, {5}},
                      {"<5", {0, 4}, {5}},          {">5", {6, 255}, {5}},
                      {"<=5", {0, 5}, {6}},         {">= 5", {5, 255}, {4}},
                      {"5<>9", {6, 8}, {5, 9}},     {"5-9", {6, 8}, {5, 9}},
                      {"!5-9", {5, 9}, {6, 8}},     {"&0x40=0x40", {0x40, 0xff}, {0, 0xbf}},
                      {"!&0x40=0x40", {0}, {0x40}}, {"&0x40!=0x40", {0}, {0x40}},
                      {"0x10", {16}, {10}}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    const auto number = only<HeaderNumber>(
        one_rule("alert ip any any -> any any (ttl:" + std::string(row.text) + "; sid:1;)"));
    for (const uint64_t x : row.yes) EXPECT_TRUE(number.compare.matches(x)) << x;
    for (const uint64_t x : row.no) EXPECT_FALSE(number.compare.matches(x)) << x;
  }
}

TEST(RuleValues, Dates) {
  const auto number = only<TransactionNumber>(
      one_rule("alert tls any any -> any any (tls_cert_notafter:2016-07-20T01:02:03; sid:1;)"));
  EXPECT_EQ(number.compare.min, 1'468'976'523U);  // date -u -d 2016-07-20T01:02:03 +%s
  EXPECT_EQ(number.compare.max, 1'468'976'523U);
}

TEST(RuleValues, Variables) {
  const Rule rule = one_rule(
      "alert tcp any any -> any any (byte_extract:1,0,len; content:\"a\"; distance:len; "
      "byte_math:bytes 1, offset 1, oper +, rvalue len, result sum; isdataat:sum,relative; sid:1;)");
  EXPECT_EQ(rule.slots, (std::vector<std::string>{"len", "sum"}));
  EXPECT_EQ(only<Content>(rule).distance->slot, 0);
  EXPECT_EQ(only<ByteMath>(rule).rvalue.slot, 0);
  EXPECT_EQ(only<IsDataAt>(rule).offset.slot, 1);
}

TEST(RuleValues, FlagsOfTcp) {
  const auto flags = only<BitFlags>(one_rule("alert tcp any any -> any any (flags:SF+,CE; sid:1;)"));
  EXPECT_EQ(flags.bits, 0x03);
  EXPECT_EQ(flags.ignored, 0xc0);
  EXPECT_EQ(flags.mode, BitFlags::Mode::all_of);
}

TEST(RuleValues, CapturesOfPcre) {
  const auto pcre = only<Pcre>(one_rule(
      R"(alert http any any -> any any (http.user_agent; pcre:"/^(?P<flow_ua>a)(?:b)([(](c))/i, pkt:x, alert:y"; sid:1;))"));
  ASSERT_EQ(pcre.captures.size(), 3U);
  EXPECT_EQ(pcre.captures[0].name, "ua");
  EXPECT_EQ(pcre.captures[2].name, "y");
  EXPECT_EQ(pcre.captures[2].group, 2);
  EXPECT_EQ(pcre.pattern, "^(?P<flow_ua>a)(?:b)([(](c))");
}

// --- whole rules ---

struct HeaderRow {
  const char* header;
  bool good = true;
};

TEST(RuleHeaders, GoodAndBad) {
  const HeaderRow rows[] = {
      {"alert tcp any any -> any any"},
      {"drop udp 10.0.0.0/8 1024: <> [10.1.0.1,!10.2.0.0/16] [53,!54:60]"},
      {"pass IP [2001:db8::/32,!2001:db8:1::/48] any -> 10.1.2.3/8 :1023"},
      {"reject tcp-pkt 10.0.0.1-10.0.0.9 any -> any any"},
      {"rejectdst tcp-stream [10.0.0.1, 10.0.0.2] any -> any [80, 443]"},
      {"rejectboth http [$HOME_NET,![$DNS_SERVERS,10.0.0.0/255.0.0.0]] any -> !$EXTERNAL_NET $HTTP_PORTS"},
      {"rejectsrc pkthdr any any -> any any"},
      {"alert tcp any any any any", false},
      {"alert tcp any any -> any", false},
      {"alert tcp any any <- any any", false},
      {"alert tcp any any -> any any any", false},
      {"alarm tcp any any -> any any", false},
      {"alert xyz any any -> any any", false},
      {"alert tcp 10.0.0.256 any -> any any", false},
      {"alert tcp 10.0.0.0/33 any -> any any", false},
      {"alert tcp 10.0.0.0/255.0.255.0 any -> any any", false},
      {"alert tcp 10.0.0.9-10.0.0.1 any -> any any", false},
      {"alert tcp [10.0.0.1 any -> any any", false},
      {"alert tcp [10.0.0.1,] any -> any any", false},
      {"alert tcp [] any -> any any", false},
      {"alert tcp !any any -> any any", false},
      {"alert tcp $ any -> any any", false},
      {"alert tcp any 65536 -> any any", false},
      {"alert tcp any 9:1 -> any any", false},
      {"alert tcp any : -> any any", false},
      {"alert tcp any x -> any any", false},
      {"", false},
  };
  for (const HeaderRow& row : rows) {
    SCOPED_TRACE(row.header);
    const ParsedRuleset parsed = parse(std::string(row.header) + " (sid:1;)");
    EXPECT_EQ(parsed.rules.size(), row.good ? 1U : 0U);
    EXPECT_EQ(parsed.issues.size(), row.good ? 0U : 1U);
    for (const Issue& issue : parsed.issues) EXPECT_EQ(issue.kind, Issue::Kind::wrong);
  }
}

TEST(RuleTexts, LinesCommentsAndContinuations) {
  const ParsedRuleset parsed = parse(
      "# alert tcp any any -> any any (sid:9;)\n\n  \t\n"
      "alert tcp any any -> any any \\\r\n  (msg:\"m\"; \\  \n sid:1;)\r\n"
      "alert tcp any any -> any any (sid:2;) \n"
      "alert tcp any any -> any any (msg:\"a\"; frob:1; sid:3;)");
  ASSERT_EQ(parsed.rules.size(), 2U);
  EXPECT_EQ(parsed.rules[0].line, 4U);
  EXPECT_EQ(parsed.rules[1].line, 7U);
  ASSERT_EQ(parsed.issues.size(), 1U);
  EXPECT_EQ(to_string(parsed.issues[0], parsed), "a.rules:8:40: frob: The keyword is unknown.");
  EXPECT_EQ(parsed.issues[0].sid, 3U);
}

TEST(RuleTexts, BrokenRulesAreIssuesAndTheOthersStand) {
  for (const char* text :
       {"alert tcp any any -> any any", "alert tcp any any -> any any (sid:1;",
        "alert tcp any any -> any any (sid:1)", "alert tcp any any -> any any (msg:\"a;b\"; sid:1;)", "(",
        ")", "alert tcp any any -> any any ()", "alert tcp any any -> any any (:;sid:1;)",
        "alert tcp any any -> any any (msg:\"m\";)"}) {
    const ParsedRuleset parsed = parse(std::string(text) + "\nalert tcp any any -> any any (sid:5;)\n");
    EXPECT_EQ(parsed.rules.size(), 1U) << text;
    EXPECT_EQ(parsed.refused, 1U) << text;
  }
}

TEST(RuleTexts, OfTwoRulesWithOneNumberTheNewerStands) {
  const ParsedRuleset parsed = parse(
      "alert tcp any any -> any any (sid:1; rev:1; msg:\"old\";)\n"
      "alert tcp any any -> any any (sid:1; rev:2; msg:\"new\";)\n"
      "alert tcp any any -> any any (sid:1; rev:2; msg:\"again\";)\n"
      "alert tcp any any -> any any (sid:1; gid:2; msg:\"other\";)\n");
  ASSERT_EQ(parsed.rules.size(), 2U);
  EXPECT_EQ(parsed.rules[0].message, "new");
  EXPECT_EQ(parsed.skipped, 1U);
  EXPECT_EQ(parsed.refused, 1U);
}

TEST(RuleTexts, RequirementsThatAreNotMetLeaveTheRuleOut) {
  for (const char* condition :
       {"version >= 9", "version < 8", "feature geoip", "keyword lua", "keyword frob", "foo bar"}) {
    const ParsedRuleset parsed =
        parse("alert tcp any any -> any any (requires:" + std::string(condition) + "; frob:1; sid:1;)");
    EXPECT_EQ(parsed.skipped, 1U) << condition;
    EXPECT_TRUE(parsed.rules.empty()) << condition;
  }
}

TEST(RuleTexts, ClassesGivePriorities) {
  ClassTable classes = ClassTable::defaults();
  EXPECT_EQ(classes.read("# x\nconfig classification: ours,Our own class, 2\nconfig classification: bad\n"),
            1U);
  ParsedRuleset parsed;
  RuleReader(classes).read("a",
                           "alert tcp any any -> any any (classtype:ours; sid:1;)\n"
                           "alert tcp any any -> any any (classtype:trojan-activity; priority:7; sid:2;)\n",
                           parsed);
  ASSERT_EQ(parsed.rules.size(), 2U);
  EXPECT_EQ(parsed.rules[0].priority, 2);
  EXPECT_EQ(parsed.rules[0].class_text, "Our own class");
  EXPECT_EQ(parsed.rules[1].priority, 7);
  EXPECT_EQ(parsed.rules[1].class_text, "A Network Trojan was detected");
}

// --- binding ---

net::IpAddress ip(const char* text) { return *net::parse_ip(text); }

TEST(RuleVariablesBinding, EqualTextsAreOneEntryAndProfilesDiffer) {
  const ParsedRuleset parsed = parse(
      "alert tcp $HOME_NET any -> $EXTERNAL_NET any (sid:1;)\n"
      "alert tcp $HOME_NET any -> [$EXTERNAL_NET, !192.0.2.1] $HTTP_PORTS (sid:2;)\n");
  EXPECT_EQ(parsed.addresses.entries().size(), 3U);
  EXPECT_EQ(parsed.ports.entries().size(), 2U);
  RuleVariables variables = RuleVariables::defaults();
  variables.addresses["HOME_NET"] = "[198.51.100.0/24,2001:db8::/32]";
  const auto home = bind_addresses(parsed.addresses[parsed.rules[0].source], variables);
  const auto outside = bind_addresses(parsed.addresses[parsed.rules[1].destination], variables);
  ASSERT_TRUE(home && outside);
  EXPECT_TRUE(home->contains(ip("198.51.100.9")));
  EXPECT_TRUE(home->contains(ip("2001:db8::1")));
  EXPECT_FALSE(home->contains(ip("10.0.0.1")));
  EXPECT_TRUE(outside->contains(ip("10.0.0.1")));
  EXPECT_FALSE(outside->contains(ip("198.51.100.9")));
  EXPECT_FALSE(outside->contains(ip("192.0.2.1")));
  const auto ports = bind_ports(parsed.ports[parsed.rules[1].destination_ports], variables);
  ASSERT_TRUE(ports);
  EXPECT_TRUE(ports->contains(80));
  EXPECT_FALSE(ports->contains(81));
}

TEST(RuleVariablesBinding, UnknownAndCircularVariablesAreErrors) {
  RuleVariables variables;
  variables.addresses = {{"A", "$B"}, {"B", "[10.0.0.1,$A]"}, {"BAD", "10.0.0"}};
  for (const char* text : {"$A", "$C", "$BAD"}) {
    const auto expression = parse_address_expression(text);
    ASSERT_TRUE(expression);
    const auto set = bind_addresses(*expression, variables);
    ASSERT_FALSE(set) << text;
    EXPECT_TRUE(set.error().ends_with('.'));
  }
}

TEST(RuleVariablesBinding, VariablesThatDoubleThemselvesAreCutOff) {
  RuleVariables variables;
  variables.addresses["V0"] = "10.0.0.1";
  for (int i = 1; i <= 15; ++i) {
    const std::string before = "$V" + std::to_string(i - 1);
    std::string value = "[" + before;
    for (int k = 0; k < 9; ++k) value += "," + before;
    variables.addresses["V" + std::to_string(i)] = value + "]";
  }
  const auto expression = parse_address_expression("$V15");
  ASSERT_TRUE(expression);
  EXPECT_FALSE(bind_addresses(*expression, variables));
}

// --- docs and reports ---

TEST(RuleDocs, AreUpToDate) {
  std::ifstream file(WEIR_SOURCE_DIR "/docs/rules.md", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text, rules_markdown())
      << "run `weir_gendocs docs` in the source folder, and commit what it writes";
}

TEST(RuleDocs, NameEveryKeyword) {
  const std::string text = rules_markdown();
  for (const Keyword& keyword : keywords()) {
    EXPECT_NE(text.find("`" + std::string(keyword.name) + "`"), std::string::npos) << keyword.name;
  }
}

TEST(RuleReports, SayWhatRulesNeedAndWhyTheyAreSlow) {
  const ParsedRuleset parsed = parse(
      "alert http any any -> any any (http.uri; content:\"/a|20|b\"; http.host; dotprefix; content:\".x\"; "
      "sid:1;)\n"
      "alert tcp any any -> any any (pcre:\"/[a-z]+/\"; sid:2;)\n"
      "alert tcp any any -> any any (content:\"ab\"; sid:3;)\n"
      "alert tcp any any -> any any (pcre:\"/abcdef[0-9]/\"; sid:4;)\n"
      "alert tcp any any -> any any (lua:x; sid:5;)\n");
  const auto compiled = DetectionRuleset::compile(parsed, {});
  ASSERT_TRUE(compiled);
  const RulesReport report = make_rules_report(parsed, **compiled);
  EXPECT_EQ(report.loaded, 4U);
  EXPECT_EQ(report.refused, 1U);
  ASSERT_EQ(report.rules.size(), 4U);
  EXPECT_EQ(report.rules[0].moment, "transaction");
  EXPECT_EQ(report.rules[0].buffers, (std::vector<std::string>{"http.uri", "http.host (transformed)"}));
  EXPECT_EQ(report.rules[0].literal, "/a|20|b");
  EXPECT_EQ(report.rules[0].slow, "");
  EXPECT_NE(report.rules[1].slow.find("pcre without a content"), std::string::npos);
  EXPECT_EQ(report.rules[2].slow, "Its longest literal has 2 bytes.");
  EXPECT_EQ(report.rules[3].slow, "");
  const std::string text = print_rules_report(report, parsed, true);
  for (const char* part : {"4 rules load, 1 are refused, 0 left out, 2 are slow.", "a.rules:5:31",
                           "not supported", "lua", "/a|20|b", "a.rules:2"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << '\n' << text;
  }
  const auto json = rules_report_json(report, parsed);
  EXPECT_EQ(json["issues"][0]["keyword"], "lua");
  EXPECT_EQ(json["rules"].size(), 4U);
}

// --- the public rules ---

std::string read_corpus(const char* name) {
  const char* corpus = std::getenv("WEIR_CORPUS");
  if (corpus == nullptr) return "";
  std::ifstream file(std::filesystem::path(corpus) / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(PublicRules, AtLeast99OfAHundredLoad) {
  const std::string text = read_corpus("et-open/et-open.rules");
  if (text.empty()) GTEST_SKIP() << "WEIR_CORPUS is not set.";
  const ParsedRuleset parsed = parse(text);
  const size_t all = parsed.rules.size() + parsed.refused + parsed.skipped;
  EXPECT_EQ(all, 25'809U);
  EXPECT_GE(parsed.rules.size() * 100, all * 99);
  for (const Issue& issue : parsed.issues) {
    EXPECT_EQ(issue.kind, Issue::Kind::unsupported) << to_string(issue, parsed);
    EXPECT_FALSE(issue.keyword.empty());
  }
  EXPECT_LT(parsed.addresses.entries().size(), 2'000U);
  for (const SetExpression& entry : parsed.addresses.entries()) {
    EXPECT_TRUE(bind_addresses(entry, RuleVariables::defaults())) << entry.text;
  }
  for (const SetExpression& entry : parsed.ports.entries()) {
    EXPECT_TRUE(bind_ports(entry, RuleVariables::defaults())) << entry.text;
  }
}

TEST(PublicRules, DisabledOnesLoadOrAreRefused) {
  std::string text = read_corpus("et-open/commented.rules");
  if (text.empty()) GTEST_SKIP() << "WEIR_CORPUS is not set.";
  const ParsedRuleset as_shipped = parse(text);
  EXPECT_GT(as_shipped.rules.size() + as_shipped.refused, 10'000U);
}

}  // namespace
}  // namespace weir::inspection::ast
