// The control loop: changes at run time, alone and beside the file's.
#include "control_fixture.h"

namespace weir::test {
namespace {

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

}  // namespace
}  // namespace weir::test
