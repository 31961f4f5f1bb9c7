#include "inspection/rules/rule_parser.h"

#include <gtest/gtest.h>

#include "inspection/rules/classification.h"
#include "inspection/rules/option_parser.h"

namespace weir::inspection {
namespace {

ParsedRules parse(std::string_view text) {
  ParsedRules parsed;
  RuleParser().parse_file("a.rules", text, parsed);
  return parsed;
}

std::string with_options(std::string_view options) {
  return "alert tcp any any -> any any (" + std::string(options) + " sid:1;)";
}

struct GoodRow {
  const char* name;
  std::string text;
};

class GoodRules : public testing::TestWithParam<GoodRow> {};

TEST_P(GoodRules, Load) {
  const ParsedRules parsed = parse(GetParam().text);
  for (const RuleIssue& issue : parsed.issues) ADD_FAILURE() << issue.column << ' ' << issue.message;
  EXPECT_EQ(parsed.rules.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    RuleParser, GoodRules,
    testing::Values(
        GoodRow{"plain", "alert tcp any any -> any any (msg:\"m\"; sid:1;)"},
        GoodRow{"drop_both_ways",
                "drop udp 10.0.0.0/8 1024: <> [10.1.0.1,!10.2.0.0/16] [53,!54:60] (sid:1;)"},
        GoodRow{"host_bits_in_prefix", "alert ip 10.1.2.3/8 any -> any any (sid:1;)"},
        GoodRow{"variables", "alert http $HOME_NET any -> $EXTERNAL_NET $HTTP_PORTS (sid:1;)"},
        GoodRow{"ipv6", "alert ip [2001:db8::/32,!2001:db8:1::/48] any -> any any (sid:1;)"},
        GoodRow{"address_range", "alert ip 10.0.0.1-10.0.0.9 any -> any any (sid:1;)"},
        GoodRow{"list_with_blanks", "alert tcp [10.0.0.1, 10.0.0.2] any -> any [80, 443] (sid:1;)"},
        GoodRow{"crlf", "alert tcp any any -> any any (sid:1;)\r\n"},
        GoodRow{"continued", "alert tcp any any -> \\\n any any ( \\\r\n msg:\"m\"; sid:1;)"},
        GoodRow{"comment_and_blank", "# alert\n\n   \t\n  # x \\\nalert tcp any any -> any any (sid:1;)"},
        GoodRow{"escapes", with_options(R"(content:"a\;b\"c\\d\:e|00 fF|";)")},
        GoodRow{"all_positions",
                with_options("content:\"ab\"; offset:1; depth:9; content:\"cd\"; distance:-2; within:5;")},
        GoodRow{"sticky",
                with_options("http.uri; content:\"/a\"; startswith; http.host; content:\"h\"; endswith;")},
        GoodRow{"modifier", with_options("content:\"/a\"; http_uri; nocase; fast_pattern:0,2;")},
        GoodRow{"header_to_server", with_options("flow:to_server; http.header; content:\"x\";")},
        GoodRow{"bsize", with_options("http.uri; bsize:3<>9; content:\"/a\";")},
        GoodRow{"back_to_payload", with_options("pkt_data; content:\"/a\";")},
        GoodRow{"all_of_flow", with_options("flow:established,from_client;")},
        GoodRow{"stateless", with_options("flow: stateless;")},
        GoodRow{
            "words",
            with_options("reference:url,x.org/a; metadata:k v, k2 v2; classtype:misc-attack; rev:3; gid:2; "
                         "priority:1; target:dest_ip;")}),
    [](const auto& row) { return row.param.name; });

struct BadRow {
  const char* name;
  std::string text;
  uint32_t line;
  uint32_t column;
  const char* keyword;
};

class BadRules : public testing::TestWithParam<BadRow> {};

TEST_P(BadRules, AreRefusedWithTheirPlace) {
  // A good rule after it shows that only the bad one is refused.
  const ParsedRules parsed = parse(GetParam().text + "\nalert ip any any -> any any (sid:77;)\n");
  ASSERT_EQ(parsed.issues.size(), 1U);
  const RuleIssue& issue = parsed.issues[0];
  EXPECT_EQ(issue.file, "a.rules");
  EXPECT_EQ(issue.line, GetParam().line) << issue.message;
  EXPECT_EQ(issue.column, GetParam().column) << issue.message;
  EXPECT_EQ(issue.keyword, GetParam().keyword) << issue.message;
  EXPECT_TRUE(issue.message.ends_with('.')) << issue.message;
  ASSERT_FALSE(parsed.rules.empty());
  EXPECT_EQ(parsed.rules.back().sid, 77U);
}

const std::string kHead = "alert tcp any any -> any any (";  // options begin in column 31

INSTANTIATE_TEST_SUITE_P(
    RuleParser, BadRules,
    testing::Values(
        BadRow{"action", "pass tcp any any -> any any (sid:1;)", 1, 1, "pass"},
        BadRow{"protocol", "alert sctp any any -> any any (sid:1;)", 1, 7, "sctp"},
        BadRow{"address", "alert tcp 10.0.0.256 any -> any any (sid:1;)", 1, 11, "10.0.0.256"},
        BadRow{"address_in_list", "alert tcp [10.0.0.1,x] any -> any any (sid:1;)", 1, 21, "x"},
        BadRow{"variable", "alert tcp $NO_NET any -> any any (sid:1;)", 1, 11, "$NO_NET"},
        BadRow{"nothing_left", "alert tcp !$HOME_NET any -> any any (sid:1;)", 1, 11, "!$HOME_NET"},
        BadRow{"empty_element", "alert tcp [10.0.0.1,] any -> any any (sid:1;)", 1, 21, ""},
        BadRow{"open_list", "alert tcp [10.0.0.1 any -> any any (sid:1;)", 1, 1, ""},
        BadRow{"port", "alert tcp any 65536 -> any any (sid:1;)", 1, 15, "65536"},
        BadRow{"port_range", "alert tcp any 9:1 -> any any (sid:1;)", 1, 15, "9:1"},
        BadRow{"direction", "alert tcp any any <- any any (sid:1;)", 1, 19, "<-"},
        BadRow{"short_header", "alert tcp any any -> any (sid:1;)", 1, 1, ""},
        BadRow{"long_header", "alert tcp any any -> any any x (sid:1;)", 1, 30, ""},
        BadRow{"no_options", "alert tcp any any -> any any", 1, 1, ""},
        BadRow{"not_closed", "alert tcp any any -> any any (sid:1;", 1, 36, ""},
        BadRow{"unknown_keyword", kHead + "msg:\"m\"; pcre:\"/a/\"; sid:1;)", 1, 40, "pcre"},
        BadRow{"flowbits", kHead + "flowbits:set,a; sid:1;)", 1, 31, "flowbits"},
        BadRow{"on_third_line", "alert tcp any any -> \\\nany any (msg:\"m\"; \\\n  foo; sid:1;)", 3, 3,
               "foo"},
        BadRow{"no_semicolon", kHead + "sid:1)", 1, 31, "sid"},
        BadRow{"empty_keyword", kHead + "; sid:1;)", 1, 31, ""},
        BadRow{"no_sid", kHead + "msg:\"m\";)", 1, 31, "sid"},
        BadRow{"sid_zero", kHead + "sid:0;)", 1, 31, "sid"},
        BadRow{"sid_word", kHead + "sid:abc;)", 1, 31, "sid"},
        BadRow{"sid_too_large", kHead + "sid:4294967296;)", 1, 31, "sid"},
        BadRow{"sid_twice", kHead + "sid:5;)\nalert tcp any any -> any any (sid:5;)", 2, 1, "sid"},
        BadRow{"msg_without_quotes", kHead + "msg:m; sid:1;)", 1, 31, "msg"},
        BadRow{"classtype", kHead + "classtype:none; sid:1;)", 1, 31, "classtype"},
        BadRow{"priority", kHead + "priority:256; sid:1;)", 1, 31, "priority"},
        BadRow{"reference", kHead + "reference:url; sid:1;)", 1, 31, "reference"},
        BadRow{"content_empty", kHead + "content:\"\"; sid:1;)", 1, 40, "content"},
        BadRow{"content_half_byte", kHead + "content:\"|0|\"; sid:1;)", 1, 42, "content"},
        BadRow{"content_not_hex", kHead + "content:\"|0x|\"; sid:1;)", 1, 42, "content"},
        BadRow{"content_open_bar", kHead + "content:\"|00\"; sid:1;)", 1, 40, "content"},
        BadRow{"content_escape", kHead + "content:\"a\\n\"; sid:1;)", 1, 41, "content"},
        BadRow{"content_without_quotes", kHead + "content:abc; sid:1;)", 1, 31, "content"},
        BadRow{"content_too_long", kHead + "content:\"" + std::string(1025, 'a') + "\"; sid:1;)", 1, 40,
               "content"},
        BadRow{"nocase_before_content", kHead + "nocase; sid:1;)", 1, 31, "nocase"},
        BadRow{"nocase_twice", kHead + "content:\"a\"; nocase; nocase; sid:1;)", 1, 52, "nocase"},
        BadRow{"nocase_with_value", kHead + "content:\"a\"; nocase:1; sid:1;)", 1, 44, "nocase"},
        BadRow{"depth_too_small", kHead + "content:\"abc\"; depth:2; sid:1;)", 1, 31, "depth"},
        BadRow{"within_too_small", kHead + "content:\"abc\"; within:2; sid:1;)", 1, 31, "within"},
        BadRow{"depth_variable", kHead + "content:\"abc\"; depth:len; sid:1;)", 1, 46, "depth"},
        BadRow{"offset_and_distance", kHead + "content:\"a\"; offset:1; distance:1; sid:1;)", 1, 31,
               "offset"},
        BadRow{"startswith_and_depth", kHead + "content:\"a\"; startswith; depth:4; sid:1;)", 1, 31,
               "startswith"},
        BadRow{"fast_pattern_twice",
               kHead + "content:\"a\"; fast_pattern; content:\"b\"; fast_pattern; sid:1;)", 1, 71,
               "fast_pattern"},
        BadRow{"fast_pattern_outside", kHead + "content:\"abc\"; fast_pattern:2,2; sid:1;)", 1, 46,
               "fast_pattern"},
        BadRow{"fast_pattern_negated", kHead + "content:!\"abc\"; fast_pattern; sid:1;)", 1, 31,
               "fast_pattern"},
        BadRow{"flow_word", kHead + "flow:established,only_stream; sid:1;)", 1, 48, "flow"},
        BadRow{"flow_both", kHead + "flow:to_server,to_client; sid:1;)", 1, 31, "flow"},
        BadRow{"uri_in_udp", "alert udp any any -> any any (http.uri; content:\"a\"; sid:1;)", 1, 41,
               "http.uri"},
        BadRow{"uri_to_client", kHead + "flow:to_client; http.uri; content:\"a\"; sid:1;)", 1, 57,
               "http.uri"},
        BadRow{"header_any_direction", kHead + "http.header; content:\"a\"; sid:1;)", 1, 44, "http.header"},
        BadRow{"uri_unused", kHead + "http.uri; sid:1;)", 1, 31, "http.uri"},
        BadRow{"uri_then_method_unused", kHead + "http.uri; http.method; content:\"a\"; sid:1;)", 1, 31,
               "http.uri"},
        BadRow{"uri_then_unknown", kHead + "http.uri; pcre:\"/a/\"; sid:1;)", 1, 41, "pcre"},
        BadRow{"modifier_before_content", kHead + "http_uri; sid:1;)", 1, 31, "http_uri"},
        BadRow{"payload_and_http", kHead + "content:\"a\"; http.uri; content:\"b\"; sid:1;)", 1, 31,
               "content"},
        BadRow{"bsize_of_payload", kHead + "content:\"a\"; bsize:1; sid:1;)", 1, 44, "bsize"},
        BadRow{"bsize_empty_range", kHead + "http.uri; bsize:3<>4; content:\"a\"; sid:1;)", 1, 41, "bsize"},
        BadRow{
            "nested_too_deeply",
            "alert tcp " + std::string(40, '[') + "any" + std::string(40, ']') + " any -> any any (sid:1;)",
            1, 28, ""},
        BadRow{"too_long", kHead + "msg:\"" + std::string(70'000, 'm') + "\"; sid:1;)", 1, 1, ""}),
    [](const auto& row) { return row.param.name; });

TEST(RuleParser, ResolvesContentAndPositions) {
  const ParsedRules parsed = parse(
      with_options(R"(content:!"a\;|41 0a|Z"; nocase; offset:3; depth:20; flow:established,to_server;)"));
  ASSERT_EQ(parsed.rules.size(), 1U);
  const Content& content = parsed.rules[0].contents.at(0);
  EXPECT_EQ(content.pattern, "a;A\nZ");
  EXPECT_TRUE(content.negated);
  EXPECT_TRUE(content.nocase);
  EXPECT_EQ(content.offset, 3U);
  EXPECT_EQ(content.depth, 20U);
  EXPECT_TRUE(parsed.rules[0].flow.established);
  EXPECT_TRUE(parsed.rules[0].flow.to_server);
}

TEST(RuleParser, AddressesAndPortsAreSets) {
  const ParsedRules parsed = parse(
      "alert tcp [10.0.0.0/8,!10.1.0.0/16,2001:db8::/32] [80,8000:8100,!8050] -> !10.0.0.0/8 !443 (sid:1;)");
  ASSERT_EQ(parsed.rules.size(), 1U);
  const Rule& rule = parsed.rules[0];
  const auto in_source = [&](const char* a) { return rule.source.contains(*net::parse_ip(a)); };
  EXPECT_TRUE(in_source("10.0.255.255"));
  EXPECT_FALSE(in_source("10.1.0.0"));
  EXPECT_FALSE(in_source("10.1.255.255"));
  EXPECT_TRUE(in_source("10.2.0.0"));
  EXPECT_FALSE(in_source("11.0.0.0"));
  EXPECT_TRUE(in_source("2001:db8::1"));
  EXPECT_FALSE(in_source("2001:db9::1"));
  EXPECT_TRUE(rule.source_ports.contains(80));
  EXPECT_TRUE(rule.source_ports.contains(8049));
  EXPECT_FALSE(rule.source_ports.contains(8050));
  EXPECT_FALSE(rule.source_ports.contains(81));
  EXPECT_FALSE(rule.destination.contains(*net::parse_ip("10.9.9.9")));
  EXPECT_TRUE(rule.destination.contains(*net::parse_ip("192.0.2.1")));
  EXPECT_FALSE(rule.destination_ports.contains(443));
  EXPECT_TRUE(rule.destination_ports.contains(65535));
  EXPECT_TRUE(rule.destination_ports.contains(0));
}

TEST(RuleParser, ClassGivesCategoryAndPriorityUnlessGiven) {
  const ParsedRules parsed = parse(
      "alert ip any any -> any any (classtype:trojan-activity; sid:1;)\n"
      "alert ip any any -> any any (priority:4; classtype:trojan-activity; sid:2;)\n"
      "alert ip any any -> any any (sid:3;)\n");
  ASSERT_EQ(parsed.rules.size(), 3U);
  EXPECT_EQ(parsed.rules[0].category, "A Network Trojan was detected");
  EXPECT_EQ(parsed.rules[0].priority, 1U);
  EXPECT_EQ(parsed.rules[1].priority, 4U);
  EXPECT_EQ(parsed.rules[2].priority, 3U);
}

TEST(RuleParser, OneSidMayStandInTwoGenerators) {
  const ParsedRules parsed =
      parse("alert ip any any -> any any (sid:1;)\nalert ip any any -> any any (gid:2; sid:1;)");
  EXPECT_EQ(parsed.rules.size(), 2U);
  EXPECT_TRUE(parsed.issues.empty());
}

/// Every prefix of a rule, and every rule with one byte changed, is either a rule or an issue.
TEST(RuleParser, SurvivesDamage) {
  const std::string rule =
      "alert tcp [10.0.0.0/8,!10.1.1.1] [1:2,!3] <> $HOME_NET any (msg:\"a\\\"b\"; content:!\"a|00 01|b\"; "
      "nocase; distance:-1; within:9; http_uri; fast_pattern:0,1; bsize:1<>5; flow:to_server; sid:1; rev:2;)";
  for (size_t i = 1; i < rule.size(); ++i) {
    const ParsedRules cut = parse(rule.substr(0, i));
    EXPECT_EQ(cut.rules.size() + cut.issues.size(), 1U) << i;
    for (const char c : {'\0', '"', '|', '\\', ';', '(', '[', '!', '\xff'}) {
      std::string changed = rule;
      changed[i] = c;
      const ParsedRules parsed = parse(changed);
      EXPECT_EQ(parsed.rules.size() + parsed.issues.size(), 1U) << changed;
    }
  }
}

}  // namespace
}  // namespace weir::inspection
