// Changes as text: what they mean, in which order, and what is wrong with them at which place.
#include "mgmt/config/change_reader.h"

#include <gtest/gtest.h>

#include "mgmt/config/key_table.h"
#include "mgmt/config/schema.h"
#include "mgmt/config/toml_values.h"
#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

constexpr const char* kVerbNames[] = {"add", "remove", "replace", "extend", "reduce"};

std::string describe(const ModelChange& change) {
  std::string text = kVerbNames[static_cast<size_t>(change.verb)];
  text += " " + std::visit([](const auto& subject) { return name_of(subject); }, change.subject);
  if (change.place.side == RulePlace::Side::before) text += " before " + change.place.rule;
  if (change.place.side == RulePlace::Side::after) text += " after " + change.place.rule;
  return text;
}

/// Each change as a line, or each problem.
std::string read(const std::string& text, const std::string& source = "batch.toml") {
  const auto changes = read_changes_text(text, source);
  std::string lines;
  if (changes) {
    for (const ModelChange& change : *changes) lines += describe(change) + "\n";
  } else {
    for (const Problem& problem : changes.error()) lines += to_string(problem) + "\n";
  }
  return lines;
}

TEST(ChangeReader, ReadsEveryKindInTheOrderOfTheText) {
  EXPECT_EQ(read(R"([[add.domain]]
name = "prod"
[[add.attachment]]
name = "spoke-1"
domain = "prod"
gateway = ["10.1.0.1/24"]
[add.attachment.vxlan]
vni = 10
local = "198.18.0.1"
remote = "198.18.0.10"
[[remove.route]]
domain = "prod"
prefix = "10.9.0.0/16"
[[add.attachment]]
name = "spoke-2"
domain = "prod"
gateway = ["10.2.0.1/24"]
vxlan = { vni = 11, local = "198.18.0.1", remote = "198.18.0.10" }
[[add.route]]
domain = "prod"
prefix = "10.9.0.0/16"
attachment = "spoke-2"
via = "10.2.0.2"
[[remove.connection]]
domains = ["shared", "prod"]
[[replace.policy]]
id = "web"
action = "deny"
[[add.policy]]
id = "dns"
action = "allow"
before = "web"
[[add.policy]]
id = "ssh"
action = "allow"
after = "dns"
[[remove.policy]]
id = "old"
)"),
            "add prod\nadd spoke-1\nremove prod 10.9.0.0/16\nadd spoke-2\n"
            "add prod 10.9.0.0/16 attachment spoke-2 via 10.2.0.2\nremove prod - shared\nreplace web\n"
            "add dns before web\nadd ssh after dns\nremove old\n");
}

TEST(ChangeReader, RulesOfAddressTranslation) {
  const std::string pool = "snat = { from = [\"red\"], domain = \"blue\", pool = [\"10.2.0.64/29\"] }\n";
  const auto changes = read_changes_text(
      "[[add.nat]]\nname = \"out\"\n" + pool + "[[remove.nat]]\nname = \"web\"\n", "batch.toml");
  ASSERT_TRUE(changes);
  ASSERT_EQ(changes->size(), 2u);
  const auto& added = std::get<Nat>(changes->front().subject);
  EXPECT_EQ(added.kind, NatKind::snat);
  EXPECT_EQ(added.domain, "blue");
  EXPECT_EQ(changes->back().verb, ChangeVerb::remove);
  EXPECT_EQ(std::get<Nat>(changes->back().subject).name, "web");
  EXPECT_EQ(read("[[add.nat]]\nname = \"out\"\n"),
            "batch.toml:1:1: nat[]: missing: exactly one of the tables \"static\", \"dnat\", \"snat\" and "
            "\"nat64\"\n");
  EXPECT_EQ(read("[[replace.nat]]\nname = \"out\"\n" + pool +
                 "dnat = { seen_by = [\"blue\"], address = \"10.2.0.80\", port = 443, domain = \"red\", "
                 "server = \"10.1.0.5\" }\n"),
            "batch.toml:3:8: nat[].snat: a rule has exactly one of the tables \"static\", \"dnat\", "
            "\"snat\" and \"nat64\"\n");
}

TEST(ChangeReader, SubjectsKnowTheirPlace) {
  const auto changes = read_changes_text("\n[[add.domain]]\nname = \"x\"\n", "batch.toml");
  ASSERT_TRUE(changes);
  const auto& domain = std::get<Domain>(changes->front().subject);
  EXPECT_EQ(domain.where.file, "batch.toml");
  EXPECT_EQ(domain.where.line, 2u);
  const auto nowhere = read_changes_text("\n[[add.domain]]\nname = \"x\"\n", "");
  ASSERT_TRUE(nowhere);
  EXPECT_EQ(std::get<Domain>(nowhere->front().subject).where.line, 0u);
}

TEST(ChangeReader, NothingIsNoChange) {
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read("[add]\n"), "");
}

struct Row {
  const char* name;
  std::string text;
  std::string problems;
};

TEST(ChangeReader, NamesWhatIsWrongInTheWordsOfTheFile) {
  const Row rows[] = {
      {"an unknown verb", "[[change.route]]\n",
       "batch.toml:1:3: change: changes stand in lists such as [[add.route]]; the verbs are \"add\", "
       "\"remove\", \"replace\", \"extend\" and \"reduce\"\n"},
      {"a configuration", "[[domain]]\nname = \"x\"\n",
       "batch.toml:1:3: domain: changes stand in lists such as [[add.route]]; the verbs are \"add\", "
       "\"remove\", \"replace\", \"extend\" and \"reduce\"\n"},
      {"a kind that only the file changes", "[[add.port]]\n[[add.profile]]\n",
       "batch.toml:1:7: add.port: this is changed in the file, by a reload or a restart; at run time there "
       "are "
       "\"domain\", \"attachment\", \"route\", \"connection\", \"group\", \"policy\" and \"nat\"\n"
       "batch.toml:2:7: add.profile: this is changed in the file, by a reload or a restart; at run time "
       "there are "
       "\"domain\", \"attachment\", \"route\", \"connection\", \"group\", \"policy\" and \"nat\"\n"},
      {"no such kind", "[[add.spoke]]\n",
       "batch.toml:1:7: add.spoke: no such kind of thing; there are \"domain\", \"attachment\", \"route\", "
       "\"connection\", \"group\", \"policy\" and \"nat\"\n"},
      {"no list", "[add.domain]\nname = \"x\"\n",
       "batch.toml:1:1: add.domain: expected a list of tables, each written as [[add.domain]], found a "
       "table\n"},
      {"no table", "add = 7\n",
       "batch.toml:1:7: add: expected lists of tables such as [[add.route]], found a whole number\n"},
      {"a missing key", "[[add.domain]]\n",
       "batch.toml:1:1: domain[].name: missing; it has to be a name of 1 to 32 letters, digits, \"-\", \"_\" "
       "and "
       "\".\"\n"},
      {"an unknown key", "[[add.route]]\ndomain = \"d\"\nprefix = \"10.0.0.0/8\"\nattachmnt = \"x\"\n",
       "batch.toml:4:1: route[].attachmnt: no such key; the nearest is \"attachment\"\n"},
      {"a wrong value", "[[replace.route]]\ndomain = \"d\"\nprefix = \"10.1.0.0/8\"\n",
       "batch.toml:3:10: route[].prefix: \"10.1.0.0/8\" has bits set beyond its length; the prefix is "
       "\"10.0.0.0/8\"\n"},
      {"a removal that says more", "[[remove.policy]]\nid = \"web\"\naction = \"deny\"\n",
       "batch.toml:3:1: policy[].action: a removal says no more than what names the thing: \"id\"\n"},
      {"a removal that says too little", "[[remove.route]]\ndomain = \"prod\"\n",
       "batch.toml:1:1: route[].prefix: missing; it has to be a prefix such as \"10.1.0.0/16\"\n"},
      {"two places", "[[add.policy]]\nid = \"a\"\naction = \"deny\"\nbefore = \"b\"\nafter = \"c\"\n",
       "batch.toml:5:9: policy[].after: a rule goes before another one or behind it; leave one out\n"},
      {"all at once", "[[add.domain]]\nname = \"\"\n[[remove.domain]]\nname = 7\n",
       "batch.toml:2:8: domain[].name: \"\" is not a name of 1 to 32 letters, digits, \"-\", \"_\" and "
       "\".\"\n"
       "batch.toml:4:8: domain[].name: expected a name of 1 to 32 letters, digits, \"-\", \"_\" and \".\", "
       "found a "
       "whole number\n"},
  };
  for (const Row& row : rows) EXPECT_EQ(read(row.text), row.problems) << row.name;
}

TEST(ChangeReader, TextWithoutASourceHasNoPlaces) {
  EXPECT_EQ(read("[[add.domain]]\nname = \"\"\n", ""),
            "domain[].name: \"\" is not a name of 1 to 32 letters, digits, \"-\", \"_\" and \".\"\n");
  EXPECT_EQ(read("x", "").substr(0, 17), "this is not TOML:");
}

TEST(ChangeReader, PlacesOfRulesAreNoKeysOfTheFile) {
  const std::string problems =
      problems_of(text_of(Base::policy) + "[[policy]]\nid = \"a\"\naction = \"deny\"\nbefore = \"b\"\n");
  EXPECT_NE(problems.find("policy[].before: no such key"), std::string::npos) << problems;
}

TEST(ChangeReader, MembersOfGroupsComeAndGo) {
  EXPECT_EQ(read("[[extend.group]]\nname = \"a\"\nprefixes = [\"10.0.0.0/8\"]\ngroups = [\"b\"]\n"
                 "[[reduce.group]]\nname = \"b\"\nattachments = [\"s\"]\n"),
            "extend a\nreduce b\n");
  EXPECT_EQ(read("[[extend.group]]\nname = \"a\"\n"),
            "batch.toml:1:1: group[]: names no member of the group\n");
  EXPECT_EQ(read("[[reduce.group]]\nname = \"a\"\nmatch = \"web\"\n"),
            "batch.toml:3:9: group[].match: this is no member; [[replace.group]] changes it\n");
  EXPECT_EQ(
      read("[[extend.route]]\ndomain = \"a\"\n"),
      "batch.toml:1:10: extend.route: only groups have members that come and go; write [[extend.group]]\n");
  EXPECT_EQ(read("[[extend.group]]\nprefixes = [\"10.0.0.0/8\"]\n"),
            "batch.toml:1:1: group[].name: missing; it has to be a name of 1 to 32 letters, digits, \"-\", "
            "\"_\" and "
            "\".\"\n");
}

TEST(ChangeReader, EveryKindCanBeNamedAndItsKeysAreLive) {
  for (const std::string_view kind : changeable_kinds()) {
    const std::string section = std::string(kind) + "[]";
    bool named = false;
    for (const KeySpec& key : keys()) {
      if (key.path.substr(0, section.size()) != section) continue;
      EXPECT_EQ(key.change, Change::live) << key.path;
      named |= key.identity == Identity::required;
    }
    EXPECT_TRUE(named) << kind;
  }
}

}  // namespace
}  // namespace weir::config::test
