// Groups of literals: which rules are proposed for which sessions, and what is remembered of short values.
#include "inspection/compile/prefilter_group.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "inspection/compile/header_memo.h"
#include "inspection/compile/literal_strength.h"
#include "inspection/compile/shared_scan.h"

namespace weir::inspection {
namespace {

std::span<const uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

class Groups : public testing::Test {
 protected:
  Groups() {
    group_.add("out", false, 0, kLeaves);
    group_.add("in", false, 1, kEnters);
    group_.add("any", true, 2, 0);
    group_.add("out", false, 3, 0);
    group_.add_always(4, kEnters);
    group_.add_always(5, kLeaves | kOffWeb);
    EXPECT_TRUE(group_.compile());
    EXPECT_TRUE(group_.grow(scratch_));
  }
  std::vector<uint32_t> proposed(SessionTraits traits, std::string_view text, bool remembered = false) {
    ProposedRules rules(6);
    const bool done = remembered ? group_.propose(traits, bytes(text), scratch_.get(), memo_, rules)
                                 : group_.propose(traits, bytes(text), scratch_.get(), rules);
    EXPECT_TRUE(done);
    const auto sorted = rules.sorted();
    return {sorted.begin(), sorted.end()};
  }
  using Rules = std::vector<uint32_t>;
  PrefilterGroup group_;
  ScratchPtr scratch_;
  ScanMemo memo_;
};

TEST_F(Groups, RulesThatNeedMoreThanASessionHasAreNotProposed) {
  constexpr std::string_view kAll = "out in ANY";
  EXPECT_EQ(proposed(0, kAll), (Rules{2, 3}));
  EXPECT_EQ(proposed(kLeaves, kAll), (Rules{0, 2, 3}));
  EXPECT_EQ(proposed(kEnters, kAll), (Rules{1, 2, 3, 4}));
  EXPECT_EQ(proposed(kLeaves | kEnters, kAll), (Rules{0, 1, 2, 3, 4}));
  EXPECT_EQ(proposed(kOffWeb, kAll), (Rules{2, 3}));
  EXPECT_EQ(proposed(kLeaves | kOffWeb, kAll), (Rules{0, 2, 3, 5}));
  EXPECT_EQ(proposed(kAllTraits, kAll), (Rules{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(group_.databases(), 4U);
}

TEST_F(Groups, TablesThatWouldBeTheSameAreOne) {
  PrefilterGroup one;
  one.add("abc", false, 0, kLeaves);
  ASSERT_TRUE(one.compile());
  EXPECT_EQ(one.databases(), 1U);
  EXPECT_TRUE(one.empty(0));
  EXPECT_FALSE(one.empty(kLeaves));
  EXPECT_TRUE(one.empty(kEnters));
  EXPECT_TRUE(one.empty(kOffWeb));
  EXPECT_FALSE(one.empty(kAllTraits));
}

TEST_F(Groups, ManyLiteralsOfRulesAboutTheWebHaveATableOfTheirOwn) {
  for (const uint32_t of_web : {3U, 300U}) {
    PrefilterGroup one;
    for (uint32_t rule = 0; rule < of_web; ++rule)
      one.add("web" + std::to_string(1'000 + rule), false, rule, 0);
    one.add("mail", false, of_web, kOffWeb);
    ASSERT_TRUE(one.compile());
    ASSERT_TRUE(one.grow(scratch_));
    EXPECT_EQ(one.databases(), of_web == 3 ? 1U : 2U) << "few are not found sooner by themselves";
    const auto count = [&](SessionTraits traits) {
      ProposedRules rules(of_web + 1);
      EXPECT_TRUE(one.propose(traits, bytes("mail web1001 web1002"), scratch_.get(), rules));
      return rules.size();
    };
    EXPECT_EQ(count(kOffWeb), 3U);
    EXPECT_EQ(count(kAllTraits), 3U);
    EXPECT_EQ(count(0), of_web == 3 ? 3U : 2U);
    EXPECT_EQ(count(kEnters), of_web == 3 ? 3U : 2U);
  }
}

TEST_F(Groups, ShortLiteralsOfTheFrontAreLookedForThereAlone) {
  PrefilterGroup one;
  one.add("MZ", false, 0, 0, 0, 2);
  one.add("ab", true, 1, kEnters, 3, 6);
  one.add("far", false, 2, 0, 0, PrefilterGroup::kFront + 1);
  one.add("long", false, 3, 0, 0, 4);
  ASSERT_TRUE(one.compile());
  ASSERT_TRUE(one.grow(scratch_));
  EXPECT_FALSE(one.empty(0));
  EXPECT_EQ(one.literals(), 4U);
  const auto in_front = [&](SessionTraits traits, std::string_view text, uint64_t before = 0) {
    ProposedRules rules(4);
    one.propose_front(traits, bytes(text), before, rules);
    const auto sorted = rules.sorted();
    return Rules{sorted.begin(), sorted.end()};
  };
  EXPECT_EQ(in_front(kEnters, "MZ..Ab"), (Rules{0, 1}));
  EXPECT_EQ(in_front(0, "MZ..Ab"), (Rules{0}));
  EXPECT_EQ(in_front(kEnters, ".MZ..Ab"), (Rules{}));
  EXPECT_EQ(in_front(kEnters, "MZ..A"), (Rules{0}));
  EXPECT_EQ(in_front(kEnters, "aB", 4), (Rules{1}));
  EXPECT_EQ(in_front(kEnters, "aB", 5), (Rules{}));
  EXPECT_EQ(in_front(kEnters, "MZ", 1), (Rules{}));
  EXPECT_EQ(in_front(kEnters, ""), (Rules{}));
  EXPECT_EQ(in_front(kEnters, "..ab.."), (Rules{})) << "before where it may begin";
  EXPECT_EQ(in_front(kEnters, "...a"), (Rules{}));
  ProposedRules rules(4);
  EXPECT_TRUE(one.propose(kEnters, bytes("MZ ab far long"), scratch_.get(), rules));
  EXPECT_EQ(rules.size(), 2U) << "the others are not looked for in all bytes";
  ProposedRules all(4);
  one.propose_all(all);
  EXPECT_EQ(all.size(), 4U);
}

TEST_F(Groups, TwoAreSearchedAtOnce) {
  PrefilterGroup stream, body;
  stream.add("one", false, 0, 0);
  stream.add("both", false, 1, kEnters);
  stream.add("mail", false, 2, kOffWeb);
  body.add("both", false, 3, 0);
  body.add("a longer one", true, 4, kLeaves);
  SharedScan shared;
  shared.join(stream, body);
  ASSERT_TRUE(shared.compile(TraitsNeeded::one_way, nullptr));
  ASSERT_TRUE(shared.grow(scratch_));
  EXPECT_EQ(shared.longest(), 12U);
  EXPECT_EQ(shared.databases(), 3U);
  for (const SessionTraits traits : {SessionTraits{0}, kLeaves, kEnters}) EXPECT_TRUE(shared.serves(traits));
  for (const SessionTraits traits : {kAllTraits, kOffWeb, SessionTraits{kLeaves | kEnters}})
    EXPECT_FALSE(shared.serves(traits)) << int{traits};
  const auto found = [&](SessionTraits traits) {
    ProposedRules of_stream(5), of_body(5);
    EXPECT_TRUE(
        shared.propose(traits, bytes("one both mail A LONGER ONE"), scratch_.get(), of_stream, of_body));
    const auto sorted = of_stream.sorted(), others = of_body.sorted();
    return std::pair(Rules{sorted.begin(), sorted.end()}, Rules{others.begin(), others.end()});
  };
  EXPECT_EQ(found(0), std::pair(Rules{0}, Rules{3}));
  EXPECT_EQ(found(kLeaves), std::pair(Rules{0}, (Rules{3, 4})));
  EXPECT_EQ(found(kEnters), std::pair((Rules{0, 1}), Rules{3}));
  SharedScan nothing;
  nothing.join(stream, PrefilterGroup());
  ASSERT_TRUE(nothing.compile(TraitsNeeded::any, nullptr));
  EXPECT_FALSE(nothing.serves(0)) << "one alone is searched as it always is";
}

TEST_F(Groups, NothingIsLookedForInTheWebIfNoRuleIsAboutIt) {
  PrefilterGroup one;
  one.add("mail", false, 0, kOffWeb);
  ASSERT_TRUE(one.compile());
  EXPECT_TRUE(one.empty(0));
  EXPECT_FALSE(one.empty(kOffWeb));
}

TEST_F(Groups, TheWebMakesNoTablesOfFewLiterals) {
  PrefilterGroup one;
  one.add_always(0, kOffWeb);
  one.add("abc", false, 1, kLeaves);
  one.add("def", false, 2, kEnters);
  ASSERT_TRUE(one.compile(TraitsNeeded::one_way));
  EXPECT_EQ(one.databases(), 2U) << "nothing leaves and enters at once";
  EXPECT_TRUE(one.empty(0));
  EXPECT_FALSE(one.empty(kOffWeb));
  EXPECT_FALSE(one.empty(kLeaves));
}

TEST_F(Groups, WhatIsRememberedIsWhatAScanFinds) {
  // More values than there are places, each twice, of all lengths: whether remembered or not, the same.
  for (int i = 0; i < 4'000; ++i) {
    std::string text(static_cast<size_t>(i) % 170, static_cast<char>('a' + i % 7));
    if (i % 3 == 0) text += "out";
    if (i % 5 == 0) text = "in" + text;
    if (i % 7 == 0) text.insert(text.size() / 2, "aNy");
    text += std::to_string(i);
    for (const SessionTraits traits : {SessionTraits{0}, kEnters, kAllTraits}) {
      const Rules scanned = proposed(traits, text);
      EXPECT_EQ(proposed(traits, text, true), scanned) << text;
      EXPECT_EQ(proposed(traits, text, true), scanned) << text;
    }
  }
  EXPECT_EQ(proposed(kAllTraits, "", true), (Rules{4, 5}));
}

TEST_F(Groups, AnEntryKnowsAllOfItsValueAndItsGroup) {
  ScanMemo memo;
  const std::array<uint16_t, 2> found{7, 9};
  const int one = 0, other = 0;
  memo.remember(&one, bytes("Mozilla"), found);
  const ScanMemo::Entry* const entry = memo.find(&one, bytes("Mozilla"));
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ((std::vector<uint16_t>(entry->found().begin(), entry->found().end())),
            (std::vector<uint16_t>{7, 9}));
  EXPECT_EQ(memo.find(&other, bytes("Mozilla")), nullptr);
  EXPECT_EQ(memo.find(&one, bytes("Mozillb")), nullptr);
  EXPECT_EQ(memo.find(&one, bytes("Mozill")), nullptr);
}

TEST(ProposedRules, ThoseThatMayNotMatchAreLeftOut) {
  ProposedRules rules(10);
  for (const uint32_t rule : {7U, 2U, 9U, 2U, 4U}) rules.add(rule);
  const auto even = rules.sorted([](uint32_t rule) { return rule % 2 == 0; });
  EXPECT_EQ((std::vector<uint32_t>(even.begin(), even.end())), (std::vector<uint32_t>{2, 4}));
  EXPECT_TRUE(rules.has(9));  // it was proposed
}

TEST(HeaderMemo, AsksOnceForEachPacketSetAndEnd) {
  HeaderMemo memo(2, 2);
  int asked = 0;
  const auto yes = [&] { return ++asked > 0; };
  memo.forget();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(memo.address(0, HeaderMemo::End::source, yes));
    EXPECT_FALSE(memo.address(1, HeaderMemo::End::source, [] { return false; }));
  }
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(memo.address(0, HeaderMemo::End::destination, yes));
  EXPECT_TRUE(memo.port(0, HeaderMemo::End::source, yes));
  EXPECT_EQ(asked, 3);
  memo.forget();
  EXPECT_FALSE(memo.address(0, HeaderMemo::End::source, [] { return false; }));
}

TEST(LiteralStrength, WhatStandsEverywhereSaysLittle) {
  EXPECT_LT(strength("User-Agent: Mozilla/5.0"), strength("zq8#"));
  EXPECT_LT(strength("aaaaaaaa"), strength("abcdefgh"));
  EXPECT_LT(strength("abcd"), strength("abcdwxyz"));
  // The end counts: it is what Hyperscan looks at first.
  EXPECT_LT(strength("zq8x-vjk HTTP/1.1"), strength("HTTP/1.1 zq8x-vjk"));
}

TEST(LiteralStrength, TheStretchIsOfTheBytesAndShort) {
  EXPECT_EQ(strongest_stretch("short").bytes, "short");
  const std::string long_one = "GET /index.php?id=" + std::string(40, 'x') + "Q7#zvK9$ HTTP/1.1\r\n";
  const auto [stretch, how_strong] = strongest_stretch(long_one);
  EXPECT_EQ(how_strong, strength(stretch));
  EXPECT_LE(stretch.size(), kLongestLiteral);
  EXPECT_NE(long_one.find(stretch), std::string::npos);
  EXPECT_NE(stretch.find("#zvK9$"), std::string_view::npos) << stretch;
}

}  // namespace
}  // namespace weir::inspection
