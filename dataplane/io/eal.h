// DPDK's environment layer, started once per process.
//
// Lcore 0 is the control thread, on the control core; worker i is lcore i + 1, on worker_cores[i]. Several
// lcores may share a core (the control core may be a worker's). Nothing is left behind: no shared files, no
// runtime folder, no hugepages, whether the start fails or the hub stops.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/io/buffers.h"
#include "dataplane/net/result.h"

struct rte_mempool;

namespace weir::dataplane {

enum class Hugepages { automatic, on, off };

struct EalSettings {
  std::vector<uint32_t> worker_cores;
  uint32_t control_core = 0;
  Hugepages hugepages = Hugepages::automatic;
  uint32_t memory_mib = 0;               // 0: kDefaultMemoryMib
  std::vector<std::string> pci_devices;  // only these are probed
  std::vector<std::string> extra_args;
  /// Gets each line that EAL or a driver logs, with its syslog level (RTE_LOG_*). Nothing goes to the
  /// terminal.
  std::function<void(int level, std::string_view line)> log;
};

inline constexpr uint32_t kDefaultMemoryMib = 256;

/// The lcore on which `worker` runs.
constexpr unsigned worker_lcore(WorkerIndex worker) { return worker + 1u; }

struct EalFacts {
  bool hugepages = false;   // else ordinary memory
  std::string memory_note;  // for the log: what is used and how to get better
};

/// Starts EAL with --in-memory (hugepages without any mount), or --no-huge where there are none. Reserves
/// hugepages itself when it may (and gives them back in eal_stop). Call once, on the control thread, before
/// other threads write to the terminal. DPDK cannot be started a second time in one process, not even after a
/// failure.
Result<EalFacts> eal_start(const EalSettings& settings);
/// Stops EAL and gives back what eal_start took. Every port and pool must be gone. Harmless if EAL does not
/// run.
void eal_stop();

/// A pool of packet buffers: `count` of them with `data_bytes` plus headroom and `priv_size` private bytes (a
/// multiple of 8), packed without gaps into one chunk of memory, as AF_XDP needs it, wherever DPDK does its
/// I/O by virtual address (everywhere but on PCI devices without an IOMMU). rte_mempool_free() it after the
/// ports. Several at a time need different names.
Result<rte_mempool*> make_packet_pool(uint32_t count, uint16_t priv_size,
                                      uint16_t data_bytes = kLeastDataBytes,
                                      const std::string& name = "weir_packets");
/// The data bytes of a pool's buffers.
uint16_t data_bytes_of(const rte_mempool& pool);

}  // namespace weir::dataplane
