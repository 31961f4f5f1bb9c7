// No text, however wrong, does more than yield problems. (Under ASan and UBSan this is worth most.)
#include <gtest/gtest.h>

#include <random>

#include "mgmt/config/diff.h"
#include "mgmt/config/key_table.h"
#include "mgmt/config/memory_plan.h"
#include "tests/support/rounds.h"
#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

size_t no_sessions(uint32_t) { return 0; }

/// Reads it, and uses what comes out.
void read_any(const std::string& text) {
  const auto config = read_config_text(text, "hub.toml");
  if (config) {
    EXPECT_TRUE(diff(*config, *config).empty());
    EXPECT_GT(memory_plan(*config, no_sessions).total_bytes, 0u);
    return;
  }
  ASSERT_FALSE(config.error().empty());
  for (const Problem& problem : config.error()) {
    EXPECT_FALSE(problem.message.empty());
    for (const char c : to_string(problem))
      EXPECT_GE(static_cast<uint8_t>(c), 0x20) << "a control character in a message";
  }
}

std::string repeated(const std::string& unit, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += unit;
  return text;
}

TEST(Hostile, DeepNesting) {
  read_any("x = " + repeated("[", 100'000));
  read_any("x = " + repeated("{a=", 100'000));
  read_any("x = " + repeated("[", 1'000) + repeated("]", 1'000));
  read_any("[" + repeated("a.", 100'000) + "a]\nx = 1\n");
  read_any(repeated("a.", 100'000) + "a = 1\n");
  read_any(repeated("\"a\" . 'b' . ", 100'000) + "a = 1\n");
  read_any(repeated("[[a", 100'000));
  std::string nested;
  for (size_t i = 1; i < 100; ++i) nested += "[[" + repeated("a.", i) + "a]]\n";
  read_any(nested);
}

TEST(Hostile, NestedKeysInNestedTables) {
  std::string deep = "1";
  for (int i = 0; i < 14; ++i) deep = "{" + repeated("a.", 14) + "a = " + deep + "}";
  read_any("x = " + deep + "\n");
}

TEST(Hostile, HugeNumbersAndStrings) {
  for (const char* value : {"99999999999999999999999999", "-9223372036854775808", "9223372036854775807",
                            "0xffffffffffffffff", "1e400", "-nan", "inf", "0b1111", "1_000_000_000_000"}) {
    read_any("[worker]\ncores = [" + std::string(value) + "]\nburst = " + value +
             "\n[limits]\nsessions = " + value + "\n");
  }
  read_any("[hub]\nname = \"" + std::string(1'000'000, 'a') + "\"\n");
  read_any("[" + std::string(1'000'000, 'a') + "]\n");
  read_any("[worker]\n" + std::string(100'000, 'a') + " = 1\n");
}

TEST(Hostile, ManyProblemsAreCutOff) {
  std::string text;
  for (int i = 0; i < 5'000; ++i) text += "[[domain]]\nname = \"d" + std::to_string(i) + "\"\n";
  for (int i = 0; i < 5'000; ++i)
    text += "[[connection]]\ndomains = [\"x" + std::to_string(i) + "\", \"y\"]\n";
  const auto config = read_config_text(text, "hub.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().size(), Problems::kMax + 1);
  EXPECT_EQ(to_string(config.error().back()), "hub.toml: there may be more problems; 1000 are shown");
}

TEST(Hostile, BytesThatAreNoText) {
  using namespace std::string_literals;
  for (const std::string& text :
       {"\0"s, "\xff\xfe\x00\x00"s, "a = \"\xc3\x28\"\n"s, "\xef\xbb\xbf[log]\n"s,
        "[log]\r\nlevel = \"info\"\r"s, "a = \"\"\"\\"s, "a = '''"s, "\"\"\" . a = 1"s, "a = \"\\"s, "#\x01"s,
        "[=]"s, "[[,]]"s, "\u028e = 1"s, "a = 1 \u00a0"s, "\xef\xbb\xbf\u00fc"s}) {
    read_any(text);
  }
}

/// The same numbers on every machine.
class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  uint32_t operator()() { return static_cast<uint32_t>(engine_()); }

 private:
  std::mt19937 engine_;
};

std::string name_for(const KeySpec& key) {
  return std::string(leaf_of(key.path) == "*" ? "NAME" : leaf_of(key.path));
}

/// Any value, of any kind, down to some depth.
std::string random_value(Random& random, int depth) {
  static constexpr const char* kScalars[] = {"0",
                                             "1",
                                             "-1",
                                             "65536",
                                             "9223372036854775807",
                                             "1.5",
                                             "true",
                                             "false",
                                             "\"\"",
                                             "\"x\"",
                                             "\"prod\"",
                                             "\"10.1.0.1/24\"",
                                             "\"10.0.0.0/8\"",
                                             "\"::/0\"",
                                             "\"198.18.0.1\"",
                                             "\"-\"",
                                             "\"af_packet\"",
                                             "\"inspect\"",
                                             "\"tcp\"",
                                             "1979-05-27",
                                             "07:32:00",
                                             "nan"};
  const uint32_t kind = random() % (depth > 0 ? 10 : 6);
  if (kind < 6) return kScalars[random() % std::size(kScalars)];
  std::string text;
  const uint32_t count = random() % 4;
  if (kind < 9) {
    for (uint32_t i = 0; i < count; ++i) text += (i > 0 ? ", " : "") + random_value(random, depth - 1);
    return "[" + text + "]";
  }
  const auto all = keys();
  for (uint32_t i = 0; i < count; ++i) {
    text += (i > 0 ? ", " : "") + name_for(all[random() % all.size()]) + std::string(i, 'x') + " = " +
            random_value(random, depth - 1);
  }
  return "{" + text + "}";
}

TEST(Hostile, AnyKindAnywhere) {
  Random random(20'240'501);
  for (int round = 0; round < weir::test::rounds(2'000); ++round) {
    std::string text;
    for (const SectionSpec& section : sections()) {
      if (!section_of(section.path).empty() || random() % 4 == 0) continue;
      std::string name(section.path);
      const bool list = name.ends_with("[]");
      if (list) name.resize(name.size() - 2);
      if (random() % 20 == 0) {
        text = name + " = " + random_value(random, 3) + "\n" + text;
        continue;
      }
      text += list ? "[[" + name + "]]\n" : "[" + name + "]\n";
      for (const KeySpec& key : keys()) {
        if (section_of(key.path) == section.path && random() % 3 != 0) {
          text += name_for(key) + " = " + random_value(random, 3) + "\n";
        }
      }
      for (const SectionSpec& inner : sections()) {
        if (section_of(inner.path) != section.path || random() % 3 == 0) continue;
        text += std::string(leaf_of(inner.path)) + " = " + random_value(random, 3) + "\n";
      }
    }
    read_any(text);
    if (HasFailure()) FAIL() << text;
  }
}

TEST(Hostile, MutationsOfARightFile) {
  const std::string whole = full_text();
  Random random(7);
  for (int round = 0; round < weir::test::rounds(3'000); ++round) {
    std::string text = whole;
    for (uint32_t i = 0, count = 1 + random() % 4; i < count; ++i) {
      const size_t at = random() % text.size(), length = 1 + random() % 40;
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(at, whole.substr(random() % whole.size(), length));
          break;
        case 3:
          text.insert(at, 1, "[]{}\"'.=,#\n-0"[random() % 13]);
          break;
      }
      if (text.empty()) text = "x";
    }
    read_any(text);
    if (HasFailure()) FAIL() << text;
  }
}

}  // namespace
}  // namespace weir::config::test
