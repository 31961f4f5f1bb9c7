#include "inspection/compile/ruleset.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "support.h"

namespace weir::inspection {
namespace {

class RuleFiles : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const std::string path = testing::TempDir() + "weir_" + name;
    std::ofstream(path, std::ios::binary) << text;
    written_.push_back(path);
    return path;
  }
  void TearDown() override {
    for (const std::string& path : written_) std::remove(path.c_str());
  }
  std::vector<std::string> written_;
};

TEST_F(RuleFiles, WhatIsNoRuleFileIsASentence) {
  const std::string large = write("large.rules", "");
  std::filesystem::resize_file(large, (uintmax_t{256} << 20) + 1);  // sparse
  const auto too_large = check_rules({large});
  ASSERT_FALSE(too_large.has_value());
  EXPECT_NE(too_large.error().message.find("larger than 256 MiB"), std::string::npos);
  for (const std::string& path : {testing::TempDir(), std::string("/dev/zero")}) {
    const auto check = check_rules({path});
    ASSERT_FALSE(check.has_value()) << path;
    EXPECT_NE(check.error().message.find("not a regular file"), std::string::npos);
  }
}

TEST_F(RuleFiles, LoadTogether) {
  const auto build = build_ruleset({write("a.rules", "alert ip any any -> any any (sid:1;)\n"),
                                    write("b.rules",
                                          "alert ip any any -> any any (sid:2;)\nalert ip any any -> any "
                                          "any (sid:1;)\n"),
                                    write("empty.rules", "")},
                                   2);
  ASSERT_TRUE(build.has_value());
  EXPECT_EQ(build->loaded, 2U);
  EXPECT_EQ(build->ruleset->size(), 2U);
  ASSERT_EQ(build->refused.size(), 1U);  // the same sid in another file
  EXPECT_EQ(build->refused[0].file, written_[1]);
  EXPECT_EQ(build->refused[0].line, 2U);
  EXPECT_NE(build->ruleset->scratch(1), nullptr);
  EXPECT_EQ(build->ruleset->scratch(2), nullptr);
}

TEST_F(RuleFiles, CheckCompilesNothing) {
  const auto check = check_rules({write("a.rules", "alert ip any any -> any any (sid:1;)\nx\n")});
  ASSERT_TRUE(check.has_value());
  EXPECT_EQ(check->loaded, 1U);
  EXPECT_EQ(check->refused.size(), 1U);
  EXPECT_EQ(check->ruleset, nullptr);
}

TEST_F(RuleFiles, UnreadableOneFailsAsAWhole) {
  for (const std::string& path : {testing::TempDir() + "weir_absent.rules", testing::TempDir()}) {
    const auto build = build_ruleset({path}, 1);
    ASSERT_FALSE(build.has_value());
    EXPECT_EQ(build.error().code, ErrorCode::io);
    EXPECT_NE(build.error().message.find(path), std::string::npos);
  }
}

TEST(Ruleset, JudgesDropsFirstThenTheMostSevere) {
  const auto ruleset = test::compile(
      "alert ip any any -> any any (priority:1; sid:1;)\ndrop ip any any -> any any (priority:3; sid:2;)\n"
      "drop ip any any -> any any (priority:2; sid:3;)\nalert ip any any -> any any (priority:1; gid:0; "
      "sid:9;)");
  std::vector<uint32_t> sids;
  for (uint32_t i = 0; i < ruleset->size(); ++i) sids.push_back(ruleset->rule(i).sid);
  EXPECT_EQ(sids, (std::vector<uint32_t>{3, 2, 9, 1}));
}

void collect(void* context, uint32_t id) { static_cast<std::vector<uint32_t>*>(context)->push_back(id); }

TEST(LiteralDatabase, FindsAndTellsErrors) {
  auto db = LiteralDatabase::compile({{"abc", false}, {"XY", true}, {std::string("\0z", 2), false}});
  ASSERT_TRUE(db.has_value());
  ScratchPtr scratch;
  ASSERT_TRUE(db->grow(scratch).has_value());
  std::vector<uint32_t> found;
  EXPECT_TRUE(
      db->scan(test::bytes_of(std::string_view("ABC xy \0z abc", 13)), scratch.get(), collect, &found));
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, (std::vector<uint32_t>{0, 1, 2}));
  EXPECT_FALSE(db->scan(test::bytes_of("abc"), nullptr, collect, &found));  // HS_INVALID
  EXPECT_EQ(found.size(), 3U);
}

TEST(LiteralDatabase, WithoutLiteralsFindsNothing) {
  auto db = LiteralDatabase::compile({});
  ASSERT_TRUE(db.has_value());
  EXPECT_TRUE(db->empty());
  EXPECT_TRUE(db->scan(test::bytes_of("abc"), nullptr, collect, nullptr));
}

}  // namespace
}  // namespace weir::inspection
