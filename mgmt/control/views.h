// What the hub shows of itself, as plain values: made on the control thread, turned into JSON elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/worker/dataplane.h"
#include "mgmt/control/health.h"
#include "mgmt/model/live_model.h"

namespace weir::control {

struct WorkerView {
  unsigned worker = 0;
  uint32_t core = 0;
  std::vector<std::pair<std::string_view, uint64_t>> counters;
};
struct PortView {
  std::string name, driver, mac;
  uint16_t mtu = 0;
  bool link_up = false;
};
/// Whether an attachment works, and what passed through it since it came.
struct AttachmentHealthView {
  std::string_view state;  // "up", "down", "unknown"
  uint64_t since_s = 0;    // how long ago that began
  std::string reason;
  bool dampened = false;
  uint32_t flaps = 0;
  std::optional<uint64_t> rtt_us;
  uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0;
};
struct AttachmentView {
  std::string name, domain, tunnel, local, remote;
  bool resolved = false;
  uint16_t mtu = 0;
  AttachmentHealthView health;
  bool from_file = true;  // else it was made at run time
};
struct ProfileView {
  std::string name;
  uint64_t rules_loaded = 0;
  uint64_t rules_refused = 0;
  std::vector<std::string> files = {};
  std::vector<std::string> refused = {};  // a line for each rule, the first kMaxRefused
  std::string digest = {};                // SHA-256 of the files, one after the other
  uint64_t bytes = 0;  // of what was compiled: databases, and scratch memory of the workers
  static constexpr size_t kMaxRefused = 1'000;
};

/// The rules of all profiles, and how a reload of them goes on.
struct RulesView {
  uint32_t generation = 0;  // counts reloads
  uint64_t since_s = 0;     // how long ago all workers had them
  std::vector<ProfileView> profiles;
  bool before = false;           // those before the last reload are there still
  uint64_t sessions_before = 0;  // that are in the midst of a transaction by those
  bool reload_waits = false;     // one more was read, and waits until those before are gone
};

/// The compiled rules of all profiles, which whoever asks may keep and read.
struct RulesInForce {
  model::Rulesets rulesets;
  uint64_t now_ns = 0;
  const inspection::RuleMemory* memory = nullptr;  // of all workers, and as long as these
};

/// A pool of source NAT: what is taken of it now, and what happened since it was made.
struct PoolView {
  std::string name, domain;
  uint64_t addresses = 0;
  uint64_t capacity = 0;  // ports of one protocol
  dataplane::PortPool::Use use;
  std::vector<dataplane::PortPool::Use> workers;  // the same by worker
};

/// One of several servers that share a published address and port.
struct ServerView {
  std::string rule, server;
  uint16_t port = 0;
  uint32_t weight = 0;
  bool up = false;  // it is reached, and so is given sessions
};

struct StatusView {
  std::string hub, version;
  uint64_t uptime_s = 0;
  std::vector<WorkerView> workers;
  std::vector<PortView> ports;
  std::vector<AttachmentView> attachments;
  std::vector<ProfileView> profiles;
  std::vector<PoolView> pools;
  uint64_t held = 0;
  std::vector<std::pair<std::string_view, uint64_t>> neighbors;
  std::vector<std::pair<std::string_view, uint64_t>> health;  // counters of the probes
  std::string config_file;
  uint64_t reloads = 0;
  std::string last_reload;  // "ok" or what went wrong; empty before the first
  uint64_t events_lost = 0;
  uint64_t control_stalls = 0;
};

struct DropView {
  std::string_view reason, stage, help;
  uint64_t count = 0;
};

struct SessionView {
  uint64_t id = 0;  // its flow_id
  unsigned worker = 0;
  uint8_t protocol = 0;
  std::string src, dst;
  uint16_t src_port = 0, dst_port = 0;
  /// As its packets leave; the same as above if it is not translated.
  std::string new_src, new_dst;
  uint16_t new_src_port = 0, new_dst_port = 0;
  std::string from, to, ingress, egress, rule;
  std::string_view state;
  bool inspected = false, dropped = false;
  uint64_t packets[2] = {}, bytes[2] = {};
  uint64_t age_s = 0, idle_s = 0;
};
struct SessionsView {
  std::vector<SessionView> rows;
  uint64_t total = 0;
};

struct RouteView {
  std::string prefix, attachment, via;
  std::optional<uint32_t> weight;  // not of a black hole
  std::string_view kind;           // own, exposed, blackhole
  std::string from_domain;         // exposed: whose
  std::string_view origin;         // file, api; gateway: an attachment's own subnet
};
struct DomainRoutesView {
  std::string name;
  std::vector<RouteView> routes;
};
struct RoutesView {
  std::vector<DomainRoutesView> domains;
  bool more = false;  // than were asked for
};
struct RoutesQuery {
  std::optional<std::string> domain;
  std::optional<net::Prefix> within = {};  // this prefix and more specific ones
  size_t max = 1'000;                      // rows; a route has one for each next hop
};

/// What a stage cost in the turns that were sampled.
struct StageView {
  std::string_view stage;
  uint64_t cycles = 0, packets = 0, calls = 0;
};
struct TopWorkerView {
  unsigned worker = 0;
  uint32_t core = 0;
  std::vector<std::pair<std::string_view, uint64_t>> counters;
  std::vector<StageView> stages;  // in the order of the way
};
/// Counters since the start, and when they were read: two of these make a rate.
struct TopView {
  dataplane::NanoTime now_ns = 0;
  uint64_t cycles_per_second = 0;
  uint64_t stall_us = 0;
  std::vector<TopWorkerView> workers;
};

AttachmentHealthView attachment_health_view(const HealthView& health, dataplane::NanoTime now);
std::vector<WorkerView> worker_views(const dataplane::Dataplane& dataplane,
                                     const std::vector<uint32_t>& cores);
TopView top_view(const dataplane::Dataplane& dataplane, const std::vector<uint32_t>& cores,
                 uint64_t stall_us);
/// Every reason but "none", zero ones too; workers and control together.
std::vector<DropView> drop_views(const dataplane::Dataplane& dataplane);
SessionView session_view(const dataplane::SessionRow& row, const dataplane::Snapshot& snapshot,
                         dataplane::NanoTime now);
std::vector<PoolView> pool_views(const dataplane::Snapshot& snapshot);
std::vector<ServerView> server_views(const dataplane::Snapshot& snapshot);
/// Empty for an id that is stale or unknown.
std::string attachment_name(const dataplane::Snapshot& snapshot, dataplane::AttachmentId id);
std::string domain_name(const dataplane::Snapshot& snapshot, dataplane::DomainId id);
/// That no domain is called so, and which one resembles it.
std::string no_such_domain(const dataplane::Snapshot& snapshot, std::string_view name);
/// What workers route by now, in the order of domains and prefixes. Costs what it shows. Fails with
/// `not_found` if there is no such domain.
Result<RoutesView> routes_view(const model::LiveModel& model, const RoutesQuery& query);

}  // namespace weir::control
