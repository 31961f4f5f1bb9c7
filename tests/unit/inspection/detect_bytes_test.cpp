// Each keyword that looks into bytes: rows of options, a datagram, and whether the rule matches it. For each
// keyword there is a row that matches and a twin that does not, so that the keyword is what decides.
#include "detection_support.h"

namespace weir::inspection::test {
namespace {

struct Row {
  const char* options;
  std::string payload;
  bool matches;
};

class ByteKeywords : public testing::TestWithParam<Row> {};

TEST_P(ByteKeywords, Datagram) {
  const Row& row = GetParam();
  SCOPED_TRACE(std::string(row.options) + " on " + testing::PrintToString(row.payload));
  const std::string rule = std::string("alert udp any any -> any any (") + row.options + " sid:1;)";
  const Sids expected = row.matches ? Sids{1} : Sids{};
  const auto profile = make_profile(rule);
  ASSERT_TRUE(profile);
  DetectionBench bench(profile);
  EXPECT_EQ(bench.datagram(row.payload), expected);
  // Without the matcher's proposals: they must not be what decides.
  DetectorLimits limits;
  limits.reference = true;
  DetectionBench reference(profile, limits);
  EXPECT_EQ(reference.datagram(row.payload), expected) << "reference";
}

std::string bytes(std::initializer_list<int> list) {
  std::string text;
  for (const int b : list) text += static_cast<char>(b);
  return text;
}

INSTANTIATE_TEST_SUITE_P(
    Content, ByteKeywords,
    testing::Values(
        Row{"content:\"abc\";", "xxabcxx", true}, Row{"content:\"abc\";", "xxabxcx", false},
        Row{"content:\"abc\";", "xxABCxx", false}, Row{"content:\"aBc\"; nocase;", "xxAbCxx", true},
        Row{"content:\"|00 ff|\";", bytes({1, 0, 255, 2}), true},
        Row{"content:\"|00 ff|\";", bytes({1, 255, 0, 2}), false}, Row{"content:!\"abc\";", "xxabxx", true},
        Row{"content:!\"abc\";", "xxabcx", false}, Row{"content:\"abc\"; offset:2;", "xxabc", true},
        Row{"content:\"abc\"; offset:3;", "xxabc", false}, Row{"content:\"abc\"; depth:5;", "xxabc", true},
        Row{"content:\"abc\"; depth:4;", "xxabc", false},
        Row{"content:\"abc\"; offset:2; depth:3;", "xxabc", true},
        Row{"content:\"abc\"; offset:1; depth:3;", "xxabc", false},
        Row{"content:\"abc\"; startswith;", "abcx", true}, Row{"content:\"abc\"; startswith;", "xabc", false},
        Row{"content:\"abc\"; endswith;", "xabc", true}, Row{"content:\"abc\"; endswith;", "abcabcx", false},
        Row{"content:\"abc\"; endswith;", "abcxabc", true},
        Row{"content:\"abc\"; startswith; endswith;", "abc", true},
        Row{"content:\"abc\"; startswith; endswith;", "abcabc", false},
        Row{"content:!\"abc\"; startswith; content:\"x\";", "xabc", true},
        Row{"content:!\"abc\"; endswith; content:\"x\";", "xabc", false}));

INSTANTIATE_TEST_SUITE_P(
    Relative, ByteKeywords,
    testing::Values(
        Row{"content:\"ab\"; content:\"cd\"; distance:0;", "abcd", true},
        Row{"content:\"ab\"; content:\"cd\"; distance:0;", "cdab", false},
        Row{"content:\"ab\"; content:\"cd\"; distance:1;", "abcd", false},
        Row{"content:\"ab\"; content:\"cd\"; distance:1;", "abxcd", true},
        Row{"content:\"ab\"; content:\"cd\"; within:2;", "abcd", true},
        Row{"content:\"ab\"; content:\"cd\"; within:2;", "abxcd", false},
        Row{"content:\"ab\"; content:\"cd\"; distance:1; within:2;", "abxcd", true},
        Row{"content:\"ab\"; content:\"cd\"; distance:1; within:2;", "abxxcd", false},
        Row{"content:\"abcd\"; content:\"bc\"; distance:-3;", "abcd", true},
        Row{"content:\"abcd\"; content:\"bc\"; distance:-2;", "abcd", false},
        // An earlier content is tried at its next place.
        Row{"content:\"ab\"; content:\"cd\"; within:2;", "ab--abcd", true},
        Row{"content:\"a\"; content:\"b\"; within:2; content:\"c\"; within:1;", "a-bx-a-b-ab-abc", true},
        Row{"content:\"a\"; content:\"b\"; within:1; content:\"c\"; within:1;", "ab-a-bc-acb", false},
        Row{"content:\"ab\"; content:!\"cd\"; within:2;", "abxx", true},
        Row{"content:\"ab\"; content:!\"cd\"; within:2;", "abcd", false},
        // A negated relative content too: another place of the first one may do.
        Row{"content:\"ab\"; content:!\"cd\"; within:2;", "abcdabxx", true},
        Row{"content:\"ab\"; isdataat:2,relative;", "abcd", true},
        Row{"content:\"ab\"; isdataat:3,relative;", "abcd", false},
        Row{"content:\"ab\"; isdataat:!3,relative;", "abcd", true},
        Row{"content:\"ab\"; isdataat:!2,relative;", "abcd", false},
        Row{"content:\"ab\"; isdataat:3;", "abcd", true}, Row{"content:\"ab\"; isdataat:4;", "abcd", false}));

INSTANTIATE_TEST_SUITE_P(
    Pcre, ByteKeywords,
    testing::Values(Row{"pcre:\"/a[0-9]+b/\";", "xa12bx", true}, Row{"pcre:\"/a[0-9]+b/\";", "xabx", false},
                    Row{"pcre:\"/AB/\";", "ab", false}, Row{"pcre:\"/AB/i\";", "ab", true},
                    Row{"pcre:\"/^b/\";", "a\nb", false}, Row{"pcre:\"/^b/m\";", "a\nb", true},
                    Row{"pcre:\"/a.b/\";", "a\nb", false}, Row{"pcre:\"/a.b/s\";", "a\nb", true},
                    Row{"content:\"k=\"; pcre:\"/^[0-9]{3}/R\";", "k=123", true},
                    Row{"content:\"k=\"; pcre:\"/^[0-9]{3}/R\";", "k=x123", false},
                    Row{"content:\"k=\"; pcre:\"/^[0-9]{3}/R\";", "k=x k=123", true},
                    Row{"pcre:!\"/[0-9]/\"; content:\"ab\";", "ab", true},
                    Row{"pcre:!\"/[0-9]/\"; content:\"ab\";", "ab1", false},
                    // The expression is tried again where what follows it fails.
                    Row{"pcre:\"/a[0-9]/\"; content:\"z\"; within:1;", "a1x a2z", true},
                    Row{"pcre:\"/a[0-9]/\"; content:\"z\"; within:1;", "a1x a2y", false}));

INSTANTIATE_TEST_SUITE_P(
    Numbers, ByteKeywords,
    testing::Values(
        Row{"content:\"L\"; byte_test:2,>,256,0,relative;", "L" + bytes({1, 1}), true},
        Row{"content:\"L\"; byte_test:2,>,257,0,relative;", "L" + bytes({1, 1}), false},
        Row{"content:\"L\"; byte_test:2,=,258,0,relative,little;", "L" + bytes({2, 1}), true},
        Row{"content:\"L\"; byte_test:2,=,258,0,relative;", "L" + bytes({2, 1}), false},
        Row{"content:\"L\"; byte_test:1,&,4,1;", "L" + bytes({6}), true},
        Row{"content:\"L\"; byte_test:1,&,8,1;", "L" + bytes({6}), false},
        Row{"content:\"L\"; byte_test:1,!=,6,1;", "L" + bytes({6}), false},
        Row{"content:\"L\"; byte_test:3,=,123,1,string,dec;", "L123", true},
        Row{"content:\"L\"; byte_test:3,=,123,1,string,hex;", "L123", false},
        Row{"content:\"L\"; byte_test:2,=,255,1,string,hex;", "Lff", true},
        Row{"content:\"L\"; byte_test:3,=,0,1,string,dec;", "Labc", false},
        Row{"content:\"L\"; byte_test:4,>,0,1;", "L" + bytes({1, 1}), false},
        Row{"content:\"L\"; byte_test:2,=,1,0,relative,bitmask 0x0100;", "L" + bytes({1, 7}), true},
        Row{"content:\"L\"; byte_test:2,=,1,0,relative,bitmask 0x0200;", "L" + bytes({1, 7}), false},
        Row{"content:\"L\"; byte_jump:1,0,relative; content:\"z\"; within:1;", "L" + bytes({2}) + "xxz",
            true},
        Row{"content:\"L\"; byte_jump:1,0,relative; content:\"z\"; within:1;", "L" + bytes({2}) + "xz-",
            false},
        Row{"content:\"L\"; byte_jump:1,0,relative,multiplier 2; content:\"z\"; within:1;",
            "L" + bytes({2}) + "xxxxz", true},
        Row{"content:\"L\"; byte_jump:1,0,relative,align; content:\"z\"; within:1;",
            "L" + bytes({1}) + "xxxxz", true},
        Row{"content:\"L\"; byte_jump:1,1,from_beginning; content:\"z\"; within:1;", "L" + bytes({3}) + "xz",
            true},
        Row{"content:\"L\"; byte_jump:1,1,from_beginning; content:\"z\"; within:1;", "L" + bytes({3}) + "zx",
            false},
        Row{"content:\"L\"; byte_jump:1,0,relative,post_offset 1; content:\"z\"; within:1;",
            "L" + bytes({1}) + "xxz", true},
        // A jump behind the end.
        Row{"content:\"L\"; byte_jump:1,0,relative;", "L" + bytes({9}) + "xx", false},
        Row{"byte_extract:1,0,n; content:\"z\"; offset:n;", bytes({3}) + "xxz", true},
        Row{"byte_extract:1,0,n; content:\"z\"; offset:n;", bytes({3}) + "xzx", false},
        Row{"byte_extract:1,0,n; content:\"z\"; offset:1; depth:n;", bytes({2}) + "xz", true},
        Row{"byte_extract:1,0,n; content:\"z\"; offset:1; depth:n;", bytes({2}) + "xxz", false},
        Row{"byte_extract:1,0,n; byte_test:1,=,n,1; content:\"z\";", bytes({2, 2}) + "z", true},
        Row{"byte_extract:1,0,n; byte_test:1,=,n,1; content:\"z\";", bytes({2, 3}) + "z", false},
        Row{"byte_math:bytes 1,offset 0,oper +,rvalue 2,result r; content:\"z\"; offset:r; depth:1;",
            bytes({1}) + "xxz", true},
        Row{"byte_math:bytes 1,offset 0,oper +,rvalue 2,result r; content:\"z\"; offset:r; depth:1;",
            bytes({1}) + "xz-", false},
        Row{"byte_math:bytes 1,offset 0,oper *,rvalue 2,result r; byte_test:1,=,r,1; content:\"z\";",
            bytes({3, 6}) + "z", true},
        Row{"byte_math:bytes 1,offset 0,oper /,rvalue 2,result r; byte_test:1,=,r,1; content:\"z\";",
            bytes({6, 3}) + "z", true},
        Row{"byte_math:bytes 1,offset 0,oper <<,rvalue 2,result r; byte_test:1,=,r,1; content:\"z\";",
            bytes({1, 4}) + "z", true}));

INSTANTIATE_TEST_SUITE_P(
    Whole, ByteKeywords,
    testing::Values(
        Row{"dsize:4;", "abcd", true}, Row{"dsize:>4;", "abcd", false}, Row{"dsize:3<>5;", "abcd", true},
        Row{"dsize:!4;", "abcd", false},
        Row{"base64_decode:bytes 8,offset 2; base64_data; content:\"secret\";", "k=c2VjcmV0", true},
        Row{"base64_decode:bytes 8,offset 2; base64_data; content:\"Secret\";", "k=c2VjcmV0", false},
        Row{"content:\"k=\"; base64_decode:relative; base64_data; content:\"secret\";", "xk=c2VjcmV0",
            true}));

TEST(ByteMatcher, GivesUpAfterItsSteps) {
  const auto profile = make_profile(
      "alert udp any any -> any any (content:\"aa\"; content:\"aa\"; distance:0; content:\"aa\"; distance:0; "
      "content:\"b\"; within:1; sid:1;)");
  DetectorLimits limits;
  limits.steps_per_rule = 1'000;
  DetectionBench bench(profile, limits);
  const std::string hostile = std::string(400, 'a') + "cb";
  EXPECT_EQ(bench.datagram(hostile), Sids{});
  EXPECT_EQ(bench.counters().step_limits, 1u);
  EXPECT_EQ(bench.datagram("aaaaaab"), Sids{1});
  EXPECT_EQ(bench.counters().step_limits, 1u);
}

TEST(ByteMatcher, ARegularExpressionGivesUpAtItsLimit) {
  const auto profile = make_profile("alert udp any any -> any any (pcre:\"/^(a+)+$/\"; sid:1;)");
  DetectionBench bench(profile);
  EXPECT_EQ(bench.datagram(std::string(200, 'a') + "b"), Sids{});
  EXPECT_EQ(bench.counters().pcre_limits, 1u);
  EXPECT_EQ(profile->ruleset().limit_hits(0), 1u);
  EXPECT_EQ(bench.datagram("aaaa"), Sids{1});
}

}  // namespace
}  // namespace weir::inspection::test
