#include "inspection/engine/engine_stats.h"

namespace weir::inspection {

namespace {

using Json = nlohmann::ordered_json;

template <typename Get>
uint64_t sum(std::span<const Engine* const> engines, Get&& get) {
  uint64_t total = 0;
  for (const Engine* engine : engines) total += get(*engine);
  return total;
}

}  // namespace

void add_engine_stats(Json& stats, std::span<const Engine* const> engines) {
  const auto count = [&](EventCount EngineCounters::*member) {
    return sum(engines, [&](const Engine& engine) { return (engine.counters().*member).get(); });
  };
  const auto detected = [&](EventCount DetectorCounters::*member) {
    return sum(engines, [&](const Engine& engine) { return (engine.detection().*member).get(); });
  };
  stats["flow"] = {{"total", count(&EngineCounters::sessions)}};
  stats["tcp"] = {{"syn", count(&EngineCounters::tcp_syn)},
                  {"synack", count(&EngineCounters::tcp_synack)},
                  {"rst", count(&EngineCounters::tcp_rst)},
                  {"sessions", count(&EngineCounters::tcp_sessions)},
                  {"midstream_pickups", count(&EngineCounters::midstream_pickups)},
                  {"reassembly_gap", count(&EngineCounters::gaps)},
                  {"invalid_checksum", count(&EngineCounters::bad_checksum)}};
  stats["detect"] = {{"alert", detected(&DetectorCounters::alerts)},
                     {"alert_queue_overflow", detected(&DetectorCounters::alerts_over_limit)},
                     {"alerts_suppressed", detected(&DetectorCounters::suppressed)}};
  Json reasons = Json::object();
  const auto dropped = [&](DropReason reason) {
    return sum(engines, [&](const Engine& engine) {
      return engine.counters().drops[static_cast<size_t>(reason)].get();
    });
  };
  reasons["rules"] = dropped(DropReason::rules);
  reasons["flow_drop"] = dropped(DropReason::flow_drop);
  reasons["stream_error"] = dropped(DropReason::stream_error) + dropped(DropReason::checksum);
  reasons["stream_memcap"] = dropped(DropReason::stream_memcap);
  reasons["stream_midstream"] = dropped(DropReason::stream_midstream);
  reasons["applayer_error"] = dropped(DropReason::app_layer_error);
  reasons["flow_memcap"] = dropped(DropReason::flow_memcap);
  reasons["defrag_error"] = dropped(DropReason::defrag_error);
  stats["ips"] = {{"accepted", count(&EngineCounters::accepted)},
                  {"blocked", count(&EngineCounters::blocked)},
                  {"rejected", count(&EngineCounters::rejected)},
                  {"drop_reason", std::move(reasons)}};
}

}  // namespace weir::inspection
