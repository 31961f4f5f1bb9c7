// The reference of the inspection benchmark: which literal stands for a rule, and that the list is frozen.
#include "bench/inspection/reference_literals.h"

#include <gtest/gtest.h>

#include <string>

#include "bench/inspection/corpus.h"

namespace weir::bench {
namespace {

struct Row {
  const char* name;
  const char* options;
  const char* literal;  // null: none
  bool nocase;
};

const Row kRows[] = {
    {"the only content", R"(content:"abc"; sid:1;)", "abc", false},
    {"the longest", R"(content:"abc"; content:"abcd"; content:"ab"; sid:1;)", "abcd", false},
    {"of equal ones the first", R"(content:"abc"; content:"xyz"; sid:1;)", "abc", false},
    {"fast_pattern before the longest", R"(content:"longest"; content:"ab"; fast_pattern; sid:1;)", "ab",
     false},
    {"fast_pattern with a part", R"(content:"abcdef"; fast_pattern:2,3; content:"longer still"; sid:1;)",
     "abcdef", false},
    {"nocase belongs to the content before", R"(content:"ABCD"; nocase; content:"XY"; sid:1;)", "abcd", true},
    {"nocase of another content", R"(content:"ABCD"; content:"xy"; nocase; sid:1;)", "ABCD", false},
    {"modifiers between", R"(content:"ab"; offset:0; depth:2; http_uri; nocase; sid:1;)", "ab", true},
    {"a negated one is not chosen", R"(content:!"much longer"; content:"ab"; sid:1;)", "ab", false},
    {"nor with fast_pattern", R"(content:!"cd"; fast_pattern; content:"ab"; sid:1;)", "ab", false},
    {"only negated ones", R"(content:!"ab"; sid:1;)", nullptr, false},
    {"no content", R"(msg:"content: none"; sid:1;)", nullptr, false},
    {"hexadecimal bytes", R"(content:"|41 42|c|0D0a|"; sid:1;)", "ABc\r\n", false},
    {"hexadecimal bytes make it longest", R"(content:"|41 42 43|"; content:"ab"; sid:1;)", "ABC", false},
    {"escapes", R"(content:"a\;b\"c\\d\:e"; sid:1;)", "a;b\"c\\d:e", false},
    {"a semicolon in quotes", R"(msg:"one; content:x"; content:"a;b"; sid:1;)", "a;b", false},
    {"blanks around everything", R"( content : "ab" ; nocase ; sid:1; )", "ab", true},
    {"half a byte", R"(content:"|4|"; sid:1;)", nullptr, false},
    {"a bar that is not closed", R"(content:"a|41"; sid:1;)", nullptr, false},
    {"no quotes", R"(content:abc; sid:1;)", nullptr, false},
};

TEST(ReferenceLiteral, IsTheFastPatternOrElseTheLongestContent) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    const auto literal = reference_literal("alert tcp any any -> any any (" + std::string(row.options) + ")");
    ASSERT_EQ(literal.has_value(), row.literal != nullptr);
    if (!literal) continue;
    EXPECT_EQ(literal->bytes, row.literal);
    EXPECT_EQ(literal->nocase, row.nocase);
  }
}

TEST(ReferenceLiteral, DisabledRulesAndOtherLinesHaveNone) {
  EXPECT_FALSE(reference_literal(R"(# alert tcp any any -> any any (content:"abc"; sid:1;))"));
  EXPECT_FALSE(reference_literal(R"(  #alert tcp any any -> any any (content:"abc"; sid:1;))"));
  EXPECT_FALSE(reference_literal(""));
  EXPECT_FALSE(reference_literal("no rule at all"));
  EXPECT_FALSE(reference_literal(") content:\"abc\"; ("));
}

TEST(ReferenceLiterals, AreSortedAndNoneIsThereTwice) {
  const auto literals = reference_literals(
      "alert tcp any any -> any any (content:\"zz\"; sid:1;)\r\n"
      "# a comment\n"
      "\n"
      "alert tcp any any -> any any (content:\"AB\"; nocase; sid:2;)\n"
      "alert tcp any any -> any any (content:\"ab\"; nocase; sid:3;)\n"
      "alert tcp any any -> any any (content:\"ab\"; sid:4;)\n"
      "#alert tcp any any -> any any (content:\"disabled\"; sid:5;)\n"
      "alert tcp any any -> any any (content:\"|ff|\"; sid:6;)");
  const std::vector<ReferenceLiteral> expected = {
      {"ab", false}, {"ab", true}, {"zz", false}, {"\xff", false}};
  EXPECT_EQ(literals, expected);
  EXPECT_EQ(canonical_text(literals), "6162 0\n6162 1\n7a7a 0\nff 0\n");
}

TEST(ReferenceLiterals, TheDigestIsTheSha256OfTheCanonicalText) {
  // printf '6162 1\n' | sha256sum
  EXPECT_EQ(digest_of({{"ab", true}}), "367cb7d14ac08fbdddb3d1605bb4ac56c78fdd748e7d61681d2a8af419f5ef22 1");
  EXPECT_EQ(digest_of({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0");
  EXPECT_NE(digest_of({{"ab", true}}), digest_of({{"ab", false}}));
}

TEST(ReferenceLiterals, OfTheCorpusAreTheFrozenOnes) {
  if (const auto rules = find_corpus_rules(); !rules) GTEST_SKIP() << rules.error().message;
  const auto literals = load_reference_literals();
  ASSERT_TRUE(literals.has_value()) << literals.error().message;
  EXPECT_FALSE(literals->empty());
}

}  // namespace
}  // namespace weir::bench
