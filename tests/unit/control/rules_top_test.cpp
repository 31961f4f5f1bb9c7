// `weirctl rules top`: from what workers counted to the tables that people see.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inspection/detect/rule_memory.h"
#include "inspection/engine/ruleset_builder.h"
#include "mgmt/api/rule_costs.h"
#include "mgmt/cli/rules_top.h"
#include "mgmt/cli/rules_watch.h"

namespace weir::test {
namespace {

using api::Json;
using testing::HasSubstr;
using testing::Not;

/// Two profiles over the same rules, as they are compiled once, and one of its own.
class RulesTop : public testing::Test {
 protected:
  void SetUp() override {
    inspection::ast::ParsedRuleset parsed;
    inspection::ast::RuleReader().read(
        "a.rules",
        "alert udp any any -> any any (msg:\"first\"; content:\"one\"; sid:1;)\n"
        "drop udp any any -> any any (msg:\"second\"; content:\"two\"; sid:2; rev:7;)\n",
        parsed);
    auto rules = inspection::DetectionRuleset::compile(parsed, {});
    ASSERT_TRUE(rules);
    rules_ = *rules;
    for (const char* name : {"a", "b"}) {
      auto profile = inspection::DetectionProfile::bind(rules_, inspection::ast::RuleVariables::defaults(),
                                                        inspection::InspectMode::ips,
                                                        inspection::DropScope::session, nullptr, 1);
      ASSERT_TRUE(profile);
      in_force_.rulesets.emplace(name, std::make_shared<const inspection::Ruleset>(
                                           *profile, inspection::hub_settings(inspection::InspectMode::ips)));
    }
    in_force_.now_ns = 5'000'000'000;
  }
  /// As a worker counts.
  void count(uint32_t sid, uint64_t verified, uint64_t matched, uint64_t work) {
    inspection::RuleCounts& counts = rules_->scratch(0)->rule_counts[*rules_->find({1, sid})];
    counts.verified += verified;
    counts.matched += matched;
    counts.work += work;
  }
  void scanned(uint64_t bytes, uint64_t candidates) {
    const size_t place = inspection::DetectionRuleset::payload_group(inspection::PayloadSource::udp,
                                                                     inspection::Direction::to_server);
    inspection::ScanCounts& counts = rules_->scratch(0)->payload_scans[place];
    ++counts.scans;
    counts.bytes += bytes;
    counts.candidates += candidates;
  }
  Json answer(size_t max = 100) const { return api::rules_top(in_force_, max); }

  std::shared_ptr<const inspection::DetectionRuleset> rules_;
  control::RulesInForce in_force_;
};

TEST_F(RulesTop, NothingCostNothing) {
  EXPECT_EQ(answer(), Json::parse(R"({"now_ns":5000000000,"rules_with_cost":0,"rules":[],"buffers":[]})"));
}

TEST_F(RulesTop, HasThePromisedFields) {
  count(1, 1, 1, 100);
  count(2, 4, 0, 2'000);
  scanned(1'024, 8);
  in_force_.rulesets.at("b")->profile().fuses()->drop(*rules_->find({1, 2}), 1);
  in_force_.rulesets.at("b")->profile().fuses()->drop(*rules_->find({1, 2}), 1);
  const Json expected = Json::parse(R"({"now_ns":5000000000,"rules_with_cost":2,"rules":[
    {"gid":1,"sid":2,"rev":7,"msg":"second","profiles":["a","b"],"verified":4,"matched":0,
     "work":3024,"given_up":0,"fuse_out":["b"]},
    {"gid":1,"sid":1,"rev":0,"msg":"first","profiles":["a","b"],"verified":1,"matched":1,
     "work":356,"given_up":0,"fuse_out":[]}],
    "buffers":[{"buffer":"payload of udp","direction":"to_server","profiles":["a","b"],"scans":1,"bytes":1024,
     "candidates":8,"literals":2}]})");
  EXPECT_EQ(answer(), expected);
  EXPECT_EQ(answer(1)["rules"].size(), 1u);
  EXPECT_EQ(answer(1)["rules_with_cost"], 2);
}

TEST_F(RulesTop, PrintsWhatHappenedBetweenTwoAnswers) {
  count(1, 1'000, 0, 1'000'000);  // long ago
  count(2, 1, 1, 10);
  const Json before = answer();
  count(2, 2, 1, 1'488);
  scanned(2'048, 4);
  in_force_.now_ns += 2'000'000'000;
  const std::string text = cli::print_rules_top(before, answer(), 10);
  EXPECT_THAT(text, HasSubstr("in 2.00 s"));
  EXPECT_THAT(text, testing::ContainsRegex("100.0 % +2000 +2 +1 +0 +1:2 +second"));
  EXPECT_THAT(text, Not(HasSubstr("1:1")));
  EXPECT_THAT(text, testing::ContainsRegex("payload of udp +to_server +1 +2048 +4 +2.00 +2 +a,b"));
  EXPECT_THAT(cli::print_rules_top(Json(), answer(), 10), HasSubstr("since the rules were read"));
}

TEST_F(RulesTop, CountersOfNewRulesBeginAtNothing) {
  count(1, 9, 9, 9'000);
  const Json before = answer();
  in_force_.rulesets.clear();
  SetUp();  // read again
  count(1, 1, 1, 44);
  EXPECT_THAT(cli::print_rules_top(before, answer(), 10), testing::ContainsRegex("300 +1 +1 +0 +1:1"));
}

TEST_F(RulesTop, ExplainSaysHowARuleIsLookedFor) {
  count(2, 4, 1, 10);
  const Json answer = api::rules_explain(in_force_, {1, 2}).value();
  const Json expected =
      Json::parse(R"({"rules":[{"rule":"1:2 rev 7","msg":"second","place":"a.rules:2","action":"drop",
    "judged_by":"packet","proposed_in":"payload","proposed_by":"two","nocase":false,"conditions":"content \"two\" in payload",
    "profiles":["a","b"],"verified":4,"matched":1,"work":1034,"given_up":0,"fuse_out":[]}]})");
  EXPECT_EQ(answer, expected);
  const std::string text = cli::print_rules_explain(answer);
  EXPECT_THAT(text, HasSubstr("proposed by  \"two\" in payload\n"));
  EXPECT_THAT(text, HasSubstr("so far       verified 4, matched 1, work 1034, given up 0\n"));
  EXPECT_EQ(api::rules_explain(in_force_, {1, 3}).error().code, ErrorCode::not_found);
}

TEST_F(RulesTop, ASessionIsWatchedForOneRule) {
  const auto memory = inspection::RuleMemory::create({1'024, 1'024}, 1).value();
  in_force_.memory = memory.get();
  EXPECT_EQ(api::begin_rule_watch(in_force_, {1, 3}, 77).error().code, ErrorCode::not_found);
  EXPECT_EQ(memory->watch->of(77), nullptr);
  const auto begun = api::begin_rule_watch(in_force_, {1, 2}, 77);
  const auto number = (*begun)["watch"].get<uint64_t>();
  const auto said = [&] {
    const auto answer = api::rule_watch(in_force_, {1, 2}, number);
    return answer ? cli::print_rule_watch(*answer, {{}, "77", 1}) : answer.error().message;
  };
  EXPECT_THAT(said(), HasSubstr("session 77: nothing of it was judged meanwhile"));
  EXPECT_EQ(memory->watch->of(78), nullptr);
  inspection::RuleWatch::Question* const question = memory->watch->of(77);
  ASSERT_NE(question, nullptr);
  EXPECT_EQ(question->rule(), (inspection::RuleName{1, 2}));
  question->judged();
  EXPECT_THAT(said(), HasSubstr("did not fire in 1 packet, which had nothing"));
  using At = inspection::RuleStep::At;
  question->note({At::literal, 0, 0, 12});
  question->note({At::addresses});
  question->judged();
  EXPECT_EQ(said(),
            "session 77: did not fire in 2 packets\n  payload came (12 bytes), and \"two\" is not in it\n");
  question->note({At::fired});
  EXPECT_EQ(said(), "session 77: fired 1 time\n");

  // The next one ends it, and what its worker still notes of it is not taken for the next one's.
  const auto next = (*api::begin_rule_watch(in_force_, {1, 1}, 78))["watch"].get<uint64_t>();
  question->note({At::fired});
  EXPECT_THAT(said(), HasSubstr("somebody else watches a rule now"));
  EXPECT_EQ((*api::rule_watch(in_force_, {1, 1}, next))["fired"], 0);
  memory->watch->end(number);  // not its own any more
  EXPECT_NE(memory->watch->of(78), nullptr);
  memory->watch->end(next);
  EXPECT_EQ(memory->watch->of(78), nullptr);
}

TEST_F(RulesTop, AHostileMessageDoesNotReachTheTerminal) {
  Json answer = this->answer();
  answer["rules"] = Json::parse(R"([{"gid":1,"sid":1,"msg":"a\u001b[2Jb","work":1}])");
  answer["buffers"] = Json::parse(R"(["x", 7, {"scans": 1}])");
  EXPECT_THAT(cli::print_rules_top(Json(), answer, 10), Not(HasSubstr("\x1b")));
  EXPECT_NE(cli::print_rules_top(answer, Json("text"), 10), "");
}

}  // namespace
}  // namespace weir::test
