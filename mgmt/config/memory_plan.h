// How much memory a configuration makes the hub allocate at its start; nothing of it grows later with
// traffic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/host/session_budgets.h"
#include "mgmt/config/config.h"
#include "mgmt/config/problem.h"

namespace weir::config {

struct MemoryPlan {
  struct Part {
    std::string what;
    std::string formula;  // in the words of the configuration
    uint64_t bytes = 0;
    bool eal = false;  // taken from what DPDK reserves, else ordinary memory
  };
  std::vector<Part> parts;
  uint64_t total_bytes = 0;
  uint32_t eal_mib = 0;  // the least that eal.memory_mib may be, and what it is when left at 0
};

/// How large packet buffers have to be for the ports' MTUs (dataplane/io/buffers.h).
struct PacketBuffers {
  uint16_t data = 0;  // data bytes of each
  /// af_xdp ports have `packet_buffers` of their own beside larger ones: data bytes of each of those. 0: all
  /// ports share.
  uint16_t af_xdp_data = 0;
};
PacketBuffers packet_buffers(const Config& config);

/// The bounds on new sessions that `limits` asks for.
dataplane::SessionBudgetLimits session_budgets(const Limits& limits);

/// `session_bytes(n)` is what a worker's session table of n sessions takes: SessionTable::bytes_for. Pure.
MemoryPlan memory_plan(const Config& config, size_t (*session_bytes)(uint32_t sessions));

/// A line for each part, with its formula, and the totals.
std::string to_string(const MemoryPlan& plan);

/// Set if eal.memory_mib is given, but too small for the limits.
std::optional<Problem> too_little_memory(const Config& config, const MemoryPlan& plan);

}  // namespace weir::config
