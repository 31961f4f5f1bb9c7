#include "dataplane/io/eal.h"

#include <getopt.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "dataplane/io/eal_log.h"
#include "dataplane/io/hugepages.h"

namespace weir::dataplane {
namespace {

/// EAL is one per process by DPDK's own design; so is what belongs to it.
struct RunningEal {
  std::unique_ptr<EalLog> log;
  HugepageReservation hugepages;

  /// EAL makes /run/dpdk/PREFIX even if it will put nothing there. rmdir() removes only what is empty.
  ~RunningEal() {
    const std::string folder = rte_eal_get_runtime_dir();
    if (folder.empty() || rmdir(folder.c_str()) != 0) return;
    rmdir(folder.substr(0, folder.rfind('/')).c_str());
  }
};
std::unique_ptr<RunningEal> running;
bool was_started = false;

/// "0-3,8" from a set of CPUs.
std::string describe(const cpu_set_t& cpus) {
  std::string text;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &cpus)) continue;
    int last = cpu;
    while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &cpus)) ++last;
    if (!text.empty()) text += ",";
    text += std::to_string(cpu);
    if (last > cpu) text += "-" + std::to_string(last);
    cpu = last;
  }
  return text;
}

Status check_cores(const EalSettings& settings) {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  if (sched_getaffinity(0, sizeof(usable), &usable) != 0) {
    return fail(ErrorCode::io, "cannot read which CPU cores this process may use");
  }
  std::vector<uint32_t> wanted = settings.worker_cores;
  wanted.push_back(settings.control_core);
  for (uint32_t core : wanted) {
    if (core >= CPU_SETSIZE || !CPU_ISSET(core, &usable)) {
      return fail(ErrorCode::not_found, "there is no CPU core " + std::to_string(core) +
                                            " for this process: it may use " + describe(usable));
    }
  }
  if (settings.worker_cores.empty()) return fail(ErrorCode::invalid, "no worker core is given");
  std::vector<uint32_t> sorted = settings.worker_cores;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    return fail(ErrorCode::invalid, "CPU core " + std::to_string(*twice) + " is given to two workers");
  }
  if (settings.worker_cores.size() >= RTE_MAX_LCORE) {
    return fail(ErrorCode::invalid,
                "DPDK here knows at most " + std::to_string(RTE_MAX_LCORE - 1) + " workers");
  }
  return {};
}

uint64_t available_memory_mib() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_bytes = sysconf(_SC_PAGESIZE);
  return static_cast<uint64_t>(pages) * static_cast<uint64_t>(page_bytes) >> 20;
}

/// Decides between hugepages and ordinary memory; reserves the former.
Result<EalFacts> choose_memory(Hugepages wanted, uint32_t memory_mib, HugepageReservation& reservation) {
  const std::string amount = std::to_string(memory_mib) + " MiB";
  if (memory_mib > available_memory_mib()) {
    return fail(ErrorCode::exhausted, "too little memory: " + amount + " are needed, the machine has " +
                                          std::to_string(available_memory_mib()) + " MiB in all");
  }
  if (wanted == Hugepages::off) return EalFacts{false, amount + " of ordinary memory, as configured"};
  const Status reserved = reservation.reserve(memory_mib);
  if (reserved) {
    return EalFacts{true, amount + " in hugepages of 2 MiB (" + std::to_string(reservation.pages()) +
                              " of them reserved now, given back at the end)"};
  }
  if (wanted == Hugepages::on) {
    return fail(ErrorCode::exhausted, "no hugepages for " + amount + ": " + reserved.error().message);
  }
  return EalFacts{false, amount + " of ordinary memory, which is slower, since " + reserved.error().message +
                             "; `sysctl vm.nr_hugepages=" + std::to_string((memory_mib + 1) / 2) +
                             "` soon after boot gives hugepages"};
}

std::vector<std::string> arguments(const EalSettings& settings, bool hugepages, uint32_t memory_mib) {
  std::string lcores = "0@" + std::to_string(settings.control_core);
  for (size_t i = 0; i < settings.worker_cores.size(); ++i) {
    lcores += "," + std::to_string(i + 1) + "@" + std::to_string(settings.worker_cores[i]);
  }
  std::vector<std::string> args = {"weir", "--lcores",       lcores, "--main-lcore",
                                   "0",    "--no-telemetry", "-m",   std::to_string(memory_mib)};
  if (hugepages) {
    args.push_back("--in-memory");
  } else {
    args.insert(args.end(), {"--no-huge", "--no-shconf"});
  }
  if (settings.pci_devices.empty()) {
    args.push_back("--no-pci");
    // Virtual addresses for I/O, so that the packet pool is one gapless chunk (AF_XDP's UMEM) whatever the
    // pages are.
    args.push_back("--iova-mode=va");
  }
  for (const std::string& device : settings.pci_devices) args.insert(args.end(), {"-a", device});
  args.insert(args.end(), settings.extra_args.begin(), settings.extra_args.end());
  return args;
}

/// Calls rte_eal_init() out of sight; why it failed is in its log or, for a bad argument, on the terminal.
Status init(EalLog& log, std::vector<std::string> args) {
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  int consumed = -1;
  // EAL pins the calling thread to its lcore's core even when it fails.
  cpu_set_t before;
  sched_getaffinity(0, sizeof(before), &before);
  const auto printed =
      log.run_silently([&] { consumed = rte_eal_init(static_cast<int>(args.size()), argv.data()); });
  if (consumed >= 0) return {};
  const int error = rte_errno;
  sched_setaffinity(0, sizeof(before), &before);
  std::string reason = log.complaint();
  const auto complaint = std::find_if(printed.begin(), printed.end(), [](const std::string& line) {
    return line.find("option") != std::string::npos && line.starts_with("weir: ");
  });
  if (complaint != printed.end()) reason = complaint->substr(6);
  if (reason.empty()) reason = rte_strerror(error);
  return fail(ErrorCode::refused, "DPDK does not start: " + reason);
}

}  // namespace

Result<EalFacts> eal_start(const EalSettings& settings) {
  if (was_started) return fail(ErrorCode::internal, "DPDK cannot be started twice in one process");
  if (auto checked = check_cores(settings); !checked) return tl::unexpected(checked.error());
  auto eal = std::make_unique<RunningEal>();
  const uint32_t memory_mib = settings.memory_mib != 0 ? settings.memory_mib : kDefaultMemoryMib;
  auto facts = choose_memory(settings.hugepages, memory_mib, eal->hugepages);
  if (!facts) return facts;
  auto log = EalLog::open(settings.log);
  if (!log) return tl::unexpected(log.error());
  eal->log = std::move(*log);
  was_started = true;
  if (auto done = init(*eal->log, arguments(settings, facts->hugepages, memory_mib)); !done) {
    return tl::unexpected(done.error());
  }
  eal->hugepages.pages_are_mapped();  // -m makes EAL map them all at its start
  running = std::move(eal);
  return facts;
}

void eal_stop() {
  if (running == nullptr) return;
  rte_eal_cleanup();
  running.reset();
}

}  // namespace weir::dataplane
