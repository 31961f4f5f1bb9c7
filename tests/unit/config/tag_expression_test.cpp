#include "mgmt/config/tag_expression.h"

#include <gtest/gtest.h>

namespace weir::config {
namespace {

using Tags = std::vector<std::string>;

TEST(TagExpression, FitsThingsByTheirTags) {
  struct Row {
    const char* text;
    Tags tags;
    bool fits;
  };
  const Row rows[] = {
      {"prod", {"prod"}, true},
      {"prod", {"production"}, false},
      {"prod", {}, false},
      {"not prod", {}, true},
      {"not not prod", {"prod"}, true},
      {"prod and pci", {"pci", "prod"}, true},
      {"prod and pci", {"prod"}, false},
      {"prod and not pci", {"prod"}, true},
      {"prod and not pci", {"prod", "pci"}, false},
      {"prod or lab and pci", {"prod"}, true},  // "and" binds closer
      {"(prod or lab) and pci", {"prod"}, false},
      {"not prod or lab", {"prod", "lab"}, true},
      {"not (prod or lab)", {"prod", "lab"}, false},
      {"  ( a.b-c_d )\t", {"a.b-c_d"}, true},
      {"nothing", {"not"}, false},
  };
  for (const Row& row : rows) {
    const auto expression = TagExpression::parse(row.text);
    ASSERT_TRUE(expression) << row.text << ": " << expression.error();
    EXPECT_EQ(expression->fits(row.tags), row.fits) << row.text;
  }
}

TEST(TagExpression, KnowsItsTags) {
  EXPECT_EQ(TagExpression::parse("b and not (a or b)")->tags(), (Tags{"b", "a", "b"}));
}

TEST(TagExpression, SaysWhatIsWrong) {
  const std::pair<std::string, const char*> rows[] = {
      {"", "expected a tag, \"not\" or \"(\", found the end"},
      {"and", "expected a tag, \"not\" or \"(\", found \"and\""},
      {"a b", "expected \"and\" or \"or\", found \"b\""},
      {"a)", "expected \"and\" or \"or\", found \")\""},
      {"(a", "expected \")\", found the end"},
      {"a and or b", "expected a tag, \"not\" or \"(\", found \"or\""},
      {"a&b", "expected a tag, \"not\" or \"(\", found \"a&b\""},
      {std::string(65, '('), "at most 64 levels of parentheses and \"not\", found \"(\""},
  };
  for (const auto& [text, why] : rows) {
    const auto expression = TagExpression::parse(text);
    ASSERT_FALSE(expression) << text;
    EXPECT_EQ(expression.error(), why) << text;
  }
  EXPECT_TRUE(TagExpression::parse(std::string(64, '(') + "a" + std::string(64, ')')));
  std::string many = "a";
  for (int i = 0; i < 5'000; ++i) many += " or a";
  EXPECT_FALSE(TagExpression::parse(many)->fits({})) << "length is no depth";
}

}  // namespace
}  // namespace weir::config
