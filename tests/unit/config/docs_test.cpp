// What is written from the code, or for it, agrees with it.
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "dataplane/core/verdict.h"
#include "mgmt/config/key_table.h"
#include "mgmt/config/markdown.h"
#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

const std::string kSource = WEIR_SOURCE_DIR;
constexpr const char* kAgain = "run `weir_gendocs docs` in the source folder, and commit what it writes";

TEST(Docs, ConfigurationIsUpToDate) {
  EXPECT_EQ(read_file(kSource + "/docs/configuration.md"), configuration_markdown()) << kAgain;
}

TEST(Docs, ChangeOptionsAreUpToDate) {
  EXPECT_EQ(read_file(kSource + "/docs/change-options.md"), change_options_markdown()) << kAgain;
}

TEST(Docs, DropsAreUpToDate) { EXPECT_EQ(read_file(kSource + "/docs/drops.md"), drops_markdown()) << kAgain; }

TEST(Docs, NameEveryKeyAndEveryDropReason) {
  const std::string configuration = configuration_markdown(), drops = drops_markdown();
  for (const KeySpec& key : keys()) {
    const std::string leaf(leaf_of(key.path) == "*" ? "NAME" : leaf_of(key.path));
    EXPECT_NE(configuration.find("| `" + leaf + "` | "), std::string::npos) << key.path;
  }
  for (size_t i = 1; i < dataplane::kDropReasonCount; ++i) {
    EXPECT_NE(drops.find("`" + std::string(dataplane::kDropReasons[i].name) + "`"), std::string::npos);
  }
}

/// The keys of a commented file by path, with the line that sets each: `key = value` or `# key = value`;
/// inline tables are looked into by name only.
struct ReferenceLine {
  std::string path;
  std::string section_header;
  std::string assignment;
};

std::vector<ReferenceLine> reference_lines() {
  std::vector<ReferenceLine> lines;
  std::istringstream in(read_file(kSource + "/conf/reference.toml"));
  std::string section, header, line;
  while (std::getline(in, line)) {
    if (line.starts_with("[")) {
      header = line.substr(0, line.find_last_of(']') + 1);
      section = header.starts_with("[[") ? header.substr(2, header.size() - 4) + "[]"
                                         : header.substr(1, header.size() - 2);
      continue;
    }
    const std::string text = line.starts_with("# ") ? line.substr(2) : line;
    const size_t equals = text.find(" = ");
    if (equals == std::string::npos || text.find(' ') != equals) continue;
    const std::string key = text.substr(0, equals);
    lines.push_back({section + "." + key, header, text});
    const size_t brace = text.find("{ ");
    if (brace != equals + 3) continue;
    for (const KeySpec& spec : keys()) {
      if (section_of(spec.path) != section + "." + key) continue;
      const std::string_view leaf = leaf_of(spec.path);
      if (leaf != "*" && text.find(" " + std::string(leaf) + " = ") == std::string::npos) continue;
      lines.push_back({std::string(spec.path), header, text});
    }
  }
  return lines;
}

TEST(Reference, IsRight) { EXPECT_EQ(problems_of(read_file(kSource + "/conf/reference.toml")), ""); }

TEST(Reference, HasEveryKeyAndNoOther) {
  std::set<std::string> there;
  for (const auto& line : reference_lines()) there.insert(line.path);
  std::set<std::string> known;
  for (const KeySpec& key : keys()) {
    known.insert(std::string(key.path));
    EXPECT_TRUE(there.contains(std::string(key.path))) << key.path << " is not in conf/reference.toml";
  }
  for (const SectionSpec& section : sections()) known.insert(std::string(section.path));
  for (const auto& path : there) EXPECT_TRUE(known.contains(path)) << path;
}

TEST(Reference, CommentedKeysHaveRightValuesToo) {
  size_t checked = 0;
  for (const auto& line : reference_lines()) {
    const auto config = read_config_text(line.section_header + "\n" + line.assignment + "\n", "hub.toml");
    if (config) continue;
    for (const Problem& problem : config.error()) {
      const bool schema = problem.where.line == 2 && (problem.message.find(" is not ") != std::string::npos ||
                                                      problem.message.starts_with("expected "));
      EXPECT_FALSE(schema) << line.assignment << ": " << to_string(problem);
    }
    ++checked;
  }
  EXPECT_GE(checked, keys().size() / 2);
}

}  // namespace
}  // namespace weir::config::test
