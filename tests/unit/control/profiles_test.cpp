// From profiles of the configuration to compiled rules: what is shared, what each has of its own.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "inspection/engine/ruleset_builder.h"
#include "mgmt/control/profile_spec.h"
#include "mgmt/control/reconfigure.h"

namespace weir::control {
namespace {

using config::ExceptionPolicy;
using inspection::Ceiling;

class Profiles : public testing::Test {
 protected:
  Profiles() {
    folder_ = testing::TempDir() + "weir_profiles_" + std::to_string(::getpid());
    std::filesystem::create_directory(folder_);
    file("a.rules", "alert tcp any any -> $HOME_NET $HTTP_PORTS (content:\"evil\"; sid:1;)\n");
    file("b.rules", "alert udp any any -> $UNHEARD any (sid:2;)\n");
  }
  ~Profiles() override { std::filesystem::remove_all(folder_); }

  void file(const std::string& name, const std::string& text) { std::ofstream(folder_ + "/" + name) << text; }
  config::Profile profile(const std::string& name, const std::vector<std::string>& files) const {
    config::Profile profile;
    profile.name = name;
    for (const std::string& file : files) profile.rule_files.push_back(folder_ + "/" + file);
    return profile;
  }

  std::string folder_;
};

TEST_F(Profiles, OneListOfRulesIsCompiledOnceForAHundred) {
  config::Config config;
  for (unsigned i = 0; i < 100; ++i) {
    config::Profile one = profile("p" + std::to_string(i), {"a.rules"});
    one.address_groups = {{"HOME_NET", "10." + std::to_string(i) + ".0.0/16"}};
    one.port_groups = {{"HTTP_PORTS", std::to_string(8'000 + i)}};
    config.profiles.push_back(std::move(one));
  }
  config.profiles.push_back(profile("other", {"a.rules", "b.rules"}));
  const RuleBuild build = build_rules(config, 1, {});
  ASSERT_TRUE(build.problems.empty());
  ASSERT_EQ(build.rulesets.size(), 101u);
  EXPECT_EQ(build.compiled, 2u);

  std::set<const inspection::DetectionRuleset*> compiled;
  for (const auto& [name, ruleset] : build.rulesets) compiled.insert(&ruleset->profile().ruleset());
  EXPECT_EQ(compiled.size(), 2u);
  for (unsigned i = 0; i < 100; ++i) {
    const inspection::DetectionProfile& bound = build.rulesets.at("p" + std::to_string(i))->profile();
    const inspection::DetectionRule& rule = bound.ruleset().rules().front();
    const auto host = [](unsigned n) { return *net::parse_ip("10." + std::to_string(n) + ".1.2"); };
    EXPECT_TRUE(bound.addresses(rule.destination).contains(host(i)));
    EXPECT_FALSE(bound.addresses(rule.destination).contains(host(i + 1)));
    EXPECT_TRUE(bound.ports(rule.destination_ports).contains(static_cast<uint16_t>(8'000 + i)));
    EXPECT_FALSE(bound.ports(rule.destination_ports).contains(80));
  }
}

TEST_F(Profiles, WhatRefersToNothingIsTold) {
  config::Config config;
  config.profiles = {profile("p", {"b.rules"}), profile("q", {"b.rules"})};
  config.profiles[1].address_groups = {{"UNHEARD", "any"}};
  const RuleBuild build = build_rules(config, 1, {});
  ASSERT_EQ(build.refused.size(), 1u);
  EXPECT_EQ(build.refused[0],
            "profile \"p\": $UNHEARD: The variable $UNHEARD is not defined. Rules with it never match: " +
                folder_ + "/b.rules:1, sid 2.");
}

TEST_F(Profiles, WhatIsRefusedIsToldOnce) {
  file("c.rules", "alert tcp any any -> any any (nosuchkeyword:1; sid:3;)\n");
  config::Config config;
  config.profiles = {profile("p", {"c.rules"}), profile("q", {"c.rules"}), profile("r", {"missing.rules"})};
  const RuleBuild build = build_rules(config, 1, {});
  EXPECT_EQ(build.refused.size(), 1u);
  ASSERT_EQ(build.profiles.size(), 2u);
  EXPECT_EQ(build.profiles[1].rules_refused, 1u);
  ASSERT_EQ(build.problems.size(), 1u);
  EXPECT_NE(build.problems[0].message.find("missing.rules cannot be read"), std::string::npos);
}

TEST_F(Profiles, SettingsArriveAtTheEngine) {
  config::Profile p = profile("p", {});
  p.mode = config::InspectMode::test;
  p.depth = 4'096;
  p.min_ttl = 7;
  p.on_conflict = config::OnConflict::drop;
  p.limits = {.header_bytes = 2'048,
              .headers = 10,
              .transactions = 11,
              .request_body = 12,
              .response_body = 13,
              .decode_layers = 4,
              .decode_ratio = 14};
  p.exceptions.malformed = ExceptionPolicy::reject;
  p.exceptions.transactions = ExceptionPolicy::automatic;
  const inspection::SessionSettings s = spec_of(p).settings;
  EXPECT_EQ(s.mode, inspection::InspectMode::test);
  EXPECT_TRUE(s.stream.is_inline && s.stream.strict && s.stream.midstream && s.at_once);
  EXPECT_EQ(s.stream.depth, 4'096u);
  EXPECT_EQ(s.stream.on_conflict, inspection::OnConflict::drop_session);
  EXPECT_EQ(s.min_ttl, 7);
  EXPECT_EQ(s.http.head_bytes, 2'048u);
  EXPECT_EQ(s.http.fields, 10u);
  EXPECT_EQ(s.http.transactions, 11u);
  EXPECT_EQ(s.http.request_body_limit, 12u);
  EXPECT_EQ(s.http.response_body_limit, 13u);
  EXPECT_EQ(s.http.decode_layers, 4u);
  EXPECT_EQ(s.http.decode_ratio, 14u);
  const auto policy = [&](Ceiling ceiling) { return s.policies[static_cast<size_t>(ceiling)]; };
  EXPECT_EQ(policy(Ceiling::app_malformed), inspection::ExceptionPolicy::reject);
  EXPECT_EQ(policy(Ceiling::app_transactions), inspection::ExceptionPolicy::drop_flow);
  EXPECT_EQ(policy(Ceiling::session_memory), inspection::ExceptionPolicy::drop_packet);

  p.mode = config::InspectMode::ids;
  const inspection::SessionSettings watching = spec_of(p).settings;
  EXPECT_FALSE(watching.stream.is_inline || watching.stream.strict);
  EXPECT_EQ(watching.policies[static_cast<size_t>(Ceiling::app_transactions)],
            inspection::ExceptionPolicy::ignore);
}

TEST_F(Profiles, WithoutKeysIsAsTheEngineHasIt) {
  const inspection::SessionSettings s = spec_of(profile("p", {})).settings,
                                    plain = inspection::ProfileSpec{}.settings;
  EXPECT_EQ(s.mode, plain.mode);
  EXPECT_EQ(s.stream.depth, plain.stream.depth);
  EXPECT_EQ(s.policies, plain.policies);
  EXPECT_EQ(s.http.fields, plain.http.fields);
  EXPECT_EQ(s.http.head_bytes, plain.http.head_bytes);
  EXPECT_EQ(s.http.transactions, plain.http.transactions);
  EXPECT_EQ(s.http.request_body_limit, plain.http.request_body_limit);
  EXPECT_EQ(s.http.response_body_limit, plain.http.response_body_limit);
  EXPECT_EQ(s.http.decode_layers, plain.http.decode_layers);
  EXPECT_EQ(s.http.decode_ratio, plain.http.decode_ratio);
}

}  // namespace
}  // namespace weir::control
