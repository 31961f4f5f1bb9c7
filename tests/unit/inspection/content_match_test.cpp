#include "inspection/detect/content_match.h"

#include "support.h"

namespace weir::inspection {
namespace {

/// The chain of the contents in `options`.
ContentChain chain_of(const std::string& options) {
  const auto ruleset = test::compile("alert tcp any any -> any any (" + options + " sid:1;)");
  return ruleset->rule(0).chains.at(0);
}

struct Row {
  const char* name;
  const char* options;
  std::string data;
  bool matches;
  uint64_t base = 0;
};

class ContentMatch : public testing::TestWithParam<Row> {};

TEST_P(ContentMatch, Row) {
  MatchScratch scratch(4096);
  EXPECT_EQ(
      chain_matches(chain_of(GetParam().options), test::bytes_of(GetParam().data), GetParam().base, scratch),
      GetParam().matches);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, ContentMatch,
    testing::Values(
        Row{"plain", "content:\"abc\";", "xxabcxx", true},
        Row{"absent", "content:\"abc\";", "xxabxcx", false}, Row{"case", "content:\"abc\";", "ABC", false},
        Row{"nocase", "content:\"aBc\"; nocase;", "xAbC", true},
        Row{"offset_met", "content:\"a\"; offset:2;", "xxa", true},
        Row{"offset_missed", "content:\"a\"; offset:3;", "xxa", false},
        Row{"depth_met", "content:\"ab\"; depth:4;", "xxab", true},
        Row{"depth_missed", "content:\"ab\"; depth:3;", "xxab", false},
        Row{"offset_depth_met", "content:\"ab\"; offset:2; depth:3;", "xxxab", true},
        Row{"offset_depth_missed", "content:\"ab\"; offset:2; depth:2;", "xxxab", false},
        Row{"startswith_met", "content:\"ab\"; startswith;", "abx", true},
        Row{"startswith_missed", "content:\"ab\"; startswith;", "xab", false},
        Row{"endswith_met", "content:\"ab\"; endswith;", "abxab", true},
        Row{"endswith_missed", "content:\"ab\"; endswith;", "abx", false},
        Row{"order_free", "content:\"b\"; content:\"a\";", "ab", true},
        Row{"distance_met", "content:\"a\"; content:\"b\"; distance:1;", "axb", true},
        Row{"distance_missed", "content:\"a\"; content:\"b\"; distance:1;", "ab", false},
        Row{"distance_orders", "content:\"b\"; content:\"a\"; distance:0;", "ab", false},
        Row{"distance_negative", "content:\"abc\"; content:\"bcd\"; distance:-2;", "abcd", true},
        Row{"within_met", "content:\"a\"; content:\"bc\"; within:3;", "axbc", true},
        Row{"within_missed", "content:\"a\"; content:\"bc\"; within:3;", "axxbc", false},
        Row{"distance_within_met", "content:\"a\"; content:\"b\"; distance:2; within:2;", "axxxb", true},
        Row{"distance_within_missed", "content:\"a\"; content:\"b\"; distance:2; within:2;", "axxxxb", false},
        Row{"second_try", "content:\"a\"; content:\"b\"; distance:0; within:1;", "axxab", true},
        Row{"second_try_of_second", "content:\"a\"; content:\"b\"; distance:0; content:\"c\"; within:1;",
            "abxbc", true},
        Row{"three_tries", "content:\"a\"; content:\"b\"; within:2; content:\"c\"; within:1;", "abxabbc",
            true},
        Row{"overlapping_ends", "content:\"aa\"; content:\"b\"; distance:0; within:1;", "aaab", true},
        Row{"negated_present", "content:\"a\"; content:!\"b\";", "ab", false},
        Row{"negated_absent", "content:\"a\"; content:!\"b\";", "ac", true},
        Row{"negated_outside_depth", "content:\"a\"; content:!\"b\"; depth:2;", "axb", true},
        Row{"negated_within_present", "content:\"a\"; content:!\"b\"; within:2;", "axb", false},
        Row{"negated_within_far", "content:\"a\"; content:!\"b\"; within:2;", "axxb", true},
        Row{"negated_other_place", "content:\"a\"; content:!\"b\"; within:1; content:\"c\"; within:1;",
            "abacc", true},
        Row{"negated_all_places", "content:\"a\"; content:!\"b\"; within:1;", "ababab", false},
        Row{"after_negated_counts_from_last", "content:\"a\"; content:!\"z\"; content:\"b\"; within:1;",
            "xab", true},
        Row{"only_negated", "content:!\"b\";", "xyz", true},
        Row{"longer_than_data", "content:\"abc\";", "ab", false}, Row{"no_data", "content:\"a\";", "", false},
        Row{"no_data_negated", "content:!\"a\";", "", true},
        Row{"binary", "content:\"|00 ff|\";", std::string("x\0\xff", 3), true},
        Row{"first_within", "content:\"ab\"; within:3;", "xab", true},
        Row{"first_within_missed", "content:\"ab\"; within:3;", "xxab", false},
        // The first 100 bytes of the stream are gone.
        Row{"base_depth_gone", "content:\"ab\"; depth:50;", "ab", false, 100},
        Row{"base_depth_met", "content:\"ab\"; depth:103;", "xab", true, 100},
        Row{"base_depth_missed", "content:\"ab\"; depth:102;", "xab", false, 100},
        Row{"base_offset_met", "content:\"ab\"; offset:101;", "xab", true, 100},
        Row{"base_offset_missed", "content:\"ab\"; offset:102;", "xab", false, 100},
        Row{"base_relative", "content:\"a\"; content:\"b\"; within:1;", "xab", true, 100},
        Row{"base_first_within", "content:\"ab\"; within:9;", "ab", false, 100}),
    [](const auto& row) { return row.param.name; });

/// The set of ends against a plain search that goes back, on all words over three letters.
TEST(ContentChain, AgreesWithBacktracking) {
  struct Part {
    char c;
    int distance;
    int within;
  };
  const std::vector<std::vector<Part>> chains = {{{'a', 0, 99}, {'b', 0, 2}, {'c', 1, 2}},
                                                 {{'a', 0, 99}, {'a', 1, 1}, {'b', -2, 3}},
                                                 {{'c', 0, 99}, {'a', -3, 2}, {'c', 0, 1}}};
  MatchScratch scratch(64);
  for (const auto& parts : chains) {
    std::string options;
    for (const Part& part : parts) {
      options += std::string("content:\"") + part.c + "\";";
      if (&part != &parts[0]) {
        options +=
            "distance:" + std::to_string(part.distance) + ";within:" + std::to_string(part.within) + ";";
      }
    }
    const ContentChain chain = chain_of(options);
    const auto reference = [&](const auto& self, const std::string& word, size_t i, int end) -> bool {
      if (i == parts.size()) return true;
      const int low = i == 0 ? 0 : std::max(0, end + parts[i].distance);
      const int high = i == 0 ? 99 : end + parts[i].distance + parts[i].within;
      for (int at = low; at < static_cast<int>(word.size()) && at + 1 <= high; ++at) {
        if (word[static_cast<size_t>(at)] == parts[i].c && self(self, word, i + 1, at + 1)) return true;
      }
      return false;
    };
    for (int n = 0; n < 2187; ++n) {
      std::string word;
      for (int rest = n, i = 0; i < 7; ++i, rest /= 3) word.push_back(static_cast<char>('a' + rest % 3));
      EXPECT_EQ(chain_matches(chain, test::bytes_of(word), 0, scratch), reference(reference, word, 0, 0))
          << options << ' ' << word;
    }
  }
}

}  // namespace
}  // namespace weir::inspection
