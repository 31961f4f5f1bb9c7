// The reader does what the key table says, for every key of it.
#include "mgmt/config/key_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

/// Headers that make a following line a member of the section, as few as there can be.
std::string header(std::string_view section) {
  const std::string_view outer = section_of(section);
  std::string name(section);
  for (size_t at; (at = name.find("[]")) != std::string::npos;) name.erase(at, 2);
  if (!outer.empty()) return header(outer) + "[" + name + "]\n";
  return section.ends_with("[]") ? "[[" + name + "]]\n" : "[" + name + "]\n";
}

/// The problems that a file has with `key` alone when its value is `value`; others are missing on purpose.
/// Checks that each is reported on the value's line.
std::string problems_with(const KeySpec& key, const std::string& value) {
  std::string path(key.path);
  if (path.ends_with("*")) path.replace(path.size() - 1, 1, "NAME");
  const std::string text = header(section_of(path)) + std::string(leaf_of(path)) + " = " + value + "\n";
  const auto line = static_cast<uint32_t>(std::count(text.begin(), text.end(), '\n'));
  const auto config = read_config_text(text, "hub.toml");
  std::string found;
  if (config) return found;
  for (const Problem& problem : config.error()) {
    if (problem.key != path) continue;
    EXPECT_EQ(problem.where.line, line) << to_string(problem);
    found += problem.message + "\n";
  }
  return found;
}

/// TOML of each kind, and whether a key of this kind takes it as far as its kind goes.
struct Sample {
  const char* toml;
  bool fits_boolean, fits_integer, fits_text;
};
constexpr Sample kSamples[] = {{"true", true, false, false},        {"7", false, true, false},
                               {"7.5", false, false, false},        {"\"x\"", false, false, true},
                               {"1979-05-27", false, false, false}, {"{}", false, false, false},
                               {"[[]]", false, false, false},       {"nan", false, false, false}};

bool fits(const KeySpec& key, const Sample& sample) {
  switch (key.kind) {
    case ValueKind::boolean:
      return sample.fits_boolean;
    case ValueKind::integer:
      return sample.fits_integer;
    case ValueKind::ports:
    case ValueKind::rules:
      return sample.fits_integer || sample.fits_text;
    default:
      return sample.fits_text;
  }
}

std::string as_value(const KeySpec& key, const std::string& element) {
  return key.list ? "[" + element + "]" : element;
}

TEST(KeyTable, EveryKeyRefusesOtherKindsAndSaysWhatIsExpected) {
  for (const KeySpec& key : keys()) {
    for (const Sample& sample : kSamples) {
      if (fits(key, sample)) continue;
      const std::string found = problems_with(key, as_value(key, sample.toml));
      EXPECT_NE(found.find("expected " + element_expectation(key) + ", found "), std::string::npos)
          << key.path << " = " << sample.toml << ": " << found;
    }
    if (!key.list) continue;
    for (const char* value : {"7", "\"x\"", "true", "{}"}) {
      EXPECT_NE(problems_with(key, value).find("expected a list, each element "), std::string::npos)
          << key.path << " = " << value;
    }
  }
}

TEST(KeyTable, EveryNumberHasItsRange) {
  for (const KeySpec& key : keys()) {
    if (key.kind != ValueKind::integer && key.kind != ValueKind::ports) continue;
    for (const int64_t value : {key.min - 1, key.max + 1, INT64_MIN, INT64_MAX}) {
      const std::string text = as_value(key, std::to_string(value));
      EXPECT_NE(problems_with(key, text).find(std::to_string(value) + " is not " + element_expectation(key)),
                std::string::npos)
          << key.path << " = " << text;
    }
    for (const int64_t value : {key.min, key.max}) {
      EXPECT_EQ(problems_with(key, as_value(key, std::to_string(value))).find(" is not "), std::string::npos)
          << key.path << " = " << value;
    }
  }
}

TEST(KeyTable, EveryChoiceIsTakenAndNothingElse) {
  for (const KeySpec& key : keys()) {
    if (key.kind != ValueKind::choice) continue;
    ASSERT_FALSE(key.choices.empty()) << key.path;
    for (const std::string_view choice : key.choices) {
      EXPECT_EQ(problems_with(key, as_value(key, in_quotes(choice))).find(" is not "), std::string::npos)
          << key.path << " = " << choice;
    }
    for (const char* other : {"\"\"", "\"nonsense\"", "\"AUTO\""}) {
      EXPECT_NE(problems_with(key, as_value(key, other)).find(" is not one of "), std::string::npos)
          << key.path << " = " << other;
    }
  }
}

TEST(KeyTable, EveryRequiredKeyIsMissed) {
  for (const KeySpec& key : keys()) {
    const std::string text = header(section_of(key.path));
    const auto config = read_config_text(text, "hub.toml");
    bool missed = false;
    if (!config) {
      for (const Problem& p : config.error())
        missed |= p.key == key.path && p.message.starts_with("missing; it has to be");
    }
    EXPECT_EQ(missed, key.required) << key.path;
  }
}

TEST(KeyTable, IsConsistent) {
  std::set<std::string_view> section_paths, paths;
  for (const SectionSpec& section : sections()) {
    EXPECT_TRUE(section_paths.insert(section.path).second) << section.path;
    EXPECT_TRUE(section.help.ends_with(".")) << section.path;
  }
  for (const KeySpec& key : keys()) {
    EXPECT_TRUE(paths.insert(key.path).second) << key.path;
    EXPECT_TRUE(section_paths.contains(section_of(key.path))) << key.path;
    EXPECT_TRUE(key.help.ends_with(".")) << key.path;
    EXPECT_FALSE(key.required && !key.fallback.empty()) << key.path;
    EXPECT_EQ(key.kind == ValueKind::choice, !key.choices.empty()) << key.path;
    if (key.kind == ValueKind::integer) {
      EXPECT_LT(key.min, key.max) << key.path;
    }
    for (const SectionSpec& section : sections()) {
      if (section.path == section_of(key.path)) {
        EXPECT_EQ(section.change, key.change) << key.path;
      }
    }
  }
}

TEST(KeyTable, PathsComeApart) {
  EXPECT_EQ(section_of("attachment[].vxlan.vni"), "attachment[].vxlan");
  EXPECT_EQ(leaf_of("attachment[].vxlan.vni"), "vni");
  EXPECT_EQ(section_of("eal"), "");
  EXPECT_EQ(leaf_of("eal"), "eal");
}

}  // namespace
}  // namespace weir::config::test
