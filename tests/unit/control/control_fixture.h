// The control loop with a real builder, for tests of what it does.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <spdlog/sinks/ostream_sink.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "fakes.h"
#include "mgmt/api/source.h"
#include "mgmt/config/writer.h"
#include "mgmt/control/control.h"

namespace weir::test {

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

inline const std::string kNewSpoke = R"(
[[attachment]]
name = "cloud-d"
domain = "lonely"
vxlan = { vni = 40, local = "198.18.0.1", remote = "198.18.0.40", port = 8472 }
gateway = ["10.4.0.1/24"]
)";

using enum config::ChangeVerb;

inline config::Attachment spoke(const std::string& name, const std::string& domain, uint32_t vni) {
  config::Attachment made;
  made.name = name;
  made.domain = domain;
  made.tunnel.id = vni;
  made.tunnel.local = ip("198.18.0.1");
  made.tunnel.remote = net::Ipv4{ip("198.18.1.0").v4().value + vni};
  made.gateways = {{net::Ipv4{ip("10.100.0.1").v4().value + vni * 256}, 24}};
  return made;
}
inline config::Domain domain(const std::string& name) {
  config::Domain made;
  made.name = name;
  return made;
}
inline config::Connection connection(const std::string& a, const std::string& b) {
  config::Connection made;
  made.a = a;
  made.b = b;
  return made;
}

}  // namespace weir::test
