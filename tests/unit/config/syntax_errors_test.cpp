// What is wrong with a file before its keys mean anything.
#include <gtest/gtest.h>

#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

using enum Base;

const ErrorRow kRows[] = {
    {"not toml",
     nothing,
     "[worker]\ncores = @@?",
     {"this is not TOML"},
     "[worker]\ncores = [1]\n[[port]]\nname = \"a\"\ndriver = \"null\"\n"},
    {"key twice",
     machine,
     "[log]\nlevel = \"info\"\nlevel = @@\"warn\"\n",
     {"this is not TOML"},
     "[log]\nlevel = \"info\"\n"},
    {"unknown section",
     machine,
     "[@@lgo]\nlevel = \"info\"\n",
     {"lgo: no such section; the nearest is \"log\""},
     "[log]\nlevel = \"info\"\n"},
    {"unknown section, nothing near",
     machine,
     "[@@observability]\nx = 1\n",
     {"no such section; known here: \"hub\""},
     ""},
    {"unknown top-level key",
     machine,
     "[[domain]]\nname = \"a\"\n[@@x]\n",
     {"x: no such section"},
     "[[domain]]\nname = \"a\"\n"},
    {"unknown key",
     machine,
     "[limits]\n@@sesions = 10\n",
     {"limits.sesions: no such key; the nearest is \"sessions\""},
     "[limits]\nsessions = 100\n"},
    {"unknown key in a list of tables",
     machine,
     "[[domain]]\nname = \"a\"\n@@nmae = \"b\"\n",
     {"domain[].nmae: no such key; the nearest is \"name\""},
     "[[domain]]\nname = \"a\"\n"},
    {"unknown key in an inline table",
     machine,
     "[[domain]]\nname = \"prod\"\n[[attachment]]\nname = \"x\"\ndomain = \"prod\"\ngateway = "
     "[\"10.1.0.1/24\"]\n"
     "vxlan = { vni = 1, local = \"198.18.0.1\", @@remotte = \"198.18.0.2\", remote = \"198.18.0.2\" }\n",
     {"attachment[].vxlan.remotte: no such key; the nearest is \"remote\""},
     "[[domain]]\nname = \"prod\"\n[[attachment]]\nname = \"x\"\ndomain = \"prod\"\ngateway = "
     "[\"10.1.0.1/24\"]\n"
     "vxlan = { vni = 1, local = \"198.18.0.1\", remote = \"198.18.0.2\" }\n"},
    {"hostile key", machine, "[log]\n@@\"a\\u001bb\\nc\" = 1\n", {"log.a\\u001bb\\u000ac: no such key"}, ""},
    {"section of the wrong kind",
     machine,
     "@@[[log]]\nlevel = \"info\"\n",
     {"log: expected a table, found a list"},
     "[log]\nlevel = \"info\"\n"},
    {"list of tables of the wrong kind",
     machine,
     "@@[domain]\nname = \"a\"\n",
     {"domain: expected a list of tables, each written as [[domain]], found a table"},
     "[[domain]]\nname = \"a\"\n"},
    {"element of the wrong kind",
     nothing,
     "domain = [@@1, {name = \"a\"}, @@\"b\"]\n[worker]\ncores = [1]\n[[port]]\nname = \"a\"\ndriver = "
     "\"null\"\n",
     {"domain: expected a list of tables, each written as [[domain]], found a whole number",
      "found a string"},
     "domain = [{name = \"a\"}]\n[worker]\ncores = [1]\n[[port]]\nname = \"a\"\ndriver = \"null\"\n"},
    {"empty file",
     nothing,
     "@@@@",
     {"worker.cores: missing", "port: missing; at least one [[port]] is needed"},
     text_of(machine)},
    {"no port",
     nothing,
     "@@[worker]\ncores = [1]\n",
     {"port: missing; at least one [[port]] is needed"},
     text_of(machine)},
    {"empty list of ports",
     nothing,
     "port = @@[]\n[worker]\ncores = [1]\n",
     {"port: an empty list; at least one [[port]] is needed"},
     text_of(machine)},
    {"no cores",
     nothing,
     "@@[worker]\nburst = 1\n[[port]]\nname = \"a\"\ndriver = \"null\"\n",
     {"worker.cores: missing; it has to be a list, each element a whole number from 0 to 1023"},
     text_of(machine)},
    {"keys of too many parts",
     nothing,
     "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a@@.a = 1\n",
     {"a key of more than 16 dotted parts"},
     text_of(machine)},
    {"a letter outside of quotes",
     machine,
     "[log]\nlevel = \"info\" # \u00fc\n@@\u00fc = 1\n",
     {"outside of quotes and comments only ASCII characters are possible"},
     "[log]\nlevel = \"info\" # \u00fc\n"},
    {"a letter after letters",
     machine,
     "[[domain]]\nname = \"\u00fc\u00fc\" @@\u00e4\n",
     {"outside of quotes and comments only ASCII characters are possible"},
     "[[domain]]\nname = \"u\"\n"},
    {"all at once, in the order of the file",
     nothing,
     "[worker]\ncores = [1, @@\"2\"]\nburst = @@0\n[log]\nlevel = @@7\n@@colour = true\n[[port]]\nname = "
     "@@\"a b\"\ndriver = \"null\"\n",
     {"worker.cores: expected a whole number from 0 to 1023, found a string",
      "worker.burst: 0 is not a whole number from 1 to 256", "log.level: expected one of",
      "log.colour: no such key", "port[].name: \"a b\" is not a name"},
     text_of(machine)},
};

class SyntaxErrors : public testing::TestWithParam<ErrorRow> {};
TEST_P(SyntaxErrors, AreReportedAtTheirPlace) { expect_row(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Rows, SyntaxErrors, testing::ValuesIn(kRows));

TEST(ReadConfig, NamesAFileThatIsNotThere) {
  const auto config = read_config("/nonexistent/hub.toml");
  ASSERT_FALSE(config);
  ASSERT_EQ(config.error().size(), 1u);
  EXPECT_EQ(to_string(config.error()[0]),
            "/nonexistent/hub.toml: the file cannot be read: No such file or directory");
}

TEST(ReadConfig, RefusesAFolder) {
  const auto config = read_config("/");
  ASSERT_FALSE(config);
  EXPECT_EQ(to_string(config.error()[0]), "/: the file cannot be read: Is a directory");
}

TEST(ReadConfig, RefusesAnEndlessFile) {
  const auto config = read_config("/dev/zero");
  ASSERT_FALSE(config);
  EXPECT_EQ(to_string(config.error()[0]), "/dev/zero: the file cannot be read: it is larger than 64 MiB");
}

}  // namespace
}  // namespace weir::config::test
