// The hub under test: the daemon's own object, whole, on a port of memory.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/io/memory_port.h"
#include "mgmt/daemon/hub.h"
#include "tests/hitless/world.h"

namespace weir::hitless {

struct RigOptions {
  bool poll = false;       // workers never sleep
  bool hugepages = false;  // if there are any
  std::string log_level = "error";
};

class Rig {
 public:
  Rig(const World& world, const RigOptions& options);
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  /// This machine has a core for each worker.
  bool enough_cores() const;
  /// Starts the hub, runs `test` on a thread of its own on the control thread's core, and stops the hub when
  /// that returns. What went wrong with the hub itself, a line each.
  std::vector<std::string> run(const std::function<void()>& test);

  // --- for `test` ---
  daemon::Hub& hub() { return *hub_; }
  dataplane::MemoryPort& port() { return *port_; }
  rte_mempool* pool() { return pool_; }
  /// Runs `what` on the control thread. False: too much waits there already.
  bool on_control(std::function<void(control::Control&)> what);
  /// What the hub reads at its next reload.
  void write_rules(unsigned edition) const;

 private:
  std::string settings() const;

  const World& world_;
  RigOptions options_;
  std::vector<uint32_t> cores_;
  std::string folder_;
  std::unique_ptr<daemon::Hub> hub_;
  dataplane::MemoryPort* port_ = nullptr;
  rte_mempool* pool_ = nullptr;
};

}  // namespace weir::hitless
