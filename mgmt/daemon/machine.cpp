#include "mgmt/daemon/machine.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>

#include "dataplane/io/interface.h"

namespace weir::daemon {

using config::Problem;

namespace {

void check_core(uint32_t core, const config::Location& where, const char* key,
                const std::vector<uint32_t>& usable, std::vector<Problem>& problems) {
  if (std::binary_search(usable.begin(), usable.end(), core)) return;
  std::string list;
  for (const uint32_t c : usable) list += (list.empty() ? "" : ", ") + std::to_string(c);
  problems.push_back(
      {where, key,
       "there is no core " + std::to_string(core) + " that this process may use; there is " + list});
}

void check_port(const config::Port& port, std::vector<Problem>& problems) {
  if (port.driver == config::PortDriver::af_xdp || port.driver == config::PortDriver::af_packet) {
    const auto found = dataplane::find_interface(port.interface);
    if (!found) problems.push_back({port.device_where, "port[].interface", found.error().message});
  }
  if (!port.rx_pcap.empty() && ::access(port.rx_pcap.c_str(), R_OK) != 0) {
    problems.push_back({port.where, "port[].rx_pcap", "cannot read " + config::in_quotes(port.rx_pcap)});
  }
}

}  // namespace

std::vector<Problem> check_machine(const config::Config& config) {
  std::vector<Problem> problems;
  if (::geteuid() != 0) {
    problems.push_back(
        {{}, "", "the hub has to be started as root: it opens network devices and reserves memory"});
  }
  const std::vector<uint32_t> usable = usable_cores();
  for (const uint32_t core : config.workers.cores) {
    check_core(core, config.workers.cores_where, "worker.cores", usable, problems);
  }
  if (config.control.core)
    check_core(*config.control.core, config.control.where, "control.core", usable, problems);
  for (const config::Port& port : config.ports) check_port(port, problems);
  return problems;
}

std::vector<uint32_t> usable_cores() {
  std::vector<uint32_t> cores;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return cores;
  for (uint32_t core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

std::vector<uint32_t> control_cores(const config::Config& config, const std::vector<uint32_t>& usable) {
  if (config.control.core) return {*config.control.core};
  std::vector<uint32_t> cores;
  for (const uint32_t core : usable) {
    const auto& workers = config.workers.cores;
    if (std::find(workers.begin(), workers.end(), core) == workers.end()) cores.push_back(core);
  }
  return cores.empty() ? usable : cores;
}

void run_on(const std::vector<uint32_t>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const uint32_t core : cores) CPU_SET(core, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

void name_thread(const char* name) { pthread_setname_np(pthread_self(), name); }

}  // namespace weir::daemon
