// Changes at run time from the command line to control: arguments, bodies, answers, what people read.
#include <gtest/gtest.h>

#include "mgmt/api/changes.h"
#include "mgmt/cli/change_commands.h"
#include "mgmt/cli/print.h"
#include "mgmt/config/key_table.h"
#include "mgmt/config/toml_values.h"

namespace weir::test {
namespace {

using api::Json;
using config::ModelChange;

std::string describe(const config::ModelChanges& changes) {
  constexpr const char* kVerbNames[] = {"add ", "remove ", "replace ", "extend ", "reduce "};
  std::string text;
  for (const ModelChange& change : changes) {
    text += kVerbNames[static_cast<size_t>(change.verb)];
    text += std::visit([](const auto& subject) { return name_of(subject); }, change.subject) + "\n";
  }
  return text;
}

class ChangeSource : public api::Source {
 public:
  Result<control::StatusView> status() override { return no(); }
  Result<control::TopView> top() override { return no(); }
  Result<std::vector<control::DropView>> drops() override { return no(); }
  Result<control::SessionsView> sessions(size_t) override { return no(); }
  Result<control::RoutesView> routes(const control::RoutesQuery&) override { return no(); }
  Result<control::PathAnswer> path(const control::PathQuery&) override { return no(); }
  Result<std::vector<control::NatMapping>> nat_map(const control::NatMapQuery&) override { return no(); }
  Result<control::ChangeView> reload() override { return no(); }
  Result<control::RulesView> rules() override { return no(); }
  Result<control::RulesInForce> rules_in_force() override { return no(); }
  Result<control::ChangeView> reload_rules() override { return no(); }
  Result<events::AlertsView> alerts(std::optional<uint64_t>, size_t) override { return no(); }
  Result<control::ChangeView> change(config::ModelChanges changes, bool dry) override {
    seen = describe(changes);
    last = std::move(changes);
    dry_run = dry;
    return answer;
  }

  Result<std::shared_ptr<const control::Configured>> configured(control::ConfiguredParts) override {
    return no();
  }

  std::string seen;
  config::ModelChanges last;
  bool dry_run = false;
  control::ChangeView answer;

 private:
  static tl::unexpected<Error> no() { return fail(ErrorCode::unavailable, "not asked here"); }
};

api::Response post(ChangeSource& source, const std::string& type, const std::string& text,
                   std::map<std::string, std::string> parameters = {}) {
  const auto parameter = [&](const std::string& name) -> std::optional<std::string> {
    const auto at = parameters.find(name);
    return at == parameters.end() ? std::nullopt : std::optional(at->second);
  };
  return api::post_changes(source, parameter, {text, type});
}

TEST(ApiChanges, TakeTomlJsonAndLinesOfTheSameMeaning) {
  const std::string expected = "add prod 10.9.0.0/16 attachment a via 10.1.0.2\nremove prod 10.8.0.0/16\n";
  ChangeSource source;
  source.answer.changes = {"+ route"};
  source.answer.changes_total = 1;
  EXPECT_EQ(post(source, "application/toml",
                 "[[add.route]]\ndomain = \"prod\"\nprefix = \"10.9.0.0/16\"\nattachment = \"a\"\nvia = "
                 "\"10.1.0.2\"\n"
                 "[[remove.route]]\ndomain = \"prod\"\nprefix = \"10.8.0.0/16\"\n")
                .body.dump(),
            R"({"changes":["+ route"],"changes_total":1,"notes":[]})");
  EXPECT_EQ(source.seen, expected);
  source.seen.clear();
  EXPECT_EQ(
      post(
          source, "application/json; charset=utf-8",
          R"({"add": {"route": [{"domain": "prod", "prefix": "10.9.0.0/16", "attachment": "a", "via": "10.1.0.2",
                     "weight": null}]}, "remove": {"route": [{"domain": "prod", "prefix": "10.8.0.0/16"}]}})")
          .status,
      200);
  EXPECT_EQ(source.seen, expected);
  source.seen.clear();
  EXPECT_EQ(
      post(source, "text/plain", "add prod 10.9.0.0/16 attachment a via 10.1.0.2\nremove prod 10.8.0.0/16\n")
          .status,
      200);
  EXPECT_EQ(source.seen, expected);
  EXPECT_FALSE(source.dry_run);
}

TEST(ApiChanges, TakeTheVerbFromTheRequest) {
  ChangeSource source;
  for (const auto& [type, text] :
       {std::pair("text/plain", "prod 10.9.0.0/16 attachment a"),
        {"application/toml", "[[route]]\ndomain = \"prod\"\nprefix = \"10.9.0.0/16\"\nattachment = \"a\"\n"},
        {"application/json",
         R"({"route": [{"domain": "prod", "prefix": "10.9.0.0/16", "attachment": "a"}]})"}}) {
    source.seen.clear();
    EXPECT_EQ(post(source, type, text, {{"verb", "replace"}, {"dry_run", "true"}}).status, 200) << type;
    EXPECT_EQ(source.seen, "replace prod 10.9.0.0/16 attachment a\n") << type;
    EXPECT_TRUE(source.dry_run);
  }
  EXPECT_EQ(post(source, "text/plain", "", {{"verb", "move"}}).status, 400);
  EXPECT_EQ(post(source, "text/plain", "", {{"dry_run", "yes"}}).status, 400);
}

TEST(ApiChanges, ProblemsHaveTheirPlaceAndNothingIsAsked) {
  ChangeSource source;
  const auto response =
      post(source, "application/toml", "[[add.domain]]\nname = \"\"\n", {{"source", "b.toml"}});
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body["error"]["code"], "invalid");
  EXPECT_EQ(response.body["error"]["message"], "nothing was changed");
  EXPECT_EQ(response.body["error"]["problems"][0].get<std::string>().substr(0, 14), "b.toml:2:8: do");
  EXPECT_EQ(post(source, "text/plain", "x").body["error"]["problems"][0].get<std::string>(),
            "request:1:1: \"x\" is no verb; a line begins with \"add\", \"remove\" or \"replace\"");
  const Json json = post(source, "application/json",
                         R"({"add": {"domain": [{"name": "a"}, {"name": 7}], "route": [{"domain": 1}]}})")
                        .body["error"]["problems"];
  ASSERT_EQ(json.size(), 3u) << json.dump(2);
  EXPECT_EQ(json[0].get<std::string>().substr(0, 26), "request:2: domain[].name: ");
  EXPECT_EQ(json[1].get<std::string>().substr(0, 11), "request:3: ");
  EXPECT_EQ(source.seen, "");
}

TEST(ApiChanges, HostileJsonIsRefused) {
  ChangeSource source;
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "[";
  const std::string bad[] = {"",
                             "[]",
                             "7",
                             "{",
                             "{\"add\": 3}",
                             "{\"add\": {\"route\": [[[[[[[[[[[[[[]]]]]]]]]]]]]]}}",
                             "{\"add\": {\"route\": [{\"weight\": 18446744073709551615}]}}",
                             deep,
                             "\xff"};
  for (const std::string& text : bad)
    EXPECT_EQ(post(source, "application/json", text).status, 400) << text.substr(0, 50);
  EXPECT_EQ(source.seen, "");
}

TEST(ApiChanges, WhatControlRefusesIsAConflict) {
  ChangeSource source;
  source.answer.problems = {"no domain is called \"x\""};
  const auto response = post(source, "text/plain", "remove x 10.0.0.0/8");
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(response.body["error"]["code"], "refused");
  EXPECT_EQ(response.body["error"]["problems"][0], "no domain is called \"x\"");
}

TEST(ApiChanges, LongAnswersAreCut) {
  ChangeSource source;
  source.answer.changes.assign(1'000, "+ route");
  source.answer.changes_total = 5'000;
  const auto response = post(source, "text/plain", "");
  EXPECT_EQ(response.body["changes"].size(), 1'000u);
  EXPECT_EQ(response.body["changes_total"], 5'000);
  const std::string text = cli::print_changes(response.body, false);
  EXPECT_NE(text.find("  and 4000 more\n"), std::string::npos);
}

/// The request that a command line makes; its error's sentence if it makes none.
struct Line {
  std::vector<std::string> words;
  std::string error;
  cli::ChangeRequest request;

  explicit Line(std::vector<std::string> given) : words(std::move(given)) {
    CLI::App app;
    app.fallthrough();
    const cli::ChangeCommands commands(app);
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    try {
      app.parse(reversed);
    } catch (const CLI::ParseError& e) {
      error = e.what();
      return;
    }
    if (!commands.given()) {
      error = "no change";
      return;
    }
    auto made = commands.request();
    if (made) {
      request = std::move(*made);
    } else {
      error = made.error().message;
    }
  }

  /// What the hub understands, or its problems as the command line shows them.
  std::string understood() const {
    if (!error.empty()) return "error: " + error;
    ChangeSource source;
    const auto response =
        post(source, request.type, request.body, {request.parameters.begin(), request.parameters.end()});
    if (response.status == 200) return source.seen;
    std::string text;
    for (const Json& line : response.body["error"]["problems"])
      text += cli::by_option(line.get<std::string>(), request.kind) + "\n";
    return text;
  }
};

TEST(CliChanges, CommandLinesMeanWhatTheySay) {
  EXPECT_EQ(Line({"domain", "add", "prod"}).understood(), "add prod\n");
  EXPECT_EQ(Line({"attachment", "add", "spoke-7", "--domain", "prod", "--gateway", "10.7.0.1/24",
                  "--vxlan-vni", "7", "--vxlan-local", "198.18.0.1", "--vxlan-remote", "198.18.0.7"})
                .understood(),
            "add spoke-7\n");
  EXPECT_EQ(Line({"route", "add", "prod", "10.9.0.0/16", "--attachment", "a", "--via", "10.1.0.2", "--ecmp"})
                .understood(),
            "add prod 10.9.0.0/16 attachment a via 10.1.0.2\n");
  EXPECT_EQ(Line({"route", "replace", "prod", "10.9.0.0/16", "--blackhole"}).understood(),
            "replace prod 10.9.0.0/16 blackhole\n");
  EXPECT_EQ(Line({"route", "remove", "prod", "10.9.0.0/16"}).understood(), "remove prod 10.9.0.0/16\n");
  EXPECT_EQ(Line({"connection", "add", "prod", "shared"}).understood(), "add prod - shared\n");
  EXPECT_EQ(Line({"policy", "add", "web", "--action", "allow", "--ports", "80,8000-8100", "--protocol", "tcp",
                  "--from-domains", "prod", "--before", "rest", "--comment", "say \"hi\""})
                .understood(),
            "add web\n");
  EXPECT_EQ(Line({"policy", "remove", "web"}).understood(), "remove web\n");
  EXPECT_EQ(Line({"nat", "add", "out", "--snat-from", "prod,dev", "--snat-domain", "internet", "--snat-pool",
                  "203.0.113.16/29"})
                .understood(),
            "add out\n");
  EXPECT_EQ(Line({"nat", "remove", "out"}).understood(), "remove out\n");
}

TEST(CliChanges, ListsDoNotSwallowWhatIsBehindThem) {
  EXPECT_EQ(Line({"attachment", "add", "--gateway", "10.7.0.1/24", "--gateway", "10.8.0.1/24", "spoke-7",
                  "--domain", "prod", "--vxlan-vni", "7", "--vxlan-local", "198.18.0.1", "--vxlan-remote",
                  "198.18.0.7"})
                .understood(),
            "add spoke-7\n");
}

TEST(CliChanges, ProblemsNameTheOption) {
  EXPECT_EQ(Line({"domain", "add"}).understood(),
            "NAME: missing; it has to be a name of 1 to 32 letters, digits, \"-\", \"_\" and \".\"\n");
  EXPECT_EQ(Line({"attachment", "add", "s", "--domain", "prod", "--gateway", "10.7.0.1/24", "--vxlan-vni",
                  "x", "--vxlan-local", "198.18.0.1", "--vxlan-remote", "198.18.0.7"})
                .understood(),
            "--vxlan-vni: expected a whole number from 0 to 16777215, found a string\n");
  EXPECT_EQ(Line({"route", "add", "prod", "10.9.0.1/16", "--attachment", "a"}).understood(),
            "PREFIX: \"10.9.0.1/16\" has bits set beyond its length; the prefix is \"10.9.0.0/16\"\n");
}

TEST(CliChanges, WhatTheCommandLineItselfRefuses) {
  EXPECT_EQ(Line({"route"}).error, "a verb is missing (add, remove or replace), or --batch FILE");
  EXPECT_EQ(Line({"group"}).error,
            "a verb is missing (add, remove, replace, extend or reduce), or --batch FILE");
  EXPECT_NE(Line({"route", "extend", "prod"}).error, "");
  EXPECT_NE(Line({"group", "extend", "g", "--match", "web"}).error, "");
  EXPECT_EQ(Line({"route", "add", "prod", "--batch", "x"}).error,
            "--batch goes without the options of a single one");
  EXPECT_NE(Line({"route", "add", "--batch", "/no/such/file"}).error.find("/no/such/file"),
            std::string::npos);
  EXPECT_NE(Line({"policy", "remove", "x", "--action", "allow"}).error, "");
}

TEST(CliChanges, OptionsAreTheKeysOfTheFile) {
  EXPECT_EQ(config::option_name("attachment[].vxlan.vni"), "--vxlan-vni");
  EXPECT_EQ(config::option_name("domain[].name"), "NAME");
  EXPECT_EQ(config::option_name("policy[].before"), "--before");
}

}  // namespace
}  // namespace weir::test
