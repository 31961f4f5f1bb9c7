// suricata.yaml -> a profile: what is taken, and that nothing is dropped in silence.
#include "mgmt/importer/suricata_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "mgmt/config/reader.h"
#include "mgmt/config/writer.h"

namespace weir::importer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kFolder = WEIR_SOURCE_DIR "/tests/unit/importer";

ImportedProfile import_text(const std::string& text) {
  auto tree = parse_yaml("s.yaml", text);
  if (!tree) {
    ADD_FAILURE() << tree.error().message;
    return {};
  }
  return import_suricata(std::move(*tree), "p");
}

ImportedProfile import_shipped() {
  auto tree = read_yaml(kFolder + "/suricata.yaml");
  if (!tree) {
    ADD_FAILURE() << tree.error().message;
    return {};
  }
  return import_suricata(std::move(*tree), "edge");
}

TEST(Import, TakesWhatAProfileCanSay) {
  const config::Profile p = import_shipped().profile;
  EXPECT_EQ(p.name, "edge");
  EXPECT_EQ(p.address_groups.at("HOME_NET"), "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]");
  EXPECT_EQ(p.address_groups.at("EXTERNAL_NET"), "!$HOME_NET");
  EXPECT_EQ(p.address_groups.size(), 3u);
  EXPECT_EQ(p.port_groups.at("FILE_DATA_PORTS"), "[$HTTP_PORTS,110,143]");
  EXPECT_THAT(p.rule_files, ElementsAre("/var/lib/suricata/rules/suricata.rules", "/etc/local.rules"));
  EXPECT_EQ(p.classification_file, "/etc/suricata/classification.config");
  EXPECT_EQ(p.reference_file, kFolder + "/reference.config");
  EXPECT_EQ(p.threshold_file, "/etc/suricata/threshold.config");
  EXPECT_EQ(p.mode, config::InspectMode::ids);
  EXPECT_EQ(p.depth, 2u << 20);
  EXPECT_EQ(p.checksums, config::Checksums::ignore);
  EXPECT_EQ(p.limits.request_body, 200u << 10);
  EXPECT_EQ(p.limits.response_body, 1u << 20);
  EXPECT_EQ(p.exceptions.session_memory, config::ExceptionPolicy::pass_packet)
      << "its own goes before that of all";
  EXPECT_EQ(p.exceptions.segment_memory, config::ExceptionPolicy::automatic);
  EXPECT_EQ(p.exceptions.malformed, config::ExceptionPolicy::drop_flow);
}

TEST(Import, ListsWhatItLeavesOutWithItsLine) {
  std::vector<std::string> left;
  for (const LeftOut& one : import_shipped().left_out)
    left.push_back(std::to_string(one.line) + " " + one.path);
  EXPECT_THAT(left,
              ElementsAre("4 suricata-version", "10 vars.address-groups.NOWHERE", "15 default-log-dir",
                          "16 stats", "19 outputs", "26 af-packet", "32 app-layer.protocols.krb5",
                          "36 app-layer.protocols.tls.detection-ports", "39 app-layer.protocols.ftp.enabled",
                          "44 app-layer.protocols.http.libhtp.default-config.personality", "47 datasets",
                          "57 stream.memcap", "60 stream.midstream", "61 stream.midstream-policy",
                          "64 stream.reassembly.memcap", "66 stream.reassembly.toserver-chunk-size",
                          "67 host-os-policy", "82 rule-files", "83 something-new"));
}

/// All words of a tree, with their paths.
void words_of(YamlNode& node, const std::string& path, std::vector<std::pair<std::string, YamlNode*>>& out) {
  if (node.kind == YamlNode::Kind::text) out.emplace_back(path, &node);
  for (auto& [name, member] : node.members)
    words_of(member, path.empty() ? name : name.empty() ? path : path + "." + name, out);
}

TEST(Import, NoValueIsDroppedInSilence) {
  // Another value in the place of each: what comes out, or the list of what was left out, has to tell.
  auto tree = read_yaml(kFolder + "/suricata.yaml");
  ASSERT_TRUE(tree);
  std::vector<std::pair<std::string, YamlNode*>> words;
  words_of(tree->root, "", words);
  ASSERT_GT(words.size(), 40u);
  const ImportedProfile shipped = import_shipped();
  const std::string before = imported_toml(shipped, "");
  for (const auto& [path, word] : words) {
    const bool listed = std::any_of(
        shipped.left_out.begin(), shipped.left_out.end(),
        [&, at = path](const LeftOut& left) { return at == left.path || at.starts_with(left.path + "."); });
    const std::string text = word->text;
    bool tells = false;
    for (const char* other : {"7", "yes", "no", "else", "drop-packet"}) {
      if (text == other) continue;
      word->text = other;
      tells |= imported_toml(import_suricata(*tree, "edge"), "") != before;
    }
    word->text = text;
    EXPECT_TRUE(tells || listed) << text << " on line " << word->line;
  }
}

TEST(Import, WhatComesOutIsAProfileThatTheHubReads) {
  const std::string toml = imported_toml(import_shipped(), "suricata.yaml");
  EXPECT_THAT(
      toml, HasSubstr("# " + kFolder + "/suricata.yaml:26: af-packet: Packets come by the hub's own ports"));
  std::string machine = config::to_toml(*config::read_config(WEIR_SOURCE_DIR "/conf/reference.toml"));
  const auto config = config::read_config_text(machine + toml, "hub.toml");
  ASSERT_TRUE(config) << config::to_string(config.error().front());
  const config::Profile& read = config->profiles.back();
  EXPECT_EQ(read.name, "edge");
  EXPECT_EQ(config::values_of(read), config::values_of(import_shipped().profile));
}

TEST(Import, ModeIsIpsOnlyIfStreamsAreInline) {
  EXPECT_EQ(import_text("stream: {inline: yes}").profile.mode, config::InspectMode::ips);
  EXPECT_EQ(import_text("stream: {inline: auto}").profile.mode, config::InspectMode::ids);
  EXPECT_EQ(import_text("x: 1").profile.mode, config::InspectMode::ids);
}

TEST(Import, NumbersThatAKeyDoesNotTakeAreListed) {
  for (const char* depth : {"-1", "x", "99999999999999999999", "5 GiB", "[1]", "1.5mb"}) {
    const ImportedProfile p = import_text("stream: {reassembly: {depth: " + std::string(depth) + "}}");
    EXPECT_EQ(p.profile.depth, config::Profile().depth) << depth;
    ASSERT_EQ(p.left_out.size(), 1u) << depth;
    EXPECT_EQ(p.left_out[0].path, "stream.reassembly.depth");
  }
}

TEST(Import, ReadsWhatTheFileIncludes) {
  std::string pattern = testing::TempDir() + "weir-import-XXXXXX";
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  const std::filesystem::path folder = pattern;
  std::ofstream(folder / "a.yaml")
      << "include: [b.yaml]\nthreshold-file: /a\nstream: {reassembly: {depth: 1}}\n";
  std::ofstream(folder / "b.yaml") << "threshold-file: t.config\nnew-thing: 1\n";
  auto tree = read_yaml(folder / "a.yaml");
  ASSERT_TRUE(tree) << tree.error().message;
  const ImportedProfile p = import_suricata(std::move(*tree), "p");
  EXPECT_EQ(p.profile.threshold_file, (folder / "t.config").string());
  EXPECT_EQ(p.profile.depth, 1u);
  ASSERT_EQ(p.left_out.size(), 1u);
  EXPECT_EQ(to_string(p.left_out[0]),
            (folder / "b.yaml").string() + ":2: new-thing: Weir has nothing of that kind.");
  std::ofstream(folder / "b.yaml") << "include: a.yaml\n";
  EXPECT_FALSE(read_yaml(folder / "a.yaml")) << "files that include each other";
  std::filesystem::remove_all(folder);
}

TEST(Import, AFileThatIsNoYamlNamesItsLine) {
  const std::pair<const char*, const char*> rows[] = {{"a: [1\nb: 2\n", "s.yaml:2: this is no YAML"},
                                                      {"", "s.yaml:1: the file has no values"},
                                                      {"- a\n", "s.yaml:1: a list of names and their values"},
                                                      {"? [a]\n: b\n", "s.yaml:1: the name of a value"},
                                                      {"a: &x [*x]\n", "levels deep"}};
  for (const auto& [text, message] : rows) {
    const auto tree = parse_yaml("s.yaml", text);
    ASSERT_FALSE(tree) << text;
    EXPECT_THAT(tree.error().message, HasSubstr(message));
  }
}

TEST(Import, AliasesThatMultiplyAreBounded) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int k = 0; k < 9; ++k) text += ", " + before;
    text += "]\n";
  }
  const auto tree = parse_yaml("s.yaml", text);
  ASSERT_FALSE(tree);
  EXPECT_THAT(tree.error().message, HasSubstr("more than 200000 values"));
}

}  // namespace
}  // namespace weir::importer
