// `weir check`, with a rule parser of our own.
#include "mgmt/config/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class Check : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "weir-check-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// Runs the check on `text`; `rules` stands for the rule parser.
  int run(const std::string& text, const CheckRules& rules) {
    std::ofstream(folder_ / "hub.toml") << text;
    std::ostringstream out, err;
    const int code = print_report(check_config(folder_ / "hub.toml", rules), out, err);
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  std::filesystem::path folder_;
  std::string out_, err_;
};

using Variables = inspection::ast::RuleVariables;

inspection::RulesetBuild with_rules(size_t count) {
  inspection::RulesetBuild build;
  build.loaded = count;
  return build;
}

Result<inspection::RulesetBuild> three_rules(const inspection::RuleSource& source, const Variables&) {
  EXPECT_EQ(source.files.size(), 1u);
  return with_rules(3);
}

Result<inspection::RulesetBuild> refuses_one(const inspection::RuleSource& source, const Variables&) {
  inspection::RulesetBuild build = with_rules(2);
  build.refused = {{source.files[0], 7, 33, "byte_math", "this keyword is not supported"}};
  return build;
}

Result<inspection::RulesetBuild> unreadable(const inspection::RuleSource& source, const Variables&) {
  if (source.files[0].ends_with("b.rules"))
    return fail(ErrorCode::io, source.files[0] + ": No such file or directory");
  return with_rules(1);
}

const std::string kAllow = "[[policy]]\nid = \"all\"\naction = \"allow\"\n";

TEST_F(Check, SummarisesWhatIsRight) {
  EXPECT_EQ(run(text_of(Base::policy) + kAllow, three_rules), 0);
  EXPECT_THAT(out_, HasSubstr("hub \"weir\": 1 worker, 1 port, 3 domains, 2 attachments, 1 route, 1 "
                              "connection, 1 policy rule, 1 profile\n"));
  EXPECT_THAT(out_, HasSubstr("profile \"default\": 3 rules loaded, 0 refused\n"));
  EXPECT_THAT(out_, HasSubstr("eal.memory_mib has to be at least "));
  EXPECT_THAT(err_, IsEmpty());
}

TEST_F(Check, PrintsEveryProblem) {
  EXPECT_EQ(run("[worker]\ncores = []\nburst = 0\n", three_rules), 1);
  EXPECT_THAT(out_, IsEmpty());
  const std::string file = (folder_ / "hub.toml").string();
  EXPECT_THAT(err_, HasSubstr(file + ":2:9: worker.cores: an empty list"));
  EXPECT_THAT(err_, HasSubstr(file + ":3:9: worker.burst: 0 is not"));
  EXPECT_THAT(err_, HasSubstr("3 problems\n"));
}

TEST_F(Check, ARefusedRuleIsAWarning) {
  EXPECT_EQ(run(text_of(Base::policy) + kAllow, refuses_one), 0);
  EXPECT_THAT(err_, HasSubstr((folder_ / "demo.rules").string() +
                              ":7:33: rule refused: byte_math: this keyword is not supported\n"));
  EXPECT_THAT(out_, HasSubstr("2 rules loaded, 1 refused\n"));
}

TEST_F(Check, AnUnreadableRuleFileIsAProblemAtItsPlace) {
  std::string text = text_of(Base::policy) + kAllow;
  replace(text, "rules = [\"demo.rules\"]", "rules = [\"demo.rules\", \"b.rules\"]");
  EXPECT_EQ(run(text, unreadable), 1);
  EXPECT_THAT(err_, HasSubstr(":32:24: profile[].rules: " + (folder_ / "b.rules").string() +
                              ": No such file or directory\n"));
}

/// Of the lists' entries each file lacks the first, and only b.rules the second.
Result<inspection::RulesetBuild> lacks_rules(const inspection::RuleSource& source, const Variables&) {
  inspection::RulesetBuild build = with_rules(2);
  build.disabled = 1;
  build.changed = 2;
  build.unmet = {{0, "99"}};
  if (source.files[0].ends_with("b.rules")) build.unmet.push_back({1, "7"});
  return build;
}

TEST_F(Check, RulesOfAListThatNoFileHasAreNotedAtTheirPlace) {
  std::string text = text_of(Base::policy) + kAllow;
  replace(text, "rules = [\"demo.rules\"]",
          "rules = [\"demo.rules\", \"b.rules\"]\nto_drop = [7]\ndisable = [99]");
  EXPECT_EQ(run(text, lacks_rules), 0);
  EXPECT_THAT(err_, HasSubstr(":34:12: profile[].disable: no file has a rule 99 (note)\n"));
  EXPECT_THAT(err_, testing::Not(HasSubstr("to_drop"))) << "demo.rules has it";
  EXPECT_THAT(out_, HasSubstr("4 rules loaded, 0 refused, 2 disabled, 4 with another action\n"));
}

/// Reads no file but rules.
Result<inspection::RulesetBuild> no_side_files(const inspection::RuleSource& source, const Variables&) {
  if (source.files.empty() && !source.classes.empty())
    return fail(ErrorCode::io, source.classes + " cannot be opened");
  inspection::RulesetBuild build = with_rules(1);
  if (source.files.empty()) build.notes.push_back(source.thresholds + ":3: what is this?");
  return build;
}

TEST_F(Check, FilesBesideTheRulesAreReadAtTheirPlaces) {
  std::string text = text_of(Base::policy) + kAllow;
  replace(text, "rules = [\"demo.rules\"]",
          "rules = [\"demo.rules\"]\nthresholds = \"t.config\"\nclassification = \"c.config\"");
  EXPECT_EQ(run(text, no_side_files), 1);
  EXPECT_THAT(err_, HasSubstr(":33:14: profile[].thresholds: " + (folder_ / "t.config").string() +
                              ":3: what is this? (note)\n"));
  EXPECT_THAT(err_, HasSubstr(":34:18: profile[].classification: " + (folder_ / "c.config").string() +
                              " cannot be opened\n"));
}

TEST_F(Check, TooLittleMemoryIsAProblem) {
  EXPECT_EQ(run(text_of(Base::policy) + kAllow + "[eal]\nmemory_mib = 16\n", three_rules), 1);
  EXPECT_THAT(err_, HasSubstr("eal.memory_mib: 16 MiB are too little: the limits need at least "));
}

TEST_F(Check, NotesAreNoProblems) {
  EXPECT_EQ(run(text_of(Base::policy) + "[control]\ncore = 1\n" +
                    "[[policy]]\nid = \"never\"\naction = \"allow\"\nfrom = { domains = [\"prod\"] }\nto = { "
                    "domains = [\"lone\"] }\n" +
                    "[[policy]]\nid = \"some\"\naction = \"allow\"\nfrom = { domains = [\"shared\"] }\nto = "
                    "{ domains = [\"prod\", \"lone\"] }\n",
                three_rules),
            0);
  EXPECT_THAT(err_, HasSubstr("control.core: core 1 has a worker too"));
  EXPECT_THAT(err_, HasSubstr("rule \"never\" never matches: no connection joins its domains (note)\n"));
  EXPECT_THAT(err_, testing::Not(HasSubstr("\"some\"")));
}

TEST_F(Check, TranslationBetweenDomainsThatNothingJoinsIsNoted) {
  EXPECT_EQ(
      run(text_of(Base::policy) + kAllow +
              "[[nat]]\nname = \"out\"\nsnat = { from = [\"prod\", \"lone\"], domain = \"shared\", "
              "pool = [\"10.2.0.128/30\"] }\n"
              "[[nat]]\nname = \"web\"\ndnat = { seen_by = [\"prod\"], address = \"192.0.2.80\", port = 80, "
              "domain = \"shared\", server = \"10.2.0.5\" }\n",
          three_rules),
      0)
      << err_;
  EXPECT_THAT(err_,
              HasSubstr("nat[]: rule \"out\" translates nothing for \"lone\": no connection joins them to "
                        "\"shared\" (note)\n"));
  EXPECT_THAT(err_, testing::Not(HasSubstr("\"prod\"")));
  EXPECT_THAT(err_, testing::Not(HasSubstr("\"web\"")));
}

TEST_F(Check, RulesThatNeverDecideAreNoted) {
  const auto rule = [](const char* id, const std::string& rest) {
    return "[[policy]]\nid = \"" + std::string(id) + "\"\naction = \"allow\"\n" + rest;
  };
  const std::string groups =
      "[[group]]\nname = \"ten\"\nprefixes = [\"10.0.0.0/8\"]\n"
      "[[group]]\nname = \"both\"\ngroups = [\"ten\"]\nprefixes = [\"192.0.2.0/24\"]\n"
      "[[group]]\nname = \"tagged\"\nmatch = \"nobody\"\n"
      "[[service]]\nname = \"web\"\nprotocol = \"tcp\"\nports = [80, 443]\n";
  EXPECT_EQ(
      run(text_of(Base::policy) + groups + rule("watching", "watch = true\n") +
              rule("off", "enabled = false\n") +
              rule("wide", "from = { groups = [\"both\"] }\nservices = [\"web\"]\n") +
              rule("narrow",
                   "from = { prefixes = [\"10.1.0.0/16\", \"192.0.2.9\"] }\nprotocol = \"tcp\"\nports = "
                   "[443]\n") +
              rule("inside",
                   "from = { groups = [\"ten\"] }\nservices = [\"web\"]\nto = { domains = [\"prod\"] }\n") +
              rule("wider-port",
                   "from = { groups = [\"ten\"] }\nprotocol = \"tcp\"\nports = [\"443-444\"]\n") +
              rule("wider-from", "from = { prefixes = [\"10.0.0.0/7\"] }\nservices = [\"web\"]\n") +
              rule("other-group", "from = { groups = [\"tagged\"] }\nservices = [\"web\"]\n"),
          three_rules),
      0);
  EXPECT_THAT(
      err_,
      HasSubstr("rule \"narrow\" never decides: rule \"wide\" before it takes all that it matches (note)\n"));
  EXPECT_THAT(err_, HasSubstr("rule \"inside\" never decides: rule \"wide\" before it"));
  for (const char* id :
       {"\"wider-port\"", "\"wider-from\"", "\"other-group\"", "\"wide\" never", "\"off\"", "\"watching\""})
    EXPECT_THAT(err_, testing::Not(HasSubstr("rule " + std::string(id)))) << err_;
  EXPECT_THAT(err_, HasSubstr("group \"tagged\": nothing has the tag \"nobody\" (note)\n"));
  EXPECT_THAT(err_, HasSubstr("group \"tagged\": its expression chooses nothing now (note)\n"));
}

TEST_F(Check, WhatRestsOnASpiffeIdAloneIsNoted) {
  const auto rule = [](const char* id, const std::string& rest) {
    return "[[policy]]\nid = \"" + std::string(id) + "\"\n" + rest;
  };
  const std::string by_id = "names = { spiffe = [\"spiffe://demo/*\"] }\n";
  EXPECT_EQ(run(text_of(Base::policy) + rule("alone", "action = \"allow\"\n" + by_id) +
                    rule("with-addresses",
                         "action = \"allow\"\nfrom = { prefixes = [\"10.1.0.0/16\"] }\n" + by_id) +
                    rule("refuses", "action = \"deny\"\n" + by_id) +
                    rule("by-server", "action = \"allow\"\nnames = { sni = [\"a.example\"] }\n") +
                    rule("rest", "action = \"allow\"\n"),
                three_rules),
            0);
  EXPECT_THAT(err_,
              HasSubstr("policy[].names.spiffe: rule \"alone\" lets through whoever shows such a SPIFFE ID"));
  for (const char* id : {"with-addresses", "refuses", "by-server", "rest"})
    EXPECT_THAT(err_, testing::Not(HasSubstr("rule \"" + std::string(id)))) << err_;
}

TEST_F(Check, RulesThatSeveralTogetherTakeAreNoted) {
  const auto rule = [](const char* id, const std::string& rest) {
    return "[[policy]]\nid = \"" + std::string(id) + "\"\naction = \"allow\"\n" + rest;
  };
  const auto from = [](const std::string& prefixes, const std::string& ports = "\"1-999\"") {
    return "from = { prefixes = [" + prefixes + "] }\nprotocol = \"tcp\"\nports = [" + ports + "]\n";
  };
  EXPECT_EQ(run(text_of(Base::policy) + "[[group]]\nname = \"upper\"\nprefixes = [\"10.1.128.0/17\"]\n" +
                    rule("a", from("\"10.1.0.0/17\"")) +
                    rule("b", "from = { groups = [\"upper\"] }\nprotocol = \"tcp\"\n") +
                    rule("halves", from("\"10.1.0.0/16\"")) +
                    rule("quarters", from("\"10.1.64.0/18\", \"10.1.128.0/18\"")) +
                    rule("more-ports", from("\"10.1.0.0/16\"", "\"1-1000\"")) +
                    rule("gap", from("\"10.0.0.0/15\"")) + rule("low", from("\"10.9.0.0/16\"", "\"1-100\"")) +
                    rule("high", from("\"10.8.0.0/14\"", "\"101-200\"")) +
                    rule("joined", from("\"10.9.3.0/24\"", "\"50-150\", 7")) +
                    rule("beyond", from("\"10.9.3.0/24\"", "\"50-201\"")) +
                    rule("two-things", from("\"10.8.0.0/15\"", "\"50-150\"")) +
                    rule("p", "to = { domains = [\"prod\"] }\nprotocol = \"udp\"\n") +
                    rule("s", "to = { domains = [\"shared\"] }\nprotocol = \"udp\"\n") +
                    rule("both", "to = { domains = [\"shared\", \"prod\"] }\nprotocol = \"udp\"\n"),
                three_rules),
            0);
  const auto taken = [](const std::string& id, const std::string& by) {
    return HasSubstr("rule \"" + id + "\" never decides: rules " + by +
                     " before it together take all that it matches (note)\n");
  };
  EXPECT_THAT(err_, taken("halves", "\"a\" and \"b\""));
  EXPECT_THAT(err_, taken("quarters", "\"a\" and \"b\""));
  EXPECT_THAT(err_, taken("joined", "\"low\" and \"high\""));
  EXPECT_THAT(err_, taken("both", "\"p\" and \"s\""));
  for (const char* id : {"more-ports", "gap", "beyond", "two-things"})
    EXPECT_THAT(err_, testing::Not(HasSubstr("rule \"" + std::string(id) + "\" never"))) << err_;
}

TEST_F(Check, TheSearchForRulesThatNeverDecideIsBounded) {
  std::string rules;
  for (int i = 0; i < 5'000; ++i) {
    rules += "[[policy]]\nid = \"r" + std::to_string(i) +
             "\"\naction = \"allow\"\nprotocol = \"tcp\"\nports = [" + std::to_string(i + 1) + "]\n";
  }
  EXPECT_EQ(run(text_of(Base::policy) + rules, three_rules), 0);
  EXPECT_THAT(err_, HasSubstr("on it was not looked for rules that never decide: there are too many alike"));
}

TEST_F(Check, NoPolicyMeansNothingPasses) {
  EXPECT_EQ(run(text_of(Base::machine), three_rules), 0);
  EXPECT_THAT(err_, HasSubstr("there is no rule, so every session is denied (note)\n"));
}

}  // namespace
}  // namespace weir::config::test
