#include "mgmt/events/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace weir::events {

std::shared_ptr<spdlog::logger> make_log(const std::string& level) {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  auto log = std::make_shared<spdlog::logger>("weir", std::move(sink));
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%-5l%$ %v");
  log->set_level(spdlog::level::from_str(level));
  log->flush_on(spdlog::level::trace);
  return log;
}

void log_eal_line(spdlog::logger& log, int level, std::string_view line) {
  constexpr int kError = 4, kWarning = 5, kInfo = 7;  // RTE_LOG_ERR, RTE_LOG_WARNING, RTE_LOG_INFO
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (line.empty()) return;
  const auto at = level <= kError     ? spdlog::level::err
                  : level <= kWarning ? spdlog::level::warn
                  : level <= kInfo    ? spdlog::level::debug
                                      : spdlog::level::trace;
  log.log(at, "dpdk: {}", line);
}

}  // namespace weir::events
