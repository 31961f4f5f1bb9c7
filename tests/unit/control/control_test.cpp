// The control loop with a real builder: reload, its refusal, the underlay, and packets on their way to the
// right place.
#include <gtest/gtest.h>
#include <poll.h>
#include <spdlog/sinks/ostream_sink.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "fakes.h"
#include "mgmt/api/source.h"
#include "mgmt/config/writer.h"
#include "mgmt/control/control.h"
#include "tests/support/packet_builder.h"

namespace weir::test {
namespace {

using namespace dataplane;
using control::ChangeView;
using control::Control;

class FakeSteering final : public XdpSteering {
 public:
  Status set(const std::vector<SteerRule>& rules) override {
    history.push_back(rules);
    if (rules.size() > room) return fail(ErrorCode::exhausted, "no room");
    return {};
  }
  std::vector<std::vector<SteerRule>> history;
  size_t room = 100;
};

class ControlTest : public ::testing::Test {
 protected:
  ControlTest() : log_("test", std::make_shared<spdlog::sinks::ostream_sink_st>(log_text_)), builder_([] {}) {
    char folder[] = "/tmp/weir-control-XXXXXX";
    folder_ = mkdtemp(folder);
    file_ = folder_ + "/hub.toml";
    write(kTwoClouds);
    auto file = control::FileConfig::of(config::read_config(file_).value());
    EXPECT_TRUE(model_.try_use(*file.whole).empty());
    dataplane_ = std::make_unique<FakeDataplane>(std::move(model_.snapshot));
    for (const char* peer : {"198.18.0.10", "198.18.0.20", "198.18.0.30", "198.18.0.40"}) {
      underlay_.hops[ip(peer).v4()] = {0, mac(0x020000000002), 1500, true};
    }
    control_ = make_control(std::move(file));
    EXPECT_TRUE(control_->start());
    settle();
  }
  std::unique_ptr<Control> make_control(control::FileConfig file) {
    return std::make_unique<Control>(control::ControlParts{*dataplane_,
                                                           underlay_,
                                                           *model_.adjacencies,
                                                           model_.board,
                                                           builder_,
                                                           mailbox_,
                                                           log_,
                                                           {},
                                                           {{0, &steering_}},
                                                           "1",
                                                           [this](const control::AttachmentChange& change) {
                                                             announced_.push_back(change);
                                                           }},
                                     facts(), std::move(model_.live), std::move(file), 0);
  }
  ~ControlTest() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& text) { std::ofstream(file_) << text; }
  /// Turns until no change is under way.
  void settle() {
    constexpr int kSlice = 10, kSlices = 3'000;  // ms
    for (int i = 0; i < kSlices; ++i) {
      control_->turn(now_, false);
      if (!control_->busy()) {
        control_->turn(now_, false);
        return;
      }
      pollfd fd{mailbox_.fd(), POLLIN, 0};
      poll(&fd, 1, kSlice);
    }
    FAIL() << "a change does not come to its end";
  }
  ChangeView transact(config::ModelChanges changes) {
    std::optional<ChangeView> answer;
    control_->transact(std::move(changes), [&](ChangeView view) { answer = std::move(view); });
    settle();
    return answer.value();
  }
  ChangeView reload(bool rules_alone = false) {
    std::optional<ChangeView> answer;
    const auto keep = [&](ChangeView view) { answer = std::move(view); };
    rules_alone ? control_->reload_rules(keep) : control_->reload(keep);
    settle();
    return answer.value();
  }
  Result<control::RoutesView> routes(const control::RoutesQuery& query) {
    std::optional<Result<control::RoutesView>> answer;
    control_->routes(query, [&](auto view) { answer = std::move(view); });
    if (!answer) settle();
    return answer.value();
  }
  std::shared_ptr<const control::Configured> configured(control::ConfiguredParts parts) {
    std::shared_ptr<const control::Configured> answer;
    control_->configured(parts, [&](auto all) { answer = all.value(); });
    if (answer == nullptr) settle();
    return answer;
  }
  AttachmentId attachment(const char* name) {
    AttachmentId id;
    dataplane_->current().attachments->for_each([&](const Attachment& a) {
      if (a.name == name) id = a.id;
    });
    return id;
  }

  static model::StartFacts facts() {
    model::StartFacts facts = one_port();
    model::PortFacts tap;
    tap.name = "tap0";
    tap.index = 1;
    tap.mac = mac(0x025400000001);
    tap.tap = true;
    facts.ports.push_back(std::move(tap));
    return facts;
  }

  std::string folder_, file_;
  FileModel model_{facts()};  // its `live` is control's
  std::vector<control::AttachmentChange> announced_;
  std::ostringstream log_text_;
  spdlog::logger log_;
  control::Mailbox mailbox_;
  FakeUnderlay underlay_;
  FakeSteering steering_;
  std::unique_ptr<FakeDataplane> dataplane_;
  std::unique_ptr<Control> control_;
  NanoTime now_ = 1;
  control::Builder builder_;  // ends first: a job may still name the others
};

const std::string kNewSpoke = R"(
[[attachment]]
name = "cloud-d"
domain = "lonely"
vxlan = { vni = 40, local = "198.18.0.1", remote = "198.18.0.40", port = 8472 }
gateway = ["10.4.0.1/24"]
)";

TEST_F(ControlTest, ASilentAttachmentGoesDownIsAnnouncedAndItsRoutesAreWithdrawn) {
  const std::string health =
      "gateway = [\"10.1.0.1/24\", \"2001:db8:1::1/64\"]\nhealth = { probe = \"icmp\", address = "
      "\"10.1.0.9\", "
      "interval_ms = 100, withdraw = true }\n";
  const std::string watched =
      replaced(kTwoClouds, "gateway = [\"10.1.0.1/24\", \"2001:db8:1::1/64\"]\n", health);
  write(watched);
  ASSERT_TRUE(reload().problems.empty());
  const AttachmentId a = attachment("cloud-a");
  const auto state = [&] { return control_->health().view(a).state; };
  const auto route_is_there = [&] {
    const auto views = routes({"prod"}).value().domains;
    return std::any_of(views[0].routes.begin(), views[0].routes.end(),
                       [](const auto& route) { return route.prefix == "10.1.64.0/18"; });
  };
  EXPECT_TRUE(route_is_there());
  const auto pass = [&](unsigned tenths) {
    for (unsigned i = 0; i < 10 * tenths; ++i) {
      now_ += 10 * kNanosPerMilli;
      settle();
    }
  };
  pass(8);
  EXPECT_EQ(state(), control::HealthState::down);
  EXPECT_FALSE(model_.board.usable(a));
  settle();
  EXPECT_FALSE(route_is_there());
  ASSERT_EQ(announced_.size(), 1u);
  EXPECT_EQ(announced_[0].attachment, "cloud-a");
  EXPECT_EQ(announced_[0].domain, "prod");
  EXPECT_EQ(announced_[0].reason, "probe not answered");
  EXPECT_NE(log_text_.str().find("attachment cloud-a is down, was unknown: probe not answered"),
            std::string::npos);
  const auto status = control_->status();
  const auto row = std::find_if(status.attachments.begin(), status.attachments.end(),
                                [](const auto& view) { return view.name == "cloud-a"; });
  ASSERT_NE(row, status.attachments.end());
  EXPECT_EQ(row->health.state, "down");

  write(kTwoClouds);  // not watched any more
  ASSERT_TRUE(reload().problems.empty());
  settle();
  EXPECT_EQ(state(), control::HealthState::unknown);
  EXPECT_TRUE(model_.board.usable(a));
  EXPECT_TRUE(route_is_there());
}

TEST_F(ControlTest, AHostThatDoesNotAnswerIsToldToTheSender) {
  const auto frame = PacketBuilder()
                         .ether(model::default_hub_mac("cloud-a"), mac(0x02000000aaaa))
                         .ipv4("10.1.0.9", "10.2.0.77")
                         .udp(1, 2)
                         .build();
  Punt punt;
  punt.reason = PuntReason::resolve;
  punt.attachment = attachment("cloud-b");
  punt.target = ip("10.2.0.77");
  punt.ingress = attachment("cloud-a");
  punt.frame = frame;
  dataplane_->punts = {punt};
  control_->turn(now_, false);
  ASSERT_EQ(dataplane_->sent.size(), 1u) << "ARP";
  for (int second = 0; second < 4; ++second) control_->turn(now_ += kNanosPerSecond, false);
  ASSERT_EQ(dataplane_->sent.size(), 4u) << "three requests, one answer";
  EXPECT_EQ(dataplane_->sent[3].first, attachment("cloud-a"));
  EXPECT_EQ(dataplane_->sent[3].second[34], 3);
  EXPECT_EQ(dataplane_->sent[3].second[35], 1);
  EXPECT_EQ(dataplane_->discarded.back().second, DropReason::neighbor_unresolved);
}

TEST_F(ControlTest, APoolWithoutAPortIsToldAtMostEveryTenSeconds) {
  write(kTwoClouds +
        "[[nat]]\nname = \"out\"\nsnat = { from = [\"prod\"], domain = \"shared\", pool = "
        "[\"10.2.0.72/31\"], ports = "
        "\"2000-2063\", destinations = [\"10.2.0.0/24\"] }\n");
  ASSERT_TRUE(reload().problems.empty());
  PortPool& pool = *dataplane_->current().nat->rules().pools.at(0).pool;
  const auto lines = [&] {
    size_t count = 0;
    const std::string text = log_text_.str();
    for (size_t at = text.find("had no port"); at != std::string::npos; at = text.find("had no port", at + 1))
      ++count;
    return count;
  };
  const auto pass = [&](unsigned seconds) { control_->turn(now_ += seconds * kNanosPerSecond, false); };
  pass(10);
  EXPECT_EQ(lines(), 0u);
  for (int i = 0; i < 3; ++i) pool.count_exhausted(0);
  pass(10);
  EXPECT_EQ(lines(), 1u);
  EXPECT_NE(log_text_.str().find(
                "pool out had no port for 3 sessions; 0 of them are taken, 64 an address and protocol"),
            std::string::npos)
      << log_text_.str();
  pool.count_exhausted(0);
  pass(1);
  EXPECT_EQ(lines(), 1u) << "it was told lately";
  pass(9);
  EXPECT_EQ(lines(), 2u);
  EXPECT_NE(log_text_.str().find("pool out had no port for 1 sessions"), std::string::npos) << "what is new";
  pass(100);
  EXPECT_EQ(lines(), 2u) << "nothing is new";
}

TEST_F(ControlTest, HopsAreSetFromTheUnderlay) {
  net::Mac hop;
  ASSERT_TRUE(dataplane_->current().attachment(attachment("cloud-a"))->underlay->get(hop));
  EXPECT_EQ(hop, mac(0x020000000002));
  EXPECT_TRUE(control_->status().attachments.front().resolved);
  underlay_.hops[ip("198.18.0.10").v4()].link_up = false;
  control_->turn(++now_, true);
  EXPECT_FALSE(dataplane_->current().attachment(attachment("cloud-a"))->underlay->get(hop));
  EXPECT_NE(log_text_.str().find("198.18.0.10 is no longer reached: the link is down"), std::string::npos);
}

TEST_F(ControlTest, ATransactionIsAllOrNothing) {
  using enum config::ChangeVerb;
  config::Domain domain{"edge", {}};
  config::Attachment spoke;
  spoke.name = "cloud-e";
  spoke.domain = "edge";
  spoke.tunnel.id = 50;
  spoke.tunnel.local = ip("198.18.0.1");
  spoke.tunnel.remote = ip("198.18.0.50");
  config::Attachment wrong = spoke;
  wrong.name = "cloud-f";
  wrong.domain = "nowhere";
  EXPECT_FALSE(transact({{add, domain}, {add, spoke}, {add, wrong}}).problems.empty());
  EXPECT_FALSE(attachment("cloud-e").valid());
  EXPECT_TRUE(transact({{add, domain}, {add, spoke}}).problems.empty());
  EXPECT_TRUE(attachment("cloud-e").valid());
  EXPECT_TRUE(transact({{remove, spoke}, {remove, domain}}).problems.empty());
  EXPECT_FALSE(attachment("cloud-e").valid());
}

using enum config::ChangeVerb;

config::Attachment spoke(const std::string& name, const std::string& domain, uint32_t vni) {
  config::Attachment made;
  made.name = name;
  made.domain = domain;
  made.tunnel.id = vni;
  made.tunnel.local = ip("198.18.0.1");
  made.tunnel.remote = net::Ipv4{ip("198.18.1.0").v4().value + vni};
  made.gateways = {{net::Ipv4{ip("10.100.0.1").v4().value + vni * 256}, 24}};
  return made;
}
config::Domain domain(const std::string& name) {
  config::Domain made;
  made.name = name;
  return made;
}
config::Connection connection(const std::string& a, const std::string& b) {
  config::Connection made;
  made.a = a;
  made.b = b;
  return made;
}

TEST_F(ControlTest, ASpokeNeedsNoSnapshotAndIsDoneInOneTurn) {
  const size_t published = dataplane_->published.size();
  dataplane_->hold_grace = true;  // the workers are not asked
  std::optional<ChangeView> answer;
  control_->transact({{add, spoke("cloud-e", "prod", 50)}},
                     [&](ChangeView view) { answer = std::move(view); });
  control_->turn(now_, false);
  ASSERT_TRUE(answer);
  EXPECT_TRUE(attachment("cloud-e").valid());
  EXPECT_EQ(dataplane_->published.size(), published);
  EXPECT_EQ(answer->changes, std::vector<std::string>{"+ attachment cloud-e"});
  EXPECT_NE(log_text_.str().find("changed: attachments +1"), std::string::npos);
}

TEST_F(ControlTest, WhatIsConnectedIsRoutedWhenItsPolicyIsPublishedAndNoWorkerHasTheOldOne) {
  const Routes& routes = *dataplane_->current().routes;
  const auto sees = [&] {
    const Snapshot& now = dataplane_->current();
    DomainId shared;
    for (const auto& d : now.domains) {
      if (d != nullptr && d->name == "shared") shared = d->id;
    }
    return static_cast<bool>(routes.lookup_exposed(shared, ip("10.3.0.9")));
  };
  const size_t published = dataplane_->published.size();
  dataplane_->hold_grace = true;
  std::optional<ChangeView> answer, next;
  control_->transact({{add, connection("shared", "lonely")}},
                     [&](ChangeView view) { answer = std::move(view); });
  control_->transact({{add, spoke("cloud-e", "prod", 50)}}, [&](ChangeView view) { next = std::move(view); });
  const auto grace = [&] {
    dataplane_->hold_grace = false;
    dataplane_->housekeeping();
    dataplane_->hold_grace = true;
  };
  control_->turn(now_, false);
  EXPECT_EQ(dataplane_->published.size(), published);
  grace();
  EXPECT_EQ(dataplane_->published.size(), published + 1);
  EXPECT_FALSE(sees());
  control_->turn(now_, false);
  EXPECT_FALSE(next) << "it waits for the one before";
  grace();
  EXPECT_TRUE(answer);
  EXPECT_TRUE(sees());
  control_->turn(now_, false);
  EXPECT_TRUE(next);
  // Disconnected: the routes go first.
  answer.reset();
  control_->transact({{remove, connection("lonely", "shared")}},
                     [&](ChangeView view) { answer = std::move(view); });
  control_->turn(now_, false);
  EXPECT_FALSE(sees());
  EXPECT_EQ(dataplane_->published.size(), published + 1);
  grace();
  EXPECT_EQ(dataplane_->published.size(), published + 2);
  grace();
  EXPECT_TRUE(answer);
}

TEST_F(ControlTest, ExposeOnAConnectionActs) {
  config::Connection narrow = connection("shared", "lonely");
  narrow.expose = std::vector{net::parse_prefix("10.3.0.0/25").value()};
  ASSERT_TRUE(transact({{add, narrow}}).problems.empty());
  const auto prefixes = [&](const char* name) {
    const auto views = routes({name}).value().domains;
    std::vector<std::string> all;
    for (const auto& route : views[0].routes) {
      if (route.kind == "exposed") all.push_back(route.prefix + " of " + route.from_domain);
    }
    return all;
  };
  EXPECT_EQ(prefixes("lonely"), std::vector<std::string>{});
  narrow.expose = std::vector{net::parse_prefix("10.2.0.0/16").value()};
  ASSERT_TRUE(transact({{replace, narrow}}).problems.empty());
  EXPECT_EQ(prefixes("lonely"), std::vector<std::string>{"10.2.0.0/24 of shared"});
}

TEST_F(ControlTest, AReloadTouchesOnlyWhatCameFromTheFile) {
  config::Attachment other = spoke("cloud-c", "lonely", 77);
  ASSERT_TRUE(transact({{add, domain("edge")},
                        {add, spoke("cloud-e", "edge", 50)},
                        {replace, other},
                        {remove, connection("prod", "shared")}})
                  .problems.empty());
  const AttachmentId e = attachment("cloud-e");
  EXPECT_TRUE(reload().changes.empty());
  EXPECT_EQ(attachment("cloud-e"), e);
  write(kTwoClouds + kNewSpoke);
  const ChangeView answer = reload();
  EXPECT_EQ(answer.problems, std::vector<std::string>{});
  EXPECT_EQ(answer.changes, std::vector<std::string>{"+ attachment cloud-d"});
  EXPECT_EQ(attachment("cloud-e"), e);
  const auto all = configured({.routes = true});
  EXPECT_TRUE(all->config.connections.empty());
  const auto vni_of = [&](const char* name) {
    for (const auto& a : all->config.attachments) {
      if (a.name == name) return a.tunnel.id;
    }
    return 0u;
  };
  EXPECT_EQ(vni_of("cloud-c"), 77u);
  write(replaced(kTwoClouds + kNewSpoke, "vni = 30", "vni = 31"));
  EXPECT_EQ(reload().problems.size(), 1u) << "changed on both sides";
  // As after `config save`: the file says what there is.
  std::string saved = config::to_toml(all->config);
  write(saved);
  EXPECT_EQ(reload().problems, std::vector<std::string>{});
  const auto after = configured({});
  for (const auto origin : after->origins.attachments) EXPECT_EQ(origin, model::Origin::file);
  write(saved.substr(0, saved.find("[[domain]]")) + kTwoClouds.substr(kTwoClouds.find("[[domain]]")));
  EXPECT_EQ(reload().problems, std::vector<std::string>{});
  EXPECT_FALSE(attachment("cloud-e").valid()) << "it was the file's by then";
}

TEST_F(ControlTest, ADryRunTellsWhatWouldChangeAndChangesNothing) {
  std::optional<ChangeView> answer;
  control_->try_out({{add, spoke("cloud-e", "prod", 50)}},
                    [&](ChangeView view) { answer = std::move(view); });
  settle();
  EXPECT_EQ(answer.value().changes, std::vector<std::string>{"+ attachment cloud-e"});
  EXPECT_FALSE(attachment("cloud-e").valid());
  control_->try_out({{add, spoke("cloud-a", "prod", 50)}},
                    [&](ChangeView view) { answer = std::move(view); });
  settle();
  EXPECT_EQ(answer.value().problems.size(), 1u);
}

TEST_F(ControlTest, ManyThatGoTogetherArePurgedInOneSweep) {
  config::ModelChanges come, go;
  for (uint32_t i = 0; i < 5; ++i) {
    come.push_back({add, spoke("s" + std::to_string(i), "prod", 60 + i)});
    go.push_back({remove, spoke("s" + std::to_string(i), "prod", 60 + i)});
  }
  ASSERT_TRUE(transact(come).problems.empty());
  ASSERT_TRUE(transact({go[0]}).problems.empty());
  EXPECT_EQ(dataplane_->purges, 1);
  for (size_t i = 1; i < go.size(); ++i) ASSERT_TRUE(transact({go[i]}).problems.empty());
  EXPECT_EQ(dataplane_->purges, 1) << "the first sweep is under way";
  dataplane_->acknowledge();
  dataplane_->acknowledge();
  control_->turn(now_, false);
  EXPECT_EQ(dataplane_->purges, 2);
  EXPECT_EQ(dataplane_->purged_attachments.size(), 5u);
}

TEST_F(ControlTest, UnderlayMtuReachesTheAttachment) {
  underlay_.hops[ip("198.18.0.10").v4()].mtu = 1400;
  control_->turn(++now_, true);
  settle();
  EXPECT_EQ(dataplane_->current().attachment(attachment("cloud-a"))->mtu, 1350);
}

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

TEST_F(ControlTest, PuntsGoWhereTheyBelong) {
  Punt arp;
  arp.reason = PuntReason::underlay_arp;
  Punt resolve;
  resolve.reason = PuntReason::resolve;
  resolve.attachment = attachment("cloud-a");
  resolve.target = ip("10.1.0.9");
  dataplane_->punts = {arp, resolve};
  dataplane_->notes = {{attachment("cloud-b"), ip("10.2.0.9"), mac(0x02000000aaaa)}};
  EXPECT_TRUE(control_->turn(++now_, false));
  EXPECT_EQ(underlay_.arps, 1);
  EXPECT_EQ(dataplane_->discarded.size(), 1u);  // the ARP packet, used up
  EXPECT_EQ(control_->neighbors().held(), 1u);
  EXPECT_TRUE(model_.adjacencies->find(attachment("cloud-b"), ip("10.2.0.9")).valid());
}

TEST_F(ControlTest, MulticastGoesToTheTapPortOfItsAttachment) {
  const std::vector<uint8_t> frame(60, 0xff);
  Punt punt;
  punt.reason = PuntReason::multicast;
  punt.attachment = attachment("cloud-a");
  punt.frame = frame;
  // No port: the attachment had one when the packet came.
  dataplane_->punts = {punt};
  control_->turn(++now_, false);
  EXPECT_TRUE(dataplane_->frames.empty());
  EXPECT_EQ(dataplane_->control_dropped(DropReason::punt_unwanted), 1u);

  config::Attachment wanting = parse(kTwoClouds).attachments[0];
  wanting.multicast_to = "tap0";
  EXPECT_TRUE(transact({{config::ChangeVerb::replace, wanting}}).problems.empty());
  punt.attachment = attachment("cloud-a");
  dataplane_->punts = {punt};
  control_->turn(++now_, false);
  ASSERT_EQ(dataplane_->frames.size(), 1u);
  EXPECT_EQ(dataplane_->frames[0], std::pair(PortIndex{1}, frame));
  EXPECT_EQ(dataplane_->control_dropped(DropReason::none), 1u);
  dataplane_->full = true;
  dataplane_->punts = {punt};
  control_->turn(++now_, false);
  EXPECT_EQ(dataplane_->control_dropped(DropReason::punt_full), 1u);
}

TEST_F(ControlTest, MulticastToAPortThatIsNoTapIsRefused) {
  for (const char* port : {"wan0", "tap1"}) {
    config::Attachment wanting = parse(kTwoClouds).attachments[0];
    wanting.multicast_to = port;
    const ChangeView view = transact({{config::ChangeVerb::replace, wanting}});
    ASSERT_EQ(view.problems.size(), 1u);
    EXPECT_NE(view.problems[0].find("there is no tap port \"" + std::string(port) + "\""), std::string::npos)
        << view.problems[0];
  }
}

TEST_F(ControlTest, ANewMacOfAPortIsInAllTables) {
  const net::Mac other = mac(0x0200000000ee);
  EXPECT_EQ(dataplane_->current().ports[0].mac, mac(0x020000000001));
  underlay_.mac = other;
  control_->turn(++now_, true);
  settle();
  EXPECT_EQ(dataplane_->current().ports[0].mac, other);
  const Attachment* a = dataplane_->current().attachment(attachment("cloud-a"));
  ASSERT_NE(a, nullptr);
  EXPECT_TRUE(std::equal(other.bytes.begin(), other.bytes.end(), a->outer.end() - a->outer_length + 6))
      << "the outer header's source";
  const size_t published = dataplane_->published.size();
  control_->turn(++now_, true);
  settle();
  EXPECT_EQ(dataplane_->published.size(), published) << "nothing changed since";
}

TEST_F(ControlTest, SlowTurnIsCounted) {
  dataplane_->clock = now_ + 11 * kNanosPerMilli;
  control_->turn(now_, false);
  EXPECT_EQ(control_->status().control_stalls, 1u);
}

TEST_F(ControlTest, LookingAtTheTopHasEveryTurnSampledFor2Seconds) {
  dataplane_->clock = 10 * kNanosPerSecond;
  EXPECT_EQ(dataplane_->watched_until, 0u);
  const control::TopView view = control_->top();
  EXPECT_EQ(view.now_ns, 10 * kNanosPerSecond);
  EXPECT_EQ(view.stall_us, 1'000u);
  ASSERT_EQ(view.workers.size(), 1u);
  EXPECT_EQ(view.workers[0].core, 1u);
  EXPECT_EQ(dataplane_->watched_until, 12 * kNanosPerSecond);
}

TEST_F(ControlTest, SessionsAreNamed) {
  SessionRow row;
  row.tuple = {ip("10.1.0.5"), ip("10.2.0.5"), 1000, 80, 6};
  row.ingress = attachment("cloud-a");
  row.from = dataplane_->current().attachment(row.ingress)->domain;
  row.state = SessionState::established;
  row.flags = Session::kDropped;
  row.rule = 0;
  dataplane_->sessions = {row};
  control::SessionsView seen;
  control_->sessions(5, [&](control::SessionsView view) { seen = std::move(view); });
  ASSERT_EQ(seen.rows.size(), 1u);
  EXPECT_EQ(seen.rows[0].ingress, "cloud-a");
  EXPECT_EQ(seen.rows[0].from, "prod");
  EXPECT_EQ(seen.rows[0].rule, "web");
  EXPECT_EQ(seen.rows[0].state, "established");
  EXPECT_TRUE(seen.rows[0].dropped);
  EXPECT_EQ(seen.rows[0].egress, "");  // an id that names nothing any more
}

TEST_F(ControlTest, RoutesSayWhoseTheyAre) {
  const auto all = routes({});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->domains.size(), 3u);
  const auto shared = routes({"shared"});
  ASSERT_TRUE(shared);
  const auto has = [&](std::string_view kind, std::string_view prefix) {
    const auto& routes = shared->domains.front().routes;
    return std::any_of(routes.begin(), routes.end(), [&](const auto& r) {
      return r.kind == kind && r.prefix == prefix && r.from_domain == "prod";
    });
  };
  EXPECT_TRUE(has("exposed", "10.1.64.0/18"));
  EXPECT_TRUE(has("blackhole", "10.66.0.0/16"));
  EXPECT_FALSE(routes({"nope"}));
  ASSERT_TRUE(transact({{add, spoke("cloud-e", "prod", 50)}}).problems.empty());
  config::Route made;
  made.domain = "prod";
  made.prefix = net::parse_prefix("10.1.65.0/24").value();
  made.attachment = "cloud-e";
  made.via = ip("10.100.50.9");
  ASSERT_TRUE(transact({{add, made}}).problems.empty());
  const auto within = [&](const char* prefix, size_t max) {
    const auto view = routes({"prod", net::parse_prefix(prefix), max}).value();
    std::string text;
    for (const auto& r : view.domains[0].routes)
      text +=
          std::string(r.prefix) + " " + std::string(r.origin) + (r.from_domain.empty() ? "; " : " exposed; ");
    return text + (view.more ? "more" : "");
  };
  EXPECT_EQ(within("10.1.64.0/18", 100), "10.1.64.0/18 file; 10.1.65.0/24 api; ");
  EXPECT_EQ(within("10.1.64.0/18", 1), "10.1.64.0/18 file; more");
  EXPECT_EQ(within("10.1.0.0/23", 100), "10.1.0.0/24 gateway; ");
  EXPECT_EQ(within("10.2.0.0/16", 100), "10.2.0.0/24 gateway exposed; ");
}

TEST(Mailbox, RefusesWhenFullAndAfterClosing) {
  control::Mailbox mailbox;
  for (size_t i = 0; i < control::Mailbox::kCapacity; ++i) ASSERT_TRUE(mailbox.post([] {}));
  EXPECT_FALSE(mailbox.post([] {}));
  EXPECT_EQ(mailbox.run(), control::Mailbox::kCapacity);
  EXPECT_TRUE(mailbox.post([] {}));
  mailbox.close();
  EXPECT_FALSE(mailbox.post([] {}));
  EXPECT_EQ(mailbox.run(), 0u);
}

TEST(Mailbox, CallerIsLetGoWhenItCloses) {
  control::Mailbox mailbox;
  std::thread closer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    mailbox.close();
  });
  const auto answer = mailbox.call<int>([](auto) {}, std::chrono::seconds(60));
  closer.join();
  EXPECT_FALSE(answer);
}

}  // namespace
}  // namespace weir::test
