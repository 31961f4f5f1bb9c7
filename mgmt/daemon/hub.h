// The hub as one object: builds everything that it consists of by constructors, and takes it apart in
// reverse.
//
// The thread that calls start() and run() is the control thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <spdlog/logger.h>

#include "dataplane/fib/adjacency_table.h"
#include "dataplane/io/eal.h"
#include "dataplane/io/port.h"
#include "dataplane/io/xdp_steering.h"
#include "dataplane/worker/dataplane.h"
#include "inspection/compile/flowbit_names.h"
#include "mgmt/api/server.h"
#include "mgmt/api/source.h"
#include "mgmt/control/builder.h"
#include "mgmt/control/control.h"
#include "mgmt/control/mailbox.h"
#include "mgmt/daemon/signals.h"
#include "mgmt/events/hub_event.h"
#include "mgmt/events/recent_alerts.h"
#include "mgmt/events/writer.h"
#include "mgmt/underlay/underlay.h"

namespace weir::daemon {

/// What is wrong, a line each; empty: nothing.
using Lines = std::vector<std::string>;

/// How a port of the configuration becomes an open one: `Port::open`, or a test's own.
using OpenPort = std::function<Result<std::unique_ptr<dataplane::Port>>(const dataplane::PortSpec& spec,
                                                                        unsigned workers, rte_mempool* pool)>;

class Hub {
 public:
  Hub(config::Config config, std::shared_ptr<spdlog::logger> log, std::string version,
      OpenPort open_port = dataplane::Port::open);
  /// Stops.
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  /// Opens and starts everything. On failure nothing stays behind once the hub is destroyed.
  Lines start();
  /// Works until SIGTERM or SIGINT.
  void run(Signals& signals);
  /// Leaves devices, XDP programs, hugepages and the socket as they were before. False: a compilation of
  /// rules still runs, which cannot be broken off, and destroying the hub would wait for it.
  bool stop();

  // --- between start() and stop(), for who runs a hub inside another program ---
  dataplane::Dataplane& dataplane() { return *dataplane_; }
  /// To be used on the control thread: in messages to mailbox().
  control::Control& control() { return *control_; }
  control::Mailbox& mailbox() { return mailbox_; }

 private:
  Lines start_eal();
  Lines open_ports();
  Lines gather_addresses();
  Lines make_model();
  Lines start_events();
  Lines start_dataplane();
  Lines start_control();
  Lines start_api();
  std::vector<underlay::PortFacts> underlay_ports() const;
  rte_mempool* pool_of(dataplane::PortKind kind) const;
  Status find_underlay_interface(size_t index, underlay::Underlay& kernel);
  void warn_of_large_packets(const dataplane::PortSpec& spec) const;
  bool handle(int signal);
  void save_sets();

  struct EalRunning {
    ~EalRunning() { dataplane::eal_stop(); }
  };
  struct PoolDeleter {
    void operator()(rte_mempool* pool) const;
  };

  // In the order of construction. The builder and its mailbox outlive all else, since a job may still run.
  control::FileConfig file_;
  std::shared_ptr<const config::Config> config_;  // of it
  std::shared_ptr<spdlog::logger> log_;
  /// Of bits and counters in rules, the same in all rulesets of this hub's life.
  control::RulesShare rules_share_{std::make_shared<inspection::FlowBitNames>(), nullptr};
  std::string version_;
  OpenPort open_port_;
  std::vector<uint32_t> cores_;  // of control and the other threads
  control::Mailbox mailbox_;
  std::unique_ptr<control::Builder> builder_;
  std::unique_ptr<EalRunning> eal_;
  std::unique_ptr<rte_mempool, PoolDeleter> pool_;
  std::unique_ptr<rte_mempool, PoolDeleter> af_xdp_pool_;  // where pool_'s buffers are larger than a page
  std::vector<std::unique_ptr<dataplane::Port>> ports_;
  std::vector<uint32_t>
      kernel_ifindexes_;  // by port: where the kernel has its underlay addresses; 0: nowhere
  std::map<dataplane::PortIndex, std::unique_ptr<dataplane::XdpSteering>> steering_;
  std::unique_ptr<dataplane::AdjacencyTable> adjacencies_;
  std::unique_ptr<dataplane::AttachmentBoard> board_;
  std::unique_ptr<dataplane::Routes> routes_;
  model::StartFacts facts_;
  std::unique_ptr<model::LiveModel> model_;  // until control takes it over
  std::unique_ptr<const dataplane::Snapshot> first_;
  std::optional<events::EveFile> eve_;
  events::HubEvents hub_events_;
  events::RecentAlerts alerts_;
  std::unique_ptr<dataplane::Dataplane> dataplane_;
  std::unique_ptr<underlay::Underlay> underlay_;
  std::vector<underlay::IcmpSocket> icmp_sockets_;  // with ports that share addresses with the kernel
  std::unique_ptr<control::Control> control_;
  std::unique_ptr<events::Writer> writer_;
  std::unique_ptr<api::Source> source_;
  std::unique_ptr<api::Server> api_;
};

}  // namespace weir::daemon
