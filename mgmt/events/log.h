// The hub's own log, and how the lines of DPDK's EAL come into it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <spdlog/logger.h>

namespace weir::events {

/// A logger to standard error with the time, the level and the message. `level`: trace, debug, info, warn or
/// error. Any thread may log.
std::shared_ptr<spdlog::logger> make_log(const std::string& level);

/// A line that EAL or a driver logged, with its syslog-like level (RTE_LOG_*, 1 emergency to 8 debug). EAL
/// speaks of its routine at info, which is our debug.
void log_eal_line(spdlog::logger& log, int level, std::string_view line);

}  // namespace weir::events
