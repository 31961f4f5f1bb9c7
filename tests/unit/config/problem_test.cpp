#include "mgmt/config/problem.h"

#include <gtest/gtest.h>

namespace weir::config::test {
namespace {

TEST(Problem, IsOneLine) {
  EXPECT_EQ(to_string(Problem{{"hub.toml", 12, 11}, "log.level", "no"}), "hub.toml:12:11: log.level: no");
  EXPECT_EQ(to_string(Problem{{"hub.toml", 12, 0}, "log.level", "no"}), "hub.toml:12: log.level: no");
  EXPECT_EQ(to_string(Problem{{"hub.toml", 0, 0}, "", "no"}), "hub.toml: no");
}

TEST(Problem, ListIsInTheOrderOfTheFile) {
  Problems problems;
  problems.add({"f", 2, 1}, "", "c");
  problems.add({"f", 1, 9}, "", "b");
  problems.add({"f", 1, 2}, "", "a");
  problems.add({"f", 2, 1}, "", "d");
  std::string order;
  for (const Problem& p : problems.take()) order += p.message;
  EXPECT_EQ(order, "abcd");
}

TEST(Quoted, EscapesAndCuts) {
  EXPECT_EQ(in_quotes("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(in_quotes("\x1b[2J\n\x7f"), "\"\\u001b[2J\\u000a\\u007f\"");
  EXPECT_EQ(in_quotes(std::string(80, 'x')), "\"" + std::string(80, 'x') + "\"");
  EXPECT_EQ(in_quotes(std::string(81, 'x')), "\"" + std::string(80, 'x') + "...\"");
  EXPECT_EQ(in_quotes(std::string(79, 'x') + "\xc3\xbc!"), "\"" + std::string(79, 'x') + "\xc3\xbc...\"")
      << "no half characters";
}

TEST(Nearest, FindsSlipsOfTheFinger) {
  const std::vector<std::string_view> names = {"prod", "shared", "lone"};
  EXPECT_EQ(nearest("prd", names), "prod");
  EXPECT_EQ(nearest("prood", names), "prod");
  EXPECT_EQ(nearest("porduction", names), "");
  EXPECT_EQ(nearest("shraed", names), "shared");
  EXPECT_EQ(nearest("zzzz", names), "");
  EXPECT_EQ(nearest("", names), "");
  EXPECT_EQ(nearest("prod", {}), "");
  EXPECT_EQ(nearest(std::string(100'000, 'x'), names), "");
}

TEST(Listed, ReadsLikeASentence) {
  EXPECT_EQ(listed({}), "");
  EXPECT_EQ(listed({"a"}), "\"a\"");
  EXPECT_EQ(listed({"a", "b"}), "\"a\" and \"b\"");
  EXPECT_EQ(listed({"a", "b", "c"}), "\"a\", \"b\" and \"c\"");
  EXPECT_EQ(listed({"a", "b", "c"}, 2), "\"a\", \"b\" and 1 more");
}

}  // namespace
}  // namespace weir::config::test
