#include "mgmt/daemon/stats.h"

#include <vector>

#include "inspection/engine/engine_stats.h"
#include "inspection/events/eve.h"
#include "mgmt/control/views.h"

namespace weir::daemon {

using namespace dataplane;

std::string stats_event(const Dataplane& dataplane, NanoTime started, NanoTime now, int64_t offset_ns) {
  using Json = nlohmann::ordered_json;
  Json workers = Json::object();
  for (const control::WorkerView& worker : control::worker_views(dataplane, {})) {
    for (const auto& [name, value] : worker.counters) {
      const std::string key(name);
      workers[key] = workers.value(key, uint64_t{0}) + value;
    }
  }
  std::vector<const inspection::Engine*> engines;
  for (unsigned w = 0; w < dataplane.workers(); ++w) {
    if (const auto* engine = dataplane.inspection_engine(static_cast<WorkerIndex>(w)))
      engines.push_back(engine);
  }
  Json stats;
  stats["uptime"] = (now - started) / kNanosPerSecond;
  stats["decoder"] = {{"pkts", workers.value("rx", uint64_t{0})}};
  inspection::add_engine_stats(stats, engines);
  stats["flow"]["active"] = workers.value("sessions", uint64_t{0});
  Json json;
  json["timestamp"] = inspection::eve_timestamp(now, offset_ns);
  json["event_type"] = "stats";
  json["stats"] = std::move(stats);
  json["weir"]["workers"] = std::move(workers);
  return inspection::eve_line(json);
}

}  // namespace weir::daemon
