// Literals that a regular expression cannot match without.
#include <gtest/gtest.h>

#include "inspection/compile/pcre_code.h"

namespace weir::inspection {
namespace {

struct Row {
  const char* pattern;
  std::vector<std::string> literals;
};

TEST(PcreLiterals, Table) {
  const Row rows[] = {
      {"abc", {"abc"}},
      {"^abc$", {"abc"}},
      {"ab?cd", {"a", "cd"}},
      {"ab+cd", {"ab", "cd"}},
      {"ab*cd", {"a", "cd"}},
      {"ab{2,3}cd", {"ab", "cd"}},
      {"ab{0,3}cd", {"a", "cd"}},
      {"a{b", {"a{b"}},
      {"abc|def", {}},
      {"(abc|def)ghi", {"ghi"}},
      {"(?:abc)?ghi", {"ghi"}},
      {"ab[cd]ef", {"ab", "ef"}},
      {"ab[]d]ef", {"ab", "ef"}},
      {"ab[^]d]ef", {"ab", "ef"}},
      {"ab[[:alpha:]x]ef", {"ab", "ef"}},
      {"ab\\d+ef", {"ab", "ef"}},
      {"ab\\.ef", {"ab.ef"}},
      {"ab\\x2eef", {"ab.ef"}},
      {"ab\\x2e?ef", {"ab", "ef"}},
      {"ab.ef", {"ab", "ef"}},
      {"ab.*?ef", {"ab", "ef"}},
      {"(?i)abc", {}},
      {"ab\\Qcd\\E", {}},
      {"ab(?=cd)ef", {"ab", "ef"}},
      {"ab(?!cd)ef", {"ab", "ef"}},
      {"(a)b\\1cd", {"b", "cd"}},
      {"a(b(?i)c)d", {}},
      {"a\\pLb", {}},
      {"(", {}},
      {"ab\\", {}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.pattern);
    ast::Pcre pcre;
    pcre.pattern = row.pattern;
    std::vector<std::string> found;
    for (const PcreLiteral& literal : required_literals(pcre)) found.push_back(literal.bytes);
    EXPECT_EQ(found, row.literals);
  }
}

TEST(PcreLiterals, FoldedWhereTheExpressionIs) {
  ast::Pcre pcre;
  pcre.pattern = "abc";
  pcre.caseless = true;
  ASSERT_EQ(required_literals(pcre).size(), 1u);
  EXPECT_TRUE(required_literals(pcre)[0].nocase);
}

TEST(PcreLiterals, NoneOfWhatMustNotMatchOrIsWrittenApart) {
  ast::Pcre negated;
  negated.pattern = "abc";
  negated.negated = true;
  EXPECT_TRUE(required_literals(negated).empty());
  ast::Pcre extended;
  extended.pattern = "a b c";
  extended.extended = true;
  EXPECT_TRUE(required_literals(extended).empty());
}

/// Rules share an expression only where its flags are the same, too.
TEST(PcreCodes, AreKnownByPatternAndFlags) {
  PcreCodes codes;
  auto scratch = PcreScratch::create();
  ASSERT_TRUE(scratch);
  ast::Pcre pcre;
  pcre.pattern = "^ab.$";
  const auto matches = [&](std::string_view subject) {
    const auto code = codes.get(pcre);
    if (!code) return false;
    const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(subject.data()), subject.size());
    return code->match(bytes, 0, *scratch, {}).outcome == PcreCode::Outcome::match;
  };
  EXPECT_TRUE(matches("abc") && !matches("ABC") && !matches("ab\n"));
  pcre.caseless = true;
  EXPECT_TRUE(matches("abc") && matches("ABC") && !matches("ab\n"));
  pcre.dot_all = true;
  EXPECT_TRUE(matches("ABC") && matches("ab\n"));
  pcre.caseless = pcre.dot_all = false;
  EXPECT_TRUE(matches("abc") && !matches("ABC")) << "the first one again";
  pcre.pattern = "(";
  EXPECT_FALSE(codes.get(pcre));
}

}  // namespace
}  // namespace weir::inspection
