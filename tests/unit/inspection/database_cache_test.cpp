// Databases on disk: taken when they are what was asked for, compiled again when anything of them is not.
#include "inspection/compile/database_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>

#include "detection_support.h"

namespace weir::inspection::test {
namespace {

namespace fs = std::filesystem;

class Cache : public testing::Test {
 protected:
  Cache() {
    std::string name = (fs::temp_directory_path() / "weir-cache-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    folder_ /= "databases";
  }
  ~Cache() override { fs::remove_all(folder_.parent_path()); }

  std::unique_ptr<DatabaseCache> open(uint64_t most_bytes = DatabaseCache::kUsualBytes) {
    auto cache = DatabaseCache::open(folder_, most_bytes);
    if (!cache) ADD_FAILURE() << cache.error().message;
    return cache ? std::move(*cache) : nullptr;
  }
  /// Whether the database finds the first literal, and where it came from.
  DatabaseCache::Outcome get(const std::vector<Literal>& literals) {
    const auto cache = open();
    auto database = LiteralDatabase::compile(literals, cache.get());
    EXPECT_TRUE(database);
    ScratchPtr scratch;
    EXPECT_TRUE(database->grow(scratch));
    size_t found = 0;
    EXPECT_TRUE(database->scan(
        octets("..." + literals[0].bytes + "..."), scratch.get(),
        [](void* count, uint32_t id) { *static_cast<size_t*>(count) += id == 0 ? 1 : 0; }, &found));
    EXPECT_EQ(found, 1U);
    return cache->outcome();
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder_)) found.push_back(entry.path());
    std::ranges::sort(found);
    return found;
  }
  /// Compiled again, said, and good the time after.
  void expect_again(const std::string& because) {
    const auto again = get(kTwo);
    EXPECT_EQ(again.loaded, 0U);
    EXPECT_EQ(again.compiled, 1U);
    ASSERT_EQ(again.notes.size(), 1U);
    EXPECT_NE(again.notes[0].find(because), std::string::npos) << again.notes[0];
    EXPECT_EQ(get(kTwo).loaded, 1U);
  }

  const std::vector<Literal> kTwo{{"first", false}, {"second", true}};
  fs::path folder_;
};

TEST_F(Cache, TheSecondTimeItComesFromDisk) {
  const auto first = get(kTwo);
  EXPECT_EQ(first.compiled, 1U);
  EXPECT_EQ(first.loaded, 0U);
  EXPECT_TRUE(first.notes.empty());
  const auto second = get(kTwo);
  EXPECT_EQ(second.compiled, 0U);
  EXPECT_EQ(second.loaded, 1U);
  EXPECT_TRUE(second.notes.empty());
}

TEST_F(Cache, FilesAndFolderAreTheUsersAlone) {
  get(kTwo);
  struct stat info {};
  ASSERT_EQ(::stat(folder_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  ASSERT_EQ(files().size(), 1U);
  ASSERT_EQ(::stat(files()[0].c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(Cache, OtherLiteralsAreAnotherFile) {
  get(kTwo);
  EXPECT_EQ(get({{"first", false}, {"second", false}}).compiled, 1U);
  EXPECT_EQ(get({{"firs", false}, {"tsecond", true}}).compiled, 1U);
  EXPECT_EQ(get({{"second", true}, {"first", false}}).compiled, 1U);
  EXPECT_EQ(files().size(), 4U);
  EXPECT_EQ(get(kTwo).loaded, 1U);
}

TEST_F(Cache, OneFlippedBitAnywhereIsNoticed) {
  get(kTwo);
  const fs::path file = files()[0];
  const auto size = static_cast<std::streamoff>(fs::file_size(file));
  for (const std::streamoff at :
       {std::streamoff{0}, std::streamoff{31}, std::streamoff{32}, size / 2, size - 1}) {
    SCOPED_TRACE(at);
    {
      std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
      bytes.seekg(at);
      const auto byte = static_cast<char>(bytes.get() ^ 1);
      bytes.seekp(at);
      bytes.put(byte);
    }
    expect_again("does not have the content that it was written with");
  }
}

TEST_F(Cache, AFileCutShortIsNoticed) {
  get(kTwo);
  const fs::path file = files()[0];
  fs::resize_file(file, fs::file_size(file) - 1);
  expect_again("does not have the content");
  fs::resize_file(file, 32);
  expect_again("has no length that a database has");
  fs::resize_file(file, 0);
  expect_again("has no length that a database has");
}

TEST_F(Cache, AFileThatOthersMayReadIsNotTaken) {
  get(kTwo);
  ::chmod(files()[0].c_str(), 0644);
  expect_again("is not this user's alone");
}

TEST_F(Cache, ALinkIsNotFollowed) {
  get(kTwo);
  const fs::path file = files()[0];
  const fs::path elsewhere = folder_.parent_path() / "elsewhere";
  fs::rename(file, elsewhere);
  fs::create_symlink(elsewhere, file);
  expect_again("cannot be read");
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(file)));
}

TEST_F(Cache, AFolderThatOthersWriteToIsRefused) {
  fs::create_directory(folder_);
  ::chmod(folder_.c_str(), 0777);
  const auto cache = DatabaseCache::open(folder_);
  ASSERT_FALSE(cache);
  EXPECT_NE(cache.error().message.find("others may write to it"), std::string::npos) << cache.error().message;
}

TEST_F(Cache, AFileInPlaceOfTheFolderIsRefused) {
  std::ofstream(folder_) << "x";
  const auto cache = DatabaseCache::open(folder_);
  ASSERT_FALSE(cache);
  EXPECT_NE(cache.error().message.find("is not a folder"), std::string::npos) << cache.error().message;
}

TEST_F(Cache, WhatCannotBeWrittenIsSaidAndCompiledAllTheSame) {
  const auto cache = open();
  fs::remove(folder_);
  auto database = LiteralDatabase::compile(kTwo, cache.get());
  ASSERT_TRUE(database);
  EXPECT_FALSE(database->empty());
  const auto outcome = cache->outcome();
  EXPECT_EQ(outcome.compiled, 1U);
  ASSERT_EQ(outcome.notes.size(), 1U);
  EXPECT_NE(outcome.notes[0].find("cannot be written"), std::string::npos);
}

TEST_F(Cache, FilesInUseStayWhateverTheyTake) {
  get({{"old", false}});
  const auto cache = open(0);
  ASSERT_TRUE(LiteralDatabase::compile(kTwo, cache.get()));
  cache->prune();
  EXPECT_EQ(files().size(), 1U);
  EXPECT_EQ(get(kTwo).loaded, 1U);
}

TEST_F(Cache, WhatWasUsedLongestAgoGoesFirst) {
  get({{"one", false}});
  const fs::path oldest = files()[0];
  get({{"two", false}});
  get(kTwo);
  fs::last_write_time(oldest, fs::file_time_type::clock::now() - std::chrono::hours(1));
  uint64_t sum = 0;
  for (const fs::path& file : files()) sum += fs::file_size(file);
  const auto cache = open(sum - 1);  // one has to go
  ASSERT_TRUE(LiteralDatabase::compile(kTwo, cache.get()));
  cache->prune();
  EXPECT_EQ(files().size(), 2U);
  EXPECT_FALSE(fs::exists(oldest));
}

TEST_F(Cache, ARulesetComesFromItAndMatchesTheSame) {
  const std::string rules =
      "alert http any any -> any any (http.uri; content:\"/evil\"; sid:1;)\n"
      "alert tcp $HOME_NET any -> $EXTERNAL_NET any (content:\"needle\"; sid:2;)\n";
  const auto parsed = parse_text(rules);
  const auto alerts = [&](DatabaseCache& cache) {
    DetectionCompileOptions options;
    options.cache = &cache;
    const auto ruleset = DetectionRuleset::compile(parsed, options);
    EXPECT_TRUE(ruleset);
    const auto profile = DetectionProfile::bind(*ruleset, test_variables(), InspectMode::ids);
    DetectionBench bench(*profile);
    return bench.segment("a needle");
  };
  const auto cold = open();
  EXPECT_EQ(alerts(*cold), Sids{2});
  const auto of_cold = cold->outcome();
  EXPECT_EQ(of_cold.compiled, files().size());
  const auto warm = open();
  EXPECT_EQ(alerts(*warm), Sids{2});
  EXPECT_EQ(warm->outcome().compiled, 0U);
  // Groups with the same literals share a file.
  EXPECT_EQ(warm->outcome().loaded, of_cold.compiled + of_cold.loaded);
  EXPECT_TRUE(warm->outcome().notes.empty());
}

}  // namespace
}  // namespace weir::inspection::test
