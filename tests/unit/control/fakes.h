// Stand-ins for what control talks to: they record what they are told and answer what the test set.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/worker/dataplane.h"
#include "mgmt/config/reader.h"
#include "mgmt/control/reconfigure.h"
#include "mgmt/model/build_attachment.h"
#include "mgmt/model/file_changes.h"
#include "mgmt/model/live_model.h"
#include "mgmt/model/transaction.h"
#include "mgmt/underlay/underlay.h"

namespace weir::test {

class FakeDataplane final : public dataplane::Dataplane {
 public:
  explicit FakeDataplane(std::unique_ptr<const dataplane::Snapshot> first) { publish(std::move(first)); }

  Status start() override { return {}; }
  void stop() override {}
  void turn(dataplane::WorkerIndex, dataplane::NanoTime) override {}
  void publish(std::unique_ptr<const dataplane::Snapshot> next) override {
    published.push_back(std::move(next));
  }
  const dataplane::Snapshot& current() const override { return *published.back(); }
  void set_wall_offset(int64_t) override {}
  const inspection::RuleMemory& rule_memory() const override { return *rule_memory_; }
  void housekeeping() override {
    if (hold_grace) return;
    for (const auto& done : std::exchange(graces, {})) done();
  }
  void after_grace_period(std::function<void()> done) override { graces.push_back(std::move(done)); }
  void after_quiescence(std::function<void()> done) override { unacknowledged.push_back(std::move(done)); }
  void purge(std::vector<dataplane::AttachmentId> attachments, std::vector<dataplane::DomainId> domains,
             std::function<void()> done) override {
    ++purges;
    purged_attachments.insert(purged_attachments.end(), attachments.begin(), attachments.end());
    purged_domains.insert(purged_domains.end(), domains.begin(), domains.end());
    unacknowledged.push_back(std::move(done));
  }
  void purge_stale_adjacencies(std::function<void()> done) override {
    ++adjacency_purges;
    unacknowledged.push_back(std::move(done));
  }
  /// Every worker has done what it was asked to.
  void acknowledge() {
    const auto waiting = std::exchange(unacknowledged, {});
    for (const auto& done : waiting) done();
  }

  std::vector<dataplane::Punt> take_punts(size_t) override { return std::exchange(punts, {}); }
  std::vector<dataplane::NeighborNote> take_notes(size_t) override { return std::exchange(notes, {}); }
  void resume(const dataplane::Punt& punt) override { resumed.push_back(punt.mbuf); }
  void discard(const dataplane::Punt& punt, dataplane::DropReason reason) override {
    discarded.emplace_back(punt.mbuf, reason);
  }
  bool send_frame(dataplane::PortIndex port, std::span<const uint8_t> frame) override {
    frames.emplace_back(port, std::vector<uint8_t>(frame.begin(), frame.end()));
    return !full;
  }
  bool send_inner(dataplane::AttachmentId id, std::span<const uint8_t> frame) override {
    sent.emplace_back(id, std::vector<uint8_t>(frame.begin(), frame.end()));
    return true;
  }
  size_t take_events(size_t, const inspection::TakeEvent&) override { return 0; }
  dataplane::NanoTime now() const override { return clock; }
  unsigned workers() const override { return 1; }
  const dataplane::WorkerCounters& counters(dataplane::WorkerIndex) const override { return worker_counters; }
  const inspection::InspectorCounters& inspection_counters(dataplane::WorkerIndex) const override {
    return inspector_counters;
  }
  const inspection::Engine* inspection_engine(dataplane::WorkerIndex) const override { return nullptr; }
  const dataplane::ProfileCounters& profile(dataplane::WorkerIndex) const override { return worker_profile; }
  dataplane::AttachmentTotals attachment_totals(dataplane::AttachmentId id) const override {
    const auto at = totals.find(id);
    return at == totals.end() ? dataplane::AttachmentTotals{} : at->second;
  }
  dataplane::RuleHit rule_hits(dataplane::RuleIndex rule) const override {
    const auto at = hits.find(rule);
    return at == hits.end() ? dataplane::RuleHit{} : at->second;
  }
  std::optional<dataplane::NanoTime> probe_answered(dataplane::AttachmentId id,
                                                    dataplane::ProbeToken token) const override {
    const auto at = answers.find(id);
    if (at == answers.end() || at->second.first != token) return std::nullopt;
    return at->second.second;
  }
  void watch(dataplane::NanoTime until) override { watched_until = until; }
  uint64_t cycles_per_second() const override { return 2'000'000'000; }
  uint64_t control_dropped(dataplane::DropReason reason) const override {
    return static_cast<uint64_t>(
        std::count_if(discarded.begin(), discarded.end(), [&](const auto& d) { return d.second == reason; }));
  }
  uint64_t held() const override { return 0; }
  void list_sessions(size_t max, std::function<void(std::vector<dataplane::SessionRow>)> done) override {
    asked_sessions = max;
    if (!hold_sessions) return done(sessions);
    unacknowledged.push_back([this, done = std::move(done)] { done(sessions); });
  }

  std::vector<std::unique_ptr<const dataplane::Snapshot>> published;
  std::shared_ptr<inspection::RuleMemory> rule_memory_ =
      inspection::RuleMemory::create({1'024, 1'024}, 1).value();
  std::vector<std::function<void()>> graces, unacknowledged;
  bool hold_grace = false;  // workers are in the midst of a turn
  int purges = 0;
  std::vector<dataplane::AttachmentId> purged_attachments;
  std::vector<dataplane::DomainId> purged_domains;
  int adjacency_purges = 0;
  std::vector<dataplane::Punt> punts;
  std::vector<dataplane::NeighborNote> notes;
  std::vector<void*> resumed;
  std::vector<std::pair<void*, dataplane::DropReason>> discarded;
  std::vector<std::pair<dataplane::AttachmentId, std::vector<uint8_t>>> sent;
  std::vector<std::pair<dataplane::PortIndex, std::vector<uint8_t>>> frames;
  bool full = false;  // takes no frames
  std::vector<dataplane::SessionRow> sessions;
  std::map<dataplane::AttachmentId, dataplane::AttachmentTotals> totals;
  std::map<dataplane::RuleIndex, dataplane::RuleHit> hits;
  std::map<dataplane::AttachmentId, std::pair<dataplane::ProbeToken, dataplane::NanoTime>> answers;
  size_t asked_sessions = 0;
  bool hold_sessions = false;  // until acknowledge()
  dataplane::NanoTime clock = 0;
  dataplane::WorkerCounters worker_counters;
  inspection::InspectorCounters inspector_counters;
  dataplane::ProfileCounters worker_profile;
  dataplane::NanoTime watched_until = 0;
};

class FakeUnderlay final : public underlay::Underlay {
 public:
  Result<std::vector<net::InterfaceAddress>> kernel_addresses(uint32_t) override { return {}; }
  Result<underlay::Hop> resolve(const net::IpAddress&, const net::IpAddress& remote) override {
    const auto at = hops.find(remote);
    if (at == hops.end()) return fail(ErrorCode::not_found, "no route");
    return at->second;
  }
  void forget(const net::IpAddress&, const net::IpAddress& remote) override { forgotten.push_back(remote); }
  std::vector<int> fds() const override { return {}; }
  bool process() override { return true; }
  bool on_neighbor_frame(dataplane::PortIndex, std::span<const uint8_t>) override {
    ++arps;
    return false;
  }
  bool on_neighbor_note(dataplane::PortIndex, const net::IpAddress& address, net::Mac) override {
    noted.push_back(address);
    return false;
  }
  std::optional<net::Mac> port_mac(dataplane::PortIndex port) const override {
    return port == 0 ? mac : std::nullopt;
  }
  bool tick(dataplane::NanoTime) override { return false; }

  std::optional<net::Mac> mac;  // of port 0
  std::map<net::IpAddress, underlay::Hop> hops;
  std::vector<net::IpAddress> forgotten;
  std::vector<net::IpAddress> noted;
  int arps = 0;
};

inline net::IpAddress ip(std::string_view text) { return net::parse_ip(text).value(); }
inline net::Mac mac(uint64_t value) { return net::Mac::from_u64(value); }

/// A hub with one port and two connected domains; tests change it by replacing text.
inline const std::string kTwoClouds = R"(
[worker]
cores = [1]
[[port]]
name = "wan0"
driver = "null"
address = ["198.18.0.1/24"]
[[domain]]
name = "prod"
[[domain]]
name = "shared"
[[domain]]
name = "lonely"
[[attachment]]
name = "cloud-a"
domain = "prod"
vxlan = { vni = 10, local = "198.18.0.1", remote = "198.18.0.10" }
gateway = ["10.1.0.1/24", "2001:db8:1::1/64"]
[[attachment]]
name = "cloud-b"
domain = "shared"
vxlan = { vni = 20, local = "198.18.0.1", remote = "198.18.0.20" }
gateway = ["10.2.0.1/24"]
[[attachment]]
name = "cloud-c"
domain = "lonely"
vxlan = { vni = 30, local = "198.18.0.1", remote = "198.18.0.30" }
gateway = ["10.3.0.1/24"]
[[route]]
domain = "prod"
prefix = "10.1.64.0/18"
attachment = "cloud-a"
via = "10.1.0.2"
[[route]]
domain = "prod"
prefix = "10.66.0.0/16"
blackhole = true
[[connection]]
domains = ["prod", "shared"]
[[policy]]
id = "web"
action = "allow"
from = { domains = ["prod"] }
to = { domains = ["shared"] }
protocol = "tcp"
ports = [80]
[[policy]]
id = "inside"
action = "allow"
from = { domains = ["lonely"] }
to = { domains = ["lonely"] }
)";

/// `text` with the first `from` replaced by `to`; fails loudly if it is not there.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(
      text.find(from) == std::string::npos ? throw std::logic_error("not found: " + from) : text.find(from),
      from.size(), to);
}

inline std::unique_ptr<dataplane::Routes> small_routes() {
  return dataplane::Routes::create({.routes = 10'000, .domains = 64}).value();
}

/// The configuration; its problems are thrown.
inline config::Config parse(const std::string& text) {
  auto config = config::read_config_text(text, "test.toml");
  if (config) return std::move(*config);
  std::string all;
  for (const auto& problem : config.error()) all += config::to_string(problem) + "\n";
  throw std::logic_error(all);
}

inline model::StartFacts one_port() {
  model::StartFacts facts;
  model::PortFacts port;
  port.name = "wan0";
  port.mac = mac(0x020000000001);
  port.addresses = {net::parse_interface_address("198.18.0.1/24").value()};
  facts.ports.push_back(std::move(port));
  return facts;
}

/// A live model that follows the text of a file, with tables of its own; as if no worker ever looked.
class FileModel {
 public:
  explicit FileModel(model::StartFacts facts = one_port(),
                     std::unique_ptr<dataplane::Routes> own = small_routes())
      : routes(std::move(own)),
        adjacencies(dataplane::AdjacencyTable::create(16).value()),
        live(std::make_unique<model::LiveModel>(
            std::move(facts),
            model::Tables{*routes, std::make_shared<dataplane::AttachmentTable>(16),
                          std::make_shared<dataplane::TunnelTable>(model::tunnel_entries(16)),
                          adjacencies.get(), &board})) {}

  /// What is wrong with it; nothing: it is in force.
  std::vector<config::Problem> try_use(config::Config config) {
    auto next = std::make_shared<const config::Config>(std::move(config));
    model::Transaction transaction(*live, model::Origin::file);
    model::FileChanges(file, next).add_to(transaction);
    transaction.settings(control::settings_of(*next, {}));
    if (auto problems = transaction.check(); !problems.empty()) return problems;
    model::Plan plan = transaction.plan();
    plan.narrow();
    if (plan.snapshot != nullptr) snapshot = std::move(plan.snapshot);
    plan.widen();
    live->tables().tunnels->release(plan.removed_slots);
    routes->finish(routes->take_pending());
    removed = plan.removed_attachments;
    retired.insert(retired.end(), plan.retired_hops.begin(), plan.retired_hops.end());
    file = std::move(next);
    return {};
  }
  void use(const std::string& text) {
    if (const auto problems = try_use(parse(text)); !problems.empty())
      throw std::logic_error(config::to_string(problems.front()));
  }
  dataplane::AttachmentId attachment(const std::string& name) const {
    const auto at = live->attachments().find(name);
    return at != live->attachments().end() ? at->second.id : dataplane::AttachmentId{};
  }
  dataplane::DomainId domain(const std::string& name) const { return live->domains().find(name)->second.id; }
  std::vector<std::shared_ptr<dataplane::UnderlayHop>> hops() const {
    std::vector<std::shared_ptr<dataplane::UnderlayHop>> all;
    live->for_each_path([&](const auto&, const auto& hop) { all.push_back(hop); });
    return all;
  }

  std::unique_ptr<dataplane::Routes> routes;
  std::unique_ptr<dataplane::AdjacencyTable> adjacencies;
  dataplane::AttachmentBoard board{16};
  std::unique_ptr<model::LiveModel> live;
  std::shared_ptr<const config::Config> file;  // in force
  std::unique_ptr<dataplane::Snapshot> snapshot;
  std::vector<dataplane::AttachmentId> removed;  // by the last change
  std::vector<std::shared_ptr<dataplane::UnderlayHop>> retired;
};

}  // namespace weir::test
