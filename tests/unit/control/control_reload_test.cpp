// The control loop: reloads, of all and of rules alone, their refusal, and the end.
#include <fstream>
#include <future>
#include <thread>

#include "control_fixture.h"

namespace weir::test {
namespace {

TEST_F(ControlTest, ReloadPublishesSteersAndKeepsIds) {
  const AttachmentId a = attachment("cloud-a");
  const uint64_t version = dataplane_->current().version;
  steering_.history.clear();
  write(kTwoClouds + kNewSpoke);
  const ChangeView answer = reload();
  EXPECT_TRUE(answer.problems.empty());
  EXPECT_FALSE(answer.changes.empty());
  EXPECT_GT(dataplane_->current().version, version);
  EXPECT_EQ(attachment("cloud-a"), a);
  EXPECT_TRUE(attachment("cloud-d").valid());
  EXPECT_EQ(control_->status().reloads, 1u);
  ASSERT_FALSE(steering_.history.empty());
  EXPECT_EQ(steering_.history.back().size(), 2u);  // 4789 and 8472
}

TEST_F(ControlTest, RulesAloneAreReadAgain) {
  const std::string rules = folder_ + "/a.rules";
  const auto write_rules = [&](const std::string& text) { std::ofstream(rules) << text; };
  const std::string one = "alert tcp any any -> any any (content:\"some words\"; sid:1;)\n";
  write_rules(one);
  write(kTwoClouds + "[[profile]]\nname = \"web\"\nrules = [\"a.rules\"]\n");
  ASSERT_TRUE(reload().problems.empty());
  ASSERT_EQ(control_->rules().profiles.size(), 1u);
  const control::ProfileView before = control_->rules().profiles[0];
  EXPECT_EQ(before.files, std::vector<std::string>{rules});
  EXPECT_EQ(before.rules_loaded, 1u);
  EXPECT_EQ(before.digest.size(), 64u);
  EXPECT_GT(before.bytes, 0u);
  const auto kept = dataplane_->current().profiles.at(0).ruleset;

  write(kTwoClouds + kNewSpoke);  // not looked at
  write_rules(one + "alert tcp any any -> any any (nosuchkeyword; sid:2;)\n" +
              "alert tcp any any -> any any (content:\"b\"; sid:3;)\n");
  now_ += 5 * dataplane::kNanosPerSecond;
  const ChangeView answer = reload(true);
  EXPECT_TRUE(answer.problems.empty());
  ASSERT_EQ(answer.notes.size(), 1u);
  EXPECT_NE(answer.notes[0].find("a.rules:2"), std::string::npos) << answer.notes[0];
  EXPECT_EQ(answer.changes, std::vector<std::string>{"~ rules of profile \"web\""});
  EXPECT_FALSE(attachment("cloud-d").valid());
  EXPECT_NE(dataplane_->current().profiles.at(0).ruleset, kept);
  const control::ProfileView after = control_->rules().profiles[0];
  EXPECT_EQ(after.rules_loaded, 2u);
  EXPECT_EQ(after.refused.size(), 1u);
  EXPECT_NE(after.digest, before.digest);
  EXPECT_EQ(control_->rules().since_s, 0u);
  EXPECT_EQ(control_->status().reloads, 1u) << "of the configuration";

  std::filesystem::remove(rules);
  const ChangeView refused = reload(true);
  ASSERT_EQ(refused.problems.size(), 1u);
  EXPECT_NE(refused.problems[0].find("a.rules"), std::string::npos) << refused.problems[0];
  EXPECT_EQ(control_->rules().profiles[0].digest, after.digest) << "nothing was changed";
}

TEST_F(ControlTest, AWholeReloadServesThoseWhoWaitForRules) {
  write(kTwoClouds + kNewSpoke);
  std::optional<ChangeView> whole, rules;
  control_->reload([](ChangeView) {});  // under way
  control_->reload_rules([&](ChangeView view) { rules = std::move(view); });
  control_->reload([&](ChangeView view) { whole = std::move(view); });
  settle();
  ASSERT_TRUE(whole && rules);
  EXPECT_TRUE(rules->problems.empty());
  EXPECT_EQ(control_->status().reloads, 2u);
}

TEST_F(ControlTest, SteeringIsWidenedBeforeAndNarrowedAfter) {
  write(kTwoClouds + kNewSpoke);
  reload();
  steering_.history.clear();
  write(kTwoClouds + replaced(kNewSpoke, "8472", "8473"));
  dataplane_->hold_grace = true;
  std::optional<ChangeView> answer;
  control_->reload([&](ChangeView view) { answer = std::move(view); });
  while (steering_.history.empty()) control_->turn(now_, false);
  control_->turn(now_, false);
  ASSERT_EQ(steering_.history.size(), 1u);
  EXPECT_EQ(steering_.history[0].size(), 3u);  // workers may still have the old snapshot
  EXPECT_FALSE(answer);
  dataplane_->hold_grace = false;
  settle();
  ASSERT_EQ(steering_.history.size(), 2u);
  EXPECT_EQ(steering_.history[1].size(), 2u);
  EXPECT_TRUE(answer);
}

TEST_F(ControlTest, SteeringThatTheKernelRefusesRefusesTheReload) {
  const size_t published = dataplane_->published.size();
  steering_.history.clear();
  steering_.room = 1;
  write(kTwoClouds + kNewSpoke);
  const ChangeView answer = reload();
  EXPECT_EQ(answer.problems,
            std::vector<std::string>{"port wan0: tunnel traffic cannot be steered to the hub: no room"});
  EXPECT_EQ(control_->status().last_reload.rfind("refused", 0), 0u);
  EXPECT_EQ(dataplane_->published.size(), published);
  EXPECT_FALSE(attachment("cloud-d").valid());
  ASSERT_EQ(steering_.history.size(), 2u);
  EXPECT_EQ(steering_.history.back().size(), 1u);  // as it was before

  steering_.room = 2;
  EXPECT_TRUE(reload().problems.empty());
  EXPECT_TRUE(attachment("cloud-d").valid());
}

TEST_F(ControlTest, ReleasedIndexOutlivesAReloadThatIsRefused) {
  write(kTwoClouds + kNewSpoke);
  reload();
  const AttachmentId gone = attachment("cloud-d");
  write(kTwoClouds);
  reload();
  dataplane_->acknowledge();
  dataplane_->acknowledge();
  steering_.room = 1;
  write(kTwoClouds + replaced(kNewSpoke, "cloud-d", "cloud-e"));
  EXPECT_FALSE(reload().problems.empty());
  steering_.room = 2;
  EXPECT_TRUE(reload().problems.empty());
  EXPECT_EQ(attachment("cloud-e").index(), gone.index());
}

TEST_F(ControlTest, StartFailsIfNothingCanBeSteered) {
  control::FileConfig file = control::FileConfig::of(parse(kTwoClouds));
  FileModel other;
  other.use(kTwoClouds);
  model_.live = std::move(other.live);
  steering_.room = 0;
  const Status started = make_control(std::move(file))->start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("port wan0"), std::string::npos);
}

TEST_F(ControlTest, StoppingAnswersWhoeverWaits) {
  std::vector<ChangeView> answers;
  const auto keep = [&](ChangeView view) { answers.push_back(std::move(view)); };
  control_->reload(keep);  // its build runs
  control_->reload(keep);  // waits for the next one
  ASSERT_TRUE(answers.empty());
  mailbox_.close();
  control_->abandon();
  ASSERT_EQ(answers.size(), 2u);
  for (const ChangeView& answer : answers) {
    EXPECT_EQ(answer.problems, std::vector<std::string>{"the hub is stopping"});
  }
  control_->abandon();
  EXPECT_EQ(answers.size(), 2u);
}

TEST_F(ControlTest, StoppingLetsCallersOfReloadAndSessionsGo) {
  dataplane_->hold_sessions = true;
  std::promise<void> gate;  // the builder is busy, so that the reload cannot end before the hub stops
  builder_.run([busy = gate.get_future().share()] { busy.wait(); });
  const events::RecentAlerts alerts;
  api::ControlSource source(*control_, mailbox_, alerts);
  Result<ChangeView> reloaded;
  Result<control::SessionsView> listed;
  std::thread reloader([&] { reloaded = source.reload(); });
  std::thread lister([&] { listed = source.sessions(5); });
  for (size_t seen = 0; seen < 2;) seen += mailbox_.run();  // both are held by control now
  const auto before = std::chrono::steady_clock::now();
  mailbox_.close();
  control_->abandon();
  reloader.join();
  lister.join();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(2));  // a listing may take 3 s
  ASSERT_TRUE(reloaded);
  EXPECT_EQ(reloaded->problems, std::vector<std::string>{"the hub is stopping"});
  EXPECT_FALSE(listed);
  dataplane_->acknowledge();  // rows that come too late go nowhere
  gate.set_value();
}

TEST(Reconfigure, RunningOutOfMemoryIsAProblemInWords) {
  const auto starved = [](const control::ReadJob&) -> control::ReadOutcome { throw std::bad_alloc(); };
  EXPECT_EQ(control::read_again_or_explain({}, starved).problems,
            std::vector<std::string>{"not enough memory to compile the configuration and its rules"});
  const auto broken = [](const control::ReadJob&) -> control::ReadOutcome {
    throw std::logic_error("a bug");
  };
  EXPECT_THROW(control::read_again_or_explain({}, broken), std::logic_error);
}

TEST_F(ControlTest, RemovedAttachmentIsPurgedAndItsIndexReusedOnlyThen) {
  write(kTwoClouds + kNewSpoke);
  reload();
  const AttachmentId gone = attachment("cloud-d");
  write(kTwoClouds);
  reload();
  ASSERT_EQ(dataplane_->purged_attachments, std::vector{gone});
  EXPECT_EQ(dataplane_->purges, 1);
  EXPECT_EQ(underlay_.forgotten, std::vector{ip("198.18.0.40")});
  write(kTwoClouds + replaced(kNewSpoke, "cloud-d", "cloud-e"));
  reload();
  EXPECT_NE(attachment("cloud-e").index(), gone.index());
  dataplane_->acknowledge();  // purged; packets on their way between workers may still name it
  write(kTwoClouds + replaced(kNewSpoke, "cloud-d", "cloud-g"));
  reload();
  EXPECT_NE(attachment("cloud-g").index(), gone.index());
  dataplane_->acknowledge();
  write(kTwoClouds + replaced(kNewSpoke, "cloud-d", "cloud-f"));
  reload();
  EXPECT_EQ(attachment("cloud-f").index(), gone.index());
  EXPECT_NE(attachment("cloud-f"), gone);
}

TEST_F(ControlTest, FailedReloadChangesNothingAndSaysAll) {
  const size_t published = dataplane_->published.size();
  write(replaced(replaced(kTwoClouds, "vni = 10", "vni = \"ten\""), "prefix = \"10.1.64.0/18\"",
                 "prefix = \"10.1.64.1/18\""));
  const ChangeView answer = reload();
  EXPECT_EQ(answer.problems.size(), 2u);
  for (const std::string& problem : answer.problems)
    EXPECT_NE(problem.find("hub.toml:"), std::string::npos) << problem;
  EXPECT_EQ(dataplane_->published.size(), published);
  EXPECT_EQ(control_->status().reloads, 0u);
  EXPECT_EQ(control_->status().last_reload.rfind("refused", 0), 0u);
}

TEST_F(ControlTest, RestartKeyIsRefusedByName) {
  const size_t published = dataplane_->published.size();
  write(replaced(kTwoClouds, "cores = [1]", "cores = [1]\nburst = 16"));
  const ChangeView answer = reload();
  ASSERT_EQ(answer.problems.size(), 1u);
  EXPECT_NE(answer.problems[0].find("worker.burst"), std::string::npos);
  EXPECT_EQ(dataplane_->published.size(), published);
}

TEST_F(ControlTest, ModelThatDoesNotCompileChangesNothing) {
  const size_t published = dataplane_->published.size();
  write(kTwoClouds + replaced(kNewSpoke, "local = \"198.18.0.1\"", "local = \"198.18.0.99\""));
  EXPECT_FALSE(reload().problems.empty());
  EXPECT_EQ(dataplane_->published.size(), published);
  EXPECT_FALSE(attachment("cloud-d").valid());
}

TEST_F(ControlTest, ReloadsThatComeTogetherAreAllAnswered) {
  write(kTwoClouds + kNewSpoke);
  int answered = 0;
  for (int i = 0; i < 40; ++i) control_->reload([&](const ChangeView&) { ++answered; });
  settle();
  EXPECT_EQ(answered, 40);
  EXPECT_LE(control_->status().reloads, 2u);
}

/// The file with rules, which a reload compiles.
class RulesReload : public ControlTest {
 protected:
  RulesReload() {
    std::ofstream(folder_ + "/one.rules") << "alert tcp any any -> any any (content:\"x\"; sid:1;)\n";
    write(kTwoClouds + "[[profile]]\nname = \"ips\"\nrules = [\"one.rules\"]\n");
    EXPECT_TRUE(reload().problems.empty());
  }
  const Profile& profile() const { return dataplane_->current().profiles.at(0); }
  /// Workers' sessions in the midst of a transaction, by rules of that generation.
  inspection::EventCount& in_transaction(uint32_t generation) {
    auto& by_generation = dataplane_->inspector_counters.in_transaction;
    return by_generation[generation % by_generation.size()];
  }
  void turn_until_a_reload_waits() {
    constexpr int kSlice = 10, kSlices = 3'000;  // ms
    for (int i = 0; i < kSlices && !control_->rules().reload_waits; ++i) {
      pollfd fd{mailbox_.fd(), POLLIN, 0};
      poll(&fd, 1, kSlice);
      control_->turn(now_, false);
    }
    ASSERT_TRUE(control_->rules().reload_waits);
  }
};

TEST_F(RulesReload, RulesThatNobodyNeedsGoAtOnce) {
  const auto first = profile().ruleset;
  const uint32_t generation = dataplane_->current().rules_generation;
  reload();
  EXPECT_EQ(dataplane_->current().rules_generation, generation + 1);
  EXPECT_NE(profile().ruleset, first);
  EXPECT_EQ(profile().ruleset_before, nullptr);
  EXPECT_FALSE(control_->rules().before);
}

TEST_F(RulesReload, AThirdWaitsUntilNoSessionNeedsTheFirst) {
  const auto first = profile().ruleset;
  const uint32_t generation = dataplane_->current().rules_generation;
  in_transaction(generation) += 3;
  reload();
  const auto second = profile().ruleset;
  EXPECT_EQ(profile().ruleset_before, first);
  EXPECT_EQ(control_->rules().sessions_before, 3u);
  // Whatever else is published meanwhile has both.
  config::Domain other;
  other.name = "other";
  transact({{config::ChangeVerb::add, other}});
  EXPECT_EQ(profile().ruleset_before, first);

  bool answered = false;
  control_->reload([&](const ChangeView& view) {
    EXPECT_TRUE(view.problems.empty());
    answered = true;
  });
  turn_until_a_reload_waits();
  EXPECT_EQ(profile().ruleset, second);
  EXPECT_EQ(profile().ruleset_before, first);
  EXPECT_FALSE(answered);

  in_transaction(generation) -= 3;
  settle();
  EXPECT_TRUE(answered);
  EXPECT_EQ(dataplane_->current().rules_generation, generation + 2);
  EXPECT_NE(profile().ruleset, second);
  EXPECT_FALSE(control_->rules().reload_waits);
}

TEST_F(RulesReload, AfterItsGraceSessionsGoOnWhereTheyStand) {
  in_transaction(dataplane_->current().rules_generation) += 1;
  reload();
  now_ += 9 * kNanosPerSecond;
  control_->turn(now_, false);
  EXPECT_TRUE(control_->rules().before);
  now_ += 1 * kNanosPerSecond;
  control_->turn(now_, false);
  EXPECT_EQ(profile().ruleset_before, nullptr);
  EXPECT_NE(log_text_.str().find("1 sessions go on with the new rules"), std::string::npos)
      << log_text_.str();
}

TEST_F(RulesReload, ARefusedReloadWaitsForNobody) {
  in_transaction(dataplane_->current().rules_generation) += 1;
  reload();
  write("nonsense");
  EXPECT_FALSE(reload().problems.empty());
  EXPECT_TRUE(control_->rules().before);
}

}  // namespace
}  // namespace weir::test
