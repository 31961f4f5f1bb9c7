// Control with everything around it, and what it does in one turn: counted as memory that its thread takes
// and gives back, not as time. Replaces operator new, so whoever includes it is a binary of its own.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <spdlog/sinks/null_sink.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "fakes.h"
#include "mgmt/config/change_reader.h"
#include "mgmt/control/control.h"
#include "tests/support/counted_new.h"

namespace weir::test {

inline uint64_t work() { return counted_new::allocations + counted_new::frees; }

/// A hub without domains, and a file that says so; workers are always quiescent. Time goes on by `step` a
/// turn.
class CountedHub {
 public:
  static constexpr uint32_t kRoutes = 100'000, kRules = 20'000, kAttachments = 64;

  CountedHub()
      : routes_(dataplane::Routes::create({.routes = kRoutes, .domains = 64}).value()),
        adjacencies_(dataplane::AdjacencyTable::create(64).value()),
        board_(kAttachments),
        log_("counted", std::make_shared<spdlog::sinks::null_sink_st>()),
        builder_([] {}) {
    char folder[] = "/tmp/weir-counted-XXXXXX";
    folder_ = mkdtemp(folder);
    std::ofstream(file()) << kTwoClouds.substr(0, kTwoClouds.find("[[domain]]"));
    model::StartFacts facts = one_port();
    facts.policy_rules = kRules;
    auto live = std::make_unique<model::LiveModel>(
        facts, model::Tables{*routes_, std::make_shared<dataplane::AttachmentTable>(kAttachments),
                             std::make_shared<dataplane::TunnelTable>(model::tunnel_entries(kAttachments)),
                             adjacencies_.get(), &board_});
    model_ = live.get();
    dataplane_ = std::make_unique<FakeDataplane>(live->snapshot());
    control_ = std::make_unique<control::Control>(
        control::ControlParts{
            *dataplane_, underlay_, *adjacencies_, board_, builder_, mailbox_, log_, {}, {}, "1"},
        facts, std::move(live), control::FileConfig::of(config::read_config(file()).value()), 0);
    EXPECT_TRUE(control_->start().has_value());
  }
  ~CountedHub() { std::filesystem::remove_all(folder_); }
  CountedHub(const CountedHub&) = delete;
  CountedHub& operator=(const CountedHub&) = delete;

  struct Done {
    control::ChangeView view;
    uint64_t most = 0;  // work of control in one turn
    unsigned turns = 0;
  };
  Done transact(config::ModelChanges changes) {
    return ask([&](auto keep) { control_->transact(std::move(changes), std::move(keep)); });
  }
  Done reload() {
    return ask([&](auto keep) { control_->reload(std::move(keep)); });
  }
  /// One turn; what it did.
  uint64_t turn() {
    now_ += step;
    const uint64_t before = work();
    control_->turn(now_, false);
    return work() - before;
  }
  /// Turns, until nothing is under way and `done`.
  template <typename IsDone>
  Done turns_until(const IsDone& done) {
    Done all;
    // And some turns more, in which what was before is let go of.
    for (int more = 0, most = 200'000; more < 8 && most > 0; more += done() && !control_->busy(), --most) {
      all.most = std::max(all.most, turn());
      ++all.turns;
      pollfd fd{mailbox_.fd(), POLLIN, 0};
      if (control_->busy()) poll(&fd, 1, 1);
    }
    EXPECT_TRUE(done());
    return all;
  }

  control::Control& control() { return *control_; }
  const model::LiveModel& model() const { return *model_; }
  FakeDataplane& dataplane() { return *dataplane_; }
  const dataplane::Snapshot& snapshot() const { return dataplane_->current(); }
  const dataplane::Routes& routes() const { return *routes_; }
  std::string file() const { return folder_ + "/hub.toml"; }
  dataplane::NanoTime step = 1;

 private:
  template <typename Ask>
  Done ask(const Ask& ask) {
    std::optional<control::ChangeView> answer;
    ask([&](control::ChangeView view) { answer = std::move(view); });
    Done done = turns_until([&] { return answer.has_value(); });
    if (answer) done.view = std::move(*answer);
    return done;
  }

  std::string folder_;
  std::unique_ptr<dataplane::Routes> routes_;
  std::unique_ptr<dataplane::AdjacencyTable> adjacencies_;
  dataplane::AttachmentBoard board_;
  spdlog::logger log_;
  control::Mailbox mailbox_;
  FakeUnderlay underlay_;
  std::unique_ptr<FakeDataplane> dataplane_;
  const model::LiveModel* model_ = nullptr;
  std::unique_ptr<control::Control> control_;
  dataplane::NanoTime now_ = 1;
  control::Builder builder_;
};

}  // namespace weir::test
