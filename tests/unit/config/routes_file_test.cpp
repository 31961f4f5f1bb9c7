// The routes file: read with the configuration, checked as its routes are.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "mgmt/config/diff.h"
#include "mgmt/config/save.h"
#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

class RoutesFile : public testing::Test {
 protected:
  RoutesFile() {
    char folder[] = "/tmp/weir-routes-XXXXXX";
    folder_ = mkdtemp(folder);
  }
  ~RoutesFile() override { std::filesystem::remove_all(folder_); }

  tl::expected<Config, std::vector<Problem>> read(const std::string& lines) const {
    std::ofstream(folder_ + "/hub.toml") << text_of(Base::policy) + "[routes]\nfile = \"r\"\n";
    std::ofstream(folder_ + "/r") << lines;
    return read_config(folder_ + "/hub.toml");
  }
  /// Problems without the folder.
  std::string problems(const std::string& lines) const {
    const auto config = read(lines);
    std::string text;
    if (config) return text;
    for (const Problem& problem : config.error()) text += to_string(problem) + "\n";
    for (size_t at; (at = text.find(folder_ + "/")) != std::string::npos;) text.erase(at, folder_.size() + 1);
    return text;
  }

  std::string folder_;
};

TEST_F(RoutesFile, StandsBehindTheOthers) {
  const auto config = read("prod 10.9.0.0/16 attachment cloud-a\nshared 10.9.0.0/16 blackhole\n");
  ASSERT_TRUE(config) << to_string(config.error().front());
  ASSERT_EQ(config->routes.size(), 3u);
  EXPECT_EQ(config->routes[1].attachment, "cloud-a");
  EXPECT_EQ(config->routes[1].where.line, 1u);
  EXPECT_TRUE(config->routes[2].blackhole);
}

TEST_F(RoutesFile, ThatIsNotThereIsNamedAtItsKey) {
  std::ofstream(folder_ + "/hub.toml") << text_of(Base::policy) + "[routes]\nfile = \"none\"\n";
  const auto config = read_config(folder_ + "/hub.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().front().key, "routes.file");
  EXPECT_NE(to_string(config.error().front()).find("/none: the file cannot be read: No such file"),
            std::string::npos);
}

TEST_F(RoutesFile, IsCheckedAsRoutesOfTheFileAre) {
  struct Row {
    const char* lines;
    const char* problem;
  };
  const Row rows[] = {
      {"prd 10.9.0.0/16 blackhole",
       "r:1:1: route[].domain: no domain is called \"prd\"; the nearest is \"prod\"\n"},
      {"prod 10.9.0.0/16 attachment cloud",
       "r:1:1: route[].attachment: no attachment is called \"cloud\"; the nearest is \"cloud-a\"\n"},
      {"prod 10.9.0.0/16 attachment cloud-b",
       "r:1:1: route[].attachment: attachment \"cloud-b\" belongs to domain \"shared\", not to \"prod\"\n"},
      {"prod 10.9.0.0/16 attachment cloud-a via 10.3.0.1",
       "r:1:1: route[].via: 10.3.0.1 lies in none of the gateway subnets of attachment \"cloud-a\"\n"},
      {"shared 2001:db8::/32 attachment cloud-b",
       "r:1:1: route[].attachment: attachment \"cloud-b\" has no IPv6 gateway address, so the hub cannot "
       "find hosts "
       "there; add one, or a via\n"},
      {"prod 10.1.0.0/24 attachment cloud-a",
       "r:1:1: route[].prefix: 10.1.0.0/24: it is a gateway subnet of attachment \"cloud-a\" already, at "
       "hub.toml:13\n"},
      {"prod 10.1.64.0/18 blackhole",
       "r:1:1: route[].prefix: 10.1.64.0/18: the domain has a route to it already, at hub.toml:23; a "
       "blackhole cannot "
       "share its prefix\n"},
      {"prod 10.9.0.0/16 attachment cloud-a\nprod 10.9.0.0/16 attachment cloud-a via 10.1.0.2",
       "r:2:1: route[].prefix: 10.9.0.0/16: the domain has a route to it already, at r:1; if both are meant, "
       "write ecmp "
       "on each\n"},
      {"prod 10.9.0.0/16 attachment cloud-a ecmp\nprod 10.9.0.0/16 attachment cloud-a ecmp",
       "r:2:1: route[].prefix: 10.9.0.0/16: the same route stands at r:1 already\n"},
      {"prod 10.9.0.0/16 attachment cloud-a ecmp\nprod 10.9.0.0/16 attachment cloud-a via 10.1.0.2 ecmp", ""},
      {"prod 10.9.0.0/16 blackhole\nshared 10.9.0.0/16 blackhole", ""},
  };
  for (const Row& row : rows) EXPECT_EQ(problems(row.lines), row.problem) << row.lines;
}

TEST_F(RoutesFile, APrefixHasSoManyRoutesAndNoMore) {
  std::string lines;
  for (int i = 0; i < 64; ++i)
    lines += "prod 10.9.0.0/16 attachment cloud-a via 10.1.0." + std::to_string(2 + i) + " ecmp\n";
  EXPECT_EQ(problems(lines), "");
  EXPECT_EQ(problems(lines + "prod 10.9.0.0/16 attachment cloud-a ecmp\n"),
            "r:65:1: route[].prefix: 10.9.0.0/16: a prefix has at most 64 routes\n");
}

TEST_F(RoutesFile, IsSavedToo) {
  auto config = read("prod 10.9.0.0/16 attachment cloud-a\n");
  ASSERT_TRUE(config);
  config->routes.push_back(config->routes.back());
  config->routes.back().prefix = *net::parse_prefix("10.8.0.0/16");
  const auto saved = save_config(*config, false);
  ASSERT_TRUE(saved) << to_string(saved.error());
  EXPECT_EQ(*saved, (std::vector{folder_ + "/r", folder_ + "/hub.toml"}));
  EXPECT_EQ(read_file(folder_ + "/r"),
            "prod 10.1.64.0/18 attachment cloud-a via 10.1.0.2\nprod 10.9.0.0/16 attachment cloud-a\n"
            "prod 10.8.0.0/16 attachment cloud-a\n");
  const auto again = read_config(folder_ + "/hub.toml");
  ASSERT_TRUE(again) << to_string(again.error().front());
  EXPECT_EQ(to_string(diff(*config, *again)), "");
}

}  // namespace
}  // namespace weir::config::test
