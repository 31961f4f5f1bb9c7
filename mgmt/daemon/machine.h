// What only the machine can tell about a configuration, asked before anything is opened or changed.
#pragma once

#include <cstdint>
#include <vector>

#include "mgmt/config/config.h"
#include "mgmt/config/problem.h"

namespace weir::daemon {

/// Root, cores, interfaces: each problem is one sentence with its place in the file.
std::vector<config::Problem> check_machine(const config::Config& config);

/// Cores that this process may use, ascending.
std::vector<uint32_t> usable_cores();

/// Where every thread but the workers runs: `control.core` if it is set, else every usable core that no
/// worker has, else (fewer cores than workers + 1) every usable core.
std::vector<uint32_t> control_cores(const config::Config& config, const std::vector<uint32_t>& usable);

/// Binds the calling thread, and the threads that it starts, to `cores`.
void run_on(const std::vector<uint32_t>& cores);
/// As it is shown by top and gdb; at most 15 characters.
void name_thread(const char* name);

}  // namespace weir::daemon
