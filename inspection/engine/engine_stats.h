// EVE's `stats` of engines: what they counted, by Suricata's names. Any thread may read the counters;
// allocates.
#pragma once

#include <nlohmann/json.hpp>
#include <span>

#include "inspection/engine/engine.h"

namespace weir::inspection {

/// Adds `flow`, `tcp`, `detect` and `ips`, summed over all engines.
void add_engine_stats(nlohmann::ordered_json& stats, std::span<const Engine* const> engines);

}  // namespace weir::inspection
