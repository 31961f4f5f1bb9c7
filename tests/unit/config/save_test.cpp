// Saving keeps the old file, its mode and whatever somebody edited meanwhile.
#include "mgmt/config/save.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "mgmt/config/diff.h"
#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

namespace fs = std::filesystem;

class Save : public testing::Test {
 protected:
  Save() {
    char folder[] = "/tmp/weir-save-XXXXXX";
    folder_ = mkdtemp(folder);
    file_ = folder_ + "/hub.toml";
    write(file_, text_of(Base::policy));
  }
  ~Save() override { fs::remove_all(folder_); }

  static void write(const std::string& file, const std::string& text) { std::ofstream(file) << text; }
  static mode_t mode_of(const std::string& file) {
    struct stat status {};
    EXPECT_EQ(stat(file.c_str(), &status), 0);
    return status.st_mode & 07777;
  }
  Config read() const {
    auto config = read_config(file_);
    EXPECT_TRUE(config);
    return *std::move(config);
  }

  std::string folder_, file_;
};

TEST_F(Save, WhatIsSavedIsReadBackAndTheOldFileKept) {
  chmod(file_.c_str(), 0604);
  Config config = read();
  config.domains.push_back({"edge", {}});
  const auto saved = save_config(config, false);
  ASSERT_TRUE(saved) << to_string(saved.error());
  EXPECT_EQ(to_string(diff(config, read())), "");
  EXPECT_EQ(read_file(file_ + ".bak"), text_of(Base::policy));
  EXPECT_EQ(mode_of(file_), 0604u);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 2) << "something was left behind";
}

TEST_F(Save, SavesAgainAfterReadingAgain) {
  ASSERT_TRUE(save_config(read(), false));
  ASSERT_TRUE(save_config(read(), false));
}

TEST_F(Save, EditsSinceAreNotLost) {
  const Config config = read();
  write(file_, text_of(Base::policy) + "# mine\n");
  const auto saved = save_config(config, false);
  ASSERT_FALSE(saved);
  EXPECT_NE(saved.error().message.find("edited since"), std::string::npos);
  EXPECT_EQ(read_file(file_), text_of(Base::policy) + "# mine\n");
  ASSERT_TRUE(save_config(config, true));
  EXPECT_EQ(read_file(file_ + ".bak"), text_of(Base::policy) + "# mine\n");
}

TEST_F(Save, WhatCouldNotBeReadAgainIsNotWritten) {
  Config config = read();
  config.domains.push_back(config.domains.front());
  const auto saved = save_config(config, true);
  ASSERT_FALSE(saved);
  EXPECT_NE(saved.error().message.find("not saved, since it could not be read again: "), std::string::npos);
  EXPECT_NE(saved.error().message.find("another domain is called"), std::string::npos)
      << saved.error().message;
  EXPECT_EQ(read_file(file_), text_of(Base::policy));
}

TEST_F(Save, ALinkStaysALink) {
  const std::string link = folder_ + "/link.toml";
  fs::create_symlink(file_, link);
  ASSERT_TRUE(replace_file(link, "new"));
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(read_file(file_), "new");
}

TEST_F(Save, ANewFileIsNotForEverybody) {
  ASSERT_TRUE(replace_file(folder_ + "/new.toml", "x"));
  EXPECT_EQ(mode_of(folder_ + "/new.toml"), 0640u);
  EXPECT_FALSE(fs::exists(folder_ + "/new.toml.bak"));
}

TEST_F(Save, WhatCannotBeWrittenIsNamed) {
  const auto saved = replace_file("/no/such/folder/hub.toml", "x");
  ASSERT_FALSE(saved);
  EXPECT_NE(to_string(saved.error()).find("/no/such/folder/hub.toml: the file cannot be written"),
            std::string::npos);
}

TEST_F(Save, NothingIsLeftOfAFailure) {
  fs::create_directory(folder_ + "/dir");
  fs::create_directory(folder_ + "/dir/x");  // a folder that is not empty cannot be replaced by a file
  EXPECT_FALSE(replace_file(folder_ + "/dir", "x"));
  EXPECT_FALSE(fs::exists(folder_ + "/dir.new"));
}

}  // namespace
}  // namespace weir::config::test
