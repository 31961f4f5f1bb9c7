// DPDK's environment layer, started once per process.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "dataplane/net/result.h"

struct rte_mempool;

namespace weir::dataplane {

enum class Hugepages { automatic, on, off };

struct EalSettings {
  std::vector<uint32_t> worker_cores;
  uint32_t control_core = 0;
  Hugepages hugepages = Hugepages::automatic;
  uint32_t memory_mib = 0;
  std::vector<std::string> pci_devices;  // only these are probed
  std::vector<std::string> extra_args;
  /// Gets each line that EAL or a driver logs, with its syslog level (RTE_LOG_*). Nothing goes to the terminal.
  std::function<void(int level, std::string_view line)> log;
};

struct EalFacts {
  bool hugepages = false;   // else ordinary memory
  std::string memory_note;  // for the log: what is used and how to get better
};

/// Starts EAL with --in-memory (hugepages without any mount), or --no-huge where there are none. Reserves hugepages itself
/// when it may (and gives them back in eal_stop). Call once, on the control thread.
Result<EalFacts> eal_start(const EalSettings& settings);
void eal_stop();

/// The hub's packet pool: one chunk of memory, `count` buffers of 2 KiB data plus headroom and `priv_size` private bytes.
Result<rte_mempool*> make_packet_pool(uint32_t count, uint16_t priv_size);

}  // namespace weir::dataplane
